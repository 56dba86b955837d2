"""What `vidgru predict` costs beyond importing torch, and whether long videos cost more memory.

    python benchmarks/predict.py [CLIP] [--model RUN]
    python benchmarks/predict.py --long [--model RUN]

The first compares, in turns and by medians, (a) `vidgru predict CLIP` minus a process that only
imports what predict imports (torch, safetensors, cv2, numpy, click, rich, tqdm) with (b) a process
that reads every frame of CLIP with cv2 minus one that only imports cv2. The second predicts a video
of 1 minute and one of 30 minutes and compares the most memory that each process held. Left out,
CLIP is drawn with the ffmpeg program and RUN is trained for one epoch on sample_videos.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from extract import draw_clip

SAMPLES = Path(__file__).parents[1] / "sample_videos"
IMPORTS = """if 1:
    import click, cv2, numpy, rich.console, rich.table, safetensors.torch, torch, tqdm
"""
BARE = "import cv2"
PLAIN = """if 1:
    import sys
    import cv2
    capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)
    while capture.read()[0]:
        pass
"""


class Cost(NamedTuple):
    """CPU seconds (user and system, all threads), wall seconds, and most memory in MB."""

    cpu: float
    wall: float
    megabytes: float


def cost(*command: str) -> Cost:
    """Run a command to its end."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    peak = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return Cost(usage.ru_utime + usage.ru_stime, wall, peak)


def predict(clip: Path, model: str) -> list[str]:
    """Return the command that predicts a clip."""
    return [sys.executable, "-m", "vidgru", "predict", str(clip), "--model", model, "--json"]


def compare(clip: Path, command: list[str], runs: int) -> None:
    """Measure a command that reads a clip and three other processes in turn; print medians."""
    commands = {
        f"vidgru {command[3]}": command,
        "  its imports": [sys.executable, "-c", IMPORTS],
        "cv2 reads all": [sys.executable, "-c", PLAIN, str(clip)],
        "  its import": [sys.executable, "-c", BARE],
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, words in commands.items():
            costs[name].append(cost(*words))
    print(f"{'seconds, medians of ' + str(runs):24}{'CPU':>8}{'wall':>8}")
    medians = []
    for name, found in costs.items():
        middle = [statistics.median(each) for each in zip(*found, strict=True)]
        print(f"{name:24}{middle[0]:8.2f}{middle[1]:8.2f}")
        medians.append(middle)
    for at, kind in enumerate(("CPU", "wall")):
        ours, theirs = medians[0][at] - medians[1][at], medians[2][at] - medians[3][at]
        print(f"{kind}: {ours:.2f} s beyond imports / {theirs:.2f} s = ratio {ours / theirs:.2f}")


def draw_video(path: Path, minutes: int) -> Path:
    """Write 640x360 at 25 frames/s: a bright square that wanders over grey."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (640, 360))
    frame = np.full((360, 640, 3), 90, np.uint8)
    for n in range(minutes * 60 * 25):
        x, y = n * 3 % 560, n * 2 % 280
        frame[y : y + 80, x : x + 80] = 220
        writer.write(frame)
        frame[y : y + 80, x : x + 80] = 90
    writer.release()
    return path


def compare_lengths(folder: Path, model: str) -> None:
    """Print the most memory that predicting a short and a long video takes."""
    peaks = []
    for minutes in (1, 30):
        found = cost(*predict(draw_video(folder / f"{minutes}.mp4", minutes), model))
        peaks.append(found.megabytes)
        print(f"{minutes:3} min: {found.megabytes:7.1f} MB at most, {found.wall:6.1f} s")
    print(f"difference {peaks[1] - peaks[0]:.1f} MB")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("clip", nargs="?", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--long", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = args.model
        if model is None:
            model = str(folder / "run")
            cost(
                *[sys.executable, "-m", "vidgru", "train", str(SAMPLES)],
                "--epochs=1",
                "--out",
                model,
            )
        if args.long:
            compare_lengths(folder, model)
        else:
            clip = args.clip or draw_clip(folder / "clip.mp4")
            compare(clip, predict(clip, model), args.runs)


if __name__ == "__main__":
    main()
