"""Any job, one source after another."""

import time
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar, cast

from vidgru.core.errors import VideoError
from vidgru.core.options import python_names
from vidgru.core.results import Failure, OnProgress, Progress, run_to_end
from vidgru.video.find import find_sources, listed
from vidgru.video.read import Frames, Source, Video

Step = TypeVar("Step")
Result = TypeVar("Result")


def each(
    sources: Sequence[Source | Failure], steps: Callable[[Any], Generator[Step, None, Result]]
) -> Iterator[Step | Result | Failure]:
    """Yield the steps and the result of each source, or the Failure with its error."""
    for source in sources:
        if isinstance(source, Failure):
            yield source
            continue
        try:
            yield (yield from steps(source))
        except VideoError as error:
            yield Failure(str(source), str(error))


class ReadingProgress:
    """Progress of reading a source; `times`, if given, receives the times of its frames."""

    def __init__(self, source: Source, fps: float, times: "array[float] | None" = None) -> None:
        self.source, self.fps, self.frames, self.times = str(source), fps, 0, times
        self._begun, self._whole = time.monotonic(), 0.0

    @property
    def seconds(self) -> float:
        """How many seconds have been read."""
        return self.frames / self.fps

    def begin(self, video: Video) -> None:
        """Take the declared length of an opened source."""
        self._whole = video.seconds or 0.0
        if self.times is not None:
            del self.times[:]  # a source may be read anew
            video.times = self.times

    def progress(self, frames: int) -> Progress:
        """Count more frames and return the progress."""
        self.frames += frames
        speed = self.seconds / max(time.monotonic() - self._begun, 1e-6)
        total = round(max(self._whole, self.seconds))
        return Progress(self.source, round(self.seconds), total, f"{speed:.0f} x real time")


class VideoModel(ABC, Generic[Result]):
    """A model that is ready to predict; `vidgru.load` opens one."""

    reads_pictures = False  # each by itself, not as frames of a sequence

    @abstractmethod
    def steps(self, source: Source) -> Generator[Any, None, Result]:
        """Predict for one source, yielding Progress all along and what is known earlier.

        Returns the result. Raises VideoError, OptionError for what is live.
        """

    def predict(self, source: Source, *, progress: OnProgress | None = None) -> Result:
        """Return the result for a video, a folder of images or `Frames`.

        `progress` is called with each Progress. Raises VideoError, OptionError for what is live.
        """
        with python_names():
            return run_to_end(self.steps(source), progress)

    def predict_many(
        self, sources: Source | Iterable[Source], *, progress: OnProgress | None = None
    ) -> Iterator[Result | Failure]:
        """Yield the result of each source, or the Failure that says why there is none, in order.

        A folder stands for the videos in it at any depth, or else for its images as one sequence;
        of a model that reads each picture by itself, each image is a source. Raises OptionError for
        what is live.
        """
        given = [sources] if isinstance(sources, Frames) else listed(cast(Any, sources))
        with python_names():
            found = [
                part
                for source in given
                for part in (
                    [source]
                    if isinstance(source, Frames)
                    else find_sources(source, images=self.reads_pictures)
                )
            ]
            for source in found:
                if isinstance(source, Failure):
                    yield source
                    continue
                try:
                    # Steps may yield more than Progress: of motion, each second.
                    result = run_to_end(self.steps(source), progress)
                except VideoError as error:
                    yield Failure(str(source), str(error))
                else:
                    yield result
