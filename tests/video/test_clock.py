"""Times out of time stamps."""

import math
from itertools import pairwise

import pytest

from vidgru.video.clock import Clock, sane


def times(
    stamps: list[float | None], period: float = 0.04, *, joined: bool = False
) -> tuple[list[float], int]:
    clock = Clock(period, joined=joined)
    given = []
    for stamp, after in zip(stamps, [*stamps[1:], None], strict=True):
        given.append(clock.time(stamp) if clock.plain(stamp) else clock.time(stamp, after))
    assert all(b > a for a, b in pairwise(given))
    return given, clock.jumps


def even(count: int, start: float = 0.0, period: float = 0.04) -> list[float]:
    return [start + number * period for number in range(count)]


def test_good_stamps_are_the_times_since_the_first() -> None:
    assert times(even(20, 1.44))[0] == pytest.approx(even(20))
    assert times([5.0, 5.1, 5.7, 6.0])[0] == pytest.approx([0, 0.1, 0.7, 1.0])


@pytest.mark.parametrize("bad", [30.0, -30.0, 1e6, 0.16, 0.0, None], ids=str)
@pytest.mark.parametrize("joined", [False, True])
def test_one_bad_stamp_moves_nothing_after_it(bad: float | None, joined: bool) -> None:
    stamps: list[float | None] = list(even(20))
    stamps[5] = bad if bad is None or bad in (0.16, 0.0) else stamps[5] + bad  # type: ignore[operator]
    assert times(stamps, joined=joined) == (pytest.approx(even(20)), 0)


def test_many_bad_stamps_one_by_one() -> None:
    stamps = [t + (30 if n % 4 == 2 else 0) for n, t in enumerate(even(40))]
    assert times(stamps) == (pytest.approx(even(40)), 0)


def test_stamps_of_a_coarse_clock_are_spread() -> None:
    # 2000 frames/s, whole milliseconds
    given, jumps = times([n // 2 / 1000 for n in range(60)], 0.0005)
    assert jumps == 0
    assert given == pytest.approx(even(60, period=0.0005), abs=3e-4)


def test_no_stamps_at_all() -> None:
    assert times([None] * 9)[0] == pytest.approx(even(9))
    assert times([0.0] * 9)[0] == pytest.approx(even(9))


def test_the_last_frames_without_stamps() -> None:
    # What OpenCV gives for an AVI file with reordered frames.
    assert times([*even(9, 0.08), 0.0, 0.0]) == (pytest.approx(even(11)), 0)


@pytest.mark.parametrize("gap", [3.0, 6.0, 60.0, 500.0])
def test_a_pause_is_real(gap: float) -> None:
    stamps = [*even(20), *even(20, 0.76 + gap)]
    assert times(stamps) == (pytest.approx(stamps), 0)


def test_a_short_pause_is_real_in_a_stream_too() -> None:
    stamps = [*even(20), *even(20, 0.76 + 4)]
    assert times(stamps, joined=True) == (pytest.approx(stamps), 0)


@pytest.mark.parametrize("gap", [6.0, 60.0, 40_000.0, -0.76, -2000.0])
def test_a_jump_of_a_joined_clock_takes_one_frame(gap: float) -> None:
    stamps = [*even(20, 100), *even(20, 100.76 + gap)]
    assert times(stamps, joined=True) == (pytest.approx(even(40), abs=0.04), 1)


@pytest.mark.parametrize("gap", [40_000.0, -50.0])
def test_a_jump_of_any_clock(gap: float) -> None:
    stamps = [*even(20, 100), *even(20, 100.76 + gap)]
    assert times(stamps) == (pytest.approx(even(40)), 1)


def test_three_recordings() -> None:
    stamps = [*even(50), *even(50, 90), *even(50)]
    assert times(stamps, joined=True) == (pytest.approx(even(150)), 2)


@pytest.mark.parametrize("joined", [False, True])
def test_slow_films_have_no_jumps(joined: bool) -> None:
    stamps = even(10, period=300.0)
    assert times(stamps, 300.0, joined=joined) == (pytest.approx(stamps), 0)


def test_a_film_slower_than_it_says() -> None:
    stamps = even(10, period=300.0)
    assert times(stamps, 0.04) == (pytest.approx(stamps), 0)


def test_what_is_no_stamp() -> None:
    assert [sane(stamp) for stamp in (1.5, None, math.nan, math.inf, -1e14)] == [1.5] + [None] * 4
