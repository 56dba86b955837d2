"""The score of predicted motion as a distribution: CRPS, of vectors the energy score."""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NODES = 64  # of each integral
FAR, STEPS = 40.0, 2000  # distances that are tabulated, in halves of a spread

Numbers = NDArray[np.float64]


def crps(distance: Tensor, spread: Tensor) -> Tensor:
    """Return the energy score E|X - y| - E|X - X'| / 2 of predictions (...), in their units.

    Gneiting and Raftery 2007, eq. 22, which is CRPS for vectors. X and X' have the density
    exp(-|x - v| / h) / (2 pi h^2) around the predicted v, that the network is trained with;
    spread: its mean length 2 h, more than 0. distance: |v - y|. For a prediction without spread,
    such as that of a baseline, the score is the distance.
    """
    half = spread.double() / 2
    far = distance.double() / half
    at = far.clamp_max(FAR) * (STEPS / FAR)
    low = at.floor().clamp_max(STEPS - 1).long()
    table, between = _table()
    near = table[low] + (at - low) * (table[low + 1] - table[low])
    # Where X is small beside the distance: |x - y| to the second order, as E|x|^2 is 6 h^2.
    mean = torch.where(far > FAR, far + 1.5 / far.clamp_min(1), near)
    return half * (mean - between / 2)


@lru_cache(maxsize=1)
def _table() -> tuple[Tensor, float]:
    """Return E|X - y| for distances 0 ... FAR, and E|X - X'|, both for h = 1."""
    radii, weights = np.polynomial.laguerre.laggauss(NODES)
    weights = weights * radii  # of |X|, whose density is r exp(-r)
    means = _means(np.linspace(0, FAR, STEPS + 1), radii, weights)
    return torch.from_numpy(means), float(weights @ _means(radii, radii, weights))


def _means(distances: Numbers, radii: Numbers, weights: Numbers) -> Numbers:
    """Return the mean distance of points at some distances from X on circles of some radii."""
    angles = (np.arange(NODES) + 0.5) * (np.pi / NODES)
    found = np.zeros(len(distances))
    for angle in angles:
        square = distances[:, None] ** 2 + radii**2 - 2 * np.cos(angle) * distances[:, None] * radii
        found += np.sqrt(np.maximum(square, 0)) @ weights
    return found / NODES
