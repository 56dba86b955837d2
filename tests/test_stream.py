"""Streams: one frame after another, in constant memory, to the same answers as whole clips."""

from itertools import pairwise
from pathlib import Path

import pytest
from helpers import moving_squares

from vidgru import TrainResult, load


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return moving_squares(tmp_path / "long.avi", 2, 5, count=60)


def test_a_stream_says_of_whole_windows_what_a_clip_says(trained: TrainResult, video: Path) -> None:
    model = load(trained.run)
    fps, span = model.spec.fps, model.spec.frames / model.spec.fps
    every = model.predict(video).windows
    windows = {round(w.end, 6): w for w in every if w.end - w.start == pytest.approx(span)}
    moments = list(model.stream(video))
    assert len(moments) == 60 * fps / 10
    assert [moment.time for moment in moments] == pytest.approx([k / fps for k in range(60)])
    compared = 0
    for moment in moments:
        window = windows.get(round(moment.time + 1 / fps, 6))
        if window is not None and moment.seconds == pytest.approx(span):
            compared += 1
            assert moment.probabilities == pytest.approx(window.probabilities, abs=1e-6)
    assert compared == len(windows) >= 10
    assert all(b.seconds <= span for b in moments)
    # It never knows less than half a window, once it has seen that much.
    assert min(m.seconds for m in moments[model.spec.frames // 2 :]) >= span / 2


def test_a_stream_answers_before_it_reads_on(trained: TrainResult, video: Path) -> None:
    model = load(trained.run)
    whole = list(model.stream(video))
    some = model.stream(video)
    first = [next(some) for _ in range(20)]
    assert first == whole[:20]
    assert all(a.time < b.time for a, b in pairwise(whole))
