"""Motion fields: what the network's outputs mean, and what it learns from."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from vidgru.tasks.motion.network import FIELDS, SCALE
from vidgru.tasks.motion.results import AHEAD

MIN_SPREAD = 1e-3  # widths/s
SMOOTH = 1e-3  # widths/s: errors below it hardly pull
MOVING_WEIGHT = 0.5  # of the share that moves in the loss
SLACK = 1e-6  # frames: what a time may be off by rounding


class MotionPrediction(NamedTuple):
    """Motion fields as a network tells them, in shares of the picture."""

    velocity: Tensor  # (..., FIELDS, grid, grid, 2), widths/s to the right and heights/s down
    spread: Tensor  # (..., FIELDS, grid, grid), mean length of the error in widths/s
    moving: Tensor  # (..., grid, grid), logit of the share of each cell that moves


def read_outputs(outputs: Tensor) -> MotionPrediction:
    """Return what outputs (..., 3 FIELDS + 1, grid, grid) of `nn.motion` mean."""
    grid = outputs.shape[-2:]
    fields = outputs[..., : 3 * FIELDS, :, :].reshape(*outputs.shape[:-3], FIELDS, 3, *grid)
    velocity = SCALE * fields[..., :2, :, :].movedim(-3, -1)
    spread = SCALE * fields[..., 2, :, :].clamp(-8, 4).exp() + MIN_SPREAD
    return MotionPrediction(velocity, spread, outputs[..., 3 * FIELDS, :, :])


def known_times(lengths: Tensor, rate: Tensor, steps: int) -> Tensor:
    """Return bool (B, steps, FIELDS): whether a clip's fields tell what is at a time, and ahead.

    lengths: int64 (B,), frames that fields are known of; rate (B,) in frames/s. A network knows of
    no motion at its first frame, so that nothing is asked there.
    """
    last = (lengths - 1).view(-1, 1, 1) + SLACK
    return (_times(rate, steps) <= last) & (torch.arange(steps).view(1, -1, 1) >= 1)


def targets(fields: Tensor, rate: Tensor, steps: int) -> Tensor:
    """Return (B, steps, FIELDS, grid, grid, C): fields at each time and ahead of it.

    fields: (B, N, grid, grid, C), frame by frame from the first of `steps` on; in between they are
    interpolated. What lies behind the last frame is like that; see `known_times`.
    """
    return at_times(fields, _times(rate, steps))


def at_times(fields: Tensor, times: Tensor) -> Tensor:
    """Return fields (B, ..., grid, grid, C) at times (B, ...), which are frames and parts of them.

    fields: (B, N, grid, grid, C).
    """
    times = times.clamp(0, fields.shape[1] - 1)
    low = (times + SLACK).floor().long()
    high = (low + 1).clamp(max=fields.shape[1] - 1)
    batch = torch.arange(len(fields)).view(-1, *[1] * (times.ndim - 1))
    part = (times - low).clamp_min(0).to(fields.dtype)[..., None, None, None]
    return fields[batch, low].lerp(fields[batch, high], part)


def _times(rate: Tensor, steps: int) -> Tensor:
    """Return float64 (B, steps, FIELDS): which frames are asked about, and parts of them."""
    ahead = torch.tensor((0.0, *AHEAD), dtype=torch.float64)
    return torch.arange(steps).view(1, -1, 1) + ahead * rate.double().view(-1, 1, 1)


def lengths_of(vectors: Tensor, aspect: Tensor | float, smooth: float = 0.0) -> Tensor:
    """Return the lengths (...) in widths of vectors (..., 2) in widths and heights.

    aspect: height for a width of one; `smooth` rounds the length off near zero.
    """
    across, down = vectors[..., 0], vectors[..., 1] * aspect
    return (across.square() + down.square() + smooth**2).sqrt()


def loss(
    predicted: MotionPrediction, target: Tensor, known: Tensor, aspect: Tensor, counts: tuple[Tensor, Tensor]
) -> Tensor:
    """Return how badly fields meet targets, mean over what is known.

    -log of the density exp(-|e| / s) / (2 pi s^2) of an error e, up to a constant, whose mean
    length is 2 s, the spread, weighted by the square root of that (Seitzer et al. 2022, eq. 5, with
    beta = 1/4): unweighted, what is sure, as what stands still is, pulls far more than what moves.
    And the binary cross-entropy of what moves.

    told: of outputs (B, T, ...); target: (B, T, FIELDS, grid, grid, 3), velocity and what moves;
    known: bool (B, T, FIELDS); aspect: (B,); counts: how much is known in the whole batch, of all
    fields and of those now, of which this may be a part.
    """
    half = predicted.spread / 2
    error = lengths_of(predicted.velocity - target[..., :2], aspect.view(-1, 1, 1, 1, 1), SMOOTH)
    weight = (predicted.spread.detach() / SCALE).sqrt()
    surprise = weight * (error / half + 2 * (half / SCALE).log())
    surprise = surprise.mean((-2, -1))  # (B, T, FIELDS)
    moving = functional.binary_cross_entropy_with_logits(
        predicted.moving, target[:, :, 0, ..., 2], reduction="none"
    ).mean((-2, -1))
    fields = torch.where(known, surprise, 0).sum() / counts[0].clamp_min(1)
    now = torch.where(known[..., 0], moving, 0).sum() / counts[1].clamp_min(1)
    return fields + MOVING_WEIGHT * now
