"""How well scene boundaries are found: frozen dataclasses with `to_dict()`."""

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
    """How many boundaries were found, so many frames (`tolerance`) off at most.

    found, missed: true ones; false: found ones that are none; found_cuts, missed_cuts: of the true
    ones, the hard cuts. Shares are None where nothing is there to share.
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
        """Share of what was found that is true."""
        return _share(self.found, self.found + self.false)

    @property
    def recall(self) -> float | None:
        """Share of what is true that was found."""
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
    """How well boundaries were found, one after the other for TOLERANCES."""

    tolerances: tuple[BoundaryScores, ...]

    @property
    def f1(self) -> float:
        """F1 at the widest tolerance; 0 where nothing is there to be found."""
        return self.tolerances[-1].f1 or 0.0


def scores_of(counts: Sequence[Sequence[int]]) -> SceneScores:
    """Return scores of numbers: a row for each of TOLERANCES, with COUNTS."""
    return SceneScores(
        tuple(
            BoundaryScores(tolerance, *row)
            for tolerance, row in zip(TOLERANCES, counts, strict=True)
        )
    )


@dataclass(frozen=True)
class SceneTrainResult(Trained):
    """What `train --task scenes` made: the run folder, its model file, and how good it is.

    `validation` belongs to the weights and the threshold that did best on these very clips, so it
    flatters a little; `test` (FOLDER/test, if there is one) was looked at once. Both are of windows
    that were joined out of these clips as those of the training are. began_with: which weights;
    threshold: confidence from which a boundary counts; frames: of a window; size: of the pictures,
    in pixels; `step_seconds` is the median time of a training step; `seconds` are all.
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
    """How well boundaries were found in clips that were joined to one video.

    joined_by: "cut" or "dissolve"; clips: how many were joined; both: found by looking at what
    comes before and after, as in files; ahead: only by what came before, as in live sources.
    """

    joined_by: str
    clips: int
    both: SceneScores
    ahead: SceneScores


@dataclass(frozen=True)
class SceneEvaluation(Evaluated):
    """How well a model finds the boundaries between clips that it did not learn from.

    clips: all that were long enough to be joined; dissolve: frames of a dissolve.
    """

    task: ClassVar = "scenes"

    clips: int
    threshold: float
    dissolve: int
    joined: tuple[JoinedScores, ...]
