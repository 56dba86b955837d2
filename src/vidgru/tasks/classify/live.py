"""Classify a camera or a network stream, as it comes."""

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from itertools import groupby
from typing import Protocol

from vidgru.tasks.classify.spec import ModelSpec
from vidgru.tasks.classify.timeline import LiveMoment, Moment
from vidgru.video.live import LiveFrame, live_frames, log_event
from vidgru.video.read import Frame
from vidgru.video.results import LiveEvent

log = logging.getLogger("vidgru")


class StreamModel(Protocol):
    """A model that reads a stream frame by frame."""

    spec: ModelSpec

    def follow(self, frames: Iterable[Frame]) -> Iterator[Moment]:
        """Yield the prediction for each frame, together with those just before it."""


def watch(
    model: StreamModel, source: str, report: Callable[[LiveEvent], None] = log_event
) -> Generator[LiveMoment, None, None]:
    """Yield the prediction for a live source at each sampled frame; see `live_frames` for reading.

    After a reconnect the network starts anew. It ends only with a recording, or when the
    generator is closed. `report` is called with each loss and connection, and when a recording
    ends too early.
    """
    spec = model.spec
    times: deque[float] = deque(maxlen=spec.frames)
    frame: LiveFrame

    def noted(frames: Iterator[LiveFrame]) -> Iterator[LiveFrame]:
        nonlocal frame
        for frame in frames:
            times.append(frame.time)
            yield frame

    size, large = (spec.side, spec.side), spec.looks_size
    with closing(live_frames(source, spec.fps, size, report, large)) as frames:
        for connection, session in groupby(frames, key=lambda frame: frame.connection):
            for moment in model.follow(noted(session)):
                # Where samples were dropped, the same number of frames covers more time.
                first = times[-round(moment.seconds * spec.fps)]
                covered = {"seconds": frame.time - first + 1 / spec.fps}
                yield LiveMoment(
                    **vars(moment) | covered,
                    wall=frame.wall,
                    delay=time.monotonic() - frame.arrived,
                    dropped=frame.dropped,
                    reconnects=connection,
                )
