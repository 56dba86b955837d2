"""Cross-validation, and the model that learns from all clips after it."""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Done
from helpers import verbs_that_work

from vidgru import TrainResult, load, resume, train
from vidgru.core.errors import DataError
from vidgru.data.folder import Clip
from vidgru.data.split import split_folds, units_of
from vidgru.tasks.classify.training import ClassifyTrainer

GROUPS = r"/(\d)"


def learn(data: Path, out: Path) -> TrainResult:
    return train(
        data, folds=3, group_by=GROUPS, epochs=2, size=16, batch_size=4, threads=1, out=str(out)
    )


@pytest.fixture(scope="module")
def folded(data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return learn(data, tmp_path_factory.mktemp("folds") / "run")


def split_of(run: Path) -> dict[str, str]:
    with open(run / "split.csv", newline="", encoding="utf-8") as file:
        return {row["path"]: row["split"] for row in csv.DictReader(file)}


def test_each_clip_is_held_out_once(folded: TrainResult) -> None:
    splits = [split_of(fold.run) for fold in folded.folds]
    assert [set(split) for split in splits] == [set(splits[0])] * 3
    held = Counter(name for split in splits for name, part in split.items() if part == "val")
    assert set(held.values()) == {1}
    assert len(held) == 12
    for split in splits:
        sides = [{name[-5] for name, p in split.items() if p == part} for part in ("train", "val")]
        assert not sides[0] & sides[1]
    assert set(split_of(folded.run).values()) == {"train"}


def test_scores_are_those_of_the_folds_models_at_their_last_epoch(folded: TrainResult) -> None:
    right, told = 0, []
    for fold in folded.folds:
        model = load(fold.run)
        held = [name for name, part in split_of(fold.run).items() if part == "val"]
        answers = [model.predict(f"{data_of(folded)}/{name}").label for name in held]
        hits = sum(a == name.split("/")[0] for a, name in zip(answers, held, strict=True))
        told.append(hits / len(held))
        right += hits
        assert fold.clips == len(held)
        assert fold.groups == 2
        with open(fold.run / "metrics.csv", newline="") as file:
            assert model.metrics["best_epoch"] == round(float([*csv.DictReader(file)][-1]["epoch"]))
    assert [fold.accuracy for fold in folded.folds] == pytest.approx(told)
    assert folded.validation.accuracy == pytest.approx(right / 12)
    assert load(folded.run).metrics["validation"]["accuracy"] == pytest.approx(right / 12)


def data_of(result: TrainResult) -> str:
    return str(json.loads((result.run / "config.json").read_text())["folder"])


@pytest.mark.parametrize("steps", [1, 7, 13])
def test_broken_off_and_resumed_it_ends_with_the_same_bytes(
    steps: int,
    folded: TrainResult,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vidgru: Callable[..., Done],
) -> None:
    whole = (folded.run / "model.safetensors").read_bytes()
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stop_in_training(steps, patch)
        options = ["--folds", 3, "--group-by", GROUPS, "--epochs", 2, "--size", 16]
        options += ["--batch-size", 4, "--threads", 1, "--out", run]
        done = vidgru("train", data, *options)
    if steps == 1:
        # Nothing worth keeping yet.
        assert done.code == 130
        assert done.err.splitlines()[-1] == (
            "Stopped: Interrupted before the first checkpoint: nothing is kept."
        )
        assert not run.exists()
        return
    assert done.code == 130
    assert done.err.splitlines()[-1] == (
        "Stopped: Interrupted; what was trained so far is kept. "
        f"Resume with: vidgru train --resume {run}"
    )
    result = resume(run)
    assert (run / "model.safetensors").read_bytes() == whole
    assert [fold.accuracy for fold in result.folds] == [fold.accuracy for fold in folded.folds]


def stop_in_training(steps: int, patch: pytest.MonkeyPatch) -> None:
    """Break off after so many steps of all trainings together."""
    from vidgru.tasks.classify.train_step import ClassifyTrainStep

    step, taken = ClassifyTrainStep.step, [0]

    def interrupted(self: ClassifyTrainStep, done: float) -> float:
        if taken[0] == steps:
            raise KeyboardInterrupt
        taken[0] += 1
        return step(self, done)

    patch.setattr(ClassifyTrainStep, "step", interrupted)


def test_a_plot_does_not_say_that_a_fold_is_finished(
    folded: TrainResult, data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stop_in_training(7, patch)  # in the second fold
        patch.setattr(ClassifyTrainer, "due", lambda self: True)  # a checkpoint at every step
        with pytest.raises(KeyboardInterrupt):
            learn(data, run)
    assert (run / "fold-2" / "last.ckpt").is_file()
    (run / "fold-2" / "confusion.png").touch()
    resume(run)
    for name in ("fold-2/model.safetensors", "model.safetensors"):
        assert (run / name).read_bytes() == (folded.run / name).read_bytes()


def test_finished_folds_without_plots_are_not_learned_again(
    folded: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = shutil.copytree(folded.run, tmp_path / "run")
    for plot in run.glob("**/*.png"):
        plot.unlink()
    stop_in_training(0, monkeypatch)  # a single step would raise
    result = resume(run)
    assert [fold.accuracy for fold in result.folds] == [fold.accuracy for fold in folded.folds]
    for place in ("", "fold-1", "fold-2", "fold-3"):
        model = Path(place, "model.safetensors")
        assert (run / model).read_bytes() == (folded.run / model).read_bytes()
        assert (run / place / "confusion.png").is_file()


def test_the_table_of_folds(data: Path, tmp_path: Path, vidgru: Callable[..., Done]) -> None:
    options = ["--folds", 2, "--epochs", 1, "--size", 16, "--batch-size", 4, "--threads", 1]
    done = vidgru("train", data, *options, "--out", tmp_path / "run", "-q", "--group-by", "none")
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert [line[:2] for line in lines if line and line[0] in "12"] == [
        *(["1", "6"], ["2", "6"]),
        ["12", "clips"],
    ]
    assert any(line[:2] == ["mean", "12"] and "+-" in line for line in lines)
    assert "12 clips train in 2 folds (no groups).\n" in done.out
    assert verbs_that_work(done.out, vidgru) == ["predict"]  # it was trained on all clips


def test_folds_that_cannot_be(data: Path, tmp_path: Path, vidgru: Callable[..., Done]) -> None:
    done = vidgru("train", data, "--folds", 7, "--group-by", GROUPS, "--out", tmp_path / "run")
    assert done.code == 1
    assert done.err == (
        "Error: --folds 7 needs at least 7 groups of clips, but there are only 6: "
        "give fewer folds, or another --group-by.\n"
    )
    done = vidgru("train", data, "--folds", 2, "--split", "x.csv")
    assert done.code == 2
    assert done.err == "Error: Give only one of --split and --folds.\n"


def clip(label: str, number: int, group: str | None = None) -> Clip:
    return Clip(Path(f"{label}/{number}"), f"{label}/{number}", label, group=group)


@pytest.mark.parametrize("seed", range(5))
def test_folds_are_stratified_and_keep_units_whole(seed: int) -> None:
    clips = [clip(c, n, str(n % 10)) for c, count in (("a", 40), ("b", 20)) for n in range(count)]
    folds = split_folds(clips, 5, seed)
    for train_clips, held in folds:
        assert Counter(c.label for c in held) == {"a": 8, "b": 4}
        assert len(train_clips) == 48
        assert not {c.group for c in held} & {c.group for c in train_clips}


def test_clips_that_show_the_same_join_their_groups() -> None:
    clips = [clip("a", n, str(n // 2)) for n in range(8)] + [clip("a", n) for n in (8, 9)]
    units = units_of(clips, [(clips[0], clips[3]), (clips[8], clips[4]), (clips[9], clip("b", 1))])
    process_group = {
        frozenset(c.name for c in clips if units[c] == unit) for unit in units.values()
    }
    names = [{"a/0", "a/1", "a/2", "a/3"}, {"a/4", "a/5", "a/8"}, {"a/6", "a/7"}, {"a/9"}]
    assert process_group == {frozenset(n) for n in names}


def test_a_class_in_one_unit_cannot_be_held_out() -> None:
    clips = [clip("a", n) for n in range(6)] + [clip("b", n, "x") for n in range(3)]
    with pytest.raises(DataError, match="no clip of the class 'b' is left to train on"):
        split_folds(clips, 3, 0)


def test_folds_of_other_clips_are_not_believed(
    folded: TrainResult, data: Path, tmp_path: Path
) -> None:
    run, clips = tmp_path / "run", tmp_path / "clips"
    shutil.copytree(data, clips)
    learn(clips, run)
    (run / "last.ckpt").unlink()  # as if broken off before the last training began
    (clips / "left" / "0.avi").unlink()
    with pytest.raises(DataError, match="The clips are no longer those that"):
        resume(run)
