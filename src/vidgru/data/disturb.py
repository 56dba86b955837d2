"""What happens in videos and is no scene boundary, though much of the picture changes."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.data.views import Frames

Numbers = NDArray[np.float32]


def disturb(rng: np.random.Generator, frames: Frames) -> Frames:
    """Return frames uint8 (T, S, S, 3) of one shot with something in them that is no boundary.

    Flashes, once or several; a fade to black or white and back; light that changes; something that
    is laid over for a while; somebody who passes close to the camera.
    """
    out = frames.astype(np.float32)
    at = int(rng.integers(0, len(out)))
    what = (_flash, _flashes, _fade_to_itself, _light, _overlay, _pass)
    what[int(rng.choice(len(what), p=[0.25, 0.1, 0.15, 0.15, 0.15, 0.2]))](rng, out, at)
    return out.clip(0, 255).astype(np.uint8)


def _flash(rng: np.random.Generator, out: Numbers, at: int) -> None:
    level, fading = np.float32(rng.uniform(0.3, 1)), np.float32(rng.random())
    part = out[at : at + int(rng.integers(1, 4))]
    fall = level * (1 - fading * np.arange(len(part), dtype=np.float32) / 3)
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
    gain = np.exp(rng.normal(0, 0.4) + rng.normal(0, 0.1, 3))
    frames = int(rng.integers(1, 25))
    share = (np.arange(len(out)) - at + 1).clip(0, frames) / frames
    out *= (1 + share[:, None, None, None] * (gain - 1)).astype(np.float32)


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
    """Lay over frames uint8 (T, S, S, 3) what stays there: a logo, a panel, half of the screen."""
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
    # Parts of the same numbers: new ones for each frame take longer than all the rest.
    for frame, start in zip(frames, rng.integers(0, count, len(frames)), strict=True):
        noisy = frame + noise[start : start + frame.size].reshape(frame.shape)
        frame[:] = noisy.clip(0, 255)
