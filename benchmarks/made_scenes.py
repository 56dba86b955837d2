"""Drawn films in which much changes and no scene ends, and dark ones in which scenes do.

`scenes.py --made` measures on them. The films are drawn unlike those that the shipped model was
trained on: places and people are those of `made_places.py` in the style `rooms`.
"""

import math
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from made_places import Picture, ground, paste, sprite
from numpy.typing import NDArray

from vidgru.video.read import Image

SIZE = WIDTH, HEIGHT = 320, 240
FRAMES = 300
THINGS = 5  # in a film
WAYS = ("cross", "cross", "cross", "reach", "enter", "leave", "shadow", "bring")


def arm(rng: np.random.Generator, long: int) -> Picture:
    """Return a forearm with a hand, its fingers up, of one colour with some shading."""
    wide = max(int(long * rng.uniform(0.15, 0.35)), 6)
    rgba = np.zeros((long, wide, 4), np.float32)
    alpha = np.zeros((long, wide), np.uint8)
    palm = wide // 2
    cv2.rectangle(alpha, (wide // 4, palm), (wide - wide // 4, long), 255, -1)
    cv2.ellipse(alpha, (palm, palm), (palm - 1, palm - 1), 0, 0, 360, 255, -1)
    for finger in range(int(rng.integers(0, 5))):
        cv2.line(alpha, (palm, palm), (finger * wide // 4, 0), 255, max(wide // 8, 2))
    shade = np.linspace(1.2, 0.7, wide, dtype=np.float32)[None, :, None]
    rgba[..., :3] = rng.uniform([120, 70, 50], [235, 190, 170]) * shade
    if rng.random() < 0.5:  # a sleeve
        rgba[long // 2 :, :, :3] = rng.uniform(20, 220, 3) * shade
    rgba[..., 3] = alpha
    return np.clip(rgba, 0, 255)


def thing(rng: np.random.Generator) -> Picture:
    """Return a person or an object, from a tenth of the view to more than all of its height."""
    tall = int(HEIGHT * math.exp(rng.uniform(math.log(0.1), math.log(1.1))))
    wide = int(tall * (rng.uniform(0.3, 0.6) if rng.random() < 0.6 else rng.uniform(1, 2.2)))
    return sprite(rng, min(max(wide, 8), int(0.8 * WIDTH)), tall, "rooms")


def passing(rng: np.random.Generator) -> Iterator[Image]:
    """Yield the frames of a film of a fixed camera in whose view THINGS events happen.

    They cross it at any speed, reach into it from a border, come and stay, go, cast a shadow, or
    bring something. No scene ends.
    """
    place = ground(rng, WIDTH, HEIGHT, "rooms")
    starts = np.linspace(10, FRAMES - 60, THINGS) + rng.uniform(-8, 8, THINGS)
    acts = [_act(rng, str(rng.choice(WAYS)), int(start)) for start in starts]
    noise, waves = rng.uniform(0.5, 5), rng.uniform(0, 0.06)
    for frame in range(FRAMES):
        picture = place.copy()
        for act in acts:
            act(picture, frame)
        picture *= 1 + waves * math.sin(frame / 40)
        picture += rng.normal(0, noise, picture.shape)
        yield picture.clip(0, 255).astype(np.uint8)


def _act(rng: np.random.Generator, way: str, start: int) -> Callable[[Picture, int], None]:
    """Return what draws one object over the picture of a frame."""
    rgba = arm(rng, int(rng.uniform(0.3, 0.9) * HEIGHT)) if way == "reach" else thing(rng)
    h, w = rgba.shape[:2]
    frames = int(math.exp(rng.uniform(math.log(5), math.log(70))))
    stay = int(rng.integers(5, 60))
    level = int(rng.uniform(-0.2 * h, HEIGHT - 0.6 * h))
    left, last = rng.random() < 0.5, WIDTH * rng.uniform(0.15, 0.85) - w / 2
    quarter, aside = int(rng.integers(4)), rng.uniform(0.1, 0.9)
    if way == "reach":
        rgba = np.ascontiguousarray(np.rot90(rgba, quarter))
        h, w = rgba.shape[:2]
    left_there = thing(rng) if way == "bring" else None

    def share(t: float) -> float:
        return 0.5 - 0.5 * math.cos(math.pi * min(max(t, 0.0), 1.0))

    def act(picture: Picture, frame: int) -> None:
        t = (frame - start) / frames
        if way in ("cross", "shadow", "bring"):
            x = -w + t * (WIDTH + w)
            if left_there is not None and t > 0.5:
                small = left_there[::3, ::3]
                paste(picture, small, WIDTH // 2, max(min(level + h, HEIGHT) - small.shape[0], 0))
            if not 0 <= t <= 1:
                return
        elif way == "reach":
            inside = share(t) - share(t - 1 - stay / frames)
            across, down = aside * WIDTH - w / 2, aside * HEIGHT - h / 2
            x = (across, WIDTH - inside * w, across, inside * w - w)[quarter]
            y = (HEIGHT - inside * h, down, inside * h - h, down)[quarter]
            if inside > 0:
                paste(picture, rgba, round(x), round(y))
            return
        else:
            way_in = share(t) if way == "enter" else 1 - share(t)
            x = -w + way_in * (last + w)
        x = x if left else WIDTH - w - x
        if way != "shadow":
            paste(picture, rgba, round(x), level)
            return
        dark = np.zeros_like(picture[..., :1])
        top, side = max(level, 0), max(round(x), 0)
        dark[top : max(level + h, 0), side : max(round(x) + w, 0)] = 1
        picture *= 1 - 0.45 * cv2.GaussianBlur(dark, (0, 0), 6)[..., None]

    return act


def flashed(rng: np.random.Generator, frames: Image, count: int = 3) -> Iterator[Image]:
    """Yield frames (T, H, W, 3) of one scene; for 2 to 4 of them each, flashes add 180, clipped."""
    starts = np.linspace(20, len(frames) - 24, count).astype(int)
    lasts = rng.integers(2, 5, count)
    for number, frame in enumerate(frames):
        bright = any(at <= number < at + long for at, long in zip(starts, lasts, strict=True))
        yield np.clip(frame.astype(np.int32) + 180, 0, 255).astype(np.uint8) if bright else frame


def plain(rng: np.random.Generator) -> Iterator[Image]:
    """Yield a film of one plain grey that fades to another, once or to and fro, and no scene."""
    levels = rng.uniform(5, 250, int(rng.integers(2, 5)))
    knots = np.linspace(0, 150, len(levels))
    for frame in range(150):
        level = round(float(np.interp(frame, knots, levels)))
        yield np.full((HEIGHT, WIDTH, 3), level, np.uint8)


def darkened(frame: Image) -> Image:
    """Return a picture at 8 % of its brightness."""
    dark: NDArray[np.uint8] = np.rint(frame * np.float32(0.08)).astype(np.uint8)
    return dark
