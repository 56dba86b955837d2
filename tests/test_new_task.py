"""What a fifth task takes: one package and one line in the registry."""

import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Done
from helpers import write_clip

from vidgru.cli import main as program
from vidgru.cli import train as train_cli
from vidgru.core.errors import ModelError, OptionError
from vidgru.engine.model_file import load_checkpoint
from vidgru.engine.train_step import TrainStep
from vidgru.tasks import registry

Vidgru = Callable[..., Done]
PACKAGE = Path(__file__).parent / "brightness"


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    modules = (program, train_cli)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.PACKAGES, "brightness", "brightness")
        for module in modules:
            importlib.reload(module)
        yield
    for module in modules:
        importlib.reload(module)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Return clips each of which becomes brighter by 8 of 255 a frame, at 5 frames/s."""
    for number in range(10):
        levels = (10 + 9 * number + 8 * np.arange(12)).astype(np.uint8)
        frames = np.broadcast_to(levels[:, None, None, None], (12, 16, 16, 3))
        write_clip(tmp_path / "films" / f"{number}.avi", np.ascontiguousarray(frames), 5)
    return tmp_path / "films"


def test_it_takes_little() -> None:
    lines = [line for path in PACKAGE.glob("*.py") for line in path.read_text().splitlines()]
    assert len([line for line in lines if line.strip()]) <= 120


def test_it_trains_evaluates_and_predicts(
    vidgru: Vidgru, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    words = ("--task", "brightness", "--out", run, "--threads", 1, "-q")
    done = vidgru(
        "train",
        films,
        *words,
        "--later",
        1,
        "--epochs",
        60,
        "--lr",
        0.03,
        "--batch-size",
        2,
        "--json",
    )
    assert done.code == 0, done.err
    assert json.loads(done.out)["value"] < 0.05
    assert (run / "metrics.csv").read_text().startswith("epoch,step,train_loss,val_error,")
    bright = (
        np.full((6, 16, 16, 3), 100, np.uint8)
        + 8 * np.arange(6, dtype=np.uint8)[:, None, None, None]
    )
    film = write_clip(tmp_path / "new.avi", bright, 5)
    done = vidgru("brightness", film, "--model", run, "--json", "-q")
    assert done.code == 0, done.err
    answer = json.loads(done.out)
    assert answer["source"] == str(film)
    assert answer["value"] == pytest.approx((100 + 8 * 6) / 255, abs=0.06)
    # What it learned from is left out; there is something else in the folder.
    write_clip(films / "new.avi", bright, 5)
    done = vidgru("evaluate", films, "--model", run, "--json", "-q")
    assert done.code == 0, done.err
    assert json.loads(done.out)["value"] < 0.06
    done = vidgru("brightness", film, "--model", run, "-q")
    assert done.out == f"value: {answer['value']}\nsource: {film}\n"


def test_it_resumes_to_the_same_bits(
    vidgru: Vidgru, films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--task", "brightness", "--threads", 1, "--epochs", 20, "-q")
    assert vidgru("train", films, *words, "--out", tmp_path / "whole").code == 0
    follow, steps = TrainStep._follow, 0

    def stop(self: TrainStep, loss: torch.Tensor) -> float:
        nonlocal steps
        steps += 1
        if steps == 8:
            raise KeyboardInterrupt
        return follow(self, loss)

    with monkeypatch.context() as patch:
        patch.setattr(TrainStep, "_follow", stop)
        done = vidgru("train", films, *words, "--out", tmp_path / "parts")
    assert done.code == 130
    assert load_checkpoint(tmp_path / "parts" / "last.ckpt")["steps"] < 8
    done = vidgru("train", "--resume", tmp_path / "parts", "-q")
    assert done.code == 0, done.err
    one, other = (tmp_path / name / "model.safetensors" for name in ("whole", "parts"))
    assert one.read_bytes() == other.read_bytes()


def test_it_has_help_and_options_of_its_own(vidgru: Vidgru, tmp_path: Path) -> None:
    assert "Predict how bright the next frame of a video is." in vidgru("--help").out
    text = " ".join(vidgru("train", "--help").out.split())
    assert "What to train: classify, motion, forecast, scenes, brightness." in text
    assert "--later INTEGER RANGE" in text or "--later INTEGER" in text
    assert vidgru("brightness", "--help").code == 0
    with pytest.raises(OptionError, match="--later is for brightness: add --task brightness, or"):
        registry.train_config({"task": "motion", "later": 2})
    with pytest.raises(OptionError, match="--core is for classes only: leave it out with --task b"):
        registry.train_config({"task": "brightness", "core": "gru"})


def test_its_models_are_not_those_of_others(vidgru: Vidgru, films: Path, tmp_path: Path) -> None:
    words = ("--task", "brightness", "--epochs", 1, "--out", tmp_path / "run", "-q")
    assert vidgru("train", films, *words).code == 0
    with pytest.raises(ModelError, match="predicts brightness: use `vidgru brightness`"):
        registry.load(tmp_path / "run", "motion")
