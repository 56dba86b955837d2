"""Progress: bars for who looks, plain lines in a log, and nothing where it is to be quiet."""

import contextlib
import io
import os
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import noise, running, write_clip

from vidgru.core.results import Failure, Progress
from vidgru.terminal import progress
from vidgru.terminal.source_loop import Output, print_sources

CODE = (
    "import sys\n"
    "from vidgru.cli.main import main\n"
    "try:\n"
    "    main()\n"
    "finally:\n"
    "    print('tqdm' in sys.modules)\n"
)


def command(folder: Path, *words: str) -> list[str]:
    clip = write_clip(folder / "a.avi", noise(6), 25)
    return [sys.executable, "-c", CODE, "extract", str(clip), "-o", str(folder / "out"), *words]


def test_where_nobody_looks_no_bar_is_imported(tmp_path: Path) -> None:
    done = subprocess.run(command(tmp_path), capture_output=True, text=True)
    assert done.stdout == f"{tmp_path / 'a.avi'}: 6 frames in {tmp_path / 'out'}\nFalse\n"
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal device")
@pytest.mark.parametrize("words", [(), ("-q",)], ids=str)
def test_in_a_terminal_the_bar_is_drawn_unless_quiet(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    out = subprocess.PIPE
    with running(command(tmp_path, *words), stdout=out, stderr=theirs, text=True) as process:
        os.close(theirs)
        printed, _ = process.communicate()
    drawn = b""
    with contextlib.suppress(OSError):  # how Linux tells of the end
        while part := os.read(ours, 4096):
            drawn += part
    os.close(ours)
    assert process.returncode == 0
    assert printed.splitlines()[-1] == str(not words)
    assert (b"a.avi: : 6 frames" in drawn) == (not words)


def test_names_do_not_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def steps() -> Iterator[Progress]:
        yield Progress("a\x1b[31m\u202e.mp4", 1, 2, "of b\x1b[2J")

    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    progress.follow(steps(), quiet=False)
    print_sources(steps(), 1, Output(), quiet=False, interrupted="")
    drawn = screen.getvalue()
    assert r"a\x1b[31m\u202e.mp4: " in drawn
    assert r"of b\x1b[2J" in drawn
    assert not any(part in drawn for part in ("\x1b[31m", "\x1b[2J", "\u202e"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time, in seconds, as the bars see it; a command has just started."""
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(progress._Due, "time", 0.0)
    progress.start_lines()
    return now


def job(clock: list[float]) -> Iterator[Progress]:
    """Take 20 s for a first stage, and resume a second one of 200 s at 20 %."""
    for done in range(2):
        yield Progress("reading\nclips", done, 2)
        clock[0] += 10
    for done in range(20, 101, 5):
        yield Progress("training", done, 100, "loss 1.000" if done < 50 else "")
        clock[0] += 10


def test_a_log_gets_a_line_a_minute(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    progress.follow(job(clock), False)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "training: 40 %, 2:00 left, loss 1.000",
        "training: 70 %, 1:00 left",
        "training: 100 %",
    ]
    progress.follow(job(clock), True)
    assert capsys.readouterr() == ("", "")


def test_a_log_of_sources_and_of_frames(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    def sources() -> Iterator[Progress | Failure]:
        for second in (0, 30):
            yield Progress("a.avi", second, 60, "2 x real time")
            clock[0] += 60
        yield Failure("a.avi", "Cannot read a.avi.")

    for quiet in (False, True):
        print_sources(sources(), 1, Output(), quiet=quiet, interrupted="")
    assert capsys.readouterr().err.splitlines() == [
        "50 %, 1:00 left, 0/1 sources, 2 x real time",
        "100 %, 1/1 sources, 2 x real time",
        "Error: Cannot read a.avi.",
        "Error: Cannot read a.avi.",
    ]
    with progress.bar(False, "abc", unit=" frames") as shown:
        shown.set_description("b.avi")
        for _ in shown:
            clock[0] += 30
    assert capsys.readouterr().err.splitlines() == [
        "b.avi: 1 frames",
        "b.avi: 3 frames",
    ]


def test_the_time_left_is_that_of_the_last_round(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    def rounds() -> Iterator[Progress]:
        for pace, steps in ((1, range(1, 56)), (10, range(1, 5))):
            for done in steps:
                yield Progress("checking", done, 60)
                clock[0] += pace

    progress.follow(rounds(), False)
    assert capsys.readouterr().err == "checking: 3 %, 9:40 left\n"
