"""Sample frames at a fixed rate from a source with any frame rate."""

import logging
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from statistics import median
from typing import NamedTuple, TypeVar

from vidgru.core.threads import ThreadPool
from vidgru.video.info import VideoInfo
from vidgru.video.read import Frame, Image, Source, Video, open_video

log = logging.getLogger("vidgru")

Item = TypeVar("Item")

# Containers round times to milliseconds; a frame this little late still counts as on time.
TOLERANCE = 0.001
# In samples of one frame: longer (two hours at 12.5 frames/s) it is a damaged time, not a picture
# shown for so long, and repeating it could take years.
MAX_HELD = 100_000


def sample_indices(
    times: Sequence[float],
    fps: float,
    *,
    duration: float | None = None,
    start: float = 0.0,
    end: float | None = None,
) -> list[int]:
    """Return, for each sample time start + k / fps, the index of the latest frame shown by then.

    `times` are the frames' seconds, rising. `duration` is when the last frame ends; left out, the
    last frame lasts as long as the one before it. Samples stop before `end` and `duration`, but
    a source of no duration gives its first frame.
    """
    if not times:
        return []
    if duration is None:
        duration = times[-1] + (times[-1] - times[-2] if len(times) > 1 else 1 / fps)
    stop = max(duration, 2 * TOLERANCE)
    stop = stop if end is None else min(stop, end)
    indices, k = [], 0
    while (time := start + k / fps + TOLERANCE) < stop:
        indices.append(max(bisect_right(times, time) - 1, 0))
        k += 1
    return indices


def log_warnings(info: VideoInfo) -> None:
    """Log the problems of a source, and how it was treated."""
    for sentence in info.sentences:
        log.warning("%s", sentence)


def sample_frames(
    source: Source,
    fps: float,
    *,
    size: tuple[int, int] | int | None = None,
    large: tuple[int, int] | None = None,
    start: float = 0.0,
    end: float | None = None,
    report: Callable[[VideoInfo], None] = log_warnings,
    opened: Callable[[Video], None] = lambda video: None,
) -> Iterator[Frame]:
    """Yield the frames that `sample_indices` chooses, in one sequential pass and constant memory.

    `Frame.time` is the sample's time, start + k / fps; `Frame.index` is the source's frame. `size`
    is (width, height), or the longer side; `large` that of `Frame.large`, if wanted. Pixels are
    fetched only for frames that a sample is expected to fall on, estimated from the longest gap so
    far; where a longer gap proves that wrong (variable frame rate), the source is read again from
    its beginning with every frame fetched.
    `report` is called at the end with the VideoInfo of the source; left out, its warnings are
    logged. `opened` is called at the beginning.
    A frame that would be repeated for more than MAX_HELD samples ends the source, with a warning.
    """
    given, sizes = 0, (size, large)
    for fetch_all in (False, True):
        for frame in _one_pass(source, fps, sizes, start, end, given, fetch_all, report, opened):
            if frame is None:
                break
            given += 1
            yield frame
        else:
            return


def _one_pass(
    source: Source,
    fps: float,
    sizes: tuple[tuple[int, int] | int | None, tuple[int, int] | None],
    start: float,
    end: float | None,
    skip: int,
    fetch_all: bool,
    report: Callable[[VideoInfo], None],
    opened: Callable[[Video], None],
) -> Iterator[Frame | None]:
    """Yield samples from number `skip` on; None when a sample fell on a frame not fetched."""
    limit = float("inf") if end is None else end
    k = skip
    size, second = sizes
    held: Image | None = None
    large: Image | None = None
    previous, index = -1.0, 0
    gap, longest = None, 0.0
    with open_video(source) as video:
        opened(video)
        nominal = 1 / video.fps
        while (time := video.grab()) is not None:
            if previous >= 0:
                if (min(time, limit) - previous) * fps > MAX_HELD:
                    video.warnings.append(
                        f"{source} is read up to {previous:.2f} s only: "
                        f"the next frame comes {time - previous:.0f} s later."
                    )
                    break
                gap = time - previous
                longest = max(longest, gap)
            while previous >= 0 and (due := start + k / fps) + TOLERANCE < min(time, limit):
                if held is None:
                    yield None
                    return
                yield Frame(held, due, index, large=large)
                k += 1
            due = start + k / fps
            if due + TOLERANCE >= limit:
                break
            expected = due + TOLERANCE < time + (longest or nominal)
            held = video.retrieve(size) if expected or fetch_all else None
            large = None if held is None or second is None else video.retrieve(second)
            previous, index = time, video.frames_read - 1
        stop = min(max(previous + (gap or 1 / fps), 2 * TOLERANCE), limit)
        while (due := start + k / fps) + TOLERANCE < stop:
            if held is None:
                yield None
                return
            yield Frame(held, due, index, large=large)
            k += 1
        if video.frames_read:
            report(video.info())


@dataclass
class _Part:
    """A part of a source that is being sampled; given: samples so far."""

    number: int
    start: float
    limit: float
    given: int = 0

    def due(self, fps: float) -> float:
        """Return when the next sample is taken, as `_one_pass` compares it."""
        return self.start + self.given / fps + TOLERANCE


def sample_parts(
    source: Source,
    fps: float,
    parts: Sequence[tuple[float, float | None]],
    *,
    size: tuple[int, int] | int | None = None,
) -> Iterator[tuple[int, Frame | VideoInfo]]:
    """Yield what `sample_frames` yields of each part (start, end) of a source, in a single pass.

    Each comes with the number of its part, and behind the last one of a part, its Facts. Parts may
    overlap. Where a frame would be held for more than MAX_HELD samples, those that are not done
    then have no Facts.
    """
    left = [_Part(n, low, math.inf if end is None else end) for n, (low, end) in enumerate(parts)]
    for fetch_all in (False, True):
        done = set[int]()
        with open_video(source) as video:
            for number, item in _parts_in_one_pass(video, fps, size, left, fetch_all):
                if item is None:
                    break
                yield number, item
                if isinstance(item, VideoInfo):
                    done.add(number)
            else:
                return
        left = [part for part in left if part.number not in done]


def _parts_in_one_pass(
    video: Video,
    fps: float,
    size: tuple[int, int] | int | None,
    left: Sequence[_Part],
    fetch_all: bool,
) -> Iterator[tuple[int, Frame | VideoInfo | None]]:
    """Yield samples and Facts of parts; None when a sample fell on a frame not fetched."""
    waiting = sorted(left, key=lambda part: -part.start)  # the next one last
    begun: list[_Part] = []
    held: Image | None = None
    previous, index, gap, longest = -1.0, 0, None, 0.0

    def due(part: _Part, stop: float) -> Iterator[tuple[int, Frame | None]]:
        while part.due(fps) < stop:
            if held is None:
                yield part.number, None
                return
            yield part.number, Frame(held, part.start + part.given / fps, index)
            part.given += 1

    while (time := video.grab()) is not None:
        if previous >= 0:
            gap = time - previous
            longest = max(longest, gap)
        reach = time + (longest or 1 / video.fps)
        while waiting and waiting[-1].due(fps) < reach:
            begun.append(waiting.pop())
        for part in list(begun):
            if previous >= 0:
                if (min(time, part.limit) - previous) * fps > MAX_HELD:
                    return
                yield from due(part, min(time, part.limit))
            if part.due(fps) >= part.limit:
                begun.remove(part)
                yield part.number, video.info()
        if not waiting and not begun:
            return
        expected = any(part.due(fps) < reach for part in begun)
        held = video.retrieve(size) if expected or fetch_all else None
        previous, index = time, video.frames_read - 1
    for part in [*begun, *waiting]:
        stop = max(previous + (gap or 1 / fps), 2 * TOLERANCE)
        yield from due(part, min(stop, part.limit))
        yield part.number, video.info()


FASTEST = 30.0  # frames/s that are sampled where every frame counts
LOOKED_AT = 12  # frames that determine the size and the rate


class Look(NamedTuple):
    """What the first frames of a source show.

    width, height: of its pictures as shown, in pixels; fps: frames/s; frames: how many there are,
    but LOOKED_AT at most.
    """

    width: int
    height: int
    fps: float
    frames: int


def first_look(source: Source, each: Callable[[Video], None] = lambda video: None) -> Look:
    """Return what is known of a source by its first frames; raises VideoError.

    `each` is called with the video at each of these frames.
    """
    with open_video(source) as video:
        times = [video.grab() or 0.0]
        height, width = video.retrieve().shape[:2]  # rotation applied
        each(video)
        while len(times) < LOOKED_AT and (time := video.grab()) is not None:
            times.append(time)
            each(video)
        fps = video.fps
    if len(times) > 1:
        # The declared rate may be anything where frames come unevenly.
        measured = 1 / max(median(b - a for a, b in pairwise(times)), 1e-3)
        if abs(fps / measured - 1) > 0.1:
            fps = measured
    return Look(width, height, fps, len(times))


def even_rate(fps: float, wanted: float) -> float:
    """Return the frames/s to sample a source of `fps` at: its integer fraction nearest to `wanted`.

    So frames are evenly spaced. A source slower than `wanted` keeps its rate.
    """
    return fps / max(1, round(fps / wanted))


def read_ahead(frames: Iterator[Item], most: int) -> Iterator[list[Item]]:
    """Yield lists of at most `most` frames; a thread reads the next ones meanwhile."""
    with ThreadPool(1) as pool:
        coming = pool.submit(lambda: list(islice(frames, most)))
        while chunk := coming.result():
            coming = pool.submit(lambda: list(islice(frames, most)))
            yield chunk
