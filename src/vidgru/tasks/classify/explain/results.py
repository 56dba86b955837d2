"""Results of `explain`."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from vidgru.core.results import ToDict
from vidgru.data.augment import VIEW
from vidgru.tasks.classify.results import Prediction


@dataclass(frozen=True)
class HeldStill(ToDict):
    """What a prediction becomes when its most relevant tenth is held still.

    Each is the probability of the explained class: of the whole video, with the most relevant tenth
    of frames replaced by the ones before them, and with the most relevant tenth of the picture as
    in the first frame throughout.
    """

    whole: float
    frames: float
    area: float


@dataclass(frozen=True)
class Neighbour(ToDict):
    """A training clip that a video looks like to the model.

    similarity: 1 for the same state of the core, 0 for no more alike than any clips; picture: the
    frame in its middle, as a JPEG.
    """

    _keys: ClassVar = ("clip", "label", "similarity")

    clip: str
    label: str
    similarity: float
    picture: bytes = field(compare=False)


@dataclass(frozen=True)
class Explanation(ToDict):
    """What a prediction comes from: which frames, which places, and which gates.

    label: the explained class, against: the one that it is compared with, None for all others;
    logits: by label, the mean over windows; contributions: by frame, what each adds to them (their
    sum over frames is `logits`), with the bias shared equally; relevance: by frame, the share of
    all relevance for the class; pictures: the share that is from pictures, not from changes between
    them, None where the model reads one kind; maps: (frames, h, w), from 0 to 1, over the middle
    `view` of width and height; gates: by name, the mean over units at each frame, "kept" is the
    share of the state that is kept; kept_maps: (frames, h, w), that share place by place, None
    unless the core is a convgru; nearest: the most similar training clips, the nearest first, empty
    where the run folder has none; seconds: time of each frame.
    """

    _keys: ClassVar = (
        *("source", "label", "against", "method", "prediction", "logits", "bias", "seconds"),
        *("contributions", "relevance", "pictures", "gates", "held_still", "nearest", "view"),
        *("maps", "kept_maps"),
    )
    _sources: ClassVar = {
        "logits": "_logits",
        "bias": "_bias",
        "contributions": "_contributions",
        "maps": "_maps",
        "kept_maps": "_kept_maps",
    }

    source: str
    label: str
    against: str | None
    method: str
    prediction: Prediction
    logits: tuple[float, ...]
    bias: tuple[float, ...]
    seconds: tuple[float, ...]
    contributions: tuple[tuple[float, ...], ...]
    relevance: tuple[float, ...]
    pictures: float | None
    gates: dict[str, tuple[float, ...]]
    held_still: HeldStill
    nearest: tuple[Neighbour, ...]
    maps: NDArray[np.float32] = field(compare=False)
    kept_maps: NDArray[np.float32] | None = field(default=None, compare=False)
    view: float = VIEW

    @property
    def step(self) -> float:
        """Seconds between frames; 1 for a single one."""
        return self.seconds[1] - self.seconds[0] if len(self.seconds) > 1 else 1.0

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, in the order of `logits`."""
        return self.prediction.labels

    @property
    def second(self) -> str:
        """The class that the explained one is compared with, or else the likeliest other one."""
        others = (label for label, _ in self.prediction.top(2) if label != self.label)
        return self.against or next(others)

    def curve(self, label: str) -> tuple[float, ...]:
        """Return what each frame adds to the logit of a class."""
        number = self.labels.index(label)
        return tuple(row[number] for row in self.contributions)

    @property
    def _logits(self) -> dict[str, float]:
        return dict(zip(self.labels, self.logits, strict=True))

    @property
    def _bias(self) -> dict[str, float]:
        return dict(zip(self.labels, self.bias, strict=True))

    @property
    def _contributions(self) -> dict[str, Any]:
        return {label: self.curve(label) for label in self.labels}

    @property
    def _maps(self) -> list[Any]:
        return _rounded(self.maps)

    @property
    def _kept_maps(self) -> list[Any] | None:
        return None if self.kept_maps is None else _rounded(self.kept_maps)


def _rounded(maps: NDArray[np.float32]) -> list[Any]:
    rounded: list[Any] = maps.astype(np.float64).round(3).tolist()
    return rounded


@dataclass(frozen=True)
class ClassSummary(ToDict):
    """What a model looks at in the videos that it predicts as a class.

    Shares of relevance: border: in the outer eighth of the view on each side (44 % of its area);
    corners: in each sixteenth of it; first_second: in the first second, and seconds, the share of
    time that this is. map: (h, w), the mean over frames and videos, from 0 to 1.
    """

    _sources: ClassVar = {"map": "_map"}

    label: str
    videos: int
    border: float
    corners: dict[str, float]
    first_second: float
    seconds: float
    map: NDArray[np.float32] = field(compare=False)

    @property
    def _map(self) -> list[Any]:
        return _rounded(self.map)


@dataclass(frozen=True)
class RegionSummary(ToDict):
    """Whether a place at the border decides for a class.

    follows: share of videos of other classes that are predicted as `label` once they have this
    place of a video of it; by_chance: of videos whose answer changes when they have this place of
    another video of their own class; swaps: how many were tried.
    """

    place: str
    label: str
    follows: float
    by_chance: float
    swaps: int
    decides: bool


@dataclass(frozen=True)
class Summary(ToDict):
    """What a model looks at in many videos, by predicted class, and which border places decide."""

    classes: tuple[ClassSummary, ...]
    places: tuple[RegionSummary, ...]
    findings: tuple[str, ...]
