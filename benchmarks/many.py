"""How much faster two processes predict many clips than one, and the cost of a kill in the middle.

    python benchmarks/many.py FOLDER --model RUN [--clips 500] [--runs 3]

Fills a folder with copies (hard links) of the videos in FOLDER, and times whole commands,
in turns and by medians: `vidgru predict --out` with `--workers 1` and with `--workers 2`, and
without `--out`, where all is done in one process. Then it kills the second kind with SIGKILL when
half of the lines are written, resumes, and compares the file with an uninterrupted one.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from vidgru.video.find import find_files
from vidgru.video.read import VIDEO_SUFFIXES


def fill(folder: Path, source: Path, count: int) -> None:
    """Make `count` files out of the videos in a folder, taken in turn."""
    videos, _ = find_files(source, VIDEO_SUFFIXES)
    for number in range(count):
        video = videos[number % len(videos)]
        place = folder / f"{number:05d}{video.suffix}"
        try:
            os.link(video, place)
        except OSError:  # on another disk
            shutil.copy(video, place)


def seconds(command: list[str]) -> float:
    """Run a command to its end."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def kill_in_the_middle(command: list[str], out: Path, lines: int) -> int:
    """Kill a command when its file has a number of lines; return how many it has then."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if out.exists() and out.read_bytes().count(b"\n") >= lines:
                process.kill()
            time.sleep(0.05)
    return out.read_bytes().count(b"\n")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        clips = place / "clips"
        clips.mkdir()
        fill(clips, args.folder, args.clips)
        predict = [sys.executable, "-m", "vidgru", "predict", str(clips), "--model", args.model]
        kinds = {"--workers 1": ["--workers", "1"], "--workers 2": ["--workers", "2"]}
        times: dict[str, list[float]] = {kind: [] for kind in (*kinds, "without --out")}
        for run in range(args.runs):
            for kind, words in kinds.items():
                out = place / f"{run}{kind[-1]}.jsonl"
                times[kind].append(seconds([*predict, *words, "--out", str(out)]))
            times["without --out"].append(seconds([*predict, "--json"]))
        medians = {kind: statistics.median(found) for kind, found in times.items()}
        for kind, found in times.items():
            each = ", ".join(f"{one:.1f}" for one in found)
            print(f"{kind:14} {medians[kind]:6.1f} s   ({each})")
        print(f"{medians['--workers 1'] / medians['--workers 2']:.2f} x faster with two workers")
        files = [path.read_bytes() for path in place.glob("??.jsonl")]
        print("all files equal" if len(set(files)) == 1 else "files DIFFER")
        out = place / "killed.jsonl"
        command = [*predict, "--workers", "2", "--out", str(out)]
        have = kill_in_the_middle(command, out, args.clips // 2)
        seconds([*command, "--resume"])
        sources = [json.loads(line)["source"] for line in out.read_text().splitlines()]
        once = sources == [str(clip) for clip in sorted(clips.iterdir())]
        same = "equal" if out.read_bytes() == files[0] else "DIFFERENT"
        print(f"killed at {have} of {args.clips} lines and resumed: {same} byte for byte, ", end="")
        print("every clip once, in order" if once else "NOT every clip once in order")


if __name__ == "__main__":
    main()
