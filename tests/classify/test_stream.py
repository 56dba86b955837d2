"""Streams: one frame after another, in constant memory, to the same answers as whole clips."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import moving_squares

from vidgru import TrainResult, load, train
from vidgru.nn.choices import CORES
from vidgru.tasks.classify.sliding import RunningWindows, SlidingWindows


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


NETWORKS: list[dict[str, Any]] = [
    *({"core": core} for core in CORES),
    {"core": "convgru", "size": 36},
    {"core": "gated", "gated_update": "printed"},
    {"input": "diff"},
    {"input": "rgb"},
    *({"core": core, "encoder": "rows"} for core in CORES if core != "convgru"),
]


@pytest.mark.parametrize(
    "options", NETWORKS, ids=lambda options: "-".join(map(str, options.values()))
)
def test_hundreds_of_steps_equal_the_whole_clip(
    data: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    settings = {"epochs": 3, "size": 16, "batch_size": 4, "threads": 1, "augment": "none"}
    model = load(train(data, out=str(tmp_path / "run"), **{**settings, **options}).run)
    steps = 500 if options in ({"core": "gru"}, {"core": "gated"}) else 150
    video = moving_squares(tmp_path / "long.avi", 2, 5, count=steps)
    pixels = model.normalised([frame.rgb for frame in model._sampled(video)])
    assert len(pixels) == steps

    # As streams are driven: windows that start afresh.
    running = RunningWindows(model.network, 12)
    answers = [running.push(frame[None]) for frame in pixels]
    sliding = SlidingWindows(model.network, 12)
    complete = [window for window in sliding.push(pixels) if window.end - window.start == 12]
    assert len(complete) == (steps - 12) // sliding.stride + 1
    for window in complete:
        output, seen = answers[window.end - 1]
        assert seen == 12
        torch.testing.assert_close(output, window.output, rtol=0, atol=1e-5)

    # From one start. The gated cell's state has no bounds (after 500 frames it reaches 400), and
    # what rounding makes of the first frames grows with it: there, the equations are compared.
    network, bound = model.network, 1e-5
    if options.get("core") == "gated" and "encoder" not in options:
        network, pixels, bound = network.double(), pixels.double(), 1e-8
    state, outputs = None, []
    with torch.inference_mode():
        for frame in pixels:
            output, state = network.step(frame[None], state)
            outputs.append(output)
        whole = network(pixels[None])[0]
    assert torch.cat(outputs).std(0).min() > 1e-4  # they do tell frames apart
    torch.testing.assert_close(torch.cat(outputs), whole, rtol=0, atol=bound)
