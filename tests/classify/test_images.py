"""Training on single images, the encoder of rows, the article's preset, and augmentation."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Done
from helpers import make_folder, noise, write_images

from vidgru import load, train
from vidgru.core.errors import OptionError
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.options import PRESETS, ClassifyTrainConfig
from vidgru.tasks.registry import train_config

Vidgru = Callable[..., Done]
QUICK = ["--size", 16, "--epochs", 2, "--batch-size", 4, "--threads", 1]


SAID = (
    "Warning: Shortcuts: the class can be predicted from brightness 100 % (balanced accuracy; "
    "chance is 50 %), and a network may learn that instead of what happens.\n"
)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return {train,test}/{dark,light}/<n>.png, single pictures; tests must not change it."""
    root = tmp_path_factory.mktemp("pictures") / "data"
    for part, count in (("train", 12), ("test", 4)):
        for label, factor in (("dark", 0.3), ("light", 1.0)):
            frames = (noise(count, seed=count + int(10 * factor)) * factor).astype(np.uint8)
            write_images(root / part / label, frames, [f"{n}.png" for n in range(count)])
    return root


@pytest.mark.parametrize("encoder", ["cnn", "rows"])
def test_single_images(vidgru: Vidgru, pictures: Path, tmp_path: Path, encoder: str) -> None:
    run = tmp_path / "run"
    options = ["--augment", "none", "--size", 16, "--batch-size", 4, "--threads", 1]
    done = vidgru("train", pictures, *options, "--epochs", 15, "--encoder", encoder, "--out", run)
    assert (done.code, done.err) == (0, SAID)
    loaded = load_model(run)
    spec = loaded.spec
    assert (spec.frames, spec.input, spec.encoder) == (1, "rgb", encoder)
    assert loaded.metrics["test"]["accuracy"] == 1
    # Each image of a folder is answered by itself, and as it was in the training's own test.
    said = vidgru("predict", pictures / "test", "--model", run, "--json")
    assert (said.code, said.err) == (0, "")
    answers = [json.loads(line) for line in said.out.splitlines()]
    assert len(answers) == 8
    for answer in answers:
        assert Path(answer["source"]).parent.name == answer["label"]
        assert (answer["frames"], len(answer["windows"])) == (1, 1)
    found = list(load(run).predict_many(pictures / "test"))
    assert [one.source for one in found] == [answer["source"] for answer in answers]


def test_rows_of_a_video_are_each_frame_by_itself(vidgru: Vidgru, tmp_path: Path) -> None:
    data, run = make_folder(tmp_path / "data", 3), tmp_path / "run"
    assert vidgru("train", data, *QUICK, "--encoder", "rows", "--out", run).code == 0
    said = vidgru("predict", data / "left" / "0.avi", "--model", run, "--json")
    answer = json.loads(said.out)
    assert answer["frames"] == len(answer["windows"]) > 4
    power = load_model(run).confidence.temperature
    windows = np.array([list(w["probabilities"].values()) for w in answer["windows"]]) ** power
    means = (windows / windows.sum(1, keepdims=True)).mean(0) ** (1 / power)
    wanted = (means / means.sum()).tolist()
    assert list(answer["probabilities"].values()) == pytest.approx(wanted)


def test_changes_of_single_images_may_be_requested(pictures: Path, tmp_path: Path) -> None:
    options = {"size": 16, "epochs": 1, "batch_size": 4, "threads": 1, "augment": "none"}
    result = train(pictures, input="both", out=str(tmp_path / "run"), **options)
    spec = load_model(result.run).spec
    assert (spec.frames, spec.input) == (4, "both")


def test_the_preset_is_the_articles_classifier(
    vidgru: Vidgru, pictures: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    # What is given beside it replaces its own.
    words = ["--preset", "article", "--epochs", 1, "--threads", 1, "--no-flip", "--out", run]
    done = vidgru("train", pictures, *words)
    assert (done.code, done.err) == (0, SAID)
    spec = load_model(run).spec
    assert (spec.encoder, spec.core, spec.hidden, spec.size) == ("rows", "gru", 128, 64)
    written = json.loads((run / "config.json").read_text())
    expected = {**PRESETS["article"], "epochs": 1, "flip": False}
    assert {name: written[name] for name in expected} == expected
    weights = load_model(run).network.state_dict()
    assert {name: tuple(w.shape) for name, w in weights.items()} == {
        "core.fused.weight_ih_l0": (384, 192),
        "core.fused.weight_hh_l0": (384, 128),
        "core.fused.bias_ih_l0": (384,),
        "core.fused.bias_hh_l0": (384,),
        "head.0.weight": (1024, 128),
        "head.0.bias": (1024,),
        "head.3.weight": (512, 1024),
        "head.3.bias": (512,),
        "head.6.weight": (2, 512),
        "head.6.bias": (2,),
    }


def test_a_preset_gives_way_to_what_is_given() -> None:
    assert train_config({"epochs": 3}) == ClassifyTrainConfig(epochs=3)
    config = train_config({"batch_size": 16}, "article")
    assert (config.batch_size, config.encoder) == (16, "rows")
    # Its own epochs would contradict a time budget.
    assert train_config({"minutes": 1}, "article").epochs is None
    with pytest.raises(OptionError, match=r"Invalid --preset 'nope'\. Choose one of: article"):
        train_config({}, "nope")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--encoder", "rows", "--input", "diff"], "--encoder rows reads frames as they are"),
        (["--encoder", "rows", "--frames", 8], "--encoder rows reads each frame by itself"),
        (["--preset", "nope"], "'nope' is not 'article'"),
        (["--augment", "wild"], "'wild' is not one of 'none', 'light', 'strong'"),
        (["--rotation", 181], "Invalid --rotation 181.0. It must be at most 180."),
        (["--zoom", 1], "Invalid --zoom 1.0. It must be less than 1."),
        (["--shear", "nan"], "Invalid --shear nan. It must be a finite number."),
        (["--shift", -0.1], "Invalid --shift -0.1. It must be at least 0."),
    ],
)
def test_wrong_usage(vidgru: Vidgru, pictures: Path, words: list[object], sentence: str) -> None:
    done = vidgru("train", pictures, *words)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err


@pytest.mark.parametrize(
    ("words", "turned"),
    [
        (["--augment", "none"], 0),
        (["--augment", "none", "--rotation", 5], 5),
        (["--augment", "strong", "--rotation", 3, "--no-flip"], 3),
        ([], 8),
    ],
    ids=str,
)
def test_the_output_says_how_clips_were_changed(
    vidgru: Vidgru, data: Path, tmp_path: Path, words: list[object], turned: int
) -> None:
    run = tmp_path / "run"
    done = vidgru("train", data, *QUICK, *words, "--out", run)
    assert (done.code, done.err) == (0, "")
    assert ("Mirror images" in done.out) == (not words)
    assert ("Clips are rotated" in done.out) == (turned > 0)
    if turned:
        assert f"Clips are rotated by up to {turned} degrees.\n" in done.out
    said = json.loads(vidgru("train", data, *QUICK, *words, "--json", "--out", f"{run}2").out)
    assert said["turned"] == {"left": turned, "right": turned}
    assert (said["mirrored"] is None) == bool(words)
