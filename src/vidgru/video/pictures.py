"""Read single pictures and folders of them, as one sequence."""

import csv
import math
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vidgru.core.errors import VideoError
from vidgru.video.grey import GreyScale, is_deep_grey, is_tiff_with_alpha
from vidgru.video.source import MAX_IMAGE_BYTES, Image, Video

# `pages` is imported only where needed: Pillow takes 12 ms, which videos need not pay.
# ruff: noqa: SIM905
IMAGE_SUFFIXES = frozenset(".bmp .jpeg .jpg .png .ppm .tif .tiff .webp".split())
IMAGE_FOLDER_FPS = 25.0  # for pictures without times
MAX_DIGITS = 1000  # of a number in a name; Python converts no more than 4300
PEEKED = 8  # pictures of a folder whose depth is measured before the first is shown


def read_bytes(path: Path) -> bytes | None:
    """Return the bytes of a picture file, or None if it is no file, too large or unreadable."""
    try:
        # Opening a pipe would block for ever.
        if not path.is_file() or path.stat().st_size > MAX_IMAGE_BYTES:
            return None
        # Not cv2.imread, which crashes on a name that is not UTF-8.
        return path.read_bytes()
    except OSError:
        return None


def decode_image(data: bytes) -> Any:
    """Return bgr uint8 (H, W, 3), uint16 (H, W) for deep grey, or None if it is no image."""
    if not data or _lacks_chunks(data):
        return None
    if is_tiff_with_alpha(data):
        from vidgru.video.pages import decode_alone

        return decode_alone(data)
    how = cv2.IMREAD_COLOR
    if is_deep_grey(data):
        how = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), how)
    except cv2.error:
        return None


def _lacks_chunks(data: bytes) -> bool:
    """Return whether a PNG file ends before its chunks do.

    OpenCV reads none of those, but first allocates as much memory as a chunk declares: up to 4 GB.
    """
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return False
    place = 8
    while place < len(data) and data[place + 4 : place + 8] != b"IEND":
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return place + 12 > len(data)


class Pictures(Video):
    """Pictures of one or several sizes, one a file; `data`: content of the first, if known."""

    def __init__(
        self, source: Path, paths: list[Path], times: dict[str, float], data: bytes | None = None
    ) -> None:
        super().__init__(str(source), IMAGE_FOLDER_FPS)
        if paths == [source]:
            self.codec = source.suffix[1:].lower()
        self._times = times
        self._paths, self._data = paths, data
        self._next = iter(enumerate(paths))
        self._image: Image | None = None
        self._grey = GreyScale(str(source), self.notes, self.warnings)
        if len(times) > 1:
            fps = (len(times) - 1) / (max(times.values()) - min(times.values()))
            self.fps = fps if math.isfinite(fps) else IMAGE_FOLDER_FPS

    @property
    def seconds(self) -> float | None:
        """How long the pictures last at their usual rate."""
        return len(self._paths) / self.fps

    def grab(self) -> float | None:
        """Move to the next picture; return its time in seconds, or None at the end."""
        for index, path in self._next:
            image = self._read(path)
            if image is None:
                continue
            if self._image is None:
                self.height, self.width = image.shape[:2]
            self._image = image
            return self._count(self._time_of(index, path))
        if self.frames_read == 0:
            raise VideoError(f"Cannot read {self.source}: no image in it can be read.")
        return None

    def _time_of(self, index: int, path: Path) -> float:
        return self._times.get(path.name, index / IMAGE_FOLDER_FPS)

    def all_times(self) -> list[float]:
        """Return the times of all pictures, also of those that cannot be read, in seconds."""
        return [self._time_of(index, path) for index, path in enumerate(self._paths)]

    def picture(self, index: int) -> Image:
        """Return a picture by its place in the folder, rgb uint8 (H, W, 3); raises VideoError."""
        image = self._read(self._paths[index])
        if image is None:
            raise VideoError(f"Cannot read {self._paths[index]}: not an image that can be read.")
        self._image = image
        return self.retrieve()

    def _read(self, path: Path) -> Image | None:
        from vidgru.video.pages import holds_several

        data, self._data = self._data or read_bytes(path), None
        if data is not None and len(self._paths) > 1 and holds_several(data):
            self.warnings.append(f"Skipped {path}: it holds several pictures; read it on its own.")
            return None
        image = None if data is None else decode_image(data)
        if image is None:
            self.warnings.append(f"Skipped {path}: not an image that OpenCV can read.")
        elif image.dtype == np.uint16:
            if not self._grey.bits:
                others = self._paths[:: max(len(self._paths) // PEEKED, 1)]
                read = (decode_image(read_bytes(other) or b"") for other in others)
                deep = [
                    int(one.max()) for one in read if one is not None and one.dtype == np.uint16
                ]
                self._grey.measure_depth(max(deep, default=0), int(image.max()))
            return self._grey.shown(image)
        return image

    def _bgr(self) -> Image:
        if self._image is None:
            raise VideoError(f"Cannot read {self.source}: grab a frame first.")
        return self._image


def natural_key(name: str) -> list[Any]:
    """Return a sort key that puts img2 before img10."""
    return [
        (0, int(part), "") if len(part) <= MAX_DIGITS and part.isdecimal() else (1, 0, part.lower())
        for part in re.split(r"(\d+)", name) if part
    ]  # fmt: skip


def image_files(folder: Path) -> list[Path]:
    """Return the images directly inside a folder, in natural order."""
    found = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES]
    shown = [p for p in found if not p.name.startswith(".")]
    return sorted(shown, key=lambda p: natural_key(p.name))


def _extracted_times(folder: Path, paths: list[Path]) -> dict[str, float]:
    """Return the times that `vidgru extract` wrote, or nothing unless all images have one."""
    try:
        if not (folder / "frames.csv").is_file():  # opening a pipe would block for ever
            return {}
        with open(
            folder / "frames.csv", newline="", encoding="utf-8", errors="surrogateescape"
        ) as file:
            rows = {row["file"]: float(row["seconds"]) for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError, TypeError, csv.Error):
        return {}
    times = [rows.get(path.name, math.nan) for path in paths]
    if not all(map(math.isfinite, times)):
        return {}
    # From a picture a microsecond to one in thirty years; others are not times.
    if not all(1e-6 <= b - a <= 1e9 for a, b in pairwise(times)):
        return {}
    return {path.name: time - times[0] for path, time in zip(paths, times, strict=True)}


def open_pictures(source: Path, paths: list[Path]) -> Video:
    """Open a folder's pictures, with the times in its frames.csv if there are any, or one file.

    A file that holds several pictures is a sequence of its own.
    """
    if paths != [source]:
        return Pictures(source, paths, _extracted_times(source, paths))
    from vidgru.video.pages import PictureSequence, holds_several

    data = read_bytes(source)
    if data is not None and holds_several(data):
        return PictureSequence(source, data)
    return Pictures(source, paths, {}, data)
