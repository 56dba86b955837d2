"""Views cut out of stored frames: straight ones to predict, random ones to train.

Every frame of a clip is cut the same way. A view is a matrix (2, 3) from output to input
coordinates, both from -1 at the left or top border to 1 at the right or bottom one.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Frames = NDArray[np.uint8]

# The share of width and height that is looked at when predicting: the middle of the range that
# training cuts out at random, so that both see shapes at the same scale.
VIEW = 0.9


@dataclass(frozen=True)
class Augmentation:
    """Ranges: zoom factors, degrees, shift as a share of the picture, brightness, contrast, flip.

    Brightness is added to normalised pixels, contrast multiplies them by 1 +- contrast.
    """

    zoom: tuple[float, float] = (0.75, 1.05)
    rotation: float = 8.0
    shift: float = 0.15
    brightness: float = 0.2
    contrast: float = 0.2
    flip: bool = True


def straight_view(mirrored: bool = False) -> Tensor:
    """Return the view (2, 3) of the middle of a picture, left and right swapped if `mirrored`."""
    return torch.tensor([[-VIEW if mirrored else VIEW, 0.0, 0.0], [0.0, VIEW, 0.0]])


def random_views(batch: int, ranges: Augmentation, generator: torch.Generator) -> Tensor:
    """Return random views (B, 2, 3).

    A zoom z looks at the share z of the picture's width and height; the shift is that share of the
    half picture by which the view's middle is moved.
    """

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(batch, generator=generator)

    zoom = uniform(*ranges.zoom)
    angle = torch.deg2rad(uniform(-ranges.rotation, ranges.rotation))
    flipped = torch.rand(batch, generator=generator) < 0.5
    mirror = torch.where(flipped & torch.tensor(ranges.flip), -1.0, 1.0)
    matrix = torch.empty(batch, 2, 3)
    matrix[:, 0, 0] = zoom * torch.cos(angle) * mirror
    matrix[:, 0, 1] = -zoom * torch.sin(angle)
    matrix[:, 1, 0] = zoom * torch.sin(angle) * mirror
    matrix[:, 1, 1] = zoom * torch.cos(angle)
    matrix[:, 0, 2] = uniform(-ranges.shift, ranges.shift)
    matrix[:, 1, 2] = uniform(-ranges.shift, ranges.shift)
    return matrix


def random_light(batch: int, ranges: Augmentation, generator: torch.Generator) -> Tensor:
    """Return (B, 2): factor and offset for normalised pixels of each clip."""
    random = 2 * torch.rand(batch, 2, generator=generator) - 1  # (B, 2)
    return torch.stack(
        [1 + ranges.contrast * random[:, 0], ranges.brightness * random[:, 1]], dim=1
    )


def cut(frames: Frames, view: Tensor, size: int) -> Frames:
    """Return the view of each frame, bilinear, borders repeated: uint8 (T, size, size, 3).

    frames: uint8 (T, H, W, 3). OpenCV does this three times as fast as torch's grid_sample.
    """
    height, width = frames.shape[1:3]
    linear = view[:, :2].double().numpy()
    half = np.array([width, height]) / 2
    # From pixel numbers to [-1, 1] and back: pixel n covers n ... n + 1 of the side.
    matrix = np.empty((2, 3))
    matrix[:, :2] = half[:, None] * linear * 2 / size
    offset = linear @ np.full(2, 1 / size - 1) + view[:, 2].double().numpy()
    matrix[:, 2] = half * offset + half - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    out = np.empty((len(frames), size, size, 3), np.uint8)
    for source, target in zip(frames, out, strict=True):
        cv2.warpAffine(
            source, matrix, (size, size), dst=target, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
    return out
