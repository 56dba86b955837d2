"""Frames by number are exactly those that the reader gives in order."""

import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from films import write_film
from helpers import write_clip, write_images
from numpy.typing import NDArray

from vidgru.core.errors import VideoError
from vidgru.video.read import open_video
from vidgru.video.seek import FrameIndex, open_frames
from vidgru.video.seekable_file import SeekableFile
from vidgru.video.streams import open_container

COUNT, BITS = 130, 8
Frames = NDArray[np.uint8]


def numbered() -> Frames:
    """Return frames of which each shows its number as black and white blocks."""
    frames = np.full((COUNT, 32, 16 * BITS, 3), 90, np.uint8)
    for number, frame in enumerate(frames):
        for bit in range(BITS):
            frame[:, 16 * bit : 16 * bit + 16] = 235 if number >> bit & 1 else 20
        frame[24:, number : number + 8] = 128  # so that pictures are no mere repetitions
    return frames


def number_in(image: Frames) -> int:
    height, width = image.shape[:2]
    means = image[: height // 2].reshape(height // 2, BITS, width // BITS, 3).mean((0, 2, 3))
    return sum(1 << bit for bit, mean in enumerate(means) if mean > 128)


def x264(name: str, **options: str) -> Callable[[Path, Frames], Path]:
    chosen = {"bf": "3", "g": "40", **options}
    return lambda folder, frames: write_film(folder / name, frames, options=chosen)


def variable(folder: Path, frames: Frames) -> Path:
    stamps = np.cumsum(np.random.default_rng(0).integers(20, 90, COUNT)).tolist()
    base = Fraction(1, 1000)
    options = {"bf": "2", "g": "50"}
    return write_film(folder / "vfr.mkv", frames, stamps=stamps, time_base=base, options=options)


def pictures(folder: Path, frames: Frames) -> Path:
    return write_images(folder / "images", frames, [f"{n}.png" for n in range(COUNT)])


KINDS: dict[str, Callable[[Path, Frames], Path]] = {
    "mp4 with B-frames": x264("b.mp4"),
    "mp4 with open groups": x264("open.mp4", **{"x264-params": "open-gop=1"}),
    "transport stream": x264("b.ts"),
    "variable rate": variable,
    "webm": lambda f, frames: write_clip(f / "v.webm", frames, 25, "VP80"),
    "avi": lambda f, frames: write_clip(f / "m.avi", frames, 25, "XVID"),
    "avi whose order is unknown": x264("b.avi"),
    "pictures": pictures,
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_frame_is_the_one_that_was_asked_for(kind: str, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path, numbered())
    with open_video(path) as video:
        order = [(frame.time, number_in(frame.rgb)) for frame in video]
    assert [number for _, number in order] == list(range(COUNT))
    index = FrameIndex(path)
    for _ in index.read():
        pass
    assert list(index.times) == pytest.approx([time for time, _ in order], abs=1e-6)
    assert index.complete
    # Seeking is quick; where it would not be exact, frames are read from the start.
    assert index.in_order == (kind == "avi whose order is unknown")
    reader, rng = open_frames(index), random.Random(1)
    asked = [rng.randrange(COUNT) for _ in range(40)] + [0, 1, 2, COUNT - 1, COUNT - 2, 60, 59, 58]
    assert [number_in(reader.image(number)) for number in asked] == asked
    assert index.key_before(asked[0]) <= asked[0]
    reader.close()


def test_an_index_that_is_read_half_gives_its_frames(tmp_path: Path) -> None:
    path = x264("b.mp4", g="10")(tmp_path, numbered())
    index = FrameIndex(path)
    reading = index._read_packets()
    while len(index.times) < 60 and next(reading, "end") is None:
        pass
    reader = open_frames(index)
    assert [number_in(reader.image(number)) for number in (59, 3)] == [59, 3]
    reader.close()


def test_a_reader_that_looks_ahead_lets_urgent_frames_pass(tmp_path: Path) -> None:
    index = FrameIndex(x264("b.mp4")(tmp_path, numbered()))
    for _ in index.read():
        pass
    reader = open_frames(index)
    reader.ahead, index.urgent = True, 1
    found: list[int] = []
    thread = Thread(target=lambda: found.append(number_in(reader.image(100))))
    thread.start()
    thread.join(0.2)
    assert not found
    index.urgent = 0
    thread.join()
    assert found == [100]
    reader.stop = Event()
    reader.stop.set()
    with pytest.raises(VideoError, match="Nobody waits"):
        reader.image(20)
    # What it had decoded by then does no harm.
    reader.stop = Event()
    assert [number_in(reader.image(number)) for number in (21, 20, 129)] == [21, 20, 129]
    reader.close()


def test_pictures_that_cannot_be_read_keep_their_place(tmp_path: Path) -> None:
    path = pictures(tmp_path, numbered())
    (path / "5.png").write_bytes(b"no picture")
    index = FrameIndex(path)
    reader = open_frames(index)
    assert number_in(reader.image(6)) == 6
    assert index.times[6] == pytest.approx(6 / 25)
    with pytest.raises(VideoError, match=r"Cannot read .*5\.png: not an image"):
        reader.image(5)


def test_what_is_no_video_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_text("no")
    with pytest.raises(VideoError, match="Cannot read "):
        FrameIndex(tmp_path / "no.mp4")


def test_a_frame_that_cannot_be_decoded_is_not_sought_from_every_key_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_film(tmp_path / "m.mov", numbered(), codec="mjpeg", pixels="yuvj420p")
    with open_container(path) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    with path.open("r+b") as file:
        file.seek(packets[COUNT - 5][0])
        file.write(bytes(packets[COUNT - 5][1]))
    index = FrameIndex(path)
    for _ in index.read():
        pass
    reader, decoded = open_frames(index), list[None]()
    next_frame = SeekableFile.next_frame

    def counted(file: SeekableFile, whole: int | None = None) -> object:
        decoded.append(None)
        return next_frame(file, whole)

    monkeypatch.setattr(SeekableFile, "next_frame", counted)
    reader.image(COUNT - 5)
    assert 0 < len(decoded) < 5 * COUNT  # not the square of them
    reader.close()
