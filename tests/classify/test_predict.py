"""`vidgru predict`: what it answers for every kind of source, and how it fails."""

import csv
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Done
from helpers import noise, save_model, write_clip, write_images

import vidgru as library
from vidgru import TrainResult
from vidgru.core.results import Failure
from vidgru.tasks.classify import backend
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.spec import Confidence
from vidgru.video.find import find_sources

Vidgru = Callable[..., Done]
ONE = ("--threads", 1)  # two threads would wait for other tests


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Return 4.1 s of noise at 10 frames/s: 14 frames fit into a window several times."""
    return write_clip(tmp_path / "video.avi", noise(41), 10)


def answers(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


def test_table(vidgru: Vidgru, trained: TrainResult, video: Path, data: Path) -> None:
    other = data / "right" / "0.avi"
    done = vidgru("predict", video, other, "--model", trained.run, *ONE)
    assert (done.code, done.err) == (0, "")
    model = library.load(trained.run, threads=1)
    lines = [line.split() for line in done.out.splitlines()]
    for source in (video, other):
        said = model.predict(source)
        (first, best), (second, rest) = said.top(2)
        row = [str(source), first, f"{100 * best:.1f}", "%", second, f"{100 * rest:.1f}", "%"]
        assert row in lines
    narrow = vidgru("predict", video, "--model", trained.run, "--top", 1, *ONE)
    assert "then" in done.out
    assert "then" not in narrow.out
    assert sum(label in narrow.out for label in trained.labels) == 1


def test_json(vidgru: Vidgru, trained: TrainResult, video: Path) -> None:
    done = vidgru("predict", video, "--model", trained.run, "--json", *ONE)
    assert (done.code, done.err) == (0, "")
    (said,) = answers(done)
    shares = said["probabilities"]
    assert said["source"] == str(video)
    assert list(shares) == ["left", "right"]
    assert sum(shares.values()) == pytest.approx(1)
    assert said["label"] == max(shares, key=shares.__getitem__)
    assert said["confidence"] == max(shares.values())
    assert said["frames"] == 41
    assert said["seconds"] == pytest.approx(4.1)
    # Windows of 14 frames, a new one after every 4, and the frames that are left.
    times = [(w["start"], w["end"]) for w in said["windows"]]
    expected = [(n / 10, (n + 14) / 10) for n in range(0, 28, 4)] + [(2.8, 4.1)]
    assert np.array(times) == pytest.approx(np.array(expected))
    for label, share in shares.items():
        means = np.mean([w["probabilities"][label] for w in said["windows"]])
        assert share == pytest.approx(means)
    for window in said["windows"]:
        assert sum(window["probabilities"].values()) == pytest.approx(1)
        assert window["label"] == max(window["probabilities"], key=window["probabilities"].get)
    assert len({w["probabilities"]["left"] for w in said["windows"]}) > 1


def test_csv(vidgru: Vidgru, trained: TrainResult, video: Path, tmp_path: Path) -> None:
    bad, table = tmp_path / "bad.mp4", tmp_path / "new" / "table.csv"
    bad.write_text("no video")
    done = vidgru("predict", video, bad, "--model", trained.run, "--csv", table, *ONE)
    assert done.code == 1
    with open(table, newline="", encoding="utf-8") as file:
        good, wrong = csv.DictReader(file)
    (said,) = answers(vidgru("predict", video, "--model", trained.run, "--json", *ONE))
    assert good["source"] == str(video)
    assert good["label"] == good["likeliest"] == said["label"] == said["likeliest"]
    assert (good["answered"], said["unsure"], said["threshold"]) == ("yes", False, None)
    assert float(good["confidence"]) == pytest.approx(said["confidence"], abs=1e-6)
    for label, share in said["probabilities"].items():
        assert float(good[f"p_{label}"]) == pytest.approx(share, abs=1e-6)
    assert wrong["source"] == str(bad)
    assert wrong["label"] == wrong["answered"] == wrong["likeliest"] == wrong["p_left"] == ""
    assert "not a video" in wrong["error"]
    assert good["error"] == ""
    assert [path.name for path in table.parent.iterdir()] == ["table.csv"]


def test_a_model_file_a_run_folder_or_the_newest_run(
    vidgru: Vidgru,
    trained: TrainResult,
    video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, when in (("b-1", 3e9), ("a-2", 2e9)):
        path = tmp_path / "runs" / name / "model.safetensors"
        path.parent.mkdir(parents=True)
        shutil.copy(trained.model, path)
        os.utime(path, (when, when))
    path.write_bytes(path.read_bytes()[:100])  # not this one
    os.utime(path, (2e9, 2e9))
    newest = vidgru("predict", video, "--json", *ONE)
    assert newest.code == 0
    assert newest.err == f"Model: {Path('runs') / 'b-1'}\n"
    assert vidgru("predict", video, "--json", "--quiet", *ONE).err == ""
    for given in (trained.run, trained.model):
        done = vidgru("predict", video, "--model", given, "--json", "--torch", *ONE)
        assert (done.out, done.err) == (newest.out, "")


def test_every_kind_of_source(vidgru: Vidgru, trained: TrainResult, tmp_path: Path) -> None:
    frames = noise(25)  # 25 images count as one second
    images = write_images(tmp_path / "images", frames, [f"{n}.png" for n in range(25)])
    one = write_images(tmp_path / "one", frames[:1], ["only.png"]) / "only.png"
    tree = tmp_path / "tree"
    for place in ("b.avi", "a/deep/er/c.avi"):
        write_clip(tree / place, frames[:12], 10)
    (tree / "notes.txt").write_text("no video")
    done = vidgru("predict", images, one, tree, "--model", trained.run, "--json", *ONE)
    assert (done.code, done.err) == (0, "")
    said = answers(done)
    names = [str(p) for p in (images, one, tree / "a" / "deep" / "er" / "c.avi", tree / "b.avi")]
    assert [item["source"] for item in said] == names
    assert [item["frames"] for item in said] == [10, 1, 12, 12]
    assert all(len(item["windows"]) == 1 for item in said)


def test_the_unreadable_are_named_and_the_others_answered(
    vidgru: Vidgru, trained: TrainResult, video: Path, tmp_path: Path
) -> None:
    bad, absent, hollow = tmp_path / "bad.mp4", tmp_path / "absent.mp4", tmp_path / "hollow"
    bad.write_text("no video")
    hollow.mkdir()
    sources = [bad, video, absent, hollow, video]
    done = vidgru("predict", *sources, "--model", trained.run, "--json", *ONE)
    assert done.code == 1
    said = answers(done)
    assert [item["source"] for item in said] == [str(source) for source in sources]
    assert ["error" in item for item in said] == [True, False, True, True, False]
    errors = done.err.splitlines()
    assert errors == [f"Error: {item['error']}" for item in said if "error" in item]
    for error, source in zip(errors, (bad, absent, hollow), strict=True):
        assert error.startswith(f"Error: Cannot read {source}: ")
    table = vidgru("predict", *sources, "--model", trained.run, *ONE)
    assert table.code == 1
    assert table.out.count(str(video)) == 2
    assert table.err == done.err


def test_folders_for_models_of_single_images(tmp_path: Path) -> None:
    names = ["10.png", "9.JPG", "b/1.webp", "b/2.mp4", ".hidden.png", "b/notes.txt", "a/c/3.tif"]
    for name in names:
        (tmp_path / "mixed" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mixed" / name).write_bytes(b"x")
    images = write_images(tmp_path / "images", noise(2), ["2.png", "10.png"])
    (tmp_path / "hollow").mkdir()
    lone = images / "2.png"
    sources = [tmp_path / "mixed", images, lone, tmp_path / "hollow"]

    *videos, failure = find_sources(sources)
    assert videos == [tmp_path / "mixed/a/c", tmp_path / "mixed/b/2.mp4", images, lone]
    assert isinstance(failure, Failure)
    *each, again = find_sources(sources, images=True)
    chosen = ("9.JPG", "10.png", "a/c/3.tif", "b/1.webp", "b/2.mp4")
    expected = [tmp_path / "mixed" / name for name in chosen]
    assert each == [*expected, lone, images / "10.png", lone]
    assert again == failure


def test_only_models_of_single_images_take_folders_apart(
    vidgru: Vidgru, trained: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = write_images(tmp_path / "images", noise(2), ["2.png", "10.png"])
    model = library.load(trained.run, threads=1)
    monkeypatch.setattr(backend, "open_classifier", lambda *_, **__: model)
    for frames, sources in (
        (14, [images]),
        (2, [images]),
        (1, [images / "2.png", images / "10.png"]),
    ):
        model.spec = replace(model.spec, frames=frames)
        done = vidgru("predict", images, "--model", trained.run, "--json", *ONE)
        assert [item["source"] for item in answers(done)] == [str(source) for source in sources]


def half_a_model(place: Path, trained: TrainResult) -> Path:
    content = trained.model.read_bytes()
    (place / "half.safetensors").write_bytes(content[: len(content) // 2])
    return place / "half.safetensors"


def a_text(place: Path, trained: TrainResult) -> Path:
    (place / "text.safetensors").write_text("hello")
    return place / "text.safetensors"


def an_empty_run(place: Path, trained: TrainResult) -> Path:
    (place / "run").mkdir()
    return place / "run"


def a_run_in_it(place: Path, made: TrainResult) -> Path:
    shutil.copytree(made.run, place / "run")
    return place


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (half_a_model, "Cannot read the model {path}: it is damaged, cut short or no model."),
        (a_text, "Cannot read the model {path}: it is damaged, cut short or no model."),
        (an_empty_run, "No model at {path}/model.safetensors: give a run folder or a model file"),
        (a_run_in_it, "{path} holds runs and is none itself: give one, such as {path}/run."),
        (lambda place, _: place / "absent", "No model at {path}: give a run folder or a model"),
    ],
)
def test_a_model_that_is_none(
    vidgru: Vidgru,
    trained: TrainResult,
    video: Path,
    tmp_path: Path,
    prepare: Callable[[Path, TrainResult], Path],
    words: str,
) -> None:
    path = prepare(tmp_path, trained)
    done = vidgru("predict", video, "--model", path)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: {words.format(path=path)}")
    assert len(done.err.splitlines()) == 1


def test_no_run_at_all(vidgru: Vidgru, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(video.parent)
    done = vidgru("predict", video)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: No trained model in ")
    assert "train one first" in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["--top", 0],
        ["--threads", 0],
        ["--device", "tpu"],
        ["--top", "x"],
        ["--max-error", 0],
        ["--max-error", 1],
        ["--max-error", "nan"],
    ],
    ids=str,
)
def test_wrong_usage(vidgru: Vidgru, trained: TrainResult, words: list[object]) -> None:
    done = vidgru("predict", "video.mp4", "--model", trained.run, *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("Error: ") == 1
    assert "Traceback" not in done.err


def trusted(trained: TrainResult, place: Path, confidence: Confidence) -> Path:
    """Write the trained model with another confidence."""
    model = load_model(trained.run)
    path = place / "trusted.safetensors"
    save_model(path, model.network.state_dict(), model.spec, model.metrics, confidence)
    return path


def test_the_temperature_divides_outputs(trained: TrainResult, video: Path, tmp_path: Path) -> None:
    one = library.load(trusted(trained, tmp_path, Confidence(1.0)), threads=1).predict(video)
    two = library.load(trusted(trained, tmp_path, Confidence(2.0)), threads=1).predict(video)
    for plain, scaled in zip(one.windows, two.windows, strict=True):
        # Odds are the exponential of a difference of outputs.
        odds = plain.probabilities[0] / plain.probabilities[1]
        assert scaled.probabilities[0] / scaled.probabilities[1] == pytest.approx(np.sqrt(odds))
    # The mean over windows is scaled, not each of them.
    roots = np.sqrt(np.mean([window.probabilities for window in one.windows], axis=0))
    assert two.probabilities == pytest.approx(roots / roots.sum())


def test_unsure(vidgru: Vidgru, trained: TrainResult, data: Path, tmp_path: Path) -> None:
    sources = sorted((data / "left").iterdir()) + sorted((data / "right").iterdir())
    plain = library.load(trusted(trained, tmp_path, Confidence(3.0)), threads=1)
    said = [plain.predict(source) for source in sources]
    assert not any(item.unsure or item.threshold is not None for item in said)
    ranked = sorted(item.confidence for item in said)
    limit = (ranked[4] + ranked[5]) / 2
    path = trusted(trained, tmp_path, Confidence(3.0, ((0.1, False), *((limit, True),) * 9)))
    options = ("--model", path, "--max-error", 0.1, *ONE)
    table = tmp_path / "table.csv"
    done = vidgru("predict", *sources, *options, "--json", "--csv", table, "-q")
    assert (done.code, done.err) == (0, "")
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sum(item["unsure"] for item in answers(done)) == 5
    for item, told, row in zip(said, answers(done), rows, strict=True):
        unsure = item.confidence < limit
        assert (told["unsure"], told["threshold"]) == (unsure, limit)
        assert told["label"] == row["label"] == ("unsure" if unsure else item.label)
        assert told["likeliest"] == row["likeliest"] == item.label
        assert told["confidence"] == pytest.approx(item.confidence)
        assert row["answered"] == ("no" if unsure else "yes")
    shown = vidgru("predict", *sources, *options, "--top", 2)
    assert (shown.code, shown.err) == (0, "")
    for item in said:
        (line,) = [line for line in shown.out.splitlines() if f" {item.source} " in line]
        (first, best), (second, rest) = item.top(2)
        sure, other = (f"{100 * share:.1f} %" for share in (best, rest))
        if item.confidence < limit:
            shown_as = f"unsure - {first} {sure}, {second} {other}"
        else:
            shown_as = f"{first} {sure} {second} {other}"
        assert line.split()[1:] == shown_as.split()
    assert f"5 of 12 predictions unsure: confidence below {100 * limit:.1f} %." in shown.out
    # Nine correct answers are enough for one wrong in twenty, not for less.
    fewer = library.load(path, threads=1, max_error=0.049)
    assert fewer.predict(sources[0]).unsure


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        ((), "{path} keeps no predictions of validation clips (unfinished training?)"),
        (((0.9, True),) * 8, "Only 8 validation clips; a 5 % limit needs at least 9, all correct"),
        (
            (*((0.5, True),) * 20, (0.9, False)),
            "1 of 21 validation clips are wrong, too many of them with high confidence for a 5 %"
            " limit",
        ),
    ],
    ids=["none", "few", "wrong"],
)
def test_no_threshold_will_do(
    vidgru: Vidgru,
    trained: TrainResult,
    video: Path,
    tmp_path: Path,
    kept: tuple[tuple[float, bool], ...],
    reason: str,
) -> None:
    path = trusted(trained, tmp_path, Confidence(1.0, tuple(kept)))
    words = ("predict", video, video, "--model", path, "--max-error", 0.05, "--json", *ONE)
    done = vidgru(*words)
    assert done.code == 0
    reason = reason.format(path=path)
    assert done.err == f"Warning: {reason}. So every answer is 'unsure'.\n"
    for item in answers(done):
        assert (item["label"], item["unsure"], item["threshold"]) == ("unsure", True, None)
        assert item["likeliest"] in trained.labels


def test_a_class_called_unsure(trained: TrainResult, video: Path, tmp_path: Path) -> None:
    model = load_model(trained.run)
    spec = replace(model.spec, labels=("unsure", "sure"))
    path = tmp_path / "model.safetensors"
    weights = model.network.state_dict()
    weights["head.bias"] += torch.tensor([100.0, -100.0])
    save_model(path, weights, spec, {}, Confidence(1.0, ((0.9, True),) * 30))
    said = library.load(path, threads=1, max_error=0.05).predict(video)
    assert (said.label, said.likeliest, said.unsure) == ("unsure", "unsure", False)
    nothing = library.load(path, threads=1, max_error=0.01).predict(video)
    assert (nothing.label, nothing.likeliest, nothing.unsure) == ("unsure", "unsure", True)
