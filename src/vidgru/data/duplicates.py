"""Find clips that show the same footage: equal files, and copies encoded or cut anew.

Frames are looked at as small grey pictures. Clips of one fixed camera look alike without being
copies, so what changes must agree, too: over the frames that two clips share, at the best offset,
the correlation of (frame - mean frame). Where nothing moves, pictures must agree in detail.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidgru.data.cache import Segments
from vidgru.data.folder import Clip
from vidgru.data.thumbnails import Array, grey

GRID = 16  # side of the grey pictures
FINE = 48  # side of those that are compared where nothing moves
MOST_FRAMES = 500_000  # of all clips: 256 MB of grey pictures
MOST_ROWS = 250_000  # of all clips: changes that others are searched in
QUERIES = 4  # changes of a clip that are searched in the others
NEIGHBOURS = 12  # clips that a clip is compared with in full
LIKELY = 0.5  # correlation of changes that is worth a closer look
LOUD = 3.0  # grey levels (rms) that a picture has when it shows something
MOVING, STILL = 0.4, 1.0  # grey levels (rms): above, changes are looked at; below, only pictures
# Correlations of changes and of mean pictures of the same footage, measured on copies: half the
# size, other codecs, shapes and rates, cut, brightened: above 0.84 and 0.94. Of different takes:
# below 0.84, but for single pairs that share few frames, before a background equal to 0.995.
WHOLE = (0.84, 0.94)  # at least 8 frames, 0.8 of the shorter clip; and in sum:
WHOLE_SUM = 1.85
PARTIAL = (0.94, 0.998)  # at least 4 frames, a quarter of it
STILL_PICTURE = 0.985  # correlation of the detailed pictures of still clips
WORST_CELL = 10.0  # grey levels (rms) by which they differ where they differ most
SAME_NOISE, QUIET = 0.7, 0.25  # correlation of changes wanted of still clips, but of the quietest
GRAIN, SAME_GRAIN = 1.5, 0.15  # grey levels (rms) of it in mean pictures; its correlation
ALONE = 3  # look-alikes of a still clip; where there are more, they are one camera's

BLOCK = 256  # clips whose products are in memory at once

Array64 = NDArray[np.float64]
Greys = NDArray[np.float16]


@dataclass(frozen=True)
class Duplicate:
    """Two clips of the same footage; `exact` when their content is equal byte for byte."""

    first: Clip
    second: Clip
    exact: bool
    certain: bool = False


def find_duplicates(
    clips: Sequence[Clip], frames: Mapping[Clip, Segments], keys: Mapping[Clip, str]
) -> list[Duplicate]:
    """Return the pairs of clips that show the same footage, in the order of `clips`.

    `frames` are uint8 (segments, frames, side, side, 3), at the same rate for all clips. Of clips
    with equal keys, each is paired with the first one, and only that is compared with others.
    Memory is bounded.
    """
    places = {clip: number for number, clip in enumerate(clips)}
    same: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        same[keys[clip]].append(clip)
    pairs = [
        Duplicate(equal[0], other, exact=True) for equal in same.values() for other in equal[1:]
    ]
    single = [equal[0] for equal in same.values()]
    total = sum(frames[clip].shape[0] * frames[clip].shape[1] for clip in single)
    every = -(-total // MOST_FRAMES)
    greys = [grey(frames[clip][:, ::every], GRID).astype(np.float16) for clip in single]
    changes = [changing(grey) for grey in greys]
    moving = [number for number, change in enumerate(changes) if change > MOVING]
    still = [number for number, change in enumerate(changes) if change < STILL]
    found = {(moving[a], moving[b]) for a, b in _same_motion([greys[n] for n in moving])}
    found = {pair for pair in found if _same_detail(*(frames[single[n]] for n in pair))}
    pictures = [greys[n] for n in still], [single[n] for n in still]
    found |= {(still[a], still[b]) for a, b in _same_pictures(*pictures, frames)}
    pairs += [Duplicate(single[a], single[b], exact=False) for a, b in found]
    return sorted(pairs, key=lambda pair: (places[pair.first], places[pair.second]))


def changing(pictures: Greys) -> float:
    """Return by how many grey levels (rms) a clip's pictures differ from its mean picture."""
    exact = pictures.astype(np.float32)
    return float(np.sqrt(((exact - exact.mean((0, 1))) ** 2).mean()))


def _normal(pictures: Array) -> Array:
    """Return pictures (..., cells) without brightness and contrast."""
    centred: Array = pictures - pictures.mean(-1, keepdims=True)
    centred /= np.maximum(np.sqrt((centred**2).mean(-1, keepdims=True)), LOUD)
    return centred


def _same_motion(greys: Sequence[Greys]) -> Iterator[tuple[int, int]]:
    """Yield pairs of numbers of clips that change in the same way before the same background."""
    units = [unit for clip in greys for unit in clip]  # (T, side, side) each
    owner = np.repeat(np.arange(len(greys)), [len(clip) for clip in greys])
    same: dict[tuple[int, int], bool] = {}
    for a, b in _likely(units, owner) if len(greys) > 1 else ():
        pair = int(min(owner[a], owner[b])), int(max(owner[a], owner[b]))
        if not same.get(pair):
            same[pair] = _same_footage(units[a], units[b])
    yield from (pair for pair, found in same.items() if found)


def _likely(units: Sequence[Greys], owner: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield pairs of numbers of units that change alike at some times; `owner` is their clip.

    Changes over a few frames are compared, as 8x8 cells: a unit's largest ones, one in each of its
    quarters, with some of all others. The second best of these counts.
    """
    step = max(3, -(-sum(map(len, units)) // MOST_ROWS))
    rows, queries, starts = [], [], [0]
    for unit in units:
        small = unit.reshape(len(unit), GRID // 2, 2, GRID // 2, 2).astype(np.float32)
        pictures = _normal(small.mean((2, 4)).reshape(len(unit), -1))
        lag = min(4, len(unit) - 1)
        changes = pictures[lag:] - pictures[:-lag] if lag else np.zeros_like(pictures)
        energy = (changes**2).sum(1)
        parts = np.array_split(np.arange(len(changes)), min(QUERIES, len(changes)))
        chosen = [int(part[energy[part].argmax()]) for part in parts]
        chosen += chosen[-1:] * (QUERIES - len(chosen))
        changes /= np.maximum(np.sqrt(energy), 1e-6)[:, None]
        queries.append(changes[chosen])
        rows.append(changes[::step])
        starts.append(starts[-1] + len(rows[-1]))
    asked, every, count = np.concatenate(queries), np.concatenate(rows), len(units)
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        score = np.empty((last - first, count), np.float32)
        for low in range(0, count, BLOCK):
            high = min(low + BLOCK, count)
            alike = asked[first * QUERIES : last * QUERIES] @ every[starts[low] : starts[high]].T
            best = np.maximum.reduceat(alike, np.array(starts[low:high]) - starts[low], axis=1)
            best = np.sort(best.reshape(last - first, QUERIES, high - low), axis=1)
            score[:, low:high] = best[:, -2]
        score[owner[first:last, None] == owner] = -1
        top = np.argsort(-score, axis=1, kind="stable")[:, :NEIGHBOURS]
        for row, others in enumerate(top):
            yield from ((first + row, int(b)) for b in others if score[row, b] > LIKELY)


def _same_footage(a: Greys, b: Greys) -> bool:
    x, y = (_normal(u.reshape(len(u), -1).astype(np.float32)) for u in (a, b))
    products = x @ y.T
    if products.max() < 0.9 * x.shape[1]:  # not one picture is the same
        return False
    changes, pictures, shared = agreements(x, y, products)
    shorter = min(len(a), len(b))
    whole = (shared >= max(8, 0.8 * shorter)) & (changes > WHOLE[0]) & (pictures > WHOLE[1])
    whole &= changes + pictures > WHOLE_SUM
    partial = (changes > PARTIAL[0]) & (pictures > PARTIAL[1])
    return bool((whole | partial).any())


def _same_detail(a: Segments, b: Segments) -> bool:
    """Return whether the fine grain of two mean pictures, if there is any, is not foreign.

    Drawn clips may move alike before the same plain colour, and yet not be the same.
    """
    x, y = (grey(u, FINE).mean((0, 1)) for u in (a, b))
    ratio = FINE // GRID
    for picture in (x, y):
        cells = picture.reshape(GRID, ratio, GRID, ratio)
        cells -= cells.mean((1, 3), keepdims=True)
    left, right = float((x * x).sum()), float((y * y).sum())
    if min(left, right) < GRAIN**2 * x.size:
        return True
    return float((x * y).sum()) > SAME_GRAIN * math.sqrt(left * right)


def agreements(x: Array, y: Array, products: Array) -> tuple[Array64, Array64, Array64]:
    """Return how well two clips of normal pictures (T, cells) agree at each offset.

    `products` are those of all their pictures. At each offset at which they share four frames and
    a quarter of the shorter clip: the correlation of their changes (what differs, over those
    frames, from the mean picture), that of their mean pictures, and the frames shared.
    """
    shorter = min(len(x), len(y))
    fewest = min(shorter, max(4, -(-shorter // 4)))
    offsets = np.arange(fewest - len(x), len(y) - fewest + 1)
    low = np.maximum(0, -offsets)
    high = np.minimum(len(x), len(y) - offsets)
    shared = (high - low).astype(np.float64)
    shift = np.arange(len(y)) - np.arange(len(x))[:, None] + len(x) - 1
    along = np.bincount(shift.ravel(), products.ravel().astype(np.float64))
    along = along[offsets + len(x) - 1]
    mean_x, square_x = _between(x, low, high)
    mean_y, square_y = _between(y, low + offsets, high + offsets)
    both = (mean_x * mean_y).sum(1)
    own_x, own_y = (mean_x**2).sum(1), (mean_y**2).sum(1)
    left_x, left_y = square_x - shared * own_x, square_y - shared * own_y
    changes = (along - shared * both) / np.sqrt(np.maximum(left_x * left_y, 1e-12))
    return changes, both / np.sqrt(np.maximum(own_x * own_y, 1e-12)), shared


def _between(
    rows: Array, low: NDArray[np.int64], high: NDArray[np.int64]
) -> tuple[Array64, Array64]:
    """Return mean row and sum of squares of the rows from each of `low` to each of `high`."""
    sums = np.cumsum(np.concatenate([np.zeros_like(rows[:1]), rows]), axis=0, dtype=np.float64)
    squares = np.concatenate([[0.0], np.cumsum((rows**2).sum(1, dtype=np.float64))])
    mean = (sums[high] - sums[low]) / (high - low)[:, None]
    return mean, squares[high] - squares[low]


def _same_pictures(
    greys: Sequence[Greys], clips: Sequence[Clip], frames: Mapping[Clip, Segments]
) -> Iterator[tuple[int, int]]:
    """Yield pairs of numbers of still clips whose pictures are the same in detail.

    A clip with many look-alikes is left out: they come from one camera, or one template.
    """
    count, near = len(clips), min(ALONE + 1, len(clips) - 1)
    if near < 1:
        return
    pictures = np.stack([clip.mean((0, 1), dtype=np.float32).ravel() for clip in greys])
    pictures = _normal(pictures)
    pictures /= np.maximum(np.sqrt((pictures**2).sum(1, keepdims=True)), 1e-6)
    nearest = np.empty((count, near), np.int64)
    distance = np.empty((count, near), np.float32)
    for low in range(0, count, BLOCK):
        rows = np.arange(low, min(low + BLOCK, count))
        far = 1 - pictures[rows] @ pictures.T
        far[rows - low, rows] = 3
        nearest[rows] = np.argsort(far, axis=1, kind="stable")[:, :near]
        distance[rows] = np.take_along_axis(far, nearest[rows], axis=1)
    crowded = distance[:, ALONE] if near > ALONE else np.full(count, 3, np.float32)
    for a in range(count):
        for b, far in zip(nearest[a].tolist(), distance[a].tolist(), strict=True):
            alone = min(crowded[a], crowded[b]) > max(4 * far, 0.01)
            again = b < a and a in nearest[b]
            if (
                far < 2 * (1 - STILL_PICTURE)
                and alone
                and not again
                and _same_noise(greys[a], greys[b])
                and _same_picture(frames[clips[a]], frames[clips[b]])
            ):
                yield min(a, b), max(a, b)


def _same_noise(a: Greys, b: Greys) -> bool:
    """Return whether what little changes in two still clips, if anything, changes alike."""
    if min(changing(a), changing(b)) < QUIET:
        return True
    x, y = (_normal(u[0].reshape(u.shape[1], -1).astype(np.float32)) for u in (a, b))
    return bool(agreements(x, y, x @ y.T)[0].max() > SAME_NOISE)


def _same_picture(a: Segments, b: Segments) -> bool:
    x, y = (grey(u, FINE).mean((0, 1)).ravel() for u in (a, b))
    if min(x.std(), y.std()) < LOUD:
        return False  # nothing to be seen
    x, y = x - x.mean(), y - y.mean()
    slope = float(x @ y) / float(x @ x)
    cells = FINE // 6
    off = ((y - slope * x) ** 2).reshape(cells, 6, cells, 6).mean((1, 3))
    alike = float(x @ y) / float(np.sqrt((x @ x) * (y @ y)))
    return alike > STILL_PICTURE and float(np.sqrt(off.max())) < WORST_CELL
