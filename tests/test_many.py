"""A thousand files: several processes say what one says, and whatever ends them costs nothing."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import Done
from helpers import children, noise, running, write_clip, write_images
from test_distributed import environment, run
from test_distributed import vidgru as torchrun

from vidgru import TrainResult
from vidgru.config import PredictConfig
from vidgru.data import shares
from vidgru.data.pool import Pool
from vidgru.errors import OutputError
from vidgru.results import Failure, Prediction, Window
from vidgru.timeline import Segment, Timeline
from vidgru.verbs import answers, many
from vidgru.video.find import find_sources

Vidgru = Callable[..., Done]
MB = 1 << 20
CANNOT_START = (
    "A process that reads videos ended before it began (exit status 3). Where memory is short, "
    "free some or start fewer processes."
)
SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from vidgru.data import worker
from vidgru.results import Failure, Prediction, Window

worker.BEAT = 0.1

def answer(request, beat):
    options, source = request["options"], request["source"]
    if options["model"] == "none" or Path("full").exists():
        os._exit(3)
    beat()
    said = {"model": options["model"], "warnings": []}
    if source is None:
        frames = 1 if options["model"] == "pictures" else 14
        return {**said, "path": options["model"], "labels": ["a", "b"], "frames": frames}
    print("no reply", flush=True)
    name = os.path.basename(source)
    with open("asked", "a") as file:
        file.write(name[:-4] + " ")
    if "die" in name:
        os._exit(9)
    if "once" in name and Path("asked").read_text().split().count(name[:-4]) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if "last" in name and not Path("free").exists():
        Path("full").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    while "hang" in name:
        pass
    if "long" in name:
        for _ in range(10):
            time.sleep(0.25)
            beat()
    if "slow" in name:
        time.sleep(0.02)
    if "new" in name:
        said["model"] = "another"
    if "bad" in name:
        return {**said, "result": Failure(source, "Cannot read it.").to_dict()}
    share = int.from_bytes(source.encode()[-6:], "big") / 256**6
    shares = (share, 1 - share)
    windows = (Window(0.0, 1.4, shares),)
    said["warnings"] = [f"{source} is strange."] if "odd" in name else []
    return {**said, "result": Prediction(source, ("a", "b"), shares, windows, 14, 1.4).to_dict()}

worker.serve(answer)
"""


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let children answer that need no torch; return their command."""
    (tmp_path / "worker.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "worker.py")]
    monkeypatch.setattr(many, "WORKER", command)
    monkeypatch.chdir(tmp_path)
    return command


@pytest.fixture
def main(quick: list[str], tmp_path: Path) -> Path:
    """Return a script that is `vidgru` with such children."""
    path = tmp_path / "main.py"
    path.write_text(
        "from vidgru.cli.main import main\n"
        "from vidgru.verbs import many\n"
        f"many.WORKER = {quick}\n"
        "main()\n"
    )
    return path


def folder_of(root: Path, *names: str) -> Path:
    root.mkdir()
    for name in names:
        (root / f"{name}.mp4").write_bytes(b"x")
    return root


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def gone(pids: list[int]) -> bool:
    """Wait for processes to end, whoever is to bury them."""
    deadline = time.monotonic() + 20
    left = pids
    while left and time.monotonic() < deadline:
        left = [pid for pid in left if _alive(pid)]
        time.sleep(0.01)
    return not left


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_workers_say_what_one_process_says(
    vidgru: Vidgru, trained: TrainResult, data: Path, tmp_path: Path
) -> None:
    bad, cut, hollow = tmp_path / "bad.mp4", tmp_path / "cut.mp4", tmp_path / "hollow"
    bad.write_text("no video")
    hollow.mkdir()
    whole = write_clip(tmp_path / "whole.avi", noise(41), 10)
    cut = tmp_path / "cut.avi"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    images = write_images(tmp_path / "images", noise(25), [f"{n}.png" for n in range(25)])
    (images / "7.png").write_text("no image")
    strange = tmp_path / os.fsdecode(b"caf\xe9 \x1b[31m.avi")
    shutil.copy(whole, strange)
    words = [bad, data, hollow, cut, images, strange, whole, whole, "--model", trained.run]
    words += ["--max-error", 0.2]
    table = tmp_path / "table.csv"
    one = vidgru("predict", *words, "--json", "--csv", table)
    text = table.read_bytes()
    two = vidgru("predict", *words, "--json", "--csv", table, "--workers", 2)
    assert two == one
    assert table.read_bytes() == text
    assert one.code == 1
    said = [line.split(": ", 1)[0] for line in one.err.splitlines()]
    assert said == ["Warning", "Error", "Error", "Warning", "Warning", "Error"]
    # A file of answers has the same ones, and with it stands what was asked.
    out = tmp_path / "new" / "results.jsonl"
    done = vidgru("predict", *words, "--out", out)
    assert (done.code, done.err) == (1, one.err)
    found = [json.loads(line) for line in one.out.splitlines()]
    model = lines_of(out)[0]["model"]
    asked = {"model": model, "max_error": 0.2, "timeline": False}
    assert out.read_text() == "".join(json.dumps({**line, **asked}) + "\n" for line in found)
    assert [line.split() for line in done.out.splitlines() if line.split()][2:] == [
        ["unsure", "16"],
        f"19 sources, 3 of them not readable: {out}".split(),
    ]


def test_a_child_that_dies_or_hangs_costs_one_line(
    vidgru: Vidgru, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "SECONDS", 2.0)
    names = ["0bad", "1die", "2odd", "3hang", "4long", "5die", "6", "7"]
    folder, out = folder_of(tmp_path / "clips", *names), tmp_path / "results.jsonl"
    done = vidgru("predict", folder, "--model", "m", "--out", out, "--workers", 2)
    paths = {name: folder / f"{name}.mp4" for name in names}
    crashed = {
        name: f"Cannot read {paths[name]}: the decoder crashed or hung on it."
        for name in ("1die", "3hang", "5die")
    }
    found = {Path(line["source"]).stem: line.get("error") for line in lines_of(out)}
    expected: dict[str, str | None] = dict.fromkeys(names)
    assert list(found) == names
    assert found == {**expected, **crashed, "0bad": "Cannot read it."}
    assert done.code == 1
    assert done.err.splitlines() == [
        "Error: Cannot read it.",
        f"Error: {crashed['1die']}",
        f"Warning: {paths['2odd']} is strange.",
        f"Error: {crashed['3hang']}",
        f"Error: {crashed['5die']}",
    ]
    assert children(os.getpid()) == []
    asked = Counter((tmp_path / "asked").read_text().split())
    assert asked == {**dict.fromkeys(names, 1), "1die": 2, "5die": 2}


def test_a_child_that_is_killed_costs_nothing(
    vidgru: Vidgru, quick: list[str], tmp_path: Path
) -> None:
    names = ["0", "1once", "2once", "3bad", "4"]
    folder, out = folder_of(tmp_path / "clips", *names), tmp_path / "results.jsonl"
    done = vidgru("predict", folder, "--model", "m", "--out", out, "--workers", 2)
    assert (done.code, done.err) == (1, "Error: Cannot read it.\n")
    found = {Path(line["source"]).stem: line.get("error") for line in lines_of(out)}
    assert found == {**dict.fromkeys(names), "3bad": "Cannot read it."}
    asked = Counter((tmp_path / "asked").read_text().split())
    assert asked == {**dict.fromkeys(names, 1), "1once": 2, "2once": 2}


def test_a_child_that_is_killed_while_idle_is_no_death_over_a_job(
    quick: list[str], tmp_path: Path
) -> None:
    with Pool(quick, 1, 20.0) as pool:
        assert pool.ask({"options": {"model": "m"}, "source": None})["frames"] == 14
        (child,) = children(os.getpid())
        os.kill(child, signal.SIGKILL)
        assert gone([child])
        request = {"options": {"model": "m"}, "source": "1once.avi"}
        ((_, reply),) = pool.replies([(0, request)])
        assert reply is not None
        assert reply["result"]["source"] == "1once.avi"


def test_children_that_cannot_start_are_no_bad_videos(
    vidgru: Vidgru, quick: list[str], tmp_path: Path
) -> None:
    folder, out = folder_of(tmp_path / "clips", "0", "1last", "2"), tmp_path / "results.jsonl"
    words = ["predict", folder, "--model", "m", "--out", out]
    assert vidgru(*words) == (1, "", f"Error: {CANNOT_START}\n")
    assert [Path(line["source"]).stem for line in lines_of(out)] == ["0"]
    (tmp_path / "full").rename(tmp_path / "free")
    done = vidgru(*words, "--resume")
    assert (done.code, done.err) == (0, "")
    assert [Path(line["source"]).stem for line in lines_of(out)] == ["0", "1last", "2"]
    assert children(os.getpid()) == []


def test_resumed_after_a_cut_anywhere(vidgru: Vidgru, quick: list[str], tmp_path: Path) -> None:
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
    assert again.out == whole_said.out.replace("able: ", "able; nothing was left to do: ")
    assert (again.code, again.err, out.read_bytes()) == (1, "", whole)


def test_resumed_in_a_folder_that_has_changed(
    vidgru: Vidgru, quick: list[str], tmp_path: Path
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
    assert done.out.endswith(f"5 sources, all answered; 1 had been done before: {out}\n")
    # Each as often as it is given.
    assert [Path(line["source"]).stem for line in lines_of(out)] == list("baceb")


@pytest.mark.parametrize("resume", [[], ["--resume"]])
@pytest.mark.parametrize("out", ["", ".", "..", "new/", "new/deep/", "there", "/"])
def test_a_folder_is_no_file_of_answers(
    vidgru: Vidgru, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, resume: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    sentence = f"--out {out} is a folder: give a file." if out else "--out is empty: give a file."
    done = vidgru("predict", "clips", "--model", "m", "--out", out, *resume)
    assert done == (2, "", f"Error: {sentence}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_what_is_refused(vidgru: Vidgru, quick: list[str], tmp_path: Path) -> None:
    folder, out = folder_of(tmp_path / "clips", "a", "b"), tmp_path / "results.jsonl"
    words = ["predict", folder, "--model", "m", "--out", out]
    assert vidgru(*words).code == 0
    content = out.read_bytes()
    no = f"Error: Cannot go on with {out}: "
    for more, sentence in (
        ([], f"Error: {out} is there already. Go on with --resume, or give another --out.\n"),
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
        sentence = f"Cannot go on with {out}: line {row} is not an answer of `vidgru predict`."
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


def test_errors_of_all(vidgru: Vidgru, quick: list[str], tmp_path: Path) -> None:
    folder, out = folder_of(tmp_path / "clips", "a", "b_new", "c"), tmp_path / "results.jsonl"
    words = ["predict", folder, "--out", out, "--model"]
    assert vidgru(*words, "none") == (1, "", f"Error: {CANNOT_START}\n")
    assert not out.exists()
    changed = "Error: m has changed since it was opened: begin anew.\n"
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
    vidgru: Vidgru, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


def test_errors_of_the_model_are_those_of_one_process(
    vidgru: Vidgru, trained: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(trained.model.read_bytes()[:100])
    words = ["predict", tmp_path, tmp_path, "--model", bad]
    one = vidgru(*words)
    assert vidgru(*words, "--out", tmp_path / "out.jsonl") == one
    assert not (tmp_path / "out.jsonl").exists()
    monkeypatch.setattr(many, "_workers", lambda *_: 2)
    cuda = vidgru("predict", tmp_path, "--model", trained.run, "--device", "mps")
    assert (cuda.code, cuda.out) == (2, "")
    assert cuda.err.startswith("Error: --device mps: torch finds no Apple GPU here.")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--workers", "0"], "Invalid --workers '0'. Give a number from 1 to 1024, or auto."),
        (["--workers", "many"], "Invalid --workers 'many'. Give a number from 1 to 1024, or auto."),
        (["--resume"], "--resume needs --out: the file to go on with."),
        (["--out", "a.jsonl", "--csv", "a.csv"], "Give only one of --out and --csv."),
    ],
)
def test_wrong_usage(vidgru: Vidgru, words: list[str], sentence: str) -> None:
    assert vidgru("predict", "clips", *words) == (2, "", f"Error: {sentence}\n")


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
            deadline = time.monotonic() + 60
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
    words = f"Stopped: Interrupted. {have} of 100 sources are in {out}. Go on with --resume.\n"
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
        "from vidgru.cli import tables\n"
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
    sentence = "is there already. Choose another folder, or give --overwrite.\n"
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
    sentence = "Give --out: under torchrun, each process writes the answers of its own."
    assert done == (2, "", f"Error: {sentence}\n")


@pytest.mark.parametrize("count", [1, 2, 3, 10, 11])
def test_shares(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    for name in shares.LAUNCHED:
        monkeypatch.setenv(name, str(count))
    for total in (0, 1, 5, 23):
        found, names, lengths = list[int](), list[str](), set[int]()
        for number in range(count):
            monkeypatch.setenv("RANK", str(number))
            own = shares.own_share(range(total))
            found += own
            lengths.add(len(own))
            names.append(shares.shared_name("r", ".jsonl"))
        assert found == list(range(total))
        assert max(lengths) - min(lengths) <= 1
        assert names == sorted(set(names))
    assert names[0] == {1: "r.jsonl", 11: "r-00-of-11.jsonl"}.get(count, f"r-0-of-{count}.jsonl")


def test_only_so_much_is_looked_ahead(quick: list[str]) -> None:
    taken = 0

    def jobs() -> Iterator[tuple[int, dict[str, Any] | None]]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            request = {"options": {"model": "m"}, "source": f"{number}"}
            yield number, None if number % 10 == 3 else request

    with Pool(quick, 2, 20.0) as pool:
        for at, (number, reply) in enumerate(pool.replies(jobs(), in_order=True)):
            assert number == at
            assert (reply is None) == (number % 10 == 3)
            assert reply is None or reply["result"]["source"] == str(number)
            assert taken <= at + pool.ahead
        assert taken == 1000
    assert children(os.getpid()) == []


def test_leaving_ends_busy_children(quick: list[str]) -> None:
    begun = time.monotonic()
    with Pool(quick, 2, 60.0) as pool:
        jobs = [(name, {"options": {"model": "m"}, "source": name}) for name in ("hang", "a")]
        name, reply = next(pool.replies(jobs))
        assert name == "a"
        assert reply is not None
    assert children(os.getpid()) == []
    assert time.monotonic() - begun < 40


def test_a_busy_child_ends_with_its_parent(quick: list[str]) -> None:
    with running(quick, stdin=subprocess.PIPE, env=environment()) as child:
        assert child.stdin is not None
        child.stdin.write(b'{"options": {"model": "m"}, "source": "hang"}\n')
        child.stdin.close()
        assert child.wait(timeout=20) == 0


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


@pytest.mark.parametrize("timeline", [False, True])
@pytest.mark.parametrize("model", ["m", "pictures"])
def test_no_more_processes_than_sources(
    quick: list[str], tmp_path: Path, model: str, timeline: bool
) -> None:
    names = [f"{number}.png" for number in range(9)]
    images = write_images(tmp_path / "images", noise(9), names)
    each = [images / name for name in names] if model == "pictures" and not timeline else [images]
    for workers in ("3", "20"):
        config = PredictConfig(model=model, workers=workers, timeline=timeline)
        assert many.in_this_process([images], config) == timeline
        with many.open_many([images, tmp_path / "clips"], config) as opened:
            assert opened.found == [*each, tmp_path / "clips"]
            assert len(children(os.getpid())) == min(int(workers), len(opened.found))
            if not timeline:
                found = [answer.source for answer in opened.answers(opened.found)]
                assert found == [str(path) for path in opened.found]


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        ([0] * 7, 1),
        ([0] * 15, 1),
        ([0] * 16, 2),
        ([0] * 800, 16),
        ([1000 * MB] * 15, 15),
        ([1000 * MB] * 40, 16),
        ([15 * MB, 16 * MB], 1),
        ([16 * MB, 16 * MB], 2),
        ([20 * MB] * 3 + [0] * 5, 3),
    ],
)
def test_processes_that_are_worth_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: list[int], count: int
) -> None:
    monkeypatch.setattr(many, "cores", lambda: 16)
    for number, size in enumerate(sizes):
        with open(tmp_path / f"{number}.mp4", "wb") as file:
            file.truncate(size)
    found = [*find_sources([tmp_path]), Failure("x", "No.")]
    assert many._workers(found, PredictConfig(workers="auto")) == count
    assert many._workers(found[-1:], PredictConfig(workers="auto")) == 1
    absent = [tmp_path / "absent.mp4", Path("\0")]
    assert many._workers(absent, PredictConfig(workers="auto")) == 1
    assert many._workers([*absent, found[-1]], PredictConfig(workers="4")) == 2


def test_a_folder_of_images_weighs_what_they_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "cores", lambda: 16)
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        for number in range(4):
            with open(tmp_path / folder / f"{number}.png", "wb") as file:
                file.truncate(4 * MB)
    folders = [tmp_path / folder for folder in ("a", "b", "c")]
    assert many._workers(folders, PredictConfig(workers="auto")) == 3


def test_a_worker_begins_with_an_open_model_and_decodes_in_one_thread(clip: Path) -> None:
    program = (
        "import sys, cv2\n"
        "from types import SimpleNamespace as Space\n"
        "from vidgru.video import read\n"
        "from vidgru.verbs import predict_worker\n"
        "model = Space(spec=Space(labels=(), frames=3))\n"
        "predict_worker._open = lambda options: print('opened') or ('m', model, 'digest')\n"
        "request = {'options': {}, 'source': None}\n"
        "predict_worker.serve = lambda answer: answer(request, lambda: print('begun'))\n"
        "predict_worker.main()\n"
        "with read.open_video(sys.argv[1]) as video:\n"
        "    print(video.capture.get(cv2.CAP_PROP_N_THREADS))\n"
    )
    command = [sys.executable, "-c", program, str(clip)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("opened\nbegun\n1.0\n", "")
