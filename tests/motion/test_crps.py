"""The energy score of predicted motion, against sums over many random vectors."""

import numpy as np
import pytest
import torch

from vidgru.tasks.motion.crps import crps


def vectors(count: int, seed: int) -> np.ndarray:
    """Return vectors (count, 2) of the density exp(-|x| / h) / (2 pi h^2) for h = 1."""
    rng = np.random.default_rng(seed)
    radius, angle = rng.gamma(2.0, 1.0, count), rng.uniform(0, 2 * np.pi, count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)


@pytest.mark.parametrize("distance", [0.0, 0.3, 1.0, 2.5, 10.0, 39.99, 60.0, 1000.0])
@pytest.mark.parametrize("spread", [0.02, 2.0])
def test_it_is_the_energy_score(distance: float, spread: float) -> None:
    one, other = spread / 2 * vectors(400_000, 1), spread / 2 * vectors(400_000, 2)
    true = np.array([distance * spread / 2, 0.0])
    expected = np.linalg.norm(one - true, axis=1).mean()
    expected -= np.linalg.norm(one - other, axis=1).mean() / 2
    found = crps(torch.tensor(float(true[0])), torch.tensor(spread))
    assert float(found) == pytest.approx(expected, abs=0.005 * spread)


def test_without_spread_it_is_the_distance() -> None:
    distance = torch.tensor([0.0, 0.1, 3.0])
    assert torch.allclose(crps(distance, torch.full((3,), 1e-9)), distance.double(), atol=1e-8)


def test_the_true_spread_scores_best() -> None:
    distance = torch.from_numpy(np.linalg.norm(vectors(200_000, 3), axis=1))
    scores = [float(crps(distance, torch.tensor(2.0 * k)).mean()) for k in (0.5, 0.9, 1.0, 1.1, 2)]
    assert scores.index(min(scores)) == 2
