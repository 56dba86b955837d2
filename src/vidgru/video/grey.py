"""Grey of more than 8 bits: how many it really holds, and the same picture in 8."""

import struct

import numpy as np
from numpy.typing import NDArray

from vidgru.video.source import Image

DEPTHS = (8, 10, 12, 14, 16)  # of cameras and scanners, bits


class GreyScale:
    """Scales the pictures of one source alike, and says so once.

    `bits` is 0 until `measure_depth` is given the largest values that some pictures hold.
    """

    def __init__(self, source: str, notes: list[str], warnings: list[str]) -> None:
        self.bits = 0
        self._source, self._notes, self._warnings = source, notes, warnings
        self._clips = False

    def measure_depth(self, *largest: int) -> None:
        """Decide from the largest values of a few pictures."""
        self.bits = next(bits for bits in DEPTHS if max(largest) < 1 << bits)
        if self.bits < 16:
            self._notes.append(
                f"{self._source} holds 16-bit grey of which {self.bits} bits are used: "
                f"{(1 << self.bits) - 1} is shown as white."
            )

    def shown(self, grey: NDArray[np.uint16]) -> Image:
        """Return uint16 (H, W) as bgr uint8 (H, W, 3)."""
        white = (1 << self.bits) - 1
        if not self._clips and int(grey.max()) > white:
            self._clips = True
            self._warnings.append(
                f"{self._source} holds later pictures brighter than {white}: these are clipped."
            )
        scaled = np.minimum(grey, white).astype(np.float32) * (255 / white)
        return np.repeat((scaled + 0.5).astype(np.uint8)[..., None], 3, axis=2)


def is_deep_grey(data: bytes) -> bool:
    """Return whether a PNG, TIFF or PNM file holds grey of 16 bits, by its header."""
    if data.startswith(b"\x89PNG"):
        return len(data) > 25 and data[24] == 16 and data[25] in (0, 4)
    if data[:4] in (b"II*\0", b"MM\0*"):
        tags = _tiff_tags(data)
        return tags.get(258) == 16 and tags.get(277, 1) == 1 and tags.get(339, 1) == 1
    if data.startswith(b"P5"):
        words = data[:200].split()
        return len(words) > 3 and words[3].isdigit() and 255 < int(words[3]) < 1 << 16
    return False


def is_tiff_with_alpha(data: bytes) -> bool:
    """Return whether a TIFF file's first picture is RGB with a fourth channel, by its header."""
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return False
    tags = _tiff_tags(data)
    return tags.get(262) == 2 and tags.get(277) == 4


def _tiff_tags(data: bytes) -> dict[int, int]:
    """Return the tags of a TIFF file's first picture that are a single number of 16 or 32 bits."""
    order = "<" if data[:1] == b"I" else ">"
    tags = {}
    try:
        (place,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, place)
        for entry in range(place + 2, place + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from(f"{order}HHI", data, entry)
            if number == 1 and kind in (3, 4):
                (tags[tag],) = struct.unpack_from(order + "HI"[kind - 3], data, entry + 8)
    except struct.error:
        return {}
    return tags
