"""What several benchmarks need: vidgru as a command, what it costs, and what it reads."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vidgru.data.folder import Clip

# A program that decodes every frame of a file.
READ = """if 1:
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


def draw_clip(path: Path) -> Path:
    """Encode 10 s of 1080p H.264 at 30 frames/s: a zoom into a fractal under moving noise."""
    if shutil.which("ffmpeg") is None:
        sys.exit("Give an H.264 clip: without the ffmpeg program none can be drawn here.")
    source = "mandelbrot=size=1920x1080:rate=30,noise=alls=6:allf=t"
    encode = ["-t", "10", "-c:v", "libx264", "-preset", "fast", "-crf", "23", "-pix_fmt", "yuv420p"]
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *encode, str(path)]
    subprocess.run(command, check=True)
    return path


def run_vidgru(*words: object) -> dict[str, Any]:
    """Return what a command prints as JSON, or exit with its message; it shows all unless -q."""
    command = [sys.executable, "-m", "vidgru", *map(str, words), "--json"]
    errors = subprocess.PIPE if "-q" in words else None
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr or ''}".rstrip())
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def write_list(path: Path, rows: Sequence[tuple[Clip, str]]) -> Path:
    """Write clips and their parts as a list that `vidgru train` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A single group cannot be split; the test clips have another.
    groups = {clip.group for clip, part in rows if part != "test"}
    with open(path, "w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "split", "group"])
        for clip, part in rows:
            group = clip.group if len(groups) > 1 else ""
            table.writerow([clip.path.resolve(), clip.label, part, group])
    return path
