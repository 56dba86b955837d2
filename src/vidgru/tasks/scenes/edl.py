"""Write scenes as an edit decision list, which editing programs open."""

import logging
import math
import os
from itertools import pairwise
from pathlib import Path

from vidgru.core.files import write_bytes
from vidgru.tasks.scenes.results import Scenes
from vidgru.video.file_clock import FileClock, Timecode, counting_rate, file_clock, read_timecode

log = logging.getLogger("vidgru")

SUFFIX = ".edl"
MAX_EVENTS, LONGEST = 999, 999  # events and frames of a transition that three digits hold
LONGEST_NAME = 200  # characters
NO_CLOCK = FileClock()
ROUNDED = 0.05  # frames that times in milliseconds may fall short
CODES = {"cut": "C", "dissolve": "D", "fade": "D", "wipe": "W001"}


def edit_list(scenes: Scenes, clock: FileClock = NO_CLOCK) -> str:
    """Return scenes as a CMX 3600 edit decision list of the source, the form of SMPTE 258M.

    Each scene is an event from the source to its place in a record that begins at 0, so that the
    list reproduces the source. Source times begin at the timecode of the file, which may be drop
    frame, and where it has none at the start of the picture relative to the sound. A gradual
    transition is an event of two lines: the old scene, which ends where it begins, and the new
    scene with its duration. A fade is written as a dissolve, as black from a black source
    would darken what is dark already, and a comment names it. Timecodes count frames at the rounded
    rate; where frames come unevenly or at another rate, they are the times at that rate.
    """
    rate = counting_rate(scenes.fps)
    even = not scenes.variable and abs(scenes.fps / rate - 1) < 0.02  # 29.97 counts as 30
    starts = _starts(scenes, rate, even)
    name = _line(os.path.basename(os.path.abspath(scenes.source)))
    # Sound that begins with a few empty packets shifts the picture by less than a frame.
    late = Timecode(math.floor(clock.start * rate + ROUNDED), rate)
    source = read_timecode(clock.timecode, rate) or late
    record = Timecode(0, rate, source.drop)
    lines = [f"TITLE: {name[:70]}", f"FCM: {'' if source.drop else 'NON-'}DROP FRAME"]

    def event(number: int, code: str, start: int, end: int) -> str:
        places = source.after(start), source.after(end), record.after(start), record.after(end)
        times = " ".join(map(str, places))
        return f"{number:03}  AX       V     {code:<8} {times}"

    for scene, (start, end) in zip(scenes.scenes, pairwise(starts), strict=True):
        begins = scene.begins
        length = 0
        if begins is not None and begins.kind != "cut":
            length = begins.end - begins.start
            if not even:  # counted in its own frames
                length = max(round(length / scenes.fps * rate), 1)
            length = min(length, end - start, LONGEST)
        if begins is None or length < 1:
            lines += ["", event(scene.number, "C", start, end), f"* FROM CLIP NAME: {name}"]
            continue
        code = f"{CODES[begins.kind]:<4} {length:03}"
        lines += ["", event(scene.number, "C", start, start)]
        lines += [event(scene.number, code, start, end)]
        lines += [f"* FROM CLIP NAME: {name}", f"* TO CLIP NAME: {name}"]
        lines += [f"* COMMENT: {begins.kind.upper()}"]
    return "\n".join(lines) + "\n"


def write_edl(scenes: Scenes, path: Path) -> None:
    """Write an .edl file. Raises OutputError."""
    if len(scenes.scenes) > MAX_EVENTS:
        log.warning(
            "%s has %d scenes. The format has numbers up to %d: not every program opens %s.",
            scenes.source, len(scenes.scenes), MAX_EVENTS, path,
        )  # fmt: skip
    text = edit_list(scenes, file_clock(scenes.source))
    write_bytes(path, text.encode("utf-8", "replace"))


def _starts(scenes: Scenes, rate: int, even: bool) -> list[int]:
    """Return where events begin, and the end, in frames of timecodes at a rate.

    even: whether these are the frames of the source.
    """
    starts: list[int] = []
    for scene in scenes.scenes:
        # A dissolve of an edit list begins where its new scene does.
        gradual = scene.begins is not None and scene.begins.kind != "cut"
        frame = scene.begins.start if gradual and scene.begins else scene.start
        seconds = scene.start_seconds - (scene.start - frame) / scenes.fps
        place = frame if even else round(seconds * rate)
        starts.append(max(place, starts[-1] + 1) if starts else 0)
    end = scenes.frames if even else round(scenes.seconds * rate)
    return [*starts, max(end, starts[-1] + 1)]


def _line(name: str) -> str:
    """Return a name that is safe in a line."""
    return "".join(c if c.isprintable() else "?" for c in name)[:LONGEST_NAME]
