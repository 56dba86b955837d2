"""From pixels to the network's input."""

import torch
from torch import Tensor

MEAN, STD = 0.45, 0.25
DIFFERENCE_GAIN = 2.0


def normalise(pixels: Tensor) -> Tensor:
    """Return (pixel / 255 - 0.45) / 0.25 as float (..., 3, H, W), for uint8 (..., H, W, 3)."""
    planes = pixels.movedim(-1, -3).float()
    return planes.mul_(1 / (255 * STD)).sub_(MEAN / STD)


def changes(clip: Tensor) -> Tensor:
    """Return (B, T, 2C, H, W): each frame's change since the one before, then the change before.

    clip: (B, T, C, H, W). Before its first frame a clip counts as unchanged. One change alone does
    not show which way an object of unknown brightness moves; two in a row do.
    """
    batch, steps, channels, height, width = clip.shape
    pixels = clip.movedim(2, -1)
    change = clip.new_zeros(batch, steps + 1, height, width, channels)
    change[:, 2:] = pixels[:, 1:]
    change[:, 2:] -= pixels[:, :-1]
    change[:, 2:] *= DIFFERENCE_GAIN
    # In the layout that convolutions read: to change it later takes as long as all of this.
    return torch.stack([change[:, 1:], change[:, :-1]], -2).flatten(-2).movedim(-1, 2)
