"""Measure how often the picture of a video really changes: animation repeats pictures."""

from itertools import pairwise
from statistics import median
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.video.read import Source, Video, open_video

SIDE = 64  # pixels of the small pictures that are compared
LOOKED_AT = 12  # frames after which most videos are decided
MAX_FRAMES = 150  # frames that are read
MIN_CHANGE = 8.0  # grey levels in one small pixel, where pictures differ that show motion
REPEATED, CHANGED = 0.15, 0.3  # of a usual change: a repeated picture has less, a new one more
ENOUGH = 40  # changes that give the rate to a few percent
MIN_GAPS = 5
AGREE = 0.8  # share of the gaps between changes that fit to their mean
NEAR = 0.02  # relative: rates are mostly whole numbers, and gaps whole frames
JITTER = 0.25  # of the usual time between frames


class Cadence(NamedTuple):
    """How often pictures change, in pictures/s, and the first time in the middle of one, in s."""

    rate: float
    middle: float


class SeenPictures:
    """Takes the frames of a video in order; shows whether all of the first 12 are new pictures."""

    def __init__(self) -> None:
        self.changes: list[float] = []  # from each frame to the next, largest of a small pixel
        self._before: NDArray[np.float32] | None = None

    def add(self, video: Video) -> None:
        """Compare the current frame with the one before; raises VideoError."""
        now = _small(video)
        if self._before is not None:
            self.changes.append(float(np.abs(now - self._before).max()))
        self._before = now

    @property
    def all_new(self) -> bool:
        """Whether there is no cadence to find, when 12 frames were taken."""
        enough = len(self.changes) == LOOKED_AT - 1
        return enough and _typical(self.changes) > 0 and not _repeats(self.changes)


def find_cadence(source: Source) -> Cadence | None:
    """Return how often the picture of a source changes, if each is shown twice or more often.

    Reads 12 frames, and up to 150 where some repeat the one before. None where pictures are not
    repeated, or not evenly, or nothing moves. Raises VideoError.
    """
    seen = SeenPictures()
    changes = seen.changes
    with open_video(source) as video:
        times: list[float] = []
        while len(times) < MAX_FRAMES and (time := video.grab()) is not None:
            times.append(time)
            seen.add(video)
            if seen.all_new:
                return None
            if len(times) % LOOKED_AT == 0 and len(_new(changes)) > ENOUGH:
                break
    gaps = [b - a for a, b in pairwise(times)]
    if not gaps or max(gaps) - min(gaps) > 2 * JITTER * median(gaps):
        return None
    fps = len(gaps) / (times[-1] - times[0])
    # Times are rounded: the declared rate is more exact, unless it is wrong.
    return _cadence(changes, video.fps if abs(video.fps / fps - 1) < NEAR else fps)


def _small(video: Video) -> NDArray[np.float32]:
    return cv2.cvtColor(video.retrieve((SIDE, SIDE)), cv2.COLOR_RGB2GRAY).astype(np.float32)


def _typical(changes: list[float]) -> float:
    """Return the usual change between different pictures; 0 where nothing moves."""
    moved = [change for change in changes if change >= MIN_CHANGE]
    return median(moved) if moved else 0.0


def _repeats(changes: list[float]) -> list[float]:
    return [change for change in changes if change <= REPEATED * _typical(changes)]


def _new(changes: list[float]) -> list[int]:
    """Return the indices of the frames with a new picture; the first frame does not count."""
    typical = max(_typical(changes), MIN_CHANGE)
    return [number for number, change in enumerate(changes, 1) if change > CHANGED * typical]


def _cadence(changes: list[float], fps: float) -> Cadence | None:
    new = _new(changes)
    gaps = [b - a for a, b in pairwise(new)]
    if len(gaps) < MIN_GAPS:
        return None
    typical = median(gaps)
    even = [gap for gap in gaps if gap <= 1.6 * typical]  # longer: nothing moved for a while
    length = sum(even) / len(even)  # of a picture, in frames
    if abs(length / round(length) - 1) < NEAR:
        length = round(length)
    elif abs(fps / length / max(round(fps / length), 1) - 1) < NEAR:
        length = fps / round(fps / length)
    fitting = sum(abs(gap - length) < 1 for gap in even)
    between = changes[new[0] : new[-1] - 1]
    repeated = len(_repeats(between))
    if length < 1.5 or fitting < AGREE * len(gaps) or repeated < AGREE * (len(between) - len(gaps)):
        return None
    phases = np.exp(2j * np.pi * np.array(new) / length)
    begins = float(np.angle(phases.mean())) / (2 * np.pi) * length
    return Cadence(fps / length, (begins + length / 2) % length / fps)
