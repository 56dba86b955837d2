"""The score of predicted motion as a distribution: CRPS, of vectors the energy score."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NODES = 64  # of each integral
FAR, STEPS = 40.0, 2000  # distances that are tabulated, in halves of a spread
NARROW, RATIOS = 1e-3, 40  # tabulated ratios of two spreads: the least, and how many

Numbers = NDArray[np.float64]


def mixed_crps(distances: Tensor, spreads: Tensor, apart: Tensor, chance: Tensor) -> Tensor:
    """Return the energy score E|X - y| - E|X - X'| / 2 of predictions (...), in their units.

    Gneiting and Raftery 2007, eq. 22, which is CRPS for vectors. X and X' have a mixture of two
    densities exp(-|x - v| / h) / (2 pi h^2), each around its predicted v. distances: (2, ...), of y
    from each v; spreads: (2, ...), their mean lengths 2 h, more than 0; apart: (...), distance
    between the two v; chance: (...), that it is the first. For a prediction without spread, such as
    that of a baseline, the score is the distance.
    """
    chance = torch.stack([chance, 1 - chance]).double()
    half = spreads.double() / 2
    far = (chance * _distance(distances, half)).sum(0)
    alone = float(_table()[1][0, -1]) * half  # E|X - X'| of each by itself
    between = (chance.square() * alone).sum(0) + 2 * chance.prod(0) * _between(apart, half)
    return far - between / 2


def _distance(distance: Tensor, half: Tensor) -> Tensor:
    """Return E|X - y| of densities with half spreads."""
    far = distance.double() / half
    at = far.clamp_max(FAR) * (STEPS / FAR)
    low = at.floor().clamp_max(STEPS - 1).long()
    table = _table()[0]
    near = table[low] + (at - low) * (table[low + 1] - table[low])
    # Where X is small beside the distance: |x - y| to the second order, as E|x|^2 is 6 h^2.
    return half * torch.where(far > FAR, far + 1.5 / far.clamp_min(1), near)


def _between(apart: Tensor, half: Tensor) -> Tensor:
    """Return E|X - X'| of two densities whose means are apart; half: (2, ...)."""
    wide, narrow = half.amax(0), half.amin(0)
    ratio = (narrow / wide).clamp_min(NARROW)
    far = apart.double() / wide
    table = _table()[1]
    row = far.clamp_max(FAR) * (len(table) - 1) / FAR
    column = (1 - ratio.log() / np.log(NARROW)) * (RATIOS - 1)
    y, x = row.floor().clamp_max(len(table) - 2).long(), column.floor().clamp(0, RATIOS - 2).long()
    dy, dx = row - y, column - x
    upper = table[y, x].lerp(table[y, x + 1], dx)
    lower = table[y + 1, x].lerp(table[y + 1, x + 1], dx)
    beyond = far + 1.5 * (1 + ratio.square()) / far.clamp_min(1)
    return wide * torch.where(far > FAR, beyond, upper.lerp(lower, dy))


@lru_cache(maxsize=1)
def _table() -> tuple[Tensor, Tensor]:
    """Return E|X - y| for distances 0 ... FAR of y, and E|X - X'| for distances of the means.

    The spread of X is 2; that of X' falls from column to column, in the last it is 2, too.
    """
    radii, weighted = np.polynomial.laguerre.laggauss(NODES)
    weights: Numbers = weighted * radii  # of |X|, whose density is r exp(-r)
    means = _means(np.linspace(0, FAR, STEPS + 1), radii, weights)
    apart = np.linspace(0, FAR, STEPS // 10 + 1)
    columns = []
    for ratio in np.geomspace(NARROW, 1, RATIOS):
        found = np.zeros(len(apart))
        for angle in _angles():
            square = apart[:, None] ** 2 + (ratio * radii) ** 2
            square -= 2 * np.cos(angle) * apart[:, None] * ratio * radii
            far = np.sqrt(np.maximum(square, 0))
            near = np.interp(far, np.linspace(0, FAR, STEPS + 1), means)
            found += np.where(far > FAR, far + 1.5 / np.maximum(far, 1), near) @ weights
        columns.append(found / NODES)
    return torch.from_numpy(means), torch.from_numpy(np.stack(columns, axis=1))


def _angles() -> Numbers:
    return np.asarray((np.arange(NODES) + 0.5) * (np.pi / NODES), np.float64)


def _means(distances: Numbers, radii: Numbers, weights: Numbers) -> Numbers:
    """Return the mean distance of points at some distances from X on circles of some radii."""
    found = np.zeros(len(distances))
    for angle in _angles():
        square = distances[:, None] ** 2 + radii**2 - 2 * np.cos(angle) * distances[:, None] * radii
        found += np.sqrt(np.maximum(square, 0)) @ weights
    return found / NODES
