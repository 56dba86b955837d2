"""Learning to find scenes: from a folder of clips to a run."""

import csv
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Done
from helpers import noise, verbs_that_work, write_clip, write_images
from scene_shots import SETTINGS, shot

from vidgru import train
from vidgru.core.errors import OptionError
from vidgru.data.cache import Sampling
from vidgru.data.folder import read_videos
from vidgru.engine.initial_weights import InitialNetwork
from vidgru.engine.model_file import load_checkpoint
from vidgru.tasks.registry import find_task, train_config
from vidgru.tasks.scenes import model_file as scenes_file
from vidgru.tasks.scenes.model_file import load_scenes
from vidgru.tasks.scenes.network import SceneNetwork
from vidgru.tasks.scenes.scores import SceneTrainResult
from vidgru.tasks.scenes.spec import SceneSpec
from vidgru.tasks.scenes.train_step import THRESHOLDS, SceneTrainStep

pytestmark = pytest.mark.usefixtures("small")

Vidgru = Callable[..., Done]
Run = SceneTrainResult
SPEC = SceneSpec("scenes", "gru", 64, 64, 32, 0.5)
OPTIONS = ("--task", "scenes", *itertools.chain(
    *((f"--{name.replace('_', '-')}", value) for name, value in SETTINGS.items())
))  # fmt: skip


def test_the_run_folder(learned: Run) -> None:
    names = {path.name for path in learned.run.iterdir()}
    assert names == {
        "model.safetensors", "last.ckpt", "metrics.csv", "config.json", "split.csv", "curves.png"
    }  # fmt: skip
    loaded = load_scenes(learned.run)
    assert loaded.spec == replace(SPEC, threshold=learned.threshold)
    assert learned.threshold in THRESHOLDS
    assert loaded.metrics["validation"] == learned.validation.to_dict()
    assert loaded.metrics["test"] is None
    kept = json.loads((learned.run / "config.json").read_text())
    assert (kept["task"], kept["chosen"]) == (
        "scenes", {"core": "gru", "hidden": 64, "frames": 64, "size": 32, "histogram": "soft"}
    )  # fmt: skip
    with open(learned.run / "metrics.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["epoch"], row["step"]) == ("1.0", "2")
    assert 0 <= float(row["val_f1"]) <= 1
    assert float(row["val_loss"]) > 0
    assert (learned.train_clips, learned.initial_weights) == (8, "random weights")


def test_the_same_seed_gives_the_same_bits(
    films: Path, learned: Run, vidgru: Vidgru, tmp_path: Path
) -> None:
    done = vidgru("train", films, *OPTIONS, "--out", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    predicted = json.loads(done.out)
    assert predicted["validation"] == learned.validation.to_dict()
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == learned.model.read_bytes()


def test_resuming_gives_the_same_bits(
    films: Path, vidgru: Vidgru, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*OPTIONS, "--epochs", 2)
    assert vidgru("train", films, *words, "--out", tmp_path / "whole").code == 0
    monkeypatch.setattr("vidgru.engine.trainer.SOONEST", 0.0)
    with monkeypatch.context() as patch:
        real = SceneTrainStep.step

        def step(self: SceneTrainStep, done: float) -> float:
            if self.steps == 3:
                raise KeyboardInterrupt
            return real(self, done)

        patch.setattr(SceneTrainStep, "step", step)
        done = vidgru("train", films, *words, "--out", tmp_path / "parts")
    assert done.code == 130
    assert load_checkpoint(tmp_path / "parts" / "last.ckpt")["steps"] == 2
    assert vidgru("train", "--resume", tmp_path / "parts").code == 0
    one, other = ((tmp_path / n / "model.safetensors").read_bytes() for n in ("whole", "parts"))
    assert one == other


def test_tables_and_what_to_type_next(films: Path, vidgru: Vidgru, tmp_path: Path) -> None:
    """Clips of FOLDER/test are tested; short ones, single pictures and one cut twice are fine."""
    folder = tmp_path / "films"
    for number in range(4):
        write_clip(folder / "train" / f"{number}.avi", shot(number), 25)
        write_clip(folder / "val" / f"{number}.avi", shot(10 + number), 25)
    write_clip(folder / "test" / "0.avi", np.concatenate([shot(20), shot(21)]), 25)
    write_clip(folder / "train" / "short.avi", shot(30, 7), 25)
    write_images(folder / "train" / "still", shot(31, 1), ["1.png"])
    done = vidgru("train", folder, *OPTIONS, "--out", tmp_path / "run", "-q")
    assert done.code == 0, done.err
    assert f"Skipped: {folder / 'train' / 'still'} has only one frame" in done.err
    assert (
        "Clips left out: 1. They have fewer than the 8 frames of a scene; the first is "
        "train/short.avi." in done.err
    )
    flat = " ".join(done.out.split())
    assert "Boundaries found in windows of joined shots" in flat
    assert "validation clips" in flat
    assert "test clips" in flat
    assert "Trained on 4 clips for 1 epoch, best at epoch 1, starting from random " in flat
    assert (
        "weights: windows of 64 frames, 32x32 pixels; boundaries count from a confidence of 0."
        in flat
    )
    assert verbs_that_work(done.out, vidgru) == ["scenes"]  # it takes two clips to join


def test_it_begins_with_what_is_shipped(
    films: Path, learned: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes_file, "SHIPPED_SCENES", learned.model)
    begun: list[dict[str, torch.Tensor]] = []
    init = SceneTrainStep.__init__

    def seen(self: SceneTrainStep, network: SceneNetwork, *args: Any, **kwargs: Any) -> None:
        begun.append({name: t.clone() for name, t in network.state_dict().items()})
        init(self, network, *args, **kwargs)

    monkeypatch.setattr(SceneTrainStep, "__init__", seen)
    options = {name: value for name, value in SETTINGS.items() if name != "size"}
    result = train(films, task="scenes", **options, out=str(tmp_path / "run"))
    assert (result.initial_weights, result.size) == ("the model that comes with vidgru", 32)
    weights = load_scenes(learned.run).network.state_dict()
    assert all(torch.equal(begun[0][name], weights[name]) for name in weights)
    other = train(films, task="scenes", **options, size=48, out=str(tmp_path / "other"))
    assert (other.initial_weights, other.size) == ("random weights", 48)


def test_every_frame_of_a_clip_is_sampled(tmp_path: Path) -> None:
    write_clip(tmp_path / "one.avi", noise(20, 16, 16), 24)
    found = find_task("scenes").sampling(
        read_videos(tmp_path), train_config({"task": "scenes"}), InitialNetwork(48, 1)
    )
    assert found == Sampling(30.0, 72, 112, even=True)
    assert [found.rate(fps) for fps in (24, 25, 30, 60, 0.5)] == [24, 25, 30, 30, 0.5]


def test_too_few_clips(tmp_path: Path, vidgru: Vidgru) -> None:
    for number in range(3):
        write_clip(tmp_path / "films" / f"{number}.avi", shot(number), 25)
    done = vidgru("train", tmp_path / "films", *OPTIONS, "--out", tmp_path / "run")
    assert done.code == 1
    assert done.err.endswith(
        "Error: To validate with, at least two shots of 8 frames or more are needed, which are "
        "joined to scenes: give more clips.\n"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"core": "lstm"}, "--core is for classes only: leave it out with --task scenes."),
        ({"folds": 3}, "--folds is for classes only: leave it out with --task scenes."),
        ({"init": "x"}, "--init is for classes only: leave it out with --task scenes."),
        ({"ahead": 3}, "--ahead is for forecasts: add --task forecast, or leave it out."),
        ({"grey": True}, "--grey is for forecasts: add --task forecast, or leave it out."),
        (
            {"frames": 63},
            "Invalid --frames 63 for --task scenes. It must be at least 64.",
        ),
        (
            {"fps": 10.0},
            "--fps is not for scenes, which are found frame by frame: leave it out with --task"
            " scenes.",
        ),
        (
            {"size": 50},
            "Invalid --size 50 for --task scenes. Give a multiple of 16, from 32 to 256.",
        ),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        train_config({"task": "scenes", **options})
    assert str(caught.value) == sentence
