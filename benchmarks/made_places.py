"""Draw the view of a fixed camera: a place, objects that lie about, passers-by, and light.

`made_changes.py` and `made_scenes.py` put these together. Pictures are float32 (H, W, 3) in the
range of uint8; sprites have opacity as a fourth channel. Style `shapes` is textures, plain walls
and shelves, `rooms` is drawn otherwise.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parents[1] / "scripts"))
from drawn_scenes import shape, texture

Picture = NDArray[np.float32]


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
    """Return an object that may lie about."""
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
    """Bring a sprite's colours to a visible contrast, a low one every fourth time."""
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
    """Return people and cars who pass; some wait on their way."""
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
