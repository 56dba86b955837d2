"""Base of every source of frames: frames in order with true times, and what is known about it."""

from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.core.errors import VideoError
from vidgru.video.info import MAX_WARNINGS, Gaps, VideoInfo

MAX_PIXELS = 1 << 27
MAX_IMAGE_BYTES = 1 << 29

# Of the decoder, one a core if None. A process that is one of many uses a single one: that takes
# the least time of all cores together, and the output for a damaged file depends on the number.
decoder_threads: int | None = None

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture: rgb uint8 (H, W, 3), seconds since the first frame, number in the source.

    large: the same at a second size, where somebody wants that.
    """

    rgb: Image
    time: float
    index: int
    large: Image | None = field(default=None, kw_only=True)


class Video(ABC):
    """Frames of one source in order; `open_video` makes it.

    `grab()` moves to the next frame cheaply and returns its time; `retrieve()` returns its pixels.
    `warnings` fills while reading: problems of a source that can still be read; `notes`: how it is
    treated where nothing is wrong.
    `reader` is the decoding library, `why` the reason where that is not OpenCV.
    """

    def __init__(self, source: str, fps: float) -> None:
        self.source = source
        self.fps = fps
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self.frames_read = 0
        self.width = self.height = self.rotation = 0
        self.codec = "images"
        self.reader, self.why = "opencv", ""
        self._declared: int | None = None
        self._gaps = Gaps()
        self._time = 0.0  # of the current frame
        self.times: array[float] | None = None  # of all frames, where somebody wants them

    @property
    @abstractmethod
    def seconds(self) -> float | None:
        """The declared length of the source; it may be wrong, None if it is implausible."""

    @abstractmethod
    def grab(self) -> float | None:
        """Move to the next frame; return its time in seconds, or None at the end.

        Raises VideoError when the source ends before its first frame.
        """

    @abstractmethod
    def _bgr(self) -> Image:
        """Return the current frame as uint8 (H, W, 3), blue first."""

    def close(self) -> None:  # noqa: B027  (pictures hold nothing open)
        """Release the source."""

    def info(self) -> VideoInfo:
        """Return what is known about the source after the frames grabbed so far, at least one."""
        warnings, more = self.warnings[:MAX_WARNINGS], len(self.warnings) - MAX_WARNINGS
        if more > 0:
            warnings.append(f"{self.source}: {more} more of such warnings.")
        between = self.frames_read - 1
        return VideoInfo(
            width=self.width,
            height=self.height,
            fps=self.fps,
            codec=self.codec,
            rotation=self.rotation,
            declared=self._declared,
            frames=self.frames_read,
            # The last frame is assumed to last as long as the others.
            seconds=self._time + (self._time / between if between else 1 / self.fps),
            variable=self._gaps.variable,
            warnings=tuple(warnings),
            reader=self.reader,
            why=self.why,
            notes=tuple(self.notes),
        )

    def _count(self, time: float) -> float:
        """Count one more frame, and return its time."""
        if self.frames_read:
            self._gaps.add(time - self._time)
        self.frames_read += 1
        self._time = time
        if self.times is not None:
            self.times.append(time)
        return time

    def retrieve(self, size: tuple[int, int] | int | None = None) -> Image:
        """Return the current frame as rgb uint8 (H, W, 3).

        `size` resizes it: (width, height), or the longer side with the shape kept. Raises
        VideoError.
        """
        try:
            return self._resized(size)
        except cv2.error as error:  # out of memory, mostly
            raise VideoError(
                f"Cannot read {self.source}: OpenCV fails on frame {self.frames_read - 1}."
            ) from error

    def _resized(self, size: tuple[int, int] | int | None) -> Image:
        bgr = self._bgr()
        height, width = bgr.shape[:2]
        if size is not None and (width, height) != (wanted := fitted(size, width, height)):
            bgr = shrink(bgr, wanted)
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]

    def __iter__(self) -> Iterator[Frame]:
        while (time := self.grab()) is not None:
            yield Frame(self.retrieve(), time, self.frames_read - 1)


def set_picture_threads(count: int) -> None:
    """Set how many threads of this process work on a picture once it is decoded."""
    # For small pictures, sharing the work out among threads costs more than it saves.
    cv2.setNumThreads(count)


def fitted(size: tuple[int, int] | int, width: int, height: int) -> tuple[int, int]:
    """Return (width, height) for a size; a longer side keeps the picture's shape."""
    if not isinstance(size, int):
        return size
    scale = size / max(width, height)
    return max(round(width * scale), 1), max(round(height * scale), 1)


def shrink(image: Image, size: tuple[int, int]) -> Image:
    """Resize uint8 (H, W, 3) to (width, height): area averaging down, bilinear up."""
    height, width = image.shape[:2]
    # Halving is so fast that large pictures take a sixth of the time; pixels change by less than
    # one level on average, and by a few where there is much detail.
    while (
        min(width / size[0], height / size[1]) > 3.5
        and width * height > 16 * size[0] * size[1]
        and not (width % 2 or height % 2)
    ):
        width, height = width // 2, height // 2
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    down = size[0] <= width and size[1] <= height
    return cv2.resize(  # type: ignore[return-value]
        image, size, interpolation=cv2.INTER_AREA if down else cv2.INTER_LINEAR
    )
