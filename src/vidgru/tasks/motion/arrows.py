"""Draw the motion of a coarse grid on the frames of its video, as arrows."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.tasks.motion.results import AHEAD, MotionField
from vidgru.video.panel import DARK, Color, Panel, Sealed, band_height, text_height
from vidgru.video.read import Image
from vidgru.video.text import draw_text

# Colour-blind people can tell them apart, by hue as by lightness: Okabe and Ito's orange, white.
NOW: Color = (255, 255, 255)
LATER: Color = (230, 159, 0)
STILL = 0.015  # widths/s: slower motion is not drawn
LASTING = 1.5  # seconds: a short arrow is as long as the path in that time,
LONGEST = 1.5  # and none quite as long as this number of cells
THIN, BOLD, HEAD = 1 / 30, 1 / 7, 1 / 12  # of a cell's side; a bold arrow shows around a thin one
FRACTION = 4  # bits of a pixel, for OpenCV


class FieldOverlay:
    """Draws motion fields on frames of `size` (width, height).

    From the centre of each moving cell a bold arrow shows the motion predicted
    `AHEAD[ahead - 1]` seconds ahead, and over it a thin one the motion now. Their length grows
    with the speed (see `arrow_length`), on all frames alike. There is none below 0.015 widths per
    second, nor where the spread is larger than the speed. A legend is in the lower left corner
    where there is room for text, by the same rule as the band of `Overlay`.
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
            side = min(self.width, self.height) / field.velocity.shape[1]
            for index, color, share in ((self.ahead, LATER, BOLD), (0, NOW, THIN)):
                arrows = self._arrows(field, index, side, share)
                _paint(drawn, arrows, color, max(round(side / 25), 1))
        if self.legend:
            self.legend.put(drawn, 0, self.height - self.band)
        if self.band and caption:
            self._layer(caption).put(drawn, 0, 0)
        return drawn

    def _arrows(
        self, field: MotionField, index: int, side: float, share: float
    ) -> NDArray[np.float64]:
        """Return the outlines (N, 7, 2) of the arrows of one of the fields, x and y in pixels."""
        velocity = field.velocity[index].astype(np.float64)
        speed = np.hypot(velocity[..., 0], velocity[..., 1])
        rows, columns = np.nonzero(
            np.isfinite(speed) & (speed >= STILL * self.width) & (speed > field.spread[index])
        )
        cell = np.array([self.width, self.height]) / len(speed)
        tails = (np.stack([columns, rows], axis=1) + 0.5) * cell - 0.5
        fast = speed[rows, columns, None]
        lengths = arrow_length(fast, side)
        return outline(tails, velocity[rows, columns] / fast, lengths, share, side)

    def _make_layer(self, caption: str) -> Sealed:
        panel = Panel(self.width, self.band)
        pad = self.text // 2
        panel.write(draw_text(caption, self.text, self.width - 2 * pad), pad)
        return panel.seal()

    def _make_legend(self) -> Sealed | None:
        pad = self.text // 2
        entries = [
            (draw_text(label, self.text, self.width), color, share)
            for label, color, share in (
                ("now", NOW, THIN),
                (f"in {AHEAD[self.ahead - 1]:g} s", LATER, BOLD),
            )
        ]
        arrow = 2 * self.text
        width = pad + sum(arrow + text.shape[1] + 3 * pad for text, _, _ in entries)
        if width > self.width:
            return None
        panel = Panel(width, self.band)
        x = pad
        for text, color, share in entries:
            shape = np.zeros((self.band, arrow), np.uint8)
            tail = np.array([[1.0, self.band / 2 - 0.5]])
            way, length = np.array([[1.0, 0.0]]), np.array([[arrow - 2.0]])
            points = outline(tail, way, length, share, 4 * self.text)
            cv2.fillPoly(shape, [_fixed(points[0])], 255, cv2.LINE_AA, FRACTION)
            panel.write(shape, x, color)
            panel.write(text, x + arrow + pad)
            x += arrow + text.shape[1] + 3 * pad
        return panel.seal()


def arrow_length(speed: NDArray[np.float64], side: float) -> NDArray[np.float64]:
    """Return the lengths in pixels of arrows for speeds in pixels/s, where cells have this side.

    With v the path in 1.5 s and m 1.5 cells, v m / (v + m): so slow motion is visible, the
    fastest stays near its cell, and a longer arrow is always a faster one.
    """
    way, most = speed * LASTING, LONGEST * side
    return way * most / (way + most)


def outline(
    tails: NDArray[np.float64],
    ways: NDArray[np.float64],
    lengths: NDArray[np.float64],
    share: float,
    side: float,
) -> NDArray[np.float64]:
    """Return the outlines (N, 7, 2) of arrows from tails (N, 2) in unit directions (N, 2).

    lengths (N, 1), in pixels, reach to the tip. Shaft width is a share of a cell's side;
    arrows that are shorter than one and a half heads are thinner.
    """
    thick = max(share * side, 1.0)
    head = 1.6 * thick + HEAD * side
    scale = np.minimum(lengths / (1.5 * head), 1)
    across = np.stack([-ways[:, 1], ways[:, 0]], axis=1) * scale / 2
    neck, wing = across * thick, across * 0.95 * head
    tips = tails + ways * lengths
    necks = tips - ways * head * scale
    return np.stack(
        [
            tails + neck,
            necks + neck,
            necks + wing,
            tips,
            necks - wing,
            necks - neck,
            tails - neck,
        ],
        axis=1,
    )


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.rint(points * (1 << FRACTION)).astype(np.int32)


def _paint(picture: Image, arrows: NDArray[np.float64], color: Color, edge: int) -> None:
    """Fill arrows (N, 7, 2), each over a dark line of `edge` pixels, for contrast."""
    for points in _fixed(arrows):
        cv2.polylines(picture, [points], True, DARK, edge, cv2.LINE_AA, FRACTION)
        cv2.fillPoly(picture, [points], color, cv2.LINE_AA, FRACTION)
