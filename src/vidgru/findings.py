"""What `check`, `evaluate` and `compare` give back: frozen dataclasses like those in `results`."""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from vidgru.results import Answered, Calibration, Failure, Scores, ToDict

IRREGULAR = {"child": "children", "match": "matches", "mouse": "mice"}
PARTS = {"test": "test clips", "val": "validation clips", "all": "clips"}  # of an evaluation


def counted(count: int, noun: str) -> str:
    """Return "1 mouse" or "3 mice"."""
    return f"{count} {noun if count == 1 else IRREGULAR.get(noun, noun + 's')}"


@dataclass(frozen=True)
class Shortcut(ToDict):
    """How well one thing that should not matter tells the classes apart.

    cue: "aspect ratio", "duration" ...; accuracy: balanced, cross-validated by group; chance: what
    guessing would come to; found: whether it is so far above chance that a network may lean on it.
    """

    cue: str
    accuracy: float
    chance: float
    found: bool


@dataclass(frozen=True)
class Answer(ToDict):
    """What a model says of one labelled clip; `group` is None where there are none."""

    clip: str
    label: str
    predicted: str
    confidence: float
    group: str | None = None

    @property
    def right(self) -> bool:
        """Whether the model is right."""
        return self.label == self.predicted


@dataclass(frozen=True)
class Evaluation(ToDict):
    """How good a model is on labelled clips that it did not learn from.

    part: "test", "val" or "all" of the folder; interval: of the accuracy, 95 %, low and high;
    groups: how many independent groups it is over, None where clips count one by one; precision and
    f1: by label, None where undefined; top: accuracy by k when any of the k likeliest counts;
    majority: accuracy of always saying the commonest class; trained_on: clips left out because the
    model learned from them, None where nothing tells which; validated_on: clips that its epoch or
    temperature was chosen on, which flatters; report: the page that tells it, if any.
    """

    model: Path
    folder: Path
    part: str
    scores: Scores
    interval: tuple[float, float]
    groups: int | None
    precision: dict[str, float | None]
    f1: dict[str, float | None]
    macro_f1: float
    top: dict[int, float]
    calibration: Calibration
    answered: Answered
    majority: float
    shortcuts: tuple[Shortcut, ...]
    answers: tuple[Answer, ...]
    trained_on: int | None
    validated_on: int
    skipped: tuple[Failure, ...]
    report: Path | None


@dataclass(frozen=True)
class Finding(ToDict):
    """Something about a folder of clips that a person should know before training.

    kind: one word or two, the same for all of a kind; severity: "error" (those clips cannot be
    used), "warning" (numbers will mislead) or "note"; clips: names of those concerned.
    """

    kind: str
    severity: str
    sentence: str
    clips: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked(ToDict):
    """What `check` found in a folder of clips.

    clips: readable clips by label; group_by: the `--group-by` to use, None where names and tables
    suggest none; groups: how many that makes; shortcuts: every cue that was tried.
    """

    folder: Path
    clips: dict[str, int]
    findings: tuple[Finding, ...]
    group_by: str | None
    groups: int | None
    shortcuts: tuple[Shortcut, ...]


@dataclass(frozen=True)
class Compared(ToDict):
    """What came of one core with one input, trained once a seed.

    accuracies: on the clips that are measured, each read whole; last: of the last epoch, on
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
    """What `compare` found: variants, best first, and the folder that holds their runs.

    measured: "test" where there are test clips, else "validation"; clips: how many those are.
    """

    folder: Path
    measured: str
    clips: int
    rows: tuple[Compared, ...]
