"""Videos with known scene boundaries, joined out of shots."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.data.views import Frames
from vidgru.scenes import KINDS, Boundary

Numbers = NDArray[np.float32]
SHORTEST = 8  # frames of a scene


@dataclass(frozen=True)
class Joined:
    frames: Frames
    boundary: Numbers
    inside: Numbers
    kind: NDArray[np.int64]  # -1 where there is none
    boundaries: tuple[Boundary, ...]


def _path(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Centre x, y in [-1, 1] of the free play, zoom share: (n, 3)."""
    zoom = rng.uniform(0.6, 1.0)
    x, y = rng.uniform(-1, 1, 2)
    t = np.linspace(0, 1, n)[:, None]
    path = np.repeat(np.array([[x, y, zoom]]), n, 0)
    kind = rng.random()
    if kind < 0.25:  # slow pan or zoom
        path = path + t * np.array([[*rng.normal(0, 0.6, 2), rng.normal(0, 0.15)]])
    elif kind < 0.37:  # shake
        begin = rng.integers(0, n)
        length = int(rng.integers(3, 30))
        part = path[begin : begin + length]
        part[:, :2] += rng.normal(0, rng.uniform(0.05, 0.5), (len(part), 2))
    elif kind < 0.5:  # whip pan
        path[:, 2] = rng.uniform(0.4, 0.7)
        length = rng.uniform(3, 20)
        middle = rng.uniform(0, n)
        step = 1 / (1 + np.exp(-np.clip((np.arange(n) - middle) / length * 8, -50, 50)))
        to = rng.uniform(-1, 1, 2)
        path[:, :2] = path[:, :2] + step[:, None] * (to - path[:, :2])
    path[:, 2] = path[:, 2].clip(0.35, 1)
    path[:, :2] = path[:, :2].clip(-1, 1)
    return path


def _take(rng: np.random.Generator, shot: Frames, n: int, size: int) -> Frames:
    """n frames uint8 (n, S, S, 3) of a shot, seen by a camera that may move."""
    stride = int(rng.choice([1, 2, 3, 5], p=[0.55, 0.2, 0.13, 0.12]))
    if rng.random() < 0.05:
        stride = 0
    start = int(rng.integers(0, len(shot)))
    round_trip = max(2 * len(shot) - 2, 1)
    at = (start + stride * np.arange(n)) % round_trip
    at = np.where(at < len(shot), at, round_trip - at)
    if rng.random() < 0.1:  # frames that are shown twice
        at = at[np.arange(n) // 2]
    path = _path(rng, n)
    side = shot.shape[1]
    flip = rng.random() < 0.5
    out = np.empty((n, size, size, 3), np.uint8)
    gain = np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.08, 3))
    offset = rng.normal(0, 12)
    table = (np.arange(256)[:, None] * gain + offset).clip(0, 255).astype(np.uint8)[None]
    before = path[0]
    for k in range(n):
        picture = _view(shot[at[k]], path[k], size, flip)
        zoom = path[k, 2]
        moved = np.abs(path[k] - before).max() * (1 - zoom) / zoom * size / 2
        if moved > 2:  # a shutter that is open for half of the time
            several = [
                _view(shot[at[k]], before + share * (path[k] - before), size, flip)
                for share in np.linspace(0.5, 1, min(int(moved), 6), endpoint=False)
            ]
            picture = np.mean([*several, picture], axis=0).astype(np.uint8)
        cv2.LUT(picture, table, dst=out[k])
        before = path[k]
    if rng.random() < 0.08:
        out[:] = out.mean(-1, keepdims=True)
    if rng.random() < 0.3:
        changed = out.astype(np.float32)
        _disturb(rng, changed, size)
        out = changed.astype(np.uint8)
    return out


def _view(picture: Frames, place: NDArray[np.float64], size: int, flip: bool) -> Frames:
    x, y, zoom = place
    side = picture.shape[0]
    span = zoom * side
    scale = span / size
    left = (1 + x) / 2 * (side - span)
    top = (1 + y) / 2 * (side - span)
    matrix = np.array([[scale, 0, left + scale / 2 - 0.5], [0, scale, top + scale / 2 - 0.5]])
    if flip:
        matrix[0] = [-scale, 0, left + span - scale / 2 - 0.5]
    return cv2.warpAffine(  # type: ignore[return-value]
        picture, matrix, (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip


def _disturb(rng: np.random.Generator, out: NDArray[np.float32], size: int) -> None:
    """Change frames in a way that is no boundary."""
    n = len(out)
    kind = rng.choice(["flash", "self", "light", "overlay", "pass", "burst"], p=[0.3, 0.2, 0.15, 0.15, 0.1, 0.1])
    at = int(rng.integers(0, n))
    if kind in ("flash", "burst"):
        for begin in [at] if kind == "flash" else range(at, min(at + 30, n), int(rng.integers(3, 8))):
            length = int(rng.integers(1, 4))
            level = rng.uniform(0.3, 1)
            for k in range(begin, min(begin + length, n)):
                out[k] += (255 - out[k]) * np.float32(level * (1 - (k - begin) / length * rng.random()))
    elif kind == "self":
        fade = int(rng.integers(1, 12))
        held = int(rng.integers(0, 8))
        colour = np.float32(rng.choice([0, 0, 255]))
        ramp = np.concatenate([np.linspace(0, 1, fade + 2)[1:-1], np.ones(held + 1), np.linspace(1, 0, fade + 2)[1:-1]])
        if at + len(ramp) >= n:
            at = max(0, n - len(ramp) - 4)
        for k, share in enumerate(ramp[: max(0, n - at)]):
            out[at + k] += (colour - out[at + k]) * np.float32(share)
    elif kind == "light":
        gain = np.exp(rng.normal(0, 0.4)) * np.exp(rng.normal(0, 0.1, 3))
        length = int(rng.integers(1, 25))
        ramp = (np.arange(n) - at + 1).clip(0, length) / length
        out *= (1 + ramp[:, None, None, None] * (gain - 1)).astype(np.float32)
    elif kind == "overlay":
        w, h = rng.integers(4, size // 2, 2) if rng.random() < 0.5 else (size * 3 // 4, rng.integers(3, 9))
        x, y = rng.integers(0, size - w + 1), rng.integers(0, size - h + 1)
        length = int(rng.integers(4, 60))
        picture = rng.uniform(0, 255, (1, 1, 3)) + rng.normal(0, 40, (h, w, 1))
        out[at : at + length, y : y + h, x : x + w] = picture.astype(np.float32)
    else:
        w = int(rng.integers(size // 4, size))
        length = int(rng.integers(4, 20))
        picture = rng.uniform(0, 255, (1, 1, 3)) + cv2.resize(rng.normal(0, 30, (6, 4)), (w, size))[..., None]
        way = rng.choice([-1, 1])
        for k in range(min(length, n - at)):
            left = int(-w + (size + w) * (k + 0.5) / length)
            left = left if way > 0 else size - w - left
            low, high = max(left, 0), min(left + w, size)
            if low < high:
                out[at + k, :, low:high] = picture[:, low - left : high - left]
    np.clip(out, 0, 255, out=out)


def _wipe(rng: np.random.Generator, length: int, size: int) -> tuple[NDArray[np.float32], str]:
    """Shares of the new scene (L, S, S)."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    form = rng.choice(["line", "iris", "bars", "clock"], p=[0.6, 0.2, 0.1, 0.1])
    if form == "line":
        angle = rng.choice([0, 0.5, 1, 1.5]) * math.pi if rng.random() < 0.7 else rng.uniform(0, 2 * math.pi)
        field = x * math.cos(angle) + y * math.sin(angle)
    elif form == "iris":
        field = np.hypot(x - 0.5, y - 0.5)
        field = field if rng.random() < 0.5 else -field
    elif form == "clock":
        field = np.arctan2(y - 0.5, x - 0.5) * rng.choice([-1, 1])
    else:
        field = (x * rng.integers(3, 9)) % 1
    field = (field - field.min()) / np.ptp(field)
    soft = rng.choice([0.02, 0.1, 0.3])
    done = np.arange(1, length + 1) / (length + 1)
    return ((done[:, None, None] * (1 + soft) - field) / soft).clip(0, 1).astype(np.float32)


def _length(rng: np.random.Generator, low: int, high: int) -> int:
    return int(round(math.exp(rng.uniform(math.log(low), math.log(high)))))


def join_shots(rng: np.random.Generator, shots: Sequence[Sequence[Frames]], frames: int, size: int) -> Joined:
    """shots: families of shots that look alike."""
    margin = 48
    total = frames + margin
    out = np.zeros((total, size, size, 3), np.uint8)
    boundary = np.zeros(total, np.float32)
    inside = np.zeros(total, np.float32)
    kinds = np.full(total, -1)
    family = shots[int(rng.integers(len(shots)))]
    boundaries = []

    def length_of() -> int:
        return SHORTEST + int(rng.exponential(35)) if rng.random() < 0.88 else total

    def another() -> Frames:
        nonlocal family
        if rng.random() > 0.25:
            family = shots[int(rng.integers(len(shots)))]
        return family[int(rng.integers(len(family)))]

    n = length_of()
    take = _take(rng, another(), min(n, total) + 50, size)
    at = min(n, total)
    out[:at] = take[:at]
    rest = take[n:]
    while at < total:
        kind = str(rng.choice(KINDS, p=[0.5, 0.32, 0.11, 0.07]))
        n = min(length_of(), total - at)
        new = _take(rng, another(), n + 100, size)
        if kind == "cut":
            mixed = np.zeros((0, size, size, 3), np.uint8)
            used = 0
            if rng.random() < 0.12:  # a frame or two of something else slipped in
                count = int(rng.integers(1, 3))
                mixed = _take(rng, another(), count, size)
            start = middle = at
            if len(mixed) and rng.random() < 0.5:
                middle = at + len(mixed)
            end = start
        elif kind == "fade":
            n1, held, n2 = _length(rng, 1, 20), int(rng.integers(0, 12)), _length(rng, 1, 20)
            if n1 == n2 == 1:
                n1 = n2 = 3
            colour = np.float32(rng.choice([0, 0, 0, 255]) if rng.random() < 0.9 else rng.uniform(0, 255))
            a = rest[np.arange(n1) % len(rest)].astype(np.float32)
            b = new[:n2].astype(np.float32)
            down = (np.arange(1, n1 + 1) / (n1 + 1)).astype(np.float32)[:, None, None, None]
            up = (np.arange(1, n2 + 1) / (n2 + 1)).astype(np.float32)[:, None, None, None]
            mixed = np.concatenate([a + (colour - a) * down, np.full((held, size, size, 3), colour, np.float32), colour + (b - colour) * up])
            used = n2
            start, end = at, at + len(mixed)
            middle = at + n1 + held // 2
        else:
            count = _length(rng, 3, 50) if kind == "dissolve" else _length(rng, 4, 40)
            a, b = rest[:count], new[:count]
            count = min(len(a), count)
            a, b = a[:count].astype(np.float32), b[:count].astype(np.float32)
            if kind == "dissolve":
                share = np.arange(1, count + 1) / (count + 1)
                if rng.random() < 0.3:
                    share = share * share * (3 - 2 * share)
                share = share.astype(np.float32)[:, None, None, None]
                mixed = a + (b - a) * share
            elif False:  # push
                mixed = np.empty_like(a)
                axis = int(rng.integers(0, 2))
                way = rng.choice([-1, 1])
                for k in range(count):
                    shift = int(round(size * (k + 1) / (count + 1)))
                    both = np.concatenate([a[k], b[k]] if way > 0 else [b[k], a[k]], axis=axis)
                    low = shift if way > 0 else size - shift
                    mixed[k] = both[low : low + size] if axis == 0 else both[:, low : low + size]
            else:
                share = _wipe(rng, count, size)[..., None]
                mixed = a + (b - a) * share
            used = count
            start, end = at, at + count
            middle = at + (count + 1) // 2
        sigma = max(end - start, 0) / 8
        near = np.exp(-(((np.arange(total) - middle) / max(sigma, 0.3)) ** 2) / 2) if end > start else (np.arange(total) == middle)
        if margin <= middle < total:
            span = (middle, middle) if kind == "cut" else (start, end)
            boundaries.append(Boundary(middle - margin, kind, 1.0, span[0] - margin, span[1] - margin))
        boundary = np.maximum(boundary, near.astype(np.float32))
        inside[start:end] = 1
        if end == start:
            inside[middle : middle + 1] = 1
        kinds[max(start, 0) : max(end, start + 1 + len(mixed) * (kind == "cut"))] = KINDS.index(kind)
        room = total - at
        out[at : at + len(mixed)] = mixed[:room]
        at += len(mixed)
        body = new[used : used + n]
        room = max(total - at, 0)
        out[at : at + len(body)] = body[:room]
        at += len(body)
        rest = new[used + len(body) :]
        if len(rest) < 50:
            rest = np.concatenate([rest] * (50 // max(len(rest), 1) + 1)) if len(rest) else new[-50:]
    begin = margin
    part = slice(begin, begin + frames)
    picture = out[part]
    if rng.random() < 0.5:
        grain = rng.normal(0, rng.uniform(0, 4) * rng.random(), 2**16 + size * size * 3)
        grain = grain.astype(np.float32)
        for frame, start in zip(picture, rng.integers(0, 2**16, frames), strict=True):
            noisy = frame + grain[start : start + frame.size].reshape(frame.shape)
            frame[:] = noisy.clip(0, 255)
    if rng.random() < 0.3:
        lines = rng.integers(1, size // 5)
        picture[:, :lines] = 0
        picture[:, -lines:] = 0
    return Joined(
        picture, boundary[part], inside[part], kinds[part], tuple(boundaries)
    )
