"""Live sources on the command line: what is live, what of it is shown, and how it ends."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from helpers import running
from stream_server import FFMPEG, http_server

from vidgru import TrainResult, load
from vidgru.core.address import is_live, masked, masked_within
from vidgru.core.errors import OptionError
from vidgru.core.text import clock
from vidgru.tasks.classify import live_cli as cli
from vidgru.tasks.classify.timeline import LiveMoment

Vidgru = Callable[..., Any]
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg is installed")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("camera:0", True),
        ("CAMERA:12", True),
        ("rtsp://host/a", True),
        ("https://host/a", True),
        ("ftp://host/a", True),
        ("camera:", False),
        ("camera:x", False),
        ("./camera:0", False),
        ("http:x", False),
        ("./http://x", False),
        (Path("camera:0"), False),
        ("clip.mp4", False),
        ("C:\\clip.mp4", False),
        ("C://clip.mp4", False),
    ],
)
def test_what_is_live(source: object, expected: bool) -> None:
    assert is_live(source) is expected


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("camera:0", "camera:0"),
        ("rtsp://host:554/a", "rtsp://host:554/a"),
        ("rtsp://me:secret@host/a", "rtsp://***@host/a"),
        ("rtsp://me:se@c/r?e#t@host/a", "rtsp://***@host/a"),
        ("http://host/a?user=me&pwd=secret", "http://host/a?***"),
        ("http://host/a#secret", "http://host/a?***"),
        ("http://me:secret@host/a?pwd=secret\nsecret", "http://***@host/a?***"),
    ],
)
def test_secrets_are_masked(source: str, shown: str) -> None:
    assert masked(source) == shown


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("No label 'rtsp://me:se'c@host/a?x=secret'.", "No label 'rtsp://***@host/a?***'."),
        ("Lost http://***@host/a?***: it ended.", "Lost http://***@host/a?***: it ended."),
        ("Lost http://host/a, then b@c.", "Lost http://host/a, then b@c."),
    ],
)
def test_secrets_within_a_sentence_are_masked(sentence: str, shown: str) -> None:
    assert masked_within(sentence) == shown


@pytest.mark.parametrize(
    "words", [["check", "--group-by"], ["check", "--labels"], ["scenes", "--threshold"]]
)
def test_whatever_option_gets_an_address_hides_its_secrets(
    vidgru: Vidgru, squares: Path, words: list[str]
) -> None:
    folder = squares.parent / "clips" / "right"
    folder.mkdir(parents=True)
    clip = squares.rename(folder / squares.name)
    source = clip if words[0] == "scenes" else folder.parent
    done = vidgru(words[0], source, words[1], "rtsp://me:secret@host/a?pwd=secret")
    assert done.code
    assert "rtsp://***@host/a?***" in done.err
    assert "secret" not in done.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["ftp://me:secret@host/a"], "Invalid source ftp://***@host/a. Live are camera:0 and "
         "rtsp://, rtsps://, http://, https://; give a file by its path."),
        (["file:///clips/a.mp4"], "Invalid source file:///clips/a.mp4. Live are camera:0 and "
         "rtsp://, rtsps://, http://, https://; give a file by its path."),
        (["camera:100"], "Invalid source camera:100. Cameras are camera:0 to camera:99."),
        (["http://me:secret@host/a b"], "Invalid source http://***@host/a b. An address holds "
         "neither blanks nor control characters."),
        (["rtsp://"], "Invalid source rtsp://. There is no host in this address."),
        (["http:///a?pwd=secret"], "Invalid source http:///a?***. There is no host in this "
         "address."),
        (["http://[host/a"], "Invalid source http://[host/a. There is no host in this address."),
        (["http://host/a\0b"], "Invalid source http://host/a\\x00b. An address holds neither "
         "blanks nor control characters."),
        (["clip.mp4", "rtsp://me:secret@host/a"],
         "Give rtsp://***@host/a as the only source: it is live and has no end."),
        (["camera:0", "camera:1"], "Give camera:0 as the only source: it is live and has no end."),
        (["camera:0", "--csv", "a.csv"], "Leave out --csv: camera:0 is live."),
        (["camera:0", "--top", "3"], "Leave out --top: camera:0 is live."),
    ],
)  # fmt: skip
def test_wrong_usage(vidgru: Vidgru, words: list[str], sentence: str) -> None:
    done = vidgru("predict", *words)
    assert (done.code, done.out, done.err) == (2, "", f"Error: {sentence}\n")


def test_a_file_may_be_called_like_a_camera(
    vidgru: Vidgru, trained: TrainResult, squares: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(squares.parent)
    squares.rename("camera:0")
    done = vidgru("predict", "./camera:0", "--model", trained.run, "--json")
    assert (done.code, json.loads(done.out)["source"]) == (0, "camera:0")


def test_a_whole_answer_needs_an_end(trained: TrainResult) -> None:
    with pytest.raises(OptionError, match=r"^rtsp://\*\*\*@host/a is no file or folder\."):
        load(trained.run).predict("rtsp://me:secret@host/a")


@pytest.mark.parametrize(
    ("seconds", "digits", "shown"),
    [
        (0, 2, "0:00.00"),
        (59.994, 2, "0:59.99"),
        (59.996, 2, "1:00.00"),
        (3725.5, 2, "1:02:05.50"),
        (9.4, 0, "0:09"),
        (59.6, 0, "1:00"),
        (3599.9, 0, "1:00:00"),
        (36000, 0, "10:00:00"),
    ],
)
def test_a_time_is_shown_like_a_clock(seconds: float, digits: int, shown: str) -> None:
    assert clock(seconds, digits) == shown


@contextmanager
def started(*words: object, **streams: Any) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "vidgru", "predict", *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | streams
    with running(command, **pipes) as process:
        yield process


@needs_ffmpeg
def test_lines_for_programs_until_it_is_interrupted(
    vidgru: Vidgru, trained: TrainResult, squares: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = cli._Screen.show

    def show_five(screen: cli._Screen, moment: LiveMoment) -> None:
        show(screen, moment)
        if screen.answers.total() == 5:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(cli._Screen, "show", show_five)
    with http_server(squares) as server:
        done = vidgru("predict", server.url, "--model", trained.run, "--json", "--quiet")
    assert done.code == 0
    lines = [json.loads(line) for line in done.out.splitlines()]
    answers = [line for line in lines if "event" not in line]
    assert set(answers[0]) == {
        "time", "seconds", "label", "unsure", "likeliest", "confidence", "threshold",
        "probabilities", "wall", "delay", "dropped", "reconnects",
    }  # fmt: skip
    # It may have been there before its server.
    assert {line["event"] for line in lines[: lines.index(answers[0])]} <= {"failed", "connected"}
    tries = "Warning: Cannot connect to http://127"
    assert all(line.startswith(tries) for line in done.err.splitlines())
    summary = lines[-1]
    assert (summary["event"], summary["source"]) == ("summary", server.url)
    assert summary["answers"] == len(answers) == 5
    assert sum(summary["shares"].values()) == pytest.approx(1)


def test_a_class_called_unsure_is_told_from_what_is_unsure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = cli._Screen("camera:0", as_json=False, quiet=True)
    for time, unsure in enumerate((False, True, True, False, True)):
        shares = (0.4, 0.6) if unsure else (0.1, 0.9)
        stream = {"wall": 0.0, "delay": 0.0, "dropped": 0, "reconnects": 0}
        labels = ("run", "unsure")
        screen.show(LiveMoment(time, 1.0, labels, shares, 0.8, unsure, **stream))
    screen.sum_up()
    *lines, _, shares = capsys.readouterr().out.splitlines()
    assert [line.split("%  ")[1] for line in lines] == ["unsure", "unsure (no class)"] * 2
    assert shares == "Predicted: unsure (no class) 60.0 %, unsure 40.0 %."


def test_interrupted_while_it_waits_for_a_silent_server(trained: TrainResult) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://me:secret@127.0.0.1:{silent.getsockname()[1]}/a"
        with started(url, "--model", trained.run) as process:
            connection, _ = silent.accept()  # so it waits
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=8)  # less than it would wait by itself
            connection.close()
    shown = url.replace("me:secret", "***")
    assert process.returncode == 1
    assert err == f"Connecting to {shown} ...\n"
    counts = "predictions 0, sampled frames dropped 0, reconnects 0."
    assert re.fullmatch(rf"Watched {re.escape(shown)} for 0:0\d: {counts}\n", out)


@needs_ffmpeg
def test_in_a_terminal_one_line_changes(trained: TrainResult, squares: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    with (
        http_server(squares) as server,
        started(server.url, "--model", trained.run, **streams) as process,
    ):
        os.close(theirs)
        shown, interrupted = b"", False
        while True:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # the other side is closed
                break
            if not interrupted and shown.count(b" % ") >= 4:
                process.send_signal(signal.SIGTERM)
                interrupted = True
        os.close(ours)
        assert process.wait() == 0
    text = shown.decode()
    lines = re.findall(r"\r0:0\d  [█░]{10}  *\d+\.\d %  (?:left|right)  [^\r\n]* dropped", text)
    assert len(lines) >= 3
    last = text.splitlines()[-2:]
    assert last[0].startswith(f"Watched {server.url} for 0:0")
    assert re.fullmatch(r"Predicted: (left|right) \d+\.\d %.*\.", last[1])
