"""Learning to forecast frames: from folders to a model file."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import Done
from forecast_clips import ball
from helpers import noise, verbs_that_work, write_clip

from vidgru import evaluate
from vidgru.core.errors import OptionError
from vidgru.data.cache import Sampling
from vidgru.data.folder import Clip, read_videos
from vidgru.engine.initial_weights import InitialWeights
from vidgru.engine.model_file import load_checkpoint
from vidgru.tasks.forecast import task as forecast_task
from vidgru.tasks.forecast.model_file import load_forecast
from vidgru.tasks.forecast.options import ForecastTrainConfig
from vidgru.tasks.forecast.scores import ForecastTrainResult
from vidgru.tasks.forecast.spec import ForecastSpec, forecast_frames
from vidgru.tasks.forecast.task import TASK, is_grey
from vidgru.tasks.forecast.train_step import ForecastTrainStep
from vidgru.tasks.forecast.training import ForecastTrainer
from vidgru.tasks.registry import train_config

Vidgru = Callable[..., Done]
Run = ForecastTrainResult
SPEC = ForecastSpec("forecast", "convgru", 8, 10.0, 4, 3, 32, 3)
OPTIONS = ("--task", "forecast", "--size", 32, "--frames", 4, "--ahead", 3, "--batch-size", 4,
           "--threads", 1, "--epochs", 3)  # fmt: skip


def test_it_learns(learned: Run) -> None:
    scores = learned.validation
    assert scores.mean("model").mse < 0.8 * scores.mean("copy").mse
    with open(learned.run / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    assert float(rows[-1]["val_mse"]) < 0.8 * float(rows[0]["val_mse"])
    assert 1 <= learned.best_epoch <= 30 == learned.epochs


def test_the_run_folder(learned: Run) -> None:
    names = {path.name for path in learned.run.iterdir()}
    assert names == {
        "model.safetensors", "last.ckpt", "metrics.csv", "config.json", "split.csv", "curves.png"
    }  # fmt: skip
    spec = load_forecast(learned.run).spec
    assert spec == replace(SPEC, hidden=spec.hidden)
    settings = json.loads((learned.run / "config.json").read_text())
    assert (settings["task"], settings["chosen"]) == (
        "forecast", {"core": "convgru", "fps": 10.0, "frames": 4, "ahead": 3, "size": 32}
    )  # fmt: skip


def test_the_same_seed_gives_the_same_bits(films: Path, vidgru: Vidgru, tmp_path: Path) -> None:
    for name in "ab":
        done = vidgru("train", films, *OPTIONS, "--out", tmp_path / name, "--json", "--seed", 3)
        assert done.code == 0, done.err
        assert json.loads(done.out)["ahead"] == 3
    one, other = (load_forecast(tmp_path / name).network.state_dict() for name in "ab")
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    metrics = [(tmp_path / name / "metrics.csv").read_text().splitlines() for name in "ab"]
    cut = [[line.rpartition(",")[0] for line in lines] for lines in metrics]
    assert cut[0] == cut[1]


def test_resuming_gives_the_same_bits(
    films: Path, vidgru: Vidgru, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert vidgru("train", films, *OPTIONS, "--out", tmp_path / "whole").code == 0
    with monkeypatch.context() as patch:
        real, steps = ForecastTrainStep.step, []

        def step(self: ForecastTrainStep, done: float) -> float:
            steps.append(done)
            if len(steps) == 5:
                raise KeyboardInterrupt
            return real(self, done)

        patch.setattr(ForecastTrainStep, "step", step)
        done = vidgru("train", films, *OPTIONS, "--out", tmp_path / "parts")
    assert done.code == 130
    assert "Resume with: vidgru train --resume" in done.err
    assert vidgru("train", "--resume", tmp_path / "parts").code == 0
    one, other = (load_forecast(tmp_path / name) for name in ("whole", "parts"))
    for name, value in one.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name
    kept = [load_checkpoint(tmp_path / name / "last.ckpt") for name in ("whole", "parts")]
    assert torch.equal(kept[0]["generator"], kept[1]["generator"])


def test_a_table_and_what_to_type_next(
    films: Path, vidgru: Vidgru, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = vidgru("train", films, *OPTIONS, "--out", tmp_path / "run")
    assert done.code == 0
    assert "Error of 4 forecasts of validation clips (model / copy / linear)" in done.out
    assert "from 4 frames, the next 3, at 10 frames/s; 32x32 pixels; " in done.out
    assert verbs_that_work(done.out, vidgru) == ["evaluate", "forecast"]


@pytest.mark.parametrize(
    ("spot", "black", "grey"),
    [(0, False, True), (1, False, True), (4, False, False), (4, True, False)],
)
def test_a_spot_of_colour_is_colour(spot: int, black: bool, grey: bool) -> None:
    frames = noise(9, 32, 32)[..., :1].repeat(3, axis=-1)
    if black:
        frames[0] = 0
    frames[4, :spot, :spot] = (250, 20, 20)
    clip = Clip(Path("clip.avi"), "clip.avi", "")
    data = SimpleNamespace(parts={"train": [clip]}, frames={clip: frames[None]})
    assert is_grey(data) == grey  # type: ignore[arg-type]


def test_short_clips_among_long_ones_are_named(vidgru: Vidgru, tmp_path: Path) -> None:
    for number in range(6):
        ball(tmp_path / "films" / f"{number}.avi", number, 14)
    split = tmp_path / "split.csv"
    for number in (6, 7):
        ball(tmp_path / "films" / f"{number}.avi", number, 6)
    rows = [f"{number}.avi,{'val' if number in (0, 7) else 'train'}" for number in range(8)]
    split.write_text("path,split\n" + "\n".join(rows) + "\n")
    words = (*OPTIONS, "--split", split, "--out", tmp_path / "run", "--json")
    done = vidgru("train", tmp_path / "films", *words)
    assert done.code == 0, done.err
    wanted = "Clips left out: 1. They have fewer than the 7 frames of a window; the first is {}."
    assert wanted.format("6.avi") in done.err
    assert wanted.format("7.avi") in done.err
    found = json.loads(done.out)
    assert (found["train_clips"], found["validation"]["windows"]) == (5, 2)
    done = vidgru("evaluate", tmp_path / "films", "--model", tmp_path / "run", "--json")
    assert wanted.format("7.avi") in done.err
    assert json.loads(done.out)["clips"] == 1


def test_long_clips_count_for_more(learned: Run) -> None:
    runs = ForecastTrainer._runs(SimpleNamespace(spec=SPEC), np.arange(50))  # type: ignore[arg-type]
    assert [len(run) for run in runs] == [17, 17, 16]
    (short,) = ForecastTrainer._runs(SimpleNamespace(spec=SPEC), np.arange(9))  # type: ignore[arg-type]
    assert short.tolist() == list(range(9))


def test_seconds_are_those_of_the_clips(learned: Run, tmp_path: Path) -> None:
    frames = noise(7, 32, 32)
    write_clip(tmp_path / "slow" / "one.avi", frames, 8)
    result = evaluate(tmp_path / "slow", learned.run)
    seconds = [horizon.seconds for horizon in result.scores.horizons]  # type: ignore[union-attr]
    assert seconds == pytest.approx([1 / 8, 2 / 8, 3 / 8])


def test_grey_clips_make_a_grey_model(vidgru: Vidgru, tmp_path: Path, films: Path) -> None:
    for number in range(5):
        ball(tmp_path / "grey" / f"{number}.avi", number, color=False)
    done = vidgru("train", tmp_path / "grey", *OPTIONS, "--out", tmp_path / "a", "--json")
    assert json.loads(done.out)["channels"] == 1
    done = vidgru("train", films, *OPTIONS, "--grey", "--out", tmp_path / "b", "--json")
    assert json.loads(done.out)["channels"] == 1
    done = vidgru("train", films, *OPTIONS, "--out", tmp_path / "c", "--json")
    assert json.loads(done.out)["channels"] == 3


# What is sampled, and what is refused.


@pytest.mark.parametrize(
    ("given", "window", "wanted"),
    [
        ((None, None), 20, (10, 10)),
        ((None, None), 16, (8, 8)),
        ((None, None), 15, (8, 7)),
        ((12, None), 22, (12, 10)),
        ((None, 20), 30, (10, 20)),
        ((None, 20), 25, (5, 20)),
        ((4, 3), 7, (4, 3)),
    ],
)
def test_context_and_forecast_frames(
    given: tuple[int | None, int | None], window: int, wanted: tuple[int, int]
) -> None:
    assert forecast_frames(*given, window) == wanted


@pytest.mark.parametrize(
    ("fps", "count", "options", "wanted"),
    [
        (10, 30, {}, (10, 20)),
        (30, 60, {}, (30, 20)),
        (60, 60, {}, (30, 20)),
        (10, 16, {}, (10, 16)),
        (10, 40, {"ahead": 25}, (10, 35)),
        (10, 8, {"frames": 9}, (10, 10)),
        (10, 30, {"frames": 4, "ahead": 3}, (10, 7)),
        (30, 60, {"fps": 10.0}, (10, 20)),
    ],
)
def test_sampling(
    tmp_path: Path, fps: float, count: int, options: dict[str, float], wanted: tuple[float, int]
) -> None:
    for number in range(2):
        write_clip(tmp_path / f"{number}.avi", noise(count, 16, 16, number), fps)
    config = ForecastTrainConfig(size=32, **options)  # type: ignore[arg-type]
    found = TASK.sampling(read_videos(tmp_path), config, InitialWeights())
    assert found == Sampling(*map(pytest.approx, (wanted[0],)), 32, wanted[1], even=True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"ahead": 3}, "--ahead is for forecasts: add --task forecast, or leave it out."),
        ({"grey": True}, "--grey is for forecasts: add --task forecast, or leave it out."),
        ({"frames": 3}, "Invalid --frames 3. It must be at least 4."),
        (
            {"task": "forecast", "core": "gru"},
            "--core is for classes only: leave it out with --task forecast.",
        ),
        (
            {"task": "forecast", "size": 50},
            "Invalid --size 50 for --task forecast. Give a multiple of 16, from 32 to 256.",
        ),
        ({"task": "forecast", "ahead": 0}, "Invalid --ahead 0. It must be at least 1."),
    ],
)
def test_options_that_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        train_config(options)
    assert str(caught.value) == sentence


def test_sampling_a_picture_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast_task, "probe", lambda clips: ([1 / 86400], [100 * 86400.0]))
    found = TASK.sampling([], ForecastTrainConfig(), InitialWeights())
    assert (found.fps, found.window) == (pytest.approx(1 / 86400), 20)


def test_clips_too_short_for_a_window(vidgru: Vidgru, tmp_path: Path) -> None:
    for number in range(5):
        ball(tmp_path / "films" / f"{number}.avi", number, 6)
    done = vidgru("train", tmp_path / "films", *OPTIONS, "--out", tmp_path / "run")
    assert done.code == 1
    assert done.err.endswith(
        "Error: No training clip has the 7 frames of a window, 4 of context and 3 forecast: give "
        "longer clips, or smaller --frames and --ahead.\n"
    )
    assert not (tmp_path / "run").exists()
