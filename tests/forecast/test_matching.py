"""Where each part of a frame was in the frame before."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vidgru.tasks.forecast.matching import MATCHES, NOISE, REACH, SHARPNESS, displacements, matches


def reference(before: NDArray[np.float64], now: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the same pixel by pixel, for one grey frame (S, S)."""
    half = before.shape[0] // 2
    small = [one.reshape(half, 2, half, 2).mean((1, 3)) for one in (before, now)]
    cells = half // 2
    found = np.zeros((MATCHES, cells, cells))
    for number in range(MATCHES):
        down, right = number // (2 * REACH + 1) - REACH, number % (2 * REACH + 1) - REACH
        for row in range(cells):
            for column in range(cells):
                total = 0.0
                for y in range(2 * row - 2, 2 * row + 4):
                    for x in range(2 * column - 2, 2 * column + 4):
                        if 0 <= y < half and 0 <= x < half:
                            came = small[0][
                                min(max(y - down, 0), half - 1), min(max(x - right, 0), half - 1)
                            ]
                            total += (came - small[1][y, x]) ** 2
                found[number, row, column] = total / 36
    found = np.exp(-SHARPNESS * found / (found.mean(0) + NOISE))
    result: NDArray[np.float64] = found / found.sum(0)
    return result


def test_it_is_the_softmax_of_differences() -> None:
    rng = np.random.default_rng(1)
    before, now = rng.random((2, 16, 16))
    found = matches(*(torch.from_numpy(one)[None, None] for one in (before, now)))
    assert found.dtype == torch.float32
    assert np.allclose(found[0].double().numpy(), reference(before, now), atol=1e-5)


@pytest.mark.parametrize("brightness", [1.0, 0.1])
@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, -4), (-6, 6), (6, 0)])
def test_what_moved_is_found_where_it_came_to(down: int, right: int, brightness: float) -> None:
    texture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * brightness
    found = matches(texture, texture.roll((down, right), (2, 3)))
    number = (down // 2 + REACH) * (2 * REACH + 1) + right // 2 + REACH
    assert (found[0, :, 3:-3, 3:-3].argmax(0) == number).all()


def test_a_displacement_is_the_mean_of_the_probable_ones() -> None:
    chances = torch.zeros(1, MATCHES, 2, 3)
    chances[0, 0] = 1  # up and left
    chances[0, :, 1, 2] = 0
    last, first = (2 * REACH + 1) ** 2 - 1, 2 * REACH  # down and right; up and right
    chances[0, last, 1, 2], chances[0, first, 1, 2] = 0.75, 0.25
    found = displacements(chances)
    assert found.shape == (1, 2, 2, 3)
    assert found[0, :, 0, 0].tolist() == [-6, -6]
    assert found[0, :, 1, 2].tolist() == [6, 3]


def test_a_plain_picture_tells_nothing() -> None:
    found = matches(torch.full((1, 1, 32, 32), 0.5), torch.full((1, 1, 32, 32), 0.5))
    assert torch.allclose(found, torch.tensor(1 / MATCHES))
    assert displacements(found).abs().max() < 1e-5
