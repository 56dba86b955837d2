"""`vidgru train` that comes to nothing: one sentence, and nothing is left behind."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Done
from helpers import make_folder, moving_squares, stop_after

from vidgru import train
from vidgru.core.errors import DataError

Vidgru = Callable[..., Done]
# One thread: these tests share the machine, and two threads then wait for each other.
QUICK = ["--size", 16, "--epochs", 2, "--batch-size", 4, "--threads", 1]


def everything(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_broken_off_before_a_validation(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(1, monkeypatch)
    done = vidgru("train", data, *QUICK, "--out", tmp_path / "run")
    assert (done.code, done.out) == (130, "")
    # Click ends the line on which the terminal shows ^C.
    assert done.err == "\nStopped: Interrupted before the first checkpoint: nothing is kept.\n"
    assert everything(tmp_path) == set()


@pytest.mark.parametrize("verb", ["train", "compare"])
def test_broken_off_in_a_folder_behind_a_link(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to("disk")
    stop_after(1, monkeypatch)
    more = ["--core", "gru", "--core", "rnn"] if verb == "compare" else []
    done = vidgru(verb, data, *QUICK, *more, "--out", tmp_path / "run")
    assert (done.code, done.out) == (130, "")
    assert "nothing is kept." in done.err
    assert everything(tmp_path) == {tmp_path / "disk", tmp_path / "run"}


@pytest.mark.parametrize("verb", ["train", "compare"])
def test_broken_off_in_an_empty_folder(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("runs").mkdir()
    before = everything(tmp_path)
    stop_after(1, monkeypatch)
    more = ["--core", "gru", "--core", "rnn"] if verb == "compare" else []
    for out in ("mine", "mine/new"):
        done = vidgru(verb, data, *QUICK, *more, "--out", out)
        assert (done.code, done.out) == (130, "")
        assert everything(tmp_path) == before


@pytest.mark.parametrize("module", ["commands.train.read_clips", "data.dataset.decode_clips"])
def test_broken_off_while_clips_are_read(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"vidgru.{module}", interrupted)
    done = vidgru("train", data, *QUICK, "--out", tmp_path / "run")
    sentence = "Interrupted before the first checkpoint: nothing is kept."
    assert done == (130, "", f"\nStopped: {sentence}\n")
    assert everything(tmp_path) == set()


def no_folder(place: Path) -> list[object]:
    return [place / "absent"]


def a_file(place: Path) -> list[object]:
    (place / "file").write_text("x")
    return [place / "file"]


def empty(place: Path) -> list[object]:
    (place / "data").mkdir()
    return [place / "data"]


def one_class(place: Path) -> list[object]:
    for number in range(3):
        moving_squares(place / "data" / "only" / f"{number}.avi", 2, number)
    return [place / "data"]


def one_clip(place: Path) -> list[object]:
    make_folder(place / "data", 2)
    (place / "data" / "left" / "0.avi").unlink()
    return [place / "data"]


def no_clip_in_a_class(place: Path) -> list[object]:
    make_folder(place / "data", 2)
    (place / "data" / "none").mkdir()
    return [place / "data"]


def text_for_clips(place: Path) -> list[object]:
    make_folder(place / "data", 2)
    for clip in (place / "data" / "left").iterdir():
        clip.unlink()
        clip.with_suffix(".mp4").write_text("not a video")
    return [place / "data"]


def unknown_class_to_validate(place: Path) -> list[object]:
    make_folder(place / "data", 2)
    make_folder(place / "other", 2)
    (place / "other" / "left").rename(place / "other" / "up")
    return [place / "data", "--val-folder", place / "other"]


def no_group(place: Path) -> list[object]:
    return [make_folder(place / "data", 2), "--group-by", "nowhere"]


def one_group(place: Path) -> list[object]:
    return [make_folder(place / "data", 2), "--group-by", "avi"]


def wrong_regex(place: Path) -> list[object]:
    return [make_folder(place / "data", 2), "--group-by", "(unclosed"]


def used_out(place: Path) -> list[object]:
    (place / "run").mkdir()
    (place / "run" / "notes.txt").write_text("mine")
    return [make_folder(place / "data", 2)]


def out_below_a_file(place: Path) -> list[object]:
    (place / "file").write_text("mine")
    return [make_folder(place / "data", 2), "--out", place / "file" / "run"]


def option(*words: object) -> Callable[[Path], list[object]]:
    return lambda place: [make_folder(place / "data", 2), *words]


BAD = {
    "no folder": (no_folder, 1, "No such folder: {place}/absent."),
    "a file": (a_file, 1, "{place}/file is not a folder."),
    "empty folder": (empty, 1, "No class folders found in {place}/data."),
    "one class": (one_class, 1, "{place}/data has only one class ('only')"),
    "one clip in a class": (one_clip, 1, "The class 'left' has only one clip"),
    "no clip in a class": (no_clip_in_a_class, 1, "The class folder {place}/data/none holds no"),
    "text for clips": (text_for_clips, 1, "No clip of the class 'left' can be read"),
    "unknown class": (unknown_class_to_validate, 1, "The class 'up' is validated or tested but"),
    "no group": (no_group, 1, "gives no group for 4 of 4 clips"),
    "one group": (one_group, 1, "Cannot keep 1 group apart: no clip of the class"),
    "wrong regex": (wrong_regex, 2, "nor a regular expression: missing ), unterminated"),
    "used --out": (used_out, 1, "{place}/run exists already"),
    "--out below a file": (out_below_a_file, 1, "/file/run: {place}/file is a file."),
    "two lengths": (option("--minutes", 1, "--epochs", 2), 2, "only one of --epochs and --minutes"),
    "--val 2": (option("--val", 2), 2, "Invalid --val 2.0. It must be less than 1."),
    "--val nan": (option("--val", "nan"), 2, "Invalid --val nan. It must be a finite number."),
    "--fps nan": (option("--fps", "nan"), 2, "Invalid --fps nan. It must be a finite number."),
    "--fps 0": (option("--fps", 0), 2, "Invalid --fps 0.0. It must be at least 0.01."),
    "--size 0": (option("--size", 0), 2, "Invalid --size 0. It must be at least 16."),
    "--size x": (option("--size", "x"), 2, "'x' is not a valid integer"),
    "--epochs 0": (option("--epochs", 0), 2, "Invalid --epochs 0. It must be at least 1."),
    "--minutes -1": (option("--minutes", -1), 2, "Invalid --minutes -1.0. It must be more than 0."),
    "--core": (option("--core", "transformer"), 2, "'transformer' is not one of"),
    "--seed": (option("--seed", 2**64), 2, "Invalid --seed"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_one_sentence_and_leaves_nothing(
    vidgru: Vidgru, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    prepare, code, words = BAD[name]
    monkeypatch.chdir(tmp_path)
    args = prepare(tmp_path)
    before = everything(tmp_path)
    out = [] if "--out" in args else ["--out", tmp_path / "run"]
    done = vidgru("train", *args, *QUICK[4:], *out)
    assert (done.code, done.out) == (code, ""), done.err
    errors = [line for line in done.err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, done.err
    assert words.format(place=tmp_path) in errors[0]
    assert "Traceback" not in done.err
    others = [
        line
        for line in done.err.splitlines()
        if line not in errors and not line.startswith(("Warning: Skipped", "Usage: "))
    ]
    assert others == []
    assert everything(tmp_path) == before


def test_the_library_raises_what_the_command_says(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such folder"):
        train(tmp_path / "absent")


def test_a_file_called_runs_in_the_way(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").write_text("mine")
    done = vidgru("train", data, "--epochs", 1, "--size", 16)
    name = f"runs/{data.name}-1"
    assert (done.code, done.out) == (1, "")
    assert done.err == f"Error: Cannot make the run folder {name}: runs is a file.\n"
    assert Path("runs").read_text() == "mine"


@pytest.mark.parametrize("out", [None, "deep/er/run"])
def test_a_folder_that_may_not_be_written(
    vidgru: Vidgru, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str | None
) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("os.mkdir", refuse)
        done = vidgru("train", data, "--epochs", 1, *(["--out", out] if out else []))
    run = out or f"runs/{data.name}-1"
    assert (done.code, done.out) == (1, "")
    assert done.err == f"Error: Cannot make the run folder {run}: Permission denied.\n"
    assert not list(tmp_path.iterdir())
