"""Frames that are forecast of videos: frozen dataclasses with `to_dict()`."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from vidgru.core.results import ToDict
from vidgru.tasks.forecast.scores import ForecastScores, FrameErrors, HorizonScores, mean_errors

if TYPE_CHECKING:  # every verb's help would pay for it
    import numpy as np
    from numpy.typing import NDArray

Pixels: TypeAlias = "NDArray[np.float32]"


@dataclass(frozen=True)
class ForecastFrame(ToDict):
    """One frame that was forecast.

    number: 1 is the frame after the last one seen; seconds: its time in the source; model, copy,
    linear: how far it is from what really came, and two guesses beside it (see `HorizonScores`);
    None where the source ends before; file: its picture, None where none was written.
    """

    number: int
    seconds: float
    model: FrameErrors | None = None
    copy: FrameErrors | None = None
    linear: FrameErrors | None = None
    file: Path | None = None


@dataclass(frozen=True)
class Forecast(ToDict):
    """The frames that are forecast after a moment of a video.

    at: time of the last frame seen, in seconds; fps: frames/s that were sampled; width, height: of
    the source's pictures, in pixels; model: the file that told; seen: times of the frames seen, in
    seconds; frames: those forecast. Pixels go from 0 to 1, (frames, S, S, C) with one or three
    channels, squashed to the model's square: shown of the frames seen, told of those forecast, came
    of what really came, as far as the source goes on.
    """

    _keys = ("source", "at", "fps", "width", "height", "model", "seen", "frames")  # no pixels

    source: str
    at: float
    fps: float
    width: int
    height: int
    model: str
    context: tuple[float, ...]
    frames: tuple[ForecastFrame, ...]
    shown: Pixels = dataclasses.field(compare=False, repr=False)
    predicted: Pixels = dataclasses.field(compare=False, repr=False)
    ground_truth: Pixels = dataclasses.field(compare=False, repr=False)


@dataclass(frozen=True)
class ForecastMoment(ToDict):
    """What is forecast at one frame of a stream.

    time: of the last frame seen, in seconds; seen: how many frames it is told from; fps: frames/s;
    told: the frames forecast (frames, S, S, C), pixels from 0 to 1.
    """

    _keys = ("time", "seen", "fps", "seconds")

    time: float
    context: int
    fps: float
    predicted: Pixels = dataclasses.field(compare=False, repr=False)

    @property
    def seconds(self) -> tuple[float, ...]:
        """Times of the frames forecast, in seconds."""
        return tuple(self.time + number / self.fps for number in range(1, len(self.predicted) + 1))


@dataclass(frozen=True)
class ForecastSummary(ToDict):
    """What was forecast of one source, and written into a folder.

    forecasts: how many; scores: their mean errors, of those of which most frames really came; None
    where nothing is known of what came.
    """

    source: str
    folder: Path
    forecasts: int
    scores: ForecastScores | None


def mean_scores(several: Sequence[Sequence[ForecastFrame]], fps: float) -> ForecastScores | None:
    """Return the mean errors of forecasts at a rate, of those of which most frames really came.

    So every horizon is the mean over the same forecasts. None where nothing is known of any.
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
    """Return the errors of model, copy and linear of the frames that really came."""
    return [
        (frame.model, frame.copy, frame.linear)
        for frame in frames
        if frame.model is not None and frame.copy is not None and frame.linear is not None
    ]
