"""Take frames at a fixed rate out of a source whose frames may come at any rate."""

import logging
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

from vidgru.video.info import VideoInfo
from vidgru.video.read import Frame, Image, Video, open_video

log = logging.getLogger("vidgru")

Item = TypeVar("Item")

# Containers round times to milliseconds; a frame this little late still counts as on time.
TOLERANCE = 0.001
# Of one frame, in samples: longer (two hours at 12.5 frames/s) it is a damaged time, not a picture
# shown for so long, and holding it could go on for years.
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
    something that lasts no time at all has its first frame.
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
    """Log what is wrong with a source, and what was done with it."""
    for sentence in info.sentences:
        log.warning("%s", sentence)


def sample_frames(
    source: str | Path,
    fps: float,
    *,
    size: tuple[int, int] | int | None = None,
    start: float = 0.0,
    end: float | None = None,
    report: Callable[[VideoInfo], None] = log_warnings,
    opened: Callable[[Video], None] = lambda video: None,
) -> Iterator[Frame]:
    """Yield the frames that `sample_indices` chooses, in one sequential pass and constant memory.

    `Frame.time` is the sample's time, start + k / fps; `Frame.index` is the source's frame. `size`
    is (width, height), or the longer side. Pixels are fetched only for frames that a sample is
    expected to fall on, judged by the longest gap so far; where a longer gap proves that wrong
    (variable frame rate), the source is read anew from its beginning with every frame fetched.
    `report` is called at the end with what was found out about the source; left out, its warnings are
    logged. `opened` is called at the beginning.
    A frame that would be held for more than MAX_HELD samples ends the source, with a warning.
    """
    given = 0
    for fetch_all in (False, True):
        for frame in _one_pass(source, fps, size, start, end, given, fetch_all, report, opened):
            if frame is None:
                break
            given += 1
            yield frame
        else:
            return


def _one_pass(
    source: str | Path,
    fps: float,
    size: tuple[int, int] | int | None,
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
    held: Image | None = None
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
                yield Frame(held, due, index)
                k += 1
            due = start + k / fps
            if due + TOLERANCE >= limit:
                break
            expected = due + TOLERANCE < time + (longest or nominal)
            held = video.retrieve(size) if expected or fetch_all else None
            previous, index = time, video.frames_read - 1
        stop = min(max(previous + (gap or 1 / fps), 2 * TOLERANCE), limit)
        while (due := start + k / fps) + TOLERANCE < stop:
            if held is None:
                yield None
                return
            yield Frame(held, due, index)
            k += 1
        if video.frames_read:
            report(video.info())


FASTEST = 30.0  # frames/s that are sampled where every frame counts
LOOKED_AT = 12  # frames, to find out how large they are and how fast they come


class Look(NamedTuple):
    """What the first frames of a source tell of it.

    width, height: of its pictures as they are shown, in pixels; fps: frames/s; frames: how many
    there are, but LOOKED_AT at most.
    """

    width: int
    height: int
    fps: float
    frames: int


def first_look(source: str | Path) -> Look:
    """Return what the first frames of a source tell of it; raises VideoError."""
    with open_video(source) as video:
        times = [video.grab() or 0.0]
        height, width = video.retrieve().shape[:2]  # turned upright
        while len(times) < LOOKED_AT and (time := video.grab()) is not None:
            times.append(time)
        fps = video.fps
    if len(times) > 1:
        # What is declared may be anything where frames come unevenly.
        measured = 1 / max(median(b - a for a, b in pairwise(times)), 1e-3)
        if abs(fps / measured - 1) > 0.1:
            fps = measured
    return Look(width, height, fps, len(times))


def even_rate(fps: float, wanted: float) -> float:
    """Return the frames/s to sample a source of `fps` at: the whole part of it next to `wanted`.

    So frames lie evenly. A source that is slower than `wanted` is taken as it is.
    """
    return fps / max(1, round(fps / wanted))


def read_ahead(frames: Iterator[Item], most: int) -> Iterator[list[Item]]:
    """Yield up to so many frames at a time; a thread reads the next ones meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(lambda: list(islice(frames, most)))
        while chunk := coming.result():
            coming = pool.submit(lambda: list(islice(frames, most)))
            yield chunk
