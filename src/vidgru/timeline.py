"""What streams and long videos show when: frozen dataclasses with `to_dict()`."""

from dataclasses import dataclass
from typing import Any, ClassVar

from vidgru.results import Labelled, ToDict


@dataclass(frozen=True)
class Moment(Labelled):
    """What a stream shows at one sampled frame, by this frame and those just before it.

    time: seconds since the stream began; seconds: of the stream that the answer rests on.
    """

    _keys: ClassVar[tuple[str, ...]] = ("time", "seconds", *Labelled._keys)

    time: float
    seconds: float
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    threshold: float | None = None
    unsure: bool = False


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
class LiveEvent(ToDict):
    """What happens to a live source beside its frames.

    event: "connected", "failed" for a try that did not connect, before any did, "lost" for later
    ones and for a connection that breaks, or "cut" for a recording that ends too early; source:
    without name, password and query; wall: unix seconds; error: what is wrong, unless it connected;
    retry_in: seconds until the next try.
    """

    event: str
    source: str
    wall: float
    error: str | None = None
    retry_in: float | None = None

    @property
    def sentence(self) -> str:
        """The same in words."""
        if self.event in ("failed", "lost"):
            what = "Lost" if self.event == "lost" else "Cannot connect to"
            return f"{what} {self.source}: {self.error}. Trying again in {self.retry_in:g} s."
        if self.event == "cut":
            return f"Only a part of {self.source} came: {self.error}."
        return f"Connected to {self.source}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain values only, ready for JSON, and only of what there is to tell."""
        return {name: value for name, value in super().to_dict().items() if value is not None}


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
