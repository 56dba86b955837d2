import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from vidgru.video import sample
from vidgru.video.info import VideoInfo
from vidgru.video.read import Image, Video
from vidgru.video.sample import read_ahead, sample_frames, sample_indices


class FakeVideo(Video):
    """Frames at given times; the pixels of frame i are all i."""

    def __init__(self, times: list[float], fps: float) -> None:
        super().__init__("fake", fps)
        self.times = times
        self.retrieved: list[int] = []

    @property
    def seconds(self) -> float | None:
        return self.times[-1]

    def grab(self) -> float | None:
        if self.frames_read == 3:
            self.warnings.append("a scratch")
        if self.frames_read == len(self.times):
            return None
        self.frames_read += 1
        return self.times[self.frames_read - 1]

    def _bgr(self) -> Image:
        self.retrieved.append(self.frames_read - 1)
        return np.full((2, 4, 3), self.frames_read - 1, np.uint8)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[FakeVideo]:
    """Let sources be lists of times; collect the videos opened."""
    opened: list[FakeVideo] = []

    @contextmanager
    def open_fake(times: list[float]) -> Iterator[FakeVideo]:
        fps = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 25.0
        opened.append(FakeVideo(times, fps))
        yield opened[-1]

    monkeypatch.setattr(sample, "open_video", open_fake)
    return opened


def times_at(fps: float, count: int) -> list[float]:
    return [index / fps for index in range(count)]


def test_a_sample_is_the_latest_frame_shown_by_then() -> None:
    assert sample_indices([0.0, 0.1, 0.5, 0.6], 5) == [0, 1, 1, 3]
    assert sample_indices([0.0, 0.1, 0.5, 0.6], 10) == [0, 1, 1, 1, 1, 2, 3]


def test_same_rate_takes_every_frame_once_though_times_are_rounded() -> None:
    for fps in (23.976, 24, 25, 29.97, 30, 60):
        rounded = [round(time, 3) for time in times_at(fps, 200)]
        assert sample_indices(rounded, fps) == list(range(200))
        assert sample_indices(rounded, fps / 3) == list(range(0, 200, 3))


def test_a_higher_rate_repeats_frames() -> None:
    assert sample_indices(times_at(10, 3), 20) == [0, 0, 1, 1, 2, 2]


def test_the_last_frame_lasts_as_long_as_the_one_before_or_until_the_duration() -> None:
    assert sample_indices([0.0, 0.4], 10) == [0] * 4 + [1] * 4
    assert sample_indices([0.0, 0.4], 10, duration=0.6) == [0] * 4 + [1] * 2
    assert sample_indices([0.0], 10) == [0]
    assert sample_indices([], 10) == []


def test_start_and_end_bound_the_samples() -> None:
    times = times_at(10, 20)
    assert sample_indices(times, 5, start=0.5, end=1.1) == [5, 7, 9]
    assert sample_indices(times, 5, end=0.4) == [0, 2]
    assert sample_indices(times, 5, start=2.0) == []
    assert sample_indices(times, 5, end=99) == list(range(0, 20, 2))


@pytest.mark.parametrize("seed", range(60))
def test_one_pass_takes_the_frames_that_the_arithmetic_says(
    passes: list[FakeVideo], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    gaps = rng.choice([0.01, 0.033, 0.034, 0.04, 0.2, 1.0], int(rng.integers(1, 40)))
    times = [0.0, *(float(time) for time in np.round(np.cumsum(gaps), 3))][: len(gaps)]
    fps = float(rng.choice([0.7, 5, 10, 15, 30, 100]))
    start = float(rng.choice([0.0, 0.05, 0.5]))
    end = None if rng.random() < 0.5 else float(rng.choice([0.2, 1.0, 3.0]))

    taken = list(sample_frames(times, fps, start=start, end=end))  # type: ignore[arg-type]

    indices = sample_indices(times, fps, start=start, end=end)
    assert [frame.index for frame in taken] == indices
    assert [frame.rgb[0, 0, 0] for frame in taken] == indices
    assert [frame.time for frame in taken] == [start + k / fps for k in range(len(indices))]


@pytest.mark.parametrize("digits", [3, 9])
def test_at_a_constant_rate_only_wanted_pixels_are_fetched(
    passes: list[FakeVideo], digits: int
) -> None:
    times = [round(time, digits) for time in times_at(30, 61)]
    taken = list(sample_frames(times, 5))  # type: ignore[arg-type]
    wanted = list(range(0, 61, 6))
    assert [frame.index for frame in taken] == wanted
    assert len(passes) == 1
    fetched = passes[0].retrieved
    # Rounded times leave a doubt about the neighbour; more than that would be waste.
    assert fetched == wanted if digits == 9 else len(fetched) <= 2 * len(wanted)


def test_a_sudden_pause_is_read_anew_once_and_nothing_is_given_twice(
    passes: list[FakeVideo],
) -> None:
    times = [*times_at(30, 32), 9.0, 9.1, 20.0]
    taken = list(sample_frames(times, 2))  # type: ignore[arg-type]
    assert [frame.index for frame in taken] == sample_indices(times, 2)
    assert len(passes) == 2
    assert passes[1].retrieved == list(range(len(times)))


def test_a_changing_rate_is_learned_from_the_longest_gap(passes: list[FakeVideo]) -> None:
    times = [round(0.04 * index + 0.02 * (index % 2), 3) for index in range(80)]
    list(sample_frames(times, 7))  # type: ignore[arg-type]
    assert len(passes) == 1


def test_samples_come_as_soon_as_the_next_frame_is_there(passes: list[FakeVideo]) -> None:
    samples = sample_frames(times_at(10, 100), 10)  # type: ignore[arg-type]
    next(samples)
    assert passes[0].frames_read == 2


def test_size_and_warnings_are_passed_on(passes: list[FakeVideo]) -> None:
    said: list[VideoInfo] = []
    times = times_at(10, 9)
    taken = list(sample_frames(times, 10, size=(6, 5), end=0.6, report=said.append))  # type: ignore[arg-type]
    assert taken[0].rgb.shape == (5, 6, 3)
    assert [info.warnings for info in said] == [("a scratch",)]
    taken = list(sample_frames(times, 10, size=8))  # type: ignore[arg-type]
    assert taken[0].rgb.shape == (4, 8, 3)


def test_a_real_clip(clip: Path, frames: Image) -> None:
    taken = list(sample_frames(clip, 5))
    assert [frame.index for frame in taken] == list(range(0, 20, 2))
    assert all((frame.rgb == frames[frame.index]).all() for frame in taken)


def test_reading_ahead_keeps_order_bounds_and_errors() -> None:
    begun, threads = 0, set(threading.enumerate())

    def numbers(last: int) -> Iterator[int]:
        nonlocal begun
        for number in range(last):
            begun = number
            yield number
        raise ValueError("the end")

    read = read_ahead(numbers(100), 8)
    assert next(read) == list(range(8))
    assert next(read) == list(range(8, 16))
    read.close()
    # Never more than the next chunk is read, and nothing goes on after the end.
    assert begun < 24
    read = read_ahead(numbers(20), 8)
    assert [next(read), next(read)] == [list(range(8)), list(range(8, 16))]
    with pytest.raises(ValueError, match="the end"):
        next(read)
    for thread in set(threading.enumerate()) - threads:
        thread.join(60)
        assert not thread.is_alive()
