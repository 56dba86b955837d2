"""Forecasts for videos: frozen dataclasses with `to_dict()`."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from vidgru.core.results import ToDict
from vidgru.tasks.forecast.scores import ForecastScores, FrameErrors, HorizonScores, mean_errors

if TYPE_CHECKING:  # or it would slow down every verb's help
    import numpy as np
    from numpy.typing import NDArray

Pixels: TypeAlias = "NDArray[np.float32]"


@dataclass(frozen=True)
class ForecastFrame(ToDict):
    """One forecast frame.

    number: 1 is the frame after the last context frame; seconds: its time in the source; model,
    copy, linear: errors against the true frame, of the forecast and of two baselines
    (`HorizonScores`); None where the source ends before; file: its picture, None if not written.
    """

    _keys = ("number", "time", "model", "copy", "linear", "file")
    _sources: ClassVar = {"time": "seconds"}

    number: int
    seconds: float
    model: FrameErrors | None = None
    copy: FrameErrors | None = None
    linear: FrameErrors | None = None
    file: Path | None = None


@dataclass(frozen=True)
class Forecast(ToDict):
    """The forecast after a moment of a video.

    at: time of the last context frame, in seconds; fps: sampling rate in frames/s; width, height:
    of the source's pictures, in pixels; model: its file; context: times of the context frames, in
    seconds; frames: those forecast. Pixels range from 0 to 1, (frames, S, S, C) with one or three
    channels, squashed to the model's square: `context_pixels` of the context, `predicted` of the
    forecast, `ground_truth` of the true frames, as far as the source continues.
    """

    _keys = ("source", "at", "fps", "width", "height", "model", "context", "frames")  # no pixels

    source: str
    at: float
    fps: float
    width: int
    height: int
    model: str
    context: tuple[float, ...]
    frames: tuple[ForecastFrame, ...]
    context_pixels: Pixels = dataclasses.field(compare=False, repr=False)
    predicted: Pixels = dataclasses.field(compare=False, repr=False)
    ground_truth: Pixels = dataclasses.field(compare=False, repr=False)


@dataclass(frozen=True)
class ForecastMoment(ToDict):
    """The forecast at one frame of a stream.

    time: of the last context frame, in seconds; context_frames: length of the context;
    fps: frames/s; predicted: the forecast frames (frames, S, S, C), pixels from 0 to 1.
    """

    _keys = ("time", "context_frames", "fps", "times")
    _sources: ClassVar = {"times": "seconds"}

    time: float
    context_frames: int
    fps: float
    predicted: Pixels = dataclasses.field(compare=False, repr=False)

    @property
    def seconds(self) -> tuple[float, ...]:
        """Times of the forecast frames, in seconds."""
        return tuple(self.time + number / self.fps for number in range(1, len(self.predicted) + 1))


@dataclass(frozen=True)
class ForecastSummary(ToDict):
    """The forecasts for one source that were written into a folder.

    forecasts: how many; scores: their mean errors, of those with ground truth for most frames; None
    where there is no ground truth.
    """

    source: str
    folder: Path
    forecasts: int
    scores: ForecastScores | None


def mean_scores(several: Sequence[Sequence[ForecastFrame]], fps: float) -> ForecastScores | None:
    """Return the mean errors of forecasts at a rate, of those with ground truth for most frames.

    So every horizon is the mean over the same forecasts. None without any ground truth.
    """
    known = [_known(frames) for frames in several]
    most = max(map(len, known), default=0)
    if most == 0:
        return None
    chosen = [horizons for horizons in known if len(horizons) == most]
    means = [
        HorizonScores(
            number,
            number / fps,
            *(mean_errors([errors[baseline] for errors in row]) for baseline in range(3)),
        )
        for number, row in enumerate(zip(*chosen, strict=True), 1)
    ]
    return ForecastScores(len(chosen), tuple(means))


def _known(
    frames: Sequence[ForecastFrame],
) -> list[tuple[FrameErrors, FrameErrors, FrameErrors]]:
    """Return the errors of model, copy and linear of the frames with ground truth."""
    return [
        (frame.model, frame.copy, frame.linear)
        for frame in frames
        if frame.model is not None and frame.copy is not None and frame.linear is not None
    ]
