"""Going on with a training that was broken off: to the same bits, whatever broke it off."""

import errno
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from conftest import Done
from helpers import running, stop_after

from vidgru import resume, train
from vidgru.core import files
from vidgru.core.errors import DataError, ModelError, OutputError
from vidgru.core.results import Progress
from vidgru.engine import run_folder
from vidgru.engine import trainer as course
from vidgru.engine.model_file import load_checkpoint
from vidgru.tasks.classify import training
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.spec import Confidence
from vidgru.tasks.classify.train_step import ClassifyTrainStep
from vidgru.terminal import progress

Vidgru = Callable[..., Done]

OPTIONS = ["--size", 16, "--epochs", 24, "--batch-size", 4, "--threads", 1, "--augment", "strong"]
STEPS = 60  # of 10 clips, 24 times


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run folder of a training that nothing broke off; tests must not change it."""
    run = tmp_path_factory.mktemp("whole") / "run"
    command = [sys.executable, "-m", "vidgru", "train", str(data), *map(str, OPTIONS)]
    subprocess.run([*command, "--out", str(run)], check=True, capture_output=True)
    return run


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a checkpoint after every step."""
    monkeypatch.setattr(course, "LATEST", -1.0)


def same(run: Path, whole: Path) -> None:
    """Check that the weights are the same, byte for byte, and so are all reported figures."""
    assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    for name in ("split.csv", "confusion.png"):
        assert (run / name).read_bytes() == (whole / name).read_bytes()
    tables = [
        [line.rsplit(",", 1)[0] for line in (folder / "metrics.csv").read_text().splitlines()]
        for folder in (run, whole)
    ]
    assert tables[0] == tables[1]  # but for the seconds


@pytest.mark.parametrize("at", [1, 7, 33, 40, STEPS - 1])
def test_going_on_from_any_step_gives_the_same_bits(
    vidgru: Vidgru,
    data: Path,
    tmp_path: Path,
    whole: Path,
    often: None,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
) -> None:
    run = tmp_path / "a run"
    with monkeypatch.context() as patch:
        stop_after(at, patch)
        done = vidgru("train", data, *OPTIONS, "--out", run)
    assert done.code == 130
    assert done.err.endswith(f"Resume with: vidgru train --resume '{run}'\n")
    assert load_checkpoint(run / "last.ckpt")["steps"] == at
    done = vidgru("train", "--resume", run)
    assert (done.code, done.err) == (0, "")
    assert "for 24 epochs" in done.out
    same(run, whole)


@pytest.mark.parametrize("module", ["commands.train.read_clips", "data.dataset.decode_clips"])
def test_broken_off_again_before_any_step(
    vidgru: Vidgru, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    run = Path(shutil.copytree(whole, tmp_path / "a run"))
    monkeypatch.setattr(f"vidgru.{module}", interrupted)
    done = vidgru("train", "--resume", run)
    sentence = "Interrupted; what was trained so far is kept. Resume with: vidgru train --resume"
    assert done == (130, "", f"\nStopped: {sentence} '{run}'\n")
    assert (run / "last.ckpt").is_file()


def test_going_on_twice_and_after_the_end(
    vidgru: Vidgru,
    data: Path,
    tmp_path: Path,
    whole: Path,
    often: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "run"
    for at, words in ((4, [data, *OPTIONS, "--out", run]), (11, ["--resume", run])):
        with monkeypatch.context() as patch:
            stop_after(at, patch)
            assert vidgru("train", *words).code == 130
    # What is saved on the way does not pretend to know how far it can be trusted.
    assert load_model(run).confidence == Confidence()
    assert resume(run).validation.accuracy == load_model(whole).metrics["validation"]["accuracy"]
    same(run, whole)
    assert json.loads(vidgru("train", "--resume", run, "--json").out)["epochs"] == 24
    same(run, whole)


def test_killed_at_any_moment(data: Path, tmp_path: Path, whole: Path) -> None:
    moments = random.Random(0)
    run = tmp_path / "run"
    begin = [sys.executable, "-m", "vidgru", "train", str(data), *map(str, OPTIONS)]
    for _ in range(4):
        # Whatever is left of an earlier round is resumed; nothing, before there was a run.
        words = ["--resume", str(run)] if (run / "config.json").exists() else None
        command = [*begin[:4], *words] if words else [*begin, "--out", str(run)]
        with running(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            deadline = time.monotonic() + 300
            while not (run / "config.json").exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(moments.uniform(0, 1.5))  # and then it is killed
    done = subprocess.run([*begin[:4], "--resume", str(run)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    same(run, whole)


def test_only_one_process_trains_in_a_folder(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    seen: list[Done] = []
    step = ClassifyTrainStep.step

    def ask(self: ClassifyTrainStep, done: float) -> float:
        if not seen:
            command = [sys.executable, "-m", "vidgru", "train", "--resume", str(run)]
            other = subprocess.run(command, capture_output=True, text=True)
            seen.append(Done(other.returncode, other.stdout, other.stderr))
        return step(self, done)

    monkeypatch.setattr(ClassifyTrainStep, "step", ask)
    assert vidgru("train", data, *OPTIONS, "--out", run).code == 0
    assert seen == [(1, "", f"Error: Another process is training in {run}.\n")]


def test_two_that_begin_at_once_do_not_share_a_folder(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    real = training.ClassifyTrainer.__init__
    monkeypatch.setattr("vidgru.commands.train.create_run", lambda folder, out: run)
    (run / "config.json").write_text("of the other one")
    done = vidgru("train", data, *OPTIONS, "--out", run)
    assert (done.code, done.out) == (1, "")
    assert done.err == f"Error: {run} exists already: give another --out, or remove it.\n"
    assert (run / "config.json").read_text() == "of the other one"
    assert training.ClassifyTrainer.__init__ is real


@pytest.mark.parametrize("change", ["gone", "new", "other", "label"])
def test_other_clips(
    vidgru: Vidgru,
    data: Path,
    tmp_path: Path,
    often: None,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    folder, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(data, folder)
    with monkeypatch.context() as patch:
        stop_after(3, patch)
        assert vidgru("train", folder, *OPTIONS, "--out", run).code == 130
    if change == "gone":
        (folder / "left" / "0.avi").unlink()
    elif change == "new":
        shutil.copy(folder / "left" / "0.avi", folder / "left" / "9.avi")
    elif change == "other":
        shutil.copy(folder / "right" / "0.avi", folder / "left" / "0.avi")
    else:
        (folder / "left").rename(folder / "up")
    before = [(run / name).read_bytes() for name in ("last.ckpt", "split.csv")]
    done = vidgru("train", "--resume", run)
    assert (done.code, done.out) == (1, "")
    error = done.err.splitlines()[-1]
    assert error.startswith(f"Error: The clips are no longer those that {run} began with")
    assert [(run / name).read_bytes() for name in ("last.ckpt", "split.csv")] == before
    with pytest.raises(DataError):
        resume(run)


def test_nothing_to_resume(vidgru: Vidgru, tmp_path: Path) -> None:
    for words in ([], ["clips", "--epochs", 3]):
        done = vidgru("train", *words, "--resume", tmp_path / "absent")
        assert done == (1, "", f"Error: Nothing to resume: there is no run {tmp_path}/absent.\n")
    with pytest.raises(ModelError, match="it is not a run folder of `vidgru train`"):
        resume(tmp_path)
    (tmp_path / "config.json").write_text('{"folder": 3}')
    with pytest.raises(ModelError, match=r"its config\.json is damaged"):
        resume(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_damaged_checkpoint(
    vidgru: Vidgru, data: Path, tmp_path: Path, whole: Path, share: float
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    content = (run / "last.ckpt").read_bytes()
    (run / "last.ckpt").write_bytes(content[: int(share * len(content))])
    done = vidgru("train", "--resume", run)
    assert (done.code, done.out) == (1, "")
    assert done.err == f"Error: Cannot read the checkpoint {run}/last.ckpt: it is damaged.\n"


@pytest.mark.parametrize(
    "words",
    [["clips"], ["--epochs", 3], ["--preset", "article"], ["--seed", 1]],
    ids=str,
)
def test_it_resumes_as_it_began(vidgru: Vidgru, whole: Path, words: list[object]) -> None:
    done = vidgru("train", "--resume", whole, *words)
    assert (done.code, done.out) == (2, "")
    assert "--resume takes all settings from the run: give only" in done.err


def test_a_folder_or_a_run_is_needed(vidgru: Vidgru) -> None:
    done = vidgru("train")
    assert (done.code, done.out) == (2, "")
    assert "Missing argument FOLDER" in done.err


def test_a_loss_that_is_no_number(
    vidgru: Vidgru, data: Path, tmp_path: Path, often: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, step = tmp_path / "run", ClassifyTrainStep.step
    monkeypatch.setattr(
        ClassifyTrainStep,
        "step",
        lambda self, done: math.nan if self.steps == 5 else step(self, done),
    )
    done = vidgru("train", data, *OPTIONS, "--out", run)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "Error: Training broke down at step 5: the loss is nan. The weights before that are in "
        f"{run}. Train again with a lower --lr than 0.003.\n"
    )
    assert load_checkpoint(run / "last.ckpt")["steps"] == 5


def test_a_checkpoint_at_the_end_of_an_epoch(
    data: Path, tmp_path: Path, vidgru: Vidgru, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    monkeypatch.setattr(course, "SOONEST", -1.0)
    monkeypatch.setattr(course, "save_checkpoint", lambda path, state: kept.append(state["steps"]))
    monkeypatch.setattr(training.ClassifyTrainer, "validations", lambda self: 1)
    vidgru("train", data, *OPTIONS, "--out", tmp_path / "run")
    # Steps of 4 clips run on across the ends of passes over 10.
    assert kept == [math.ceil(10 * n / 4) for n in range(1, 25)]


def test_a_signal_stops_it_and_says_how_to_go_on(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-m", "vidgru", "train", str(data), *map(str, OPTIONS)]
    command.append("--flip")  # nothing to check before the first step
    command[command.index("--epochs") + 1] = "100000"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with running([*command, "--out", str(run)], **pipes) as process:
        deadline = time.monotonic() + 300
        while not (run / "last.ckpt").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert f"Resume with: vidgru train --resume {run}\n" in err
    assert "Traceback" not in err
    os.stat(run / "last.ckpt")


def test_an_interrupt_while_the_bar_is_drawn_reaches_the_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Bar:
        n = 0

        def __init__(self, **options: object) -> None: ...

        def set_postfix_str(self, text: str, refresh: bool) -> None: ...

        def close(self) -> None: ...

        def update(self, count: int) -> None:
            raise KeyboardInterrupt

    def job() -> Generator[Progress, None, None]:
        try:
            yield Progress("working", 1, 2)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("half of it is kept") from None

    monkeypatch.setattr(progress, "bar", lambda quiet, **options: Bar(**options))
    with pytest.raises(KeyboardInterrupt, match="half of it is kept"):
        progress.follow(job(), quiet=True)


def test_the_lock_goes_with_the_process(data: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    first = resume(run)
    assert resume(run).validation == first.validation
    with pytest.raises(OutputError, match="exists already"):
        train(data, out=str(run))


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP])
def test_file_systems_without_locks_go_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    with open(tmp_path / "file", "wb") as file:
        assert files.lock(file)


def test_a_lock_that_fails_otherwise_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(files.fcntl, "flock", refuse)
    with open(tmp_path / "file", "wb") as file, pytest.raises(OSError, match="Bad file"):
        files.lock(file)


def test_a_run_whose_description_vanishes(tmp_path: Path) -> None:
    refused = pytest.raises(OutputError, match=r"Cannot read .*config\.json: No such file")
    with refused, run_folder._alone(tmp_path):
        raise AssertionError


def test_a_run_that_another_process_began_first(tmp_path: Path) -> None:
    config = ClassifyTrainConfig()
    (tmp_path / "config.json").write_text("{}")
    refused = pytest.raises(OutputError, match="exists already: give another --out, or remove it")
    with refused, run_folder.begin_run(tmp_path, tmp_path, config, {}):
        raise AssertionError
    gone = tmp_path / "gone"
    refused = pytest.raises(OutputError, match=r"Cannot write .*config\.json: No such file")
    with refused, run_folder.begin_run(gone, tmp_path, config, {}):
        raise AssertionError


@pytest.mark.parametrize("text", ["epoch,train_loss\n1,2\n", "", "a,b\n1,x\n", "a,b\n1\n"])
def test_tables_of_numbers_that_are_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(text)
    with pytest.raises(ModelError, match="Cannot read"):
        run_folder.read_numbers(path)


def test_no_free_name_is_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two trainings at once choose the same name: the later one says so.
    monkeypatch.chdir(tmp_path)
    mkdir = os.mkdir

    def later(path: Any, *args: Any) -> None:
        mkdir(path, *args)
        if os.path.basename(path) == "clips-1":
            raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "mkdir", later)
    with pytest.raises(OutputError, match="runs/clips-1 exists already: give another --out"):
        run_folder.create_run(Path("clips"), None)
