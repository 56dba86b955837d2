"""Measure how well changes for good are told from light and passers-by.

    python benchmarks/changes.py [--seeds 0 1 ...] [--style shapes|rooms] [--keep DIR]

Each seed makes one sequence of a fixed camera, as a folder of JPEGs (even seeds) or an MP4 (odd
ones), with 3 to 9 changes, light that wanders and is switched, people who walk through or wait,
sensor noise and shake. A change is found when its moment is told to 3 frames (from when nobody
stands before it any more, too) and the boxes overlap by 0.3 of their union. What is told beyond
that is false. Thresholds were chosen on `shapes` with seeds below 100 and on `rooms` with seeds 200
to 207, and one of them on `rooms` with seed 305.
"""

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from made_changes import Planted, write

from vidgru import detect_changes
from vidgru.tools.changes.results import Box, Change
from vidgru.video.read import open_video

LATE = 3  # frames


def overlap(one: Box, other: Box) -> float:
    """Return the share of the union of two boxes that both have."""
    w = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    h = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    both = max(w, 0) * max(h, 0)
    return both / (one.width * one.height + other.width * other.height - both)


def matches_structure(told: Change, true: Planted) -> bool:
    """Return whether what is told is a planted change; of what moved, either place will do."""
    in_time = true.frame - LATE <= told.frame <= true.seen + LATE
    boxes = [box for box in (true.box, true.before) if box is not None]
    if true.before is not None:
        a, b = true.box, true.before
        x, y = min(a.x, b.x), min(a.y, b.y)
        right, low = max(a.x + a.width, b.x + b.width), max(a.y + a.height, b.y + b.height)
        boxes.append(Box(x, y, right - x, low - y))
    mine = [box for box in (told.box, told.before) if box is not None]
    return in_time and max(overlap(a, b) for a in boxes for b in mine) >= 0.3


def main() -> None:
    """Print a row for each sequence, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(100, 110)))
    parser.add_argument("--style", choices=("shapes", "rooms"), default="shapes")
    parser.add_argument("--keep", help="folder to keep the sequences in")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="  %(message)s")
    cv2.setNumThreads(1)
    sums = np.zeros(5)
    print(f"{'sequence':<16}{'frames':>7}{'planted':>8}{'found':>7}{'kind':>6}{'false':>7}"
          f"{'ms/frame':>10}{'decoding':>10}")  # fmt: skip
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(args.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for seed in args.seeds:
            path, planted = write(folder, seed, args.style)
            begin = time.perf_counter()
            with open_video(path) as video:
                frames = sum(1 for _ in video)
            decoding = time.perf_counter() - begin
            begin = time.perf_counter()
            told = list(detect_changes(path).changes)
            took = time.perf_counter() - begin
            found, kinds, lost = 0, 0, []
            left = list(told)
            for true in planted:
                hits = [one for one in left if matches_structure(one, true)]
                if not hits:
                    lost.append(true)
                    continue
                best = min(
                    hits, key=lambda one: (one.kind != true.kind, abs(one.frame - true.frame))
                )
                left.remove(best)
                found, kinds = found + 1, kinds + (best.kind == true.kind)
            print(f"{path.name:<16}{frames:>7}{len(planted):>8}{found:>7}{kinds:>6}{len(left):>7}"
                  f"{1000 * took / frames:>10.1f}{1000 * decoding / frames:>10.1f}")  # fmt: skip
            if args.verbose:
                for true in lost:
                    print("   lost ", true)
                for one in left:
                    print("   false", json.dumps(one.to_dict()))
            sums += [frames, len(planted), found, kinds, len(left)]
    print(f"{'all':<16}{sums[0]:>7.0f}{sums[1]:>8.0f}{sums[2]:>7.0f}{sums[3]:>6.0f}{sums[4]:>7.0f}")


if __name__ == "__main__":
    main()
