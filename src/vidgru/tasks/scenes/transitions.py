"""Videos with known scene boundaries, made of shots: transitions, and what only looks like one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.data.augment import Frames
from vidgru.tasks.scenes.disturb import disturb, drift, grain, let_pass, panel
from vidgru.tasks.scenes.results import KINDS, Boundary

Numbers = NDArray[np.float32]
Family = Sequence[Frames]  # shots that look alike, uint8 (N, side, side, 3)
SHORTEST = 8  # frames of a scene between two transitions
MEAN_FRAMES = 35  # frames more, on average
ALONE = 0.2  # share of the scenes that go on to the end of the window
ALIKE = 0.4  # share of the boundaries between shots of one family
# Share of those before a camera that stays, by kind. Where one shot fades into another of the same
# place, or wipes it away, nothing tells them from things that come and go.
SAME = {"cut": 0.6, "dissolve": 0.4, "fade": 0.5, "wipe": 0.0}
OFTEN = (0.5, 0.32, 0.11, 0.07)  # shares of the KINDS
SLIPPED = 0.12  # share of the cuts with a frame or two of something else
GREY, PLAIN = 0.08, 0.04  # shares of shots in shades of grey, and in nothing but one colour
DISTURBED = 0.4  # share of shots with a flash, another light and the like
DRIFTING = 0.2  # share of shots whose light changes slowly
PASSED = 0.3  # share of shots through which things pass
DARK = 0.2  # share of the windows that are dark
BEFORE = 48  # frames before the window, so that it may begin within a transition
LONGEST = 50  # frames of a transition
LONG_BLACK = 45  # frames from which on what is plain between two fades is a scene


@dataclass(frozen=True)
class Joined:
    """A window of a video with known boundaries.

    frames: uint8 (T, S, S, 3); boundary: (T,), 1 where a scene begins, and less around the middle
    of a gradual transition; inside: (T,), 1 within a transition and at a cut; kind: (T,), number
    in KINDS, -1 outside; boundaries: those whose frame is in the window.
    """

    frames: Frames
    boundary: Numbers
    inside: Numbers
    kind: NDArray[np.int64]
    boundaries: tuple[Boundary, ...]


@dataclass(frozen=True)
class _Look:
    """How a shot is looked at: place (x, y, zoom), mirrored or not, and what its levels become."""

    place: NDArray[np.float64]
    mirrored: bool
    levels: NDArray[np.uint8]


def _look(rng: np.random.Generator) -> _Look:
    place = np.array([*rng.uniform(-1, 1, 2), rng.uniform(0.6, 1.0)])
    gain = np.exp(rng.normal(0, 0.2) + rng.normal(0, 0.08, 3))
    levels = np.arange(256)[:, None] * gain + rng.normal(0, 12)
    return _Look(place, rng.random() < 0.5, levels.clip(0, 255).astype(np.uint8)[None])


def _path(rng: np.random.Generator, frames: int, place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where a camera looks (frames, 3): x and y, -1 to 1 of its free play, and zoom.

    It stays, pans or zooms slowly, shakes for a while, pans fast, or whips to another place.
    """
    path = np.repeat(place[None], frames, 0)
    kind = rng.random()
    if kind < 0.25:
        way = np.array([*rng.normal(0, 0.6, 2), rng.normal(0, 0.15)])
        path += np.linspace(0, 1, frames)[:, None] * way
    elif kind < 0.37:
        begin = rng.integers(0, frames)
        part = path[begin : begin + int(rng.integers(3, 30)), :2]
        part += rng.normal(0, rng.uniform(0.05, 0.5), part.shape)
    elif kind < 0.53:  # follows something fast, to and fro
        path[:, 2] = rng.uniform(0.35, 0.6)
        phase = np.arange(frames) / rng.uniform(8, 60) + rng.uniform(0, 2)
        path[:, int(rng.random() < 0.2)] = 2 * np.abs(phase % 2 - 1) - 1
    elif kind < 0.63:
        path[:, 2] = rng.uniform(0.4, 0.7)
        late = (np.arange(frames) - rng.uniform(0, frames)) / rng.uniform(3, 20)
        share = 1 / (1 + np.exp(-np.clip(8 * late, -50, 50)))
        path[:, :2] += share[:, None] * (rng.uniform(-1, 1, 2) - path[:, :2])
    path[:, 2] = path[:, 2].clip(0.35, 1)
    path[:, :2] = path[:, :2].clip(-1, 1)
    return path


def _view(picture: Frames, place: NDArray[np.float64], size: int, mirrored: bool) -> Frames:
    x, y, zoom = place
    side = picture.shape[0]
    scale = zoom * side / size
    left, top = (1 + x) / 2 * (1 - zoom) * side, (1 + y) / 2 * (1 - zoom) * side
    matrix = np.array([[scale, 0, left + scale / 2 - 0.5], [0, scale, top + scale / 2 - 0.5]])
    if mirrored:
        matrix[0] = [-scale, 0, left + zoom * side - scale / 2 - 0.5]
    return cv2.warpAffine(  # type: ignore[return-value]
        picture, matrix, (size, size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip


def _take(
    rng: np.random.Generator, shot: Frames, frames: int, shown: int, size: int, look: _Look
) -> Frames:
    """Return so many frames of a shot, played forth and back, at any speed, with disturbances.

    Disturbances begin within the first `shown` frames: the others are there for what comes next.
    """
    reading = 0 if rng.random() < 0.05 else int(rng.choice([1, 2, 3, 5], p=[0.55, 0.2, 0.13, 0.12]))
    round_trip = max(2 * len(shot) - 2, 1)
    at = (int(rng.integers(0, len(shot))) + reading * np.arange(frames)) % round_trip
    at = np.where(at < len(shot), at, round_trip - at)
    if rng.random() < 0.1:  # each shown twice
        at = at[np.arange(frames) // 2]
    shutter = rng.random() < 0.5
    path = _path(rng, frames, look.place)
    out = np.empty((frames, size, size, 3), np.uint8)
    before = path[0]
    for number, place in enumerate(path):
        still = shot[at[number]]
        if shutter and reading > 1 and at[number] + 1 < len(shot):  # open for a while
            still = np.mean(shot[at[number] : at[number] + (reading + 2) // 2], axis=0)
            still = still.astype(np.uint8)
        picture = _view(still, place, size, look.mirrored)
        pixels = np.abs(place - before).max() * (1 / place[2] - 1) * size / 2
        if pixels > 2:
            several = [
                _view(still, before + share * (place - before), size, look.mirrored)
                for share in np.linspace(0.5, 1, min(int(pixels), 6), endpoint=False)
            ]
            picture = np.mean([*several, picture], axis=0).astype(np.uint8)
        cv2.LUT(picture, look.levels, dst=out[number])
        before = place
    kind = rng.random()
    if kind < GREY:
        out[:] = out.mean(-1, keepdims=True)
    elif kind < GREY + PLAIN:
        _make_plain(rng, out)
        return out
    if rng.random() < PASSED:
        out = let_pass(rng, out, shown)
    if rng.random() < DRIFTING:
        out = drift(rng, out)
    return disturb(rng, out, shown) if rng.random() < DISTURBED else out


def _make_plain(rng: np.random.Generator, out: Frames) -> None:
    """Paint frames with nothing but one colour, which may fade to others."""
    if rng.random() < 0.5:
        out[:] = rng.choice([0, 255]) if rng.random() < 0.5 else rng.integers(0, 256, 3)
        return
    colours = rng.uniform(0, 256, (int(rng.integers(2, 6)), 1 if rng.random() < 0.7 else 3))
    knots = np.sort(rng.uniform(0, len(out), len(colours)))
    now = np.stack([np.interp(np.arange(len(out)), knots, c) for c in colours.T], -1)
    if rng.random() < 0.5:  # as coarse as codecs make it
        step = rng.integers(2, 16)
        now = now // step * step
    out[:] = now[:, None, None].clip(0, 255)


def _is_plain(frame: Frames) -> bool:
    return bool(np.ptp(frame, axis=(0, 1)).max() <= 2)


def _differ(one: Frames, other: Frames) -> bool:
    """Return whether a person would see that two frames are not of one shot.

    One plain colour after another may be a fade of one shot.
    """
    if _is_plain(one) and _is_plain(other):
        return False
    return bool((cv2.absdiff(one, other).max(-1) > 20).mean() > 0.06)


def _wipe(rng: np.random.Generator, frames: int, size: int) -> Numbers:
    """Return the share of the new scene in each pixel (frames, S, S, 1) of a wipe."""
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    form = rng.choice(["line", "iris", "bars", "clock"], p=[0.6, 0.2, 0.1, 0.1])
    if form == "line":
        quarter = rng.choice(4) if rng.random() < 0.7 else rng.uniform(0, 4)
        field = x * math.cos(quarter * math.pi / 2) + y * math.sin(quarter * math.pi / 2)
    elif form == "iris":
        field = np.hypot(x - 0.5, y - 0.5) * rng.choice([-1, 1])
    elif form == "clock":
        field = np.arctan2(y - 0.5, x - 0.5) * rng.choice([-1, 1])
    else:
        field = (x * rng.integers(3, 9)) % 1
    field = (field - field.min()) / np.ptp(field)
    soft = rng.choice([0.02, 0.1, 0.3])
    share = ((_ramp(frames) * (1 + soft) - field[..., None]) / soft).clip(0, 1)
    return share.astype(np.float32)  # type: ignore[no-any-return]


def _ramp(frames: int) -> Numbers:
    """Return how far a transition is at each of its frames (frames, 1, 1, 1)."""
    ramp = np.arange(1, frames + 1, dtype=np.float32) / np.float32(frames + 1)
    return ramp[:, None, None, None]


def _length(rng: np.random.Generator, low: int, high: int) -> int:
    return round(math.exp(rng.uniform(math.log(low), math.log(high))))


def _blend(old: Frames, new: Frames, share: Numbers) -> Frames:
    count = min(len(old), len(new), len(share))
    mixed = old[:count] + share[:count] * (new[:count].astype(np.float32) - old[:count])
    return mixed.astype(np.uint8)


def _mix(rng: np.random.Generator, kind: str, old: Frames, new: Frames) -> tuple[Frames, int, int]:
    """Return the frames of a gradual transition, how many are of the new scene too, and its middle.

    old, new: frames of the scenes from where it begins, LONGEST at least.
    """
    if kind == "fade":
        out, into = (_length(rng, 2, 25) for _ in range(2))
        held = int(rng.integers(0, 12)) if rng.random() < 0.6 else int(rng.integers(12, 40))
        half = rng.random()
        out, into = 0 if half < 0.1 else out, 0 if half > 0.9 else into
        held = max(held, 2) if 0 in (out, into) else held
        level = rng.choice([0, 0, 0, 255]) if rng.random() < 0.9 else rng.integers(0, 256)
        plain = np.full((max(out, held, into), *old.shape[1:]), level, np.uint8)
        parts = _blend(old, plain, _ramp(out)), plain[:held], _blend(plain, new, _ramp(into))
        return np.concatenate(parts), into, out + held // 2
    count = _length(rng, 3, LONGEST) if kind == "dissolve" else _length(rng, 4, 40)
    share = _wipe(rng, count, old.shape[1]) if kind == "wipe" else _ramp(count)
    if kind == "dissolve" and rng.random() < 0.3:
        share = share * share * (3 - 2 * share)
    return _blend(old, new, share), count, count // 2


def join_shots(rng: np.random.Generator, shots: Sequence[Family], frames: int, size: int) -> Joined:
    """Return a window of so many frames of a video that is made of shots, picked at random.

    Views of the shots, `size` pixels a side, are cut out of their pictures.
    """
    total = frames + BEFORE
    out = np.zeros((total, size, size, 3), np.uint8)
    boundary, inside = np.zeros(total, np.float32), np.zeros(total, np.float32)
    kinds = np.full(total, -1)
    boundaries = []
    family, look = shots[int(rng.integers(len(shots)))], _look(rng)

    def length() -> int:
        return total if rng.random() < ALONE else SHORTEST + int(rng.exponential(MEAN_FRAMES))

    def another(shown: int, more: int, kind: str = "cut") -> Frames:
        nonlocal family, look
        alike = rng.random() < ALIKE
        if not alike:
            family = shots[int(rng.integers(len(shots)))]
        if not alike or rng.random() >= SAME[kind]:
            look = _look(rng)
        shot = family[int(rng.integers(len(family)))]
        return _take(rng, shot, shown + more, shown, size, look)

    at = min(length(), total)
    take = another(at, LONGEST)
    entered = 0
    out[:at], rest = take[:at], take[at:]
    while at < total:
        kind = str(rng.choice(KINDS, p=OFTEN))
        from_plain = _is_plain(rest[0])
        if from_plain and at - entered < LONG_BLACK:
            kind = "cut"  # else it would be a part of a fade
        lasts = min(length(), total - at)
        for _ in range(5):
            new = another(lasts, 3 * LONGEST, kind)
            if _differ(rest[0], new[0]):
                break
        mixed, used, middle = new[:0], 0, 0
        to_plain = _is_plain(new[0])
        if kind == "fade" and (from_plain or to_plain):
            kind = "dissolve"
        if kind != "cut":
            mixed, used, middle = _mix(rng, kind, rest, new)
            if to_plain:
                lasts = min(lasts + LONG_BLACK, len(new) - used - LONGEST)
            if kind == "dissolve" and (from_plain or to_plain):
                kind = "fade"
        elif rng.random() < SLIPPED:
            mixed = another(int(rng.integers(1, 3)), 0)
            if rng.random() < 0.5:
                beside = rest[:1] if rng.random() < 0.5 else new[:1]
                mixed = _blend(
                    mixed,
                    beside.repeat(len(mixed), 0),
                    np.full((len(mixed), 1, 1, 1), rng.uniform(0.2, 0.8), np.float32),
                )
            middle = len(mixed) * int(rng.integers(0, 2))
        middle, end = at + middle, at + len(mixed)
        if kind == "cut":
            boundaries.append(Boundary(middle, kind, 1.0, middle, middle))
        else:
            boundaries.append(Boundary(middle, kind, 1.0, at, end))
        # A sixth of a gradual transition, on either side, may count as its middle.
        off = np.abs(np.arange(total) - middle)
        wide = 0.1 if kind == "cut" else max(len(mixed) / 6, 1)
        near = np.exp(-((np.maximum(off - wide, 0) / max(wide / 2, 0.3)) ** 2) / 2)
        np.maximum(boundary, near.astype(np.float32), out=boundary)
        if kind == "cut":
            inside[middle : middle + 1] = 1
        else:
            inside[at:end] = 1
        kinds[at : max(end, middle + 1)] = KINDS.index(kind)
        entered = end
        body = new[used : used + lasts]
        for part in (mixed, body):
            room = max(total - at, 0)
            out[at : at + len(part)] = part[:room]
            at += len(part)
        rest = new[used + lasts :]
    pictures = out[BEFORE:]
    dark = rng.random() < DARK
    if dark:
        gain = np.float32(math.exp(rng.uniform(math.log(0.05), math.log(0.4))))
        pictures[:] = np.rint(pictures * gain)
    if rng.random() < (0.2 if dark else 0.5):
        grain(rng, pictures)
    if rng.random() < 0.25:
        panel(rng, pictures)
    if rng.random() < 0.3:
        lines = rng.integers(1, size // 5)
        pictures[:, :lines] = 0
        pictures[:, -lines:] = 0
    shown = tuple(
        Boundary(b.frame - BEFORE, b.kind, 1.0, max(b.start - BEFORE, 0), b.end - BEFORE)
        for b in boundaries
        if BEFORE < b.frame < total
    )
    return Joined(pictures, boundary[BEFORE:], inside[BEFORE:], kinds[BEFORE:], shown)
