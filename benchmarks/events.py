"""How well `predict --timeline` finds short events in videos that it never saw.

    python benchmarks/events.py OUTPUT [--seed 0] [--videos 16] [--clips LOW HIGH]

Draws annotated videos of three kinds of events among background (see made_events.py), trains with
default options on so many of them, and measures on 12 others: of events of each length, the share
that is found with an overlap of half; what is predicted and finds none, a minute; and the measures
of `evaluate --timeline`. With --clips, it trains on a folder of clips of so many seconds that are
cut out of such videos: of each event all that it lasts, and of background as many as of one class,
or none with --no-background, when what is `unsure` with --max-error is no event.
"""

import argparse
import csv
import math
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

import cv2
import numpy as np
from made_events import BACKGROUND, CLASSES, LENGTHS, make

import vidgru
from vidgru.tasks.classify.timeline_metrics import match

Span = tuple[float, float, str]


def spans_of(table: Path) -> dict[Path, list[Span]]:
    """Return what happens in each video."""
    found = defaultdict[Path, list[Span]](list)
    with open(table, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            span = float(row["start"]), float(row["end"]), row["label"]
            found[table.parent / row["path"]].append(span)
    return found


def cut(table: Path, out: Path, lengths: tuple[float, float], background: bool) -> Path:
    """Write each event as a clip of its own, and pieces of background, into a folder a class."""
    rng = np.random.default_rng(0)
    clips, gaps = list[tuple[Path, Span]](), list[tuple[Path, Span]]()
    for video, spans in spans_of(table).items():
        for start, end, label in spans:
            if label != BACKGROUND:
                clips.append((video, (start, end, label)))
                continue
            seconds = math.exp(rng.uniform(math.log(lengths[0]), math.log(lengths[1])))
            if seconds <= end - start:
                begin = rng.uniform(start, end - seconds)
                gaps.append((video, (begin, begin + seconds, label)))
    count = len(clips) // len(CLASSES) if background else 0
    clips += [gaps[k] for k in rng.permutation(len(gaps))[:count]]
    for number, (video, (start, end, label)) in enumerate(clips):
        (out / label).mkdir(parents=True, exist_ok=True)
        capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG)
        fps = capture.get(cv2.CAP_PROP_FPS)
        size = int(capture.get(3)), int(capture.get(4))
        path, codec = out / label / f"{number:03d}.mp4", cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, fps, size)
        for index in range(round(end * fps)):
            picture = capture.read()[1]
            if index >= round(start * fps):
                writer.write(picture)
        writer.release()
    return out


def report(table: Path, run: Path, max_error: float | None) -> None:
    """Print which events of each length are found, and what is predicted where there is none."""
    by_length, false, minutes = defaultdict[float, list[bool]](list), 0, 0.0
    model: Any = vidgru.load(run, threads=1, max_error=max_error)
    for video, spans in spans_of(table).items():
        timeline = model.timeline(video)
        shown = [(s.start, s.end, s.label) for s in timeline.segments if not s.unsure]
        true, predicted = (
            [(*span, CLASSES.index(label)) for *span, label in some if label != BACKGROUND]
            for some in (spans, shown)
        )
        hits = match(true, predicted, 0.5)
        false, minutes = false + hits.count(None), minutes + timeline.seconds / 60
        for n, (start, end, _) in enumerate(true):
            by_length[round(end - start, 1)].append(n in hits)
    for length, good in sorted(by_length.items()):
        print(f"{length:g} s: {fmean(good):.3f} of {len(good)} found")
    print(f"false: {false / minutes:.2f} a minute")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure timelines on drawn events.")
    parser.add_argument("output", type=Path, metavar="OUTPUT")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--videos", type=int, default=16)
    parser.add_argument("--clips", type=float, nargs=2, metavar=("LOW", "HIGH"))
    parser.add_argument("--background", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--max-error", type=float)
    options = parser.parse_args()
    seed, out = options.seed, options.output
    lengths = tuple(options.clips or (0.4, 4.0))
    learned = make(out / "train", options.videos, 2 * seed, 40, lengths)
    table = make(out / "test", 12, 2 * seed + 1, 40, LENGTHS)
    if options.clips:
        learned = cut(learned, out / "clips", lengths, options.background)
    run = vidgru.train(learned, out=str(out / "run"), threads=1).run
    report(table, run, options.max_error)
    if options.background:
        found: Any = vidgru.evaluate(table, run, timeline=True, background=BACKGROUND, threads=1)
        frames, off = found.scores.accuracy.value, found.scores.boundary_error.value
        print(f"frames {frames:.3f}, boundaries {off:.3f} s off")


if __name__ == "__main__":
    main()
