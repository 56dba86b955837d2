"""Forecast the next frames in videos."""

import logging
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidgru.core.address import is_live
from vidgru.core.errors import ModelError, VideoError
from vidgru.core.options import python_names
from vidgru.core.results import OnProgress, Progress
from vidgru.engine.device import prepare_inference
from vidgru.engine.inference import ReadingProgress, VideoModel
from vidgru.engine.newest_run import RUNS, newest_run
from vidgru.tasks.forecast.metrics import baselines, errors
from vidgru.tasks.forecast.model_file import LoadedForecast
from vidgru.tasks.forecast.model_file import load_forecast as read_model
from vidgru.tasks.forecast.options import ForecastConfig
from vidgru.tasks.forecast.results import Forecast, ForecastFrame, ForecastMoment, Pixels
from vidgru.tasks.forecast.rolling import RollingForecast
from vidgru.tasks.forecast.scores import FrameErrors
from vidgru.tasks.forecast.train_step import as_clip
from vidgru.video.arrays import check_streamed
from vidgru.video.live import live_frames, log_event
from vidgru.video.read import Frame, Source
from vidgru.video.sample import TOLERANCE, Look, even_rate, first_look, sample_frames

log = logging.getLogger("vidgru")

_Row = tuple[FrameErrors | None, FrameErrors | None, FrameErrors | None]  # of one frame


@dataclass
class _Open:
    """A forecast that still waits for its ground truth."""

    context: list[Frame]
    predicted: Tensor  # (1, K, C, S, S)
    ground_truth: list[Frame] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return len(self.ground_truth) == self.predicted.shape[1]


class ForecastModel(VideoModel[Forecast]):
    """A trained model that forecasts frames; `vidgru.load` opens it."""

    def __init__(self, loaded: LoadedForecast, device: torch.device) -> None:
        self.path, self.spec, self.metrics = loaded.path, loaded.spec, loaded.metrics
        self.network = loaded.network.to(device)
        self.device = device

    def forecast(
        self,
        source: Source,
        ahead: int | None = None,
        at: float | Sequence[float] = (),
        *,
        progress: OnProgress | None = None,
    ) -> tuple[Forecast, ...]:
        """Return the forecasts after each second `at` in a source, in the order of time.

        See `forecast_steps`.
        """
        found = []
        with python_names():
            for item in self.forecast_steps(source, ahead, at):
                if isinstance(item, Forecast):
                    found.append(item)
                elif progress is not None:
                    progress(item)
        return tuple(found)

    def steps(self, source: Source) -> Generator[Progress, None, Forecast]:
        """Forecast the frames after the end of a source; see `forecast_steps`."""
        found: list[Forecast] = []
        for item in self.forecast_steps(source):
            if isinstance(item, Forecast):
                found.append(item)
            else:
                yield item
        return found[-1]

    def forecast_steps(
        self, source: Source, ahead: int | None = None, at: float | Sequence[float] = ()
    ) -> Generator[Progress | Forecast, None, None]:
        """Forecast `ahead` frames (left out: as many as in training) after seconds `at`.

        Without any `at`, after the end. The context is the last `spec.frames` frames at or before
        that second; where there are fewer, a warning is logged. Each forecast comes as soon as its
        ground truth is known, if there is any. The source, a video or a folder of images, is read
        once, in order, at about `spec.fps`, and only as far as needed; memory does not grow with
        its length. Raises VideoError, also for an `at` beyond the end, after all earlier ones; and
        OptionError.
        """
        if isinstance(at, str) or not isinstance(at, Iterable):
            at = (at,)
        config = ForecastConfig(ahead=ahead, at=tuple(at))  # checks them
        ahead = config.ahead or self.spec.ahead
        look, rate = self._look(source)
        reading = ReadingProgress(source, rate)
        wanted = deque(sorted(set(config.at)))
        context: deque[Frame] = deque(maxlen=self.spec.frames)
        waiting: list[_Open] = []
        size = self.spec.size, self.spec.size
        for frame in sample_frames(source, rate, size=size, opened=reading.begin):
            while wanted and frame.time > wanted[0] + TOLERANCE:
                wanted.popleft()
                waiting.append(self._begin(source, context, ahead))
            for one in waiting:
                one.ground_truth.append(frame)
            yield from (self._finished(source, one, look, rate) for one in waiting if one.whole)
            waiting = [one for one in waiting if not one.whole]
            if config.at and not wanted and not waiting:
                return
            context.append(frame)
            yield reading.progress(1)
        end = context[-1].time + 1 / rate
        eval_batch = wanted if config.at else [end]
        reached = [second for second in eval_batch if second <= end + TOLERANCE]
        waiting += [self._begin(source, context, ahead) for _ in reached]
        yield from (self._finished(source, one, look, rate) for one in waiting)
        if len(reached) < len(eval_batch):
            late = eval_batch[len(reached)]
            raise VideoError(
                f"{source} ends at {end:.2f} s: nothing can be forecast after {late:g} s."
            )

    def stream(self, source: Source, ahead: int | None = None) -> Iterator[ForecastMoment]:
        """Yield what is forecast at each sampled frame of a video or folder of images.

        Memory stays constant, however long it runs; see `RollingForecast` for the context.
        Live sources (the str "camera:0", "rtsp://...", "http://...") are read as by `live_frames`;
        after a reconnect it starts anew. Raises VideoError, OptionError.
        """
        with python_names():
            ahead = ForecastConfig(ahead=ahead).ahead or self.spec.ahead
        size = self.spec.size, self.spec.size
        if isinstance(source, str) and is_live(source):
            return self._watch(source, ahead, size)
        _, rate = self._look(source)
        return self.follow(sample_frames(source, rate, size=size), rate, ahead)

    def follow(
        self, frames: Iterable[Frame], fps: float, ahead: int | None = None
    ) -> Iterator[ForecastMoment]:
        """Yield a forecast at each of a stream's frames.

        Frames come at the rate of `fps`, rgb uint8 (S, S, 3) with sides of `spec.size` pixels.
        Raises VideoError for frames of another form.
        """
        with python_names():
            ahead = ForecastConfig(ahead=ahead).ahead
        rolling = RollingForecast(self.network, self.spec.frames)
        for frame in frames:
            check_streamed(frame, self.spec.size)
            predicted, context = rolling.push(self._clip([frame])[:, 0], ahead or self.spec.ahead)
            yield ForecastMoment(frame.time, context, fps, _pixels(self._sound(predicted)))

    def _watch(self, source: str, ahead: int, size: tuple[int, int]) -> Iterator[ForecastMoment]:
        with closing(live_frames(source, self.spec.fps, size, log_event)) as frames:
            for _, session in groupby(frames, key=lambda frame: frame.connection):
                yield from self.follow(session, self.spec.fps, ahead)

    def _look(self, source: Source) -> tuple[Look, float]:
        look = first_look(source)
        return look, even_rate(look.fps, self.spec.fps)

    def _clip(self, frames: Sequence[Frame]) -> Tensor:
        """Return frames as the network's input, floats (1, T, C, S, S)."""
        pixels = np.stack([frame.rgb for frame in frames])[None]
        return as_clip(pixels, self.spec.channels).to(self.device)

    def _sound(self, predicted: Tensor) -> Tensor:
        # Each weight by itself may be finite, yet too large.
        if not torch.isfinite(predicted).all():
            raise ModelError(f"{self.path} is damaged: its answers are not finite numbers.")
        return predicted.cpu()

    def _begin(self, source: Source, frames: Iterable[Frame], ahead: int) -> _Open:
        """Forecast what comes after the frames seen so far."""
        context = list(frames)
        if len(context) < self.spec.frames:
            log.warning(
                "%s: up to %.2f s there are %d of the %d frames of context that the model expects, "
                "so the forecast is worse.",
                source, context[-1].time, len(context), self.spec.frames,
            )  # fmt: skip
        with torch.inference_mode():
            return _Open(context, self._sound(self.network(self._clip(context), ahead)))

    def _finished(self, source: Source, one: _Open, look: Look, rate: float) -> Forecast:
        """Return a forecast, compared with what really came."""
        start, context = one.context[-1].time, self._clip(one.context).cpu()
        ground_truth = self._clip(one.ground_truth).cpu() if one.ground_truth else context[:, :0]
        rows: list[_Row] = [(None, None, None)] * one.predicted.shape[1]
        if count := len(one.ground_truth):
            predicted = (one.predicted[:, :count], *baselines(context, count))
            compared = torch.stack(
                [errors(baseline, ground_truth)[0] for baseline in predicted], dim=1
            )  # (n, 3, 4)
            rows[:count] = [
                (FrameErrors(*model), FrameErrors(*copy), FrameErrors(*linear))
                for model, copy, linear in compared.tolist()
            ]
        frames = [
            ForecastFrame(number, round(start + number / rate, 6), *row)
            for number, row in enumerate(rows, 1)
        ]
        times = tuple(round(frame.time, 6) for frame in one.context)
        return Forecast(
            str(source), times[-1], rate, look.width, look.height, str(self.path), times,
            tuple(frames), _pixels(context), _pixels(one.predicted), _pixels(ground_truth),
        )  # fmt: skip


def _pixels(clip: Tensor) -> Pixels:
    """Return the pixels (T, S, S, C) of one clip (1, T, C, S, S)."""
    return clip[0].permute(0, 2, 3, 1).contiguous().numpy()


def load_forecast(
    path: str | Path | None = None, *, device: str = "auto", threads: int | None = None
) -> ForecastModel:
    """Open a run folder or file of a forecasting model, or the newest such run in ./runs.

    `threads`: how many torch and OpenCV use in this process; left out, unchanged. Raises
    ModelError or OptionError.
    """
    chosen = prepare_inference(device, threads)
    noun = "trained model that forecasts frames"
    found = newest_run(RUNS, "forecast", noun) if path is None else Path(path)
    return ForecastModel(read_model(found), chosen)
