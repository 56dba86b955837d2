"""The loop over sources that all commands have in common."""

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vidgru.core.results import Failure, Progress
from vidgru.terminal.source_loop import CsvFile, Output, print_items, print_sources
from vidgru.tools.extract.results import ExtractedFrame


def frame(name: str) -> ExtractedFrame:
    return ExtractedFrame(Path(f"{name}.png"), name, 0, 0.0)


def test_interrupted_while_saving(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """What is printed is reported, and in the table; it is done only when it is saved, too."""

    def save(item: ExtractedFrame) -> bool:
        if item.source == "b":
            raise KeyboardInterrupt
        return False

    table = tmp_path / "t.csv"
    output = Output(
        show={ExtractedFrame: lambda item: print(item.source)},
        table=CsvFile(
            str(table),
            ("source", "file", "error"),
            {ExtractedFrame: lambda item: [[item.source, str(item.file), ""]]},
        ),
        save={ExtractedFrame: save},
    )
    items = [frame("a"), Progress("b", 1, 2, "1 x real time"), frame("b"), frame("c")]
    words = "{printed} told, {done} done of {total}."
    with pytest.raises(KeyboardInterrupt, match=r"^Interrupted\. 2 told, 1 done of 3\.$"):
        print_sources(items, 3, output, quiet=True, interrupted=words)
    assert capsys.readouterr() == ("a\nb\n", "")
    assert table.read_text() == "source,file,error\na,a.png,\nb,b.png,\n"


@pytest.mark.parametrize("name", ["a\rb", "a\r", "\r", "a\nb", 'a"b,c', "a"])
def test_a_name_stays_in_its_cell(name: str, tmp_path: Path) -> None:
    table = CsvFile(
        str(tmp_path / "t.csv"),
        ("source", "text", "error"),
        {ExtractedFrame: lambda item: [[item.source, f"x{item.source}", ""]]},
    )
    assert print_items([frame(name), frame("b")], Output(table=table), quiet=True) == 0
    with open(tmp_path / "t.csv", newline="") as file:
        _, *rows = csv.reader(file)
    assert rows == [[name if name[0] == "a" else f"./{name}", f"x{name}", ""], ["b", "xb", ""]]


@pytest.mark.parametrize("wrong", ["source", "save"])
def test_anything_that_fails_is_reported(wrong: str) -> None:
    def items() -> Iterator[Any]:
        yield Failure("a", "Cannot read a.") if wrong == "source" else frame("a")
        yield frame("b")

    output = Output(save={ExtractedFrame: lambda item: wrong == "save" and item.source == "a"})
    assert print_sources(items(), 2, output, quiet=True, interrupted="") is True
    assert print_sources([frame("b")], 1, output, quiet=True, interrupted="") is False


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_the_output_is_one_sentence(unbuffered: str) -> None:
    words = [sys.executable, "-m", "vidgru", "motion", "--help"]
    own = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, env=own)
    assert (done.returncode, done.stderr) == (
        1,
        "Error: Cannot write the output: its disk is full. Make room, or write it elsewhere.\n",
    )
