"""Model files of scenes, and models of something else."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Done
from helpers import build, save_model

import vidgru as library
from vidgru import TrainResult
from vidgru.core.errors import ModelError
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.registry import load as load_any
from vidgru.tasks.scenes.model_file import load_scenes
from vidgru.tasks.scenes.scores import SceneTrainResult
from vidgru.tasks.scenes.spec import SceneSpec

pytestmark = pytest.mark.usefixtures("small")

Vidgru = Callable[..., Done]
Run = SceneTrainResult
SPEC = SceneSpec("scenes", "gru", 64, 64, 32, 0.5)


def test_a_model_for_something_else(
    learned: Run, trained: TrainResult, vidgru: Vidgru, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError) as caught:
        load_scenes(trained.model)
    assert str(caught.value) == f"{trained.model} is a classifier: use `vidgru predict`."
    with pytest.raises(ModelError) as caught:
        load_model(learned.model)
    assert str(caught.value) == f"{learned.model} is a model of scenes: use `vidgru scenes`."
    done = vidgru("train", data, "--init", learned.run, "--out", tmp_path / "run")
    assert (done.code, done.err) == (
        1,
        f"Error: {learned.model} is a model of scenes, whose encoder a classifier cannot use: give "
        "--init a classifier, or a model of `vidgru train --task forecast`.\n",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"core": "convgru"}, {"hidden": 0}, {"hidden": 64.0}, {"hidden": True}, {"hidden": 1 << 20},
        {"frames": 63}, {"frames": 1 << 30}, {"size": 33}, {"size": 1 << 20}, {"threshold": 0},
        {"threshold": 1.0}, {"threshold": math.nan}, {"threshold": "half"}, {"threshold": True},
    ],
)  # fmt: skip
def test_a_description_that_makes_no_sense(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "strange.safetensors"
    save_model(path, build(SPEC).state_dict(), replace(SPEC, **change), {})
    with pytest.raises(ModelError) as caught:
        load_any(path)
    assert str(caught.value) == f"{path} is damaged: its description makes no sense."


def test_a_description_of_another_network(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_model(path, build(SPEC).state_dict(), replace(SPEC, hidden=32), {})
    with pytest.raises(ModelError) as caught:
        load_any(path)
    assert str(caught.value) == (
        f"{path} is damaged, or of another version of vidgru: its weights do not fit its "
        "description. Train it anew."
    )


@pytest.mark.parametrize("part", ["early", "late"])
def test_weights_that_overflow(part: str, vidgru: Vidgru, films: Path, tmp_path: Path) -> None:
    made = build(SPEC)
    getattr(made, part).weight.data[:] = 3e38
    path, film = tmp_path / "large.safetensors", films / "0.avi"
    save_model(path, made.state_dict(), SPEC, {})
    sentence = f"{path} is damaged: its answers are not finite numbers."
    for words in (("scenes", film, "--threads", 1), ("evaluate", films)):
        done = vidgru(*words, "--model", path, "-q")
        assert (done.code, done.out) == (1, "")
        assert done.err.splitlines()[-1] == f"Error: {sentence}"
    if part == "early":
        with pytest.raises(ModelError) as error:
            list(library.load(path, device="cpu", threads=1).stream(film))
        assert str(error.value) == sentence
