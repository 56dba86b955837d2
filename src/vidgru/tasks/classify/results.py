"""Predictions of a classifier, and results of its training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from vidgru.core.results import ToDict
from vidgru.engine.results import Trained

UNSURE = "unsure"
# Stages of a training that has two; those of folds are numbered.
WITHOUT_VALIDATION, ON_ALL = "training without validation clips", "training on all clips"
ENOUGH_TO_CHOOSE = 100  # validation clips from which on the best epoch is more than chance


@dataclass(frozen=True)
class Scores(ToDict):
    """The scores of a classifier on some clips.

    accuracy: share correct; balanced: mean recall of the classes present; recall and count: by
    label; confusion: rows true, columns predicted, in order of `labels`; loss: mean -log p(true).
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
    """Two classes that training with mirrored, or strongly rotated, clips makes inseparable.

    transform: "mirror" or "turn"; with_it, without: share of their clips told apart by networks
    that were not trained on these clips, but with the transform and without. Both are the latter
    where that could not be measured, and the classes' names decided.
    """

    transform: str
    first: str
    second: str
    with_it: float
    without: float

    @property
    def by_name(self) -> bool:
        """Whether only the names make one class the mirror image of the other."""
        return self.with_it == self.without


@dataclass(frozen=True)
class Fold(ToDict):
    """One fold of a cross-validation: its run, and its last epoch's scores on held-out clips.

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
    """Answers with a confidence in (low, high]: number, mean confidence, accuracy.

    confidence and accuracy are means; both are None for an empty bin.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration(ToDict):
    """How well confidence agrees with accuracy, before and after temperature scaling.

    ece: expected calibration error after scaling by `temperature`; ece_before: with temperature 1.
    """

    temperature: float
    ece: float
    ece_before: float
    bins: tuple[Bin, ...]
    bins_before: tuple[Bin, ...]


@dataclass(frozen=True)
class SelectiveScores(ToDict):
    """The remaining answers when those below a confidence threshold become `unsure`.

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
class LooksChoice(ToDict):
    """How well features of a picture encoder classify the training clips, without training.

    input: what was trained on, "changes", "looks" or "both"; looks, changes, both: balanced
    accuracy of a cross-validated ridge regression on features of whole clips, None where it was not
    asked for; nearest_mean: that of the nearest class mean of looks; shuffled: that of looks where
    folds ignore groups; folds: their number.
    """

    input: str
    looks: float
    changes: float | None
    both: float | None
    nearest_mean: float
    shuffled: float
    folds: int


@dataclass(frozen=True)
class TrainResult(Trained):
    """Results of `train`: the run folder, its model file, and its scores.

    `validation` and `test` (FOLDER/test, if there is one) are of the last epoch, or where `chosen`
    of the best one on these validation clips, which makes them slightly optimistic; `interval` is
    the 95 % interval of the accuracy, wider where clips come in groups. `calibration` is of the
    validation clips, on which its temperature was fitted, so it is optimistic. `mirrored` gives for
    each class whether mirrored clips of it, with the same class, were trained on; it is None where
    mirroring was off. `turned` gives the largest rotation of clips of each class in degrees,
    `rotation` the requested one. `confused` are the pairs of classes for which that was
    restricted; `checked` is whether that was examined. `ended_early` is whether there was
    nothing left to learn before all steps were taken.
    `initial_weights` describes the weights before the first step in words. `looks` is how a picture
    encoder's features do without training, None without one.
    With `folds`, `validation` combines each fold's predictions for its held-out clips, at its last
    epoch, and the model itself was trained on all clips; `calibration` is then that of these
    predictions, each with the temperature fitted on the other folds, and `answered` is what is left
    of them where each fold's threshold is chosen on the other folds. `measured` is the run of the
    model that `validation` and `calibration` are of, where the model itself learned from the
    validation clips, too; else None.
    """

    task: ClassVar = "classify"

    labels: tuple[str, ...]
    validation: Scores
    interval: tuple[float, float]
    test: Scores | None
    calibration: Calibration
    initial_weights: str
    folds: tuple[Fold, ...]
    measured: Path | None
    answered: SelectiveScores | None
    mirrored: dict[str, bool] | None
    rotation: float
    turned: dict[str, float]
    confused: tuple[Confused, ...]
    checked: bool
    ended_early: bool
    chosen: bool
    looks: LooksChoice | None = None


@dataclass(frozen=True)
class Window(ToDict):
    """The prediction for one window of a video, start to end in seconds: probabilities by label."""

    start: float
    end: float
    probabilities: tuple[float, ...]


class Labelled(ToDict):
    """A probability for each label, and whether the likeliest is confident enough."""

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
        """The likeliest label, or "unsure"; a class of this name differs only in `unsure`."""
        return UNSURE if self.unsure else self.likeliest

    @property
    def called(self) -> str:
        """The label for people to read: where a class is called "unsure", that is said apart."""
        return f"{UNSURE} (no class)" if self.unsure and UNSURE in self.labels else self.label

    @property
    def likeliest(self) -> str:
        """The likeliest label, however low its confidence."""
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
    """The prediction for a video: the calibrated mean of its windows' probabilities.

    frames: number of sampled frames; seconds: how much of the video they cover; unsure:
    whether the confidence is below the requested `threshold`, or none is high enough.
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
        """Return the Prediction that `to_dict` was called on."""
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
    """The counts of a file of predictions, or of those of all processes together.

    labels: how many sources have each, commonest first (none for timelines); unsure, failures:
    number of such sources; sources: in total; there: those that had a line before.
    """

    out: Path
    labels: dict[str, int]
    unsure: int
    failures: int
    sources: int
    there: int
