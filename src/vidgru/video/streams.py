"""What a file holds, before its frames are read: streams, geometry, fields, colours and clocks."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vidgru.core.errors import VideoError
from vidgru.video.headers import may_interlace
from vidgru.video.source import MAX_PIXELS

SECONDS = 20  # without a byte from the disk; a file system may hang
PACKETS = 2000  # that are looked at for a first key frame
TRIES = 4  # packets that are decoded until a frame comes out
TIMED = 256  # packets whose stamps tell the rate, where what is declared cannot be believed
COVERS = Disposition.attached_pic | Disposition.timed_thumbnails
STILL_CODECS = frozenset("bmp mjpeg png tiff webp".split())  # noqa: SIM905
JOINED_FORMATS = frozenset("flv mpeg mpegts".split())  # noqa: SIM905
BEGINNINGS = (b"RIFF", b"FLV", b"\x1aE\xdf\xa3")  # of AVI, Flash and Matroska files
HDR = {16: "PQ", 18: "HLG"}  # transfer characteristics
WIDE = 9  # primaries of BT.2020
WIDEST = 16  # sample aspect ratios beyond it are no such
SQUARE = 0.01  # relative; less is not seen, and mostly rounding
TINY = (32, 18)
# What every reader shows alike; anything else is compared at the first frame.
COMMON_CODECS = frozenset("h264 hevc mjpeg mpeg1video mpeg2video mpeg4 vp8 vp9".split())  # noqa: SIM905
COMMON_PIXELS = frozenset(
    ["yuv420p", "yuv420p10le", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"]
)
ERRORS = (av.error.FFmpegError, ValueError, MemoryError, OSError)  # whatever libav may raise


@dataclass(frozen=True)
class Orientation:
    """What is done, in this order, to a stored picture to show it."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def mirrored(self) -> bool:
        """Whether no turning alone shows the picture rightly."""
        return (self.transpose + self.flip_x + self.flip_y) % 2 == 1

    @property
    def rotation(self) -> int:
        """Degrees by which the picture is turned clockwise to be shown, before any flip."""
        if self.transpose:
            return 90 if self.flip_x else 270
        return 180 if self.flip_x and self.flip_y else 0

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return a picture (H, W, 3) as it is shown."""
        if self.transpose:
            image = image.transpose(1, 0, 2)
        across = slice(None, None, -1 if self.flip_x else 1)
        down = slice(None, None, -1 if self.flip_y else 1)
        return np.ascontiguousarray(image[down, across])


@dataclass(frozen=True, eq=False)
class StreamInfo:
    """What a video file says of itself, and what its first frame shows.

    stream: number of the video stream to read, among all; foremost: whether it is the first of the
    video streams; videos, covers: how many films and attached pictures there are; rate: frames/s;
    tick: seconds between neighbouring time stamps; start, first, origin: seconds in the file's own
    clock, of the film's declared start, of its first frame that can be decoded, and of the
    beginning of picture or sound; seconds: how long the film is, None if nothing sane is said;
    frames: declared; aspect: width of a pixel by its height; orientation: what is done to a stored
    picture to show it; interlaced: whether frames may consist of two fields; hdr: "PQ", "HLG" or
    ""; timecode: of the first frame, or ""; whole_start: whether the first packet can be decoded;
    trimmed: whether packets belong to no frame that is shown; joined: whether recordings with
    different clocks may follow each other; decode_stamps: whether stamps say when a frame is
    decoded, not when it is shown; decodes: whether a frame came out; first_frame: where readers may
    differ, a tiny picture of it as it is shown, bgr uint8.
    """

    stream: int
    foremost: bool
    videos: int
    covers: int
    codec: str
    width: int
    height: int
    rate: float | None
    tick: float
    start: float
    first: float
    origin: float
    seconds: float | None
    frames: int
    aspect: Fraction
    orientation: Orientation
    interlaced: bool
    hdr: str
    timecode: str
    whole_start: bool
    trimmed: bool
    joined: bool
    decode_stamps: bool
    decodes: bool
    first_frame: NDArray[np.uint8] | None

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height of pictures as they are shown."""
        width, height = max(round(self.width * self.aspect), 1), self.height
        return (height, width) if self.orientation.transpose else (width, height)


@contextmanager
def open_container(path: Path) -> Iterator[InputContainer]:
    """Open a video file with libav; raises what it raises."""
    # With the protocol any name stays a name, and a file that names others gets none of a network.
    with av.open(
        f"file:{os.path.abspath(path)}",
        "r",
        options={"protocol_whitelist": "file"},
        metadata_errors="replace",
        timeout=SECONDS,
    ) as container:
        yield container


def look(path: Path) -> StreamInfo | None:
    """Return what a video file says of itself, or None where libav makes nothing of it.

    Decodes a single frame. Raises VideoError for a file that holds no video.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    # Most files are opened twice, for their rate and for their frames.
    return _looked(path, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)
def _looked(path: Path, *status: int) -> StreamInfo | None:
    try:
        with open_container(path) as container:
            return _look(path, container)
    except (*ERRORS, cv2.error):
        return None


def why_unreadable(path: Path) -> str:
    """Return why a file that OpenCV cannot open cannot be read, or "" where that is not known."""
    head = b""
    try:
        with open(path, "rb") as file:
            head = file.read(8)
        with open_container(path) as container:
            if not len(container.streams):
                return "it holds no stream"
            unknown = any(stream.codec_context is None for stream in container.streams.video)
            return "its codec is unknown" if unknown else ""
    except ERRORS:
        begun = head[4:] == b"ftyp" or head.startswith(BEGINNINGS)
        return "it is cut short or damaged" if begun else ""


def _look(path: Path, container: InputContainer) -> StreamInfo | None:
    videos = container.streams.video
    if any(stream.codec_context is None for stream in videos):
        return None  # of a codec that libav does not know
    films, film = _films(container), film_of(container)
    others = bool(container.streams.audio) or len(container.streams) > len(videos)
    still = all(stream.codec_context.name in STILL_CODECS for stream in films)
    if film is None or (still and others and _is_still(container, films)):
        if not videos and not others:
            return None
        raise VideoError(
            f"Cannot read {path}: it holds no video"
            + (", only an attached picture." if videos else ", only sound or data.")
        )
    if film.width * film.height > MAX_PIXELS:
        raise VideoError(
            f"Cannot read {path}: frames of {film.width}x{film.height} pixels are too large."
        )
    seen = _first_frame(container, film)
    rate = film.average_rate or film.guessed_rate
    tick = float(film.time_base or 0)
    seconds, start = _seconds(film, container), _start(film) or 0.0
    starts = [_start(stream) for stream in (*container.streams.audio, film)]
    # The times of AVI files are those of decoding.
    decode_stamps, first = container.format.name == "avi", start
    if seen.frame is not None and seen.frame.pts is not None and not decode_stamps:
        first = max(start, seen.frame.pts * tick)
    codec, turns = film.codec_context, _orientation(seen.frame)
    small = _tiny(seen.frame, codec.name)
    return StreamInfo(
        stream=film.index,
        foremost=film.index == videos[0].index,
        videos=len(films),
        covers=len(videos) - len(films),
        codec=codec.name,
        width=film.width,
        height=film.height,
        rate=seen.rate if seen.rate else (float(rate) if rate else None),
        tick=tick,
        start=start,
        first=first,
        origin=min((begins for begins in starts if begins is not None), default=0.0),
        seconds=seconds,
        frames=film.frames,
        aspect=_aspect(film),
        orientation=turns,
        interlaced=seen.frame is not None
        and (seen.frame.interlaced_frame or may_interlace(codec.name, codec.extradata)),
        hdr=HDR.get(codec.color_trc, "") if codec.color_primaries == WIDE else "",
        timecode=_timecode(container, film),
        whole_start=seen.whole_start,
        trimmed=seen.trimmed,
        joined=bool(JOINED_FORMATS & set(container.format.name.split(","))),
        decode_stamps=decode_stamps,
        decodes=seen.frame is not None,
        first_frame=None if small is None else turns.apply(small),
    )


def film_of(container: InputContainer) -> VideoStream | None:
    """Return the video stream that players show, never an attached picture; None without one."""
    films, best = _films(container), container.streams.best("video")
    chosen = (film for film in films if best is not None and film.index == best.index)
    return next(chosen, films[0] if films else None)


def _films(container: InputContainer) -> list[VideoStream]:
    films = [stream for stream in container.streams.video if not stream.disposition & COVERS]
    return [film for film in films if film.codec_context.name not in STILL_CODECS] or films


def _start(stream: Stream) -> float | None:
    if stream.start_time is None or stream.time_base is None:
        return None
    return float(stream.start_time * stream.time_base)


def _timecode(container: InputContainer, film: VideoStream) -> str:
    for metadata in (film.metadata, container.metadata, *(s.metadata for s in container.streams)):
        for name, text in metadata.items():
            if name.lower() == "timecode":
                return text
    return ""


def _tiny(frame: VideoFrame | None, codec: str) -> NDArray[np.uint8] | None:
    if frame is None or frame.color_trc in HDR:
        return None
    if frame.format.name in COMMON_PIXELS and codec in COMMON_CODECS:
        return None
    image = frame.to_ndarray(format="bgr24")
    return cv2.resize(image, TINY, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _is_still(container: InputContainer, films: list[VideoStream]) -> bool:
    """Return whether no stream has a second picture, as far as PACKETS tell."""
    counts = dict.fromkeys((film.index for film in films), 0)
    for packet in islice(container.demux(), PACKETS):
        if packet.stream_index in counts and packet.size:
            counts[packet.stream_index] += 1
            if counts[packet.stream_index] > 1:
                container.seek(0)
                return False
    return True


@dataclass
class _FirstFrames:
    frame: VideoFrame | None = None
    whole_start: bool = True
    trimmed: bool = False
    rate: float | None = None


def _first_frame(container: InputContainer, film: VideoStream) -> _FirstFrames:
    seen, context = _FirstFrames(), film.codec_context
    context.thread_count = 1
    # Formats without a rate have one guessed by their clock's ticks.
    timed = 1 if film.average_rate else TIMED
    stamps: list[int] = []
    tries = 0
    for number, packet in enumerate(islice(container.demux(film), PACKETS)):
        if not packet.size:
            break
        if packet.pts is not None:
            stamps.append(packet.pts)
        seen.trimmed |= packet.is_discard
        if seen.frame is None and tries < TRIES and (number == 0 or packet.is_keyframe):
            tries += 1
            with suppress(*ERRORS):
                # At its end a decoder gives even those that it would show later.
                seen.frame = next(iter([*packet.decode(), *context.decode(None)]), None)
            context.flush_buffers()
            if number == 0:
                seen.whole_start = packet.is_keyframe or (
                    seen.frame is not None and seen.frame.key_frame
                )
        if (seen.frame is not None or tries == TRIES) and len(stamps) >= timed:
            break
    if timed > 1 and len(stamps) > 2 and film.time_base and max(stamps) > min(stamps):
        seen.rate = float((len(stamps) - 1) / ((max(stamps) - min(stamps)) * film.time_base))
    elif timed > 1 and film.average_rate is None and len(stamps) == 1:
        lasts = _seconds(film, container)
        seen.rate = 1 / lasts if lasts else None
    return seen


def _seconds(film: VideoStream, container: InputContainer) -> float | None:
    if film.duration and film.time_base:
        seconds = float(film.duration * film.time_base)
    elif len(parts := film.metadata.get("DURATION", "").split(":")) == 3:  # in Matroska
        try:
            seconds = sum(
                float(part) * size for part, size in zip(parts, (3600, 60, 1), strict=True)
            )
        except ValueError:
            return None
        seconds -= float((film.start_time or 0) * (film.time_base or 0))
    else:
        seconds = (container.duration or 0) / 1e6
    return seconds if 0 < seconds < 1e7 else None


def _aspect(film: VideoStream) -> Fraction:
    """Return the width of a pixel by its height; 1 where it is nearly that, or no sane value."""
    aspect = film.sample_aspect_ratio
    if not aspect or aspect == 1:
        return Fraction(1)
    sane = Fraction(1, WIDEST) <= aspect <= WIDEST and abs(aspect - 1) > SQUARE
    fits = film.width * aspect * film.height <= MAX_PIXELS
    return aspect if sane and fits else Fraction(1)


def _orientation(frame: VideoFrame | None) -> Orientation:
    """Return what is to be done to a stored picture, by its display matrix."""
    a, b, c, d = 1, 0, 0, 1
    if frame is not None:
        try:
            matrix: Any = frame.side_data.get("DISPLAYMATRIX")
        except ValueError:  # the frame carries other data that PyAV has no name for
            turns = -frame.rotation // 90 % 4
            a, b, c, d = ((1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0))[turns]
            matrix = None
        if matrix is not None and len(numbers := np.frombuffer(bytes(matrix), np.int32)) == 9:
            a, b, c, d = (int(numbers[place]) for place in (0, 1, 3, 4))
    turned = abs(b) + abs(c) > abs(a) + abs(d)
    return Orientation(turned, c < 0 if turned else a < 0, b < 0 if turned else d < 0)
