"""Draw clips of two things of one size and speed, of which one decides the class.

`shape`: a disc, triangle or cross decides, beside a square. `way`: the light thing's direction
decides, beside a dark thing that goes anywhere. `event`: as `way`, but each thing moves only for a
part of the clip. `mark`: shapes and ways say nothing; only the shade of a small mark in one of
PLACES does.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from made_things import SCALE, Image, texture
from numpy.random import Generator
from numpy.typing import NDArray

SHAPES = ("disc", "triangle", "cross")
WAYS = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}
SHADES = {"dark": 40.0, "grey": 135.0, "light": 230.0}
KINDS = {"shape": SHAPES, "way": tuple(WAYS), "event": tuple(WAYS), "mark": tuple(SHADES)}
PLACES = {
    "upper left": (0.12, 0.12),
    "upper right": (0.88, 0.12),
    "lower left": (0.12, 0.88),
    "lower right": (0.88, 0.88),
    "top": (0.5, 0.1),
}
FPS = 15
WIDTH, HEIGHT = 112, 84


@dataclass(frozen=True)
class Drawn:
    """A clip: frames rgb uint8 (T, H, W, 3); centres of both things (T, 2) in shares, their radius.

    moving: whether each moves, (T,).
    """

    frames: NDArray[np.uint8]
    decider: NDArray[np.float64]
    distractor: NDArray[np.float64]
    radius: float  # share of the height
    moving: tuple[NDArray[np.bool_], NDArray[np.bool_]]

    def hits(self, x: float, y: float, frame: int, slack: float = 0.06) -> bool:
        """Return whether a point, in shares of the sides, lies on the decider."""
        across = (x - self.decider[frame, 0]) * WIDTH / HEIGHT
        return math.hypot(across, y - self.decider[frame, 1]) <= self.radius + slack

    def chance(self, slack: float = 0.06) -> float:
        """Return the share of the picture in which a point hits."""
        return math.pi * (self.radius + slack) ** 2 * HEIGHT / WIDTH


def _paint(
    picture: Image, kind: str, x: float, y: float, radius: float, colour: list[float]
) -> None:
    """Draw a shape of about the same area, whichever it is."""
    at = round(x), round(y)
    match kind:
        case "disc":
            cv2.circle(picture, at, round(radius), colour, -1, cv2.LINE_AA)
        case "square":
            half = round(0.88 * radius)
            low, high = (at[0] - half, at[1] - half), (at[0] + half, at[1] + half)
            cv2.rectangle(picture, low, high, colour, -1)
        case "triangle":
            turns = np.radians([-90, 30, 150])
            corners = 1.3 * radius * np.stack([np.cos(turns), np.sin(turns)], 1) + (x, y)
            cv2.fillPoly(picture, [np.rint(corners).astype(np.int32)], colour, cv2.LINE_AA)
        case "cross":
            for a, b in ((1.15, 0.42), (0.42, 1.15)):
                low = round(x - a * radius), round(y - b * radius)
                high = round(x + a * radius), round(y + b * radius)
                cv2.rectangle(picture, low, high, colour, -1)


def _paths(
    rng: Generator, directions: list[tuple[float, float]], radius: float, spans: list[float], n: int
) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Return centres (n, 2) and whether they move, of things that never touch."""
    ratio = HEIGHT / WIDTH
    room = np.array([1.25 * radius * ratio, 1.25 * radius])
    for _ in range(10_000):
        length, found = rng.uniform(0.3, 0.5), []  # of the height
        for (dx, dy), span in zip(directions, spans, strict=True):
            way = np.array([dx * ratio, dy]) * length
            start = rng.uniform(room, 1 - room)
            begin = rng.uniform(0, 1 - span)
            along = np.clip((np.linspace(0, 1, n) - begin) / span, 0, 1)
            path = start + along[:, None] * way
            moving = np.diff(along, prepend=along[0]) > 0
            found.append((path, moving))
        inside = all((p >= room).all() and (p <= 1 - room).all() for p, _ in found)
        apart = (found[0][0] - found[1][0]) / (ratio, 1)
        once = spans[0] == 1 or not (found[0][1] & found[1][1]).any()
        if inside and once and np.hypot(*apart.T).min() > 2.6 * radius:
            return found
    raise RuntimeError("no room for two things")


def draw(rng: Generator, kind: str, label: str, mark: tuple[float, float] | None = None) -> Drawn:
    """Return one clip of a class; `mark`: where the mark of the kind `mark` is, in shares."""
    length = (8, 12) if kind == "mark" else (18, 28)
    count, radius = int(rng.integers(*length)), rng.uniform(0.11, 0.14)
    angle = rng.uniform(0, 2 * math.pi, 2)
    ways = [(math.cos(a), math.sin(a)) for a in angle]
    if kind in ("way", "event"):
        ways = [WAYS[label], list(WAYS.values())[rng.integers(4)]]
    spans = [0.35, 0.35] if kind == "event" else [1.0, 1.0]
    paths = _paths(rng, ways, radius, spans, count)
    light = rng.uniform(90, 150)
    ground = texture(rng, SCALE * HEIGHT, SCALE * WIDTH, int(rng.integers(6, 12)), 18) + light
    if kind in ("shape", "mark"):
        # One colour for both: only the shape tells them apart.
        colours = [(light + rng.choice([-1, 1]) * 70 + rng.uniform(-25, 25, 3)).tolist()] * 2
        shapes = [label if kind == "shape" else str(rng.choice(SHAPES)), "square"]
    else:
        colours = [rng.uniform(215, 250, 3).tolist(), rng.uniform(5, 40, 3).tolist()]
        shapes = [str(rng.choice(["disc", "square"]))] * 2
    frames, size, noise = [], (WIDTH, HEIGHT), rng.uniform(1, 3)
    for n in range(count):
        picture = ground.copy()
        for (path, _), shape, colour in zip(paths, shapes, colours, strict=True):
            x, y = path[n] * (SCALE * WIDTH, SCALE * HEIGHT)
            _paint(picture, shape, x, y, SCALE * HEIGHT * radius, colour)
        if mark is not None:
            x, y = (round(m * SCALE * s) for m, s in zip(mark, size, strict=True))
            cv2.rectangle(picture, (x - 9, y - 9), (x + 9, y + 9), [SHADES[label]] * 3, -1)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
        picture += rng.normal(0, noise, picture.shape)
        frames.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
    (one, moves), (two, also) = paths
    return Drawn(np.stack(frames), one, two, radius, (moves, also))


def write(path: Path, frames: NDArray[np.uint8]) -> None:
    """Write frames without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = frames.shape[2], frames.shape[1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), FPS, size)
    if not writer.isOpened():
        raise SystemExit(f"this OpenCV cannot write {path}")
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()


def make(
    folder: Path, kind: str, clips: int, seed: int, mark: tuple[float, float] | None = None
) -> dict[Path, tuple[str, Drawn]]:
    """Write FOLDER/<class>/<n>.mkv, `clips` of each class; return what was drawn."""
    found = {}
    for number, label in enumerate(KINDS[kind]):
        for index in range(clips):
            rng = np.random.default_rng([seed, list(KINDS).index(kind), number, index])
            drawn = draw(rng, kind, label, mark)
            path = folder / label / f"{index:03}.mkv"
            write(path, drawn.frames)
            found[path] = label, drawn
    return found
