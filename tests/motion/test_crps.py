"""The energy score of predicted motion, against sums over many random vectors."""

import numpy as np
import pytest
import torch

from vidgru.tasks.motion.crps import mixed_crps


def crps(distance: torch.Tensor, spread: torch.Tensor) -> torch.Tensor:
    """Return the score of a mixture whose second part never happens."""
    spread = spread.expand_as(distance)
    far, spreads = torch.stack([distance, distance + 1]), torch.stack([spread, spread / 3])
    return mixed_crps(far, spreads, torch.ones_like(distance), torch.ones_like(distance))


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


@pytest.mark.parametrize(
    ("spreads", "apart", "chance"),
    [
        ((0.1, 0.5), 1.0, 0.3),
        ((1.0, 0.9), 0.1, 0.7),
        ((0.001, 0.6), 0.5, 0.5),
        ((2.0, 0.3), 0.0, 0.4),
        ((0.02, 0.03), 3.0, 0.9),  # further apart than is tabulated
        ((1e-5, 1.0), 2.0, 0.2),
    ],
)
def test_that_of_a_mixture(spreads: tuple[float, float], apart: float, chance: float) -> None:
    count = 400_000
    means, true = np.array([[0.0, 0.0], [0.0, apart]]), np.array([0.3, 0.4])

    def drawn(seed: int) -> np.ndarray:
        which = (np.random.default_rng(seed).random(count) >= chance).astype(int)
        half = np.array(spreads)[which] / 2
        return means[which] + half[:, None] * vectors(count, seed + 100)

    one, other = drawn(1), drawn(2)
    expected = np.linalg.norm(one - true, axis=1).mean()
    expected -= np.linalg.norm(one - other, axis=1).mean() / 2
    distances = torch.from_numpy(np.linalg.norm(means - true, axis=1))
    found = mixed_crps(distances, torch.tensor(spreads), torch.tensor(apart), torch.tensor(chance))
    assert float(found) == pytest.approx(expected, abs=0.004 * (apart + max(spreads)))


def test_a_mixture_of_one_is_that_one() -> None:
    distance, spread = torch.tensor([0.0, 0.4, 7.0, 90.0]), torch.tensor([0.3, 0.02, 1.0, 0.5])
    wanted = crps(distance, spread)
    same = mixed_crps(
        distance.expand(2, 4), spread.expand(2, 4), torch.zeros(4), torch.tensor([0, 0.3, 0.5, 1])
    )
    assert torch.allclose(same, wanted, rtol=1e-4)
