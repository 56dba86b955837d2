"""Scores of classifiers, one by one and compared."""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import ClassVar

from vidgru.core.results import ToDict
from vidgru.data.results import Shortcut
from vidgru.engine.results import Evaluated
from vidgru.tasks.classify.results import Calibration, Scores, SelectiveScores


@dataclass(frozen=True)
class Answer(ToDict):
    """A model's prediction for one labelled clip; `group` is None where there are none."""

    clip: str
    label: str
    predicted: str
    confidence: float
    group: str | None = None

    @property
    def right(self) -> bool:
        """Whether the prediction is correct."""
        return self.label == self.predicted


@dataclass(frozen=True)
class Evaluation(Evaluated):
    """Scores of a model on labelled clips that it was not trained on.

    interval: of the accuracy, 95 %, low and high; groups: number of independent groups
    it is over, None where clips count one by one; precision and
    f1: by label, None where undefined; top: accuracy by k when any of the k likeliest counts;
    majority: accuracy of always predicting the commonest class; report: the web page, if any;
    explained: folders of explained mistakes, the most confident first.
    """

    task: ClassVar = "classify"

    scores: Scores
    interval: tuple[float, float]
    groups: int | None
    precision: dict[str, float | None]
    f1: dict[str, float | None]
    macro_f1: float
    top: dict[int, float]
    calibration: Calibration
    answered: SelectiveScores
    majority: float
    shortcuts: tuple[Shortcut, ...]
    answers: tuple[Answer, ...]
    report: Path | None
    explained: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Compared(ToDict):
    """Results of one core with one input, trained once a seed.

    accuracies: on the measured clips, each read whole; last: of the last epoch, on
    the validation clips; runs: run folders; all three in the order of `seeds`.
    step_seconds: median time of a training step.
    """

    _keys = (..., "mean", "spread", "min", "max", "mean_last")

    core: str
    input: str
    parameters: int
    step_seconds: float
    seeds: tuple[int, ...]
    accuracies: tuple[float, ...]
    last: tuple[float, ...]
    runs: tuple[Path, ...]

    @property
    def mean(self) -> float:
        """Mean accuracy over the seeds."""
        return fmean(self.accuracies)

    @property
    def spread(self) -> float | None:
        """Sample standard deviation of the accuracy over the seeds, None for one seed."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else None

    @property
    def min(self) -> float:
        """Lowest accuracy over the seeds."""
        return min(self.accuracies)

    @property
    def max(self) -> float:
        """Highest accuracy over the seeds."""
        return max(self.accuracies)

    @property
    def mean_last(self) -> float:
        """Mean accuracy of the last epoch over the seeds."""
        return fmean(self.last)


@dataclass(frozen=True)
class Comparison(ToDict):
    """The result of `compare`: variants, best first, and the folder of their runs.

    measured: "test" where there are test clips, else "validation"; clips: how many those are.
    """

    folder: Path
    measured: str
    clips: int
    rows: tuple[Compared, ...]
