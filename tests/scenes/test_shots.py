"""Shots, and how they are joined."""

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scene_shots import cut, gradual, shot, window

from vidgru.tasks.scenes.results import KINDS
from vidgru.tasks.scenes.shots import boundaries_of, joined, shots_of

Frames = NDArray[np.uint8]


def test_shots_lie_between_cuts() -> None:
    parts = [shot(1, 20), shot(2, 30), shot(3, 9)]
    segments = [np.concatenate(parts), shot(4, 20), shot(5, 7)]
    found = shots_of(segments)
    assert [len(one) for one in found] == [20, 30, 9, 20]
    for one, wanted in zip(found, [*parts, segments[1]], strict=True):
        assert np.array_equal(one, wanted)


def test_clips_joined_by_cuts() -> None:
    clips = [shot(1, 9), shot(2, 12), shot(3, 8)]
    frames = np.stack(list(joined(clips, 0)))
    assert np.array_equal(frames, np.concatenate(clips))
    assert boundaries_of([9, 12, 8], 0) == [cut(9), cut(21)]


def test_clips_joined_by_dissolves() -> None:
    clips = [shot(1, 20), shot(2, 15), shot(3, 18)]
    frames = np.stack(list(joined(clips, 4)))
    assert boundaries_of([20, 15, 18], 4) == [gradual(16, 20), gradual(27, 31)]
    wanted = np.zeros((45, 32, 32, 3))
    for start, clip in zip((0, 16, 27), clips, strict=True):
        weights = np.ones(len(clip))
        if start:
            weights[:4] = np.arange(1, 5) / 5
        if start < 27:
            weights[-4:] = np.arange(4, 0, -1) / 5
        wanted[start : start + len(clip)] += weights[:, None, None, None] * clip
    assert frames.shape == wanted.shape
    assert np.abs(frames - wanted).max() <= 0.51


def test_joined_clips_are_read_one_by_one() -> None:
    """Of a thousand clips, those that come later are not touched before their time."""

    class Touchy(list[Frames]):
        def __getitem__(self, item: Any) -> Any:
            raise AssertionError(item)

    late: Any = Touchy(shot(3, 10))
    frames = joined([shot(1, 10), shot(2, 10), late], 0)
    assert len(list(itertools.islice(frames, 20))) == 20
    with pytest.raises(AssertionError):
        next(frames)


@pytest.mark.parametrize("seed", range(12))
def test_windows_hold_their_boundaries(seed: int) -> None:
    made = window(seed)
    assert made.frames.shape == (96, 32, 32, 3)
    assert made.frames.dtype == np.uint8
    assert made.boundary.shape == made.inside.shape == made.kind.shape == (96,)
    assert {b.frame for b in made.boundaries} <= set(np.flatnonzero(made.boundary > 0.99).tolist())
    for boundary in made.boundaries:
        assert 0 <= boundary.frame < 96
        assert boundary.start <= boundary.frame <= boundary.end
        assert (boundary.start == boundary.end) == (boundary.kind == "cut")
        own = slice(max(boundary.start, 0), boundary.end)
        if boundary.kind != "cut":
            assert made.inside[own].all()
            assert (made.kind[own] == KINDS.index(boundary.kind)).all()
