"""A thousand files: several processes predict what one does, and crashes cost nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Done
from helpers import children, noise, running, write_clip, write_images
from quick_workers import CANNOT_START, folder_of, gone, lines_of
from torchrun import environment

from vidgru import TrainResult
from vidgru.core.results import Failure
from vidgru.data.pool import Pool
from vidgru.tasks.classify import many
from vidgru.tasks.classify.options import PredictConfig
from vidgru.video.find import find_sources

Vidgru = Callable[..., Done]
MB = 1 << 20


def test_workers_say_what_one_process_says(
    vidgru: Vidgru, trained: TrainResult, data: Path, tmp_path: Path
) -> None:
    bad, warp, hollow = tmp_path / "bad.mp4", tmp_path / "cut.mp4", tmp_path / "hollow"
    bad.write_text("no video")
    hollow.mkdir()
    whole = write_clip(tmp_path / "whole.avi", noise(41), 10)
    warp = tmp_path / "cut.avi"
    warp.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    images = write_images(tmp_path / "images", noise(25), [f"{n}.png" for n in range(25)])
    (images / "7.png").write_text("no image")
    strange = tmp_path / os.fsdecode(b"caf\xe9 \x1b[31m.avi")
    shutil.copy(whole, strange)
    words = [bad, data, hollow, warp, images, strange, whole, whole, "--model", trained.run]
    words += ["--max-error", 0.2]
    table = tmp_path / "table.csv"
    one = vidgru("predict", *words, "--json", "--csv", table)
    text = table.read_bytes()
    two = vidgru("predict", *words, "--json", "--csv", table, "--workers", 2)
    assert two == one
    assert table.read_bytes() == text
    assert one.code == 1
    said = [line.split(": ", 1)[0] for line in one.err.splitlines()]
    assert said == ["Warning", "Error", "Error", "Warning", "Warning", "Error", "Saved"]
    # A file of predictions has the same ones, and its settings.
    out = tmp_path / "new" / "results.jsonl"
    done = vidgru("predict", *words, "--out", out)
    assert (done.code, done.err) == (1, one.err.replace(f"Saved: {table}\n", ""))
    found = [json.loads(line) for line in one.out.splitlines()]
    model = lines_of(out)[0]["model"]
    asked = {"model": model, "max_error": 0.2, "timeline": False}
    assert out.read_text() == "".join(json.dumps({**line, **asked}) + "\n" for line in found)
    assert [line.split() for line in done.out.splitlines() if line.split()][2:] == [
        ["unsure", "16"],
        f"19 sources, 3 of them unreadable: {out}".split(),
    ]


def test_a_child_that_dies_or_hangs_costs_one_line(
    vidgru: Vidgru, quick_workers: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    vidgru: Vidgru, quick_workers: list[str], tmp_path: Path
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
    quick_workers: list[str], tmp_path: Path
) -> None:
    with Pool(quick_workers, 1, 20.0) as pool:
        assert pool.ask({"options": {"model": "m"}, "source": None})["frames"] == 14
        (child,) = children(os.getpid())
        os.kill(child, signal.SIGKILL)
        assert gone([child])
        request = {"options": {"model": "m"}, "source": "1once.avi"}
        ((_, reply),) = pool.replies([(0, request)])
        assert reply is not None
        assert reply["result"]["source"] == "1once.avi"


def test_children_that_cannot_start_are_no_bad_videos(
    vidgru: Vidgru, quick_workers: list[str], tmp_path: Path
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
        (["--resume"], "--resume needs --out: the file to continue."),
        (["--out", "a.jsonl", "--csv", "a.csv"], "Give only one of --out and --csv."),
    ],
)
def test_wrong_usage(vidgru: Vidgru, words: list[str], sentence: str) -> None:
    assert vidgru("predict", "clips", *words) == (2, "", f"Error: {sentence}\n")


def test_only_so_much_is_looked_ahead(quick_workers: list[str]) -> None:
    taken = 0

    def jobs() -> Iterator[tuple[int, dict[str, Any] | None]]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            request = {"options": {"model": "m"}, "source": f"{number}"}
            yield number, None if number % 10 == 3 else request

    with Pool(quick_workers, 2, 20.0) as pool:
        for at, (number, reply) in enumerate(pool.replies(jobs(), in_order=True)):
            assert number == at
            assert (reply is None) == (number % 10 == 3)
            assert reply is None or reply["result"]["source"] == str(number)
            assert taken <= at + pool.ahead
        assert taken == 1000
    assert children(os.getpid()) == []


def test_leaving_ends_busy_children(quick_workers: list[str]) -> None:
    begun = time.monotonic()
    with Pool(quick_workers, 2, 60.0) as pool:
        jobs = [(name, {"options": {"model": "m"}, "source": name}) for name in ("hang", "a")]
        name, reply = next(pool.replies(jobs))
        assert name == "a"
        assert reply is not None
    assert children(os.getpid()) == []
    assert time.monotonic() - begun < 40


def test_a_busy_child_ends_with_its_parent(quick_workers: list[str]) -> None:
    with running(quick_workers, stdin=subprocess.PIPE, env=environment()) as child:
        assert child.stdin is not None
        child.stdin.write(b'{"options": {"model": "m"}, "source": "hang"}\n')
        child.stdin.close()
        assert child.wait(timeout=20) == 0


@pytest.mark.parametrize("model", ["m", "pictures"])
def test_what_the_search_leaves_out_is_said_once(
    quick_workers: list[str], tmp_path: Path, model: str, caplog: pytest.LogCaptureFixture
) -> None:
    clips = folder_of(tmp_path / "clips", "1", "2")
    (clips / "loop").symlink_to(clips)
    config = PredictConfig(model=model, workers="2")
    assert not many.in_this_process([clips], config)
    with many.open_many([clips], config) as opened:
        assert len(opened.found) == 2
    assert [message.split(":")[0] for message in caplog.messages] == [f"Left out {clips / 'loop'}"]


@pytest.mark.parametrize("timeline", [False, True])
@pytest.mark.parametrize("model", ["m", "pictures"])
def test_no_more_processes_than_sources(
    quick_workers: list[str], tmp_path: Path, model: str, timeline: bool
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
        "from vidgru.tasks.classify import worker as predict_worker\n"
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
