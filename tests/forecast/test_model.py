"""What a model forecasts, in clips and in streams."""

import gc
import json
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forecast_models import SIZE, SPEC, direct, make_model
from helpers import noise, retime, turn, write_clip, write_images

from vidgru import TrainResult
from vidgru.core.errors import ModelError, OptionError, VideoError, VidgruError
from vidgru.tasks.forecast import model as forecast
from vidgru.tasks.forecast.metrics import errors
from vidgru.tasks.forecast.model import ForecastModel
from vidgru.tasks.forecast.network import ForecastNetwork
from vidgru.tasks.forecast.results import Forecast, ForecastFrame
from vidgru.tasks.forecast.rolling import RollingForecast
from vidgru.tasks.forecast.scores import FrameErrors
from vidgru.tasks.forecast.strip import film_strip, to_rgb
from vidgru.video.live import LiveFrame
from vidgru.video.read import Frame


def test_after_the_end(model: ForecastModel, square: Path) -> None:
    (predicted,) = model.forecast(square)
    assert (predicted.source, predicted.model) == (str(square), "model.safetensors")
    assert (predicted.at, predicted.fps, predicted.width, predicted.height) == (1.1, 10, SIZE, SIZE)
    assert predicted.context == (0.8, 0.9, 1.0, 1.1)
    assert predicted.frames == tuple(ForecastFrame(n, round(1.1 + n / 10, 6)) for n in (1, 2, 3))
    frames = noise(12, SIZE, SIZE)[8:]
    assert np.array_equal(to_rgb(predicted.context_pixels), frames)
    assert predicted.predicted == pytest.approx(direct(frames, 3), abs=1e-6)
    assert np.ptp(predicted.predicted, axis=0).max() > 0.01  # frame by frame something else
    assert predicted.ground_truth.shape == (0, SIZE, SIZE, 3)
    said = predicted.to_dict()
    assert json.loads(json.dumps(said)) == {
        "source": str(square), "at": 1.1, "fps": 10, "width": SIZE, "height": SIZE,
        "model": "model.safetensors", "context": [0.8, 0.9, 1.0, 1.1],
        "frames": [
            {"number": n, "time": round(1.1 + n / 10, 6), "model": None, "copy": None,
             "linear": None, "file": None} for n in (1, 2, 3)
        ],
    }  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3])
def test_what_came_is_compared(square: Path, channels: int) -> None:
    """Several moments may overlap, come in any order, or twice."""
    predicted = make_model(channels).forecast(square, 2, at=(1.0, 0.45, 0.5, 0.5, 0.85))
    assert [one.at for one in predicted] == [0.4, 0.5, 0.8, 1.0]
    frames = noise(12, SIZE, SIZE)
    grey = frames @ np.array([0.299, 0.587, 0.114])[:, None] / 255
    pixels = frames / 255 if channels == 3 else grey
    for one in predicted:
        at = round(one.at * 10)
        assert one.predicted == pytest.approx(
            direct(frames[at - 3 : at + 1], 2, channels), abs=1e-6
        )
        ground_truth = pixels[at + 1 : at + 3]
        assert one.ground_truth == pytest.approx(ground_truth, abs=1e-6)
        assert len(one.ground_truth) == (1 if at == 10 else 2)
        for number, frame in enumerate(one.frames, 1):
            if number > len(ground_truth):
                assert frame.model is frame.copy is frame.linear is None
                continue
            true, last, before = ground_truth[number - 1], pixels[at], pixels[at - 1]
            linear = np.clip(last + number * (last - before), 0, 1)
            for found, baseline in (
                (frame.model, one.predicted[number - 1]), (frame.copy, last), (frame.linear, linear)
            ):  # fmt: skip
                assert found is not None
                assert found.mse == pytest.approx(((baseline - true) ** 2).sum(), rel=1e-4)
                assert found.mae == pytest.approx(np.abs(baseline - true).sum(), rel=1e-4)
                mean = ((baseline - true) ** 2).mean()
                assert found.psnr == pytest.approx(-10 * np.log10(mean), rel=1e-4)
                pair = [
                    torch.tensor(each).permute(2, 0, 1)[None, None] for each in (baseline, true)
                ]
                assert found.ssim == pytest.approx(float(errors(*pair)[0, 0, 2]), rel=1e-4)


def test_of_what_stays_a_copy_is_right(model: ForecastModel, tmp_path: Path) -> None:
    still = write_clip(tmp_path / "still.avi", noise(1, SIZE, SIZE).repeat(12, 0), 10)
    (predicted,) = model.forecast(still, at=(0.5,))
    for frame in predicted.frames:
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
    assert (one.context, two.context) == ((0.0,), (0.0, 0.1))
    assert one.predicted == pytest.approx(direct(frames[:1], 3), abs=1e-6)
    assert two.predicted == pytest.approx(direct(frames[:2], 3), abs=1e-6)
    assert one.frames[0].copy == one.frames[0].linear  # of one frame, nothing is known of motion
    assert one.frames[1].model is not None
    assert caplog.messages == [
        f"{square}: up to {at} s there are {count} of the 4 frames of context that the model "
        "expects, so the forecast is worse." for at, count in (("0.00", 1), ("0.10", 2))
    ]  # fmt: skip
    picture = write_images(tmp_path / "images", noise(1, 9, 18), ["1.png"]) / "1.png"
    (predicted,) = model.forecast(picture)
    assert (predicted.context, predicted.width, predicted.height, len(predicted.frames)) == (
        (0.0,),
        18,
        9,
        3,
    )


def test_seconds_that_are_none(model: ForecastModel, square: Path) -> None:
    assert model.forecast(square, at=0.5) == model.forecast(square, at=[0.5])
    for wrong in (None, "0.5", [None]):
        with pytest.raises(VidgruError, match=r"^Invalid at\. It must be a number, not"):
            model.forecast(square, at=wrong)  # type: ignore[arg-type]


def test_the_end_of_a_video_and_beyond(model: ForecastModel, square: Path) -> None:
    """The last frame lasts up to 1.2 s."""
    late, last = model.forecast(square, at=(1.2, 1.1))
    assert late == last == model.forecast(square)[0]
    found = []

    def ask() -> None:
        steps = model.forecast_steps(square, at=(7.5, 0.5, 1.25))
        found.extend(item.at for item in steps if isinstance(item, Forecast))

    sentence = rf"^{square} ends at 1\.20 s: nothing can be forecast after 1\.25 s\.$"
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
    (predicted,) = model.forecast(clip)
    assert predicted.fps == pytest.approx(rate)
    assert np.diff(predicted.context) == pytest.approx(1 / rate, abs=1e-5)
    every = round(fps / rate)
    frames = noise(40, SIZE, SIZE)[::every][-4:]
    assert predicted.predicted == pytest.approx(direct(frames, 3), abs=1e-6)


def test_pictures_are_forecast_upright(model: ForecastModel, tmp_path: Path) -> None:
    turned = turn(write_clip(tmp_path / "turned.mp4", noise(6, 48, 96), 10, "mp4v"))
    (predicted,) = model.forecast(turned)
    assert (predicted.width, predicted.height) == (48, 96)
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
    (predicted,) = model.forecast(square)
    assert predicted.at == 299.9
    assert (given, alive) == (3000, 0)
    assert most <= SPEC.frames + 2
    given = most = 0
    predicted = model.forecast(square, at=(100.0, 100.1))[1]
    assert predicted.frames[-1].model is not None
    assert given == 1001 + 1 + 3
    assert most <= SPEC.frames + 2 + 3 + 2


def test_a_stream_foresees_what_a_clip_does(model: ForecastModel, square: Path) -> None:
    frames = noise(12, SIZE, SIZE)
    moments = list(model.stream(square))
    assert [moment.time for moment in moments] == pytest.approx(np.arange(12) / 10)
    # The older state begins anew every four frames, and tells when it has seen four to eight.
    assert [moment.context_frames for moment in moments] == [1, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7, 8]
    for number, moment in enumerate(moments, 1):
        wanted = direct(frames[number - moment.context_frames : number], 3)
        assert moment.predicted.shape == wanted.shape == (3, SIZE, SIZE, 3)
        assert np.abs(moment.predicted - wanted).max() <= 1e-5
    assert np.abs(moments[-1].predicted - moments[-2].predicted).max() > 1e-3
    assert moments[0].to_dict() == {
        "time": 0, "context_frames": 1, "fps": 10, "times": [0.1, 0.2, pytest.approx(0.3)]
    }  # fmt: skip
    assert len(next(model.stream(square, 7)).predicted) == 7


def test_a_stream_answers_before_it_reads_on(model: ForecastModel) -> None:
    given = 0

    def frames() -> Iterator[Frame]:
        nonlocal given
        for n in range(9):
            given = n
            yield Frame(noise(1, SIZE, SIZE, n)[0], n / 10, n)

    for n, moment in enumerate(model.follow(frames(), 10)):
        assert (given, moment.time) == (n, n / 10)


@pytest.mark.parametrize(
    ("frame", "came"),
    [
        (Frame(noise(1, SIZE, 8)[0], 0, 0), f"its rgb is uint8 ({SIZE}, 8, 3)"),
        (Frame(noise(1, SIZE, SIZE)[0] / 255, 0, 0), f"its rgb is float64 ({SIZE}, {SIZE}, 3)"),  # type: ignore[arg-type]
        (Frame(None, 0, 0), "its rgb is NoneType"),  # type: ignore[arg-type]
        (noise(1, SIZE, SIZE)[0], "ndarray"),
    ],
)
def test_a_frame_of_another_form(model: ForecastModel, frame: Any, came: str) -> None:
    with pytest.raises(VideoError) as failed:
        list(model.follow([frame], 10))
    wanted = f"rgb uint8 ({SIZE}, {SIZE}, 3)"
    assert str(failed.value) == f"Cannot read a frame of a stream: {came}, not {wanted}."


def test_a_stream_takes_no_more_memory() -> None:
    picture = torch.rand(1, 1, 16, 16)

    def held() -> int:
        gc.collect()
        return sum(issubclass(type(item), torch.Tensor) for item in gc.get_objects())

    rolling, counts, ages = RollingForecast(ForecastNetwork(16, 8, 1).eval(), 3), [], set()
    for n in range(701):
        ages.add(rolling.push(picture, 1)[1])
        if n in (100, 400, 700):  # with as many states
            counts.append(held())
    assert ages == {1, 2, 3, 4, 5, 6}
    assert counts[0] == counts[1] == counts[2]


def test_a_live_stream_begins_afresh_after_a_reconnect(
    model: ForecastModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = noise(9, SIZE, SIZE)

    def live(source: str, fps: float, size: tuple[int, int], predict: Any) -> Iterator[LiveFrame]:
        assert (source, fps, size) == ("camera:3", 10, (SIZE, SIZE))
        for n in range(9):
            yield LiveFrame(frames[n], n / 10, n, 0.0, 0.0, 0, int(n >= 5))

    monkeypatch.setattr(forecast, "live_frames", live)
    moments = list(model.stream("camera:3", 2))
    assert [moment.context_frames for moment in moments] == [1, 2, 3, 4, 5, 1, 2, 3, 4]
    assert np.abs(moments[6].predicted - direct(frames[5:7], 2)).max() <= 1e-5


def test_models(
    model_file: Path, trained: TrainResult, square: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert forecast.load_forecast(model_file, threads=1).spec == SPEC
    with pytest.raises(ModelError, match="is a classifier: use `vidgru predict`"):
        forecast.load_forecast(trained.run, threads=1)
    monkeypatch.chdir(square.parent)
    run = Path("runs") / "one"
    run.mkdir(parents=True)
    (run / "model.safetensors").write_bytes(model_file.read_bytes())
    found = forecast.load_forecast(threads=1)
    assert found.path == run / "model.safetensors"
    for ask in (found.forecast, found.stream):
        with pytest.raises(OptionError, match=r"^Invalid ahead=0\. It must be at least 1\.$"):
            ask(square, 0)
    with pytest.raises(OptionError, match=r"^camera:0 is no file"):
        found.forecast("camera:0")


def test_grey_models_are_shown_in_grey(square: Path) -> None:
    (predicted,) = make_model(1).forecast(square)
    strip = film_strip(predicted).astype(int)
    colored = np.ptp(strip, axis=-1) > 0
    # Only what is written of the forecast, and the line before it, is orange.
    pictures = strip[30:-6]
    assert colored[30:-6, -3 * 134 :].sum() == 0
    assert pictures[..., 0].std() > 5
