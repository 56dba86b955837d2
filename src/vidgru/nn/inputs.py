"""From stored frames to what the network sees."""

import torch
from torch import Tensor
from torch.nn import functional

MEAN, STD = 0.45, 0.25
DIFFERENCE_GAIN = 2.0
# Of the stored picture, this share of width and height is looked at when predicting: the middle
# of the range that training cuts out at random, so that both see shapes at the same scale.
VIEW = 0.9


def view_matrix(batch: int, zoom: float | Tensor = VIEW) -> Tensor:
    """Return affine matrices (B, 2, 3) that look straight at the middle `zoom` of a picture."""
    matrix = torch.zeros(batch, 2, 3)
    matrix[:, 0, 0] = matrix[:, 1, 1] = zoom
    return matrix


def look(frames: Tensor, matrix: Tensor, size: int) -> Tensor:
    """Cut float views out of stored frames, each clip's frames all the same way.

    frames: uint8 (B, T, H, W, 3); matrix: (B, 2, 3), output to input coordinates in [-1, 1] as in
    `affine_grid`. Returns normalised float32 (B, T, 3, size, size): (pixel / 255 - 0.45) / 0.25.
    """
    batch, steps, height, width, _ = frames.shape
    stacked = frames.permute(0, 1, 4, 2, 3).reshape(batch, steps * 3, height, width).float()
    grid = functional.affine_grid(
        matrix.to(stacked.device), [batch, 1, size, size], align_corners=False
    )
    cut = functional.grid_sample(
        stacked, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    cut = cut.mul_(1 / (255 * STD)).sub_(MEAN / STD)
    return cut.view(batch, steps, 3, size, size)


def changes(clip: Tensor) -> Tensor:
    """Return (B, T, 2C, H, W): each frame's change since the one before, then the change before.

    clip: (B, T, C, H, W). What lies before the clip counts as unchanged. One change alone does not
    tell which way a thing of unknown brightness moves; two in a row do.
    """
    change = torch.zeros_like(clip)
    change[:, 1:] = (clip[:, 1:] - clip[:, :-1]) * DIFFERENCE_GAIN
    before = torch.zeros_like(clip)
    before[:, 1:] = change[:, :-1]
    return torch.cat([change, before], dim=2)
