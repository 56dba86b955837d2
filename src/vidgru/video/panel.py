"""Half-transparent panels with text, made once and put on many frames."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.video.read import Image

WHITE = (255, 255, 255)
DARK = (16, 16, 16)
SHADE = 0.6  # opacity of a panel
SMALLEST_TEXT = 11  # pixels
MAX_COVERED = 1 / 6  # of the height, by a panel

Color = tuple[int, int, int]


def text_height(size: tuple[int, int]) -> int:
    """Return how high capitals are, in pixels, on frames of `size` (width, height)."""
    return max(round(min(size) / 28), SMALLEST_TEXT)


def band_height(size: tuple[int, int]) -> int:
    """Return the height of a panel with one line of text, in pixels; 0 where there is no room."""
    text = text_height(size)
    band = round(1.8 * text)
    return 0 if band > MAX_COVERED * size[1] or size[0] < 8 * text else band


class Sealed(NamedTuple):
    """A panel as it is put on frames."""

    light: Image  # what is added
    keep: Image  # how much of the picture stays, of 255

    def put(self, picture: Image, x: int, y: int) -> None:
        """Draw it on rgb uint8 (H, W, 3), its upper left corner at x, y; it must fit in."""
        height, width = self.light.shape[:2]
        under = picture[y : y + height, x : x + width]
        cv2.multiply(under, self.keep, dst=under, scale=1 / 255)
        cv2.add(under, self.light, dst=under)


class Panel:
    """A dark panel of width and height in pixels, to draw on and then to seal."""

    def __init__(self, width: int, height: int) -> None:
        self.color: Image = np.empty((height, width, 3), np.uint8)
        self.color[:] = DARK
        self.opacity: NDArray[np.uint8] = np.full((height, width), round(255 * SHADE), np.uint8)

    def fill(self, box: tuple[int, int, int, int], c: Color) -> None:
        """Fill a box (x, y, width, height)."""
        x, y, width, height = box
        self.color[y : y + height, x : x + width] = c
        self.opacity[y : y + height, x : x + width] = 255

    def write(self, text: NDArray[np.uint8], x: int, c: Color = WHITE) -> None:
        """Put letters, or another shape given as opacity, half-way up, without going beyond."""
        rows = min(text.shape[0], self.color.shape[0])
        top = (self.color.shape[0] - rows) // 2
        width = min(text.shape[1], self.color.shape[1] - x)
        area = (slice(top, top + rows), slice(x, x + width))
        letters = text[:rows, :width, None].astype(np.float32) / 255
        # Over the half-transparent panel, letters make it solid as far as they cover it.
        under = self.opacity[area][..., None] / np.float32(255)
        solid = letters + under * (1 - letters)
        color = np.array(c, np.float32)
        mixed = (letters * color + self.color[area] * under * (1 - letters)) / solid
        self.color[area] = np.rint(mixed)
        self.opacity[area] = np.rint(255 * solid[..., 0])

    def seal(self) -> Sealed:
        """Return it as it is put on frames."""
        solid = self.opacity[..., None].astype(np.float32) / 255
        light = np.rint(self.color * solid).astype(np.uint8)
        return Sealed(light, np.rint(255 * (1 - solid)).astype(np.uint8).repeat(3, 2))


ORANGE: Color = (230, 159, 0)  # Okabe and Ito's: what is forecast
GROUND: Color = (48, 48, 48)  # neither black nor white: pictures may be both at their edges


def put(sheet: Image, picture: Image, x: int, y: int) -> None:
    """Put a picture on a sheet."""
    sheet[y : y + picture.shape[0], x : x + picture.shape[1]] = picture


def write(sheet: Image, text: NDArray[np.uint8], x: int, y: int, color: Color = WHITE) -> None:
    """Put letters, given as opacity, on a sheet."""
    under = sheet[y : y + text.shape[0], x : x + text.shape[1]]
    letters = text[: under.shape[0], : under.shape[1], None] / np.float32(255)
    under[:] = np.rint(letters * np.array(color, np.float32) + under * (1 - letters))
