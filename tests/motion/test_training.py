"""Learning motion: from folders without classes to a model file."""

import csv
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Done
from helpers import build, save_model, verbs_that_work
from motion_films import film

from vidgru import train
from vidgru.core.errors import DataError, OptionError
from vidgru.data.folder import read_videos
from vidgru.engine.model_file import load_checkpoint
from vidgru.tasks.motion import flow_cache
from vidgru.tasks.motion import model_file as motion_file
from vidgru.tasks.motion.model_file import load_motion
from vidgru.tasks.motion.network import MotionNetwork
from vidgru.tasks.motion.options import MotionTrainConfig
from vidgru.tasks.motion.scores import MotionTrainResult
from vidgru.tasks.motion.spec import MOTION_HIDDEN, MotionSpec
from vidgru.tasks.motion.train_step import MotionTrainStep

pytestmark = pytest.mark.usefixtures("nothing_shipped")

Vidgru = Callable[..., Done]
Run = MotionTrainResult
OPTIONS = ("--task", "motion", "--size", 32, "--batch-size", 4, "--threads", 1, "--epochs", 4)


def test_it_learns(learned: Run) -> None:
    with open(learned.run / "metrics.csv", newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert set(rows[0]) == {"epoch", "step", "train_loss", "val_error", "seconds"}
    assert rows[-1]["val_error"] < rows[0]["val_error"]
    assert learned.validation.error is not None
    chosen = load_motion(learned.run)
    assert chosen.metrics["validation"] == json.loads(json.dumps(learned.validation.to_dict()))
    # No spread is below a thousandth of the width a second, which steady squares reach.
    *near, last = (field.spread for field in learned.validation.fields)
    # So short a training hardly learns which of two things is likely, which no spread makes up for.
    assert last == pytest.approx(1, abs=0.2)
    assert all(spread is not None and spread < 1.05 for spread in near)


def test_the_run_folder(learned: Run, films: Path) -> None:
    names = {"model.safetensors", "last.ckpt", "metrics.csv", "config.json", "split.csv"}
    assert {path.name for path in learned.run.iterdir()} == {*names, "curves.png"}
    loaded = load_motion(learned.run)
    assert asdict(loaded.spec) == {
        "task": "motion", "core": "convgru", "hidden": MOTION_HIDDEN,
        "fps": 10.0, "frames": 25, "size": 32,
    }  # fmt: skip
    config = json.loads((learned.run / "config.json").read_text())
    assert config["chosen"] == {
        "core": "convgru", "hidden": MOTION_HIDDEN, "fps": 10.0, "frames": 25, "size": 32,
    }  # fmt: skip
    with open(learned.run / "split.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["path"] for row in rows} == {clip.name for clip in read_videos(films)}
    assert {row["label"] for row in rows} == {""}
    assert sorted({row["split"] for row in rows}) == ["train", "val"]
    assert learned.initial_weights == "random weights"
    assert (learned.train_clips, learned.fps, learned.frames, learned.size) == (6, 10.0, 25, 32)


def test_what_is_found_in_a_folder(films: Path, learned: Run, tmp_path: Path) -> None:
    wanted = ["6.avi", *(f"a/{n}.avi" for n in range(6)), "b/c"]
    found = read_videos(films)
    assert [clip.name for clip in found] == wanted
    assert {(clip.label, clip.part) for clip in found} == {("", None)}
    (tmp_path / "train" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "val").mkdir()
    for name in ("train/deep/er/1.avi", "val/2.avi", "3.avi"):
        (tmp_path / name).write_bytes(b"")
    # A run folder holds pictures, but is no clip.
    run = tmp_path / "train" / "run-1"
    run.mkdir()
    (run / "model.safetensors").write_bytes(b"")
    (run / "curves.png").write_bytes(b"")
    parts = {clip.name: clip.part for clip in read_videos(tmp_path)}
    assert parts == {"train/deep/er/1.avi": "train", "val/2.avi": "val"}
    for empty in (tmp_path / "none", tmp_path / "3.avi", run):
        with pytest.raises(DataError):
            read_videos(empty)


def test_a_table_and_what_to_type_next(films: Path, vidgru: Vidgru, tmp_path: Path) -> None:
    done = vidgru("train", films, *OPTIONS, "--out", tmp_path / "run", "-q")
    assert (done.code, done.err) == (0, "")
    heads = ["zero", "persistence", "acceleration"]
    lines = done.out.splitlines()
    assert any(all(head in line for head in heads) for line in lines)
    rows = [line.split()[0:2] for line in lines if line.strip().startswith(("now ", "+"))]
    assert [row[0] for row in rows] == ["now", "+0.25", "+0.5", "+1"]
    assert "6 clips train, 2 clips validate (no groups)." in done.out
    assert "starting from random weights; " in done.out
    assert verbs_that_work(done.out, vidgru) == ["evaluate", "motion"]


def test_the_same_seed_gives_the_same_bits_and_json(
    films: Path, learned: Run, vidgru: Vidgru, tmp_path: Path
) -> None:
    done = vidgru("train", films, *OPTIONS, "--out", tmp_path / "run", "--json")
    assert (done.code, done.err) == (
        0,
        "Found 39 files: 8 clips (7 videos, 30 pictures in folders), 2 left out: "
        "a/poster.png (cover or thumbnail); b/notes.txt (neither video nor picture).\n",
    )
    said = json.loads(done.out)
    wanted = learned.to_dict()
    for name in ("run", "model", "seconds", "step_seconds"):
        said.pop(name), wanted.pop(name)
    assert said == json.loads(json.dumps(wanted))
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == learned.model.read_bytes()


@pytest.mark.parametrize("steps", [1, 3])
def test_resuming_gives_the_same_bits(
    films: Path,
    learned: Run,
    vidgru: Vidgru,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
) -> None:
    run, step = tmp_path / "run", MotionTrainStep.step

    def interrupted(self: MotionTrainStep, done: float) -> float:
        if self.steps == steps:
            raise KeyboardInterrupt
        return step(self, done)

    with monkeypatch.context() as patch:
        patch.setattr("vidgru.engine.trainer.LATEST", -1.0)
        patch.setattr(MotionTrainStep, "step", interrupted)
        done = vidgru("train", films, *OPTIONS, "--out", run, "-q")
    assert done.code == 130
    assert f"Resume with: vidgru train --resume {run}" in done.err
    assert load_checkpoint(run / "last.ckpt")["steps"] == steps
    assert vidgru("train", "--resume", run, "-q").code == 0
    assert (run / "model.safetensors").read_bytes() == learned.model.read_bytes()


def test_a_checkpoint_of_another_kind(
    films: Path, learned: Run, vidgru: Vidgru, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.json", "split.csv"):
        (run / name).write_bytes((learned.run / name).read_bytes())
    state = load_checkpoint(learned.run / "last.ckpt")
    torch.save({**state, "rows": [{"step": 1}]}, run / "last.ckpt")
    done = vidgru("train", "--resume", run)
    wanted = f"Error: Cannot resume from {run / 'last.ckpt'}: it is damaged.\n"
    assert (done.code, done.err.splitlines(True)[-1]) == (1, wanted)


def test_it_begins_with_what_is_shipped(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = MotionSpec(task="motion", core="convgru", hidden=5, fps=12.5, frames=16, size=48)
    torch.manual_seed(9)
    weights = build(spec).state_dict()
    save_model(tmp_path / "shipped.safetensors", weights, spec, {})
    monkeypatch.setattr(motion_file, "SHIPPED_MOTION", tmp_path / "shipped.safetensors")
    begun: list[dict[str, torch.Tensor]] = []
    init = MotionTrainStep.__init__

    def seen(self: MotionTrainStep, network: MotionNetwork, *args: Any, **kwargs: Any) -> None:
        begun.append({name: t.clone() for name, t in network.state_dict().items()})
        init(self, network, *args, **kwargs)

    monkeypatch.setattr(MotionTrainStep, "__init__", seen)
    options: dict[str, Any] = {"epochs": 1, "batch_size": 4, "threads": 1}
    result = train(films, task="motion", out=str(tmp_path / "run"), **options)
    assert result.initial_weights == "the model that comes with vidgru"
    assert load_motion(result.run).spec.hidden == 5
    assert result.size == 48
    assert all(torch.equal(begun[0][name], weights[name]) for name in weights)
    other = train(films, task="motion", size=32, out=str(tmp_path / "other"), **options)
    assert other.initial_weights == "random weights"


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (("--folds", 3), "--folds"),
        (("--encoder", "rows"), "--encoder"),
        (("--core", "gru"), "--core"),
        (("--gated-update", "printed"), "--gated-update"),
        (("--input", "rgb"), "--input"),
        (("--augment", "strong"), "--augment"),
        (("--rotation", 0), "--rotation"),
        (("--shift", 0.1), "--shift"),
        (("--shear", 0.1), "--shear"),
        (("--zoom", 0.1), "--zoom"),
        (("--no-flip",), "--flip"),
        (("--preset", "article"), "--preset"),
    ],
    ids=str,
)
def test_options_that_need_classes(
    vidgru: Vidgru, tmp_path: Path, options: tuple[object, ...], name: str
) -> None:
    done = vidgru("train", tmp_path, "--task", "motion", *options)
    wanted = f"Error: {name} is for classes only: leave it out with --task motion.\n"
    assert (done.code, done.out, done.err) == (2, "", wanted)


@pytest.mark.parametrize("size", [16, 72, 272])
def test_sizes_of_motion(size: int) -> None:
    with pytest.raises(OptionError) as failed:
        MotionTrainConfig(size=size)
    assert str(failed.value) == (
        f"Invalid --size {size} for --task motion. Give a multiple of 16, from 32 to 256."
    )


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ({}, "No videos found in {0}. Expected videos or folders of images anywhere below it"),
        ({"a.avi": 30}, "The folder has only one clip: at least two are needed"),
        ({"a.avi": 3, "b.avi": 3}, "No validation clip is longer than 0.45 s"),
        ({"a.avi": 1, "b.avi": 1}, "No clip can be read: repair or remove them."),
    ],
    ids=["none", "one", "short", "stills"],
)
def test_folders_that_cannot_be_trained_on(
    vidgru: Vidgru, tmp_path: Path, clips: dict[str, int], message: str
) -> None:
    root = tmp_path / "clips"
    root.mkdir()
    for seed, (name, count) in enumerate(clips.items()):
        film(root / name, 1, 0, seed, count)
    done = vidgru("train", root, *OPTIONS, "--out", tmp_path / "run", "-q")
    assert (done.code, done.out) == (1, "")
    assert message.format(root) in done.err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_a_list_without_labels(films: Path, tmp_path: Path, vidgru: Vidgru) -> None:
    table = tmp_path / "list.csv"
    names = [f"a/{n}.avi" for n in range(4)]
    lines = [f"{films / name},{'val' if name == 'a/3.avi' else 'train'}" for name in names]
    table.write_text("\n".join(["path,split", *lines, ""]))
    run = tmp_path / "run"
    done = vidgru("train", table, *OPTIONS, "--epochs", 1, "--out", run, "--json")
    assert done.code == 0
    assert json.loads(done.out)["split"]["clips"] == {"train": 3, "val": 1, "test": 0}
    # The split of a run can be given again.
    again = vidgru(
        "train", table, *OPTIONS, "--epochs", 1, "--out", tmp_path / "b", "--json",
        "--split", run / "split.csv",
    )  # fmt: skip
    assert again.code == 0
    assert (tmp_path / "b" / "model.safetensors").read_bytes() == (
        (run / "model.safetensors").read_bytes()
    )


def test_a_second_training_measures_nothing(
    films: Path, tmp_path: Path, vidgru: Vidgru, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (*OPTIONS, "--epochs", 1, "--json")
    first = vidgru("train", films, *options, "--out", tmp_path / "a")
    monkeypatch.setattr("vidgru.tasks.motion.flow_cache.Pool", None)
    assert vidgru("train", films, *options, "--out", tmp_path / "b").code == first.code == 0
    models = [(tmp_path / run / "model.safetensors").read_bytes() for run in "ab"]
    assert models[0] == models[1]


def test_damaged_flow_is_measured_again(
    films: Path, tmp_path: Path, vidgru: Vidgru, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDGRU_CACHE", str(tmp_path / "cache"))
    options = (*OPTIONS, "--epochs", 1, "--json")
    vidgru("train", films, *options, "--out", tmp_path / "a")
    flows = sorted((tmp_path / "cache").glob(f"*-flow{flow_cache.VERSION}.npy"))
    assert len(flows) == 8
    whole = flows[0].read_bytes()
    for content in (whole[:-100], b"", whole[:20], whole + b"more"):
        flows[0].write_bytes(content)
        assert vidgru("train", films, *options, "--out", tmp_path / str(len(content))).code == 0
        assert flows[0].read_bytes() == whole
