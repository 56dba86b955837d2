"""`vidgru train`: what it writes and prints, that it repeats, and how it fails."""

import csv
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import Done
from helpers import make_folder, noise, stop_after, verbs_that_work, write_images

from vidgru import TrainResult, train
from vidgru.data import decode
from vidgru.data.cache import Sampling, cache_key, content_of
from vidgru.engine import model_file as checkpoint
from vidgru.engine.model_file import load_checkpoint
from vidgru.engine.onnx_file import has_runtime
from vidgru.engine.run_folder import create_run
from vidgru.nn.choices import CORES, INPUTS
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.plots import plot_confusion

Vidgru = Callable[..., Done]
# One thread: these tests share the machine, and two threads then wait for each other.
QUICK = ["--size", 16, "--epochs", 2, "--batch-size", 4, "--threads", 1]
RUN_FILES = {
    "model.safetensors",
    "last.ckpt",
    "metrics.csv",
    "config.json",
    "split.csv",
    "curves.png",
    "confusion.png",
    "training_clips.safetensors",
}
ONNX_FILES = {"model.onnx"} if has_runtime(export=True) else set[str]()


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def names_of(run: Path) -> list[str]:
    return [row["path"] for row in rows(run / "split.csv")]


def split_of(run: Path) -> dict[str, list[str]]:
    """Return the clips' names by part."""
    parts: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for row in rows(run / "split.csv"):
        parts[row["split"]].append(row["path"])
    return parts


def test_the_run_folder(trained: TrainResult, data: Path) -> None:
    run = trained.run
    assert {path.name for path in run.iterdir()} == RUN_FILES | ONNX_FILES
    for plot in ("curves.png", "confusion.png"):
        assert (run / plot).read_bytes().startswith(b"\x89PNG")
    assert all(path.stat().st_size for path in run.iterdir())
    metrics = rows(run / "metrics.csv")
    assert metrics[-1]["step"] == "10"  # 4 passes over 10 clips in batches of 4
    assert all(0 <= float(row["val_accuracy"]) <= 1 for row in metrics)
    assert max(float(row["val_balanced"]) for row in metrics) >= 0.5
    config = json.loads((run / "config.json").read_text())
    assert config["folder"] == str(data.absolute())
    assert (config["epochs"], config["size"], config["seed"]) == (4, 16, 0)
    found = {"input": "both", "fps": 10, "frames": 14}  # from the clips
    assert config["chosen"] == {"core": "gru", "size": 16, **found}
    assert (config["input"], config["fps"], config["frames"]) == (None, None, None)
    parts = split_of(run)
    assert sorted(names_of(run)) == sorted(
        f"{label}/{n}.avi" for label in ("left", "right") for n in range(6)
    )
    assert {Path(name).parts[0] for name in parts["val"]} == {"left", "right"}
    assert len(parts["train"]) == trained.train_clips == 10
    assert parts["test"] == []
    for row in rows(run / "split.csv"):
        key = cache_key(data / row["path"], Sampling(10, 24, 14))
        assert row["content"] == content_of(key)


def test_the_model_file_and_the_checkpoint(trained: TrainResult) -> None:
    model = load_model(trained.run)
    assert model.spec.labels == ("left", "right")
    assert model.metrics["validation"] == json.loads(json.dumps(trained.validation.to_dict()))
    assert model.metrics["test"] is None
    confidence = model.confidence
    assert confidence.temperature == trained.calibration.temperature
    assert len(confidence.answers) == 2
    right = sum(right for _, right in confidence.answers)
    assert right / 2 == trained.validation.accuracy
    mean = sum(one.count * (one.confidence or 0) for one in trained.calibration.bins) / 2
    assert sum(sure for sure, _ in confidence.answers) / 2 == pytest.approx(mean, abs=1e-6)
    assert trained.parameters == sum(p.numel() for p in model.network.parameters())
    state = load_checkpoint(trained.run / "last.ckpt")
    assert state["steps"] == 10
    saved = model.network.state_dict()
    assert state["best_weights"].keys() == saved.keys()
    assert all(torch.equal(state["best_weights"][name], saved[name]) for name in saved)
    assert state["network"].keys() == saved.keys()
    assert state["optimizer"]["state"]


def test_what_it_prints(vidgru: Vidgru, data: Path, tmp_path: Path) -> None:
    run = tmp_path / "new" / "my run"
    done = vidgru("train", data, *QUICK, "--out", run)
    assert (done.code, done.err) == (0, "")  # no bar where nobody looks
    scores = load_model(run).metrics["validation"]
    lines = [line.split() for line in done.out.splitlines()]
    for label in ("left", "right"):
        assert [label, "1", f"{100 * scores['recall'][label]:.1f}", "%"] in lines
    assert ["accuracy", "2", f"{100 * scores['accuracy']:.1f}", "%"] in lines
    assert f"Model:    {run / 'model.safetensors'}\n" in done.out
    assert f"Pictures: curves.png and confusion.png in {run}\n" in done.out
    assert verbs_that_work(done.out, vidgru) == ["evaluate", "predict"]
    assert "Trained on 10 clips for 2 epochs" in done.out
    assert load_model(run).confidence.temperature == 1
    (line,) = [line for line in done.out.splitlines() if "confidence" in line]
    assert line.startswith("Stated confidence differs from accuracy by ")
    assert line.endswith(" points on average on the validation clips.")


def test_json(vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = vidgru("train", data, *QUICK, "--json")
    assert (done.code, done.err) == (0, "")
    (line,) = done.out.splitlines()
    said = json.loads(line)
    assert said["run"] == str(Path("runs") / "squares-1")
    assert Path(said["model"]).is_file()
    assert said["labels"] == ["left", "right"]
    assert said["validation"] == load_model(Path(said["run"])).metrics["validation"]
    assert said["skipped"] == []
    second = json.loads(vidgru("train", data, *QUICK, "--json").out)
    assert second["run"] == str(Path("runs") / "squares-2")


def test_the_same_command_gives_the_same_bytes_and_decodes_once(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert vidgru("train", data, *QUICK, "--seed", seed, "--out", tmp_path / name).code == 0
        models.append((tmp_path / name / "model.safetensors").read_bytes())
        monkeypatch.setattr(decode, "Pool", None)  # from now on nothing can be decoded
    assert models[0] == models[1]
    assert models[0] != models[2]
    assert split_of(tmp_path / "a") == split_of(tmp_path / "b")
    kept = [(tmp_path / name / "metrics.csv").read_text().splitlines() for name in "ab"]
    without_seconds = [[line.rsplit(",", 1)[0] for line in lines] for lines in kept]
    assert without_seconds[0] == without_seconds[1]


@pytest.mark.parametrize("how", ["regex", "column"])
def test_a_group_stays_on_one_side(vidgru: Vidgru, tmp_path: Path, how: str) -> None:
    folder = make_folder(tmp_path / "data")
    groups = {f"{c}/{n}.avi": str(n // 2) for c in ("left", "right") for n in range(6)}
    if how == "column":
        lines = ["clip,camera", *(f"{name},{group}" for name, group in groups.items())]
        (folder / "groups.csv").write_text("\n".join(lines) + "\n")
    else:
        for name, group in groups.items():
            (folder / name).rename((folder / name).with_name(f"p{group}_{Path(name).name}"))
    chosen = "camera" if how == "column" else r"/p(\d)_"
    done = vidgru("train", folder, *QUICK, "--group-by", chosen, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    table = rows(tmp_path / "run" / "split.csv")
    sides = {part: {r["group"] for r in table if r["split"] == part} for part in ("train", "val")}
    assert len(sides["val"]) == 1
    assert len(sides["train"]) == 2
    assert not sides["train"] & sides["val"]
    assert len(table) == 12


def test_given_parts_are_used_and_the_test_part_is_reported(vidgru: Vidgru, tmp_path: Path) -> None:
    for part, clips in (("train", 4), ("val", 1), ("test", 3)):
        make_folder(tmp_path / "data" / part, clips)
    done = vidgru("train", tmp_path / "data", *QUICK, "--out", tmp_path / "run")
    assert done.code == 0
    for part, names in split_of(tmp_path / "run").items():
        assert len(names) == {"train": 8, "val": 2, "test": 6}[part]
        assert all(name.startswith(f"{part}/") for name in names)
    test = load_model(tmp_path / "run").metrics["test"]
    assert test["count"] == {"left": 3, "right": 3}
    (accuracy,) = [line for line in done.out.splitlines() if line.strip().startswith("accuracy")]
    assert accuracy.split()[1::3] == ["2", "6"]
    assert accuracy.split()[5] == f"{100 * test['accuracy']:.1f}"
    assert f"vidgru predict {tmp_path / 'data/test/left/0.avi'} --model" in done.out


def test_another_folder_to_validate_with(vidgru: Vidgru, data: Path, tmp_path: Path) -> None:
    other = make_folder(tmp_path / "other", 2)
    options = [*QUICK, "--val-folder", other, "--out", tmp_path / "run"]
    done = vidgru("train", data, *options)
    assert done.code == 0
    assert f"vidgru evaluate {other} --model" in done.out
    assert f"vidgru predict {other / 'left/0.avi'} --model" in done.out
    parts = split_of(tmp_path / "run")
    assert len(parts["train"]) == 12
    assert len(parts["val"]) == 4
    assert load_model(tmp_path / "run").metrics["validation"]["count"] == {"left": 2, "right": 2}


def test_so_many_minutes(vidgru: Vidgru, data: Path, tmp_path: Path) -> None:
    options = ["--size", 16, "--batch-size", 4, "--threads", 1, "--minutes", 0.05]
    done = vidgru("train", data, *options, "--out", tmp_path / "run")
    assert done.code == 0
    assert load_model(tmp_path / "run").spec.labels == ("left", "right")
    last = rows(tmp_path / "run" / "metrics.csv")[-1]
    assert float(last["seconds"]) < 12  # 3 and a step; without the option, 20 at least
    assert int(last["step"]) >= 2


@pytest.mark.parametrize(
    "choice",
    [("core", core) for core in CORES if core != "gru"]
    + [("input", seen) for seen in INPUTS if seen != "both"],
    ids=str,
)
def test_cores_and_inputs(data: Path, tmp_path: Path, choice: tuple[str, str]) -> None:
    options: dict[str, Any] = {choice[0]: choice[1]}
    result = train(
        data, epochs=1, size=16, batch_size=4, threads=1, out=str(tmp_path / "run"), **options
    )
    assert getattr(load_model(result.run).spec, choice[0]) == choice[1]


def test_image_folders_are_clips(tmp_path: Path, vidgru: Vidgru) -> None:
    for label in ("a", "b"):
        for number in range(2):
            names = [f"{n}.png" for n in range(10)]
            write_images(tmp_path / "data" / label / str(number), noise(10, seed=number), names)
    done = vidgru("train", tmp_path / "data", *QUICK, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert sorted(names_of(tmp_path / "run")) == ["a/0", "a/1", "b/0", "b/1"]


def test_an_unreadable_clip_is_skipped_counted_and_named(vidgru: Vidgru, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data", 5)
    bad = folder / "left" / "bad.mp4"
    bad.write_text("not a video")
    done = vidgru("train", folder, *QUICK, "--out", tmp_path / "run")
    assert done.code == 0
    assert done.err == (f"Warning: Skipped: Cannot read {bad}: not a video that can be opened.\n")
    assert "Unreadable clips, skipped (see above): 1.\n" in done.out
    assert "left/bad.mp4" not in names_of(tmp_path / "run")
    said = json.loads(vidgru("train", folder, *QUICK, "--json", "--out", tmp_path / "again").out)
    (skipped,) = said["skipped"]
    assert skipped["source"] == str(bad)
    assert "not a video" in skipped["error"]


def test_broken_off_after_a_validation(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(8, monkeypatch)
    run = tmp_path / "run"
    options = ["--size", 16, "--epochs", 4, "--batch-size", 4, "--threads", 1, "--out", run]
    done = vidgru("train", data, *options)
    assert (done.code, done.out) == (130, "")
    assert (
        done.err.lstrip()
        == f"Stopped: Interrupted after 8 steps. The best model so far is in {run}. "
        f"Resume with: vidgru train --resume {run}\n"
    )
    assert {path.name for path in run.iterdir()} <= RUN_FILES | ONNX_FILES
    model = load_model(run)
    assert model.metrics["validation"]["count"] == {"left": 1, "right": 1}
    assert load_checkpoint(run / "last.ckpt")["steps"] == int(rows(run / "metrics.csv")[-1]["step"])
    assert vidgru("predict", data / "left" / "0.avi", "--model", run).code == 0


def test_a_full_disk(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint.torch, "save", half)
    done = vidgru("train", data, *QUICK, "--out", tmp_path / "run")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"Error: Cannot write {tmp_path}/run/last.ckpt: No space left on device.\n"
    assert {path.name for path in (tmp_path / "run").iterdir()} <= RUN_FILES - {"last.ckpt"}


def test_a_hostile_class_name_is_shown_and_steers_nothing(vidgru: Vidgru, tmp_path: Path) -> None:
    folder, strange = make_folder(tmp_path / "data", 3), "[red]x\x1b[31m"
    (folder / "left").rename(folder / strange)
    (folder / strange / "bad.mp4").write_text("no video")
    for options in ([], ["--json"]):
        run = tmp_path / f"run{len(options)}"
        done = vidgru("train", folder, *QUICK, *options, "--out", run)
        assert done.code == 0
        assert "\x1b" not in done.out + done.err
        assert "[red]x\\x1b[31m" in done.err
        if options:
            assert strange in json.loads(done.out)["labels"]
        else:
            assert "[red]x\\x1b[31m" in done.out
        assert strange in load_model(run).spec.labels
    said = vidgru("predict", folder, "--model", tmp_path / "run0")
    assert said.code == 1  # the clip that is none
    assert "\x1b" not in said.out + said.err
    assert "[red]x\\x1b[31m" in said.out


def test_the_picture_of_confusions_takes_a_name_that_is_no_text(tmp_path: Path) -> None:
    scores: Any = SimpleNamespace(labels=("by\udcff", "$a_b$"), confusion=((2, 1), (0, 3)))
    plot_confusion(tmp_path / "a.png", scores)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_cache_holds_whole_files_only(data: Path, tmp_path: Path, vidgru: Vidgru) -> None:
    vidgru("train", data, *QUICK, "--out", tmp_path / "run")
    cache = Path(os.environ["VIDGRU_CACHE"])
    assert {path.suffix for path in cache.iterdir()} == {".npy"}
    assert len(list(cache.iterdir())) == 12


def test_runs_are_counted_on(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = [create_run(data, None), create_run(data, None, "-compare"), create_run(data, None)]
    Path("runs", f"{data.name}-3").symlink_to("nowhere")
    made.append(create_run(data, None))
    ends = ("-1", "-compare-1", "-2", "-4")
    assert made == [Path("runs", data.name + end) for end in ends]
    assert all(run.is_dir() for run in made)
