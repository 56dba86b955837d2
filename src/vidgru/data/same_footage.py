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
MOST = 96  # frames that are compared, in runs of 16 where there are more
FEWEST = 4  # frames in which something moves
MOVING = (4.0, 64.0)  # least energy of a moving cell in both clips, in squared grey levels:
FAINT = 32  # that part of what the strongest cells have, between these two
ALIKE = 0.2  # of that energy by which a cell of the same footage differs at most
# Copies (half the size, other codecs and rates, cut between two frames that were kept) stay below
# 0.06 and above 0.85; takes of one word by one mouth, or of one way by one person, come to 0.08 and
# 0.64: the median share of energy by which frames differ, and the quarter of the frames' least
# shares of moving cells that agree.
DIFFER, AGREE = 0.07, 0.75
CERTAIN_DIFFER, CERTAIN_AGREE = 0.05, 0.85
GRAIN, SAME_GRAIN = 1.5, 0.15  # grey levels (rms) of it in backgrounds; its correlation
LOUD = 3.0  # grey levels (rms) that a picture has when it shows something
SAME_SCENE = 0.9  # correlation of backgrounds
SAMPLE, LONGEST = 11, 128  # clips, and their first and last frames, that tell what most clips share
SHARED = 0.35  # by which a clip differs from what most share, of what that differs from the usual
LEAST_SHARED = 6.0  # grey levels

Number = TypeVar("Number", bound=np.generic)
Greys = NDArray[np.uint8]
Cells = NDArray[np.bool_]


@dataclass(frozen=True)
class Likeness:
    """How alike two clips move: the frames with something moving, and the two shares above."""

    frames: int
    differ: float
    agree: float

    @property
    def same(self) -> bool:
        """Whether this is how copies are alike, and not different takes of one scene."""
        return self.frames >= FEWEST and self.differ < DIFFER and self.agree > AGREE

    @property
    def certain(self) -> bool:
        """Whether there is no practical doubt of it."""
        enough = self.frames >= 2 * FEWEST
        return enough and self.differ < CERTAIN_DIFFER and self.agree > CERTAIN_AGREE


def turned(pictures: NDArray[Number], way: int) -> NDArray[Number]:
    """Return pictures (..., side, side) turned, and mirrored, in one of WAYS."""
    done = np.rot90(pictures, way % 4, axes=(-2, -1))
    return done[..., ::-1] if way >= 4 else done


def compare(x: Greys, y: Greys, told: Cells) -> list[Likeness]:
    """Return how alike two clips (T, FINE, FINE) move: in their scene, and in what interrupts it.

    `told` (T, CELLS, CELLS) are the cells that count. Empty where backgrounds differ or nothing
    moves.
    """
    if len(x) > MOST:
        starts = np.linspace(0, len(x) - 16, MOST // 16).astype(int)
        at = (starts[:, None] + np.arange(16)).ravel()
        x, y, told = x[at], y[at], told[at]
    both = x.astype(np.float32), y.astype(np.float32)
    u, v, scene = _residuals(*both)
    if not _same_scene(*scene):
        return []
    energy = _cells(u * u + v * v)
    least = float(np.clip(np.quantile(energy, 0.99) / FAINT, *MOVING))
    foreign: NDArray[np.bool_] = (energy > least).mean((1, 2)) > 0.5
    if FEWEST <= foreign.sum() <= len(x) - FEWEST:
        # Something else interrupts the scene, and tells nothing about it, nor the other way round.
        parts = [
            (_residuals(*(z[part] for z in both))[:2], told[part]) for part in (~foreign, foreign)
        ]
    elif foreign.sum() < FEWEST:
        parts = [((u[~foreign], v[~foreign]), told[~foreign])]
    else:
        parts = [((u, v), told)]
    measured = [_likeness(*pair, counted, least) for pair, counted in parts]
    return [one for one in measured if one.frames >= FEWEST]


def _residuals(x: Array, y: Array) -> tuple[Array, Array, tuple[Array, Array]]:
    """Return by how much frames differ from the background, at the same contrast, and that."""
    left, right = np.median(x, axis=0), np.median(y, axis=0)
    a, b = left - left.mean(), right - right.mean()
    gain = float(np.clip((a * b).sum() / max(float((a * a).sum()), 1e-6), 0.5, 2))
    return (x - left) * gain, y - right, (a, b)


def _same_scene(a: Array, b: Array) -> bool:
    """Return whether two backgrounds may be the same, by their shapes and their fine grain.

    Drawn clips may move alike before the same plain colour, and yet not be the same.
    """
    if min(a.std(), b.std()) > LOUD and _correlation(a, b) < SAME_SCENE:
        return False
    size = FINE // CELLS
    grains = []
    for picture in (a, b):
        cells = picture.reshape(CELLS, size, CELLS, size)
        grains.append(cells - cells.mean((1, 3), keepdims=True))
    if min(float(np.sqrt((grain**2).mean())) for grain in grains) < GRAIN:
        return True
    return _correlation(*grains) > SAME_GRAIN


def _correlation(a: Array, b: Array) -> float:
    product = float((a * b).sum())
    return product / max(math.sqrt(float((a * a).sum()) * float((b * b).sum())), 1e-9)


def _likeness(u: Array, v: Array, told: Cells, least: float) -> Likeness:
    """Compare what moves, also as if one clip was a part of a frame ahead of the other.

    Copies cut or shown at another rate are kept at times between those of the original. What moves
    is then, pixel by pixel, between what it is in two frames of the other clip.
    """
    energy = _cells(u * u + v * v)
    moves = (energy > least) & told
    some = moves.sum((1, 2)) >= 2
    if not some.any():
        return Likeness(0, 1.0, 0.0)
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
    size = FINE // CELLS
    cells: Array = pixels.reshape(len(pixels), CELLS, size, CELLS, size).mean((2, 4))
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
        sample = np.stack([whole[n][:longest] for n in chosen]).astype(np.float32)
        usual = np.median(sample, axis=0)
        stands_out = np.abs(usual - np.median(usual, axis=0))
        near = SHARED * stands_out
        most = np.median(np.abs(sample - usual), axis=0) < near
        most &= stands_out > LEAST_SHARED
        for unit, mark in zip(ends, marks, strict=True) if most.any() else ():
            length = min(longest, len(unit))
            close = np.abs(unit[:length] - usual[:length]) < near[:length]
            mark[:length] |= close & most[:length]
    return shared
