"""What every source of frames is: frames in order with true times, and what was learned of it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.core.errors import VideoError
from vidgru.video.info import MAX_WARNINGS, Gaps, VideoInfo

MAX_PIXELS = 1 << 27
MAX_IMAGE_BYTES = 1 << 29

# Of the decoder, one a core where nothing is said. A process that is one of many has a single one:
# that takes least time of all cores together, and what a damaged file shows depends on the number.
decoder_threads: int | None = None

Image = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture: rgb uint8 (H, W, 3), seconds since the first frame, number in the source."""

    rgb: Image
    time: float
    index: int


class Video(ABC):
    """Frames of one source in order; `open_video` makes it.

    `grab()` moves to the next frame cheaply and gives its time; `retrieve()` gives its pixels.
    `warnings` fills while reading: what is wrong with the source although frames came out of it;
    `notes`: what is done with it although nothing is wrong.
    `reader` is the library that decodes, `why` the reason where that is not OpenCV.
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

    @property
    @abstractmethod
    def seconds(self) -> float | None:
        """How long the source says it is; files may be wrong, None if they say nothing sane."""

    @abstractmethod
    def grab(self) -> float | None:
        """Move to the next frame; return its time in seconds, or None at the end.

        Raises VideoError when the source ends before its first frame.
        """

    @abstractmethod
    def _bgr(self) -> Image:
        """Return the current frame as uint8 (H, W, 3), blue first."""

    def close(self) -> None:  # noqa: B027  (pictures hold nothing open)
        """Let go of the source."""

    def info(self) -> VideoInfo:
        """Return what the frames grabbed so far, at least one, tell of the source."""
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
            # The last frame is taken to last as long as the others.
            seconds=self._time + (self._time / between if between else 1 / self.fps),
            variable=self._gaps.variable,
            warnings=tuple(warnings),
            reader=self.reader,
            why=self.why,
            notes=tuple(self.notes),
        )

    def _count(self, time: float) -> float:
        """Take note of one more frame and its time, which is given back."""
        if self.frames_read:
            self._gaps.add(time - self._time)
        self.frames_read += 1
        self._time = time
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


def fitted(size: tuple[int, int] | int, width: int, height: int) -> tuple[int, int]:
    """Return the (width, height) that are meant: a longer side keeps the shape of a picture."""
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
