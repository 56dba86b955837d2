"""Whether vidgru gives the right answers for the files of a folder with an expected.csv.

Its rows are file, what it is, right answer. This script checks the numbers in these answers;
motion and scenes come from the models shipped with vidgru. `odd_files.py FOLDER` runs it.
"""

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from vidgru.core.errors import VideoError
from vidgru.video.info import VideoInfo
from vidgru.video.read import Image, open_video

Check = Callable[[Path], str]  # returns what is wrong, or nothing


def read(path: Path) -> tuple[VideoInfo, list[float], list[Image]]:
    """Return the info of a file, and all its times and pictures."""
    with open_video(path) as video:
        frames = list(video)
        return video.info(), [frame.time for frame in frames], [frame.rgb for frame in frames]


def vidgru(*words: str) -> list[dict[str, object]]:
    """Run a command; return the objects that it prints."""
    command = [sys.executable, "-m", "vidgru", *words, "--json", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return [json.loads(line) for line in done.stdout.splitlines()]


def frames(
    count: int, seconds: float, grey: float | None = None, warnings: Sequence[str] = (),
    last: float | None = None, size: tuple[int, int] | None = None,
) -> Check:  # fmt: skip
    """Return a check of the number of frames, their times and pixels, and the warnings."""

    def check(path: Path) -> str:
        info, times, pictures = read(path)
        mean = float(np.mean([picture.mean() for picture in pictures]))
        bad = [
            f"{info.frames} frames" if info.frames != count else "",
            f"{info.seconds:.4f} s" if abs(info.seconds / seconds - 1) > 0.02 else "",
            f"last at {times[-1]:.3f} s" if last and abs(times[-1] - last) > 0.002 else "",
            f"mean grey {mean:.1f}" if grey and abs(mean - grey) > 4 else "",
            f"size {info.width}x{info.height}"
            if size and (info.width, info.height) != size else "",
            f"warnings {info.warnings}" if len(info.warnings) != len(warnings)
            or not all(word in text for word, text in zip(warnings, info.warnings, strict=True))
            else "",
            "times do not rise" if any(b <= a for a, b in pairwise(times)) else "",
        ]  # fmt: skip
        return ", ".join(filter(None, bad))

    return check


def refused(words: str) -> Check:
    """Return a check that a file is refused with such words."""

    def check(path: Path) -> str:
        try:
            return f"{read(path)[0].frames} frames"
        except VideoError as error:
            return "" if words in str(error) else str(error)

    return check


def cuts(*expected: int) -> Check:
    """Return a check of where scenes begin."""

    def check(path: Path) -> str:
        (result,) = vidgru("scenes", str(path))
        scenes: list[dict[str, int]] = result["scenes"]  # type: ignore[assignment]
        starts = [scene["start"] for scene in scenes[1:]]
        return "" if starts == list(expected) else f"cuts {starts}"

    return check


def heading(degrees: float, speed: float, share: float = 0.2) -> Check:
    """Return a check of the direction and speed (shown pixels/s) of the object in a film."""

    def check(path: Path) -> str:
        (result,) = vidgru("motion", str(path))
        seconds: list[dict[str, dict[str, float]]] = result["per_second"]  # type: ignore[assignment]
        moves = [second["objects"] for second in seconds[:2] if second["objects"]]
        good = [
            abs((move["degrees"] - degrees + 180) % 360 - 180) < 10
            and abs(move["speed"] / speed - 1) < share
            for move in moves
        ]
        found = [(round(m["degrees"]), round(m["speed"])) for m in moves]
        return "" if good and all(good) else f"motion {found}, not ({degrees}, {speed})"

    return check


def extracted(count: int) -> Check:
    """Return a check of how many pictures one a second makes."""

    def check(path: Path) -> str:
        with tempfile.TemporaryDirectory() as out:
            found = len(vidgru("extract", str(path), "-o", out, "--fps", "1", "--overwrite"))
        return "" if found == count else f"{found} pictures of extract --fps 1"

    return check


def round_circles(path: Path) -> str:
    """Check that circles stay round."""
    grey = cv2.cvtColor(read(path)[2][10], cv2.COLOR_RGB2GRAY)
    edges = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1]
    shapes, _ = cv2.findContours(edges, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    large = [cv2.fitEllipse(shape) for shape in shapes if cv2.contourArea(shape) > 2000]
    far = [max(axes) / min(axes) for _, axes, _ in large]
    return "" if far and min(far) < 1.03 else f"axes of circles {far}"


def edit_list(*words: str) -> Check:
    """Return a check that the edit list of a film's scenes contains such words."""

    def check(path: Path) -> str:
        with tempfile.TemporaryDirectory() as out:
            vidgru("scenes", str(path), "--edl", f"{out}/a.edl")
            text = Path(out, "a.edl").read_text()
        return ", ".join(f"no {word!r} in the edit list" for word in words if word not in text)

    return check


FOUR = cuts(40, 90, 135)
CHECKS: dict[str, Sequence[Check]] = {
    "inter264.mp4": [frames(50, 2.0, 123)],
    "inter_sc.mp4": [frames(195, 7.8, 115), FOUR],
    "interl.ts": [frames(50, 2.0, 123)],
    "sar.mp4": [frames(50, 2.0, size=(1024, 576)), round_circles],
    "m_sar.mp4": [frames(60, 2.0, size=(320, 240)), heading(135, 84.9)],
    "cover_first.mp4": [frames(195, 7.8, size=(320, 240)), FOUR],
    "cover_first2.mkv": [frames(195, 7.8, size=(320, 240)), FOUR],
    "audio_cover.mp4": [refused("holds no video, only an attached picture")],
    "audio_only.mp4": [refused("holds no video")],
    "av_key.mp4": [frames(195, 7.8)],
    "jump.ts": [frames(390, 15.6, warnings=["clock jumps"]), extracted(16)],
    "pause.ts": [frames(390, 15.6, warnings=["clock jumps"]), extracted(16)],
    "equal_times.mkv": [frames(120, 10.05, last=9.967)],
    "glitch.ts": [frames(75, 3.0, last=2.96)],
    "fast.mp4": [frames(60, 0.03)],
    "fast.mkv": [frames(60, 0.03)],
    "late.mp4": [frames(195, 7.8)],
    "tc.mov": [frames(195, 7.8), FOUR, edit_list("10:00:00:00", "10:00:01:15")],
    "tcdf.mov": [frames(195, 6.5065), edit_list("DROP FRAME", "01:00:00;00")],
    "midgop.ts": [frames(105, 4.2, warnings=["the start (1.32 s) cannot be decoded"])],
    "m_10in30.mp4": [frames(90, 3.0), heading(90, 60)],
    "m_8in24.mp4": [frames(72, 3.0), heading(90, 60)],
    "m_6in24.mp4": [frames(72, 3.0), heading(90, 60)],
    "s_grey.mp4": [frames(120, 4.8), cuts()],
    "s_dark.mp4": [frames(150, 6.0), cuts(50, 100)],
    "anim.webp": [frames(50, 2.0)],
    "pages.tif": [frames(6, 0.24)],
}


def check_answers(folder: Path) -> int:
    """Print each file's answers, right or wrong; return how many files are not right."""
    with open(folder / "expected.csv", newline="", encoding="utf-8") as table:
        rows = list(csv.reader(table))[1:]
    bad = 0
    for name, what, answer in rows:
        wrong = [fault for check in CHECKS[name] if (fault := check(folder / name))]
        bad += bool(wrong)
        print(f"{name:18}{'WRONG: ' + '; '.join(wrong) if wrong else 'right':8}  {what}: {answer}")
    print(f"\n{len(rows) - bad} of {len(rows)} files right")
    return bad
