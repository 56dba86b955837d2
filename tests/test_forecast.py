"""`vidgru forecast`: what is foreseen, in clips and streams; what is written; how it fails."""

import csv
import gc
import json
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from conftest import Done
from helpers import noise, retime, turn, write_clip, write_images
from numpy.typing import NDArray

import vidgru as library
from vidgru import TrainResult
from vidgru.cli.forecast_scores import CONSTANTS
from vidgru.engine.checkpoint import SHIPPED_MOTION, LoadedForecast, save_model
from vidgru.errors import ModelError, OptionError, OutputError, VideoError
from vidgru.forecast import Forecast, ForecastFrame, mean_scores
from vidgru.forecast_scores import FrameErrors
from vidgru.nn.forecast import ForecastNetwork
from vidgru.nn.rolling import RollingForecast
from vidgru.spec import ForecastSpec
from vidgru.tasks.forecast import errors
from vidgru.verbs import forecast, forecast_save
from vidgru.verbs.forecast import ForecastModel
from vidgru.verbs.forecast_save import picture_size, save_forecast
from vidgru.video.live import LiveFrame
from vidgru.video.read import Frame
from vidgru.video.strip import error_colors, film_strip, to_rgb

Vidgru = Callable[..., Done]
Frames = NDArray[np.uint8]

SPEC = ForecastSpec("forecast", "convgru", 8, 10.0, 4, 3, 32, 3)
SIZE = SPEC.size
FILES = [
    "filmstrip.png", "forecast.mp4", "frame_001.png", "frame_002.png", "frame_003.png", "frames.csv"
]  # fmt: skip


def network(channels: int = 3) -> ForecastNetwork:
    """Return a network of random weights."""
    torch.manual_seed(0)
    return ForecastNetwork(SIZE, SPEC.hidden, channels).eval()


def make_model(channels: int = 3, **changes: Any) -> ForecastModel:
    spec = replace(SPEC, channels=channels, **changes)
    loaded = LoadedForecast(Path("model.safetensors"), network(channels), spec, {})
    return ForecastModel(loaded, torch.device("cpu"))


@pytest.fixture
def model() -> ForecastModel:
    return make_model()


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "model" / "forecast.safetensors"
    save_model(path, network().state_dict(), SPEC, {})
    return path


@pytest.fixture
def square(tmp_path: Path) -> Path:
    """Return a lossless clip of 12 frames of the model's own size, at its rate."""
    return write_clip(tmp_path / "square.avi", noise(12, SIZE, SIZE), 10)


def direct(frames: Frames, ahead: int, channels: int = 3) -> NDArray[np.float32]:
    """Return what the network itself foresees (K, S, S, C) after rgb uint8 (T, S, S, 3)."""
    clip = torch.from_numpy(frames).permute(0, 3, 1, 2)[None].float() / 255
    if channels == 1:
        clip = (clip * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(2, keepdim=True)
    with torch.inference_mode():
        return network(channels)(clip, ahead)[0].permute(0, 2, 3, 1).numpy()


def read_png(path: Path) -> Frames:
    return cv2.imread(str(path))[..., ::-1]


def read_video(path: Path) -> list[Frames]:
    capture, found = cv2.VideoCapture(str(path)), []
    while (item := capture.read())[0]:
        found.append(item[1][..., ::-1])
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_after_the_end(model: ForecastModel, square: Path) -> None:
    (told,) = model.forecast(square)
    assert (told.source, told.model) == (str(square), "model.safetensors")
    assert (told.at, told.fps, told.width, told.height) == (1.1, 10, SIZE, SIZE)
    assert told.seen == (0.8, 0.9, 1.0, 1.1)
    assert told.frames == tuple(ForecastFrame(n, round(1.1 + n / 10, 6)) for n in (1, 2, 3))
    frames = noise(12, SIZE, SIZE)[8:]
    assert np.array_equal(to_rgb(told.shown), frames)
    assert told.told == pytest.approx(direct(frames, 3), abs=1e-6)
    assert np.ptp(told.told, axis=0).max() > 0.01  # frame by frame something else
    assert told.came.shape == (0, SIZE, SIZE, 3)
    said = told.to_dict()
    assert json.loads(json.dumps(said)) == {
        "source": str(square), "at": 1.1, "fps": 10, "width": SIZE, "height": SIZE,
        "model": "model.safetensors", "seen": [0.8, 0.9, 1.0, 1.1],
        "frames": [
            {"number": n, "seconds": round(1.1 + n / 10, 6), "model": None, "copy": None,
             "linear": None, "file": None} for n in (1, 2, 3)
        ],
    }  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
def test_what_came_is_compared(square: Path, channels: int) -> None:
    """Several moments may overlap, come in any order, or twice."""
    told = make_model(channels).forecast(square, 2, at=(1.0, 0.45, 0.5, 0.5, 0.85))
    assert [one.at for one in told] == [0.4, 0.5, 0.8, 1.0]
    frames = noise(12, SIZE, SIZE)
    grey = frames @ np.array([0.299, 0.587, 0.114])[:, None] / 255
    pixels = frames / 255 if channels == 3 else grey
    for one in told:
        at = round(one.at * 10)
        assert one.told == pytest.approx(direct(frames[at - 3 : at + 1], 2, channels), abs=1e-6)
        came = pixels[at + 1 : at + 3]
        assert one.came == pytest.approx(came, abs=1e-6)
        assert len(one.came) == (1 if at == 10 else 2)
        for number, frame in enumerate(one.frames, 1):
            if number > len(came):
                assert frame.model is frame.copy is frame.linear is None
                continue
            true, last, before = came[number - 1], pixels[at], pixels[at - 1]
            linear = np.clip(last + number * (last - before), 0, 1)
            for found, guess in (
                (frame.model, one.told[number - 1]), (frame.copy, last), (frame.linear, linear)
            ):  # fmt: skip
                assert found is not None
                assert found.mse == pytest.approx(((guess - true) ** 2).sum(), rel=1e-4)
                assert found.mae == pytest.approx(np.abs(guess - true).sum(), rel=1e-4)
                mean = ((guess - true) ** 2).mean()
                assert found.psnr == pytest.approx(-10 * np.log10(mean), rel=1e-4)
                pair = [torch.tensor(each).permute(2, 0, 1)[None, None] for each in (guess, true)]
                assert found.ssim == pytest.approx(float(errors(*pair)[0, 0, 2]), rel=1e-4)


def test_of_what_stays_a_copy_is_right(model: ForecastModel, tmp_path: Path) -> None:
    still = write_clip(tmp_path / "still.avi", noise(1, SIZE, SIZE).repeat(12, 0), 10)
    (told,) = model.forecast(still, at=(0.5,))
    for frame in told.frames:
        assert (
            frame.copy
            == frame.linear
            == FrameErrors(0, 0, pytest.approx(1), pytest.approx(58.92, abs=0.01))
        )
        assert frame.model is not None
        assert frame.model.mse > 1


def test_few_frames(
    model: ForecastModel, square: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = model.forecast(square, at=(0.0, 0.15))
    frames = noise(12, SIZE, SIZE)
    assert (one.seen, two.seen) == ((0.0,), (0.0, 0.1))
    assert one.told == pytest.approx(direct(frames[:1], 3), abs=1e-6)
    assert two.told == pytest.approx(direct(frames[:2], 3), abs=1e-6)
    assert one.frames[0].copy == one.frames[0].linear  # of one frame, nothing is known of motion
    assert one.frames[1].model is not None
    assert caplog.messages == [
        f"{square}: up to {at} s there are {count} of the 4 frames that the model wants to see, so "
        "the forecast is a poorer one." for at, count in (("0.00", 1), ("0.10", 2))
    ]  # fmt: skip
    picture = write_images(tmp_path / "images", noise(1, 9, 18), ["1.png"]) / "1.png"
    (told,) = model.forecast(picture)
    assert (told.seen, told.width, told.height, len(told.frames)) == ((0.0,), 18, 9, 3)


def test_the_end_of_a_video_and_beyond(model: ForecastModel, square: Path) -> None:
    """The last frame lasts up to 1.2 s."""
    late, last = model.forecast(square, at=(1.2, 1.1))
    assert late == last == model.forecast(square)[0]
    found = []

    def ask() -> None:
        steps = model.forecast_steps(square, at=(7.5, 0.5, 1.25))
        found.extend(item.at for item in steps if isinstance(item, Forecast))

    sentence = rf"^{square} ends at 1\.20 s: nothing can be foreseen after 1\.25 s\.$"
    with pytest.raises(VideoError, match=sentence):
        ask()
    assert found == [0.5]
    with pytest.raises(VideoError, match="ends at"):
        model.forecast(square, at=(7.5, 0.5))


@pytest.mark.parametrize(("fps", "rate"), [(30, 10), (25, 12.5), (12, 12), (8, 8), (60, 10)])
def test_the_rate_is_that_of_training(
    model: ForecastModel, tmp_path: Path, fps: float, rate: float
) -> None:
    clip = write_clip(tmp_path / "clip.avi", noise(40, SIZE, SIZE), fps)
    (told,) = model.forecast(clip)
    assert told.fps == pytest.approx(rate)
    assert np.diff(told.seen) == pytest.approx(1 / rate, abs=1e-5)
    every = round(fps / rate)
    frames = noise(40, SIZE, SIZE)[::every][-4:]
    assert told.told == pytest.approx(direct(frames, 3), abs=1e-6)


def test_pictures_are_told_upright(model: ForecastModel, tmp_path: Path) -> None:
    turned = turn(write_clip(tmp_path / "turned.mp4", noise(6, 48, 96), 10, "mp4v"))
    (told,) = model.forecast(turned)
    assert (told.width, told.height) == (48, 96)
    uneven = write_clip(tmp_path / "uneven.mp4", noise(20), 20, "mp4v")
    retime(uneven, [512] * 15 + [100_000] + [512] * 4)
    assert model.forecast(uneven)[0].fps == pytest.approx(10)


def test_only_what_is_needed_is_read(
    model: ForecastModel, square: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = most = given = 0

    def gone() -> None:
        nonlocal alive
        alive -= 1

    def endless(source: Path, fps: float, **_: Any) -> Iterator[Frame]:
        nonlocal alive, most, given
        for n in range(3000):
            picture = np.full((SIZE, SIZE, 3), n % 256, np.uint8)
            weakref.finalize(picture, gone)
            alive, given = alive + 1, given + 1
            most = max(most, alive)
            yield Frame(picture, n / fps, n)

    monkeypatch.setattr(forecast, "sample_frames", endless)
    (told,) = model.forecast(square)
    assert told.at == 299.9
    assert (given, alive) == (3000, 0)
    assert most <= SPEC.frames + 2
    given = most = 0
    told = model.forecast(square, at=(100.0, 100.1))[1]
    assert told.frames[-1].model is not None
    assert given == 1001 + 1 + 3
    assert most <= SPEC.frames + 2 + 3 + 2


def test_a_stream_foresees_what_a_clip_does(model: ForecastModel, square: Path) -> None:
    frames = noise(12, SIZE, SIZE)
    moments = list(model.stream(square))
    assert [moment.time for moment in moments] == pytest.approx(np.arange(12) / 10)
    # The older state begins anew every four frames, and tells when it has seen four to eight.
    assert [moment.seen for moment in moments] == [1, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7, 8]
    for number, moment in enumerate(moments, 1):
        wanted = direct(frames[number - moment.seen : number], 3)
        assert moment.told.shape == wanted.shape == (3, SIZE, SIZE, 3)
        assert np.abs(moment.told - wanted).max() <= 1e-5
    assert np.abs(moments[-1].told - moments[-2].told).max() > 1e-3
    assert moments[0].to_dict() == {
        "time": 0, "seen": 1, "fps": 10, "seconds": [0.1, 0.2, pytest.approx(0.3)]
    }  # fmt: skip
    assert len(next(model.stream(square, 7)).told) == 7


def test_a_stream_answers_before_it_reads_on(model: ForecastModel) -> None:
    given = 0

    def frames() -> Iterator[Frame]:
        nonlocal given
        for n in range(9):
            given = n
            yield Frame(noise(1, SIZE, SIZE, n)[0], n / 10, n)

    for n, moment in enumerate(model.follow(frames(), 10)):
        assert (given, moment.time) == (n, n / 10)


def test_a_stream_takes_no_more_memory() -> None:
    picture = torch.rand(1, 1, 16, 16)

    def held() -> int:
        gc.collect()
        return sum(issubclass(type(item), torch.Tensor) for item in gc.get_objects())

    rolling, counts, ages = RollingForecast(ForecastNetwork(16, 8, 1).eval(), 3), [], set()
    for n in range(3000):
        ages.add(rolling.push(picture, 1)[1])
        if n in (100, 1600, 2998):  # with as many states
            counts.append(held())
    assert ages == {1, 2, 3, 4, 5, 6}
    assert counts[0] == counts[1] == counts[2]


def test_a_live_stream_begins_afresh_after_a_reconnect(
    model: ForecastModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = noise(9, SIZE, SIZE)

    def live(source: str, fps: float, size: tuple[int, int], tell: Any) -> Iterator[LiveFrame]:
        assert (source, fps, size) == ("camera:3", 10, (SIZE, SIZE))
        for n in range(9):
            yield LiveFrame(frames[n], n / 10, n, 0.0, 0.0, 0, int(n >= 5))

    monkeypatch.setattr(forecast, "live_frames", live)
    moments = list(model.stream("camera:3", 2))
    assert [moment.seen for moment in moments] == [1, 2, 3, 4, 5, 1, 2, 3, 4]
    assert np.abs(moments[6].told - direct(frames[5:7], 2)).max() <= 1e-5


def test_the_pixels_of_pictures(
    vidgru: Vidgru, model_file: Path, square: Path, tmp_path: Path
) -> None:
    """Of a source of the model's own size, pictures are exactly what was foreseen."""
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
        f"{guess}{name}" for guess in ("", "copy_", "linear_")
        for name in ("mse", "mae", "ssim", "psnr")
    ]  # fmt: skip
    for number, row in enumerate(rows):
        off = frames[5] / 255 - frames[6 + number] / 255
        assert float(row["copy_mse"]) == pytest.approx((off**2).sum(), rel=1e-5)
        told = direct(frames[2:6], 3)[number] - frames[6 + number] / 255
        assert float(row["mae"]) == pytest.approx(np.abs(told).sum(), rel=1e-5)


def test_the_video(vidgru: Vidgru, model_file: Path, tmp_path: Path) -> None:
    """Four frames seen, and three foreseen in an orange edge, at the rate that was sampled."""
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


def test_lines_and_table(
    vidgru: Vidgru, model_file: Path, square: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(square.parent)
    ats = [word for at in (0.9, 0.5, 0.3) for word in ("--at", at)]
    done = vidgru("forecast", "square.avi", "--model", model_file, *ats)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:4] == [
        *(f"square.avi: 3 frames after 0.{at}0 s, up to {end} s, from 4 seen at 10 frames/s, "
          f"in square-forecast/at-0.{at}0s" for at, end in ((3, "0.60"), (5, "0.80"), (9, "1.20"))),
        "Left out, as less is known of what came after: 1 of the forecasts.",
    ]  # fmt: skip
    assert lines[4].strip() == "how good 2 forecasts of square.avi are (model / copy / linear)"
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
        f"{square}: 5 frames after 1.10 s, up to 1.60 s, from 4 seen at 10 frames/s, "
        "in square-forecast",
        "Where a video ends, nothing is known of what came: to compare, give --at.",
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
        f"{short} ends at 0.30 s: nothing can be foreseen after 0.5 s.",
        f"Cannot read {tmp_path}/empty: the folder holds neither videos nor images.",
    ]
    assert done.err.splitlines() == [f"Error: {sentence}" for sentence in sentences]
    bad, first, second, late, empty = map(json.loads, done.out.splitlines())
    assert [item["error"] for item in (bad, late, empty)] == sentences
    assert [item["source"] for item in (first, second)] == [f"{folder}/b.avi", str(square)]
    assert [frame["file"] for frame in first["frames"]] == [
        f"{tmp_path}/out/in/b/frame_00{n}.png" for n in (1, 2, 3)
    ]
    assert first["frames"][0].keys() == {"number", "seconds", "model", "copy", "linear", "file"}
    assert first["frames"][2]["copy"].keys() == {"mse", "mae", "ssim", "psnr"}
    assert names(tmp_path / "out") == ["in", "square"]  # not square-2: nothing came of that


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
        f"Error: {out} is there already, and not empty: choose another --out, or give "
        "--overwrite.\n"
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


def test_a_late_second_keeps_the_curve_of_the_others(
    vidgru: Vidgru, model_file: Path, square: Path, tmp_path: Path
) -> None:
    ats = "--at", 0.5, "--at", 0.6, "--at", 9
    done = vidgru("forecast", square, "--model", model_file, "--out", tmp_path / "out", *ats)
    assert done.code == 1
    assert done.err.endswith("nothing can be foreseen after 9 s.\n")
    assert names(tmp_path / "out") == ["at-0.50s", "at-0.60s", "errors.png"]


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
        (["clip.avi", "--out", ""], 2, "--out is empty: give a folder."),
        (["clip.avi", "--out", "clip.avi"], 1, "Cannot write to clip.avi: it is a file, not a"),
        (["images", "--out", "images"], 2, "images cannot be read and written at once: give anot"),
        (["clip.avi", "--model", "nowhere"], 1, "No model at nowhere: give a run folder or a mod"),
        (["clip.avi"], 1, "No trained model that foresees frames in "),
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
    assert "how good the forecast of [red]a\\x1b[2J\\n.avi is (model" in done.out


def test_models(
    model_file: Path, trained: TrainResult, square: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert library.load_forecast(model_file, threads=1).spec == SPEC
    with pytest.raises(ModelError, match="tells classes: use `vidgru predict`"):
        library.load_forecast(trained.run, threads=1)
    monkeypatch.chdir(square.parent)
    run = Path("runs") / "one"
    run.mkdir(parents=True)
    (run / "model.safetensors").write_bytes(model_file.read_bytes())
    found = library.load_forecast(threads=1)
    assert found.path == run / "model.safetensors"
    for ask in (found.forecast, found.stream):
        with pytest.raises(OptionError, match=r"^Invalid --ahead 0\. It must be at least 1\.$"):
            ask(square, 0)
    with pytest.raises(OptionError, match=r"^camera:0 is no file"):
        found.forecast("camera:0")


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

    def broken(told: Forecast) -> Frames:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return whole(told)

    monkeypatch.setattr(forecast_save, "film_strip", broken)
    other = square.with_name("other.avi")
    other.write_bytes(square.read_bytes())
    out = tmp_path / "out"
    words = "--model", model_file, "--out", out, "--at", 0.4, "--at", 0.5
    done = vidgru("forecast", square, other, *words)
    assert done.code == 130
    assert done.err.strip() == "Stopped: Interrupted. 1 of 2 sources were done to their end."
    assert names(out / "square") == ["at-0.40s", "at-0.50s", "errors.png"]
    assert names(out / "other" / "at-0.40s") == [
        "forecast.mp4", "frame_001.png", "frame_002.png", "frame_003.png"
    ]  # fmt: skip


def test_a_full_disk(model: ForecastModel, square: Path, tmp_path: Path) -> None:
    (told,) = model.forecast(square)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"^Cannot write .*/file/frame_001\.png: File exists\.$"):
        save_forecast(told, tmp_path / "file")


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


def frame_with(number: int, value: float | None) -> ForecastFrame:
    if value is None:
        return ForecastFrame(number, number / 10)
    found = [FrameErrors(value * k, 0, 0, value + k) for k in (1, 2, 3)]
    return ForecastFrame(number, number / 10, *found)


def test_the_mean_over_several_forecasts() -> None:
    long, other = [[frame_with(n, v * n) for n in (1, 2)] for v in (1, 3)]
    short = [frame_with(1, 100), frame_with(2, None)]
    none = [frame_with(1, None), frame_with(2, None)]
    scores = mean_scores([long, short, none, other], 10)
    assert scores is not None
    assert scores.windows == 2
    assert [(h.frame, h.seconds) for h in scores.horizons] == [(1, 0.1), (2, 0.2)]
    assert [h.model.mse for h in scores.horizons] == [2, 4]
    assert [h.linear.psnr for h in scores.horizons] == [5, 7]
    only = mean_scores([short, none], 10)
    assert only is not None
    assert [h.copy.mse for h in only.horizons] == [200]
    assert mean_scores([none], 10) is mean_scores([], 10) is None


def made_up(frames: int, ahead: int, came: int, channels: int = 3, **changes: Any) -> Forecast:
    """Return a forecast of plain frames: seen 0.2, foreseen 0.6, came 0.5."""
    told = Forecast(
        source="x", at=(frames - 1) / 10, fps=10, width=SIZE, height=SIZE, model="m",
        seen=tuple(n / 10 for n in range(frames)),
        frames=tuple(ForecastFrame(n, (frames - 1 + n) / 10) for n in range(1, ahead + 1)),
        shown=np.full((frames, SIZE, SIZE, channels), 0.2, np.float32),
        told=np.full((ahead, SIZE, SIZE, channels), 0.6, np.float32),
        came=np.full((came, SIZE, SIZE, channels), 0.5, np.float32),
    )  # fmt: skip
    return replace(told, **changes)


def count_cells(strip: Frames, color: Any, cell: int) -> float:
    return float((strip == np.array(color)).all(axis=-1).sum() / cell)


@pytest.mark.parametrize(
    ("frames", "ahead", "came", "cells"),
    [(4, 3, 3, (4, 3, 3)), (10, 10, 5, (4, 10, 5)), (1, 40, 0, (1, 10, 0)),
     (30, 19, 19, (4, 10, 10)), (2, 1, 1, (2, 1, 1)), (4, 30, 1, (4, 10, 1))],
)  # fmt: skip
def test_what_a_filmstrip_shows(
    frames: int, ahead: int, came: int, cells: tuple[int, int, int]
) -> None:
    strip, cell = film_strip(made_up(frames, ahead, came)), 128 * 128
    (error,) = error_colors(np.full((1, 1), 0.1))[0]
    found = [count_cells(strip, [level] * 3, cell) for level in (51, 153, 128)]
    # Letters hold a few pixels of any grey.
    assert found == pytest.approx(cells, abs=0.02)
    assert count_cells(strip, error, cell) == pytest.approx(cells[2], abs=0.02)
    rows = 3 if came else 1
    assert abs(strip.shape[0] - rows * 134) < 40
    places = [np.argwhere((strip == level).all(axis=-1)) for level in (51, 153)]
    assert places[0].max(axis=0)[1] < np.median(places[1], axis=0)[1]  # seen, then foreseen
    column = strip[26::134, places[1].max(axis=0)[1] - 134 * (cells[1] - 1), 0]
    assert column.tolist() == ([128, 153, error[0]] if came else [153])


def test_the_columns_of_a_filmstrip() -> None:
    """Evenly picked, always with the last frame seen and the first and last ones foreseen."""
    shown = np.linspace(0, 1, 12, dtype=np.float32)[:, None, None, None]
    told = np.linspace(0, 1, 30, dtype=np.float32)[:, None, None, None]
    ones = np.ones((1, SIZE, SIZE, 1), np.float32)
    strip = film_strip(made_up(12, 30, 0, 1, shown=shown * ones, told=told * ones))
    row = [int(v) for v in strip[strip.shape[0] // 2, :, 0]]
    runs = [v for n, v in enumerate(row[:-59]) if len(set(row[n : n + 60])) == 1]
    ground = 48
    levels = [v for n, v in enumerate(runs) if (n == 0 or runs[n - 1] != v) and v != ground]
    assert levels == [0, 93, 162, 255] + [
        round(255 * n / 29) for n in (0, 3, 6, 10, 13, 16, 19, 23, 26, 29)
    ]


@pytest.mark.parametrize(
    ("width", "height", "cell"),
    [(64, 64, (128, 128)), (1920, 1080, (171, 96)), (9, 16, (96, 171)), (5000, 1, (256, 64))],
)
def test_the_shape_of_a_filmstrip(width: int, height: int, cell: tuple[int, int]) -> None:
    strip = film_strip(made_up(1, 1, 0, width=width, height=height))
    ys, xs = np.nonzero((strip == 153).all(axis=-1))
    big = np.abs(np.array([np.ptp(xs) + 1, np.ptp(ys) + 1]) - cell)
    assert big.max() <= 1


def test_small_pictures_are_not_blurred() -> None:
    checks = (np.indices((1, SIZE, SIZE)).sum(axis=0) % 2).astype(np.float32)[..., None]
    strip = film_strip(made_up(1, 1, 0, 1, shown=checks, told=checks, width=20, height=20))
    row = strip[strip.shape[0] // 2, -134:-6, 0]
    assert (
        row.tolist() == (([0] * 4 + [255] * 4) * 16)[:128]
        or row.tolist() == (([255] * 4 + [0] * 4) * 16)[:128]
    )


def test_grey_models_are_shown_in_grey(square: Path) -> None:
    (told,) = make_model(1).forecast(square)
    strip = film_strip(told).astype(int)
    colored = np.ptp(strip, axis=-1) > 0
    # Only what is written of the forecast, and the line before it, is orange.
    pictures = strip[30:-6]
    assert colored[30:-6, -3 * 134 :].sum() == 0
    assert pictures[..., 0].std() > 5
