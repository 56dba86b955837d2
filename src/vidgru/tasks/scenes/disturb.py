"""Large changes of the picture that are no scene boundaries."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.data.augment import Frames

Numbers = NDArray[np.float32]
# What objects do in front of a camera, and how often: cross the view, reach into it and draw back,
# come and stay, be there and leave, leave something behind.
WAYS = {"cross": 0.5, "reach": 0.15, "stay": 0.15, "go": 0.1, "bring": 0.1}


def disturb(rng: np.random.Generator, frames: Frames, shown: int) -> Frames:
    """Return frames uint8 (T, S, S, 3) of one shot with a change that is no boundary.

    It begins within the first `shown` frames.

    Flashes, once or several; a fade to black or white and back; light that changes; colours that
    go or come; a temporary overlay; somebody who passes close to the camera.
    """
    out = frames.astype(np.float32)
    at = int(rng.integers(0, min(max(shown, 1), len(out))))
    what = (_flash, _flashes, _fade_to_itself, _light, _tone, _overlay, _pass)
    what[int(rng.choice(len(what), p=[0.32, 0.1, 0.14, 0.16, 0.1, 0.07, 0.11]))](rng, out, at)
    return out.clip(0, 255).astype(np.uint8)


def drift(rng: np.random.Generator, frames: Frames) -> Frames:
    """Return frames uint8 (T, S, S, 3) whose light changes slowly, as by clouds or exposure."""
    count = max(len(frames) // int(rng.integers(20, 120)), 1) + 1
    gains = rng.normal(0, rng.uniform(0.05, 0.3), (count, 1)) + rng.normal(0, 0.04, (count, 3))
    knots, now = np.linspace(0, len(frames), count), np.arange(len(frames))
    gain = np.exp(np.stack([np.interp(now, knots, channel) for channel in gains.T], -1))
    out: Any = frames * gain[:, None, None].astype(np.float32)
    return out.clip(0, 255).astype(np.uint8)  # type: ignore[no-any-return]


def let_pass(rng: np.random.Generator, frames: Frames, shown: int) -> Frames:
    """Return frames uint8 (T, S, S, 3) of one shot with objects of any size in its view.

    They come within the first `shown` frames, at any speed, and act as in WAYS; some are shadows.
    """
    out = frames.astype(np.float32)
    for _ in range(int(rng.integers(1, 6))):
        _thing(rng, out, int(rng.integers(-20, min(max(shown, 1), len(out)))))
    return out.clip(0, 255).astype(np.uint8)


def _thing(rng: np.random.Generator, out: Numbers, at: int) -> None:
    size = out.shape[1]
    height = math.exp(rng.uniform(math.log(0.08), math.log(1.3))) * size
    width = float(np.clip(height * math.exp(rng.normal(-0.2, 0.6)), 0.05 * size, size))
    picture, alpha = _sprite(rng)
    if rng.random() < 0.15:  # a shadow
        picture, alpha = picture * 0, alpha * np.float32(rng.uniform(0.2, 0.6))
    way = str(rng.choice(list(WAYS), p=list(WAYS.values())))
    frames = math.exp(rng.uniform(math.log(3), math.log(120)))
    held = rng.uniform(2, 80)
    # From beyond a border, past or to a place in the view.
    angle = rng.uniform(0, 2 * math.pi) if rng.random() < 0.3 else math.pi * rng.integers(4) / 2
    heading = np.array([math.cos(angle), math.sin(angle)])
    place = rng.uniform(0.1, 0.9, 2) * size
    far = (size + abs(heading[0]) * width + abs(heading[1]) * height) / 2
    begin = place - heading * (heading @ (place - size / 2) + far)
    end = begin + 2 * far * heading
    soft = rng.random() < 0.7
    scale = np.array([width, height]) / alpha.shape[0]
    left = 0.4 * scale if way == "bring" else None
    before: Any = None
    for number in range(0 if way == "go" else max(at, 0), len(out)):
        on = number + 0.5 - at
        share = on / frames
        if left is not None and share > 0.5:
            _lay(out[number], picture, alpha, left, (begin + end) / 2)
        if way in ("cross", "bring"):
            middle = begin + share * (end - begin)
        else:
            share = 1 - share if way == "go" else share
            share = min(share, 1 - (on - frames - held) / frames) if way == "reach" else share
            share = min(share, 1.0)
            share = 0.5 - 0.5 * math.cos(math.pi * share) if soft and share > 0 else share
            middle = begin + share * (place - begin)
        if 0 < share < 1 or (share == 1 and way in ("reach", "stay", "go")):
            before = _lay(out[number], picture, alpha, scale, middle, before)


def _sprite(rng: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Return the picture of an object (s, s, 3), and its opacity (s, s, 1)."""
    side = 32
    cells = int(rng.integers(2, 9))
    contrast = rng.choice([0, 8, 25, 50])
    pattern: Any = cv2.resize(rng.normal(0, contrast, (cells, cells, 3)), (side, side))
    picture = (rng.uniform(0, 255, (1, 1, 3)) + pattern).clip(0, 255).astype(np.float32)
    y, x = (np.mgrid[:side, :side] + 0.5) / (side / 2) - 1
    kind = rng.choice(["ellipse", "box", "ragged", "figure"], p=[0.25, 0.25, 0.25, 0.25])
    if kind == "ellipse":
        form = 1 - np.hypot(x, y)
    elif kind == "box":
        form = 0.95 - np.maximum(abs(x), abs(y))
    elif kind == "ragged":
        rough: Any = cv2.resize(rng.normal(0, 0.4, (5, 5)), (side, side), interpolation=2)
        form = 0.75 - np.hypot(x, y) + rough
        form = np.minimum(form, 0.95 - np.maximum(abs(x), abs(y)))
    else:  # a head, a body, legs
        form = np.maximum(0.2 - np.hypot(x, y + 0.75), 0.5 - np.maximum(abs(x), abs(y + 0.1)))
        legs = np.maximum(abs(abs(x) - rng.uniform(0.1, 0.35)) - 0.12, abs(y - 0.6) - 0.38)
        form = np.maximum(form, -legs)
    alpha = (form * side / 2 / rng.choice([1, 1, 6]) + 0.5).clip(0, 1)
    return picture, alpha[..., None].astype(np.float32)


def _lay(
    frame: Numbers, picture: Numbers, alpha: Numbers, scale: Any, middle: Any, before: Any = None
) -> Any:
    """Draw an object over a frame (S, S, 3), its middle at a place; return that place.

    Its previous place determines its motion blur.
    """
    size, side = frame.shape[0], alpha.shape[0]
    way = np.zeros(2) if before is None else np.asarray(middle) - before
    steps = int(min(max(np.abs(way).max() / 2, 1), 6))
    layer = np.dstack([picture * alpha, alpha])
    total = np.zeros((size, size, 4), np.float32)
    for step in range(steps):
        x, y = middle - way * 0.5 * step / steps
        matrix = np.array(
            [[scale[0], 0, x - scale[0] * side / 2], [0, scale[1], y - scale[1] * side / 2]]
        )
        total += cv2.warpAffine(layer, matrix, (size, size), flags=cv2.INTER_LINEAR)
    total /= steps
    frame += total[..., :3] - frame * total[..., 3:]
    return middle


def _flash(rng: np.random.Generator, out: Numbers, at: int) -> None:
    part = out[at : at + int(rng.integers(1, 6))]
    if rng.random() < 0.4:  # as bright as the sensor allows, or darker
        part += rng.uniform(60, 230) * rng.choice([1, 1, 1, -1])
        return
    level, fading = np.float32(rng.uniform(0.3, 1)), np.float32(rng.random())
    fall = level * (1 - fading * np.arange(len(part), dtype=np.float32) / 5)
    part += (255 - part) * fall[:, None, None, None]


def _flashes(rng: np.random.Generator, out: Numbers, at: int) -> None:
    for begin in range(at, min(at + 30, len(out)), int(rng.integers(3, 8))):
        _flash(rng, out, begin)


def _fade_to_itself(rng: np.random.Generator, out: Numbers, at: int) -> None:
    steps, held = int(rng.integers(1, 12)), int(rng.integers(0, 8))
    ramp = np.arange(1, steps + 1) / (steps + 1)
    shares = np.array([*ramp, *np.ones(held + 1), *ramp[::-1]], np.float32)
    at = max(0, min(at, len(out) - len(shares) - 4))  # it comes back before the end
    part = out[at : at + len(shares)]
    colour = np.float32(rng.choice([0, 0, 255]))
    part += (colour - part) * shares[: len(part), None, None, None]


def _light(rng: np.random.Generator, out: Numbers, at: int) -> None:
    gain = np.exp(rng.normal(0, 0.5) + rng.normal(0, 0.1, 3))
    frames = round(math.exp(rng.uniform(0, math.log(60))))
    share = (np.arange(len(out)) - at + 1).clip(0, frames) / frames
    out *= (1 + share[:, None, None, None] * (gain - 1)).astype(np.float32)


def _tone(rng: np.random.Generator, out: Numbers, at: int) -> None:
    tint = np.exp(rng.normal(0, 0.15, 3)).astype(np.float32) if rng.random() < 0.4 else 1
    frames = int(rng.integers(1, 25)) if rng.random() < 0.5 else 1
    share = ((np.arange(len(out)) - at + 1).clip(0, frames) / frames).astype(np.float32)
    share = (share if rng.random() < 0.7 else 1 - share) * np.float32(rng.choice([1, rng.random()]))
    out += share[:, None, None, None] * (out.mean(-1, keepdims=True) * tint - out)


def _overlay(rng: np.random.Generator, out: Numbers, at: int) -> None:
    size = out.shape[1]
    if rng.random() < 0.5:
        width, height = (int(side) for side in rng.integers(4, size // 2, 2))
    else:
        width, height = size * 3 // 4, int(rng.integers(3, 9))
    x, y = rng.integers(0, size - width + 1), rng.integers(0, size - height + 1)
    picture = rng.uniform(0, 255, (1, 1, 3)) + rng.normal(0, 40, (height, width, 1))
    out[at : at + int(rng.integers(4, 60)), y : y + height, x : x + width] = picture


def _pass(rng: np.random.Generator, out: Numbers, at: int) -> None:
    """Let something wide go by, with a ragged outline, out of focus or not."""
    size = out.shape[1]
    width, frames = int(rng.integers(size // 4, size)), int(rng.integers(4, 30))
    pattern: Any = cv2.resize(
        rng.normal(0, 40, (6, 4, 3)), (width, size), interpolation=cv2.INTER_CUBIC
    )
    picture = (rng.uniform(0, 255, (1, 1, 3)) + pattern).clip(0, 255).astype(np.float32)
    form: Any = cv2.resize(rng.normal(0, 0.5, (5, 4)), (width, size), interpolation=cv2.INTER_CUBIC)
    form += 1.5 - 3 * np.abs(np.linspace(-1, 1, width)) ** 3
    alpha = (form / rng.choice([0.05, 0.5])).clip(0, 1)[..., None].astype(np.float32)
    top = int(rng.integers(0, size // 2)) if rng.random() < 0.5 else 0
    back = rng.random() < 0.5
    for number, frame in enumerate(out[at : at + frames]):
        left = int(-width + (size + width) * (number + 0.5) / frames)
        left = size - width - left if back else left
        low, high = max(left, 0), min(left + width, size)
        if low < high:
            part, own = frame[top:, low:high], slice(low - left, high - left)
            part[:] += alpha[: size - top, own] * (picture[: size - top, own] - part)


def panel(rng: np.random.Generator, frames: Frames) -> None:
    """Draw a constant overlay on frames uint8 (T, S, S, 3): a logo, a panel, half of the screen."""
    size = frames.shape[1]
    if rng.random() < 0.4:
        width, height = (int(side) for side in rng.integers(3, size // 4, 2))
    else:
        width = int(rng.integers(size // 4, size + 1))
        height = int(rng.integers(size // 5, size // 2 + 1))
        if rng.random() < 0.5:
            width, height = height, width
    x, y = rng.integers(0, size - width + 1), rng.integers(0, size - height + 1)
    if rng.random() < 0.5:  # in a corner
        x, y = (size - width) * rng.integers(0, 2), (size - height) * rng.integers(0, 2)
    pattern = cv2.resize(rng.normal(0, 40, (5, 5, 3)), (width, height)) * rng.integers(0, 2)
    picture = (rng.uniform(0, 255, (1, 1, 3)) + pattern).clip(0, 255)
    opacity = 1 if rng.random() < 0.7 else rng.uniform(0.4, 1)
    part = frames[:, y : y + height, x : x + width]
    part[:] = part * (1 - opacity) + picture * opacity


def grain(rng: np.random.Generator, frames: Frames) -> None:
    """Add a sensor's noise to frames uint8 (T, S, S, 3)."""
    count = 2**16
    noise = rng.normal(0, rng.uniform(0, 4) * rng.random(), count + frames[0].size)
    noise = noise.astype(np.float32)
    # Slices of the same numbers: new ones for each frame take longer than all the rest.
    for frame, start in zip(frames, rng.integers(0, count, len(frames)), strict=True):
        noisy = frame + noise[start : start + frame.size].reshape(frame.shape)
        frame[:] = noisy.clip(0, 255)
