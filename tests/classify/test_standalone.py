"""The folder that `vidgru export --standalone` writes: its program without vidgru."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Done
from films import blocks, write_film
from helpers import moving_squares, needs_onnx

import vidgru as library

pytestmark = needs_onnx

Vidgru = Callable[..., Done]


def test_the_program_for_elsewhere_needs_no_vidgru(
    vidgru: Vidgru, run: Path, fresh: Path, tmp_path: Path
) -> None:
    place = tmp_path / "elsewhere"
    done = vidgru("export", run, "--standalone", place)
    assert done.code == 0
    assert done.out.endswith(
        f"To classify a video: python {place}/classify.py VIDEO. "
        f"In a browser, open {place}/classify.html.\n"
    )
    assert {path.name for path in place.iterdir()} == {"model.onnx", "classify.py", "classify.html"}
    wanted = f"`vidgru train`, or for `vidgru predict` {place / 'model.onnx'}."
    assert vidgru("predict", place, "--model", place).err.endswith(wanted + "\n")
    text = (place / "classify.py").read_text()
    assert len(text.splitlines()) < 120
    used = re.findall(r"^(?:import|from) (\w+)", text, re.M)
    assert {*used} - {*sys.stdlib_module_names} == {"cv2", "numpy", "onnxruntime"}
    assert 0 < text.find('("ORT_DISABLE_TELEMETRY", "1")') < text.index("import onnxruntime")
    odd = [moving_squares(tmp_path / f"{n}.avi", 2, n, count=n) for n in (1, 5, 33)]
    clips = [*sorted(fresh.rglob("*.avi")), *odd]
    command = [sys.executable, "classify.py", *map(str, clips)]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    model = library.load(run)
    for answer, clip in zip(answers, clips, strict=True):
        wanted = model.predict(clip)
        assert (answer["source"], answer["label"]) == (str(clip), wanted.label)
        shares = tuple(answer["probabilities"].values())
        assert tuple(answer["probabilities"]) == wanted.labels
        assert shares == pytest.approx(wanted.probabilities, abs=1e-5)
    assert len(answers) == 11
    command = [sys.executable, "classify.py", "none.avi", str(clips[0])]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True)
    assert (done.returncode, json.loads(done.stdout)) == (1, answers[0])
    assert done.stderr.endswith("Cannot read none.avi: no frame can be decoded.\n")
    help_, nothing = (
        subprocess.run(command[:2] + words, cwd=place, capture_output=True, text=True)
        for words in (["--help"], [])
    )
    assert (help_.returncode, help_.stderr) == (0, "")
    assert help_.stdout.startswith("Classify a video with model.onnx: python classify.py VIDEO...")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (1, "", help_.stdout)
    (place / "model.onnx").unlink()
    done = subprocess.run(command, cwd=place, capture_output=True, text=True)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert done.stderr.startswith("Cannot open the model.onnx beside this file: ")


def test_files_of_the_user_are_not_replaced(vidgru: Vidgru, run: Path, tmp_path: Path) -> None:
    for name in ("classify.py", "classify.html"):
        place = tmp_path / name
        place.mkdir()
        (place / name).write_text("my own\n")
        done = vidgru("export", run, "--standalone", place)
        words = f"{place / name} is no file of `vidgru export`: give another folder."
        assert (done.code, done.err) == (1, f"Error: {words}\n")
        assert [(path.name, path.read_text()) for path in place.iterdir()] == [(name, "my own\n")]
    assert vidgru("export", run, "--standalone", tmp_path / "new").code == 0
    assert vidgru("export", run, "--standalone", tmp_path / "new").code == 0  # its own are


def test_the_program_for_elsewhere_is_of_classifiers(vidgru: Vidgru, tmp_path: Path) -> None:
    done = vidgru("export", "scenes", "--standalone", tmp_path / "place")
    assert done.code == 2
    assert done.err.startswith("Error: --standalone is for classifiers: this one ")
    assert not (tmp_path / "place").exists()
    done = vidgru("export", "scenes", "--standalone", "a", "--out", "b.onnx")
    assert done.err == "Error: Give only one of --out and --standalone.\n"


def test_a_jump_of_the_clock_is_no_pause_of_hours(
    vidgru: Vidgru, run: Path, tmp_path: Path
) -> None:
    assert vidgru("export", run, "--standalone", tmp_path / "place").code == 0
    films = [
        write_film(tmp_path / f"{start}.ts", blocks(50), stamps=[start + n for n in range(50)])
        for start in (5000, 1_005_000)
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(film.read_bytes() for film in films))
    command = [sys.executable, str(tmp_path / "place" / "classify.py"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    wanted = library.load(run).predict(path).probabilities
    shares = tuple(json.loads(done.stdout)["probabilities"].values())
    assert shares == pytest.approx(wanted, abs=1e-5)
