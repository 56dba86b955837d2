"""The model that learns from the validation clips, too, once another one was measured on them."""

import csv
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Done
from helpers import verbs_that_work

from vidgru import TrainResult, load, resume, train
from vidgru.core.errors import DataError
from vidgru.core.results import Progress
from vidgru.tasks.classify.results import Confused
from vidgru.tasks.classify.train_step import ClassifyTrainStep
from vidgru.tasks.classify.transforms import Checks, Probe

OPTIONS = {"size": 16, "batch_size": 4, "threads": 1}
GIVEN = [f"--{name.replace('_', '-')}={value}" for name, value in OPTIONS.items()]


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Let a training of the default length be short, and four validation clips be enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vidgru.tasks.classify.training.MIN_STEPS", 10)
        patch.setattr("vidgru.tasks.classify.training.DEFAULT_EPOCHS", 1)
        patch.setattr("vidgru.data.dataset.FEW_TO_VALIDATE", 2)
        yield


@pytest.fixture(scope="module")
def twice(data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return learn(data, tmp_path_factory.mktemp("twice") / "run")


def learn(data: Path, out: Path, **options: Any) -> TrainResult:
    return train(data, out=str(out), **OPTIONS, **options)


def split_of(run: Path) -> dict[str, str]:
    with open(run / "split.csv", newline="", encoding="utf-8") as file:
        return {row["path"]: row["split"] for row in csv.DictReader(file)}


def bytes_of(run: Path) -> list[bytes]:
    return [(run / place / "model.safetensors").read_bytes() for place in ("", "fold-1")]


def test_the_model_learned_from_all_and_the_figures_are_of_one_that_did_not(
    twice: TrainResult,
) -> None:
    assert twice.measured == twice.run / "fold-1"
    measured = split_of(twice.measured)
    assert set(measured.values()) == {"train", "val"}
    held = [name for name, part in measured.items() if part == "val"]
    assert split_of(twice.run) == dict.fromkeys(measured, "train")
    assert twice.train_clips == len(measured) == 12
    assert twice.split.clips == {"train": 12 - len(held), "val": len(held), "test": 0}
    assert sum(twice.validation.count.values()) == len(held)
    alone, whole = load(twice.measured), load(twice.run)
    assert alone.metrics["validation"] == whole.metrics["validation"] == twice.validation.to_dict()
    pairs = zip(alone.network.parameters(), whole.network.parameters(), strict=True)
    assert not all(torch.equal(one, other) for one, other in pairs)


def test_the_one_measured_is_that_of_a_single_training(
    twice: TrainResult, data: Path, tmp_path: Path
) -> None:
    single = learn(data, tmp_path / "run", folds=1)
    assert single.measured is None
    assert not (single.run / "fold-1").exists()
    assert single.validation == twice.validation
    assert bytes_of(twice.run)[1] == (single.run / "model.safetensors").read_bytes()


def test_the_words(
    data: Path, tmp_path: Path, vidgru: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # so that no path is longer than a line
    run = Path("a run")
    done = vidgru("train", data, *GIVEN, "--out", run, "-q")
    assert (done.code, done.err) == (0, "")
    assert (
        "These figures are of the model in a run/fold-1, trained without the validation clips; the "
        "model itself then learned from all 12 clips. To train once: --folds 1."
    ) in " ".join(done.out.split())
    assert verbs_that_work(done.out, vidgru) == ["predict"]
    done = vidgru("evaluate", data, "--model", run, "-q")
    assert done.code == 1
    assert done.err == (
        f"Error: The model was trained on all clips in {data} (12): give other clips, or "
        f"--model '{run}/fold-1', which held some out.\n"
    )
    assert vidgru("evaluate", data, "--model", run / "fold-1", "-q").code == 0
    done = vidgru("export", run, "--int8", "--out", "model.onnx")
    assert done.code == 1
    assert done.err == (
        f"Error: --int8 needs clips that the model did not learn from, and {run} names none: export"
        f" the run folder of a training that held some out, such as '{run}/fold-1'.\n"
    )
    done = vidgru("export", run / "fold-1", "--int8", "--out", "model.onnx")
    assert (done.code, done.err) == (0, "")
    assert "with 8 bits" in done.out


@pytest.mark.parametrize("options", [{"epochs": 1}, {"minutes": 0.02}, {"folds": 1}])
def test_who_chooses_the_length_or_one_training_gets_one(
    options: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    result = learn(data, tmp_path / "run", **options)
    assert result.measured is None
    assert "val" in split_of(result.run).values()


def test_validation_clips_that_somebody_chose_are_not_learned_from(
    twice: TrainResult, data: Path, tmp_path: Path
) -> None:
    assert twice.measured is not None
    chosen = learn(data, tmp_path / "run", split=str(twice.measured / "split.csv"))
    assert chosen.measured is None
    assert split_of(chosen.run) == split_of(twice.measured)
    clips = tmp_path / "clips"
    for name, part in split_of(twice.measured).items():
        place = clips / part / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(data / name, place)
    assert learn(clips, tmp_path / "given").measured is None


def test_enough_validation_clips_choose_the_best_epoch(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("folds", "training"):
        monkeypatch.setattr(f"vidgru.tasks.classify.{module}.ENOUGH_TO_CHOOSE", 2)
    result = learn(data, tmp_path / "run")
    assert result.measured is None
    assert result.chosen


def test_test_clips_are_never_learned_from(data: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    shutil.copytree(data, clips / "train")
    for name in ("left/0.avi", "right/0.avi"):
        (clips / "test" / name).parent.mkdir(parents=True)
        shutil.move(clips / "train" / name, clips / "test" / name)
    result = learn(clips, tmp_path / "run")
    assert result.measured is not None
    assert {n for n, part in split_of(result.run).items() if part == "test"} == {
        "test/left/0.avi",
        "test/right/0.avi",
    }
    assert "test" not in split_of(result.measured).values()
    assert result.train_clips == 10
    assert result.test is not None
    model = load(result.run)
    right = [model.predict(clips / f"test/{c}/0.avi").label == c for c in ("left", "right")]
    assert result.test.accuracy == sum(right) / 2


@pytest.mark.parametrize("steps", [7, 10, 13])
def test_broken_off_and_resumed_it_ends_with_the_same_bytes(
    steps: int, twice: TrainResult, data: Path, tmp_path: Path, vidgru: Callable[..., Done]
) -> None:
    run, step, taken = tmp_path / "run", ClassifyTrainStep.step, [0]

    def interrupted(self: ClassifyTrainStep, done: float) -> float:
        if taken[0] == steps:
            raise KeyboardInterrupt
        taken[0] += 1
        return step(self, done)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ClassifyTrainStep, "step", interrupted)
        done = vidgru("train", data, *GIVEN, "--out", run, "-q")
    assert done.code == 130
    assert done.err.splitlines()[-1] == (
        "Stopped: Interrupted; what was trained so far is kept. "
        f"Resume with: vidgru train --resume {run}"
    )
    result = resume(run)
    assert bytes_of(run) == bytes_of(twice.run)
    assert result.measured == run / "fold-1"
    assert result.validation == twice.validation
    assert result.interval == twice.interval
    assert (result.confused, result.checked) == (twice.confused, twice.checked)


def test_what_is_checked_without_the_validation_clips_holds_for_both(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[int] = []

    def found(probe: Probe, transform: str) -> Checks:
        checked.append(len(probe.examples.targets))
        yield Progress("checking mirrored clips", 1, 1)
        return (Confused(transform, "left", "right", 0.5, 1.0),)

    monkeypatch.setattr("vidgru.tasks.classify.training.steps_to_check", lambda *_: 60)
    monkeypatch.setattr("vidgru.tasks.classify.training.find_confused", found)
    result = learn(data, tmp_path / "run")
    assert result.measured is not None
    assert checked == [12 - sum(result.validation.count.values())]
    pair = Confused("mirror", "left", "right", 0.5, 1.0)
    assert result.confused == (pair,)
    assert result.mirrored == {"left": False, "right": False}
    whole = bytes_of(result.run)
    # As if the process had been killed before the second training began.
    (result.run / "last.ckpt").unlink()
    again = resume(result.run)
    assert len(checked) == 1
    assert (again.confused, again.checked, again.mirrored) == ((pair,), True, result.mirrored)
    assert bytes_of(again.run) == whole


def test_a_run_that_an_earlier_version_began_goes_on_as_it_did(
    twice: TrainResult, data: Path, tmp_path: Path
) -> None:
    single = learn(data, tmp_path / "run", folds=1)
    settings = single.run / "config.json"
    settings.write_text(settings.read_text().replace('"folds": 1', '"folds": null'))
    result = resume(single.run)
    assert result.measured is None
    assert split_of(result.run) == split_of(single.run)


def test_clips_that_changed_between_the_two_trainings_are_refused(
    data: Path, tmp_path: Path
) -> None:
    clips = shutil.copytree(data, tmp_path / "clips")
    result = learn(clips, tmp_path / "run")
    (result.run / "last.ckpt").unlink()
    (clips / "left" / "0.avi").unlink()
    with pytest.raises(DataError, match="The clips are no longer those that"):
        resume(result.run)
