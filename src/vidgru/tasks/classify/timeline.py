"""Predictions for streams and long videos over time: frozen dataclasses with `to_dict()`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from vidgru.core.results import ToDict
from vidgru.tasks.classify.results import Labelled


@dataclass(frozen=True)
class Moment(Labelled):
    """The prediction for a stream at one sampled frame, from this frame and those just before it.

    time: seconds since the stream began; seconds: of the stream that the answer rests on; held: the
    label that smoothing keeps to, which need not be the likeliest one of this frame.
    """

    _keys: ClassVar[tuple[str, ...]] = ("time", "seconds", *Labelled._keys)

    time: float
    seconds: float
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    threshold: float | None = None
    unsure: bool = False
    held: str | None = None

    @property
    def likeliest(self) -> str:
        """The label that smoothing keeps to, or the likeliest one."""
        return super().likeliest if self.held is None else self.held

    @property
    def confidence(self) -> float:
        """The probability of that label."""
        return float(self._shares[self.likeliest])


@dataclass(frozen=True, kw_only=True)
class LiveMoment(Moment):
    """The prediction for a camera or network stream at one sampled frame.

    wall: when that frame arrived, unix seconds; delay: seconds from then to the prediction;
    dropped: sampled frames left out so far, since this machine was too slow; reconnects: so far.
    """

    _keys = (*Moment._keys, "wall", "delay", "dropped", "reconnects")

    wall: float
    delay: float
    dropped: int
    reconnects: int


@dataclass(frozen=True)
class LiveSummary(ToDict):
    """Summary of a live source.

    seconds: from the start to the end; answers: number of predictions; shares: of the predictions
    with each label, likeliest first.
    """

    event: ClassVar = "summary"
    _keys = ("event", ...)

    source: str
    seconds: float
    answers: int
    dropped: int
    reconnects: int
    shares: dict[str, float]


@dataclass(frozen=True)
class Segment(Labelled):
    """A stretch of a video, from start to end in seconds, with one label."""

    _keys = ("start", "end", *Labelled._keys)

    start: float
    end: float
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    threshold: float | None = None
    unsure: bool = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Segment":
        """Return the Segment that `to_dict` was called on."""
        shares = data["probabilities"]
        names = ("start", "end", "threshold", "unsure")
        return cls(
            labels=tuple(shares),
            probabilities=tuple(shares.values()),
            **{name: data[name] for name in names},
        )


@dataclass(frozen=True)
class Bouts:
    """How often a label is shown, for how many seconds in all, and when first.

    A class called "unsure" differs from what is unsure only in `unsure`.
    """

    label: str
    count: int
    seconds: float
    first: float
    unsure: bool = False


@dataclass(frozen=True)
class Timeline(ToDict):
    """Labels of a video over time: segments in order, without gaps, from 0 to `seconds`.

    frames: number of sampled frames; seconds: until the last frame of the source ends; times: of
    all its frames, in seconds.
    """

    _keys = ("source", "frames", "seconds", "segments")

    source: str
    labels: tuple[str, ...]
    segments: tuple[Segment, ...]
    frames: int
    seconds: float
    times: Sequence[float] = field(default=(), compare=False, repr=False)

    def bouts(self) -> list[Bouts]:
        """Return how often and for how long each label is shown, the longest in all first."""
        found: dict[tuple[str, bool], list[Segment]] = {}
        for segment in self.segments:
            found.setdefault((segment.label, segment.unsure), []).append(segment)
        bouts = [
            Bouts(label, len(own), sum(s.end - s.start for s in own), own[0].start, unsure)
            for (label, unsure), own in found.items()
        ]
        return sorted(bouts, key=lambda one: -one.seconds)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Timeline":
        """Return the Timeline that `to_dict` was called on."""
        segments = [Segment.from_dict(segment) for segment in data["segments"]]
        labels = segments[0].labels if segments else ()
        return cls(data["source"], labels, tuple(segments), data["frames"], data["seconds"])
