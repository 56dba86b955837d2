"""How good timelines are beside annotations: frozen dataclasses with `to_dict()`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from vidgru.core.results import ToDict
from vidgru.engine.results import Evaluated


@dataclass(frozen=True)
class Measured(ToDict):
    """A number with the 95 % interval over videos; None where it is not defined.

    low and high are also None where there is one video only.
    """

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Bouts(ToDict):
    """How often and how long a class is there; number and length: predicted by true."""

    true: int
    predicted: int
    true_seconds: float
    predicted_seconds: float
    number: Measured
    length: Measured


@dataclass(frozen=True)
class TimelineScores(ToDict):
    """Measures of timelines, over frames that have a label.

    accuracy, balanced (mean recall of the classes present) and f1 are by frames; segmental_f1 by
    the overlap in percent, edit: see Lea et al. (2017, "Temporal convolutional networks for action
    segmentation and detection"); boundary_error: mean distance in seconds of the starts and ends of
    segments that are found with an overlap of half; bouts: of each class that there is.
    """

    frames: int
    accuracy: Measured
    balanced: Measured
    f1: dict[str, Measured]
    segmental_f1: dict[str, Measured]
    edit: Measured
    boundary_error: Measured
    bouts: dict[str, Bouts]


@dataclass(frozen=True)
class Shown(ToDict):
    """A stretch of a video in seconds; confidence is None for annotations."""

    start: float
    end: float
    label: str
    confidence: float | None


@dataclass(frozen=True)
class JudgedVideo(ToDict):
    """An annotated video: what it shows when, and what the model predicts."""

    video: str
    seconds: float
    true: tuple[Shown, ...]
    predicted: tuple[Shown, ...]


@dataclass(frozen=True)
class TimelineEvaluation(Evaluated):
    """How good a model's timelines are on annotated videos that it did not learn from.

    trained_on and validated_on count videos; folds: whether each video was judged by the model of
    the fold that did not learn from it; labels: classes, in order; background: the class that is
    no bout, if any; report: the page, if any.
    """

    task: ClassVar = "classify"

    labels: tuple[str, ...]
    background: str | None
    folds: bool
    scores: TimelineScores
    videos: tuple[JudgedVideo, ...]
    report: Path | None
