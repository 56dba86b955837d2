"""Read files that hold several pictures: animated WebP and PNG, TIFF of many pages."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import numpy as np
from PIL import ImageFile, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from vidgru.core.errors import VideoError
from vidgru.video.grey import GreyScale
from vidgru.video.source import MAX_PIXELS, Image, Video

PAGES_FPS = 25.0  # where pictures have no times, or a duration of 0
PEEKED = 8  # pages whose depth is measured before the first is shown
REDUCED = 1  # in TIFF's NewSubfileType: the page is a smaller copy of another
SUBFILE_TYPE = 254
MAX_PAGES = 1_000_000
ONE_BY_ONE = Lock()  # Python's warning filters are global to all threads


@contextmanager
def _quietly() -> Iterator[None]:
    # Pillow warns of oddities in a file; what matters of them is reported here.
    with ONE_BY_ONE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def holds_several(data: bytes) -> bool:
    """Return whether a file, by its header, is a sequence of pictures."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        place = 8
        while place + 8 <= len(data) and data[place + 4 : place + 8] not in (b"IDAT", b"IEND"):
            if data[place + 4 : place + 8] == b"acTL":
                return int.from_bytes(data[place + 8 : place + 12], "big") > 1
            place += 12 + int.from_bytes(data[place : place + 4], "big")
        return False
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":
        return len(data) > 20 and bool(data[20] & 2)
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        try:
            shown, whole = _pages(_opened(data))
            return len(shown) > 1 or not whole
        except Exception:  # any problem is reported by the reader of the first page
            return False
    return False


def _opened(data: bytes) -> ImageFile.ImageFile:
    # Not Image.open, which warns of large pictures, and would try forty more formats.
    kinds = {b"\x89": PngImagePlugin.PngImageFile, b"R": WebPImagePlugin.WebPImageFile}
    with _quietly():
        return kinds.get(data[:1], TiffImagePlugin.TiffImageFile)(io.BytesIO(data))


def decode_alone(data: bytes) -> Image | None:
    """Return the first picture, bgr uint8 (H, W, 3), without alpha; None if it is not a picture.

    OpenCV blends a TIFF's pixels with black by their alpha, but those of no other format.
    """
    try:
        file = _opened(data)
        if file.width * file.height > MAX_PIXELS:
            return None
        with _quietly():
            return np.asarray(file.convert("RGB"))[..., ::-1].copy()
    except Exception:  # Pillow raises many kinds for a damaged file
        return None


def _pages(file: ImageFile.ImageFile) -> tuple[list[int], bool]:
    """Return the indices of the pictures to be shown, and whether the list is complete."""
    if not isinstance(file, TiffImagePlugin.TiffImageFile):
        # A PNG's first picture may be a fallback for programs without animations.
        skipped = int(bool(file.info.get("default_image")))
        return list(range(skipped, min(getattr(file, "n_frames", 1), MAX_PAGES))), True
    shown: list[int] = []
    with _quietly():
        for number in range(MAX_PAGES):
            try:
                file.seek(number)
            except EOFError:
                break
            except Exception:  # Pillow raises many kinds for a damaged file
                return shown, False
            if not int(file.tag_v2.get(SUBFILE_TYPE, 0)) & REDUCED:
                shown.append(number)
    return shown, True


class PictureSequence(Video):
    """The pictures of one file, decoded one at a time."""

    def __init__(self, source: Path, data: bytes) -> None:
        super().__init__(str(source), PAGES_FPS)
        self.codec = source.suffix[1:].lower()
        self.reader, self.why = "pillow", "it holds several pictures"
        try:
            self._file = _opened(data)
            self._numbers, self._whole = _pages(self._file)
        except Exception as error:
            raise VideoError(f"Cannot read {source}: no image in it can be read.") from error
        self._coming = iter(self._numbers)
        self._image: Image | None = None
        self._due = 0.0
        self._grey = GreyScale(str(source), self.notes, self.warnings)

    @property
    def seconds(self) -> float | None:
        """How long the pictures last at their usual rate."""
        return len(self._numbers) / self.fps

    def grab(self) -> float | None:
        """Move to the next picture; return its time in seconds, or None at the end."""
        number = next(self._coming, None)
        if number is None:
            self._report_end()
            return None
        try:
            pixels, length = self._page(number)
            if pixels.dtype == np.uint16 and not self._grey.bits:
                self._measure_depth(pixels)
        except Exception:  # Pillow raises many kinds for a damaged file
            self._coming, self._whole = iter(()), False
            self._report_end()
            return None
        deep = pixels.dtype == np.uint16
        self._image = self._grey.shown(pixels) if deep else pixels[..., ::-1].copy()
        if self.frames_read == 0:
            self.height, self.width = self._image.shape[:2]
            self.fps = 1 / length
            self._declared = len(self._numbers)
        time, self._due = self._due, self._due + length
        return self._count(time)

    def _report_end(self) -> None:
        if self.frames_read == 0:
            raise VideoError(f"Cannot read {self.source}: no image in it can be read.")
        if not self._whole:
            self.warnings.append(
                f"{self.source} ends early: after {self.frames_read} pictures it is damaged."
            )
            self._whole = True

    def _page(self, number: int) -> tuple[np.ndarray, float]:
        """Return a picture, rgb uint8 (H, W, 3) or grey uint16 (H, W), and its seconds."""
        file = self._file
        with _quietly():
            file.seek(number)
            if file.width * file.height > MAX_PIXELS:
                raise ValueError("too large")
            file.load()
            length = float(file.info.get("duration", 0)) / 1000
            if file.mode[0] in "IF":
                return self._levels(np.asarray(file)), length or 1 / PAGES_FPS
            return np.asarray(file.convert("RGB")), length or 1 / PAGES_FPS

    def _levels(self, grey: np.ndarray) -> np.ndarray:
        """Return grey of whatever numbers as uint16; raises ValueError where these are no levels.

        Pillow would show all above 255 as white, and shares from 0 to 1 as black.
        """
        shares = grey.dtype.kind == "f" and 0 < grey.max() <= 1 and self.frames_read == 0
        if shares or not (grey.min() >= 0 and grey.max() <= 0xFFFF):  # nan is neither
            raise ValueError("not 16 bits")
        levels: np.ndarray = np.rint(grey).astype(np.uint16)
        return levels

    def _measure_depth(self, first: np.ndarray) -> None:
        largest = [int(first.max())]
        for number in self._numbers[:: max(len(self._numbers) // PEEKED, 1)]:
            pixels, _ = self._page(number)
            largest.append(int(pixels.max()) if pixels.dtype == np.uint16 else 0)
        self._grey.measure_depth(*largest)

    def _bgr(self) -> Image:
        if self._image is None:
            raise VideoError(f"Cannot read {self.source}: grab a frame first.")
        return self._image
