"""Find clips that show the same footage: equal files, and copies encoded, cut or turned anew.

Frames are looked at as small grey pictures. Clips that change alike at some time, as they are,
mirrored or turned, are brought in line and compared in detail, see `same_footage`. Where nothing
moves, pictures must agree in detail.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from vidgru.data.cache import Segments
from vidgru.data.folder import Clip
from vidgru.data.same_footage import FINE, LOUD, WAYS, Cells, compare, shared_cells, turned
from vidgru.data.thumbnails import Array, grey

GRID = 16  # side of the grey pictures
MAX_FRAMES = 500_000  # of all clips: 256 MB of grey pictures, 128 MB of what they share
FEW_ROWS, MAX_ROWS = 20_000, 250_000  # of all clips: changes that others are searched in
STEP = 3  # every how many frames they are taken where there are more than few
QUERIES = 4  # changes of a clip that are searched in the others
NEIGHBOURS, TURNED = 12, 6  # clips that a clip is compared with in full: as they are, and turned
LIKELY, LIKELY_TURNED = 0.5, 0.7  # correlation of changes that is worth a closer look
LINED_UP, PARTLY = 0.6, 0.8  # that of all that clips share, and of a quarter, worth comparing
MOVING, STILL = 0.15, 1.0  # grey levels (rms): above, changes are looked at; below, only pictures
STILL_PICTURE = 0.985  # correlation of the detailed pictures of still clips
WORST_CELL = 10.0  # grey levels (rms) by which they differ where they differ most
SAME_NOISE, QUIET = 0.7, 0.3  # correlation of changes wanted of still clips, but of the quietest
ALONE = 3  # look-alikes of a still clip; where there are more, they are one camera's

BLOCK, ROWS = 256, 32  # clips whose products are in memory at once, in all ways
KEPT = 128  # segments whose detailed pictures are

Array64 = NDArray[np.float64]
Greys = NDArray[np.float16]


@dataclass(frozen=True)
class Duplicate:
    """Two clips of the same footage.

    exact: their content is equal byte for byte; certain: there is no practical doubt.
    """

    first: Clip
    second: Clip
    exact: bool
    certain: bool = False


@dataclass(frozen=True)
class _Unit:
    """One segment of a clip."""

    owner: int
    frames: Segments  # (T, side, side, 3)
    greys: Greys  # (T, GRID, GRID)
    shared: Cells  # (T, GRID, GRID): what most clips show, too


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
        Duplicate(equal[0], other, exact=True, certain=True)
        for equal in same.values()
        for other in equal[1:]
    ]
    single = [equal[0] for equal in same.values()]
    total = sum(frames[clip].shape[0] * frames[clip].shape[1] for clip in single)
    every = -(-total // MAX_FRAMES)
    greys = [grey(frames[clip][:, ::every], GRID).astype(np.float16) for clip in single]
    still = [number for number, pictures in enumerate(greys) if changing(pictures) < STILL]
    shared = shared_cells(greys)
    for pictures, marks in zip(greys, shared, strict=True):
        _level(pictures, marks)
    moving = [number for number, pictures in enumerate(greys) if changing(pictures) > MOVING]
    units = [
        _Unit(number, frames[single[number]][part, ::every], greys[number][part], mark)
        for number in moving
        for part, mark in enumerate(shared[number])
    ]
    found = _same_motion(units)
    for a, b in _same_pictures([greys[n] for n in still], [single[n] for n in still], frames):
        found.setdefault((still[a], still[b]), False)
    pairs += [Duplicate(single[a], single[b], False, certain) for (a, b), certain in found.items()]
    return sorted(pairs, key=lambda pair: (places[pair.first], places[pair.second]))


def _level(pictures: Greys, marks: Sequence[Cells]) -> None:
    """Put the mean of what a clip shows at other times where it shows what most clips do."""
    shared = np.stack(marks)
    if shared.any():
        rest = np.where(shared, np.nan, pictures.astype(np.float32))
        kept = (~shared).sum((0, 1))
        mean = np.nansum(rest, axis=(0, 1)) / np.maximum(kept, 1)
        pictures[shared] = np.broadcast_to(np.where(kept, mean, 128), pictures.shape)[shared]


def changing(pictures: Greys) -> float:
    """Return by how many grey levels (rms) a clip's pictures differ from its mean picture."""
    exact = pictures.astype(np.float32)
    return float(np.sqrt(((exact - exact.mean((0, 1))) ** 2).mean()))


def _normal(pictures: Array) -> Array:
    """Return pictures (..., cells) without brightness and contrast."""
    centred: Array = pictures - pictures.mean(-1, keepdims=True)
    centred /= np.maximum(np.sqrt((centred**2).mean(-1, keepdims=True)), LOUD)
    return centred


def _same_motion(units: Sequence[_Unit]) -> dict[tuple[int, int], bool]:
    """Return pairs of clips whose changes are the same in detail, and whether that is certain."""

    @lru_cache(KEPT)
    def normal(number: int) -> Array:
        unit = units[number].greys
        return _normal(unit.reshape(len(unit), -1).astype(np.float32))

    @lru_cache(KEPT)
    def fine(number: int) -> NDArray[np.uint8]:
        return np.rint(grey(units[number].frames, FINE)).astype(np.uint8)

    found: dict[tuple[int, int], bool] = {}
    for a, b, way in _likely(units) if len(units) > 1 else ():
        pair = units[a].owner, units[b].owner
        pair = min(pair), max(pair)
        if found.get(pair):
            continue
        x = turned(normal(a).reshape(-1, GRID, GRID), way).reshape(-1, GRID**2)
        for offset in _offsets(x, normal(b)):
            first, last = max(0, -offset), min(len(x), len(normal(b)) - offset)
            one, other = slice(first, last), slice(first + offset, last + offset)
            shared = turned(units[a].shared[one], way) | units[b].shared[other]
            alike = compare(turned(fine(a)[one], way), fine(b)[other], ~shared)
            if alike.same:
                found[pair] = found.get(pair, False) or alike.certain
    return found


def _likely(units: Sequence[_Unit]) -> Iterator[tuple[int, int, int]]:
    """Yield numbers of two units, and how to turn the first, so that they change alike at times.

    Changes over a few frames are compared, as 8x8 cells: a unit's largest ones, one in each of its
    quarters, with some of all others. The second best of these counts; of turned ones, for which
    only the two largest are searched, the lesser.
    """
    owner = np.array([unit.owner for unit in units])
    total = sum(len(unit.greys) for unit in units)
    step = max(min(STEP, -(-total // FEW_ROWS)), -(-total // MAX_ROWS))
    rows, queries, largest, starts = [], [], [], [0]
    for unit in units:
        small = unit.greys.reshape(-1, GRID // 2, 2, GRID // 2, 2).astype(np.float32)
        pictures = _normal(small.mean((2, 4)).reshape(len(small), -1))
        lag = min(4, len(pictures) - 1)
        changes = pictures[lag:] - pictures[:-lag] if lag else np.zeros_like(pictures)
        energy = (changes**2).sum(1)
        parts = np.array_split(np.arange(len(changes)), min(QUERIES, len(changes)))
        chosen = [int(part[energy[part].argmax()]) for part in parts]
        chosen += chosen[-1:] * (QUERIES - len(chosen))
        changes /= np.maximum(np.sqrt(energy), 1e-6)[:, None]
        queries.append(changes[chosen])
        largest.append(changes[sorted(chosen, key=lambda n: -energy[n])[:2]])
        rows.append(changes[::step])
        starts.append(starts[-1] + len(rows[-1]))
    every, count = np.concatenate(rows), len(units)
    square = np.stack(largest).reshape(count, 2, GRID // 2, GRID // 2)
    for first in range(0, count, ROWS):
        last = min(first + ROWS, count)
        score = np.empty((len(WAYS), last - first, count), np.float32)
        for way in WAYS:
            asked = turned(square[first:last], way) if way else np.stack(queries[first:last])
            asked = np.ascontiguousarray(asked).reshape(-1, every.shape[1])
            for low in range(0, count, BLOCK):
                high = min(low + BLOCK, count)
                alike = asked @ every[starts[low] : starts[high]].T
                best = np.maximum.reduceat(alike, np.array(starts[low:high]) - starts[low], axis=1)
                best = np.sort(best.reshape(last - first, -1, high - low), axis=1)
                score[way, :, low:high] = best[:, -2] + best.mean(1) / 64
        score[:, owner[first:last, None] == owner] = -1
        for row in range(last - first):
            top = np.argsort(-score[0, row], kind="stable")[:NEIGHBOURS]
            yield from ((first + row, int(b), 0) for b in top if score[0, row, b] > LIKELY)
            rest = score[1:, row].ravel()
            places = np.flatnonzero(rest > LIKELY_TURNED)
            for place in places[np.argsort(-rest[places], kind="stable")[:TURNED]].tolist():
                yield first + row, place % count, 1 + place // count


def _offsets(x: Array, y: Array) -> list[int]:
    """Return the offsets at which two clips of normal pictures (T, cells) may be the same."""
    products = x @ y.T
    if products.max() < 0.9 * x.shape[1]:  # not one picture is the same
        return []
    changes, _, shared = agreements(x, y, products)
    shorter = min(len(x), len(y))
    minimum = min(shorter, max(4, -(-shorter // 4)))
    found = []
    for least, worth in ((0.75 * shorter, LINED_UP), (0, PARTLY)):
        score = np.where(shared >= least, changes, -1)
        best = int(score.argmax())
        if score[best] > worth and best not in found:
            found.append(best)
    return [best + minimum - len(x) for best in found]


def agreements(x: Array, y: Array, products: Array) -> tuple[Array64, Array64, Array64]:
    """Return how well two clips of normal pictures (T, cells) agree at each offset.

    `products` are those of all their pictures. At each offset at which they share four frames and
    a quarter of the shorter clip: the correlation of their changes (what differs, over those
    frames, from the mean picture), that of their mean pictures, and the frames shared.
    """
    shorter = min(len(x), len(y))
    minimum = min(shorter, max(4, -(-shorter // 4)))
    offsets = np.arange(minimum - len(x), len(y) - minimum + 1)
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
                and _same_picture(frames[clips[a]], frames[clips[b]])
                and _same_noise(frames[clips[a]], frames[clips[b]])
            ):
                yield min(a, b), max(a, b)


def _same_noise(a: Segments, b: Segments) -> bool:
    """Return whether what little changes in two still clips, if anything, changes alike."""
    x, y = (grey(u[0], FINE).reshape(u.shape[1], -1) for u in (a, b))
    x, y = x - x.mean(0), y - y.mean(0)
    if min(float(np.sqrt((z * z).mean())) for z in (x, y)) < QUIET:
        return True
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
