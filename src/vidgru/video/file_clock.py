"""The file's own clock: when its picture begins relative to its sound, and its timecode."""

import re
from dataclasses import dataclass
from pathlib import Path

from vidgru.core.errors import VideoError
from vidgru.video.streams import look

TIMECODE = re.compile(r"([0-9]{1,2}):([0-9]{2}):([0-9]{2})([:;.])([0-9]{2,3})")
DAY = 24 * 60 * 60
FASTEST = 99  # frames/s that fit the digits of a timecode


@dataclass(frozen=True)
class Timecode:
    """A frame count at an integer rate; drop frame shows it as HH:MM:SS;FF at 29.97 frames/s.

    frame: from midnight on; rate: counted frames a second; drop: whether numbers (not frames) are
    skipped so that the count follows the clock.
    """

    frame: int
    rate: int
    drop: bool = False

    def after(self, frames: int) -> "Timecode":
        """Return the timecode `frames` later."""
        return Timecode(self.frame + frames, self.rate, self.drop)

    def __str__(self) -> str:
        number, rate = self.frame, self.rate
        if self.drop:
            left_out = rate // 15  # numbers, at each minute but every tenth
            minute = 60 * rate - left_out
            tens, rest = divmod(number, 10 * minute + left_out)
            number += 9 * left_out * tens + left_out * max((rest - left_out) // minute, 0)
        seconds, left = divmod(number, rate)
        seconds %= DAY
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return f"{clock}{';' if self.drop else ':'}{left:02}"


def counting_rate(fps: float) -> int:
    """Return the integer rate at which timecodes count frames of a video; 29.97 counts as 30."""
    return min(max(round(fps), 1), FASTEST)


def read_timecode(text: str, fps: float) -> Timecode | None:
    """Return a timecode HH:MM:SS:FF, or HH:MM:SS;FF in drop frame, and None for anything else."""
    found, rate = TIMECODE.fullmatch(text.strip()), counting_rate(fps)
    if found is None:
        return None
    hours, minutes, seconds, left = (int(found[n]) for n in (1, 2, 3, 5))
    if minutes >= 60 or seconds >= 60 or left >= rate:
        return None
    drop = found[4] != ":" and rate % 30 == 0
    frame = ((60 * hours + minutes) * 60 + seconds) * rate + left
    if drop:
        minutes += 60 * hours
        frame -= rate // 15 * (minutes - minutes // 10)
    return Timecode(frame, rate, drop)


@dataclass(frozen=True)
class FileClock:
    """When the first picture of a file is shown, by the file's own clock.

    start: seconds after the file begins, with sound or picture; stream: number of its video stream;
    origin: the file's time stamp at its beginning, in seconds; timecode: of the first picture, as
    stored in the file.
    """

    start: float = 0.0
    stream: int | None = None
    origin: float = 0.0
    timecode: str = ""


def file_clock(path: str | Path) -> FileClock:
    """Return the clock of a video file; folders of images and the like begin at 0.

    Decodes only as far as the first frame.
    """
    path = Path(path)
    try:
        known = look(path) if path.is_file() else None
    except VideoError:  # reported when the frames are read
        known = None
    if known is None:
        return FileClock()
    late = max(known.first - known.origin, 0.0)
    return FileClock(late, known.stream, known.origin, known.timecode)
