"""Cuts between shots are marked, and nothing else is."""

from collections.abc import Iterator

import numpy as np

from vidgru.video.cuts import mark_cuts
from vidgru.video.read import Frame


def marked(pictures: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> list[int]:
    frames = (Frame(rgb, n / 10, n) for n, rgb in enumerate(pictures))
    found = list(mark_cuts(frames))
    assert [frame.index for frame, _ in found] == list(range(len(pictures)))
    return [frame.index for frame, new in found if new]


def shots(lengths: list[int], jitter: int = 3) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rng = np.random.default_rng(0)
    parts = []
    for length in lengths:
        scene = rng.integers(20, 230, (1, 12, 12, 3))
        parts.append(scene + rng.integers(-jitter, jitter + 1, (length, 12, 12, 3)))
    return np.concatenate(parts).astype(np.uint8)


def test_cuts_are_marked_and_nothing_else() -> None:
    assert marked(shots([20, 30, 25])) == [0, 20, 50]
    assert marked(shots([1])) == [0]
    assert marked(shots([60], jitter=15)) == [0]
    flash = shots([40])
    flash[20] = 255
    assert marked(flash) == [0]
    fade = shots([40]) * np.linspace(1, 0, 40)[:, None, None, None]
    assert marked(fade.astype(np.uint8)) == [0]
    # Held frames, as of a source slower than the sampling, are no stillness.
    slow = shots([20], jitter=20).repeat(3, axis=0)
    assert marked(slow) == [0]


def test_cuts_that_follow_at_once_are_none() -> None:
    assert marked(shots([20, 4, 20])) == [0]
    assert marked(shots([20, 9, 20])) == [0, 20, 29]


def test_frames_are_held_back_for_a_moment_only() -> None:
    given_out = 0

    def frames() -> Iterator[Frame]:
        for n, rgb in enumerate(shots([40])):
            assert n - given_out <= 9
            yield Frame(rgb, n / 10, n)

    for _ in mark_cuts(frames()):
        given_out += 1
