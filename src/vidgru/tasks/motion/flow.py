"""Measure the motion between frames by dense optical flow."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.tasks.motion.spec import FINE
from vidgru.video.read import Image

BLUR, EXPLAINS = 9, 0.98  # pixels; maximum share of the difference that may remain
MOVING = 0.02  # widths/s: slower counts as standing still

Field = NDArray[np.float32]


class FlowMeter:
    """Takes frames uint8 (S, S, 3) of one shot in order, returns the motion in each.

    rate: frames/s.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        # To the finest scale, with fewer iterations: half the error of the slower preset without.
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        search.setFinestScale(0)
        search.setGradientDescentIterations(6)
        search.setVariationalRefinementIterations(2)
        self._search: Any = search  # OpenCV's types do not allow None as flow
        self._before: Image | None = None

    def next(self, frame: Image, since: int = 1) -> Field:
        """Return the velocity of each pixel (S, S, 2), as `measure` does; zero in the first frame.

        It is that of the contents of this frame, since the frame before, `since` samples ago.
        """
        now: Any = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        # Each pixel's place in the frame before, so that the motion belongs to this frame.
        before = now if self._before is None else self._before
        flow_back = _explaining(self._search.calc(now, before, None), before, now)
        self._before = now
        return flow_back * np.float32(-self.rate / since / len(now))


@lru_cache(maxsize=4)
def _places(side: int) -> Field:
    """Return the place (x, y) of each pixel (side, side, 2)."""
    return np.ascontiguousarray(np.mgrid[:side, :side][::-1].transpose(1, 2, 0), np.float32)


def _explaining(flow_back: Field, before: Image, now: Image) -> Field:
    """Return the source of each pixel, or itself where that explains no more than standing still.

    In plain areas flow follows the noise.
    """
    places: Any = _places(len(now)) + flow_back  # (S, S, 2)
    # The empty map is for OpenCV's types only.
    moved = cv2.remap(before, places, places[:0], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    still, flowing = (
        cv2.blur(cv2.absdiff(seen, now).astype(np.float32), (BLUR, BLUR))
        for seen in (before, moved)
    )
    return flow_back * (flowing < EXPLAINS * still)[..., None]


def moving_share(velocity: Field, aspect: float) -> Field:
    """Return the share of each cell (S / FINE, S / FINE) that moves; velocity: (S, S, 2).

    aspect: height of the source for a width of one.
    """
    moves = np.hypot(velocity[..., 0], aspect * velocity[..., 1]) >= MOVING
    return cell_means(moves[..., None])[..., 0]


def cell_means(values: NDArray[Any]) -> Field:
    """Return the means (S / FINE, S / FINE, C) over cells of values (S, S, C)."""
    fine = len(values) // FINE
    # Thirty times as fast as numpy's mean over two axes.
    seen = values.astype(np.float32)
    means: Any = cv2.resize(seen, (fine, fine), interpolation=cv2.INTER_AREA)
    found: Field = means.reshape(fine, fine, -1)
    return found
