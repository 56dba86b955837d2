"""Sources that torchrun shares among processes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Done
from quick_workers import folder_of, lines_of
from torchrun import run
from torchrun import vidgru as torchrun

from vidgru.core import torchrun as shares

Vidgru = Callable[..., Done]


def test_torchrun_shares_sources(vidgru: Vidgru, main: Path, tmp_path: Path) -> None:
    clips, out = folder_of(tmp_path / "clips", *"012345", "20bad"), tmp_path / "results.jsonl"
    words = ["predict", clips, "--model", "m", "--out", out]
    assert vidgru(*words).code == 1
    lines = out.read_bytes().splitlines(keepends=True)
    # The second one has not begun, the first one has a cut line; and now there is one more clip.
    parts = [tmp_path / f"results-{n}-of-2.jsonl" for n in range(2)]
    parts[0].write_bytes(b"".join(lines[:3])[:-3])
    (clips / "00.mp4").write_bytes(b"x")
    # The first one prints late: the other one must stay until then.
    script = tmp_path / "late.py"
    script.write_text(
        "import atexit, os, sys, time\n"
        "from pathlib import Path\n"
        "from vidgru.terminal import tables\n"
        "real, other = tables.json.dumps, Path('other')\n"
        "if os.environ['RANK'] == '1':\n"
        "    atexit.register(other.touch)\n"
        "def dumps(value):\n"
        "    deadline = time.monotonic() + 1.0\n"
        "    while time.monotonic() < deadline and os.environ['RANK'] == '0':\n"
        "        time.sleep(0.01)\n"
        "    return real({**value, 'alone': other.exists()})\n"
        "tables.json = type(sys)('json')\n"
        "tables.json.dumps = dumps\n" + main.read_text()
    )
    done = run(tmp_path, script, *words, "--resume", "--json")
    assert (done.code, done.err, done.out[1]) == (0, ["", "Error: Cannot read it.\n"], "")
    said = json.loads(done.out[0])
    assert said["out"] == str(tmp_path / "results-*-of-2.jsonl")
    assert (said["sources"], said["failures"], said["there"], said["alone"]) == (8, 1, 2, False)
    assert sum(said["labels"].values()) == 7
    found = [[Path(line["source"]).stem for line in lines_of(part)] for part in parts]
    assert found == [["0", "1", "00", "2"], ["3", "4", "5", "20bad"]]
    both = b"".join(part.read_bytes() for part in parts).splitlines(keepends=True)
    assert [line for line in both if b"00.mp4" not in line] == lines


def test_json_lines_of_frames_are_refused_under_torchrun(
    vidgru: Vidgru, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "LOCAL_RANK", "MASTER_PORT"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("WORLD_SIZE", "2")
    done = vidgru("extract", clip, "-o", tmp_path / "out", "--json")
    sentence = "Error: Under torchrun, leave out --json: each process writes a table.\n"
    assert done == (2, "", sentence)
    assert not (tmp_path / "out").exists()


def test_torchrun_shares_what_is_extracted(vidgru: Vidgru, data: Path, tmp_path: Path) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    shutil.copytree(data / "left", clips)
    (clips / "2.avi").write_text("no video")
    words = ["extract", clips, "-o", out, "--count", 2]
    done = torchrun(tmp_path, *words)
    bad = f"Error: Cannot read {clips / '2.avi'}: not a video that can be opened.\n"
    assert (done.code, done.err, done.out[1]) == (0, [bad, ""], "")
    assert done.out[0].splitlines()[-1] == "10 frames of 5 sources by 2 processes, 1 failed"
    rows = []
    for number, folders in enumerate(([0, 1], [3, 4, 5])):
        head, *lines = (out / f"frames-{number}-of-2.csv").read_text().splitlines()
        assert head == "file,source,index,seconds"
        assert [line.split("/")[0] for line in lines] == [str(n) for n in folders for _ in "12"]
        rows += lines
    assert not (out / "frames.csv").exists()
    sentence = "exists. Choose another folder, or give --overwrite.\n"
    assert vidgru(*words) == (1, "", f"Error: {out / 'frames-0-of-2.csv'} {sentence}")
    assert vidgru(*words, "--overwrite").err == bad
    assert (out / "frames.csv").read_text().splitlines()[1:] == rows
    assert sorted(path.name for path in out.glob("*.csv")) == ["frames.csv"]


@pytest.fixture
def first_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(shares.LAUNCHED, ("0", "3", "0", "localhost", "1"), strict=True):
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("first_of_three")
def test_shares_of_another_number_of_processes(vidgru: Vidgru, tmp_path: Path) -> None:
    other = tmp_path / "results-0-of-2.jsonl"
    other.write_text("")
    for more in ([], ["--resume"]):
        done = vidgru("predict", tmp_path, "--out", tmp_path / "results.jsonl", *more)
        assert done == (
            1,
            "",
            f"Error: {other} is of another number of processes, not 3: start as many as then, "
            "or give another --out.\n",
        )
    done = vidgru("predict", tmp_path)
    sentence = "Give --out: under torchrun, each process writes its own predictions."
    assert done == (2, "", f"Error: {sentence}\n")


@pytest.mark.parametrize("count", [1, 2, 3, 10, 11])
def test_shares(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    for name in shares.LAUNCHED:
        monkeypatch.setenv(name, str(count))
    for total in (0, 1, 5, 23):
        found, names, lengths = list[int](), list[str](), set[int]()
        for number in range(count):
            monkeypatch.setenv("RANK", str(number))
            own = shares.shard(range(total))
            found += own
            lengths.add(len(own))
            names.append(shares.shared_name("r", ".jsonl"))
        assert found == list(range(total))
        assert max(lengths) - min(lengths) <= 1
        assert names == sorted(set(names))
    assert names[0] == {1: "r.jsonl", 11: "r-00-of-11.jsonl"}.get(count, f"r-0-of-{count}.jsonl")
