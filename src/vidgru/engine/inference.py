"""One source after another, whatever is done with them."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from vidgru.core.errors import VideoError
from vidgru.core.results import Failure, Progress
from vidgru.video.read import Video

Step = TypeVar("Step")
Result = TypeVar("Result")


def each(
    sources: Sequence[Path | Failure], steps: Callable[[Path], Generator[Step, None, Result]]
) -> Iterator[Step | Result | Failure]:
    """Yield the steps and the result of each source, or the Failure that says why it has none."""
    for source in sources:
        if isinstance(source, Failure):
            yield source
            continue
        try:
            yield (yield from steps(source))
        except VideoError as error:
            yield Failure(str(source), str(error))


class ReadingProgress:
    """How far the reading of a source is."""

    def __init__(self, source: str | Path, fps: float) -> None:
        self.source, self.fps, self.frames = str(source), fps, 0
        self._begun, self._whole = time.monotonic(), 0.0

    @property
    def seconds(self) -> float:
        """How much has been read."""
        return self.frames / self.fps

    def begin(self, video: Video) -> None:
        """Take note of how long an opened source says it is."""
        self._whole = video.seconds or 0.0

    def progress(self, frames: int) -> Progress:
        """Count more frames and tell how far that is."""
        self.frames += frames
        speed = self.seconds / max(time.monotonic() - self._begun, 1e-6)
        total = round(max(self._whole, self.seconds))
        return Progress(self.source, round(self.seconds), total, f"{speed:.0f} x real time")


class VideoModel(Protocol):
    """A model that is ready to answer."""

    def steps(self, source: str | Path) -> Generator[Any, None, Any]:
        """Answer for one source, yielding Progress all along and what is known earlier.

        Returns the whole answer. Raises VideoError, OptionError for what is live.
        """
