"""Scenes of videos and the transitions between them: frozen dataclasses with `to_dict()`."""

from dataclasses import asdict, dataclass
from typing import Any

KINDS = ("cut", "dissolve", "fade", "wipe")


@dataclass(frozen=True)
class Boundary:
    """Where one scene ends and another begins.

    frame: the first frame of the new scene; of a gradual transition the middle one; kind: one of
    KINDS; confidence: from 0 to 1; start, end: frames start ... end - 1 show both scenes, or
    neither; none at a cut, where both are `frame`.
    """

    frame: int
    kind: str
    confidence: float
    start: int
    end: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values only, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Scene:
    """One scene of a video: frames start ... end - 1.

    number: from 1 on; start_seconds, end_seconds: times of frames `start` and `end`; begins: the
    boundary at `start`, None for the first scene.
    """

    number: int
    start: int
    end: int
    start_seconds: float
    end_seconds: float
    begins: Boundary | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values only, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Scenes:
    """All scenes of one video; together they are all its frames.

    fps: frames/s, on average where they come unevenly; width, height: of the source's pictures, in
    pixels; model: the file that told.
    """

    source: str
    model: str
    frames: int
    fps: float
    width: int
    height: int
    scenes: tuple[Scene, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values only, ready for JSON."""
        return {**asdict(self), "scenes": [scene.to_dict() for scene in self.scenes]}
