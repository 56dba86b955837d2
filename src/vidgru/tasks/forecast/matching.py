"""Where each part of a frame was in the frame before: a correlation layer without weights."""

import torch
from torch import Tensor
from torch.nn import functional

REACH = 3  # pixels at half size that are searched to each side
MATCHES = (2 * REACH + 1) ** 2
SHARPNESS = 8.0
NOISE = 1e-4  # mean squared difference of what counts as equal: 2.5 of 255 grey levels


@torch.no_grad()
def matches(before: Tensor, now: Tensor) -> Tensor:
    """Return by which displacement each cell probably came, float32 (N, MATCHES, S / 4, S / 4).

    before, now: frames (N, C, S, S), pixels from 0 to 1. Displacements are ordered as the pixels of
    a picture, from REACH up and left to REACH down and right. Probabilities are a softmax of mean
    squared differences relative to their mean over displacements. It is the correlation layer of
    Dosovitskiy et al. 2015 (section 3, eq. 1) with differences in place of products, since what is
    bright would match everything. No gradient passes.
    """
    # In float32, also where the network computes in bfloat16, which would round differences away.
    halves = [functional.avg_pool2d(one.float().mean(1, keepdim=True), 2) for one in (before, now)]
    side = halves[0].shape[-1]
    padded = functional.pad(halves[0], (REACH,) * 4, mode="replicate")
    starts = range(2 * REACH, -1, -1)
    moved = [padded[..., y : y + side, x : x + side] for y in starts for x in starts]
    squares = (torch.cat(moved, dim=1) - halves[1]).square()  # (N, MATCHES, S / 2, S / 2)
    apart = _windows(squares)
    return (-SHARPNESS * apart / (apart.mean(1, keepdim=True) + NOISE)).softmax(1)


def _windows(values: Tensor) -> Tensor:
    """Return means (..., h / 2, w / 2) of 6x6 windows, one every 2 pixels, with zeros outside.

    It is avg_pool2d(values, 6, 2, padding=2), five times as fast.
    """
    for _ in range(2):  # rows, then columns
        pairs = functional.pad(values[..., ::2, :] + values[..., 1::2, :], (0, 0, 1, 1))
        values = (pairs[..., :-2, :] + pairs[..., 1:-1, :] + pairs[..., 2:, :]).mT
    return values / 36


def displacements(probabilities: Tensor) -> Tensor:
    """Return the mean displacement of each cell to the right and down, in pixels (N, 2, h, w).

    probabilities: those of `matches` (N, MATCHES, h, w).
    """
    pixels = torch.arange(-REACH, REACH + 1, device=probabilities.device) * 2.0
    side = 2 * REACH + 1
    ways = torch.unflatten(probabilities, 1, (side, side))  # (N, down, right, h, w)
    each = [(ways.sum(axis) * pixels.view(-1, 1, 1)).sum(1) for axis in (1, 2)]
    return torch.stack(each, dim=1)
