"""`vidgru forecast`: its lines, table and JSON, and how it fails."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Done
from forecast_models import FILES, SIZE, SPEC, names, network, read_png
from helpers import noise, save_model, write_clip, write_images
from numpy.typing import NDArray

from vidgru.tasks.forecast import save as forecast_save
from vidgru.tasks.forecast.results import Forecast
from vidgru.tasks.forecast.score_tables import CONSTANTS
from vidgru.tasks.motion.model_file import SHIPPED_MOTION

Vidgru = Callable[..., Done]
Frames = NDArray[np.uint8]


def test_lines_and_table(
    vidgru: Vidgru, model_file: Path, square: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(square.parent)
    ats = [word for at in (0.9, 0.5, 0.3) for word in ("--at", at)]
    done = vidgru("forecast", "square.avi", "--model", model_file, *ats)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:4] == [
        *(f"square.avi: 3 frames after 0.{at}0 s, up to {end} s, from 4 before it at 10 frames/s, "
          f"in square-forecast/at-0.{at}0s" for at, end in ((3, "0.60"), (5, "0.80"), (9, "1.20"))),
        "Forecasts without true frames to compare with, left out: 1.",
    ]  # fmt: skip
    assert lines[4].strip() == "Error of 2 forecasts of square.avi (model / copy / linear)"
    tables = []
    for at in (3, 5):
        with open(f"square-forecast/at-0.{at}0s/frames.csv", newline="") as file:
            tables.append(list(csv.DictReader(file)))
    for number, line in enumerate(lines[8:11]):
        mean = {name: np.mean([float(t[number][name]) for t in tables]) for name in
                ("psnr", "copy_psnr", "linear_psnr")}  # fmt: skip
        assert line.split()[:2] == [f"+{number + 1}", f"0.{number + 1}0"]
        assert line.strip().endswith(" / ".join(f"{value:.2f}" for value in mean.values()))
    assert " ".join(line.strip() for line in lines).endswith(CONSTANTS)
    assert names(Path("square-forecast")) == ["at-0.30s", "at-0.50s", "at-0.90s", "errors.png"]
    for at in (3, 5, 9):
        assert names(Path(f"square-forecast/at-0.{at}0s")) == FILES
    assert read_png(Path("square-forecast/errors.png")).std() > 5


def test_of_the_end_nothing_is_known(
    vidgru: Vidgru, model_file: Path, square: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(square.parent)
    done = vidgru("forecast", square, "--model", model_file, "--ahead", 5)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"{square}: 5 frames after 1.10 s, up to 1.60 s, from 4 before it at 10 frames/s, "
        "in square-forecast",
        "No true frames follow the end of a video. To compare with true frames, give --at.",
    ]
    assert len(list(Path("square-forecast").glob("frame_*.png"))) == 5


def test_json_and_one_bad_source(
    vidgru: Vidgru, model_file: Path, square: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "clips" / "in"
    folder.mkdir(parents=True)
    (folder / "a.avi").write_text("no video")
    (folder / "b.avi").write_bytes(square.read_bytes())
    (tmp_path / "empty").mkdir()
    short = write_clip(tmp_path / "square.mkv", noise(3, SIZE, SIZE), 10)
    sources = folder.parent, square, square, short, tmp_path / "empty"
    options = "--model", model_file, "--out", tmp_path / "out", "--at", 0.5, "--json", "--quiet"
    done = vidgru("forecast", *sources, *options)
    assert done.code == 1
    sentences = [
        f"Cannot read {folder}/a.avi: not a video that can be opened.",
        f"{short} ends at 0.30 s: nothing can be forecast after 0.5 s.",
        f"Cannot read {tmp_path}/empty: the folder holds neither videos nor images.",
    ]
    assert done.err.splitlines() == [f"Error: {sentence}" for sentence in sentences]
    bad, first, second, late, empty = map(json.loads, done.out.splitlines())
    assert [item["error"] for item in (bad, late, empty)] == sentences
    assert [item["source"] for item in (first, second)] == [f"{folder}/b.avi", str(square)]
    assert [frame["file"] for frame in first["frames"]] == [
        f"{tmp_path}/out/in/b/frame_00{n}.png" for n in (1, 2, 3)
    ]
    assert first["frames"][0].keys() == {"number", "time", "model", "copy", "linear", "file"}
    assert first["frames"][2]["copy"].keys() == {"mse", "mae", "ssim", "psnr"}
    assert names(tmp_path / "out") == ["in", "square"]  # not square-2: nothing came of that


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["camera:0"], 2, "camera:0 is no file or folder. Live sources"),
        (["rtsp://me:secret@host/x"], 2, "rtsp://***@host/x is no file or folder."),
        (["clip.avi", "--ahead", 257], 2, "Invalid --ahead 257. It must be at most 256."),
        (["clip.avi", "--ahead", 0], 2, "Invalid --ahead 0. It must be at least 1."),
        (["clip.avi", "--at", -1], 2, "Invalid --at -1.0. It must be at least 0."),
        (["clip.avi", "--at", 1, "--at", "nan"], 2, "Invalid --at nan. It must be a finite number"),
        (["clip.avi", "--threads", 0], 2, "Invalid --threads 0. It must be at least 1."),
        (["clip.avi", "--out", ""], 2, "--out is empty: give a path."),
        (["clip.avi", "--out", "clip.avi"], 1, "Cannot write to clip.avi: it is a file, not a"),
        (["images", "--out", "images"], 2, "images cannot be read and written at once: give anot"),
        (["clip.avi", "--model", "nowhere"], 1, "No model at nowhere: give a run folder or a mod"),
        (["clip.avi"], 1, "No trained model that forecasts frames in "),
        (["clip.avi", "--model", SHIPPED_MOTION], 1, f"{SHIPPED_MOTION} is a model of motion: use"),
    ],
    ids=str,
)
def test_what_cannot_be(
    vidgru: Vidgru, clip: Path, monkeypatch: pytest.MonkeyPatch,
    words: list[object], code: int, sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(clip.parent)
    write_images(clip.parent / "images", noise(2), ["1.png", "2.png"])
    before = sorted(clip.parent.rglob("*"))
    done = vidgru("forecast", *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"Error: {sentence}")
    assert len(done.err.splitlines()) == 1
    assert sorted(clip.parent.rglob("*")) == before


def test_sources_that_cannot_be_read(
    vidgru: Vidgru, model_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("broken.mp4").write_bytes(noise(1).tobytes())
    Path("empty.avi").write_bytes(b"")
    for name, why in (
        ("absent.mp4", "no such file or folder"),
        ("broken.mp4", "not a video that can be opened"),
        ("empty.avi", "the file is empty"),
    ):
        done = vidgru("forecast", name, "--model", model_file)
        assert (done.code, done.out, done.err) == (1, "", f"Error: Cannot read {name}: {why}.\n")
    assert names(tmp_path) == ["broken.mp4", "empty.avi", "model"]


def test_a_strange_name_keeps_to_its_line(
    vidgru: Vidgru, model_file: Path, square: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(square.parent)
    strange = Path("[red]a\x1b[2J\n.avi")
    strange.write_bytes(square.read_bytes())
    done = vidgru("forecast", strange, "--model", model_file, "--at", 0.5)
    assert done.code == 0
    assert "\x1b" not in done.out
    assert done.out.startswith("[red]a\\x1b[2J\\n.avi: 3 frames after 0.50 s")
    assert "Error of 1 forecast of [red]a\\x1b[2J\\n.avi (model" in done.out


def test_the_newest_run_is_named(
    vidgru: Vidgru, model_file: Path, square: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(square.parent)
    run = Path("runs") / "one"
    run.mkdir(parents=True)
    (run / "model.safetensors").write_bytes(model_file.read_bytes())
    done = vidgru("forecast", square)
    assert (done.code, done.err) == (0, "Model: runs/one/model.safetensors\n")
    assert vidgru("forecast", square, "--overwrite", "--quiet").err == ""


def test_weights_that_overflow(
    vidgru: Vidgru, square: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = network()
    for weights in made.parameters():
        weights.data[:] = 3e38
    save_model(tmp_path / "large.safetensors", made.state_dict(), SPEC, {})
    done = vidgru("forecast", square, "--model", "large.safetensors")
    assert (done.code, done.out) == (1, "")
    assert done.err == "Error: large.safetensors is damaged: its answers are not finite numbers.\n"


def test_interrupted(
    vidgru: Vidgru, model_file: Path, square: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written stays, and nothing of what was not."""
    whole = forecast_save.film_strip
    count = 0

    def broken(predicted: Forecast) -> Frames:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return whole(predicted)

    monkeypatch.setattr(forecast_save, "film_strip", broken)
    other = square.with_name("other.avi")
    other.write_bytes(square.read_bytes())
    out = tmp_path / "out"
    words = "--model", model_file, "--out", out, "--at", 0.4, "--at", 0.5
    done = vidgru("forecast", square, other, *words)
    assert done.code == 130
    assert done.err.strip() == "Stopped: Interrupted. 1 of 2 sources were finished."
    assert names(out / "square") == ["at-0.40s", "at-0.50s", "errors.png"]
    assert names(out / "other" / "at-0.40s") == [
        "forecast.mp4", "frame_001.png", "frame_002.png", "frame_003.png"
    ]  # fmt: skip
