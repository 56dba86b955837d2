"""Training in several processes: the same as in one, whatever happens to one of them."""

import csv
import json
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from helpers import make_folder, moving_squares, running
from torchrun import Done, command, environment, run, vidgru, written

from vidgru import resume
from vidgru.engine.model_file import load_checkpoint

SCRIPT = str(Path(__file__).with_name("together.py"))
OPTIONS = ["--size", "16", "--epochs", "8", "--batch-size", "5", "--threads", "1"]
STEPS = 16  # of 10 clips, 8 times


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of 10 clips to learn from, 6 and 4 of a class, and 3 to validate with."""
    root = tmp_path_factory.mktemp("uneven") / "clips"
    make_folder(root / "train", 6)
    for number in (4, 5):
        (root / "train" / "right" / f"{number}.avi").unlink()
    for label, step, number in (("left", -2, 0), ("left", -2, 1), ("right", 2, 0)):
        moving_squares(root / "val" / label / f"{number}.avi", step, 200 + 9 * number + step)
    return root


@pytest.fixture(scope="module")
def whole(uneven: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """Return the run folder of a training that nothing happened to, and what was printed."""
    place = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGRU_CACHE", str(place / "cache"))
        done = vidgru(place, "train", uneven, *OPTIONS, "--json", "--out", place / "run")
    return place / "run", done


def same(run: Path, whole: Path) -> None:
    for name in ("model.safetensors", "split.csv", "confusion.png"):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    tables = [
        [line.rsplit(",", 1)[0] for line in (folder / "metrics.csv").read_text().splitlines()]
        for folder in (run, whole)
    ]
    assert tables[0] == tables[1]  # but for the seconds


def test_pieces(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    done = run(tmp_path, SCRIPT, "pieces", tmp_path, processes=3)
    assert done == (0, [""] * 3, [""] * 3)


def test_two_processes_learn_what_one_does(tmp_path: Path, uneven: Path) -> None:
    done = run(tmp_path, SCRIPT, "exact", uneven, tmp_path)
    assert done.code == 0, done.err
    for kind in ("gru-5", "convgru-4"):
        one, both = (load_checkpoint(tmp_path / f"{n}-{kind}/last.ckpt") for n in ("one", "all"))
        assert one["steps"] == both["steps"] == 20
        for name in ("mirrored", "turns", "generator", "torch_generator"):
            assert torch.equal(one[name], both[name]), name
        assert one["order"] == both["order"]
        for name, weights in one["network"].items():
            torch.testing.assert_close(both["network"][name], weights, rtol=0, atol=1e-9, msg=name)
        tables = [
            [{k: v for k, v in row.items() if k != "seconds"} for row in state["rows"]]
            for state in (one, both)
        ]
        assert tables[0] == tables[1]


def test_one_process_writes_and_speaks(whole: tuple[Path, Done], uneven: Path) -> None:
    folder, done = whole
    assert (done.code, done.err, done.out[1]) == (0, ["", ""], "")
    said = json.loads(done.out[0])
    assert said["run"] == str(folder)
    assert said["validation"]["count"] == {"left": 2, "right": 1}
    assert said["epochs"] == 8
    assert not list(folder.glob(".*"))
    with open(folder / "split.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 13


def test_a_task_without_classes_trains_in_two_processes_too(tmp_path: Path) -> None:
    for number in range(6):
        moving_squares(tmp_path / "films" / f"{number}.avi", 1, number, 20)
    words = ["--task", "forecast", "--epochs", 1, "--batch-size", 2, "--threads", 1]
    done = vidgru(tmp_path, "train", "films", *words, "--size", 32, "--out", "run")
    assert (done.code, done.err) == (0, ["", ""])
    assert (tmp_path / "run" / "model.safetensors").is_file()


def test_one_process_finds_what_two_found(whole: tuple[Path, Done], tmp_path: Path) -> None:
    # Going on after the end evaluates the same weights once more, here in one process.
    before = (whole[0] / "model.safetensors").read_bytes()
    assert resume(whole[0]).validation.count == {"left": 2, "right": 1}
    assert (whole[0] / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize(("process", "step", "named"), [(1, 12, True), (0, 1, False)], ids=str)
def test_a_killed_process_is_started_again(
    tmp_path: Path, uneven: Path, whole: tuple[Path, Done], process: int, step: int, named: bool
) -> None:
    words = ["kill", process, step, "train", uneven, *OPTIONS]
    words += ["--out", tmp_path / "run"] if named else []
    done = run(tmp_path, SCRIPT, *words, restarts=1)
    assert (done.code, done.err, done.out[1]) == (0, ["", ""], "")
    folder = tmp_path / ("run" if named else "runs/clips-1")
    assert re.search(r"Model: .*(run|clips-1)/model\.safetensors", done.out[0])
    assert [path.name for path in folder.parent.glob("clips-*")] == ([] if named else ["clips-1"])
    same(folder, whole[0])


def test_a_lost_process_ends_the_others_and_training_resumes(
    tmp_path: Path, uneven: Path, whole: tuple[Path, Done]
) -> None:
    folder = tmp_path / "run"
    done = run(tmp_path, SCRIPT, "kill", 1, 12, "train", uneven, *OPTIONS, "--out", folder)
    assert (done.code, done.out, done.err[1]) == (1, ["", ""], "")
    # Torchrun stops the first one, too, when it sees that the other is gone.
    assert done.err[0].lstrip() in (
        "Error: Another process of this training ended. Resume with --resume, or train again.\n",
        f"Stopped: Interrupted after 12 steps. The best model so far is in {folder}. "
        f"Resume with: vidgru train --resume {folder}\n",
    )
    assert 0 < load_checkpoint(folder / "last.ckpt")["steps"] < STEPS
    done = vidgru(tmp_path, "train", "--resume", folder)
    assert (done.code, done.err, done.out[1]) == (0, ["", ""], "")
    same(folder, whole[0])


def test_an_error_in_one_process_is_reported(tmp_path: Path, uneven: Path) -> None:
    words = ["fail", 1, 0, "train", uneven, *OPTIONS, "--out", tmp_path / "run"]
    done = run(tmp_path, SCRIPT, *words)
    assert (done.code, done.out) == (1, ["", ""])
    assert done.err == ["Error: This is wrong in one process only.\n", ""]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "absent"], "No such folder: absent."),
        (
            ["train", "clips", "--batch-size", 2],
            "--batch-size 2 is too small for 3 processes: each needs at least one clip of a batch.",
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_one_sentence(tmp_path: Path, words: list[object], sentence: str) -> None:
    processes = 3 if "--batch-size" in words else 2
    done = vidgru(tmp_path, *words, processes=processes)
    assert done == (1, [""] * processes, [f"Error: {sentence}\n", *[""] * (processes - 1)])
    assert not (tmp_path / "runs").exists()


def test_a_late_first_process_still_says_what_is_wrong(tmp_path: Path) -> None:
    done = run(tmp_path, SCRIPT, "late", "compare", "clips")
    sentence = "Error: `vidgru compare` trains in one process: leave out torchrun.\n"
    assert done == (1, ["", ""], [sentence, ""])


def test_interrupted(tmp_path: Path, uneven: Path) -> None:
    folder, log = tmp_path / "run", tmp_path / "log"
    words = [*OPTIONS, "--flip", "--epochs", "100000", "--out", folder]  # nothing to check first
    with running(
        command(log, "-m", "vidgru", "train", uneven, *words),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 300
        while not (folder / "last.ckpt").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) != 0
    assert written(log, "stdout") == ["", ""]
    said = written(log, "stderr")
    assert said[1] == ""
    assert re.fullmatch(
        r"Stopped: Interrupted after \d+ steps\.( The best model so far is in \S+)? "
        rf"Resume with: vidgru train --resume {folder}\n",
        said[0].lstrip(),
    )
    load_checkpoint(folder / "last.ckpt")
