"""Arrows of motion on frames."""

import cv2
import numpy as np
import pytest
from helpers import noise
from hypothesis import given, settings
from hypothesis import strategies as st
from motion_fields import field
from numpy.typing import NDArray

from vidgru.tasks.motion.arrows import (
    LASTING,
    LATER,
    LONGEST,
    NOW,
    STILL,
    FieldOverlay,
    arrow_length,
)

SIZE = (640, 480)  # cells of 80 x 60


def grey(size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    return np.full((size[1], size[0], 3), 90, np.uint8)


def bare(size: tuple[int, int] = SIZE) -> FieldOverlay:
    """Return an overlay without its legend."""
    overlay = FieldOverlay(size)
    overlay.legend = None
    return overlay


def changed(drawn: NDArray[np.uint8], picture: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return x and y (N, 2) of pixels that differ."""
    return np.argwhere((drawn != picture).any(axis=2))[:, ::-1]


def colored(drawn: NDArray[np.uint8], color: tuple[int, int, int]) -> NDArray[np.intp]:
    return np.argwhere((drawn == color).all(axis=2))[:, ::-1]


@pytest.mark.parametrize(("index", "color"), [(0, NOW), (2, LATER)])
@pytest.mark.parametrize("way", [(1, 0), (-1, 0), (0, 1), (0, -1), (0.6, 0.8), (-0.8, 0.6)])
def test_an_arrow_goes_from_its_cell_the_way_the_field_says(
    way: tuple[float, float], index: int, color: tuple[int, int, int]
) -> None:
    speed = 100.0
    cells = {(index, 3, 5): (speed * way[0], speed * way[1])}
    drawn = bare().draw(grey(), field(cells=cells))
    points = colored(drawn, color)
    center = np.array([5.5 * 80, 3.5 * 60]) - 0.5
    along = (points - center) @ np.array(way)
    across = (points - center) @ np.array([-way[1], way[0]])
    # v m / (v + m), with v = 150 and m = 90 pixels.
    assert along.max() == pytest.approx(56.25, abs=2.5)
    assert along.min() == pytest.approx(0, abs=2)
    # The head is wide, and pointed at its end.
    wings = along[np.abs(across) > 0.7 * np.abs(across).max()]
    assert 35 < wings.min() <= wings.max() < 56.25 - 3
    assert np.abs(across[along > 54]).max() <= 2
    assert abs(across.mean()) < 0.5
    other = LATER if color == NOW else NOW
    assert len(colored(drawn, other)) == 0


def test_a_longer_arrow_is_faster_and_none_is_much_longer_than_its_cell() -> None:
    speeds = np.array([20.0, 100, 300, 1000, 1e5])
    tips = []
    for speed in speeds:
        drawn = bare().draw(grey(), field(cells={(0, 4, 2): (speed, 0)}))
        tips.append(colored(drawn, NOW)[:, 0].max() - (2.5 * 80 - 0.5))
    assert tips == sorted(set(tips))
    assert tips == pytest.approx(arrow_length(speeds, 60).tolist(), abs=2.5)
    assert arrow_length(np.array([1e-6]), 60)[0] == pytest.approx(LASTING * 1e-6)
    assert max(tips) <= LONGEST * 60


@given(st.floats(1e-3, 1e9), st.floats(1.001, 10), st.floats(0.1, 500))
def test_arrow_lengths_grow_with_the_speed(speed: float, times: float, side: float) -> None:
    shorter, longer = arrow_length(np.array([speed, speed * times]), side)
    assert 0 < shorter <= longer <= LONGEST * side
    if longer < 0.99 * LONGEST * side:
        assert shorter < longer


def test_the_prediction_is_bolder_and_lies_under_what_is_now() -> None:
    now = bare().draw(grey(), field(cells={(0, 3, 3): (200, 0)}))
    later = bare().draw(grey(), field(cells={(2, 3, 3): (200, 0)}))

    def thick(drawn: NDArray[np.uint8]) -> int:
        return int((drawn[:, round(3.5 * 80) + 10] != 90).any(axis=1).sum())

    assert thick(later) >= thick(now) + 3
    both = bare().draw(grey(), field(cells={(0, 3, 3): (200, 0), (2, 3, 3): (200, 0)}))
    middle = both[round(3.5 * 60) - 1, 300]
    assert tuple(middle) == NOW
    assert len(colored(both, LATER)) > 100


def test_only_the_requested_field_ahead_is_drawn() -> None:
    cells = {(index, 2, 2): (0.0, 300.0) for index in (1, 3)}
    assert np.array_equal(bare().draw(grey(), field(cells=cells)), grey())
    overlay = FieldOverlay(SIZE, ahead=3)
    assert overlay.legend is not None
    assert overlay.legend.light.shape != FieldOverlay(SIZE, ahead=1).legend.light.shape  # type: ignore[union-attr]
    overlay.legend = None
    assert len(colored(overlay.draw(grey(), field(cells=cells)), LATER)) > 50


def test_what_is_still_or_unsure_has_no_arrow() -> None:
    least = STILL * SIZE[0]
    plain = grey()
    for speed, spread, seen in (
        (0.0, 0.0, False),
        (0.99 * least, 0.0, False),
        (1.01 * least, 0.0, True),
        (100.0, 101.0, False),
        (100.0, 99.0, True),
        (np.nan, 0.0, False),
        (np.inf, 0.0, False),
    ):
        for index in (0, 2):
            drawn = bare().draw(plain, field(cells={(index, 1, 1): (0.0, speed)}, spread=spread))
            assert np.array_equal(drawn, plain) != seen, (speed, spread, index)
    assert np.array_equal(plain, grey())


def test_around_arrows_legend_and_band_nothing_is_touched() -> None:
    picture = noise(1, SIZE[1], SIZE[0])[0]
    overlay = FieldOverlay(SIZE)
    drawn = overlay.draw(picture, field(cells={(0, 3, 5): (100, 0), (2, 3, 5): (0, 100)}), "east")
    assert np.array_equal(picture, noise(1, SIZE[1], SIZE[0])[0])
    places = changed(drawn, picture)
    x, y = places[:, 0], places[:, 1]
    band = overlay.band
    assert overlay.legend is not None
    legend = (y >= SIZE[1] - band) & (x < overlay.legend.light.shape[1])
    arrows = (x > 425) & (x < 505) & (y > 195) & (y < 275)
    assert (legend | (y < band) | arrows).all()
    assert (y < band).sum() > 0.95 * band * SIZE[0]
    assert arrows.sum() > 300
    # Neither a field nor a text: only the legend is left.
    x, y = changed(overlay.draw(picture, None), picture).T
    assert (x < overlay.legend.light.shape[1]).all()
    assert (y >= SIZE[1] - band).all()


def test_arrows_show_on_any_ground() -> None:
    for level in (0, 90, 255):
        picture = np.full((480, 640, 3), level, np.uint8)
        for index in (0, 2):
            drawn = bare().draw(picture, field(cells={(index, 3, 3): (200, 0)}))
            luma = cv2.cvtColor(drawn, cv2.COLOR_RGB2GRAY)[180:240, 280:370].astype(int)
            assert luma.max() - luma.min() > 120, (level, index)


def test_the_legend_and_the_text_say_what_is_what() -> None:
    overlay = FieldOverlay(SIZE)
    drawn = overlay.draw(grey(), None, "one")
    legend = drawn[-overlay.band :, : overlay.legend.light.shape[1]]  # type: ignore[union-attr]
    assert len(colored(legend, LATER)) > 40
    assert len(colored(legend, NOW)) > 40
    other = overlay.draw(grey(), None, "other")
    assert not np.array_equal(drawn[: overlay.band], other[: overlay.band])
    assert np.array_equal(drawn[overlay.band :], other[overlay.band :])
    for number in range(20):
        overlay.draw(grey(), None, str(number))
    assert overlay._layer.cache_info().currsize <= 4


@pytest.mark.parametrize(
    ("size", "band", "legend"),
    [
        ((64, 48), 0, False),
        ((1, 1), 0, False),
        ((7, 300), 0, False),
        ((120, 240), 20, False),
        ((320, 568), 20, True),
        ((3840, 2160), 139, True),
    ],
)
def test_frames_of_any_size(size: tuple[int, int], band: int, legend: bool) -> None:
    overlay = FieldOverlay(size)
    assert (overlay.band, overlay.legend is not None) == (band, legend)
    everywhere = {
        (n, r, c): (size[0], -size[1]) for n in (0, 2) for r in range(8) for c in range(8)
    }
    drawn = overlay.draw(grey(size), field(cells=everywhere), "a text")
    assert drawn.shape == grey(size).shape
    assert len(changed(drawn, grey(size)))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.floats(-1e30, 1e30), st.floats(-1e30, 1e30))
def test_no_velocity_and_no_size_breaks_it(width: int, height: int, x: float, y: float) -> None:
    cells = {(n, r, 7 - r): (x, y) for n in (0, 2) for r in range(8)}
    drawn = FieldOverlay((width, height)).draw(grey((width, height)), field(cells=cells), "")
    assert drawn.shape == (height, width, 3)
