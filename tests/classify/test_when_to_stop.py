"""When a classifier's training ends, which weights it keeps, and when it cross-validates."""

import csv
import logging
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers import make_folder, stop_after

from vidgru import TrainResult, resume, train
from vidgru.commands.train import train_steps
from vidgru.core.results import run_to_end
from vidgru.data.dataset import build_dataset, read_clips
from vidgru.engine import trainer
from vidgru.engine.model_file import load_checkpoint
from vidgru.tasks.classify import training
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.results import Confused, Scores
from vidgru.tasks.classify.sampling import choose_sampling
from vidgru.tasks.classify.score_tables import _few, _mirroring, show_training

SMALL = {"size": 16, "batch_size": 4, "threads": 1}


def learn(data: Path, run: Path, **options: object) -> TrainResult:
    return train(data, **{**SMALL, "out": str(run), **options})


def metrics(run: Path) -> list[dict[str, float]]:
    with open(run / "metrics.csv", newline="") as file:
        return [{name: float(x) for name, x in row.items()} for row in csv.DictReader(file)]


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan 50 steps, and find at the first validation that all is learned."""
    monkeypatch.setattr(training, "MIN_STEPS", 50)
    monkeypatch.setattr(training, "LEARNED", 100.0)


@pytest.mark.usefixtures("short")
def test_it_ends_early_once_all_is_learned(data: Path, tmp_path: Path) -> None:
    result = learn(data, tmp_path / "run")
    table = metrics(result.run)
    first = int(table[0]["step"])
    # Four tenths of the steps that were left, over which the learning rate falls to nothing.
    assert int(table[-1]["step"]) == first + round(0.4 * (50 - first))
    assert result.ended_early
    assert load_checkpoint(result.run / "last.ckpt")["schedule"][1] == first


@pytest.mark.usefixtures("short")
def test_going_on_with_what_ends_early_gives_the_same_bits(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = learn(data, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_after(12, patch)
        with pytest.raises(KeyboardInterrupt):
            learn(data, tmp_path / "broken")
    again = resume(tmp_path / "broken")
    assert again.model.read_bytes() == whole.model.read_bytes()
    assert again.ended_early


@pytest.mark.usefixtures("short")
def test_who_says_how_long_gets_all_of_it(data: Path, tmp_path: Path) -> None:
    result = learn(data, tmp_path / "run", epochs=4)
    assert (result.ended_early, result.epochs) == (False, 4)


def test_it_goes_on_while_there_is_something_to_learn(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "MIN_STEPS", 50)
    monkeypatch.setattr(training, "LEARNED", -1.0)
    result = learn(data, tmp_path / "run")
    assert not result.ended_early
    assert int(metrics(result.run)[-1]["step"]) == 50


def test_the_last_epoch_is_kept_unless_many_clips_show_a_better(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, shares = training.Classify.scores, iter([0.9, 0.5, 0.7, 0.5, 0.5])

    def scores(self: training.Classify, *given: torch.Tensor) -> Scores:
        return replace(real(self, *given), balanced=next(shares))

    monkeypatch.setattr(training.Classify, "scores", scores)
    monkeypatch.setattr(training.ClassifyTrainer, "validations", lambda self: 4)
    few = learn(data, tmp_path / "few", epochs=4)
    assert (few.best_epoch, few.chosen) == (4, False)
    last = load_checkpoint(few.run / "last.ckpt")["network"]
    kept = load_model(few.run).network.state_dict()
    assert all(torch.equal(last[name], kept[name]) for name in kept)
    monkeypatch.setattr(training, "ENOUGH_TO_CHOOSE", 2)
    shares = iter([0.9, 0.5, 0.7, 0.5, 0.5])
    many = learn(data, tmp_path / "many", epochs=4)
    assert (many.best_epoch, many.chosen) == (1, True)


def test_curves_and_table_use_one_measure(trained: TrainResult) -> None:
    row = metrics(trained.run)[-1]
    assert row["val_accuracy"] == pytest.approx(trained.validation.accuracy, abs=1e-6)
    assert row["val_balanced"] == pytest.approx(trained.validation.balanced, abs=1e-6)


def folds_of(folder: Path, caplog: pytest.LogCaptureFixture, **options: object) -> int | None:
    caplog.clear()
    config = ClassifyTrainConfig(**options)
    clips = read_clips(folder, config)
    sampling = choose_sampling(clips, config, 96)
    found = run_to_end(build_dataset(clips, sampling, config, folder))
    told = [r.getMessage() for r in caplog.records if "folds" in r.getMessage()]
    assert bool(told) == (found.folds is not None and config.folds is None)
    if told:
        assert told == [
            "Only 2 validation clips: too few to measure accuracy, so 4 folds are trained, then the"
            " model on all clips. To train once: --folds 1."
        ]
        assert found.parts["val"] == []
    return found.folds


def test_few_clips_are_cross_validated(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    assert folds_of(data, caplog) == 4
    assert folds_of(data, caplog, folds=1) is None
    assert folds_of(data, caplog, folds=3) == 3
    for given in ({"epochs": 3}, {"minutes": 1.0}, {"val": 0.3}, {"size": 32}):
        assert folds_of(data, caplog, **given) is None
    parts = make_folder(tmp_path / "parts" / "train").parent
    make_folder(parts / "val")
    assert folds_of(parts, caplog) is None


def test_the_summary_says_what_was_decided(
    trained: TrainResult, capsys: pytest.CaptureFixture[str]
) -> None:
    low, high = trained.interval
    assert 0 <= low <= trained.validation.accuracy <= high <= 1
    assert high - low > 0.3
    text = _few(replace(trained, interval=(0.3, 0.95)))
    assert text.endswith(
        " of 2 validation clips (95 % interval: 30.0 % to 95.0 %). For a better estimate: "
        "--folds 4."
    )
    # Of parts that are given no folds can be made.
    given = replace(trained, split=replace(trained.split, given=True))
    assert _few(given).endswith(" %).")
    assert (trained.mirrored, trained.checked) == ({"left": False, "right": False}, False)
    assert _mirroring(trained) == (
        "Mirror images are not used (not tested in so short a training). If wrong: --flip."
    )
    used = replace(trained, mirrored={"left": True, "right": True}, checked=True)
    plain = _mirroring(used)
    assert plain == "Mirror images are used. If wrong: --no-flip."
    pair = Confused("mirror", "left", "right", 0.5, 1.0)
    found = replace(trained, mirrored={"left": False, "right": False}, confused=(pair,))
    assert _mirroring(found) == (
        "Mirror images are not used: classes would become inseparable (accuracy on held-out"
        " training clips: left and right 50.0 % (100.0 % without)). If wrong: --flip."
    )
    named = Confused("mirror", "left", "right", 0.6, 0.6)
    assert _mirroring(replace(found, confused=(named,))) == (
        "Mirror images are not used: by their names left and right are mirror images, which these"
        " clips did not show. If wrong: --flip."
    )
    assert _mirroring(replace(found, confused=(pair, named))).endswith(
        "(100.0 % without)); by their names left and right are mirror images, which these clips"
        " did not show. If wrong: --flip."
    )
    show_training(trained)
    said = " ".join(capsys.readouterr().out.split())
    assert "kept epoch 4 (the last)" in said


def test_checks_leave_most_of_the_minutes_for_training(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[bool] = []
    step = training.ClassifyTrainStep.step

    def take(self: training.ClassifyTrainStep, done: float) -> float:
        seen.append(bool(self.mirrored.any()))
        return step(self, done)

    monkeypatch.setattr(training.ClassifyTrainStep, "step", take)
    monkeypatch.setattr(training, "CHECK_SHARE", 0.0)
    config = ClassifyTrainConfig(minutes=1.0, out=str(tmp_path / "run"), **SMALL)
    stages = set()
    for progress in train_steps(data, config):
        stages.add(progress.stage)
        if progress.stage == "training" and progress.done > 1:
            break
    assert "checking mirrored clips" not in stages
    assert not seen[-1]
    assert "unchecked, they are not used. Give more --minutes, or --flip or" in caplog.text


def test_validations_that_take_long_leave_most_of_the_minutes_for_training(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, seconds = time.monotonic(), 0.0

    def slowed(owner: type, name: str, takes: float) -> None:
        plain = getattr(owner, name)

        def take(self: object, *given: float) -> object:
            nonlocal seconds
            seconds += takes
            return plain(self, *given)

        monkeypatch.setattr(owner, name, take)

    slowed(training.ClassifyTrainStep, "step", 1.0)
    slowed(training.ClassifyTrainer, "measure", 10.0)
    clock = SimpleNamespace(monotonic=lambda: begun + seconds, perf_counter=lambda: seconds)
    monkeypatch.setattr(trainer, "time", clock)
    result = learn(data, tmp_path / "run", minutes=2.0, flip=True, folds=1)
    steps = [int(row["step"]) for row in metrics(result.run)]
    # The first after a twenty-fifth of the time, each further one after 40 steps, the last in time.
    assert steps[0] == pytest.approx(5, abs=2)
    assert [after - before for before, after in pairwise(steps[:-1])] == [40, 40]
    assert steps[-1] == pytest.approx(90, abs=6)
