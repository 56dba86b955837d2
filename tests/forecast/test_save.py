"""The pictures, the video and the folders of forecasts."""

import csv
from collections.abc import Callable
from pathlib import Path
from time import process_time

import cv2
import numpy as np
import pytest
from conftest import Done
from forecast_models import FILES, SIZE, direct, names, read_png
from helpers import noise, write_clip, write_images
from numpy.typing import NDArray

from vidgru.core.errors import OutputError
from vidgru.tasks.forecast.model import ForecastModel
from vidgru.tasks.forecast.options import ForecastConfig
from vidgru.tasks.forecast.save import picture_size, plan, save_forecast

Vidgru = Callable[..., Done]
Frames = NDArray[np.uint8]


def read_video(path: Path) -> list[Frames]:
    capture, found = cv2.VideoCapture(str(path)), []
    while (item := capture.read())[0]:
        found.append(item[1][..., ::-1])
    return found


def test_the_pixels_of_pictures(
    vidgru: Vidgru, model_file: Path, square: Path, tmp_path: Path
) -> None:
    """Of a source of the model's own size, pictures are exactly what was forecast."""
    out = tmp_path / "out"
    done = vidgru("forecast", square, "--model", model_file, "--at", 0.5, "--out", out)
    assert (done.code, done.err) == (0, "")
    assert names(out) == ["errors.png", *FILES]
    frames = noise(12, SIZE, SIZE)
    wanted = np.rint(direct(frames[2:6], 3).astype(np.float64) * 255)
    for number in range(3):
        assert np.array_equal(read_png(out / f"frame_00{number + 1}.png"), wanted[number])
    with open(out / "frames.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["number"], row["seconds"], row["file"]) for row in rows] == [
        (f"{n}", f"0.{n + 5}00000", f"frame_00{n}.png") for n in (1, 2, 3)
    ]
    assert list(rows[0]) == ["number", "seconds", "file"] + [
        f"{baseline}{name}" for baseline in ("", "copy_", "linear_")
        for name in ("mse", "mae", "ssim", "psnr")
    ]  # fmt: skip
    for number, row in enumerate(rows):
        off = frames[5] / 255 - frames[6 + number] / 255
        assert float(row["copy_mse"]) == pytest.approx((off**2).sum(), rel=1e-5)
        predicted = direct(frames[2:6], 3)[number] - frames[6 + number] / 255
        assert float(row["mae"]) == pytest.approx(np.abs(predicted).sum(), rel=1e-5)


def test_the_video(vidgru: Vidgru, model_file: Path, tmp_path: Path) -> None:
    """Four context frames, and three forecast ones with an orange edge, at the sampling rate."""
    clip = write_clip(tmp_path / "clip.avi", noise(20, 48, 64).repeat(2, 0), 20)
    out = tmp_path / "out"
    assert vidgru("forecast", clip, "--model", model_file, "--out", out).code == 0
    frames = read_video(out / "forecast.mp4")
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 7
    assert cv2.VideoCapture(str(out / "forecast.mp4")).get(cv2.CAP_PROP_FPS) == 10
    for number, frame in enumerate(frames):
        corner = np.abs(frame[0, :64:8].mean(axis=0) - [230, 159, 0]).max()
        assert (corner < 40) == (number >= 4), number
    with open(out / "frames.csv", newline="") as file:
        assert [row["mse"] for row in csv.DictReader(file)] == ["", "", ""]
    assert names(out) == FILES  # nothing came, so there is no curve


def test_names_of_folders(
    vidgru: Vidgru, model_file: Path, square: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(square.parent)
    for path in (Path("clip.1.avi"), Path("more") / "in" / "clip.1.avi"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(square.read_bytes())
    write_images(Path("shots.v2"), noise(2), ["1.png", "2.png"])
    done = vidgru("forecast", "clip.1.avi", "more", "shots.v2", "--model", model_file)
    assert done.code == 0
    assert sorted(map(str, Path().glob("*-forecast*"))) == [
        "clip.1-forecast", "clip.1-forecast-2", "shots.v2-forecast"
    ]  # fmt: skip
    ats = "--at", 0.501, "--at", 0.502, "--out", "deep/out"
    assert vidgru("forecast", "clip.1.avi", "--model", model_file, *ats).code == 0
    assert names(Path("deep/out")) == ["at-0.50s", "at-0.50s-2", "errors.png"]


def test_an_earlier_forecast_stays(
    vidgru: Vidgru, model_file: Path, square: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = "forecast", square, "--model", model_file, "--out", out
    assert vidgru(*words, "--ahead", 5, "--at", 0.5).code == 0
    before = {path: path.read_bytes() for path in out.iterdir()}
    done = vidgru(*words)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"Error: {out} exists and is not empty: choose another --out, or give --overwrite.\n"
    )
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    (out / "notes.txt").write_text("mine")
    assert vidgru(*words, "--overwrite").code == 0
    assert names(out) == sorted([*FILES, "notes.txt"])  # without the old frames and their curve
    assert (out / "frame_001.png").read_bytes() != before[out / "frame_001.png"]


def test_overwriting_takes_only_what_a_forecast_wrote(
    vidgru: Vidgru, model_file: Path, square: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    mine = write_images(out, noise(2), ["frame_050.png", "frame_0001.png"])
    (out / "frames.csv").write_text("file,seconds\nframe_050.png,0\n")
    kept = {path.name: path.read_bytes() for path in mine.glob("*.png")}
    words = "forecast", square, "--model", model_file, "--out", out, "--overwrite"
    assert vidgru(*words).code == 0
    assert vidgru(*words, "--at", 0.5, "--at", 0.6).code == 0
    assert names(out) == ["at-0.50s", "at-0.60s", "errors.png", *sorted(kept)]
    (out / "at-0.50s" / "notes.txt").write_text("mine")
    assert vidgru(*words).code == 0
    assert names(out) == sorted(["at-0.50s", *FILES, *kept])
    assert names(out / "at-0.50s") == ["notes.txt"]
    assert {name: (out / name).read_bytes() for name in kept} == kept


@pytest.mark.parametrize("other", [False, True])
def test_a_source_among_the_files_to_write(
    vidgru: Vidgru, model_file: Path, square: Path, monkeypatch: pytest.MonkeyPatch, other: bool
) -> None:
    monkeypatch.chdir(square.parent)
    source = Path("square-forecast") / ("forecast.mp4" if other else "frame_0001.png")
    if other:
        source.parent.mkdir()
        source.write_bytes(square.read_bytes())
    else:
        write_images(source.parent, noise(1), [source.name])
    sources = (square, source) if other else (source, "--out", source.parent)
    before = source.read_bytes()
    done = vidgru("forecast", *sources, "--model", model_file, "--overwrite")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"Error: {source} cannot be read and written at once: give another --out.\n"
    )
    assert source.read_bytes() == before


def test_a_source_that_an_earlier_forecast_wrote(
    vidgru: Vidgru, model_file: Path, square: Path, tmp_path: Path
) -> None:
    words = "--model", model_file, "--out", tmp_path / "out", "--overwrite"
    assert vidgru("forecast", square, *words, "--at", 0.5, "--at", 0.6).code == 0
    source = tmp_path / "out" / "at-0.50s" / "forecast.mp4"
    done = vidgru("forecast", source, *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"Error: {source} cannot be read and written at once")
    assert source.exists()


def test_many_sources_are_planned_at_once(tmp_path: Path) -> None:
    found = [tmp_path / f"{number}.avi" for number in range(1000)]
    began = process_time()
    planned = plan([str(tmp_path)], found, ForecastConfig(out=str(tmp_path / "out")))
    assert (len(planned), process_time() - began < 5) == (1000, True)


def test_a_late_second_keeps_the_curve_of_the_others(
    vidgru: Vidgru, model_file: Path, square: Path, tmp_path: Path
) -> None:
    ats = "--at", 0.5, "--at", 0.6, "--at", 9
    done = vidgru("forecast", square, "--model", model_file, "--out", tmp_path / "out", *ats)
    assert done.code == 1
    assert done.err.endswith("nothing can be forecast after 9 s.\n")
    assert names(tmp_path / "out") == ["at-0.50s", "at-0.60s", "errors.png"]


def test_a_full_disk(model: ForecastModel, square: Path, tmp_path: Path) -> None:
    (predicted,) = model.forecast(square)
    (tmp_path / "file").write_text("")
    why = r"^Cannot write .*/file/frame_001\.png: .*/file is a file, not a folder\.$"
    with pytest.raises(OutputError, match=why):
        save_forecast(predicted, tmp_path / "file")


@pytest.mark.parametrize(
    ("source", "side", "size"),
    [
        ((64, 64), 64, (64, 64)), ((104, 74), 64, (104, 74)), ((1920, 1080), 64, (512, 288)),
        ((1080, 1920), 128, (288, 512)), ((24, 32), 64, (64, 85)), ((512, 100), 128, (512, 100)),
        ((300, 30), 64, (512, 51)), ((1, 10000), 64, (16, 512)), ((1, 1), 256, (256, 256)),
    ],
)  # fmt: skip
def test_the_size_of_pictures(source: tuple[int, int], side: int, size: tuple[int, int]) -> None:
    assert picture_size(*source, side) == size
