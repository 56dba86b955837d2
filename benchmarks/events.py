"""How well `predict --timeline` finds short events in videos that it never saw.

    python benchmarks/events.py OUTPUT [--seed 0] [--videos 16]

Draws annotated videos of three kinds of events among background (see made_events.py), trains with
default options on so many of them, and measures on 12 others: of events of each length, the share
that is found with an overlap of half; what is predicted and finds none, a minute; and the measures
of `evaluate --timeline`.
"""

import argparse
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

from made_events import BACKGROUND, LENGTHS, make

import vidgru
from vidgru.tasks.classify.timeline_metrics import match


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Measure timelines on drawn events.")
    parser.add_argument("output", type=Path, metavar="OUTPUT")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--videos", type=int, default=16)
    options = parser.parse_args()
    seed = options.seed
    learned = make(options.output / "train", options.videos, 2 * seed, 40, (0.4, 4.0))
    table = make(options.output / "test", 12, 2 * seed + 1, 40, LENGTHS)
    run = vidgru.train(learned, out=str(options.output / "run"), threads=1).run
    found: Any = vidgru.evaluate(table, run, timeline=True, background=BACKGROUND, threads=1)
    by_length, false, minutes = defaultdict[float, list[bool]](list), 0, 0.0
    for video in found.videos:
        true, predicted = (
            [(s.start, s.end, found.labels.index(s.label)) for s in spans if s.label != BACKGROUND]
            for spans in (video.true, video.predicted)
        )
        hits = match(true, predicted, 0.5)
        false, minutes = false + hits.count(None), minutes + video.seconds / 60
        for n, (start, end, _) in enumerate(true):
            by_length[round(end - start, 1)].append(n in hits)
    for length, good in sorted(by_length.items()):
        print(f"{length:g} s: {fmean(good):.3f} of {len(good)} found")
    scores = found.scores
    print(f"false: {false / minutes:.2f} a minute")
    print(f"frames {scores.accuracy.value:.3f}, boundaries {scores.boundary_error.value:.3f} s off")


if __name__ == "__main__":
    main()
