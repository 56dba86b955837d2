"""How good forecast frames are: frozen dataclasses with `to_dict()`."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

from vidgru.core.results import ToDict
from vidgru.engine.results import Evaluated, Trained

BASELINES = ("model", "copy", "linear")


@dataclass(frozen=True)
class FrameErrors(ToDict):
    """How far forecast frames are from those that came: means over frames.

    Of pixels from 0 to 1, as OpenSTL does for moving digits: mse, mae: squared and absolute errors
    summed over all pixels and channels of a frame; ssim: structural similarity (Wang et al. 2004)
    over uniform windows of 7x7 pixels, with K1 = 0.01, K2 = 0.03 and a range of 2; psnr: in dB for
    a peak of 1, at most the 58.9 that rounding to 8 bits has: else videos that repeat frames would
    give a mean of next to nothing but those.
    """

    mse: float
    mae: float
    ssim: float
    psnr: float


@dataclass(frozen=True)
class HorizonScores(ToDict):
    """How good frames are so many frames ahead, of the model and of guesses to compare it with.

    copy: that the last frame stays; linear: that each pixel goes on to change as it last did.
    """

    frame: int
    seconds: float
    model: FrameErrors
    copy: FrameErrors
    linear: FrameErrors

    @property
    def useful(self) -> bool:
        """Whether the model's MSE is below that of both guesses."""
        return self.model.mse < min(self.copy.mse, self.linear.mse)


@dataclass(frozen=True)
class ForecastScores(ToDict):
    """How good a model forecasts frames. windows: how often it was asked."""

    _keys = (..., "mean")
    _sources: ClassVar = {"mean": "_means"}

    windows: int
    horizons: tuple[HorizonScores, ...]

    def mean(self, baseline: str) -> FrameErrors:
        """Return the means over all horizons of "model", "copy" or "linear"."""
        return mean_errors([getattr(horizon, baseline) for horizon in self.horizons])

    @property
    def _means(self) -> dict[str, FrameErrors]:
        return {baseline: self.mean(baseline) for baseline in BASELINES}

    @property
    def best_baseline(self) -> str:
        """The guess of the lower mean MSE, "copy" or "linear"."""
        return min(BASELINES[1:], key=lambda baseline: self.mean(baseline).mse)

    @property
    def useful(self) -> bool:
        """Whether the model's mean MSE is below that of the best guess."""
        return self.mean("model").mse < self.mean(self.best_baseline).mse


def mean_errors(errors: Sequence[FrameErrors]) -> FrameErrors:
    """Return the means of at least one."""
    return FrameErrors(*(fmean(values) for values in zip(*map(_values, errors), strict=True)))


def _values(errors: FrameErrors) -> tuple[float, float, float, float]:
    return errors.mse, errors.mae, errors.ssim, errors.psnr


@dataclass(frozen=True)
class ForecastTrainResult(Trained):
    """What `train --task forecast` made: the run folder, its model file, and how good it is.

    `validation` belongs to the weights that did best on these very clips, so it flatters a little;
    `test` (FOLDER/test, if there is one) was looked at once. fps: frames/s; frames: how many are
    seen; ahead: how many are forecast; size: of the pictures, in pixels; channels: 1 for grey.
    """

    task: ClassVar = "forecast"

    _keys = (..., "useful")

    validation: ForecastScores
    test: ForecastScores | None
    fps: float
    frames: int
    ahead: int
    size: int
    channels: int

    @property
    def useful(self) -> bool:
        """Whether it is better than both guesses: on test clips, or else on validation clips."""
        return (self.test or self.validation).useful


@dataclass(frozen=True)
class ForecastEvaluation(Evaluated):
    """How good a model forecasts clips that it did not learn from."""

    task: ClassVar = "forecast"

    _keys = (..., "useful")

    clips: int
    scores: ForecastScores

    @property
    def useful(self) -> bool:
        """Whether it is better than both guesses on these clips."""
        return self.scores.useful
