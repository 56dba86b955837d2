"""The trainings of one run that share the cores, each in a process of its own."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Done
from helpers import make_folder, needs_onnx
from looks_encoders import write_encoder

from vidgru import TrainResult, resume, train
from vidgru.core.results import Progress
from vidgru.data.pool import Pool, program
from vidgru.tasks.classify import at_once
from vidgru.tasks.classify.at_once import Sharing, sharing_of, steps_at_once
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.train_step import ClassifyTrainStep

OPTIONS: dict[str, Any] = {"folds": 2, "epochs": 2, "size": 16, "batch_size": 4}
PLACES = ("", "fold-1", "fold-2")


def learn(data: Path, out: Path, threads: int) -> TrainResult:
    return train(data, out=str(out), threads=threads, **OPTIONS)


@pytest.fixture(scope="module")
def alone(data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """Return what one process does with one thread, one training after the other."""
    return learn(data, tmp_path_factory.mktemp("alone") / "run", threads=1)


def bytes_of(run: Path) -> list[bytes]:
    return [(run / place / "model.safetensors").read_bytes() for place in PLACES]


def no_steps(patch: pytest.MonkeyPatch) -> None:
    def step(self: ClassifyTrainStep, done: float) -> float:
        raise AssertionError("The other processes left a step undone.")

    patch.setattr(ClassifyTrainStep, "step", step)


def test_at_once_they_end_with_the_same_bytes(
    alone: TrainResult,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    no_steps(monkeypatch)
    result = learn(data, tmp_path / "run", threads=2)
    assert CRASHED not in caplog.messages
    assert bytes_of(result.run) == bytes_of(alone.run)
    assert result.validation == alone.validation
    assert 0.0001 < result.step_seconds < result.seconds
    assert [fold.accuracy for fold in result.folds] == [fold.accuracy for fold in alone.folds]


@needs_onnx
def test_each_process_decides_as_one_does_which_features_to_use(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"looks": str(write_encoder(tmp_path / "tiny.onnx")), "input": "auto", **OPTIONS}
    alone = train(data, out=str(tmp_path / "alone"), threads=1, **options)
    no_steps(monkeypatch)
    result = train(data, out=str(tmp_path / "run"), threads=2, **options)
    assert result.looks == alone.looks
    assert bytes_of(result.run) == bytes_of(alone.run)


def test_by_default_the_one_measured_and_the_one_on_all_clips_are_trained_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = make_folder(tmp_path / "clips", clips=30)
    options: dict[str, Any] = {"size": 16, "batch_size": 4, "augment": "none"}
    no_steps(monkeypatch)
    result = train(clips, out=str(tmp_path / "run"), threads=2, **options)
    assert result.measured == result.run / "fold-1"
    assert result.train_clips == 60
    assert sum(result.validation.count.values()) == 12
    monkeypatch.undo()
    single = train(clips, out=str(tmp_path / "single"), threads=1, folds=1, **options)
    assert result.validation == single.validation
    model = Path("model.safetensors")
    assert (result.measured / model).read_bytes() == (single.run / model).read_bytes()


THREADS = """
import os
from vidgru.data.worker import serve
serve(lambda request, beat: {"count": os.environ["OPENBLAS_NUM_THREADS"]})
"""


def test_processes_do_not_wait_for_each_others_matrix_products(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with Pool([sys.executable, "-c", THREADS], 1, 60.0) as pool:
        assert pool.ask({}) == {"count": "1"}


# A child that cannot start, and one that dies over each request.
DYING = [sys.executable, "-c", "print(flush=True); input()"]
CRASHED = (
    "A process that trains crashed or hung, as where memory is short: what is left is trained one "
    "after the other. To train so from the start: --threads 1."
)


@pytest.mark.parametrize("command", [program("vidgru.no_such_module"), ["false"], DYING])
def test_what_processes_leave_undone_is_done_here(
    command: list[str],
    alone: TrainResult,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(at_once, "WORKER", command)
    assert bytes_of(learn(data, tmp_path / "run", threads=2).run) == bytes_of(alone.run)
    assert caplog.messages.count(CRASHED) == 1


def test_interrupted_and_resumed_they_end_with_the_same_bytes(
    alone: TrainResult,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vidgru: Callable[..., Done],
) -> None:
    run = tmp_path / "run"

    def interrupted(*given: Any) -> Any:
        for progress in steps_at_once(*given):
            yield progress
            if (run / "fold-1" / "last.ckpt").exists():
                raise KeyboardInterrupt

    options = [f"--{name.replace('_', '-')}={value}" for name, value in OPTIONS.items()]
    with monkeypatch.context() as patch:
        patch.setattr("vidgru.tasks.classify.folds.steps_at_once", interrupted)
        done = vidgru("train", data, *options, "--threads=2", "--out", run, "-q")
    assert done.code == 130
    assert done.err.splitlines()[-1] == (
        "Stopped: Interrupted; what was trained so far is kept. "
        f"Resume with: vidgru train --resume {run}"
    )
    no_steps(monkeypatch)
    resume(run)
    assert bytes_of(run) == bytes_of(alone.run)


def test_an_error_in_a_process_is_reported_by_this_one(
    data: Path, tmp_path: Path, vidgru: Callable[..., Done]
) -> None:
    run = tmp_path / "run"
    learn(clips := shutil.copytree(data, tmp_path / "clips"), run, threads=2)
    (clips / "left" / "0.avi").unlink()
    done = vidgru("train", "--resume", run, "-q")
    assert done.code == 1
    assert done.err.startswith("Error: The clips are no longer those that ")


def test_progress_counts_all_of_them(alone: TrainResult) -> None:
    found = list[Progress]()
    found += steps_at_once(alone.run, 3, Sharing(2, 1))
    assert {one.stage for one in found} == {"training 3 models"}
    assert {one.total for one in found} == {3000}
    assert found[-1].done == 3000


@pytest.mark.parametrize(
    ("threads", "count", "sharing"),
    [
        (1, 2, None),
        (2, 2, Sharing(2, 1)),
        (2, 5, Sharing(2, 1)),
        (3, 2, Sharing(2, 1)),
        (8, 2, Sharing(2, 4)),
        (8, 5, Sharing(3, 2)),
        (64, 3, Sharing(3, 21)),
    ],
)
def test_how_the_cores_are_shared(threads: int, count: int, sharing: Sharing | None) -> None:
    assert sharing_of(ClassifyTrainConfig(threads=threads), count) == sharing


def test_a_time_limit_is_for_one_after_the_other() -> None:
    assert sharing_of(ClassifyTrainConfig(threads=2, minutes=1.0), 2) is None


def test_by_default_all_cores_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_once, "cores", lambda: 4)
    assert sharing_of(ClassifyTrainConfig(), 2) == Sharing(2, 2)
