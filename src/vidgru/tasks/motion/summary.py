"""From motion fields to a summary: the camera's motion, and that of objects."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidgru.tasks.motion.camera import (
    SPREAD,
    Array,
    Similarity,
    View,
    camera_motion,
    fit_camera,
    heading,
    lengths,
)
from vidgru.tasks.motion.flow import MOVING
from vidgru.tasks.motion.results import (
    AHEAD,
    Ahead,
    Field,
    Heading,
    MotionField,
    MotionSecond,
    MovingThing,
)

SLOW = 0.015  # widths/s: slower motion in a cell, or slower than the spread, is no object's
SLACK = 0.25  # of the camera's speed, that what moves apart from it must exceed, too
AHEAD_SPREAD = 0.25  # times the spread: ahead it is large, although the way may be clear
MOSTLY = 0.5  # of what is predicted to move, where the prediction is sure
FASTER = 3.0  # times its fastest cell, which it fills in part: maximum predicted speed of an object
MIN_MOVING = 0.001  # of the picture: less is noise
MIN_SHARE = 0.05  # of a cell that moves: less gives no speed
ENOUGH, INSIDE = 12, 0.75  # fine cells a frame that a speed takes; the quantile of theirs
SECTORS = 72  # of the compass, to find the main direction


def _main_way(vectors: Array) -> NDArray[np.bool_]:
    """Return which vectors (N, 2) go in the main direction, to 45 degrees."""
    angles = np.arctan2(vectors[:, 1], vectors[:, 0])
    speed = lengths(vectors)
    sector = 2 * np.pi / SECTORS
    counts = np.bincount(np.floor(angles / sector).astype(int) % SECTORS, speed, SECTORS)
    near = SECTORS // 8 - 1  # whole sectors, within 45 degrees of the middle
    around = np.sum([np.roll(counts, n) for n in range(-near, near + 1)], axis=0)
    middle = (around.argmax() + 0.5) * sector
    # The peak is broad: its middle is the mean direction of its own vectors.
    for _ in range(2):
        chosen = np.cos(angles - middle) >= np.cos(np.pi / 4)
        x, y = vectors[chosen].sum(0) if chosen.any() else (np.cos(middle), np.sin(middle))
        middle = np.arctan2(y, x)
    return np.asarray(np.cos(angles - middle) >= np.cos(np.pi / 4), bool)


def _main(vectors: Array, shares: Array, width: int) -> Heading | None:
    """Return the main direction of cells' velocities (N, 2), weighted by shares (N,)."""
    if not len(vectors):
        return None
    chosen = _main_way(vectors)
    # Full cells give an object's speed best; in others, the velocity is only a part of it.
    weight = shares[chosen] ** 3
    x, y = weight @ vectors[chosen] / max(float(weight @ shares[chosen]), 1e-9)
    return heading(float(x), float(y), width)


def _measured_speed(main: Heading | None, rest: Array, least: Array, width: int) -> Heading | None:
    """Return a heading with the speed that the flow has there, if it shows enough.

    rest: the flow apart from the camera (frames, fine cells, 2), which counts from `least` on. A
    cell's mean velocity is below that of a thing that fills it in part; in the flow, most of the
    thing moves as it does, but for its border.
    """
    if main is None:
        return None
    way = np.array([math.sin(math.radians(main.degrees)), -math.cos(math.radians(main.degrees))])
    speed, along = lengths(rest), rest @ way
    seen = (speed >= least) & (along >= speed * math.cos(math.pi / 4))
    fast = [np.quantile(one[own], INSIDE) for one, own in zip(along, seen, strict=True)
            if own.sum() >= ENOUGH]  # fmt: skip
    if 2 * len(fast) < len(rest):
        return main
    # Not the mean: after a frame that came late, everything has moved twice as far.
    middle = float(np.median(fast))
    return dataclasses.replace(main, speed=middle, share=middle / width)


class ObjectMotion(NamedTuple):
    """Motion apart from the camera in some frames: velocity (frames, cells, 2) where not 0."""

    velocity: Array
    share: Array  # (frames, cells) of the cell that it fills


def _object_motion(velocity: Array, least: Array, camera: Array, moving: Array) -> ObjectMotion:
    """Return what is left of the velocity without the camera's (frames, cells, 2).

    Slower motion than `least` (frames, cells) counts as none; `moving` (frames, cells) is the share
    of each cell that moves, which is that of objects only for a still camera.
    """
    rest = velocity - camera
    speed, carried = lengths(rest), lengths(camera)
    there = speed > least + SLACK * carried
    rest = rest * there[..., None]
    # With the camera, everything moves. Then the fastest cells are assumed to be full.
    full = np.quantile(speed[there], 0.9) if there.any() else 1.0
    filled = np.clip(speed / max(full, 1e-9), MIN_SHARE, 1)
    known = np.clip(moving, MIN_SHARE, 1)
    share = np.where(carried.max(-1, keepdims=True) > 0, filled, known)
    return ObjectMotion(rest, share * there)


def _ahead(
    view: View, seconds: float, rest: Array, spread: Array, sure: NDArray[np.bool_], area: float
) -> Ahead:
    """Return the predicted motion, for velocities (cells, 2) apart from the camera's.

    `area` is the number of cells that the moving objects fill now, and are assumed to fill later.
    """
    speed = lengths(rest)
    there = speed > SLOW * view.width + AHEAD_SPREAD * spread
    if speed[there].sum() <= MIN_MOVING * len(speed) * SLOW * view.width or not there.any():
        return Ahead(seconds)
    vectors = rest[there]
    chosen = _main_way(vectors)
    x, y = vectors[chosen].sum(0)
    total, length = speed[there][chosen].sum(), np.hypot(x, y)
    fills = area * total / speed[there].sum()
    # It may leave the picture. No cell is faster than the object in it.
    least = float((speed[there][chosen] ** 2).sum()) / total * length / total
    most = FASTER * float(speed[there][chosen].max())
    fast = min(max(length / fills if fills else 0.0, least), most)
    scale = fast / max(length, 1e-9)
    weight = speed[there] / speed[there].sum()
    x0, y0 = float(view.x[there] @ weight), float(view.y[there] @ weight)
    return Ahead(
        seconds,
        heading(float(x * scale), float(y * scale), view.width),
        float(spread[there] @ weight),
        (x0 / view.width + 0.5, y0 / view.height + 0.5),
        float(sure[there] @ weight) >= MOSTLY,
    )


def summarise_second(
    fields: Sequence[MotionField], width: int, height: int, start: float, end: float
) -> tuple[MotionSecond, Field]:
    """Return the summary of a second's fields, at least one; and heat (grid, grid).

    Heat is the speed of what moves apart from the camera, summed over the fields, in pixels/s.
    """
    grid, count = fields[0].moving.shape[0], len(fields)
    view = View.of(grid, width, height)
    velocity = _stacked([f.velocity for f in fields]).reshape(count, 1 + len(AHEAD), grid**2, 2)
    spread = _stacked([f.spread for f in fields]).reshape(count, 1 + len(AHEAD), grid**2)
    moving = _stacked([f.moving for f in fields]).reshape(count, grid**2)
    now, sure = velocity[:, 0], spread[:, 0]
    moved, moves = fit_camera(view, now, sure)
    panned = moves.mean() >= 0.5  # else the camera is still, and something large passed
    if panned:
        mean = [part[moves].mean() for part in moved]
        moved = Similarity(*(np.where(moves, p, m) for p, m in zip(moved, mean, strict=True)))
    else:
        moved = Similarity(*(np.zeros_like(part) for part in moved))
    camera, least = view.flow(moved), SLOW * width + SPREAD * sure
    object_motion = _object_motion(now, least, camera, moving)
    share = float(object_motion.share.mean())
    moving_cells = object_motion.share > 0
    objects = _main(object_motion.velocity[moving_cells], object_motion.share[moving_cells], width)
    fine = View.of(fields[0].flow.shape[0], width, height)
    flow = _stacked([f.flow for f in fields]).reshape(count, len(fine.x), 2)
    shift = fine.flow(moved)
    fastest = MOVING * width + SLACK * lengths(shift)
    objects = _measured_speed(objects, flow - shift, fastest, width)
    if share < MIN_MOVING:
        share, objects = 0.0, None
    apparent = _object_motion(now, least, np.zeros_like(now), moving)
    moving_cells = apparent.share > 0
    motion = None
    if apparent.share.mean() >= MIN_MOVING:
        motion = _main(apparent.velocity[moving_cells], apparent.share[moving_cells], width)
        motion = _measured_speed(motion, flow, np.full_like(fastest, MOVING * width), width)
    later, off = velocity[-1, 1:], spread[-1, 1:]  # (len(AHEAD), cells, ...)
    if panned:
        going, goes = fit_camera(view, later, off)
        kept = (np.where(goes, g, m[-1]) for g, m in zip(going, moved, strict=True))
        later = later - view.flow(Similarity(*kept))
    least = SLOW * width + AHEAD_SPREAD * sure[-1:]
    area = float(_object_motion(now[-1:], least, camera[-1:], moving[-1:]).share.sum())
    area = max(area, share * grid**2)
    last = fields[-1].outcomes
    good = np.ones(off.shape, bool) if last is None else last.sure[1:].reshape(off.shape)
    ahead = [_ahead(view, *each, area) for each in zip(AHEAD, later, off, good, strict=True)]
    mean_field = now.mean(0).reshape(grid, grid, 2).astype(np.float32)
    second = MotionSecond(
        start, end, motion, share, objects, camera_motion(view, moved), tuple(ahead),
        mean_field, _moved(fields),
    )  # fmt: skip
    heat = lengths(object_motion.velocity).sum(0).reshape(grid, grid)
    return second, heat.astype(np.float32)


def _moved(fields: Sequence[MotionField]) -> tuple[MovingThing, ...] | None:
    """Return each thing that moved, as it was last, by id; None where none were asked for."""
    if fields[-1].things is None:
        return None
    things = [thing for field in fields for thing in field.things or ()]
    moved = {thing.id for thing in things if thing.last_seen == thing.time}
    last = {thing.id: thing for thing in things if thing.id in moved}
    return tuple(last[number] for number in sorted(last))


def _stacked(parts: Sequence[Any]) -> Array:
    return np.stack(parts).astype(np.float64)
