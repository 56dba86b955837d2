"""How well `vidgru motion --things` follows generated things; `motion.py --things` prints it.

A thing counts in a frame if it moves apart from the camera and more than half of it can be seen.
Its id is that of the track that follows it in most of its frames, and right in frames where that
track is nearest to it. Positions half a second ahead are compared with constant velocity: from the
place and velocity that were measured, and from the true ones.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
from drawn_scenes import Layer, Scene
from numpy.typing import NDArray

from vidgru.tasks.motion.results import AHEAD, MotionField, MovingThing

SLOW = 0.03  # widths/s: slower things need not be followed
SEEN = 0.5  # of a thing, at least
SIDE = 96  # pixels across, to measure what is seen
SETTLED = 0.6  # seconds after which a thing must be followed
PLACE = AHEAD.index(0.5)
STEP = 0.04  # seconds, for velocities

Numbers = NDArray[np.float64]


class ThingScores(NamedTuple):
    """Sums over frames: of errors in pixels, of things, and of those with the right id."""

    model: list[float]
    measured: list[float]
    true: list[float]
    right: int
    frames: int
    tracks: int
    stray: int  # tracks that mostly follow nothing


def outline(layer: Layer) -> Numbers:
    """Return the points (3, N) of a shape's outline in its own coordinates."""
    rows, columns = layer.rgba.shape[:2]
    y, x = np.nonzero(cv2.morphologyEx((layer.rgba[..., 3] > 127).astype(np.uint8),
                                       cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))  # fmt: skip
    return np.stack([(x + 0.5) * 2 / columns - 1, (y + 0.5) * 2 / rows - 1, np.ones(len(x))])


def box(layer: Layer, points: Numbers, time: float, width: int) -> Numbers:
    """Return the corners (2, 2) of a shape's box in pixels, also beyond the picture."""
    placed = (layer.place(time) @ points)[:2] * width
    return np.stack([placed.min(1), placed.max(1)])


def seen(scene: Scene, time: float) -> list[float]:
    """Return which share of each shape can be seen."""
    size, shift = (3 * SIDE, round(3 * SIDE * scene.aspect)), np.diag([SIDE, SIDE, 1.0])
    shift[:2, 2] = SIDE, SIDE * scene.aspect  # with a margin all around
    shapes = []
    for layer in scene.layers[1:]:
        rows, columns = layer.rgba.shape[:2]
        own = np.diag([2 / columns, 2 / rows, 1.0])
        own[:2, 2] = -1
        matrix = (shift @ layer.place(time) @ own)[:2]
        shapes.append(cv2.warpAffine(layer.rgba[..., 3], matrix, size) > 127)
    inside = np.zeros(size[::-1], bool)
    inside[round(SIDE * scene.aspect) : round(2 * SIDE * scene.aspect), SIDE : 2 * SIDE] = True
    shares = []
    for number, own in enumerate(shapes):
        left = own & inside
        for over in shapes[number + 1 :]:
            left &= ~over
        shares.append(float(left.sum()) / max(float(own.sum()), 1))
    return shares


def own_speed(scene: Scene, number: int, time: float) -> float:
    """Return a shape's speed in widths/s, apart from the camera."""
    ground, layer = scene.layers[0], scene.layers[number]
    middle = np.array([0, 0, 1.0])
    back = ground.place(time - STEP) @ np.linalg.inv(ground.place(time))
    carried = back @ layer.place(time) @ middle
    return float(np.hypot(*(carried - layer.place(time - STEP) @ middle)[:2]) / STEP)


def near(things: Iterable[MovingThing], true: Numbers) -> MovingThing | None:
    """Return the thing whose middle is nearest to that of a true box, and within it."""
    middle, reach = true.mean(0), max(float(np.linalg.norm(true[1] - true[0])) / 2, 1)
    found = [
        (float(np.hypot(*((np.array(t.box[:2]) + t.box[2:]) / 2 - middle))), t.id, t)
        for t in things
    ]
    best = min(found, default=None)
    return best[2] if best and best[0] <= reach else None


def follow(scene: Scene, fields: Iterable[MotionField], width: int, seconds: float) -> ThingScores:
    """Return how well the things of fields follow the shapes of a scene."""
    points = [outline(layer) for layer in scene.layers[1:]]
    followed: dict[int, list[int]] = defaultdict(list)  # by shape: ids, 0 for none
    used: dict[int, Counter[bool]] = defaultdict(Counter)
    errors: tuple[list[float], list[float], list[float]] = ([], [], [])
    since: dict[int, float] = {}
    for field in fields:
        things = field.things or ()
        shares, hit = seen(scene, field.time), set()
        for number, layer in enumerate(scene.layers[1:]):
            true = box(layer, points[number], field.time, width)
            thing = near(things, true)
            if thing:
                hit.add(thing.id)
            moves = own_speed(scene, number + 1, field.time) > SLOW
            if not moves or shares[number] < SEEN:
                since.pop(number, None)
                continue
            if field.time - since.setdefault(number, field.time) < SETTLED:
                continue
            followed[number].append(thing.id if thing else 0)
            if thing is None or field.time + 0.5 > seconds:
                continue
            if seen(scene, field.time + 0.5)[number] < SEEN:
                continue
            for values, error in zip(errors, _errors(layer, points[number], thing, field.time,
                                                     width), strict=True):  # fmt: skip
                values.append(error)
        for thing in things:
            used[thing.id][thing.id in hit] += 1
    right = sum(Counter(n for n in ids if n).most_common(1)[0][1]
                for ids in followed.values() if any(ids))  # fmt: skip
    stray = sum(counts[False] > counts[True] for counts in used.values())
    return ThingScores(*errors, right, sum(map(len, followed.values())), len(used), stray)


def _errors(
    layer: Layer, points: Numbers, thing: MovingThing, time: float, width: int
) -> Iterator[float]:
    """Yield the errors of the path, of constant measured and of constant true velocity."""
    then = box(layer, points, time + 0.5, width).mean(0)
    now, before = (box(layer, points, time - late, width).mean(0) for late in (0, STEP))
    straight = np.array(thing.middle) + 0.5 * np.array(thing.velocity)
    for predicted in (np.array(thing.ahead[PLACE]), straight, now + 0.5 * (now - before) / STEP):
        yield float(np.linalg.norm(predicted - then))


def total(scores: list[ThingScores]) -> Iterator[tuple[str, float]]:
    """Yield the mean figures of some scenes, with what they are."""
    model, measured, true = (
        float(np.mean([error for one in found for error in one] or [np.nan]))
        for found in zip(*(one[:3] for one in scores), strict=True)
    )
    right, frames, tracks, stray = map(sum, zip(*(one[3:] for one in scores), strict=True))
    if not math.isnan(model):
        yield "+0.5 s, mean error, px", model
        yield "+0.5 s, error of the model / of constant measured velocity", model / measured
        yield "+0.5 s, error of the model / of constant true velocity", model / true
    if frames:
        yield "frames with the right id", right / frames
        yield "frames with a thing", frames
    yield "tracks", tracks
    yield "tracks that mostly follow nothing", stray
