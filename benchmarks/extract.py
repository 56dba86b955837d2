"""Compare the CPU time of `vidgru extract --fps 5 --format png` with plain sequential reading.

The other side reads every frame with cv2 and encodes the same images. Give a clip, best 10 s of
1080p H.264; left out, one is drawn with the ffmpeg program.
"""

import argparse
import csv
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

RATE = 5
PLAIN = """if 1:
    import csv, sys
    import cv2
    capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)
    with open(sys.argv[2], newline="", encoding="utf-8") as table:
        wanted = {int(row["index"]): row["file"] for row in csv.DictReader(table)}
    index = 0
    while True:
        good, image = capture.read()
        if not good:
            break
        if index in wanted:
            cv2.imwrite(f"{sys.argv[3]}/{wanted[index]}", image)
        index += 1
"""


def draw_clip(path: Path) -> Path:
    """Encode 10 s of 1080p H.264 at 30 frames/s: a zoom into a fractal under moving noise."""
    if shutil.which("ffmpeg") is None:
        sys.exit("Give an H.264 clip: without the ffmpeg program none can be drawn here.")
    source = "mandelbrot=size=1920x1080:rate=30,noise=alls=6:allf=t"
    encode = ["-t", "10", "-c:v", "libx264", "-preset", "fast", "-crf", "23", "-pix_fmt", "yuv420p"]
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *encode, str(path)]
    subprocess.run(command, check=True)
    return path


def cpu_seconds(*command: str) -> float:
    """Run a command; return the user and system seconds of its process, threads included."""
    before = os.times()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def check_pixels(clip: Path, folder: Path) -> int:
    """Compare every image with sequential decoding; return how many there are."""
    with open(folder / "frames.csv", newline="", encoding="utf-8") as table:
        files = {int(row["index"]): row["file"] for row in csv.DictReader(table)}
    capture, index, same = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG), 0, 0
    while True:
        good, image = capture.read()
        if not good:
            break
        if index in files:
            written = cv2.imread(str(folder / files[index]))
            same += written is not None and np.array_equal(written, image)
        index += 1
    if same != len(files) or not files:
        sys.exit(f"Only {same} of {len(files)} images equal sequential decoding.")
    return same


def main() -> None:
    """Measure both in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = args.clip or draw_clip(folder / "clip.mp4")
        ours = [sys.executable, "-m", "vidgru", "extract", str(clip), "-o", f"{folder}/out"]
        ours += ["--fps", str(RATE), "--format", "png", "--overwrite"]
        (folder / "plain").mkdir()
        plain = [sys.executable, "-c", PLAIN, str(clip), f"{folder}/out/frames.csv"]
        plain += [f"{folder}/plain"]
        times: dict[str, list[float]] = {"vidgru extract": [], "cv2 read + imwrite": []}
        for _ in range(args.runs):
            times["vidgru extract"].append(cpu_seconds(*ours))
            times["cv2 read + imwrite"].append(cpu_seconds(*plain))
        count = check_pixels(clip, folder / "out")
    print(f"{count} images at {RATE} frames/s equal sequential decoding pixel for pixel\n")
    print(f"{'CPU seconds':20}{'median':>8}{'least':>8}{'most':>8}")
    for label, seconds in times.items():
        middle = statistics.median(seconds)
        print(f"{label:20}{middle:8.2f}{min(seconds):8.2f}{max(seconds):8.2f}")
    ours_median, plain_median = (statistics.median(seconds) for seconds in times.values())
    print(f"\nratio {ours_median / plain_median:.2f}")


if __name__ == "__main__":
    main()
