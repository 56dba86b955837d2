"""Tests of model files of motion: whole, damaged, and given to the wrong verb."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Done
from helpers import build
from safetensors.torch import save_file

from vidgru.core.errors import ModelError
from vidgru.engine.model_file import VERSION
from vidgru.engine.model_file import save_model as save
from vidgru.engine.newest_run import newest_run
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.results import TrainResult
from vidgru.tasks.motion.model_file import load_motion
from vidgru.tasks.motion.spec import MotionSpec
from vidgru.tasks.registry import load as load_any

SPEC = MotionSpec(task="motion", core="convgru", hidden=4, fps=12.5, frames=8, size=64)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    path = tmp_path / "runs" / "a-1" / "model.safetensors"
    save(path, build(SPEC).state_dict(), SPEC, {"validation": None})
    return path


def test_a_model_of_motion_comes_back(file: Path) -> None:
    loaded = load_motion(file.parent)
    torch.manual_seed(3)
    wanted = build(SPEC).state_dict()
    assert (loaded.path, loaded.spec, loaded.metrics) == (file, SPEC, {"validation": None})
    assert not loaded.network.training
    assert loaded.spec.grid == 4
    for name, tensor in loaded.network.state_dict().items():
        assert torch.equal(tensor, wanted[name])
    assert type(load_any(file)) is type(loaded)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden": 0},
        {"hidden": 513},
        {"hidden": 4.0},
        {"hidden": True},
        {"size": 16},
        {"size": 72},
        {"size": 64.0},
        {"size": 272},
        {"frames": 1},
        {"frames": 513},
        {"frames": "8"},
        {"fps": 0},
        {"fps": 1001},
        {"fps": float("nan")},
        {"fps": "12"},
        {"core": "gru"},
        {"core": []},
        {"task": "forecast"},
        {"task": None},
        {"labels": ["a", "b"]},
    ],
    ids=str,
)
def test_a_description_without_sense(file: Path, changes: dict[str, Any]) -> None:
    content = {"version": VERSION, "spec": {**asdict(SPEC), **changes}, "metrics": {}}
    save_file(build(SPEC).state_dict(), file, metadata={"vidgru": json.dumps(content)})
    with pytest.raises(ModelError, match=r"damaged: its description (makes no sense|cannot be)"):
        load_motion(file)


@pytest.mark.parametrize("metrics", [None, [], 3])
def test_metrics_without_sense(file: Path, metrics: object) -> None:
    content = {"version": VERSION, "spec": asdict(SPEC), "metrics": metrics}
    save_file(build(SPEC).state_dict(), file, metadata={"vidgru": json.dumps(content)})
    with pytest.raises(ModelError, match="its description makes no sense"):
        load_motion(file)


def test_weights_that_do_not_fit(file: Path) -> None:
    save(file, build(SPEC).state_dict(), replace(SPEC, hidden=5), {})
    with pytest.raises(ModelError, match="its weights do not fit its description"):
        load_motion(file)
    weights = build(SPEC).state_dict()
    next(iter(weights.values())).fill_(np.nan)
    save(file, weights, SPEC, {})
    with pytest.raises(ModelError, match="its weights are not finite numbers"):
        load_motion(file)


def test_the_wrong_verb(
    file: Path, trained: TrainResult, vidgru: Callable[..., Done], clip: Path
) -> None:
    wanted = f"{file} is a model of motion: use `vidgru motion`."
    with pytest.raises(ModelError) as failed:
        load_model(file.parent)
    assert str(failed.value) == wanted
    done = vidgru("predict", clip, "--model", file)
    assert (done.code, done.out, done.err) == (1, "", f"Error: {wanted}\n")
    with pytest.raises(ModelError) as failed:
        load_motion(trained.run)
    assert str(failed.value) == (f"{trained.model} is a classifier: use `vidgru predict`.")


def test_the_newest_run_of_a_task(file: Path, trained: TrainResult) -> None:
    runs, other = file.parent.parent, file.parent.parent / "b-1"
    with pytest.raises(ModelError) as failed:
        newest_run(runs, "classify")
    assert str(failed.value) == (
        f"No trained model in {runs}: give --model, or train one first with `vidgru train FOLDER`."
    )
    other.mkdir()
    (other / "model.safetensors").write_bytes(trained.model.read_bytes())
    os.utime(file, (1, 1))
    assert newest_run(runs) == newest_run(runs, "classify") == other
    assert newest_run(runs, "motion") == file.parent
    # What is damaged is not passed over in silence.
    (other / "model.safetensors").write_bytes(b"damaged")
    assert newest_run(runs, "motion") == other
    with pytest.raises(ModelError) as failed:
        newest_run(other, "motion", "trained model of motion")
    assert str(failed.value) == (
        f"No trained model of motion in {other}: give --model, or train one first with "
        "`vidgru train FOLDER --task motion`."
    )
