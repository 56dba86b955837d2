"""Draw a timeline onto the frames of its video."""

from bisect import bisect_right
from functools import lru_cache

import numpy as np

from vidgru.tasks.classify.timeline import Segment, Timeline
from vidgru.video.panel import DARK, WHITE, Color, Panel, Sealed, band_height, text_height
from vidgru.video.read import Image
from vidgru.video.text import draw_text

# Okabe and Ito's colours, which colour-blind people can tell apart, without black.
PALETTE = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
GREY = (128, 128, 128)


def label_color(timeline: Timeline, segment: Segment) -> Color:
    """Return the colour of a segment's label: grey where it is unsure.

    The first seven labels have colours of their own, the next seven lighter and the next darker
    ones; then they come again.
    """
    if segment.unsure:
        return GREY
    number = timeline.labels.index(segment.likeliest)
    red, green, blue = PALETTE[number % len(PALETTE)]
    tint = number // len(PALETTE) % 3
    if tint == 0:
        return red, green, blue
    other = 255 if tint == 1 else 0
    return (red + other) // 2, (green + other) // 2, (blue + other) // 2


class Overlay:
    """Draws a timeline on frames of `size` (width, height).

    A band at the top has the label and its confidence; a strip at the bottom has a colour for the
    label of each moment, and a mark at the current one. Both grow with the shorter side. Where the
    smallest readable text would cover more than a sixth of the height, there is no band,
    and below 24 pixels of height or width no strip either.
    """

    def __init__(self, size: tuple[int, int], timeline: Timeline) -> None:
        self.width, self.height = size
        self.timeline = timeline
        self.starts = [segment.start for segment in timeline.segments]
        side = min(size)
        self.text = text_height(size)
        self.band = band_height(size)
        self.strip = max(round(side / 36), 3) if side >= 24 else 0
        self._colors = self._strip()
        # Only the last few: a video may have any number of segments.
        self._layer = lru_cache(4)(self._make_layer)

    def _at(self, time: float) -> int:
        return max(bisect_right(self.starts, time) - 1, 0)

    def _strip(self) -> Image:
        """Return the colours of all moments, rgb uint8 (strip, W, 3)."""
        step = self.timeline.seconds / self.width
        segments = self.timeline.segments
        row = [
            label_color(self.timeline, segments[self._at((x + 0.5) * step)])
            for x in range(self.width)
        ]
        strip = np.tile(np.array(row, np.uint8), (self.strip, 1, 1))
        if self.strip > 6:
            strip[:1] = DARK
        return strip

    def draw(self, rgb: Image, time: float) -> Image:
        """Return a copy of rgb uint8 (H, W, 3) with the timeline's label at `time`."""
        drawn = rgb.copy()
        if self.band:
            self._layer(self._at(time)).put(drawn, 0, 0)
        if self.strip:
            drawn[self.height - self.strip :] = self._colors
            self._draw_mark(drawn, time)
        return drawn

    def _draw_mark(self, drawn: Image, time: float) -> None:
        share = min(max(time / self.timeline.seconds, 0.0), 1.0)
        half = self.strip // 6
        x = min(round(share * (self.width - 1)), self.width - 1)
        top = self.height - self.strip - max(self.strip // 3, 1)
        edge = max(half, 1)
        drawn[top:, max(x - half - edge, 0) : x + half + edge + 1] = DARK
        drawn[top:, max(x - half, 0) : x + half + 1] = WHITE

    def _make_layer(self, index: int) -> Sealed:
        """Return the band of a segment."""
        segment = self.timeline.segments[index]
        panel = Panel(self.width, self.band)
        pad = self.text // 2
        # From the left: a patch in the label's colour, the label; from the right: share and bar.
        patch = (pad, self.band // 2 - self.text // 2, self.text, self.text)
        panel.fill(patch, label_color(self.timeline, segment))
        share = draw_text(f"{100 * segment.confidence:.0f} %", self.text, 6 * self.text)
        # Room for the widest, so that the bar does not move.
        widest = draw_text("100 %", self.text, 6 * self.text).shape[1]
        right = self.width - pad - widest
        panel.write(share, self.width - pad - share.shape[1])
        bar = min(8 * self.text, self.width // 4)
        left = right - pad - bar
        if left - 3 * self.text - 3 * pad > 3 * self.text:
            thick = max(self.text // 2, 4)
            top = (self.band - thick) // 2
            panel.fill((left, top, bar, thick), (90, 90, 90))
            full = round(bar * min(max(segment.confidence, 0.0), 1.0))
            panel.fill((left, top, full, thick), WHITE)
        else:
            left = right
        place = self.text + 2 * pad
        label = f"unsure ({segment.likeliest}?)" if segment.unsure else segment.likeliest
        panel.write(draw_text(label, self.text, max(left - pad - place, 1)), place)
        return panel.seal()
