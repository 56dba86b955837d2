"""Whether opening and reading video files survives mutated heads of seven formats.

    python benchmarks/fuzz_opener.py [--count 5000] [--seed 0] [--seconds 20] [--keep DIR]

Small good files are made here and their first kilobytes changed: bytes, blocks, sizes, lengths.
Each is read in a child process as far as 50 frames. Good is a VideoError of one line, or frames;
bad is any other exception, a warning, more than 1500 MB, a crash, or no end in time. Exits 1 when
there were any; these inputs are kept.
"""

import argparse
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.stream import VideoStream
from fuzz_changes import blind
from PIL import Image

from vidgru.core.errors import VideoError
from vidgru.video.read import open_video

HEAD = 4096  # bytes that are changed
FRAMES = 50
MEGABYTES = 1500
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


def attempt(path: Path) -> tuple[str, str]:
    """Read a file; return how that ended, and a note."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            with open_video(path) as video:
                while video.grab() is not None and video.frames_read < FRAMES:
                    video.retrieve()
            end, note = "read", ""
        except VideoError as error:
            end, note = "refused", str(error)
            if "\n" in note or str(path) not in note:
                end, note = "foreign", f"unclear: {note[:300]!r}"
        except Exception as error:
            end, note = "foreign", f"{type(error).__name__}: {str(error)[:200]!r}"
    if warned:
        end, note = "foreign", f"warning: {warned[0].message}"[:300]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if peak > MEGABYTES * (2**20 if sys.platform == "darwin" else 2**10):
        end, note = "foreign", f"memory {peak}, after {end}: {note}"
    return end, note


def serve() -> None:
    """Be a child: a path a line in, how it ended out."""
    resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30))
    for line in sys.stdin:
        print(json.dumps(attempt(Path(line.rstrip("\n")))), flush=True)


class Child:
    """A process that reads files, and is replaced when one of them ends it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.process: subprocess.Popen[str] | None = None

    def read(self, path: Path) -> tuple[str, str]:
        """Return how reading a file ended, and a note."""
        first = self.process is None
        if self.process is None:
            command = [sys.executable, __file__, "--serve"]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
        process = self.process
        late = threading.Event()

        def kill() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self.seconds + 60 * first, kill)
        timer.start()
        line = ""
        if process.stdin is not None and process.stdout is not None:
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
            line = process.stdout.readline()
        timer.cancel()
        if not line:
            self.process = None
            code = process.wait()
            return ("hang" if late.is_set() else "crash"), f"exit code {code}"
        end, note = json.loads(line)
        if note.startswith("memory"):
            self.close()  # its peak would stay
        return end, note

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None


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
        serve()
        return
    ends: dict[str, Counter[str]] = {}
    notes: Counter[str] = Counter()
    began, slowest = time.monotonic(), 0.0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_seeds(folder)
        seeds = sorted(folder.iterdir())
        child = Child(args.seconds)
        for number in range(args.count):
            seed = seeds[number % len(seeds)]
            chance = random.Random(f"{args.seed} {number}")
            path = folder / f"{args.seed}-{number}-{seed.name}"
            path.write_bytes(change(chance, seed.read_bytes()))
            start = time.monotonic()
            end, note = child.read(path)
            slowest = max(slowest, time.monotonic() - start if number else 0.0)
            ends.setdefault(seed.suffix, Counter())[end] += 1
            if end not in ("read", "refused"):
                notes[f"{seed.suffix}: {end}: {note.replace(place, '')}"] += 1
                args.keep.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, args.keep)
            path.unlink()
        child.close()
    kinds = ("read", "refused", "foreign", "crash", "hang")
    print(f"{'format':8}" + "".join(f"{kind:>9}" for kind in kinds))
    for suffix, counts in sorted(ends.items()):
        print(f"{suffix:8}" + "".join(f"{counts[kind]:9}" for kind in kinds))
    print(f"{time.monotonic() - began:.0f} s, the slowest {slowest:.1f} s, seed {args.seed}")
    for note, count in notes.most_common():
        print(f"{count:6} x {note}")
    sys.exit(bool(notes))


if __name__ == "__main__":
    main()
