"""Motion fields: what the network's outputs mean, what it learns from, how good it is."""

from typing import NamedTuple

from torch import Tensor

from vidgru.motion import AHEAD

FIELDS = 1 + len(AHEAD)
SCALE = 0.2  # widths/s that the network calls 1: a usual speed
LEAST_SPREAD = 1e-3  # widths/s


class Told(NamedTuple):
    """Motion fields as a network tells them, in shares of the picture."""

    velocity: Tensor  # (..., FIELDS, grid, grid, 2), widths/s to the right and heights/s down
    spread: Tensor  # (..., FIELDS, grid, grid), mean length of the error in widths/s
    moving: Tensor  # (..., grid, grid), logit of the share of each cell that moves


def read_outputs(outputs: Tensor) -> Told:
    """Return what outputs (..., 3 FIELDS + 1, grid, grid) of `nn.motion` mean."""
    grid = outputs.shape[-2:]
    fields = outputs[..., : 3 * FIELDS, :, :].reshape(*outputs.shape[:-3], FIELDS, 3, *grid)
    velocity = SCALE * fields[..., :2, :, :].movedim(-3, -1)
    spread = SCALE * fields[..., 2, :, :].clamp(-8, 4).exp() + LEAST_SPREAD
    return Told(velocity, spread, outputs[..., 3 * FIELDS, :, :])


def choose_rate(fps: float, wanted: float) -> float:
    """Return the frames/s to sample a source of `fps` at: the whole part of it next to `wanted`.

    So frames lie evenly. A source that is slower than `wanted` is taken as it is.
    """
    return fps / max(1, round(fps / wanted))
