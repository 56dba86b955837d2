"""How good a model of motion is: frozen dataclasses with `to_dict()`."""

from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

from vidgru.core.results import ToDict
from vidgru.engine.results import Evaluated, Trained


@dataclass(frozen=True)
class EndpointErrors(ToDict):
    """Mean length by which velocities are off, of the model and of guesses to compare it with.

    zero: that nothing moves; persistence: that the last measured field goes on; acceleration: that
    it goes on to change as it did over the last quarter of a second. The last two are None for the
    field now, which they begin with.
    """

    model: float
    zero: float
    persistence: float | None
    acceleration: float | None

    @property
    def best_baseline(self) -> float:
        """The error of the best of the guesses."""
        baselines = (self.zero, self.persistence, self.acceleration)
        return min(error for error in baselines if error is not None)

    @property
    def useful(self) -> bool:
        """Whether the model's error is below that of the best guess."""
        return self.model < self.best_baseline


@dataclass(frozen=True)
class FieldScores(ToDict):
    """How good the field is so many seconds ahead, over all cells and times of all clips.

    cells: how many were told; the rest is None without any. widths, pixels: errors in widths/s and
    in pixels/s of the source; covered: share of errors below the spread; spread: mean error for a
    mean spread of one.
    """

    _keys = (..., "ratio")

    seconds: float
    cells: int
    widths: EndpointErrors | None
    pixels: EndpointErrors | None
    covered: float | None
    spread: float | None

    @property
    def ratio(self) -> float | None:
        """The model's error for an error of one of the best guess; None if that has none."""
        if self.widths is None or self.widths.best_baseline == 0:
            return None
        return self.widths.model / self.widths.best_baseline


@dataclass(frozen=True)
class MotionScores(ToDict):
    """How good a model of motion is on clips, whose motion was measured by optical flow.

    pieces: clips, of long ones their pieces; fields: now first, then ahead; angle (degrees) and
    speed (share): median errors now, of cells that move, None if none does.
    """

    _keys = (..., "error")

    pieces: int
    fields: tuple[FieldScores, ...]
    angle: float | None
    speed: float | None

    @property
    def error(self) -> float | None:
        """Mean error of the fields in widths/s, each counting alike; None if none was told."""
        predicted = [field.widths.model for field in self.fields if field.widths is not None]
        return fmean(predicted) if predicted else None

    @property
    def ahead(self) -> dict[float, EndpointErrors]:
        """Errors in widths/s by seconds ahead, of fields that were told; if none was, of now."""
        predicted = {field.seconds: field.widths for field in self.fields if field.widths is not None}
        return {seconds: errors for seconds, errors in predicted.items() if seconds} or predicted

    @property
    def mean_ahead(self) -> EndpointErrors | None:
        """Means of `ahead`, each field counting alike; None if none was told."""
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
        """Whether the mean error ahead is below that of the best guess; None if none was told.

        Of the field now, little is learned: the measured motion is what the model is given.
        """
        return self.mean_ahead.useful if self.mean_ahead else None


@dataclass(frozen=True)
class MotionTrainResult(Trained):
    """What `train --task motion` made: the run folder, its model file, and how good it is.

    `validation` belongs to the weights that did best on these very clips, and the spread was fitted
    on them, so it flatters a little; `test` (FOLDER/test, if there is one) was looked at once.
    began_with: which weights; fps: frames/s; frames: of a window; size: of the pictures, in pixels.
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
        """Whether it is better than the guesses: on test clips, or else on validation clips."""
        return (self.test or self.validation).useful


@dataclass(frozen=True)
class MotionEvaluation(Evaluated):
    """How good a model of motion is on clips that it did not learn from."""

    task: ClassVar = "motion"

    _keys = (..., "useful")

    clips: int
    scores: MotionScores

    @property
    def useful(self) -> bool | None:
        """Whether it is better than the guesses on these clips; None if nothing was told."""
        return self.scores.useful
