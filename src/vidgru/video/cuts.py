"""Notice where one shot ends and another begins, well enough to start afresh there."""

from collections import deque
from collections.abc import Iterable, Iterator

import cv2

from vidgru.video.read import Frame

AROUND = 8  # frames before and after a cut, between which nothing changes nearly as much
RATIO = 2.25  # of the change at a cut to the largest of those
MIN_CHANGE = 6.0  # grey levels by which a pixel changes at a cut, on average


def mark_cuts(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Yield each frame with whether it begins a new shot; the first one does.

    Frames are small and of one size. A cut changes the picture once and far more than the frames
    around it do; flashes, fast motion and slow transitions do not count. Each frame is held back
    until those after it are known. Where two cuts are less than 9 frames apart, neither is found.
    """
    waiting: deque[tuple[Frame, float]] = deque()  # with its change since the one before
    before: deque[float] = deque(maxlen=AROUND)
    previous: Frame | None = None

    def oldest() -> tuple[Frame, bool]:
        frame, change = waiting.popleft()
        around = max([*before, *(c for _, c in waiting)], default=0.0)
        first = not before
        cut = change >= max(MIN_CHANGE, RATIO * around)
        before.append(change)
        return frame, first or cut

    for frame in frames:
        change = 0.0
        if previous is not None:
            change = cv2.norm(frame.rgb, previous.rgb, cv2.NORM_L1) / frame.rgb.size
        previous = frame
        waiting.append((frame, change))
        if len(waiting) > AROUND:
            yield oldest()
    while waiting:
        yield oldest()
