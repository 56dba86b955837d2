"""Frames that are foreseen of videos: frozen dataclasses with `to_dict()`."""

import dataclasses
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from vidgru.forecast_scores import ForecastScores, FrameErrors, HorizonScores, mean_errors

if TYPE_CHECKING:  # every verb's help would pay for it
    import numpy as np
    from numpy.typing import NDArray

Pixels: TypeAlias = "NDArray[np.float32]"


@dataclass(frozen=True)
class ForecastFrame:
    """One frame that was foreseen.

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

    def to_dict(self) -> dict[str, Any]:
        """Return plain values only, ready for JSON."""
        return {**asdict(self), "file": None if self.file is None else str(self.file)}


@dataclass(frozen=True)
class Forecast:
    """The frames that are foreseen after a moment of a video.

    at: time of the last frame seen, in seconds; fps: frames/s that were sampled; width, height: of
    the source's pictures, in pixels; model: the file that told; seen: times of the frames seen, in
    seconds; frames: those foreseen. Pixels go from 0 to 1, (frames, S, S, C) with one or three
    channels, squashed to the model's square: shown of the frames seen, told of those foreseen, came
    of what really came, as far as the source goes on.
    """

    source: str
    at: float
    fps: float
    width: int
    height: int
    model: str
    seen: tuple[float, ...]
    frames: tuple[ForecastFrame, ...]
    shown: Pixels = dataclasses.field(compare=False, repr=False)
    told: Pixels = dataclasses.field(compare=False, repr=False)
    came: Pixels = dataclasses.field(compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values only, without the pixels, ready for JSON."""
        plain = {k: v for k, v in vars(self).items() if k not in ("shown", "told", "came")}
        return {**plain, "frames": [frame.to_dict() for frame in self.frames]}


@dataclass(frozen=True)
class ForecastMoment:
    """What is foreseen at one frame of a stream.

    time: of the last frame seen, in seconds; seen: how many frames it is told from; fps: frames/s;
    told: the frames foreseen (frames, S, S, C), pixels from 0 to 1.
    """

    time: float
    seen: int
    fps: float
    told: Pixels = dataclasses.field(compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values only, without the pixels, ready for JSON."""
        seconds = [self.time + number / self.fps for number in range(1, len(self.told) + 1)]
        return {"time": self.time, "seen": self.seen, "fps": self.fps, "seconds": seconds}


@dataclass(frozen=True)
class Foreseen:
    """What was foreseen of one source, and written into a folder.

    forecasts: how many; scores: their mean errors, of those of which most frames really came; None
    where nothing is known of what came.
    """

    source: str
    folder: Path
    forecasts: int
    scores: ForecastScores | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values only, ready for JSON."""
        scores = None if self.scores is None else self.scores.to_dict()
        return {**asdict(self), "folder": str(self.folder), "scores": scores}


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
            *(mean_errors([errors[guess] for errors in row]) for guess in range(3)),
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
