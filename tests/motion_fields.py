"""Motion fields whose truth is known: dense velocities, averaged over cells."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidgru.tasks.motion.fields import MotionPrediction
from vidgru.tasks.motion.results import AHEAD, MotionField

WIDTH, HEIGHT, GRID, FINE, FLOW = 1280, 720, 8, 20, 32


class Thing(NamedTuple):
    """A rectangle, in shares of the picture, and its velocity in pixels/s."""

    left: float
    top: float
    right: float
    bottom: float
    vx: float
    vy: float
    spin: float = 0.0  # rad/s, clockwise


def scene(
    object_motion: Sequence[Thing] = (),
    *,
    pan: tuple[float, float] = (0, 0),
    zoom: float = 1,
    turn: float = 0,
    noise: float = 0,
    spread: float = 10,
    seed: int = 0,
    width: int = WIDTH,
    height: int = HEIGHT,
    time: float = 0.5,
) -> MotionField:
    """Return the field of a scene; pan is the camera's, in pixels/s, turn in degrees/s."""
    places = (np.arange(GRID * FINE) + 0.5) / (GRID * FINE)
    y, x = np.meshgrid(places, places, indexing="ij")
    px, py, log, spin = (x - 0.5) * width, (y - 0.5) * height, math.log(zoom), -math.radians(turn)
    dense = np.stack([-pan[0] + log * px - spin * py, -pan[1] + log * py + spin * px], -1)
    for thing in object_motion:
        inside = (x >= thing.left) & (x < thing.right) & (y >= thing.top) & (y < thing.bottom)
        off = np.stack([x - (thing.left + thing.right) / 2, y - (thing.top + thing.bottom) / 2], -1)
        around = thing.spin * (off * (width, height))[..., ::-1] * (-1, 1)
        dense[inside] = (np.array([thing.vx, thing.vy]) + around)[inside]
    moving = cells(np.hypot(*dense.transpose(2, 0, 1)) > 1e-6)
    velocity = np.stack([cells(dense[..., 0]), cells(dense[..., 1])], -1)
    flow = dense.reshape(FLOW, GRID * FINE // FLOW, FLOW, GRID * FINE // FLOW, 2).mean((1, 3))
    velocity = velocity + np.random.default_rng(seed).normal(0, noise, velocity.shape)
    fields = np.repeat(velocity[None], 1 + len(AHEAD), 0).astype(np.float32)
    return MotionField(
        time,
        fields,
        np.full(fields.shape[:3], spread, np.float32),
        moving.astype(np.float32),
        flow.astype(np.float32),
    )


def cells(dense: NDArray[np.generic]) -> NDArray[np.float64]:
    return dense.astype(float).reshape(GRID, FINE, GRID, FINE).mean((1, 3))


CAR = Thing(0.2, 0.5, 0.45, 0.8, 300, 0)


def alone(velocity: Tensor, spread: Tensor, moving: Tensor) -> MotionPrediction:
    """Return a prediction of which only one thing may happen."""
    means, spreads = (
        torch.stack([one, one], dim=dim) for one, dim in ((velocity, -5), (spread, -4))
    )
    return MotionPrediction(velocity, spread, moving, means, spreads, torch.zeros_like(spread))


Cell = tuple[int, int, int]  # which field, row, column


def field(
    time: float = 0.0, cells: dict[Cell, tuple[float, float]] | None = None, spread: float = 0.0
) -> MotionField:
    shape = (1 + len(AHEAD), GRID, GRID)
    velocity = np.zeros((*shape, 2), np.float32)
    for cell, way in (cells or {}).items():
        velocity[cell] = way
    moving = (np.abs(velocity[0]).sum(-1) > 0).astype(np.float32)
    return MotionField(
        time,
        velocity,
        np.full(shape, spread, np.float32),
        moving,
        np.zeros((FLOW, FLOW, 2), np.float32),
    )


RATE = 12.5  # fields/s
Path = Callable[[float], tuple[float, float, float, float]]  # middle and velocity, in pixels


def shape(way: Path, time: float, width: float = 200, height: float = 160) -> Thing:
    """Return a rectangle on a path, as shares of the picture."""
    x, y, vx, vy = way(time)
    return Thing(
        (x - width / 2) / WIDTH, (y - height / 2) / HEIGHT,
        (x + width / 2) / WIDTH, (y + height / 2) / HEIGHT, vx, vy,
    )  # fmt: skip


def straight(x: float, y: float, vx: float, vy: float) -> Path:
    return lambda t: (x + vx * t, y + vy * t, vx, vy)


def fields(ways: Sequence[Path], seconds: float, **camera: object) -> list[MotionField]:
    """Return the fields of rectangles on paths."""
    times = [n / RATE for n in range(1, round(seconds * RATE))]
    return [scene([shape(way, t) for way in ways], time=t, **camera) for t in times]  # type: ignore[arg-type]
