"""`vidgru train --init`: a classifier that starts from trained encoders."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Done
from helpers import build, make_folder, save_model, stop_after
from safetensors.torch import load_file

from vidgru import TrainResult, compare, resume, train
from vidgru.core.errors import OptionError
from vidgru.engine import trainer as course
from vidgru.engine.model_file import AnySpec
from vidgru.tasks.classify import folds, learn
from vidgru.tasks.classify import looks as datasets
from vidgru.tasks.classify.encoders import PretrainedEncoder, read_encoders
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.tasks.classify.train_step import ClassifyTrainStep
from vidgru.tasks.forecast.spec import ForecastSpec
from vidgru.tasks.motion.spec import MotionSpec
from vidgru.tasks.registry import load as load_any

Vidgru = Callable[..., Done]
Weights = dict[str, torch.Tensor]

QUICK = ["--size", 16, "--epochs", 2, "--batch-size", 4, "--threads", 1]
SETTINGS: dict[str, Any] = {"size": 16, "epochs": 2, "batch_size": 4, "threads": 1}
FORECAST = ForecastSpec("forecast", "convgru", 8, 10.0, 4, 2, 32, 3)
MOTION = MotionSpec("motion", "convgru", 8, 10.0, 8, 32)
CLASSES = ModelSpec("classify", ("a", "b", "c"), "both", "lstm", 128, 5.0, 8, 32)
ROWS = replace(CLASSES, input="rgb", core="gru", frames=1, encoder="rows")


def model(path: Path, spec: AnySpec = FORECAST) -> Path:
    """Write a model with random weights, as if trained: norms have running statistics, too."""
    torch.manual_seed(7)
    network = build(spec)
    weights = {
        name: torch.rand_like(value) if value.dtype.is_floating_point else value + 17
        for name, value in network.state_dict().items()
    }
    save_model(path, weights, spec, {})
    return path


@pytest.fixture
def forecast(tmp_path: Path) -> Path:
    return model(tmp_path / "forecast.safetensors")


class BeganError(Exception):
    pass


@pytest.fixture
def before_learning(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Weights]:
    """Return what gives the weights that a training has before its first step."""

    def begin(folder: Path, run: Path, **options: Any) -> Weights:
        seen: list[Weights] = []

        def first(self: ClassifyTrainStep, done: float) -> float:
            seen.append({k: v.clone() for k, v in self.network.state_dict().items()})
            raise BeganError

        monkeypatch.setattr(ClassifyTrainStep, "step", first)
        with pytest.raises(BeganError):
            train(folder, out=str(run), **{**SETTINGS, **options})
        return seen[0]

    return begin


@pytest.mark.parametrize(
    ("spec", "options", "parts"),
    [
        (FORECAST, {}, ("main.", "side.")),
        (replace(FORECAST, channels=1, size=64), {}, ("main.", "side.")),
        (FORECAST, {"core": "convgru"}, ("main.", "side.")),
        (FORECAST, {"input": "diff"}, ("main.",)),
        (CLASSES, {}, ("main.", "side.")),
        (replace(CLASSES, core="convgru"), {"core": "gated", "input": "diff"}, ("main.",)),
        (replace(CLASSES, input="diff"), {"input": "diff"}, ("main.",)),
        (replace(CLASSES, input="rgb"), {"input": "rgb"}, ("main.",)),
    ],
    ids=str,
)
def test_encoders_are_taken_bit_for_bit_and_nothing_else(
    data: Path,
    tmp_path: Path,
    before_learning: Callable[..., Weights],
    spec: AnySpec,
    options: dict[str, Any],
    parts: tuple[str, ...],
) -> None:
    path = model(tmp_path / "model.safetensors", spec)
    fresh = before_learning(data, tmp_path / "fresh", **options, init="none")
    begun = before_learning(data, tmp_path / "begun", **options, init=str(path))
    given = load_file(path)
    assert begun.keys() == fresh.keys()
    taken = {name for name in begun if name.startswith(parts)}
    assert {name.split(".")[0] + "." for name in taken} == set(parts)
    assert sum("running_var" in name for name in taken) == 7 * len(parts)
    for name, value in begun.items():
        # All else, the core and the head too, is what the seed gives with random weights.
        expected = given[name] if name in taken else fresh[name]
        assert torch.equal(value, expected), name
        if name in taken:
            assert not torch.equal(value, fresh[name]), name


def test_it_says_what_it_began_with(
    vidgru: Vidgru, data: Path, tmp_path: Path, forecast: Path
) -> None:
    run = tmp_path / "run"
    done = vidgru("train", data, *QUICK, "--init", forecast, "--out", run)
    assert (done.code, done.err) == (0, "")
    flat = " ".join(done.out.split())
    assert f", starting from the encoder of {forecast}; 380,646 parameters;" in flat
    assert json.loads((run / "config.json").read_text())["init"] == str(forecast)
    assert load_any(run / "init.safetensors").spec == FORECAST


def test_same_seed_same_bits(data: Path, tmp_path: Path, forecast: Path) -> None:
    models = []
    for name, init in (("a", forecast), ("b", forecast), ("c", "none")):
        result = train(data, **SETTINGS, out=str(tmp_path / name), init=str(init))
        assert isinstance(result, TrainResult)
        models.append(result.model.read_bytes())
    assert models[0] == models[1] != models[2]
    with_init = load_model(tmp_path / "a").network.state_dict()
    assert (with_init["main.layers.0.1.num_batches_tracked"] > 17).all()


@pytest.mark.parametrize("gone", ["deleted", "replaced"])
def test_going_on_needs_the_file_no_more(
    data: Path, tmp_path: Path, forecast: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    options = {**SETTINGS, "epochs": 4, "init": str(forecast)}
    whole = train(data, **options, out=str(tmp_path / "whole"))
    monkeypatch.setattr(course, "LATEST", -1.0)
    runs = [tmp_path / "early", tmp_path / "late"]
    for run, steps in zip(runs, (1, 7), strict=True):
        with monkeypatch.context() as patch:
            stop_after(steps, patch)
            with pytest.raises(KeyboardInterrupt):
                train(data, **options, out=str(run))
    (runs[0] / "last.ckpt").unlink()  # as if it had been killed before the first one
    (runs[1] / "init.safetensors").unlink()  # its checkpoint holds all
    if gone == "deleted":
        forecast.unlink()
    else:
        model(forecast, replace(FORECAST, hidden=16))
    for run in runs:
        found = resume(run)
        assert found.model.read_bytes() == whole.model.read_bytes()
        assert isinstance(found, TrainResult)
        assert found.initial_weights == f"the encoder of {forecast}"


def watch(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Return a list that will hold a weight of each training's encoder before its first step."""
    begun: list[torch.Tensor] = []
    make = learn.ClassifyTrainer

    def made(*args: Any) -> Any:
        begun.append(args[2].state_dict()["main.layers.0.0.weight"].clone())
        return make(*args)

    monkeypatch.setattr(learn, "ClassifyTrainer", made)
    return begun


def test_going_on_between_folds_begins_as_the_first_did(
    data: Path, tmp_path: Path, forecast: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**SETTINGS, "folds": 2, "init": str(forecast)}
    begun, number = watch(monkeypatch), 0
    steps = folds.learn_steps

    def one(*args: Any, **kwargs: Any) -> Any:
        nonlocal number
        number += 1
        if number == 2:
            raise KeyboardInterrupt
        return steps(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(folds, "learn_steps", one)
        with pytest.raises(KeyboardInterrupt):
            train(data, **options, out=str(tmp_path / "run"))
    assert len(begun) == 1
    forecast.unlink()
    resume(tmp_path / "run")
    # The finished fold once more, which takes no step; the second one, and that of all clips.
    assert len(begun) == 4
    assert all(torch.equal(begun[0], weights) for weights in begun)


def test_compared_cores_begin_alike(
    data: Path, tmp_path: Path, forecast: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = watch(monkeypatch)
    options = {**SETTINGS, "epochs": 1, "init": str(forecast), "out": str(tmp_path / "out")}
    compare(data, cores=["gru", "convgru"], seeds=1, **options)
    given = load_file(forecast)["main.layers.0.0.weight"]
    assert len(begun) == 2
    assert all(torch.equal(one, given) for one in begun)


def test_a_forecast_begins_a_classifier(data: Path, tmp_path: Path) -> None:
    learned = train(
        *(data,), task="forecast", size=32, frames=4, ahead=2, epochs=1, batch_size=4, threads=1,
        out=str(tmp_path / "forecast"),
    )  # fmt: skip
    result = train(data, **SETTINGS, init=str(learned.run), out=str(tmp_path / "run"))
    assert result.initial_weights == f"the encoder of {learned.run}"
    again = train(data, **SETTINGS, init=str(result.run), out=str(tmp_path / "again"))
    assert again.validation.labels == ("left", "right")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--task", "motion"],
            "--init is for classes only: leave it out with --task motion.",
        ),
        (
            ["--task", "forecast"],
            "--init is for classes only: leave it out with --task forecast.",
        ),
        (
            ["--encoder", "rows"],
            "--init sets the encoder, and --encoder rows has none: leave out one of them.",
        ),
        (
            ["--preset", "article"],
            "--init sets the encoder, and --encoder rows has none: leave out one of them.",
        ),
    ],
    ids=str,
)
def test_trainings_without_encoders(
    vidgru: Vidgru, data: Path, tmp_path: Path, forecast: Path, words: list[str], sentence: str
) -> None:
    done = vidgru("train", data, *words, "--init", forecast, "--out", tmp_path / "run")
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1] == f"Error: {sentence}"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["train", "compare"])
@pytest.mark.parametrize(
    ("spec", "words", "sentence"),
    [
        (
            MOTION,
            [],
            "{} is a model of motion, whose encoder a classifier cannot use: give --init a "
            "classifier, or a model of `vidgru train --task forecast`.",
        ),
        (ROWS, [], "{} reads rows of pixels: it has no encoder for --init."),
        (
            FORECAST,
            ["--input", "rgb"],
            "{} has encoders for --input both, which do not match --input rgb: give --input both, "
            "or another --init.",
        ),
        (
            replace(CLASSES, input="diff"),
            [],
            "{} has encoders for --input diff, which do not match --input both: give --input diff, "
            "or another --init.",
        ),
        ("absent", [], "No model at {}: give a run folder or a model file of `vidgru train`."),
        ("junk", [], "Cannot read the model {}: it is damaged, cut short or no model."),
        ("short", [], "Cannot read the model {}: it is damaged, cut short or no model."),
        (
            "foreign",
            [],
            "{} is damaged, or of another version of vidgru: its weights do not fit its "
            "description. Train it anew.",
        ),
    ],
    ids=str,
)
def test_models_that_do_not_fit(
    vidgru: Vidgru,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    spec: AnySpec | str,
    words: list[str],
    sentence: str,
) -> None:
    path = tmp_path / "model.safetensors"
    if not isinstance(spec, str):
        model(path, spec)
    elif spec == "junk":
        path.write_bytes(b"junk" * 100)
    elif spec == "short":
        path.write_bytes(model(path).read_bytes()[:-100])
    elif spec == "foreign":
        save_model(path, load_file(model(path)), CLASSES, {})
    # Told before anything is decoded.
    monkeypatch.setattr(datasets, "build_dataset", lambda *_: pytest.fail("decoded"))
    run = tmp_path / "run"
    done = vidgru(command, data, *QUICK, *words, "--init", path, "--out", run)
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-1] == f"Error: {sentence.format(path)}"
    assert not run.exists()


def test_processes_that_find_other_models(
    data: Path, tmp_path: Path, forecast: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ClassifyTrainConfig(init=str(forecast))
    assert isinstance(read_encoders(config), PretrainedEncoder)
    monkeypatch.setattr("vidgru.tasks.classify.encoders.from_main", lambda make: b"another")
    with pytest.raises(Exception, match=r"^The processes of this training find other models at"):
        read_encoders(config)


def test_a_hostile_name_steers_nothing(vidgru: Vidgru, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data", 2)
    path = model(tmp_path / "[red]\x1b[31mx.safetensors")
    done = vidgru("train", folder, *QUICK, "--init", path, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    assert "\x1b" not in done.out + done.err
    assert "[red]\\x1b[31mx.safetensors" in "".join(done.out.split())
    with pytest.raises(OptionError) as refused:
        ClassifyTrainConfig(init="a\0b")
    assert str(refused.value) == r"Invalid path 'a\x00b'. A path holds no null character."
