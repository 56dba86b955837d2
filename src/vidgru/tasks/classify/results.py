"""What a model that tells classes answers, and what a training of one came to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from vidgru.core.results import ToDict
from vidgru.engine.results import Trained

UNSURE = "unsure"
ENOUGH_TO_CHOOSE = 100  # validation clips from which on the best epoch is more than chance


@dataclass(frozen=True)
class Scores(ToDict):
    """How well a model told clips apart.

    accuracy: share right; balanced: mean recall of the classes present; recall and count: by label;
    confusion: rows true, columns predicted, in the order of `labels`; loss: mean -log p(true).
    """

    labels: tuple[str, ...]
    accuracy: float
    balanced: float
    loss: float
    recall: dict[str, float | None]
    count: dict[str, int]
    confusion: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Confused(ToDict):
    """Two classes that training with mirrored, or far turned, clips makes inseparable.

    transform: "mirror" or "turn"; with_it, without: share of their clips told apart by networks
    that did not learn from these clips, trained with the transform and without.
    """

    transform: str
    first: str
    second: str
    with_it: float
    without: float


@dataclass(frozen=True)
class Fold(ToDict):
    """One fold of a cross-validation: its run, and how its last epoch does on held-out clips.

    clips and groups: how many were held out, groups None where there are none.
    """

    run: Path
    clips: int
    groups: int | None
    accuracy: float
    balanced: float
    seconds: float


@dataclass(frozen=True)
class Bin(ToDict):
    """Answers whose confidence lies in (low, high]: how many, how sure, and how often right.

    confidence and accuracy are means; both are None for an empty bin.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration(ToDict):
    """How well confidence tells the share that is right, before and after temperature scaling.

    ece: expected calibration error after scaling by `temperature`; ece_before: with temperature 1.
    """

    temperature: float
    ece: float
    ece_before: float
    bins: tuple[Bin, ...]
    bins_before: tuple[Bin, ...]


@dataclass(frozen=True)
class SelectiveScores(ToDict):
    """What is left when answers below a confidence threshold become `unsure`.

    threshold: chosen on validation clips so that at most `max_error` of the answers are wrong, None
    if none does that; share: of the clips, that are answered; error: share of the answers that are
    wrong, None if there are no answers.
    """

    max_error: float
    threshold: float | None
    answered: int
    share: float
    error: float | None


@dataclass(frozen=True)
class TrainResult(Trained):
    """What `train` made: the run folder, its model file, and how good it is.

    `validation` and `test` (FOLDER/test, if there is one) are of the last epoch, or where `chosen`
    of the one that did best on these validation clips, which flatters a little; `interval` is the
    95 % interval of the accuracy, wider where clips come in groups. `calibration` is that of the
    validation clips, on which its temperature was fitted, so it flatters. `mirrored` tells of each
    class whether mirrored clips of it, which keep their class, were trained on; it is None where
    none were wanted. `turned` gives the degrees by which clips of each class were turned at most,
    `rotation` those that were wanted. `confused` are the pairs of classes for which that was
    restrained; `checked` tells whether that was looked into. `ended_early` tells whether there was
    nothing left to learn before all steps were taken.
    `initial_weights` says in words which weights there were before the first step.
    With `folds`, `validation` puts together what each fold's model says of the clips that
    it never saw, at its last epoch, and the model itself learned from all clips; `calibration` is
    then that of these answers, each with the temperature that the other folds give, and `answered`
    tells what is left of them where each fold's threshold is chosen on the other folds.
    """

    task: ClassVar = "classify"

    labels: tuple[str, ...]
    validation: Scores
    interval: tuple[float, float]
    test: Scores | None
    calibration: Calibration
    initial_weights: str
    folds: tuple[Fold, ...]
    answered: SelectiveScores | None
    mirrored: dict[str, bool] | None
    rotation: float
    turned: dict[str, float]
    confused: tuple[Confused, ...]
    checked: bool
    ended_early: bool
    chosen: bool


@dataclass(frozen=True)
class Window(ToDict):
    """What one window of a video shows: from start to end (seconds), probabilities by label."""

    start: float
    end: float
    probabilities: tuple[float, ...]


class Labelled(ToDict):
    """Something with a probability for each of its labels, and whether that is sure enough."""

    _keys: ClassVar[tuple[str, ...]] = (
        "label",
        "unsure",
        "likeliest",
        "confidence",
        "threshold",
        "probabilities",
    )
    _sources: ClassVar = {"probabilities": "_shares"}

    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    threshold: float | None
    unsure: bool

    @property
    def label(self) -> str:
        """The likeliest label, or "unsure"; only `unsure` tells that from a class of this name."""
        return UNSURE if self.unsure else self.likeliest

    @property
    def likeliest(self) -> str:
        """The likeliest label, however unsure."""
        return self.top(1)[0][0]

    @property
    def confidence(self) -> float:
        """The likeliest label's probability."""
        return max(self.probabilities)

    def top(self, count: int) -> list[tuple[str, float]]:
        """Return the `count` likeliest labels with their probabilities, likeliest first."""
        pairs = zip(self.labels, self.probabilities, strict=True)
        return sorted(pairs, key=lambda pair: -pair[1])[:count]

    @property
    def _shares(self) -> dict[str, float]:
        return dict(zip(self.labels, self.probabilities, strict=True))


@dataclass(frozen=True)
class Prediction(Labelled):
    """What a video shows: the mean of its windows' probabilities, scaled to be calibrated.

    frames: sampled frames that were looked at; seconds: how much of the video they cover; unsure:
    whether the confidence is below the `threshold` that was asked for, or no threshold will do.
    """

    _keys = ("source", *Labelled._keys, "frames", "seconds", "windows")
    _sources: ClassVar = {**Labelled._sources, "windows": "_labelled_windows"}

    source: str
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    windows: tuple[Window, ...]
    frames: int
    seconds: float
    threshold: float | None = None
    unsure: bool = False

    @property
    def _labelled_windows(self) -> list[dict[str, Any]]:
        return [
            {
                "start": window.start,
                "end": window.end,
                "label": self.labels[window.probabilities.index(max(window.probabilities))],
                "probabilities": dict(zip(self.labels, window.probabilities, strict=True)),
            }
            for window in self.windows
        ]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Prediction":
        """Return what `to_dict` made plain values of."""
        windows = [
            Window(window["start"], window["end"], tuple(window["probabilities"].values()))
            for window in data["windows"]
        ]
        shares = data["probabilities"]
        return cls(
            source=data["source"],
            labels=tuple(shares),
            probabilities=tuple(shares.values()),
            windows=tuple(windows),
            **{name: data[name] for name in ("frames", "seconds", "threshold", "unsure")},
        )


@dataclass(frozen=True)
class Written(ToDict):
    """What a file of answers holds, or those of all processes together.

    labels: how many sources show each, commonest first (of timelines: nothing); unsure, failures:
    how many are so; sources: in all; there: those that had their line before.
    """

    out: Path
    labels: dict[str, int]
    unsure: int
    failures: int
    sources: int
    there: int
