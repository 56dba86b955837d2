"""Draw the motion of a coarse grid on the frames of its video, as arrows."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.motion import AHEAD, MotionField
from vidgru.video.panel import DARK, Color, Panel, Sealed, band_height, text_height
from vidgru.video.read import Image
from vidgru.video.text import draw_text

# Colour-blind people can tell them apart, by hue as by lightness: Okabe and Ito's orange, white.
NOW: Color = (255, 255, 255)
LATER: Color = (230, 159, 0)
STILL = 0.01  # widths/s: slower is drawn as nothing
LASTING = 0.25  # seconds: an arrow is as long as the way in that time,
LONGEST = 1.5  # and at most so many cells
FRACTION = 4  # bits of a pixel, for OpenCV


class FieldOverlay:
    """Draws motion fields on frames of `size` (width, height).

    From the centre of each cell that moves goes a bold arrow for the motion predicted
    `AHEAD[ahead - 1]` seconds ahead, and over it a thin one for the motion now. They are as long
    as the way in 0.25 s, the same on all frames, but at most one and a half cells. There is none
    below a hundredth of the width per second, nor where the spread is larger than the speed. A
    legend stands in the lower left corner where there is room for text, as in `Overlay`.
    """

    def __init__(self, size: tuple[int, int], ahead: int = 2) -> None:
        self.width, self.height = size
        self.ahead = ahead
        self.text = text_height(size)
        self.band = band_height(size)
        self.legend = self._make_legend() if self.band else None
        # Only the last few: a video may have any number of captions.
        self._layer = lru_cache(4)(self._make_layer)

    def draw(self, rgb: Image, field: MotionField | None, caption: str = "") -> Image:
        """Return a copy of rgb uint8 (H, W, 3) with the arrows of a field and a line of text.

        Without a field there are no arrows, and without a text there is no band at the top.
        """
        drawn = rgb.copy()
        if field is not None:
            rows, columns = field.velocity.shape[1:3]
            side = min(self.width / columns, self.height / rows)
            for index, color, thick in ((self.ahead, LATER, side / 12), (0, NOW, side / 30)):
                arrows = self._arrows(field, index, side, thick)
                _paint(drawn, arrows, color, max(side / 60, 0.5))
        if self.legend:
            self.legend.put(drawn, 0, self.height - self.band)
        if self.band and caption:
            self._layer(caption).put(drawn, 0, 0)
        return drawn

    def _arrows(
        self, field: MotionField, index: int, side: float, thick: float
    ) -> NDArray[np.float64]:
        """Return the outlines (N, 7, 2) of the arrows of one of the fields, x and y in pixels."""
        velocity = field.velocity[index].astype(np.float64)
        speed = np.hypot(velocity[..., 0], velocity[..., 1])
        rows, columns = np.nonzero(
            np.isfinite(speed) & (speed >= STILL * self.width) & (speed > field.spread[index])
        )
        grid = np.array(speed.shape[::-1])
        size = np.array([self.width, self.height])
        tails = (np.stack([columns, rows], axis=1) + 0.5) * size / grid - 0.5
        fast = speed[rows, columns, None]
        lengths = np.minimum(fast * LASTING, LONGEST * side)
        return outline(tails, velocity[rows, columns] / fast, lengths, max(thick, 1.0))

    def _make_layer(self, caption: str) -> Sealed:
        panel = Panel(self.width, self.band)
        pad = self.text // 2
        panel.write(draw_text(caption, self.text, self.width - 2 * pad), pad)
        return panel.seal()

    def _make_legend(self) -> Sealed | None:
        pad = self.text // 2
        entries = [
            (draw_text("now", self.text, self.width), NOW, self.text / 6),
            (
                draw_text(f"in {AHEAD[self.ahead - 1]:g} s", self.text, self.width),
                LATER,
                self.text / 2.5,
            ),
        ]
        arrow = 2 * self.text
        width = pad + sum(arrow + text.shape[1] + 3 * pad for text, _, _ in entries)
        if width > self.width:
            return None
        panel = Panel(width, self.band)
        x = pad
        for text, color, thick in entries:
            shape = np.zeros((self.band, arrow), np.uint8)
            tail = np.array([[1.0, self.band / 2 - 0.5]])
            points = outline(
                tail, np.array([[1.0, 0.0]]), np.array([[arrow - 2.0]]), max(thick, 1.0)
            )
            cv2.fillPoly(shape, [_fixed(points[0])], 255, cv2.LINE_AA, FRACTION)
            panel.write(shape, x, color)
            panel.write(text, x + arrow + pad)
            x += arrow + text.shape[1] + 3 * pad
        return panel.seal()


def outline(
    tails: NDArray[np.float64],
    ways: NDArray[np.float64],
    lengths: NDArray[np.float64],
    thick: float,
) -> NDArray[np.float64]:
    """Return the outlines (N, 7, 2) of arrows from tails (N, 2) in unit directions (N, 2).

    lengths (N, 1) reach to the tip. Arrows shorter than two heads become thinner.
    """
    head = 3 * thick
    scale = np.minimum(lengths / (2 * head), 1)
    across = np.stack([-ways[:, 1], ways[:, 0]], axis=1) * scale * thick / 2
    tips = tails + ways * lengths
    necks = tips - ways * head * scale
    return np.stack(
        [
            tails + across,
            necks + across,
            necks + 3 * across,
            tips,
            necks - 3 * across,
            necks - across,
            tails - across,
        ],
        axis=1,
    )


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.rint(points * (1 << FRACTION)).astype(np.int32)


def _paint(picture: Image, arrows: NDArray[np.float64], color: Color, edge: float) -> None:
    """Fill arrows (N, 7, 2), each with a dark edge so that it stands out of any picture."""
    for points in _fixed(arrows):
        cv2.polylines(picture, [points], True, DARK, max(round(2 * edge), 1), cv2.LINE_AA, FRACTION)
        cv2.fillPoly(picture, [points], color, cv2.LINE_AA, FRACTION)
