"""Write the video of a source again, with something drawn on each frame."""

import logging
from collections.abc import Callable, Generator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from time import monotonic

from vidgru.core.results import Progress
from vidgru.video.file_clock import file_clock
from vidgru.video.info import Gaps, VideoInfo
from vidgru.video.output_paths import refuse_overwriting_sources
from vidgru.video.read import Frame, Image, open_video
from vidgru.video.record import check_suffix, open_recorder
from vidgru.video.sample import sample_frames

log = logging.getLogger("vidgru")

LOOKED_AT = 100  # frames that determine the frame rate
FASTEST = 60  # frames/s for a variable frame rate,
MAX_FPS = 240  # and for a constant one
MIN_FPS = 1  # so that what is drawn changes

Draw = Callable[[Frame], Image]


def redraw(
    source: str | Path,
    path: str | Path,
    prepare: Callable[[tuple[int, int]], Draw],
    seconds: float | None = None,
    start: float = 0.0,
    end: float | None = None,
) -> Generator[Progress, None, None]:
    """Write what `prepare(size)` draws on the frames of a source, reporting each frame.

    The video has the source's size (see `open_recorder`, also for the files it writes) and true
    timing, to half a frame: at a constant rate from 1 to 240 frames/s, every frame once. A variable
    rate becomes its fastest one, 60 frames/s at most, and each frame is repeated for as long as
    it is shown; faster frames are left out, with a warning. An existing file is replaced. A picture
    that starts later than the sound of its source starts as late here. Memory does not grow with
    the length. `seconds` is the length of what is written; left out, it is what the source
    declares. `start` and `end`, in seconds, cut out a part.
    Raises VideoError, OutputError, and OptionError for a file that is no .mp4 or .webm, or is the
    source itself.
    """
    path = Path(path)
    check_suffix(path)
    refuse_overwriting_sources([path], [Path(source)])
    size, fps, first, declared = _looks(source)
    whole = not start and end is None
    total = max(round((seconds or declared or 0) * fps), 1)
    draw = prepare(size)
    shown, last, began = 0, -1, monotonic()
    read: list[VideoInfo] = []
    with open_recorder(path, size, fps, file_clock(source).start) as recorder:
        # Pictures in a folder may differ in size.
        frames = sample_frames(
            source, float(fps), size=size, start=start + first, end=end, report=read.append
        )
        for done, frame in enumerate(frames, 1):
            recorder.write(draw(frame))
            shown, last = shown + (frame.index != last), frame.index
            speed = (frame.time - start) / max(monotonic() - began, 1e-3)
            yield Progress("Saving", done, max(total, done), f"{speed:.1f} x real time")
    for info in read:
        # Other problems were reported by the prediction.
        if whole and shown < 0.99 * info.frames:
            log.warning(
                "%s has %d frames, some faster than %g a second: %s shows %d of them.",
                source, info.frames, float(fps), path, shown,
            )  # fmt: skip


def _looks(source: str | Path) -> tuple[tuple[int, int], Fraction, float, float | None]:
    """Return (width, height), the rate of its first frames, the first sample, declared seconds."""
    with open_video(source) as video:
        times = [video.grab() or 0.0]
        height, width = video.retrieve().shape[:2]
        while len(times) < LOOKED_AT and (time := video.grab()) is not None:
            times.append(time)
        fps, seconds = video.fps, video.seconds
    gaps, counted = sorted(b - a for a, b in pairwise(times)), Gaps()
    for gap in gaps:
        counted.add(gap)
    if gaps and counted.variable:
        # A tenth of the gaps may be shorter, as single ones are often wrong.
        fps = min(max(fps if fps <= FASTEST else 0, 1 / gaps[len(gaps) // 10]), FASTEST)
    elif gaps:
        middle = gaps[len(gaps) // 2]
        usual = [gap for gap in gaps if abs(gap - middle) <= max(0.002, 0.2 * middle)]  # no pauses
        if abs(fps * sum(usual) / len(usual) - 1) > 0.1:  # the declared rate is wrong
            fps = len(usual) / sum(usual)
    # 1001: television rates are 30000/1001 and the like.
    rate = Fraction(min(max(fps, MIN_FPS), MAX_FPS)).limit_denominator(1001)
    # In the middle of frames, small errors of times do no harm.
    middle = 0.5 / float(rate) if len(times) == 1 or times[-1] * rate >= 1 else 0.0
    return (width, height), rate, middle, seconds
