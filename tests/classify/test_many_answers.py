"""The file of answers of many sources: resumed wherever it ended, never overwritten."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import Done
from helpers import children, running
from quick_workers import CANNOT_START, folder_of, gone, lines_of
from torchrun import environment

from vidgru.core.errors import OutputError
from vidgru.core.results import Failure
from vidgru.tasks.classify import answers
from vidgru.tasks.classify.results import Prediction, Window
from vidgru.tasks.classify.timeline import Segment, Timeline

Vidgru = Callable[..., Done]


def test_resumed_after_a_cut_anywhere(
    vidgru: Vidgru, quick_workers: list[str], tmp_path: Path
) -> None:
    names = [f"{n}{'bad' * (n == 3)}" for n in range(7)]
    folder, out = folder_of(tmp_path / "clips", *names), tmp_path / "results.jsonl"
    words = ["predict", folder, "--model", "m", "--out", out]
    whole_said = vidgru(*words)
    whole = out.read_bytes()
    third = whole.index(b"\n", whole.index(b"\n", whole.index(b"\n") + 1) + 1)
    for length in (0, 1, 5, third - 1, third, third + 1, third + 4, len(whole) - 1):
        out.write_bytes(whole[:length])
        done = vidgru(*words, "--resume", "--json")
        assert out.read_bytes() == whole
        said = json.loads(done.out)
        there = whole[:length].count(b"\n")
        assert (done.code, said["sources"], said["failures"]) == (1, 7, 1)
        assert said["there"] == there
        assert done.err == ("" if there > 3 else "Error: Cannot read it.\n")
    out.unlink()
    assert vidgru(*words, "--resume") == whole_said
    again = vidgru(*words, "--resume")
    assert again.out == whole_said.out.replace("able: ", "able; all were done before: ")
    assert (again.code, again.err, out.read_bytes()) == (1, "", whole)


def test_resumed_in_a_folder_that_has_changed(
    vidgru: Vidgru, quick_workers: list[str], tmp_path: Path
) -> None:
    folder, out = folder_of(tmp_path / "clips", "b", "d", "e"), tmp_path / "results.jsonl"
    words = ["predict", folder, folder / "b.mp4", "--model", "m", "--out", out]
    assert vidgru(*words).code == 0
    before = out.read_bytes()
    out.write_bytes(before[: before.index(b"\n") + 1])
    for name in ("a", "c"):
        (folder / f"{name}.mp4").write_bytes(b"x")
    (folder / "d.mp4").unlink()
    done = vidgru(*words, "--resume")
    assert done.code == 0
    assert done.out.endswith(f"5 sources, all predicted; done before: 1: {out}\n")
    # Each as often as it is given.
    assert [Path(line["source"]).stem for line in lines_of(out)] == list("baceb")


@pytest.mark.parametrize("resume", [[], ["--resume"]])
@pytest.mark.parametrize("out", ["", ".", "..", "new/", "new/deep/", "there", "/"])
def test_a_folder_is_no_file_of_answers(
    vidgru: Vidgru, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, resume: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    sentence = f"--out {out} is a folder: give a file." if out else "--out is empty: give a path."
    done = vidgru("predict", "clips", "--model", "m", "--out", out, *resume)
    assert done == (2, "", f"Error: {sentence}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_what_is_refused(vidgru: Vidgru, quick_workers: list[str], tmp_path: Path) -> None:
    folder, out = folder_of(tmp_path / "clips", "a", "b"), tmp_path / "results.jsonl"
    words = ["predict", folder, "--model", "m", "--out", out]
    assert vidgru(*words).code == 0
    content = out.read_bytes()
    no = f"Error: Cannot resume {out}: "
    for more, sentence in (
        ([], f"Error: {out} exists. Continue with --resume, or give another --out.\n"),
        (
            ["--resume", "--model", "n"],
            f'{no}it was written with model "m", not "n". Give another --out.\n',
        ),
        (
            ["--resume", "--max-error", 0.1],
            f"{no}it was written with max_error null, not 0.1. Give another --out.\n",
        ),
    ):
        assert vidgru(*words, *more) == (1, "", sentence)
        assert out.read_bytes() == content
    out.write_bytes(b"hello")
    sentence = f"{no}line 1 is not an answer of `vidgru predict`.\n"
    assert vidgru(*words, "--resume") == (1, "", sentence)
    assert out.read_bytes() == b"hello"
    first, second = content.splitlines(keepends=True)
    settings = {name: json.loads(first)[name] for name in ("model", "max_error", "timeline")}
    for row, foreign in (
        (1, b"hello\n"),
        (1, b"\x00\xff\x80\n"),
        (1, b'{"source": \n'),
        (1, b"[" * 100_000 + b"\n"),
        (1, b'{"sources": []}'),
        (2, first + b"\n"),
        (2, first + b"{}\n" + second),
        (2, first + second[:40] + b"\n"),
        (2, first + second.replace(b'"label": "', b'"label": 1, "x": "')),
        (1, content.replace(b'"unsure"', b'"sure"')),
        (1, content.replace(b'{"source"', b'{ "source"')),
        (1, content.replace(b', "max_error": null', b"")),
        (1, content.replace(b'"max_error": null', b'"max_error": "%s"' % (b"x" * 999))),
        (1, content.replace(b'"max_error": null', b'"max_error": NaN')),
        (1, content.replace(b'"model": "m"', b'"model": "%s"' % (b"m" * 65))),
        (1, content.replace(b'"timeline": false', b'"timeline": [0, 1]')),
    ):
        out.write_bytes(foreign)
        sentence = f"Cannot resume {out}: line {row} is not an answer of `vidgru predict`."
        with (
            pytest.raises(OutputError, match=f"^{re.escape(sentence)}$"),
            answers._opened(out, settings, resume=True),
        ):
            pass
        assert out.read_bytes() == foreign
    out.write_bytes(content)
    with open(out, "ab") as file:
        assert answers.lock(file)
        busy = f"Error: Another process is writing {out}.\n"
        assert vidgru(*words, "--resume") == (1, "", busy)


def test_errors_of_all(vidgru: Vidgru, quick_workers: list[str], tmp_path: Path) -> None:
    folder, out = folder_of(tmp_path / "clips", "a", "b_new", "c"), tmp_path / "results.jsonl"
    words = ["predict", folder, "--out", out, "--model"]
    assert vidgru(*words, "none") == (1, "", f"Error: {CANNOT_START}\n")
    assert not out.exists()
    changed = "Error: m has changed since it was opened: start again.\n"
    assert vidgru(*words, "m") == (1, "", changed)
    assert [Path(line["source"]).stem for line in lines_of(out)] == ["a"]
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "results.jsonl"
    done = vidgru("predict", folder, "--model", "m", "--out", below)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: Cannot write {below}: ")
    long = tmp_path / ("x" * 300)
    done = vidgru("predict", folder, "--model", "m", "--out", long)
    assert done == (1, "", f"Error: Cannot write {long}: File name too long.\n")


def test_a_full_disk(
    vidgru: Vidgru, quick_workers: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = answers._opened

    @contextmanager
    def full(*words: Any) -> Iterator[Any]:
        with real(*words) as (_, tally), open("/dev/full", "wb", buffering=0) as file:
            yield file, tally

    monkeypatch.setattr(answers, "_opened", full)
    folder, out = folder_of(tmp_path / "clips", "a", "b"), tmp_path / "results.jsonl"
    done = vidgru("predict", folder, "--model", "m", "--out", out)
    assert done == (1, "", "Error: Cannot write /dev/full: No space left on device.\n")


def test_broken_off_and_resumed(main: Path, tmp_path: Path) -> None:
    names = [f"{number}{'bad' * (number == 20)}slow" for number in range(100)]
    clips = folder_of(tmp_path / "clips", *names)
    out, whole = tmp_path / "results.jsonl", tmp_path / "whole.jsonl"
    command = [sys.executable, str(main), "predict", str(clips), "--resume", "--model", "m"]
    have, pipe = 0, subprocess.PIPE
    for how in (signal.SIGKILL, signal.SIGINT):
        with running(
            [*command, "--workers", "2", "--out", str(out)],
            env=environment(),
            stdout=pipe,
            stderr=pipe,
            text=True,
        ) as process:
            deadline = time.monotonic() + 300
            while time.monotonic() < deadline and process.poll() is None:
                if out.exists() and out.read_bytes().count(b"\n") > have + 5:
                    break
                time.sleep(0.002)
            found = children(process.pid)
            assert [os.getsid(child) for child in found] == found  # Ctrl-C does not come to them
            process.send_signal(how)
            printed, said = process.communicate(timeout=60)
        assert len(found) == 2
        assert gone(found)
        before, have = have, out.read_bytes().count(b"\n")
        assert before + 5 < have < 100
        assert printed == ""
    assert process.returncode == 130
    words = f"Stopped: Interrupted. {have} of 100 sources are in {out}. Continue with --resume.\n"
    assert said.endswith(words)
    assert "Traceback" not in said
    for path, workers in ((out, "2"), (whole, "1")):
        done = subprocess.run(
            [*command, "--workers", workers, "--out", str(path)],
            env=environment(),
            capture_output=True,
        )
        assert done.returncode == 1
    assert out.read_bytes() == whole.read_bytes()
    assert [Path(line["source"]).stem for line in lines_of(out)] == names


def test_answers_come_back_whole() -> None:
    shares = (0.1 + 0.2, 1e-17, 0.7)
    windows = (Window(0.0, 1 / 3, shares), Window(0.1, 2.0, shares[::-1]))
    segments = tuple(Segment(at, at + 1.0, ("x", "b", "a"), shares, 0.5, True) for at in (0.0, 1.0))
    for item in (
        Failure("a\udce9.mp4", "No."),
        Prediction("a", ("x", "b", "a"), shares, windows, 3, 2.0, 0.5, True),
        Prediction("a", ("x", "b", "a"), shares, windows, 3, 2.0),
        Timeline("a", ("x", "b", "a"), segments, 20, 2.0),
    ):
        assert type(item).from_dict(json.loads(json.dumps(item.to_dict()))) == item
