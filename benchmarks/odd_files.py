"""Run every file of a folder through `vidgru extract`, and `predict` with --model, one by one.

Each must give its frames, or exit 1 with one clear sentence: no traceback, no hang, no silence, no
huge memory. Where the folder holds a manifest.csv (columns file, read_frames and size, from a plain
reader), frames and picture sizes are compared with it. Where it holds an expected.csv of
right answers, these are checked instead (odd_answers.py). Exits 1 when any file fails.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
from odd_answers import check_answers

SECONDS = 120
MEGABYTES = 1500
LISTS = {"manifest.csv", "groups.csv"}


@dataclass(frozen=True)
class Run:
    """How one command ended; peak in MB, `results` counts its lines on stdout."""

    code: int
    results: int
    seconds: float
    peak: float
    stderr: str

    def problem(self) -> str:
        """Return what is wrong with how it ended, or ""."""
        says = [line for line in self.stderr.splitlines() if line.startswith("Error: ")]
        if self.code < 0:
            return "hung" if self.seconds >= SECONDS else f"died of signal {-self.code}"
        if "Traceback" in self.stderr:
            return "traceback"
        if self.peak > MEGABYTES:
            return "too much memory"
        if self.code not in (0, 1) or (self.code == 1) != (len(says) == 1):
            return "exit code and message do not fit"
        return "silent failure" if self.code == 0 and not self.results else ""


def run(*words: str) -> Run:
    """Run `vidgru` with a time limit."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        begin = time.monotonic()
        command = [sys.executable, "-m", "vidgru", *words]
        process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        timer = threading.Timer(SECONDS, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begin
        peak = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        out.seek(0)
        err.seek(0)
        results = sum('"error"' not in line for line in out)
        return Run(process.returncode, results, seconds, peak, err.read())


def unlike(expected: dict[str, str] | None, done: Run, folder: Path) -> str:
    """Return how the extracted frames differ from the manifest's row, or ""."""
    if expected is None:
        return ""
    frames = int(expected["read_frames"])
    # Reading on past damage, or a codec that the plain reader lacked, may give more.
    if done.results < frames or (done.results > frames > 0 and "damaged" not in done.stderr):
        return f"{done.results} frames, expected {frames}"
    files = sorted(folder.glob("*.jpg"))
    if len(files) != done.results:
        return f"{len(files)} files for {done.results} results"
    image = cv2.imread(str(files[0])) if files else None
    size = "" if image is None else f"{image.shape[1]}x{image.shape[0]}"
    known = expected["size"] and frames
    return f"size {size} is not {expected['size']}" if known and size != expected["size"] else ""


def main() -> None:
    """Run all files and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", help="a run folder or model file: try `predict` too")
    args = parser.parse_args()
    if (args.folder / "expected.csv").exists():
        sys.exit(bool(check_answers(args.folder)))
    manifest: dict[str, dict[str, str]] = {}
    if (args.folder / "manifest.csv").exists():
        with open(args.folder / "manifest.csv", newline="", encoding="utf-8") as table:
            manifest = {row["file"]: row for row in csv.DictReader(table)}
    bad = 0
    print(
        f"{'file':48}{'verb':8}{'exit':>5}{'results':>8}{'s':>6}{'MB':>6}  problem, or stderr's end"
    )
    for path in sorted(args.folder.iterdir()):
        if path.name in LISTS:
            continue
        runs: list[tuple[str, Run, str]] = []
        with tempfile.TemporaryDirectory() as out:
            done = run("extract", str(path), "-o", out, "--every", "1", "--json")
            differs = unlike(manifest.get(path.name), done, Path(out))
            runs.append(("extract", done, done.problem() or differs))
        if args.model:
            done = run("predict", str(path), "--model", args.model, "--json")
            runs.append(("predict", done, done.problem()))
        for verb, done, problem in runs:
            bad += bool(problem)
            last = (done.stderr.splitlines() or [""])[-1].replace(str(args.folder) + os.sep, "")
            print(
                f"{path.name[:47]:48}{verb:8}{done.code:5}{done.results:8}{done.seconds:6.1f}"
                f"{done.peak:6.0f}  {f'PROBLEM: {problem}. ' if problem else ''}{last}",
                flush=True,
            )
    print(f"\n{bad} problems")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
