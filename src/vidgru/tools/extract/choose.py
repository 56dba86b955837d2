"""Choose frames of a source: all, every Nth, N spread evenly, or at a fixed rate."""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from vidgru.data.results import counted
from vidgru.tools.extract.options import ExtractConfig
from vidgru.video.read import Frame, Video, open_video
from vidgru.video.sample import TOLERANCE, log_warnings, sample_frames

log = logging.getLogger("vidgru")


def choose_frames(
    source: Path, config: ExtractConfig, opened: Callable[[Video], None] = lambda video: None
) -> Iterator[Frame]:
    """Yield the frames that a config selects, reading the source in order and never seeking.

    `opened` is called with the source when it is open.

    With `fps`, `Frame.time` is the sample's time (see `sample_frames`), else the frame's own.
    Raises VideoError.
    """
    size, start = config.target_size(), config.start or 0.0
    if config.fps is not None:
        yield from sample_frames(
            source, config.fps, size=size, start=start, end=config.end, opened=opened
        )
        return
    wanted: Iterable[int] = range(0, sys.maxsize, config.every or 1)
    if config.count is not None:
        wanted = _spread(_count_frames(source, config), config.count)
    upcoming = iter(wanted)
    due = next(upcoming, None)
    with open_video(source) as video:
        opened(video)
        for place, time in enumerate(_times_between(video, config)):
            if place == due:
                yield Frame(video.retrieve(size), time, video.frames_read - 1)
                due = next(upcoming, None)
                if due is None:
                    return
        log_warnings(video.info())


def _times_between(video: Video, config: ExtractConfig) -> Iterator[float]:
    """Grab frame after frame, giving the times of those from start to end."""
    while (time := video.grab()) is not None:
        if config.end is not None and time + TOLERANCE >= config.end:
            return
        if time + TOLERANCE >= (config.start or 0.0):
            yield time


def _count_frames(source: Path, config: ExtractConfig) -> int:
    # The declared number of frames is often wrong.
    with open_video(source) as video:
        total = sum(1 for _ in _times_between(video, config))
        if video.frames_read:
            log_warnings(video.info())
    if config.count is not None and 0 < total < config.count:
        log.warning(
            "%s has only %s in that span; --count asks for %d.",
            source,
            counted(total, "frame"),
            config.count,
        )
    return total


def _spread(total: int, count: int) -> list[int]:
    """Return the middles of `count` equal parts of range(total), or all of a shorter one."""
    count = min(count, total)
    return [(2 * k + 1) * total // (2 * count) for k in range(count)]
