"""Random views of clips for training: every frame of a clip is changed the same way."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """Ranges: zoom factors, degrees, shift as a share of the view, brightness, contrast, flip."""

    zoom: tuple[float, float] = (0.75, 1.05)
    rotation: float = 8.0
    shift: float = 0.15
    brightness: float = 0.2
    contrast: float = 0.2
    flip: bool = False


def random_views(batch: int, ranges: Augmentation, generator: torch.Generator) -> Tensor:
    """Return matrices (B, 2, 3) for `nn.inputs.look`, output to input coordinates in [-1, 1].

    A zoom z looks at the share z of the picture's width and height; the shift is that share of the
    picture by which the view's middle is moved.
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
