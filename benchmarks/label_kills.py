"""What is left of the labels when the server of `vidgru label` is killed.

    python benchmarks/label_kills.py [--kills 20] [--seed 0]

A script marks stretches in Chromium by keys, one after another, until SIGKILL ends the server at a
random moment. Then all that the page showed, and all that was pressed more than a second before,
must be in the list, and each of its lines must be whole.
"""

import argparse
import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Timer

import av
import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

FRAMES, FPS = 3000, 10
PAUSE = 200  # milliseconds between marks, faster than people are
KEYS = """(keys) => keys.forEach((key) => document.body.dispatchEvent(
  new KeyboardEvent("keydown", { key, code: key === "1" ? "Digit1" : "", bubbles: true })))"""
SHOWN = "document.querySelectorAll('#labels button.segment').length"


def write(path: Path) -> None:
    """Write a film on whose frames a bar moves."""
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(FRAMES):
            frame = np.full((96, 160, 3), 90, np.uint8)
            frame[:, number % 150 : number % 150 + 10] = 230
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        out.mux(stream.encode())


def mark(page: Page, process: subprocess.Popen[str], after: float) -> tuple[list[float], int]:
    """Mark single frames until the server is killed.

    Return how many seconds before each was marked, and how many the page showed.
    """
    times = list[float]()

    def kill() -> None:
        times.append(time.monotonic())
        os.kill(process.pid, signal.SIGKILL)

    killer = Timer(after, kill)
    killer.start()
    pressed, shown = list[float](), 0
    while process.poll() is None:
        page.evaluate(KEYS, ["i", "o", "1", "ArrowRight", "ArrowRight"])
        pressed.append(time.monotonic())
        shown = max(shown, page.evaluate(SHOWN))
        page.wait_for_timeout(PAUSE)
    killer.join()
    before = [times[0] - when for when in pressed if when < times[0]]
    return before, max(shown, page.evaluate(SHOWN))


def one_kill(browser: Browser, folder: Path, after: float) -> bool:
    """Label in a new folder until a kill; print what is left, and return whether that is all."""
    out = folder / "labels.csv"
    out.unlink(missing_ok=True)
    command = [sys.executable, "-m", "vidgru", "label", "a.mp4", "--no-browser", "--classes", "x"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("The server has no output.")
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(process.stdout.readline().strip())
        page.wait_for_selector("#picture[data-frame]")
        pressed, shown = mark(page, process, after)
        page.close()
    with open(out, newline="") as file:
        rows = list(csv.reader(file, strict=True))[1:]
    old = sum(before > 1 for before in pressed)
    whole = all(len(row) == 4 and float(row[3]) > float(row[2]) for row in rows)
    good = whole and len(rows) >= max(old, shown)
    print(
        f"after {after:.2f} s: {len(pressed)} pressed, {old} of them more than 1 s before, "
        f"{shown} shown, {len(rows)} in the list{'' if good else ': LOST'}",
        flush=True,
    )
    return good


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, program = random.Random(options.seed), shutil.which("chromium")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        write(Path(name) / "a.mp4")
        browser = playwright.chromium.launch(executable_path=program)
        kills = [one_kill(browser, Path(name), rng.uniform(1, 4)) for _ in range(options.kills)]
        browser.close()
    print(f"{sum(kills)} of {len(kills)} kills lost nothing older than a second")
    sys.exit(not all(kills))


if __name__ == "__main__":
    main()
