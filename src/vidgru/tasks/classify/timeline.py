"""What streams and long videos show when: frozen dataclasses with `to_dict()`."""

from dataclasses import dataclass
from typing import Any, ClassVar

from vidgru.core.results import ToDict
from vidgru.tasks.classify.results import Labelled


@dataclass(frozen=True)
class Moment(Labelled):
    """What a stream shows at one sampled frame, by this frame and those just before it.

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
    """What a camera or network stream shows at one sampled frame.

    wall: when that frame arrived, unix seconds; delay: seconds from then to the answer; dropped:
    sampled frames so far that were left out, since this machine was too slow; reconnects: so far.
    """

    _keys = (*Moment._keys, "wall", "delay", "dropped", "reconnects")

    wall: float
    delay: float
    dropped: int
    reconnects: int


@dataclass(frozen=True)
class LiveSummary(ToDict):
    """What came of watching a live source.

    seconds: from the start to the end; answers: sampled frames answered; shares: of the answers
    that were each label, likeliest first.
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
    """A stretch of a video, from start to end in seconds, that shows one thing."""

    _keys = ("start", "end", *Labelled._keys)

    start: float
    end: float
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    threshold: float | None = None
    unsure: bool = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Segment":
        """Return what `to_dict` made plain values of."""
        shares = data["probabilities"]
        names = ("start", "end", "threshold", "unsure")
        return cls(
            labels=tuple(shares),
            probabilities=tuple(shares.values()),
            **{name: data[name] for name in names},
        )


@dataclass(frozen=True)
class Timeline(ToDict):
    """What a video shows when: segments one after the other, without gaps, from 0 to `seconds`.

    frames: sampled frames that were looked at.
    """

    _keys = ("source", "frames", "seconds", "segments")

    source: str
    labels: tuple[str, ...]
    segments: tuple[Segment, ...]
    frames: int
    seconds: float

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Timeline":
        """Return what `to_dict` made plain values of."""
        segments = [Segment.from_dict(segment) for segment in data["segments"]]
        labels = segments[0].labels if segments else ()
        return cls(data["source"], labels, tuple(segments), data["frames"], data["seconds"])
