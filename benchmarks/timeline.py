"""How accurate `predict --timeline` is, what an hour costs, and how long one step takes.

    python benchmarks/timeline.py accuracy FOLDER [--seeds 3]
    python benchmarks/timeline.py long FOLDER --model RUN [--minutes 60]
    python benchmarks/timeline.py step VIDEO --model RUN [--model RUN ...]

FOLDER holds labelled clips whose names contain groups (`seq07_...`), like UT-Interaction's.
accuracy: seven of the groups are held out, a model is trained on the others with default options,
40 of the held-out clips are joined in random order, and its timeline is compared with the truth:
share of the frames, boundaries between different labels that are found within 0.5 s (recall), and
found boundaries that are true (precision). long: clips are joined to videos of 1 and of --minutes,
whole commands are run on them, and the cost of each further minute is compared with decoding it
alone. step: one frame after another, in one thread, and the distance from the whole clip.
"""

import argparse
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from shared import READ, Cost, cost

import vidgru

FPS = 30
HELD, JOINED = 7, 40
TOLERANCE = 0.5  # seconds


def read(path: Path, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of a clip, blue first, at another size."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    while (read := capture.read())[0]:
        yield cv2.resize(read[1], size, interpolation=cv2.INTER_AREA)  # type: ignore[misc]


def join(clips: Sequence[Path], path: Path, size: tuple[int, int], frames: int) -> list[str]:
    """Write clips in order, repeated, at most `frames` frames; return labels."""
    labels: list[str] = []
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, size)
    while len(labels) < frames:
        for clip in clips:
            for frame in islice(read(clip, size), frames - len(labels)):
                writer.write(frame)
                labels.append(clip.parent.name)
        if frames == sys.maxsize:
            break
    writer.release()
    return labels


def compress(path: Path) -> Path:
    """Return the video as H.264, if the ffmpeg program is there."""
    if shutil.which("ffmpeg") is None:
        return path
    done = path.with_name(f"{path.stem}-h264.mp4")
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(path), "-c:v", "libx264", "-crf", "23"]
    subprocess.run([*command, str(done)], check=True)
    return done


def held_out(folder: Path, place: Path, seed: int) -> list[Path]:
    """Copy the clips of all but seven groups into `place`; return those of the seven."""
    clips = sorted(folder.glob("*/*.avi"))
    groups = {clip: re.search(r"(seq\d+)_", clip.name) for clip in clips}
    names = sorted({match[1] for match in groups.values() if match})
    held = set(random.Random(seed).sample(names, HELD))
    test = []
    for clip, match in groups.items():
        if match is None or match[1] in held:
            test.append(clip)
        else:
            (place / clip.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, place / clip.parent.name)
    return test


def accuracy(folder: Path, seed: int) -> list[float]:
    """Return frame accuracy, recall and precision of boundaries, and seconds of the timeline."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        test = held_out(folder, place / "clips", seed)
        random.Random(seed).shuffle(test)
        run = vidgru.train(place / "clips", out=str(place / "run")).run
        video = place / "joined.mp4"
        true = join(test[:JOINED], video, (320, 240), sys.maxsize)
        begun = time.perf_counter()
        timeline = vidgru.load(run, threads=1).timeline(video)
        seconds = time.perf_counter() - begun
    labels = [
        next(s.label for s in timeline.segments if n / FPS < s.end or s is timeline.segments[-1])
        for n in range(len(true))
    ]
    right = statistics.fmean(a == b for a, b in zip(true, labels, strict=True))
    here, there = boundaries(true), boundaries(labels)
    return [right, near(here, there), near(there, here), seconds]


def boundaries(labels: Sequence[str]) -> list[int]:
    """Return the frames that differ from the one before."""
    return [n for n in range(1, len(labels)) if labels[n] != labels[n - 1]]


def near(some: Sequence[int], others: Sequence[int]) -> float:
    """Return the share of some boundaries that have one of the others within the tolerance."""
    return statistics.fmean(any(abs(a - b) <= TOLERANCE * FPS for b in others) for a in some)


def timeline_cost(video: Path, model: str) -> Cost:
    """Run the whole command."""
    words = ["predict", str(video), "--timeline", "--model", model, "--json", "-q"]
    return cost(sys.executable, "-m", "vidgru", *words)


def compare(folder: Path, model: str, size: tuple[int, int], minutes: int, runs: int) -> None:
    """Print the cost of one minute and of many, and the ratio to decoding alone."""
    with tempfile.TemporaryDirectory() as name:
        place, clips = Path(name), sorted(folder.glob("*/*.avi"))
        random.Random(0).shuffle(clips)
        short, long = place / "short.mp4", place / "long.mp4"
        for path, length in ((short, 1), (long, minutes)):
            join(clips, path, size, length * 60 * FPS)
        short, long = compress(short), compress(long)
        found: dict[str, list[Cost]] = {"short": [], "long": [], "read short": [], "read long": []}
        for _ in range(runs):
            found["short"].append(timeline_cost(short, model))
            found["long"].append(timeline_cost(long, model))
            for name, path in (("read short", short), ("read long", long)):
                found[name].append(cost(sys.executable, "-c", READ, str(path)))
    middle = {
        key: Cost(*(statistics.median(each) for each in zip(*costs, strict=True)))
        for key, costs in found.items()
    }
    print(f"{size[0]}x{size[1]}, 1 and {minutes} minutes, medians of {runs}:")
    for key, item in middle.items():
        print(
            f"  {key:12} CPU {item.cpu:7.2f} s  wall {item.wall:7.2f} s  {item.megabytes:6.1f} MB"
        )
    for kind in ("cpu", "wall"):
        ours = getattr(middle["long"], kind) - getattr(middle["short"], kind)
        theirs = getattr(middle["read long"], kind) - getattr(middle["read short"], kind)
        a_minute = ours / (minutes - 1)
        print(
            f"  {kind}: each further minute {a_minute:.3f} s, {60 / a_minute:.0f} x real time; "
            f"work beyond decoding is {ours / theirs - 1:.2f} x decoding"
        )
    more = middle["long"].megabytes - middle["short"].megabytes
    print(f"  {more:.1f} MB more for the long one")


def step(video: Path, model: str) -> None:
    """Print the median time of a step, and its distance from the whole clip after 500 frames."""
    torch.set_num_threads(1)
    loaded = vidgru.load(model, threads=1)
    frames = [frame.rgb for frame in islice(loaded._sampled(video), 500)]
    pixels = loaded.normalised(frames)
    state: Any = None
    times, outputs = [], []
    with torch.inference_mode():
        for frame in pixels:
            begun = time.perf_counter()
            output, state = loaded.network.step(frame[None], state)
            times.append(time.perf_counter() - begun)
            outputs.append(output)
        far = (torch.cat(outputs) - loaded.network(pixels[None])[0]).abs().max()
    spec = loaded.spec
    print(
        f"{model}: {spec.core}, {spec.input}, {spec.size}x{spec.size}, {len(frames)} frames: "
        f"{1000 * statistics.median(times):.2f} ms a step, {far:.1e} from the whole clip"
    )


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=["accuracy", "long", "step"])
    parser.add_argument("path", type=Path)
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    if args.what == "accuracy":
        for seed in range(args.seeds):
            right, recall, precision, seconds = accuracy(args.path, seed)
            print(
                f"seed {seed}: {right:.3f} of the frames right; boundaries: recall {recall:.3f}, "
                f"precision {precision:.3f}; {seconds:.1f} s",
                flush=True,
            )
    elif args.what == "long":
        compare(args.path, args.model[0], (320, 240), args.minutes, 1)
        for size in ((640, 360), (1280, 720)):
            compare(args.path, args.model[0], size, 4, args.runs)
    else:
        for model in args.model:
            step(args.path, model)


if __name__ == "__main__":
    main()
