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
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru import find_changes
from vidgru.tools.changes.results import Box, Change
from vidgru.video.read import open_video

sys.path.append(str(Path(__file__).parents[1] / "scripts"))
from drawn_scenes import shape, texture

Picture = NDArray[np.float32]
LATE = 3  # frames


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
    """A change that a sequence has; `seen` is its first frame in which nobody hides it."""

    frame: int
    kind: str
    box: Box
    before: Box | None
    seen: int


def trimmed(rgba: NDArray[np.uint8], width: int, height: int) -> Picture:
    """Return a sprite's own part, in a size."""
    rows, columns = np.nonzero(rgba[..., 3] > 128)
    part = rgba[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)


def paste(picture: Picture, rgba: Picture, x: int, y: int) -> None:
    """Lay a sprite over a picture, as far as it is inside."""
    height, width = picture.shape[:2]
    top, left = max(y, 0), max(x, 0)
    part = rgba[top - y : max(height - y, 0), left - x : max(width - x, 0)]
    if part.size:
        alpha = part[..., 3:] / 255
        below = picture[top : top + part.shape[0], left : left + part.shape[1]]
        below += (part[..., :3] - below) * alpha


def ground(rng: np.random.Generator, width: int, height: int, style: str) -> Picture:
    """Return a place: `shapes` are textures, plain walls and shelves, `rooms` drawn otherwise."""
    side = 384
    if style == "shapes":
        kind = rng.choice(["texture", "wall", "shelf"])
        base = cv2.resize(texture(rng, side), (width, height)).astype(np.float32)
        if kind == "texture":
            return np.clip(base, 15, 240)
        wall = np.full((height, width, 3), rng.uniform(70, 200), np.float32)
        wall += rng.uniform(-20, 20, 3)
        floor = int(height * rng.uniform(0.55, 0.8))
        wall[floor:] = 0.6 * base[floor:] + 0.4 * base[floor:].mean((0, 1))
        for _ in range(int(rng.integers(2, 7))):
            w, h = (int(rng.uniform(0.08, 0.35) * n) for n in (width, height))
            x, y = int(rng.uniform(0, width - w)), int(rng.uniform(0, height - h))
            shade = [float(c) for c in rng.uniform(30, 220, 3)]
            cv2.rectangle(wall, (x, y), (x + w, y + h), shade, -1)
            cv2.rectangle(wall, (x, y), (x + w, y + h), [c * 0.6 for c in shade], 2)
        if kind == "shelf":
            for y in np.linspace(0, height, int(rng.integers(3, 6)))[1:-1]:
                wall[int(y) : int(y) + max(height // 40, 2)] = rng.uniform(30, 220, 3)
        return np.clip(wall, 15, 240)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    grain = cv2.GaussianBlur(
        rng.normal(0, 1, (height, width)).astype(np.float32), (0, 0), float(rng.uniform(0.7, 6))
    )
    grain *= rng.uniform(3, 25) / grain.std()
    slope = np.linspace(rng.uniform(60, 200), rng.uniform(60, 200), height, dtype=np.float32)
    picture = slope[:, None] + grain
    picture = picture[..., None] + rng.uniform(-25, 25, 3).astype(np.float32)
    horizon = height * rng.uniform(0.2, 0.6)
    tile = rng.uniform(0.1, 0.4)
    depth = (y - horizon).clip(1)
    u, v = (x - width / 2) / depth / tile, height / depth / tile
    pattern = ((np.floor(u) + np.floor(v)) % 2)[..., None]
    below = (y > horizon + 0.05 * height)[..., None]
    picture += below * pattern * rng.uniform(-40, 40, 3).astype(np.float32)
    for _ in range(int(rng.integers(0, 9))):  # bottles, books and windows
        w, h = int(rng.uniform(0.02, 0.2) * width), int(rng.uniform(0.1, 0.4) * height)
        a, b = int(rng.uniform(0, width)), int(rng.uniform(0, height))
        color = rng.uniform(20, 235, 3)
        if rng.random() < 0.5:
            cv2.ellipse(picture, (a, b), (w, h // 2), 0, 0, 360, color.tolist(), -1, cv2.LINE_AA)
        else:
            cv2.rectangle(picture, (a, b), (a + w, b + h), color.tolist(), -1)
    return np.asarray(np.clip(picture, 15, 240), np.float32)


def sprite(rng: np.random.Generator, width: int, height: int, style: str) -> Picture:
    """Return something that may lie about."""
    if style == "shapes":
        return trimmed(shape(rng), width, height)
    rgba = np.zeros((height, width, 4), np.float32)
    rgba[..., :3] = rng.uniform(20, 235, 3)
    kind = rng.choice(["box", "ball", "bottle"])
    if kind == "box":
        rgba[..., 3] = 255
        low, high = sorted(rng.uniform(0.15, 0.85, 2))
        rgba[int(low * height) : int(high * height), :, :3] = rng.uniform(20, 235, 3)
    elif kind == "ball":
        middle, axes = (width // 2, height // 2), (width // 2 - 1, height // 2 - 1)
        alpha = np.zeros((height, width), np.uint8)
        cv2.ellipse(alpha, middle, axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
        rgba[..., 3] = alpha
        shade = np.linspace(1.25, 0.6, height, dtype=np.float32)[:, None, None]
        rgba[..., :3] = (rgba[..., :3] * shade).clip(0, 255)
    else:
        rgba[height // 3 :, :, 3] = 255
        rgba[: height // 3, width // 3 : width - width // 3, 3] = 255
        rgba[height // 2 : 3 * height // 4, :, :3] = rng.uniform(20, 235, 3)
    return rgba


def thing_at(rng: np.random.Generator, place: Picture, rgba: Picture, x: int, y: int) -> None:
    """Bring a sprite's colours to a contrast that a person sees, little every fourth time."""
    h, w = rgba.shape[:2]
    under, inside = place[y : y + h, x : x + w], rgba[..., 3] > 128
    off = (rgba[..., :3] - under)[inside].mean(0)
    wanted = rng.uniform(14, 25) if rng.random() < 0.25 else rng.uniform(25, 90)
    far = float(np.abs(off).max())
    if far < 14 or wanted < 25:
        way = off / far if far > 3 else rng.choice([-1.0, 1.0]) * np.ones(3)
        rgba[..., :3] += way * wanted - off
    np.clip(rgba[..., :3], 5, 250, out=rgba[..., :3])


def lights(
    rng: np.random.Generator, width: int, height: int, frames: int
) -> Callable[[int], Picture]:
    """Return the light at a frame, (H, W, 3) or less, as factors."""
    y, x = np.mgrid[:height, :width].astype(np.float32) / width
    waves = rng.uniform(0.3, 2, 4), rng.uniform(0, 6.3, 4)
    depth = rng.uniform(0.03, 0.2), rng.uniform(0, 0.05, 3)
    spots = []
    for _ in range(int(rng.integers(1, 4))):
        gain = math.log(rng.uniform(1.2, 1.6) if rng.random() < 0.5 else rng.uniform(0.6, 0.85))
        spots.append((gain, rng.uniform(0.08, 0.3), rng.uniform(0, 1, 4), rng.uniform(0.5, 2)))
    steps = [
        (int(rng.uniform(0.05, 0.95) * frames), rng.uniform(-0.3, 0.3), rng.uniform(-0.06, 0.06, 3),
         rng.uniform(0, 1, 2) if rng.random() < 0.5 else None)
        for _ in range(int(rng.integers(1, 4)))
    ]  # fmt: skip

    def light(frame: int) -> Picture:
        t = frame / frames
        total = np.zeros((height, width, 3), np.float32)
        total += depth[0] * math.sin(6.3 * waves[0][0] * t + waves[1][0])
        total += depth[1] * np.sin(6.3 * waves[0][1:] * t + waves[1][1:])
        for gain, radius, (x0, y0, x1, y1), speed in spots:
            along = 0.5 - 0.5 * math.cos(6.3 * speed * t)
            a, b = x0 + (x1 - x0) * along, (y0 + (y1 - y0) * along) * height / width
            total += (gain * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * radius**2)))[..., None]
        for at, gain, color, middle in steps:
            if frame < at:
                continue
            if middle is None:
                total += gain + color
            else:
                far = (x - middle[0]) ** 2 + (y - middle[1] * height / width) ** 2
                total += (gain * 1.3 * np.exp(-far / 0.2))[..., None] + color
        return np.exp(total)

    return light


@dataclass
class Walker:
    """Someone whose left upper corner is at `way[frame]`, None when out of sight."""

    rgba: Picture
    way: list[tuple[int, int] | None]


def walkers(
    rng: np.random.Generator, width: int, height: int, frames: int, style: str
) -> list[Walker]:
    """Return people and cars who go through; some wait on their way."""
    found = []
    for _ in range(int(rng.integers(2, 3 + frames // 25))):
        tall = int(height * rng.uniform(0.08, 0.4))
        wide = max(int(tall * (rng.uniform(0.3, 0.5) if rng.random() < 0.8 else 1.8)), 4)
        rgba = sprite(rng, wide, tall, style)
        if style == "rooms":
            head = max(tall // 5, 2)
            rgba[:head, : wide // 4, 3] = rgba[:head, wide - wide // 4 :, 3] = 0
        crossing = int(rng.uniform(8, 50 if frames >= 120 else 25))
        begin, level = int(rng.uniform(-5, frames)), rng.uniform(0, height - tall)
        tilt, left = rng.uniform(-0.3, 0.3) * height, rng.random() < 0.5
        stop = rng.uniform(0.2, 0.8) if rng.random() < 0.25 else 2.0
        wait = int(rng.uniform(0.02, 0.08) * frames) + 2
        way: list[tuple[int, int] | None] = [None] * frames
        t = 0
        for frame in range(begin, frames):
            share = t / crossing
            if share > 1:
                break
            x = (share if left else 1 - share) * (width + wide) - wide
            bob = 0.02 * tall * math.sin(2 * frame)
            if frame >= 0:
                way[frame] = int(x), int(level + tilt * share + bob)
            if share >= stop and wait:
                wait -= 1
            else:
                t += 1
        found.append(Walker(rgba, way))
    return found


def plan(
    rng: np.random.Generator, place: Picture, frames: int, style: str
) -> tuple[list[Thing], list[Planted]]:
    """Return the things that are there at some time, and the changes that this means."""
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
    """Write a sequence, unless it is there; return where it is, and its changes."""
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


def overlap(one: Box, other: Box) -> float:
    """Return the share of the union of two boxes that both have."""
    w = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    h = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    both = max(w, 0) * max(h, 0)
    return both / (one.width * one.height + other.width * other.height - both)


def fits(told: Change, true: Planted) -> bool:
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
    sums = np.zeros(6)
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
            told = list(find_changes(path).changes)
            took = time.perf_counter() - begin
            found, kinds, lost = 0, 0, []
            left = list(told)
            for true in planted:
                hits = [one for one in left if fits(one, true)]
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
            sums += [frames, len(planted), found, kinds, len(left), 0]
    print(f"{'all':<16}{sums[0]:>7.0f}{sums[1]:>8.0f}{sums[2]:>7.0f}{sums[3]:>6.0f}{sums[4]:>7.0f}")


if __name__ == "__main__":
    main()
