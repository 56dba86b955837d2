"""Films of every kind, written with PyAV."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from vidgru.tasks.scenes.results import Boundary, Scenes, scenes_between

Frames = NDArray[np.uint8]
FLIPS = {  # a, b, c, d of the display matrix, and what it does to a picture
    "as it is": ((1, 0, 0, 1), lambda image: image),
    "mirrored": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "upside down": ((1, 0, 0, -1), lambda image: image[::-1]),
    "half a turn": ((-1, 0, 0, -1), lambda image: image[::-1, ::-1]),
    "transposed": ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
    "a quarter turn right": ((0, 1, -1, 0), lambda image: image.transpose(1, 0, 2)[:, ::-1]),
    "a quarter turn left": ((0, -1, 1, 0), lambda image: image.transpose(1, 0, 2)[::-1]),
    "transposed the other way": (
        (0, -1, -1, 0),
        lambda image: image.transpose(1, 0, 2)[::-1, ::-1],
    ),
}


def blocks(count: int, height: int = 48, width: int = 64) -> Frames:
    """Four differently coloured quarters; the brightness of the first tells the frame's number."""
    frames = np.zeros((count, height, width, 3), np.uint8)
    frames[:, : height // 2, width // 2 :] = (200, 40, 40)
    frames[:, height // 2 :, : width // 2] = (40, 200, 40)
    frames[:, height // 2 :, width // 2 :] = (40, 40, 200)
    for number, frame in enumerate(frames):
        frame[: height // 2, : width // 2] = 40 + number * 200 // max(count, 1)
    return frames


def write_film(
    path: Path,
    frames: Frames,
    *,
    rate: Fraction | int = 25,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    stamps: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    aspect: Fraction | None = None,
    matrix: tuple[int, int, int, int] | None = None,
    cover: Frames | None = None,
    second: Frames | None = None,
    interlaced: bool = False,
) -> Path:
    """Write a film; `stamps` are in `time_base`, `cover` is an attached picture that comes first.

    `second` is another film, which is the default one.
    """
    with av.open(path, "w") as out:
        attached: Any = out.add_stream("mjpeg", rate=1) if cover is not None else None
        if attached is not None:
            attached.height, attached.width = cover.shape[:2]  # type: ignore[union-attr]
            attached.pix_fmt = "yuvj420p"
            # Matroska would make an attachment of it, which comes last.
            attached.disposition = Disposition.attached_pic * (path.suffix == ".mp4")
        streams = [
            _stream(out, shots, rate, codec, pixels, options, aspect, interlaced)
            for shots in (frames, second)
            if shots is not None
        ]
        if second is not None:
            streams[0].disposition = Disposition(0)
            streams[1].disposition = Disposition.default
        if matrix is not None:
            a, b, c, d = matrix
            numbers = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
            streams[0].set_display_matrix(numbers)
        if attached is not None:
            out.mux([*attached.encode(av.VideoFrame.from_ndarray(cover)), *attached.encode()])
        for stream, shots in zip(streams, (frames, second), strict=False):
            if time_base is not None:
                stream.codec_context.time_base = time_base
            for number, shot in enumerate(shots if shots is not None else ()):
                frame = av.VideoFrame.from_ndarray(shot).reformat(format=pixels)
                frame.pts = number if stamps is None else stamps[number]
                if time_base is not None:
                    frame.time_base = time_base
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
    if cover is not None and path.suffix == ".mp4":
        _tags_first(path)
    return path


def _tags_first(path: Path) -> None:
    """Move the attached picture before the film: some programs write it so."""
    data = path.read_bytes()
    begin = data.index(b"moov") + 4
    place, tracks, tags = begin, b"", b""
    while place < len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        box = data[place : place + size]
        tags, tracks = (tags + box, tracks) if box[4:8] == b"udta" else (tags, tracks + box)
        place += size
    path.write_bytes(data[:begin] + tags + tracks)


def _stream(
    out: Any,
    frames: Frames,
    rate: Fraction | int,
    codec: str,
    pixels: str,
    options: dict[str, str] | None,
    aspect: Fraction | None,
    interlaced: bool,
) -> Any:
    stream = out.add_stream(codec, rate=rate)
    stream.height, stream.width = frames.shape[1:3]
    stream.pix_fmt = pixels
    good = {"crf": "10"} if codec == "libx264" else {"qscale": "2"}
    fields = {"flags": "+ildct+ilme"} if interlaced else {}
    if interlaced and codec == "libx264":
        fields["x264-params"] = "tff=1"
    stream.codec_context.options = {**good, **fields, **(options or {})}
    if aspect is not None:
        stream.codec_context.sample_aspect_ratio = aspect
    return stream


def write_sound(path: Path, cover: Frames | None = None) -> Path:
    """Write a file of a second's silence, with an attached picture or without."""
    with av.open(path, "w") as out:
        if cover is not None:
            attached: Any = out.add_stream("mjpeg", rate=1)
            attached.height, attached.width = cover.shape[:2]
            attached.pix_fmt = "yuvj420p"
            attached.disposition = Disposition.attached_pic
        stream = out.add_stream("aac", rate=8000, layout="mono")
        if cover is not None:
            out.mux([*attached.encode(av.VideoFrame.from_ndarray(cover)), *attached.encode()])
        _silence(out, stream)
    return path


def _silence(out: Any, stream: Any) -> None:
    for number in range(8):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, number * 1024, Fraction(1, 8000)
        out.mux(stream.encode(frame))
    out.mux(stream.encode())


def two_moments(count: int, height: int = 48, width: int = 64) -> Frames:
    """Interlaced frames: a bar that is six pixels further in the odd lines, on grey."""
    frames = np.full((count, height, width, 3), 90, np.uint8)
    for number, frame in enumerate(frames):
        for field in range(2):
            left = 4 + (2 * number + field) * 6 % (width - 16)
            frame[field::2, left : left + 8] = 220
    return frames


def cuts_at(times: list[tuple[int, float]], frames: int, seconds: float, **more: Any) -> Scenes:
    """Return scenes that begin at these (frame, seconds), each by a cut."""
    pairs = [(Boundary(frame, "cut", 1.0, frame, frame), time) for frame, time in times]
    about = {"source": "v.mp4", "fps": frames / seconds, "variable": False} | more
    return Scenes(
        about["source"], "m", frames, about["fps"], about["variable"], seconds, 9, 9,
        scenes_between(pairs, frames, seconds),
    )  # fmt: skip
