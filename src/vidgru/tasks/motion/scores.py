"""Scores of a model of motion: frozen dataclasses with `to_dict()`."""

from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

from vidgru.core.results import ToDict
from vidgru.engine.results import Evaluated, Trained


@dataclass(frozen=True)
class EndpointErrors(ToDict):
    """Mean endpoint errors of velocities, of the model and of the baselines.

    zero: nothing moves; persistence: the last measured field continues; acceleration: it
    continues to change as in the last quarter of a second. The last two are None for the
    field now, which they start from.
    """

    model: float
    zero: float
    persistence: float | None
    acceleration: float | None

    @property
    def best_baseline(self) -> float:
        """The error of the best baseline."""
        baselines = (self.zero, self.persistence, self.acceleration)
        return min(error for error in baselines if error is not None)

    @property
    def ratio(self) -> float | None:
        """The model's error relative to that of the best baseline; None if that has none."""
        return self.model / self.best_baseline if self.best_baseline else None

    @property
    def useful(self) -> bool:
        """Whether the model's error is below that of the best baseline."""
        return self.model < self.best_baseline


@dataclass(frozen=True)
class FieldScores(ToDict):
    """Scores of the field some seconds ahead, over all cells and times of all clips.

    cells: number of predictions; the rest is None without any. widths, pixels: errors in widths/s
    and in pixels/s of the source; covered: share of errors below the spread; spread: mean error
    for a mean spread of one; crps: mean score in widths/s of the predicted distribution, see
    `tasks.motion.crps`, lower is better; that of a baseline, which has no spread, is its error;
    moving: cells that move now; sure: in which share of these the model expects to be better
    than no motion (`fields.is_sure`); sure_widths: the errors there.
    """

    _keys = (..., "ratio", "crps_ratio", "sure_ratio")

    seconds: float
    cells: int
    widths: EndpointErrors | None
    pixels: EndpointErrors | None
    covered: float | None
    spread: float | None
    crps: float | None
    moving: int = 0
    sure: float | None = None
    sure_widths: EndpointErrors | None = None

    @property
    def ratio(self) -> float | None:
        """The model's error relative to that of the best baseline; None if that has none."""
        return None if self.widths is None else self.widths.ratio

    @property
    def sure_ratio(self) -> float | None:
        """The same where the model is sure."""
        return None if self.sure_widths is None else self.sure_widths.ratio

    @property
    def crps_ratio(self) -> float | None:
        """The model's CRPS relative to that of the best baseline; None if that has none."""
        if self.crps is None or self.widths is None or self.widths.best_baseline == 0:
            return None
        return self.crps / self.widths.best_baseline


@dataclass(frozen=True)
class MotionScores(ToDict):
    """Scores of a model of motion on clips, with optical flow as ground truth.

    pieces: clips, of long ones their pieces; fields: now first, then ahead; angle (degrees) and
    speed (share): median errors now, of moving cells, None if there is none.
    """

    _keys = (..., "error")

    pieces: int
    fields: tuple[FieldScores, ...]
    angle: float | None
    speed: float | None

    @property
    def error(self) -> float | None:
        """Mean error of the fields in widths/s, weighted equally; None without any prediction."""
        predicted = [field.widths.model for field in self.fields if field.widths is not None]
        return fmean(predicted) if predicted else None

    @property
    def ahead(self) -> dict[float, EndpointErrors]:
        """Errors in widths/s by seconds ahead, of predicted fields; without any, of now."""
        predicted = {
            field.seconds: field.widths for field in self.fields if field.widths is not None
        }
        return {seconds: errors for seconds, errors in predicted.items() if seconds} or predicted

    @property
    def mean_ahead(self) -> EndpointErrors | None:
        """Means of `ahead`, each field weighted equally; None without any prediction."""
        several = list(self.ahead.values())
        if not several:
            return None
        persistence = [each.persistence for each in several if each.persistence is not None]
        acceleration = [each.acceleration for each in several if each.acceleration is not None]
        return EndpointErrors(
            fmean(each.model for each in several),
            fmean(each.zero for each in several),
            fmean(persistence) if persistence else None,
            fmean(acceleration) if acceleration else None,
        )

    @property
    def useful(self) -> bool | None:
        """Whether the mean error ahead is below that of the best baseline; None if unknown.

        The field now hardly counts: the measured motion is the model's input.
        """
        return self.mean_ahead.useful if self.mean_ahead else None


@dataclass(frozen=True)
class MotionTrainResult(Trained):
    """Results of `train --task motion`: the run folder, its model file, and its scores.

    `validation` is of the weights that were best on these very clips, on which the spread was
    fitted, too, which makes it slightly optimistic; `test` (FOLDER/test, if there is one) was
    measured once. fps: frames/s; frames: of a window; size: of the pictures, in pixels.
    """

    task: ClassVar = "motion"

    _keys = (..., "useful")

    validation: MotionScores
    test: MotionScores | None
    initial_weights: str
    fps: float
    frames: int
    size: int

    @property
    def useful(self) -> bool | None:
        """Whether it beats the baselines: on test clips, or else on validation clips."""
        return (self.test or self.validation).useful


@dataclass(frozen=True)
class MotionEvaluation(Evaluated):
    """Scores of a model of motion on clips that it was not trained on."""

    task: ClassVar = "motion"

    _keys = (..., "useful")

    clips: int
    scores: MotionScores

    @property
    def useful(self) -> bool | None:
        """Whether it beats the baselines on these clips; None without any prediction."""
        return self.scores.useful
