"""Draw the things that move on the frames of their video: boxes with ids, and the paths ahead."""

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.tasks.motion.arrows import FRACTION, LATER, NOW
from vidgru.tasks.motion.results import AHEAD, MotionField, MovingThing
from vidgru.video.panel import DARK, Panel, Sealed, band_height, text_height
from vidgru.video.read import Image
from vidgru.video.text import draw_text

LARGEST = 4  # sides of the picture, to which places outside it are drawn


class ThingOverlay:
    """Draws the things of motion fields on frames of `size` (width, height).

    Each has a white box with its id, and an orange line from its middle through the places where
    it is predicted, with a dot half a second ahead. What is not seen to move now has a thin box
    and no line. The line of text at the top is as `FieldOverlay` draws it.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.width, self.height = size
        self.text = text_height(size)
        self.band = band_height(size)
        self.thick = max(self.text // 8, 1)
        # Only the last few: a video may have any number of captions and things.
        self._layer = lru_cache(4)(self._make_layer)
        self._label = lru_cache(64)(self._make_label)

    def draw(self, rgb: Image, field: MotionField | None, caption: str = "") -> Image:
        """Return a copy of rgb uint8 (H, W, 3) with the things of a field and a line of text."""
        drawn = rgb.copy()
        for thing in field.things or () if field else ():
            self._box(drawn, thing)
        if self.band and caption:
            self._layer(caption).put(drawn, 0, 0)
        return drawn

    def _box(self, picture: Image, thing: MovingThing) -> None:
        numbers = (*thing.box, *thing.middle, *(value for place in thing.ahead for value in place))
        if not all(map(math.isfinite, numbers)):
            return
        moves = thing.last_seen == thing.time
        left, top, right, bottom = (round(value) for value in thing.box)
        corners = (left, top), (max(right - 1, left), max(bottom - 1, top))
        thick = self.thick if moves else max(self.thick // 2, 1)
        cv2.rectangle(picture, *corners, DARK, 3 * thick)
        cv2.rectangle(picture, *corners, NOW, thick)
        if moves:
            self._path(picture, thing)
        label = self._label(thing.id)
        high, wide = label.light.shape[:2]
        if wide <= self.width and high <= self.height:
            above = top - high if top >= high else min(top, self.height - high)
            label.put(picture, min(max(left, 0), self.width - wide), max(above, 0))

    def _path(self, picture: Image, thing: MovingThing) -> None:
        places = np.array([thing.middle, *thing.ahead])
        limit = LARGEST * np.array([self.width, self.height])
        points = _fixed(np.clip(places, -limit, limit) - 0.5)
        dot = tuple(points[1 + AHEAD.index(0.5)].tolist())
        for color, wide in ((DARK, 3 * self.thick), (LATER, self.thick + 1)):
            cv2.polylines(picture, [points], False, color, wide, cv2.LINE_AA, FRACTION)
            radius = round((wide / 2 + 1.5 * self.thick) * (1 << FRACTION))
            cv2.circle(picture, dot, radius, color, -1, cv2.LINE_AA, FRACTION)

    def _make_layer(self, caption: str) -> Sealed:
        return self._panel(caption, self.width, self.band, self.text // 2)

    def _make_label(self, number: int) -> Sealed:
        letters = draw_text(str(number), self.text, self.width)
        wide = min(letters.shape[1] + self.text // 2, self.width)
        return self._panel(str(number), wide, min(round(1.5 * self.text), self.height),
                           self.text // 4)  # fmt: skip

    def _panel(self, words: str, width: int, height: int, pad: int) -> Sealed:
        panel = Panel(width, height)
        panel.write(draw_text(words, self.text, max(self.width - 2 * pad, 1)), min(pad, width - 1))
        return panel.seal()


def _fixed(places: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return places (N, 2) as OpenCV takes them, with fractions of pixels."""
    return np.rint(places * (1 << FRACTION)).astype(np.int32)
