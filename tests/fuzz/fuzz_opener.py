"""Whether opening and reading video files survives mutated heads of seven formats.

    python tests/fuzz/fuzz_opener.py [--count 5000] [--seed 0] [--seconds 20] [--keep DIR]

Small good files are made here and their first kilobytes changed: bytes, blocks, sizes, lengths.
Each is read in a child process as far as 50 frames; only a VideoError may come of it (fuzz_child.py
says what else is bad). Exits 1 when there were bad ones; these inputs are kept.
"""

import argparse
import contextlib
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.stream import VideoStream
from fuzz_changes import blind
from fuzz_child import GOOD, Child, attempt, report, serve
from PIL import Image

from vidgru.core.errors import VideoError
from vidgru.video.read import open_video

HEAD = 4096  # bytes that are changed
FRAMES = 50
# Container and codec.
VIDEOS = {
    "a.mp4": "libx264", "b.mp4": "mpeg4", "a.mkv": "libx264", "b.mkv": "libvpx", "a.ts": "libx264",
    "b.ts": "mpeg2video", "a.avi": "mpeg4", "b.avi": "mjpeg", "a.mov": "mjpeg",
}  # fmt: skip


def make_seeds(folder: Path) -> None:
    """Write good files of every format."""
    frames = np.random.default_rng(0).integers(0, 255, (12, 48, 64, 3), dtype=np.uint8)
    for name, codec in VIDEOS.items():
        with av.open(folder / name, "w") as out:
            stream = cast(VideoStream, out.add_stream(codec, rate=10))
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for frame in frames:
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
            out.mux(stream.encode())
    first, *rest = (Image.fromarray(frame) for frame in frames)
    first.save(folder / "a.webp", save_all=True, append_images=rest, duration=100)
    first.save(folder / "a.png", save_all=True, append_images=rest, duration=100)
    first.save(folder / "a.tif", save_all=True, append_images=rest)
    Image.fromarray(frames[0, ..., 0].astype(np.uint16) * 16).save(folder / "b.tif")
    first.save(folder / "b.webp")


def change(chance: random.Random, data: bytes) -> bytes:
    """Return a file with a changed head."""
    head = bytearray(data[:HEAD])
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        place = chance.randrange(max(len(head) - 8, 1))
        kind = chance.random()
        if kind < 0.4:
            head[place] = chance.randrange(256)
        elif kind < 0.7:  # a size, a count or a length
            value = chance.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 65535, 1 << 20))
            head[place : place + 4] = value.to_bytes(4, chance.choice(("big", "little")))
        elif kind < 0.85:
            head[place] ^= 1 << chance.randrange(8)
        else:
            length = chance.randrange(1, 64)
            source = chance.randrange(len(head))
            head[place : place + length] = head[source : source + length]
    changed = bytes(head) + data[HEAD:]
    return blind(chance, changed) if chance.random() < 0.1 else changed


def open_and_read(path: Path) -> None:
    """Read a file as far as FRAMES."""
    with open_video(path) as video:
        while video.grab() is not None and video.frames_read < FRAMES:
            video.retrieve()


def read(path: Path, line: str) -> tuple[str, str]:
    """Return how reading a file ended, and a note."""
    return attempt(lambda: open_and_read(path), path, VideoError)


def run_all(
    folder: Path, count: int, seed: int, seconds: float
) -> Iterator[tuple[Path, str, str, float]]:
    """Yield the file, end, note and wall seconds of each trial; the file stays until the next."""
    make_seeds(folder)
    seeds = sorted(folder.iterdir())
    with contextlib.closing(Child([sys.executable, __file__, "--serve"], seconds)) as child:
        for number in range(count):
            good = seeds[number % len(seeds)]
            chance = random.Random(f"{seed} {number}")
            path = folder / f"{seed}-{number}-{good.name}"
            path.write_bytes(change(chance, good.read_bytes()))
            start = time.monotonic()
            _, end, note = child.ask(str(path))
            yield path, end, note, time.monotonic() - start
            path.unlink()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=20.0, help="a file may take")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-opener-bad"))
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(lambda line: Path(line.rstrip("\n")), read)
        return
    ends: dict[str, Counter[str]] = {}
    notes: Counter[str] = Counter()
    began, times = time.monotonic(), list[float]()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for path, end, note, seconds in run_all(folder, args.count, args.seed, args.seconds):
            times.append(seconds)
            ends.setdefault(path.suffix, Counter())[end] += 1
            if end not in GOOD:
                notes[f"{path.suffix}: {end}: {note.replace(place, '')}"] += 1
                args.keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, args.keep)
    slowest = max(times[1:], default=0.0)  # the first one waits for the process to start
    took = f"{time.monotonic() - began:.0f} s, the slowest {slowest:.1f} s, seed {args.seed}"
    report("format", dict(sorted(ends.items())), notes, took, args.keep)


if __name__ == "__main__":
    main()
