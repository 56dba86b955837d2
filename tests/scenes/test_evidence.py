"""What pixels alone show of boundaries."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vidgru.tasks.scenes.evidence import FARTHEST, NEVER, evidence

CELLS = 144
AT = 30


def place(seed: int, light: float = 1.0) -> NDArray[np.float64]:
    """Return one picture (3, CELLS) of coloured patches."""
    return light * np.random.default_rng(seed).random((3, CELLS))


def found(frames: NDArray[np.float64], noise: float = 0.2) -> torch.Tensor:
    """Return the evidence (T, 2) of frames (T, 3, CELLS) from 0 to 1, with a little noise added."""
    grain = np.random.default_rng(9).normal(0, noise / 255, frames.shape)
    pictures = torch.from_numpy(frames + grain).float()
    return evidence(pictures.flatten(1)[None])[0]


def scenes(*parts: tuple[NDArray[np.float64], int]) -> NDArray[np.float64]:
    return np.concatenate([np.repeat(picture[None], count, 0) for picture, count in parts])


@pytest.mark.parametrize("light", [1.0, 0.05, 0.02])
def test_a_cut_stands_out_however_dark_it_is(light: float) -> None:
    shown = found(scenes((place(1, light), AT), (place(2, light), AT)))
    assert shown[AT, 0] >= 2
    assert shown[:, 0].count_nonzero() == 1
    assert not shown[:, 1].any()


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 8])
def test_a_flash_does_not(frames: int) -> None:
    bright = np.minimum(place(1) + 0.7, 1)
    shown = found(scenes((place(1), AT), (bright, frames), (place(1), AT)))
    assert not shown.any()


@pytest.mark.parametrize("light", [0.4, 1.3])
def test_where_a_light_is_switched_the_scene_goes_on(light: float) -> None:
    shown = found(scenes((0.7 * place(1), AT), (light * 0.7 * place(1), AT)))
    assert (shown[AT - 2 : AT + 3, 0] < NEVER / 2).all()
    assert shown[: AT - 2 - FARTHEST].count_nonzero() == 0
    # But not where another picture comes with it.
    assert found(scenes((place(1), AT), (light * place(2), AT)))[AT, 0] >= 2


@pytest.mark.parametrize("frames", [10, 12, 16, 25])
def test_a_dissolve_goes_straight_from_one_picture_to_another(frames: int) -> None:
    share = np.clip((np.arange(60) - AT) / frames, 0, 1)[:, None, None]
    shown = found(place(1) + share * (place(2) - place(1)))
    middle = AT + frames // 2
    assert shown[middle, 0] >= 1
    assert shown[middle - 1 : middle + 2, 1].min() >= 1
    assert not shown[:AT, 0].any()
    assert not shown[AT + frames :, 0].any()


def test_what_crosses_the_view_does_not() -> None:
    frames = scenes((place(1), 60))
    for frame in range(60):  # something of other colours, a quarter of the view wide
        first = int(np.clip((frame - 20) * 6, 0, CELLS))
        frames[frame, :, first : first + 36] = place(2)[:, first : first + 36]
    assert not found(frames).any()


def test_an_exposure_that_rises_is_no_dissolve() -> None:
    light = np.clip((np.arange(60) - AT) / 12, 0, 1)[:, None, None]
    shown = found(place(1) * (0.3 + 0.7 * light))
    assert (shown[AT : AT + 12, 0] < NEVER / 2).all()
    assert not shown[:, 1].any()


@pytest.mark.parametrize("back", [False, True])
def test_where_colour_goes_or_comes_the_scene_goes_on(back: bool) -> None:
    grey = np.repeat((np.array([0.299, 0.587, 0.114]) @ place(1))[None], 3, 0)
    pair = (grey, place(1)) if back else (place(1), grey)
    shown = found(scenes((pair[0], AT), (pair[1], AT)))
    assert (shown[AT - 2 : AT + 3, 0] < NEVER / 2).all()
    other = found(scenes((place(2), AT), (grey, AT)))
    assert other[AT, 0] >= 2


def test_it_depends_on_a_few_frames_only() -> None:
    rng = np.random.default_rng(3)
    frames = rng.random((80, 3, CELLS))
    other = frames.copy()
    other[40:] = rng.random((40, 3, CELLS))
    before, after = found(frames), found(other)
    assert torch.equal(before[: 40 - FARTHEST], after[: 40 - FARTHEST])
