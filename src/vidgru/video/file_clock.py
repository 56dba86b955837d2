"""The clock that a file itself has: when its picture begins, beside its sound, and its timecode."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

SECONDS = 20  # without a byte from the disk; a file system may hang
PACKETS = 2000  # that are looked at for the first frame
COVERS = Disposition.attached_pic | Disposition.timed_thumbnails
TIMECODE = re.compile(r"([0-9]{1,2}):([0-9]{2}):([0-9]{2})([:;.])([0-9]{2,3})")
DAY = 24 * 60 * 60
FASTEST = 99  # frames/s that a timecode has digits for


@dataclass(frozen=True)
class Timecode:
    """A count of frames at a whole rate, which drop frame shows as HH:MM:SS;FF of 29.97 a second.

    frame: from midnight on; rate: frames a second that are counted; drop: whether numbers (not
    frames) are left out so that the count keeps to the clock.
    """

    frame: int
    rate: int
    drop: bool = False

    def after(self, frames: int) -> "Timecode":
        """Return the timecode so many frames later."""
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
    """Return the whole rate at which timecodes count frames of a video; 29.97 counts as 30."""
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
    origin: what the time stamps of the file are when it begins, in seconds; timecode: of the first
    picture, as the file has it.
    """

    start: float = 0.0
    stream: int | None = None
    origin: float = 0.0
    timecode: str = ""


@contextmanager
def open_container(path: Path) -> Iterator[InputContainer]:
    """Open a video file with libav; raises what it raises."""
    # With the protocol any name stays a name, and a file that names others gets none of a network.
    with av.open(
        f"file:{os.path.abspath(path)}",
        options={"protocol_whitelist": "file"},
        metadata_errors="replace",
        timeout=SECONDS,
    ) as container:
        yield container


def film_of(container: InputContainer) -> VideoStream | None:
    """Return the video stream that players show, never an attached picture; None without one."""
    films = [stream for stream in container.streams.video if not stream.disposition & COVERS]
    best = container.streams.best("video")
    return next((film for film in films if best is not None and film.index == best.index),
                films[0] if films else None)  # fmt: skip


def file_clock(path: str | Path) -> FileClock:
    """Return the clock of a video file; that of a folder of images, and of the like, begins at 0.

    Decodes no more than it takes to have the first frame.
    """
    path = Path(path)
    if not path.is_file():
        return FileClock()
    try:
        with open_container(path) as container:
            film = film_of(container)
            return FileClock() if film is None else _clock(container, film)
    except (av.error.FFmpegError, OSError, ValueError):
        return FileClock()  # who reads the frames says what is wrong with it


def _clock(container: InputContainer, film: VideoStream) -> FileClock:
    starts = [
        start
        for stream in (*container.streams.audio, film)
        if (start := _start(stream)) is not None
    ]
    origin, timecode = min(starts, default=0.0), _timecode(container, film)
    first = _start(film) or 0.0
    # The times of AVI files are those of decoding.
    if container.format.name != "avi":
        first = max(first, _first_shown(container, film))
    return FileClock(max(first - origin, 0.0), film.index, origin, timecode)


def _start(stream: Stream) -> float | None:
    if stream.start_time is None or stream.time_base is None:
        return None
    return float(stream.start_time * stream.time_base)


def _first_shown(container: InputContainer, film: VideoStream) -> float:
    """Return the time stamp of the first frame that can be decoded, in seconds."""
    film.codec_context.thread_count = 1
    for number, packet in enumerate(container.demux(film)):
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            frames = []
        for frame in frames:
            if frame.pts is not None and frame.time_base is not None:
                return float(frame.pts * Fraction(frame.time_base))
        if number >= PACKETS:
            break
    return 0.0


def _timecode(container: InputContainer, film: VideoStream) -> str:
    for metadata in (film.metadata, container.metadata, *(s.metadata for s in container.streams)):
        for name, text in metadata.items():
            if name.lower() == "timecode":
                return text
    return ""
