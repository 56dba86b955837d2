"""Scenes of videos and the transitions between them: frozen dataclasses with `to_dict()`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from vidgru.core.results import ToDict

KINDS = ("cut", "dissolve", "fade", "wipe")


@dataclass(frozen=True)
class Boundary(ToDict):
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


@dataclass(frozen=True)
class SceneChange(ToDict):
    """A boundary that was found while a stream went on.

    seconds: when the new scene begins; known: of the latest frame that had been read by the time
    this was known. Both count from the first frame of the stream.
    """

    boundary: Boundary
    seconds: float
    known: float

    @property
    def frame(self) -> int:
        """The first frame of the new scene, counted from the first of the stream."""
        return self.boundary.frame


@dataclass(frozen=True)
class Scene(ToDict):
    """One scene of a video: frames start ... end - 1.

    number: from 1 on; start_seconds, end_seconds: times of frames `start` and `end`, and of the
    last scene when its last frame ends; begins: the boundary at `start`, None for the first scene.
    """

    number: int
    start: int
    end: int
    start_seconds: float
    end_seconds: float
    begins: Boundary | None


@dataclass(frozen=True)
class Scenes(ToDict):
    """All scenes of one video; together they are all its frames.

    fps: frames/s, on average where they come unevenly, which `variable` tells; width, height: of
    the source's pictures, in pixels; seconds: of all; model: the file that told.
    """

    source: str
    model: str
    frames: int
    fps: float
    variable: bool
    seconds: float
    width: int
    height: int
    scenes: tuple[Scene, ...]

    def clear(self, scene: Scene) -> range:
        """Return the frames of a scene that show nothing of others; all, where there are none."""
        start, end = scene.start, scene.end
        if scene.begins is not None:
            start = max(start, scene.begins.end)
        # Scenes are numbered from 1, so this is the next one.
        if scene.number < len(self.scenes) and (after := self.scenes[scene.number].begins):
            end = min(end, after.start)
        return range(start, end) if start < end else range(scene.start, scene.end)


def scenes_between(
    boundaries: Sequence[tuple[Boundary, float]], frames: int, seconds: float
) -> tuple[Scene, ...]:
    """Return the scenes of a video of so many frames and seconds.

    Boundaries come in order, each with the time of its frame.
    """
    begins = [None, *(boundary for boundary, _ in boundaries)]
    starts = [0, *(boundary.frame for boundary, _ in boundaries), frames]
    times = [0.0, *(time for _, time in boundaries), seconds]
    return tuple(
        Scene(number, start, end, round(since, 6), round(until, 6), begin)
        for number, (begin, (start, end), (since, until)) in enumerate(
            zip(begins, pairwise(starts), pairwise(times), strict=True), 1
        )
    )
