"""Views cut out of stored frames: straight ones to predict, random ones to train.

Every frame of a clip is cut the same way. A view is a matrix (2, 3) from output to input
coordinates, both from -1 at the left or top border to 1 at the right or bottom one.
"""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Frames = NDArray[np.uint8]
Pixels = TypeVar("Pixels", NDArray[np.uint8], NDArray[np.float32])

# The share of width and height that is looked at when predicting: the middle of the range that
# training cuts out at random, so that both see shapes at the same scale.
VIEW = 0.9


@dataclass(frozen=True)
class Augmentation:
    """How far a view may be from the straight one, either way.

    zoom: share more or less of the picture; rotation: degrees; shift: share of width and height;
    shear: share of the height by which top and bottom slide apart; brightness: added to normalised
    pixels; contrast: share by which they are multiplied; flip: mirrored half the time.
    """

    zoom: float = 0.0
    rotation: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    flip: bool = False


def straight_view(degrees: float = 0.0, mirrored: bool = False) -> Tensor:
    """Return the view (2, 3) of the middle of a picture, turned, left and right swapped."""
    angle = torch.deg2rad(torch.tensor([degrees]))
    mirror = torch.tensor([-1.0 if mirrored else 1.0])
    zero = torch.zeros(1)
    return _views(torch.tensor([VIEW]), angle, zero, mirror, torch.zeros(1, 2))[0]


def _views(zoom: Tensor, angle: Tensor, shear: Tensor, mirror: Tensor, shift: Tensor) -> Tensor:
    """Return views (B, 2, 3) that mirror, then slant, turn (radians), zoom and shift what is seen.

    That is the order for places in the view; a thing in the picture meets them the other way round.
    """
    matrix = torch.empty(len(zoom), 2, 3)
    cos, sin = torch.cos(angle), torch.sin(angle)
    matrix[:, 0, 0] = zoom * cos * mirror
    matrix[:, 0, 1] = zoom * (cos * shear - sin)
    matrix[:, 1, 0] = zoom * sin * mirror
    matrix[:, 1, 1] = zoom * (sin * shear + cos)
    matrix[:, :, 2] = shift
    return matrix


def random_views(ranges: Augmentation, degrees: Tensor, generator: torch.Generator) -> Tensor:
    """Return random views (B, 2, 3); `degrees` (B,) are the most that each one may be turned.

    With a zoom of 0.2 a view shows 0.8 to 1.2 times what the straight one does.
    """
    batch = len(degrees)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(batch, generator=generator)

    zoom = VIEW * (1 + uniform(-ranges.zoom, ranges.zoom))
    angle = torch.deg2rad(degrees * uniform(-1, 1))
    flipped = torch.rand(batch, generator=generator) < 0.5
    mirror = torch.where(flipped & torch.tensor(ranges.flip), -1.0, 1.0)
    # In units of half a picture, as all coordinates are.
    shift = torch.stack([uniform(-2, 2) * ranges.shift, uniform(-2, 2) * ranges.shift], dim=1)
    return _views(zoom, angle, uniform(-ranges.shear, ranges.shear), mirror, shift)


def random_light(batch: int, ranges: Augmentation, generator: torch.Generator) -> Tensor:
    """Return (B, 2): factor and offset for normalised pixels of each clip."""
    random = 2 * torch.rand(batch, 2, generator=generator) - 1  # (B, 2)
    return torch.stack(
        [1 + ranges.contrast * random[:, 0], ranges.brightness * random[:, 1]], dim=1
    )


def warp(frames: Pixels, view: Tensor, size: int) -> Pixels:
    """Return the view of each frame, bilinear, borders repeated: (T, size, size, C).

    frames: uint8 or float32 (T, H, W, C). OpenCV is three times as fast as torch's grid_sample.
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
    out: Pixels = np.empty((len(frames), size, size, frames.shape[3]), frames.dtype)
    for source, target in zip(frames, out, strict=True):
        cv2.warpAffine(
            source, matrix, (size, size), dst=target, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
    return out


AUGMENTATIONS = {
    "none": Augmentation(),
    "light": Augmentation(
        zoom=1 / 6, rotation=8, shift=0.075, brightness=0.2, contrast=0.2, flip=True
    ),
    # Geometry and edges, filled with the nearest pixel, as the article tells its image generator.
    "strong": Augmentation(
        zoom=0.2, rotation=40, shift=0.2, shear=0.2, brightness=0.2, contrast=0.2, flip=True
    ),
}
