"""Compare two clips, brought in line, in detail: the same footage, or just the same scene.

Clips of one fixed camera look alike, and so do two takes of one action before it. What tells is how
far two clips differ where something moves, against how far that differs from the background: next
to nothing in copies, and half as much or more in different takes, cell by cell and frame by frame.
What most clips of a set share at one time (a title, a fade-in, a running clock) tells nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vidgru.data.thumbnails import Array

CELLS = 16  # a side: cells are compared one by one
FINE = 48  # side of the grey pictures that are compared
WAYS = range(8)  # quarter turns, and from 4 on mirrored; 0 leaves pictures as they are
MAX_FRAMES = 96  # frames that are compared, in runs of 16 where there are more
MIN_MOVING_FRAMES = 4  # frames in which something moves
FOREIGN = 0.8  # of all cells: where so many differ from the scene, a frame shows something else
MOVING = (4.0, 64.0)  # least energy of a moving cell in both clips, in squared grey levels:
FAINT = 32  # that part of what the strongest cells have, between these two
ALIKE = 0.2  # of that energy by which a cell of the same footage differs at most
# How sure it is: the share of what moves that agrees, less four times the share of energy by which
# frames differ, less what mean pictures differ. Copies (half the size, other rates, cut between two
# frames that were kept) come to 0.63 at least, but for a drawn one (0.60), and most to 0.9; takes
# of one word by one mouth to 0.62 at most, of one way by one person to 0.28. Over eight frames,
# though, takes of that mouth came to 0.87.
WEIGHT, SCENE, MAX_SCENE = 4.0, 12.0, 0.06
SAME = (8, 16), (0.92, 0.63)  # frames, and how sure to be of them
CERTAIN = (12, 24), (0.92, 0.75)  # frames, and how sure to be of them
GRAIN, SAME_GRAIN = 1.5, 0.15  # grey levels (rms) of it in backgrounds; its correlation
LOUD = 3.0  # grey levels (rms) that a picture has when it shows something
SAME_SCENE = 0.9  # correlation of mean pictures
SAMPLE, LONGEST = 11, 128  # clips, and their first and last frames, that tell what most clips share
SHARED = 0.15  # by which a clip differs from what most share, of what that differs from the usual
MIN_SHARED, MAX_OFF, TYPICAL_CONTRAST = 6.0, 3.0, 48.0  # grey levels

POOL = np.repeat(np.eye(CELLS, dtype=np.float32), FINE // CELLS, axis=0) * (CELLS / FINE)
Number = TypeVar("Number", bound=np.generic)
Greys = NDArray[np.uint8]
Cells = NDArray[np.bool_]


@dataclass(frozen=True)
class Likeness:
    """How alike two clips move: the frames in which something moves, and shares from 0 to 1.

    differ: of its energy, by which frames differ (the median of frames); agree: of what moves, that
    agrees (the first quartile of frames); scene: correlation of the mean pictures.
    """

    frames: int
    differ: float
    agree: float
    scene: float = 1.0

    @property
    def sure(self) -> float:
        """Return how much speaks for the same footage, 1 at most."""
        return self.agree - WEIGHT * self.differ - min(MAX_SCENE, SCENE * (1 - self.scene))

    @property
    def same(self) -> bool:
        """Return whether this is how copies are alike, and not different takes of one scene."""
        return bool(self.sure > np.interp(self.frames, *SAME))

    @property
    def certain(self) -> bool:
        """Return whether there is no practical doubt of it."""
        return self.frames >= CERTAIN[0][0] and bool(self.sure > np.interp(self.frames, *CERTAIN))


NOTHING = Likeness(0, 1.0, 0.0)


def turned(pictures: NDArray[Number], way: int) -> NDArray[Number]:
    """Return pictures (..., side, side) turned, and mirrored, in one of WAYS."""
    done = np.rot90(pictures, way % 4, axes=(-2, -1))
    return done[..., ::-1] if way >= 4 else done


def compare(x: Greys, y: Greys, counted: Cells) -> Likeness:
    """Return how alike two clips (T, FINE, FINE) move.

    `counted` (T, CELLS, CELLS) are the cells that count. Where something else interrupts the scene,
    the worse of both counts, as one tells nothing about the other.
    """
    if len(x) > MAX_FRAMES:
        starts = np.linspace(0, len(x) - 16, MAX_FRAMES // 16).astype(int)
        at = (starts[:, None] + np.arange(16)).ravel()
        x, y, counted = x[at], y[at], counted[at]
    a, b, dark = _equal_light(x.astype(np.float32), y.astype(np.float32))
    scene = _same_scene(a.mean(0), b.mean(0))
    if not scene:
        return NOTHING
    counted = counted & ~dark[:, None, None]
    u, v = _residuals(a, b)
    energy = _cells(u * u + v * v)
    foreign: NDArray[np.bool_] = (energy > _least(energy)).mean((1, 2)) > FOREIGN
    if MIN_MOVING_FRAMES <= foreign.sum() <= len(a) - MIN_MOVING_FRAMES:
        parts = [(*_residuals(a[part], b[part]), counted[part]) for part in (~foreign, foreign)]
    elif foreign.sum() < MIN_MOVING_FRAMES:
        parts = [(u[~foreign], v[~foreign], counted[~foreign])]
    else:
        parts = [(u, v, counted)]
    measured = [one for one in (_likeness(*part) for part in parts) if one.frames >= MIN_MOVING_FRAMES]
    if not measured:
        return NOTHING
    return Likeness(
        sum(one.frames for one in measured),
        max(one.differ for one in measured),
        min(one.agree for one in measured),
        scene,
    )


def _equal_light(x: Array, y: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return both clips with the same brightness and contrast in every frame, and dark frames."""
    (x, left), (y, right) = _without_light(x), _without_light(y)
    contrast = np.float32(min(np.median(left), np.median(right)))
    return x * contrast, y * contrast, np.minimum(left, right) < LOUD


def _without_light(frames: Array) -> tuple[Array, Array]:
    frames = frames - frames.mean((1, 2), keepdims=True)
    contrast = np.sqrt((frames * frames).mean((1, 2)))
    return frames / np.maximum(contrast, LOUD)[:, None, None], contrast


def _residuals(x: Array, y: Array) -> tuple[Array, Array]:
    """Return by how much frames differ from the background, but for what stays between the two."""
    background = _background(x)
    return x - background, y + _background(x - y) - background


def _background(frames: Array) -> Array:
    """Return about the median of frames: that of three medians of three each, which is quick."""
    spread = frames[np.linspace(0, len(frames) - 1, 9).astype(int)]
    return _middle(*_middle(*spread.reshape(3, 3, *spread.shape[1:])))


def _middle(a: Array, b: Array, c: Array) -> Array:
    middle: Array = np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))
    return middle


def _least(energy: Array) -> float:
    """Return the energy from which on a cell counts as moving."""
    return float(np.clip(np.quantile(energy, 0.99) / FAINT, *MOVING))


def _same_scene(a: Array, b: Array) -> float:
    """Return how alike two mean pictures are, 0 if by shapes or fine grain they are no one scene.

    Drawn clips may move alike before the same plain colour, and yet not be the same.
    """
    a, b = a - a.mean(), b - b.mean()
    alike = _correlation(a, b) if min(a.std(), b.std()) > LOUD else 1.0
    if alike < SAME_SCENE:
        return 0.0
    size = FINE // CELLS
    grains = []
    for picture in (a, b):
        cells = picture.reshape(CELLS, size, CELLS, size)
        grains.append(cells - cells.mean((1, 3), keepdims=True))
    if min(float(np.sqrt((grain**2).mean())) for grain in grains) < GRAIN:
        return alike
    return alike if _correlation(*grains) > SAME_GRAIN else 0.0


def _correlation(a: Array, b: Array) -> float:
    product = float((a * b).sum())
    return product / max(math.sqrt(float((a * a).sum()) * float((b * b).sum())), 1e-9)


def _likeness(u: Array, v: Array, counted: Cells) -> Likeness:
    """Compare what moves, also as if one clip was a part of a frame ahead of the other.

    Copies cut or shown at another rate are kept at times between those of the original. What moves
    is then, pixel by pixel, between what it is in two frames of the other clip.
    """
    energy = _cells(u * u + v * v)
    moves = (energy > _least(energy)) & counted
    some = moves.sum((1, 2)) >= 2
    if not some.any():
        return NOTHING
    before_u, before_v = (np.concatenate([z[:1], z[:-1]]) for z in (u, v))
    after_u, after_v = (np.concatenate([z[1:], z[-1:]]) for z in (u, v))
    off = np.stack(
        [
            _cells((u - v) ** 2),
            _cells(_outside(v, u, after_u) + _outside(u, before_v, v)),
            _cells(_outside(u, v, after_v) + _outside(v, before_u, u)),
        ]
    )[:, some]
    moves, energy = moves[some], energy[some]
    differ = (off * moves).sum((2, 3)) / (energy * moves).sum((1, 2))
    weights = np.sqrt(energy) * moves
    agree = ((off < ALIKE * energy) * weights).sum((2, 3)) / weights.sum((1, 2))
    return Likeness(
        int(some.sum()),
        float(np.median(differ.min(0))),
        float(np.quantile(agree.max(0), 0.25)),
    )


def _outside(middle: Array, one: Array, other: Array) -> Array:
    """Return the squares of how far `middle` is outside of what lies between the two others."""
    far = np.maximum(np.minimum(one, other) - middle, middle - np.maximum(one, other))
    np.maximum(far, 0, out=far)
    far *= far
    return far


def _cells(pixels: Array) -> Array:
    cells: Array = POOL.T @ (pixels @ POOL)
    return cells


def shared_cells(clips: Sequence[NDArray[np.float16]]) -> list[list[Cells]]:
    """Return for clips of grey pictures (T, CELLS, CELLS), in segments, what most of them share.

    That is what most clips show at the same time, from the start or from the end on, and that is
    not what they show at other times.
    """
    shared = [[np.zeros(unit.shape, np.bool_) for unit in units] for units in clips]
    for backwards in (False, True) if len(clips) >= SAMPLE - 3 else ():
        ends = [units[-1][::-1] if backwards else units[0] for units in clips]
        marks = [m[-1][::-1] if backwards else m[0] for m in shared]
        longest = min(LONGEST, int(np.median([len(unit) for unit in ends])))
        whole = [unit for unit in ends if len(unit) >= longest]
        if longest < 2:
            break
        chosen = np.linspace(0, len(whole) - 1, min(SAMPLE, len(whole))).astype(int)
        sample = np.stack([_plain(whole[n][:longest]) for n in chosen])
        typical = np.median(sample, axis=0)
        stands_out = np.abs(typical - np.median(typical, axis=0))
        near = np.minimum(SHARED * stands_out, MAX_OFF)
        most = np.median(np.abs(sample - typical), axis=0) < near
        most &= stands_out > MIN_SHARED
        for unit, mark in zip(ends, marks, strict=True) if most.any() else ():
            length = min(longest, len(unit))
            close = np.abs(_plain(unit[:length]) - typical[:length]) < near[:length]
            mark[:length] |= _grown(close & most[:length])
    return shared


def _grown(marks: Cells) -> Cells:
    """Return marked cells with those next to them."""
    grown = marks.copy()
    for there, here in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
        grown[:, there] |= marks[:, here]
        grown[:, :, there] |= marks[:, :, here]
    return grown


def _plain(unit: NDArray[np.float16]) -> Array:
    """Return pictures without brightness and contrast, in about grey levels."""
    return _without_light(unit.astype(np.float32))[0] * TYPICAL_CONTRAST
