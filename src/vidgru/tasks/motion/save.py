"""Draw motion on videos, and save them."""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from vidgru.core.results import Progress
from vidgru.tasks.motion.arrows import FieldOverlay
from vidgru.tasks.motion.overlay import ThingOverlay
from vidgru.tasks.motion.results import MotionField
from vidgru.video.read import Frame, Image
from vidgru.video.redraw import Draw, redraw
from vidgru.video.sample import TOLERANCE


def save_motion(
    source: str | Path,
    fields: Iterator[MotionField],
    path: str | Path,
    captions: Callable[[float], str] | None = None,
    *,
    things: bool = False,
) -> Generator[Progress, None, None]:
    """Write the video of a source with arrows for its motion, as `redraw` does.

    With `things`, boxes of each field's things take the place of the arrows. Each frame shows the
    latest of the fields, whose times must rise, by its time; before the first field of a shot
    nothing is drawn. Fields are requested as frames proceed, but those of a second together, and
    one more, before the second's first frame is drawn: so `captions(time)`, called for each frame,
    can describe the whole second. No more of them are stored.
    """

    def prepare(size: tuple[int, int]) -> Draw:
        overlay = ThingOverlay(size) if things else FieldOverlay(size)
        shown = _InTime(fields)

        def draw(frame: Frame) -> Image:
            field = shown.at(frame.time)
            return overlay.draw(frame.rgb, field, captions(frame.time) if captions else "")

        return draw

    yield from redraw(source, path, prepare)


class _InTime:
    """Finds the field of a time, for times that rise."""

    def __init__(self, fields: Iterator[MotionField]) -> None:
        self.fields = fields
        self.now: MotionField | None = None
        self.last, self.gap = math.inf, math.inf
        self.coming: deque[MotionField] = deque()

    def at(self, time: float) -> MotionField | None:
        while not self.coming or self.coming[-1].time < int(time) + 1:
            field = next(self.fields, None)
            if field is None:
                break
            self.coming.append(field)
            if field.time > self.last:
                self.gap = min(self.gap, field.time - self.last)
            self.last = field.time
        while self.coming and self.coming[0].time <= time + TOLERANCE:
            self.now = self.coming.popleft()
        # The first frames of a shot have no field, and none of the shot before.
        old = self.now is not None and time - self.now.time > 1.5 * self.gap
        return None if old else self.now
