"""Motion fields: the meaning of the network's outputs, and its targets."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from vidgru.tasks.motion.network import FIELDS, FIRST, SCALE
from vidgru.tasks.motion.results import AHEAD

MIN_SPREAD = 1e-3  # widths/s
SMOOTH = 1e-3  # widths/s: errors below it have little gradient
MOVING_WEIGHT = 0.5  # of the share that moves in the loss
SURE = 0.95  # of the error to expect if nothing moved
PLACES = 9  # between what may happen, of which one is predicted
SLACK = 1e-6  # frames: rounding error of times


class MotionPrediction(NamedTuple):
    """Motion fields as a network predicts them, in shares of the picture.

    Of each cell two things may happen: exp(-|e| / h) / (2 pi h^2) around two means, each with
    a spread of 2 h, the mean length of e. Lengths in heights count as lengths in widths.
    """

    velocity: Tensor  # (..., FIELDS, grid, grid, 2), widths/s to the right and heights/s down
    spread: Tensor  # (..., FIELDS, grid, grid), mean length of the error in widths/s
    moving: Tensor  # (..., grid, grid), logit of the share of each cell that moves
    means: Tensor  # (..., 2, FIELDS, grid, grid, 2)
    spreads: Tensor  # (..., 2, FIELDS, grid, grid)
    odds: Tensor  # (..., FIELDS, grid, grid), log odds of the first

    def expected_error(self, velocity: Tensor) -> Tensor:
        """Return the mean distance of what may happen from a velocity like that of this one."""
        apart = (self.means - velocity.unsqueeze(-5)).norm(dim=-1)
        return _mean_distance(self.odds.sigmoid(), self.spreads.unbind(-4), apart.unbind(-4))


def is_sure(predicted: MotionPrediction) -> Tensor:
    """Return bool (..., FIELDS, grid, grid): where a prediction is better than no motion.

    By its own distribution: its expected error is at most `SURE` of that of no motion.
    """
    still = predicted.expected_error(torch.zeros_like(predicted.velocity))
    return predicted.spread <= SURE * still


def read_outputs(outputs: Tensor) -> MotionPrediction:
    """Return the meaning of outputs (..., OUTPUTS, grid, grid)."""
    lead, grid = outputs.shape[:-3], outputs.shape[-2:]
    first, moving, other, odds = torch.split(outputs, [FIRST, 1, FIRST, FIELDS], dim=-3)
    fields = torch.stack([first, other], dim=-4).reshape(*lead, 2, FIELDS, 3, *grid)
    means = SCALE * fields[..., :2, :, :].movedim(-3, -1)
    spreads = SCALE * fields[..., 2, :, :].clamp(-8, 4).exp() + MIN_SPREAD
    velocity, spread = _between(means, spreads, odds)
    return MotionPrediction(velocity, spread, moving[..., 0, :, :], means, spreads, odds)


def _between(means: Tensor, spreads: Tensor, odds: Tensor) -> tuple[Tensor, Tensor]:
    """Return the velocity between the two means with the least expected error, and that error."""
    first, way = means[..., 0, :, :, :, :], means.diff(dim=-5)[..., 0, :, :, :, :]
    apart, chance, parts = way.norm(dim=-1), odds.sigmoid(), spreads.unbind(-4)
    shares = torch.linspace(0, 1, PLACES, device=odds.device)
    errors = torch.stack(
        [_mean_distance(chance, parts, (share * apart, (1 - share) * apart)) for share in shares]
    )
    least, at = errors.min(0)
    return first + shares[at][..., None] * way, least


def _mean_distance(chance: Tensor, spreads: Sequence[Tensor], apart: Sequence[Tensor]) -> Tensor:
    """Return the mean distance of a mixture of two from what lies apart from their means.

    That of a density of spread s from a point at a distance d is about sqrt(s^2 + d^2): exact for
    d = 0, and 1.6 % more at most.
    """
    first, other = ((s.square() + d.square()).sqrt() for s, d in zip(spreads, apart, strict=True))
    return chance * first + (1 - chance) * other


def known_times(lengths: Tensor, rate: Tensor, steps: int) -> Tensor:
    """Return bool (B, steps, FIELDS): whether a clip's fields are known at a time, and ahead.

    lengths: int64 (B,), number of known fields; rate (B,) in frames/s. A network cannot know the
    motion at its first frame, so that counts as unknown.
    """
    last = (lengths - 1).view(-1, 1, 1) + SLACK
    return (_times(rate, steps) <= last) & (torch.arange(steps).view(1, -1, 1) >= 1)


def targets(fields: Tensor, rate: Tensor, steps: int) -> Tensor:
    """Return (B, steps, FIELDS, grid, grid, C): fields at each time and ahead of it.

    fields: (B, N, grid, grid, C), frame by frame from the first of `steps` on; in between they are
    interpolated. Beyond the last frame its field is repeated; see `known_times`.
    """
    return at_times(fields, _times(rate, steps))


def at_times(fields: Tensor, times: Tensor) -> Tensor:
    """Return fields (B, ..., grid, grid, C) at times (B, ...), in frames and fractions of them.

    fields: (B, N, grid, grid, C).
    """
    times = times.clamp(0, fields.shape[1] - 1)
    low = (times + SLACK).floor().long()
    high = (low + 1).clamp(max=fields.shape[1] - 1)
    batch = torch.arange(len(fields)).view(-1, *[1] * (times.ndim - 1))
    part = (times - low).clamp_min(0).to(fields.dtype)[..., None, None, None]
    return fields[batch, low].lerp(fields[batch, high], part)


def _times(rate: Tensor, steps: int) -> Tensor:
    """Return float64 (B, steps, FIELDS): the times of targets, in frames and fractions of them."""
    ahead = torch.tensor((0.0, *AHEAD), dtype=torch.float64)
    return torch.arange(steps).view(1, -1, 1) + ahead * rate.double().view(-1, 1, 1)


def lengths_of(vectors: Tensor, aspect: Tensor | float, smooth: float = 0.0) -> Tensor:
    """Return the lengths (...) in widths of vectors (..., 2) in widths and heights.

    aspect: height for a width of one; `smooth` rounds the length off near zero.
    """
    across, down = vectors[..., 0], vectors[..., 1] * aspect
    return (across.square() + down.square() + smooth**2).sqrt()


def loss(
    predicted: MotionPrediction,
    target: Tensor,
    known: Tensor,
    aspect: Tensor,
    counts: tuple[Tensor, Tensor],
) -> Tensor:
    """Return the loss of fields against targets, mean over what is known.

    -log of the density of what may happen, a mixture of two (see `MotionPrediction`), up to a
    constant, weighted by the square root of the spread (Seitzer et al. 2022, eq. 5, with beta =
    1/4): unweighted, certain cells, such as static ones, have far more gradient than moving ones.
    And the binary cross-entropy of what moves.

    predicted: from outputs (B, T, ...); target: (B, T, FIELDS, grid, grid, 3), velocity and what
    moves; known: bool (B, T, FIELDS); aspect: (B,); counts: number of known fields in the whole
    batch, of which this may be a part: of all fields and of those now.
    """
    half = predicted.spreads / 2
    errors = lengths_of(
        predicted.means - target[:, :, None, ..., :2], aspect.view(-1, 1, 1, 1, 1, 1), SMOOTH
    )
    likely = -errors / half - 2 * (half / SCALE).log()  # (B, T, 2, FIELDS, grid, grid)
    odds = torch.stack([predicted.odds, -predicted.odds], dim=2)
    surprise = -(functional.logsigmoid(odds) + likely).logsumexp(2)
    weight = (predicted.spread.detach() / SCALE).sqrt()
    surprise = (weight * surprise).mean((-2, -1))  # (B, T, FIELDS)
    moving = functional.binary_cross_entropy_with_logits(
        predicted.moving, target[:, :, 0, ..., 2], reduction="none"
    ).mean((-2, -1))
    fields = torch.where(known, surprise, 0).sum() / counts[0].clamp_min(1)
    now = torch.where(known[..., 0], moving, 0).sum() / counts[1].clamp_min(1)
    return fields + MOVING_WEIGHT * now
