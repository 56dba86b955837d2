"""Scores of scene boundaries: frozen dataclasses with `to_dict()`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from vidgru.core.results import ToDict
from vidgru.engine.results import Evaluated, Trained

TOLERANCES = (0, 1, 2)  # frames by which a boundary may be off
COUNTS = ("found", "missed", "false", "found_cuts", "missed_cuts")


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True)
class BoundaryScores(ToDict):
    """Counts of boundaries found, at most `tolerance` frames off.

    found, missed: true ones; false: detections without a true one; found_cuts, missed_cuts: of the
    true ones, the hard cuts. Ratios are None where their denominator is 0.
    """

    _keys = (..., "precision", "recall", "f1", "recall_cuts", "recall_gradual")

    tolerance: int
    found: int
    missed: int
    false: int
    found_cuts: int
    missed_cuts: int

    @property
    def precision(self) -> float | None:
        """Share of the detections that are correct."""
        return _share(self.found, self.found + self.false)

    @property
    def recall(self) -> float | None:
        """Share of the true boundaries that were found."""
        return _share(self.found, self.found + self.missed)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall."""
        return _share(2 * self.found, 2 * self.found + self.false + self.missed)

    @property
    def recall_cuts(self) -> float | None:
        """Share of the hard cuts that were found."""
        return _share(self.found_cuts, self.found_cuts + self.missed_cuts)

    @property
    def recall_gradual(self) -> float | None:
        """Share of the gradual transitions that were found."""
        found = self.found - self.found_cuts
        return _share(found, found + self.missed - self.missed_cuts)


@dataclass(frozen=True)
class SceneScores(ToDict):
    """Scores of boundaries, one for each of TOLERANCES."""

    tolerances: tuple[BoundaryScores, ...]

    @property
    def f1(self) -> float:
        """F1 at the widest tolerance; 0 where there are no boundaries."""
        return self.tolerances[-1].f1 or 0.0


def scores_of(counts: Sequence[Sequence[int]]) -> SceneScores:
    """Return the scores for counts: a row for each of TOLERANCES, with COUNTS."""
    return SceneScores(
        tuple(
            BoundaryScores(tolerance, *row)
            for tolerance, row in zip(TOLERANCES, counts, strict=True)
        )
    )


@dataclass(frozen=True)
class SceneTrainResult(Trained):
    """Results of `train --task scenes`: the run folder, its model file, and its scores.

    `validation` is of the weights and the threshold that were best on these very clips, which makes
    it slightly optimistic; `test` (FOLDER/test, if there is one) was measured once. Both are of
    windows that were joined from these clips like those of the training. threshold: confidence from
    which a boundary counts; frames: of a window; size: of the pictures, in pixels; `step_seconds`
    is the median time of a training step; `seconds` is the total.
    """

    task: ClassVar = "scenes"

    validation: SceneScores
    test: SceneScores | None
    initial_weights: str
    threshold: float
    frames: int
    size: int


@dataclass(frozen=True)
class JoinedScores(ToDict):
    """Scores of boundaries in clips that were joined to one video.

    joined_by: "cut" or "dissolve"; clips: how many were joined; both: from past and future frames,
    as in files; ahead: only from past frames, as in live sources.
    """

    joined_by: str
    clips: int
    both: SceneScores
    ahead: SceneScores


@dataclass(frozen=True)
class SceneEvaluation(Evaluated):
    """Scores of a model on the boundaries between clips that it was not trained on.

    clips: all that were long enough to be joined; dissolve: frames of a dissolve.
    """

    task: ClassVar = "scenes"

    clips: int
    threshold: float
    dissolve: int
    joined: tuple[JoinedScores, ...]
