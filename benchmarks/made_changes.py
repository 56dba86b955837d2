"""Draw sequences of a fixed camera in which objects appear, vanish and move: for `changes.py`.

The same seed and style draw the same bytes.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from made_places import Picture, Walker, ground, lights, paste, sprite, thing_at, walkers
from numpy.typing import NDArray

from vidgru.tools.changes.results import Box


@dataclass(eq=False)
class Thing:
    """A picture with opacity, where it is, and the frames start ... end - 1 that have it."""

    rgba: Picture
    x: int
    y: int
    start: int
    end: int

    @property
    def box(self) -> Box:
        """Where it is."""
        return Box(self.x, self.y, self.rgba.shape[1], self.rgba.shape[0])


@dataclass
class Planted:
    """A change in a sequence; `seen` is its first frame in which nobody hides it."""

    frame: int
    kind: str
    box: Box
    before: Box | None
    seen: int


def plan(
    rng: np.random.Generator, place: Picture, frames: int, style: str
) -> tuple[list[Thing], list[Planted]]:
    """Return the objects that are there at some time, and the changes that result."""
    height, width = place.shape[:2]
    things: list[Thing] = []
    planted: list[Planted] = []

    def put(start: int, rgba: Picture | None = None, near: Box | None = None) -> Thing | None:
        for _ in range(60):
            if rgba is None:
                wide = int(width * math.exp(rng.uniform(math.log(0.04), math.log(0.2))))
                tall = min(max(int(wide * rng.uniform(0.6, 1.6)), 8), height // 2)
                one = sprite(rng, wide, tall, style)
            else:
                one = rgba
            h, w = one.shape[:2]
            x, y = int(rng.uniform(2, width - w - 2)), int(rng.uniform(2, height - h - 2))
            if near is not None:  # pushed a little
                x = int(np.clip(near.x + rng.uniform(-1.5, 1.5) * w, 2, width - w - 2))
                y = int(np.clip(near.y + rng.uniform(-1, 1) * h, 2, height - h - 2))
                if max(abs(x - near.x) / w, abs(y - near.y) / h) < 0.5:
                    continue
            box = Box(x, y, w, h)
            others = [t for t in things if not (near is not None and t.box == near)]
            if all(apart(box, other.box) for other in others):
                if rgba is None:
                    thing_at(rng, place, one, x, y)
                things.append(Thing(one, x, y, start, frames))
                return things[-1]
        return None

    for _ in range(int(rng.integers(1, 4))):
        put(0)
    at = int(rng.integers(8, 16))
    while at <= frames - 8:
        long = max(20, 0.3 * frames)
        here = [t for t in things if t.end == frames and (t.start == 0 or at - t.start >= long)]
        kind = rng.choice(["appeared", "vanished", "moved"])
        thing = here[int(rng.integers(len(here)))] if here else None
        if kind == "appeared" or thing is None:
            if (new := put(at)) is not None:
                planted.append(Planted(at, "appeared", new.box, None, at))
        elif kind == "vanished":
            thing.end = at
            planted.append(Planted(at, "vanished", thing.box, None, at))
        else:
            near = thing.box if rng.random() < 0.4 else None
            if (new := put(at, thing.rgba, near)) is not None:
                thing.end = at
                planted.append(Planted(at, "moved", new.box, thing.box, at))
        at += int(rng.integers(10, 12 + frames // 6))
    return things, planted


def apart(one: Box, other: Box) -> bool:
    """Return whether boxes have a gap between them."""
    gap = 8
    return (
        one.x > other.x + other.width + gap or other.x > one.x + one.width + gap
        or one.y > other.y + other.height + gap or other.y > one.y + one.height + gap
    )  # fmt: skip


def make(seed: int, style: str) -> tuple[Iterator[NDArray[np.uint8]], list[Planted], int]:
    """Return the frames of a sequence, its changes, and how many frames there are."""
    rng = np.random.default_rng([seed, len(style)])
    frames = int(rng.integers(60, 301))
    width, height = [(640, 360), (480, 360), (800, 450), (320, 240)][int(rng.integers(4))]
    place = ground(rng, width, height, style)
    things, planted = plan(rng, place, frames, style)
    people = walkers(rng, width, height, frames, style)
    light = lights(rng, width, height, frames)
    noise, shake = rng.uniform(0.5, 6), rng.random() < 0.3
    for change in planted:
        box, frame = change.box, change.frame
        while frame < frames - 1 and hidden(box, people, frame):
            frame += 1
        change.seen = frame

    def render() -> Iterator[NDArray[np.uint8]]:
        for frame in range(frames):
            picture = place.copy()
            for thing in things:
                if thing.start <= frame < thing.end:
                    paste(picture, thing.rgba, thing.x, thing.y)
            for walker in people:
                if (at := walker.way[frame]) is not None:
                    paste(picture, walker.rgba, *at)
            picture *= light(frame)
            if shake:
                right, down = rng.integers(-1, 2, 2).tolist()
                matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
                size = width, height
                picture = np.asarray(
                    cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE),
                    np.float32,
                )
            picture += rng.normal(0, noise, picture.shape)
            yield np.clip(picture, 0, 255).astype(np.uint8)

    return render(), planted, frames


def hidden(box: Box, people: list[Walker], frame: int) -> bool:
    """Return whether people hide most of a box."""
    cover = np.zeros((box.height, box.width), bool)
    for walker in people:
        if (at := walker.way[frame]) is not None:
            h, w = walker.rgba.shape[:2]
            top, left = max(at[1] - box.y, 0), max(at[0] - box.x, 0)
            cover[top : max(at[1] - box.y + h, 0), left : max(at[0] - box.x + w, 0)] = True
    return bool(cover.mean() > 0.5)


def write(folder: Path, seed: int, style: str) -> tuple[Path, list[Planted]]:
    """Write a sequence, unless it exists; return its path, and its changes."""
    as_video = seed % 2 == 1
    path = folder / f"{style}-{seed}{'.mp4' if as_video else ''}"
    pictures, planted, _ = make(seed, style)
    if path.exists():
        return path, planted
    writer = None
    quality = int(np.random.default_rng(seed).integers(70, 96))
    fps = [10, 15, 25, 30][seed // 2 % 4]
    for number, rgb in enumerate(pictures):
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        if as_video:
            if writer is None:
                code = cv2.VideoWriter.fourcc(*"mp4v")
                writer = cv2.VideoWriter(str(path), code, fps, (bgr.shape[1], bgr.shape[0]))
            writer.write(bgr)
        else:
            path.mkdir(exist_ok=True)
            options = [cv2.IMWRITE_JPEG_QUALITY, quality]
            cv2.imwrite(str(path / f"{number:04d}.jpg"), bgr, options)
    if writer is not None:
        writer.release()
    return path, planted
