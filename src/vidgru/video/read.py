"""Open a video file, an image or a folder of images; read its frames in order with true times."""

import csv
import logging
import math
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.errors import VideoError
from vidgru.video.facts import MOST_WARNINGS, Facts, Gaps

log = logging.getLogger("vidgru")

# ruff: noqa: SIM905
VIDEO_SUFFIXES = frozenset(
    ".3gp .asf .avi .divx .flv .gif .h264 .m2ts .m4v .mjpeg .mkv .mov .mp4 .mpeg .mpg .mts .mxf "
    ".ogv .ts .vob .webm .wmv".split()
)
IMAGE_SUFFIXES = frozenset(".bmp .jpeg .jpg .png .ppm .tif .tiff .webp".split())
IMAGE_FOLDER_FPS = 25.0  # for pictures that come without times

# Past a damaged spot the decoder often finds its way again within a few packets.
GRABS_AFTER_FAILURE = 16
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
    `warnings` fills while reading: what is wrong with the source although frames came out of it.
    """

    def __init__(self, source: str, fps: float) -> None:
        self.source = source
        self.fps = fps
        self.warnings: list[str] = []
        self.frames_read = 0
        self.width = self.height = self.rotation = 0
        self.codec = "images"
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

    def facts(self) -> Facts:
        """Return what the frames grabbed so far, at least one, tell of the source."""
        warnings, more = self.warnings[:MOST_WARNINGS], len(self.warnings) - MOST_WARNINGS
        if more > 0:
            warnings.append(f"{self.source}: {more} more of such warnings.")
        between = self.frames_read - 1
        return Facts(
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
        if isinstance(size, int):
            scale = size / max(width, height)
            size = max(round(width * scale), 1), max(round(height * scale), 1)
        if size is not None and (width, height) != size:
            bgr = shrink(bgr, size)
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]

    def __iter__(self) -> Iterator[Frame]:
        while (time := self.grab()) is not None:
            yield Frame(self.retrieve(), time, self.frames_read - 1)


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


class _VideoFile(Video):
    def __init__(self, path: Path) -> None:
        try:
            str(path).encode()
        except UnicodeEncodeError as error:  # OpenCV would crash on it
            raise VideoError(f"Cannot read {path}: rename it, the name is not UTF-8.") from error
        # An absolute path and a fixed backend: a name like `http:x` or `img_%02d.png` stays a name.
        threads = [] if decoder_threads is None else [cv2.CAP_PROP_N_THREADS, decoder_threads]
        self.capture = cv2.VideoCapture(os.path.abspath(path), cv2.CAP_FFMPEG, threads)
        if not self.capture.isOpened():
            raise VideoError(f"Cannot read {path}: not a video that OpenCV can open.")
        # Its default changed between OpenCV versions.
        self.capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        fps = self.capture.get(cv2.CAP_PROP_FPS)
        super().__init__(str(path), fps if math.isfinite(fps) and 0.01 <= fps <= 1000 else 25.0)
        self.declared = self.capture.get(cv2.CAP_PROP_FRAME_COUNT)
        width = self.capture.get(cv2.CAP_PROP_FRAME_WIDTH)
        height = self.capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
        if width * height > MAX_PIXELS:
            raise VideoError(
                f"Cannot read {path}: frames of {width:.0f}x{height:.0f} pixels are too large."
            )
        self.width, self.height = int(width), int(height)
        self.rotation = int(self.capture.get(cv2.CAP_PROP_ORIENTATION_META))
        code = (int(self.capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF).to_bytes(4, "little")
        self.codec = "".join(chr(c) for c in code if 32 < c < 127).lower() or "unknown"
        self._offset = 0.0

    @property
    def seconds(self) -> float | None:
        seconds = self.declared / self.fps
        return seconds if 0 < seconds < 1e6 else None

    def grab(self) -> float | None:
        if not self.capture.grab() and not self._grab_past_damage():
            self._at_end()
            return None
        time = self.capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if self.frames_read == 0:
            # AVI files with reordered frames start late by the reordering delay.
            self._offset = time if math.isfinite(time) else 0.0
            return self._count(0.0)
        time -= self._offset
        # Some containers carry no times for the last frames, or none at all.
        late = time > self._time and math.isfinite(time)
        return self._count(time if late else self._time + 1 / self.fps)

    def _grab_past_damage(self) -> bool:
        if self.frames_read == 0:
            return False
        for _ in range(GRABS_AFTER_FAILURE):
            if self.capture.grab():
                if not self.warnings:  # a file may have thousands of such spots
                    self.warnings.append(
                        f"{self.source} is damaged after {self._time:.2f} s: frames are missing."
                    )
                return True
        return False

    def _at_end(self) -> None:
        if self.frames_read == 0:
            raise VideoError(
                f"Cannot read {self.source}: it opens, but no frame can be decoded (codec "
                f"{self.codec}). Convert it, for example to H.264."
            )
        seconds = self.declared / self.fps
        if 0 < self.declared < 1e9:
            self._declared = round(self.declared)
        if 0 < seconds < 1e7 and (self._time + 1 / self.fps) < 0.9 * seconds:
            self.warnings.append(
                f"{self.source} ends early: it declares {seconds:.2f} s, "
                f"but frames can be read only up to {self._time:.2f} s."
            )

    def _bgr(self) -> Image:
        good, image = self.capture.retrieve()
        if not good or image is None:
            raise VideoError(f"Cannot read {self.source}: frame {self.frames_read - 1} is damaged.")
        return image  # type: ignore[return-value]

    def close(self) -> None:
        self.capture.release()


def _read_image(path: Path) -> Image | None:
    """Return bgr uint8 (H, W, 3), or None for what is not an image, is too large or unreadable."""
    try:
        # Opening a pipe would wait for ever.
        if not path.is_file() or path.stat().st_size > MAX_IMAGE_BYTES:
            return None
        # Not cv2.imread, which crashes on a name that is not UTF-8.
        data = path.read_bytes()
        if not data or _lacks_chunks(data):
            return None
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # type: ignore[return-value]
    except (OSError, cv2.error):
        return None


def _lacks_chunks(data: bytes) -> bool:
    """Return whether a PNG file ends before its chunks do.

    OpenCV reads none of those, but first fills as much memory as a chunk promises: up to 4 GB.
    """
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return False
    place = 8
    while place < len(data) and data[place + 4 : place + 8] != b"IEND":
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return place + 12 > len(data)


class _Images(Video):
    def __init__(self, source: Path, paths: list[Path], times: dict[str, float]) -> None:
        super().__init__(str(source), IMAGE_FOLDER_FPS)
        if paths == [source]:
            self.codec = source.suffix[1:].lower()
        self._times = times
        self._files = len(paths)
        self._next = iter(enumerate(paths))
        self._image: Image | None = None
        if len(times) > 1:
            fps = (len(times) - 1) / (max(times.values()) - min(times.values()))
            self.fps = fps if math.isfinite(fps) else IMAGE_FOLDER_FPS

    @property
    def seconds(self) -> float | None:
        return self._files / self.fps

    def grab(self) -> float | None:
        for index, path in self._next:
            image = _read_image(path)
            if image is None:
                self.warnings.append(f"Skipped {path}: not an image that OpenCV can read.")
                continue
            if self._image is None:
                self.height, self.width = image.shape[:2]
            self._image = image
            return self._count(self._times.get(path.name, index / IMAGE_FOLDER_FPS))
        if self.frames_read == 0:
            raise VideoError(f"Cannot read {self.source}: no image in it can be read.")
        return None

    def _bgr(self) -> Image:
        if self._image is None:
            raise VideoError(f"Cannot read {self.source}: grab a frame first.")
        return self._image


def natural_key(name: str) -> list[Any]:
    """Return a sort key that puts img2 before img10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.lower())
            for part in re.split(r"(\d+)", name) if part]  # fmt: skip


def image_files(folder: Path) -> list[Path]:
    """Return the images directly inside a folder, in natural order."""
    found = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES]
    shown = [p for p in found if not p.name.startswith(".")]
    return sorted(shown, key=lambda p: natural_key(p.name))


def _extracted_times(folder: Path, paths: list[Path]) -> dict[str, float]:
    """Return the times that `vidgru extract` wrote down, or nothing unless all images have one."""
    try:
        with open(
            folder / "frames.csv", newline="", encoding="utf-8", errors="surrogateescape"
        ) as file:
            rows = {row["file"]: float(row["seconds"]) for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError, TypeError, csv.Error):
        return {}
    times = [rows.get(path.name, math.nan) for path in paths]
    if not all(map(math.isfinite, times)):
        return {}
    # From a picture a microsecond to one in thirty years; anything else are no times.
    if not all(1e-6 <= b - a <= 1e9 for a, b in pairwise(times)):
        return {}
    return {path.name: time - times[0] for path, time in zip(paths, times, strict=True)}


def _open(path: Path) -> Video:
    try:
        if path.is_dir():
            paths = image_files(path)
            if not paths:
                raise VideoError(f"Cannot read {path}: the folder holds no images.")
            return _Images(path, paths, _extracted_times(path, paths))
        if not path.exists():
            raise VideoError(f"Cannot read {path}: no such file or folder.")
        if not path.is_file():
            raise VideoError(f"Cannot read {path}: not a regular file.")
        if path.stat().st_size == 0:
            raise VideoError(f"Cannot read {path}: the file is empty.")
        with open(path, "rb"):
            pass
    except OSError as error:
        raise VideoError(f"Cannot read {path}: {error.strerror or error}.") from error
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return _Images(path, [path], {})
    return _VideoFile(path)


@contextmanager
def open_video(source: str | Path) -> Iterator[Video]:
    """Open a video file, an image, or a folder of images, and close it at the end.

    Times are seconds since the first frame. Pictures in a folder are taken in natural order, with
    the times in the folder's frames.csv (see `extract`) or else at 25 frames/s. Rotation flags are
    applied. Raises VideoError when nothing can be read.
    """
    video = _open(Path(source))
    try:
        yield video
    finally:
        video.close()
