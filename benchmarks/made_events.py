"""Draw annotated videos of short events among background: what happens when is known to a frame.

    python benchmarks/made_events.py OUTPUT [--videos N] [--seed N] [--seconds 40]

Writes OUTPUT/NN.mp4 and OUTPUT/events.csv (path,label,start,end): in each video a thing wanders
slowly over a scene, and now and then it waves, spins or hops for ten frames to four seconds; what
lies between is `background`. The same bytes for the same seed, and another scene for each video.
"""

import argparse
import csv
import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from made_sets import MARGIN, Plan, scenery
from made_things import SCALE, blob, lay
from numpy.random import Generator

CLASSES = ("hop", "spin", "wave")
BACKGROUND = "background"
GAP = 1.2, 5.0  # seconds between events
LENGTHS = 0.4, 1.0, 2.0, 4.0  # seconds, the first is ten frames of the usual 25 a second


@dataclass(frozen=True)
class Event:
    """What happens between two frames of a video."""

    label: str
    start: int
    end: int


def plan_events(rng: Generator, frames: int, fps: int, lengths: tuple[float, ...]) -> list[Event]:
    """Return events in order; lengths are taken in turn, or from a range where there are two."""
    events, at = list[Event](), round(rng.uniform(*GAP) * fps)
    while True:
        seconds = lengths[rng.integers(len(lengths))]
        if len(lengths) == 2:  # short ones as often as long ones
            seconds = math.exp(rng.uniform(math.log(lengths[0]), math.log(lengths[1])))
        end = at + round(seconds * fps)
        if end + fps > frames:
            return events
        events.append(Event(CLASSES[rng.integers(len(CLASSES))], at, end))
        at = end + round(rng.uniform(*GAP) * fps)


def draw(path: Path, seed: tuple[int, ...], seconds: float, lengths: tuple[float, ...]) -> None:
    """Write a video, and what happens in it to events.csv beside it."""
    rng = np.random.default_rng(seed)
    wide, high, fps = 2 * int(rng.integers(48, 60)), 2 * int(rng.integers(36, 44)), 25
    plan = Plan("", 1, False, wide, high, fps, round(seconds * fps), rng.uniform(75, 170), 2.0, ())
    events = plan_events(rng, plan.frames, fps, lengths)
    ground, thing, size = scenery(rng, plan), blob(rng), rng.uniform(0.14, 0.24) * high
    paths = rng.uniform(0.03, 0.09, (2, 2)), rng.uniform(0, 2 * math.pi, (2, 2))
    beats = {event: rng.uniform(1.6, 2.6) for event in events}
    reach, turn, noise = rng.uniform(0.1, 0.16) * high, rng.uniform(0, 6), rng.uniform(1, 4)
    codec = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, fps, (wide, high))
    crop = np.column_stack([np.eye(2), (-SCALE * MARGIN, -SCALE * MARGIN)])
    scene = cv2.warpAffine(ground, crop, (wide * SCALE, high * SCALE))
    for index in range(plan.frames):
        time = index / fps
        rates, phases = paths
        wander = np.sin(2 * math.pi * rates * time + phases).sum(1) / 2
        at = (0.5 + 0.25 * wander) * (wide, high)
        tilt = turn + 0.3 * math.sin(0.4 * time)
        for event in events:
            if event.start <= index < event.end:
                phase = 2 * math.pi * beats[event] * (index - event.start) / fps
                if event.label == "wave":
                    at = at + np.array([reach * math.sin(phase), 0.0])
                elif event.label == "hop":
                    at = at - np.array([0.0, 1.4 * reach * abs(math.sin(phase / 2))])
                else:
                    tilt += phase
        picture = scene.astype(np.float32)
        lay(picture, thing, at, size, tilt)
        small = cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA)
        small = small + rng.normal(0, noise, small.shape)
        writer.write(np.clip(np.rint(small), 0, 255).astype(np.uint8))
    writer.release()
    write_events(path, events, plan.frames, fps)


def write_events(path: Path, events: list[Event], frames: int, fps: int) -> None:
    """Append to events.csv beside a video what happens in it, background too."""
    at, rows = 0, list[tuple[str, str, str, str]]()
    for event in [*events, Event("", frames, frames)]:
        for label, start, end in (
            (BACKGROUND, at, event.start),
            (event.label, event.start, event.end),
        ):
            if end > start:
                rows.append((path.name, label, f"{start / fps:.3f}", f"{end / fps:.3f}"))
        at = event.end
    table = path.with_name("events.csv")
    fresh = not table.exists()
    with open(table, "a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "start", "end")] * fresh + rows)


def make(folder: Path, videos: int, seed: int, seconds: float, lengths: tuple[float, ...]) -> Path:
    """Write so many videos into a new folder; return the list of their events."""
    folder.mkdir(parents=True)
    for number in range(videos):
        draw(folder / f"{number:02d}.mp4", (seed, number), seconds, lengths)
    return folder / "events.csv"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Draw annotated videos of short events.")
    parser.add_argument("output", type=Path, metavar="OUTPUT")
    parser.add_argument("--videos", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=40)
    options = parser.parse_args()
    print(make(options.output, options.videos, options.seed, options.seconds, LENGTHS))


if __name__ == "__main__":
    main()
