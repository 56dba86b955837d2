"""Find when and where pictures of a fixed camera change lastingly.

All is computed from the logarithm of the pictures without its low frequencies: light is a factor
there, and what varies smoothly over the picture is gone. Medians over looks (examined frames)
before and after each moment are compared, so that what passes by drops out; where they differ,
`vidgru.tools.changes.persistence` decides from the single looks whether that lasts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.tools.changes.objects import merge_candidates
from vidgru.tools.changes.persistence import (
    AREA,
    SCALE,
    Candidate,
    Part,
    Region,
    Scene,
    confirm_change,
    differences,
    pieces,
)

SIDE = 200  # pixels of the longer side of a look
MAX_LOOKS = 320  # looks that are kept
SPAN = 9  # looks before, and after, of which the median is taken
SPACINGS = (1, 3)  # between those: the wider one ignores a person who stands there for a while
FEW = 4  # looks before or after, at the beginning and the end
DARK = 10.0  # grey levels added before the logarithm, so that noise in the dark stays small
BROAD = 1 / 64  # of the longer side: what varies over more is light
MIN_DIFFERENCE = 0.025  # smallest difference of logarithms that counts
NOISE = 3.0  # times the noise of a single look
NEAR = 2  # pixels between parts of one change
PARTS = 5  # of the picture, across and down,
MOVED = 0.7  # and the share of them that change at once where the camera moved
BUSY = 0.1  # share of the pixels that change then at least
SHAKE = 3  # pixels that a look may be off
SURELY = 0.95  # share of the residual without a shift, to apply it
SHAKE_SHARE = 0.15  # share of the pixels, which determine the shake
CHANGED = 0.1  # difference that is no shake
HIDDEN = 4  # parts that an object or walker may fill
WHOLE = sorted(product(range(-SHAKE, SHAKE + 1), repeat=2), key=lambda xy: xy[0] ** 2 + xy[1] ** 2)
# Exchanges that bring the median of nine to the middle (Paeth 1990).
NETWORK = (
    (1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3), (5, 8), (4, 7),
    (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2),
)  # fmt: skip

Looks = NDArray[np.uint8]  # (T, H, W, 3)
Maps = NDArray[np.int16]  # structure, in units of 1 / SCALE
Floats = NDArray[np.float32]
Pixels = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]  # looks, rows, columns


class ChangeDetector:
    """Takes looks at a scene in order, and reports lasting changes, in constant memory.

    Looks are rgb uint8 (H, W, 3) of one size, SIDE pixels at most. Of the last MAX_LOOKS, those in
    the middle are reported, as the looks before and after them are known.
    """

    def __init__(self) -> None:
        self._kept: list[NDArray[np.uint8]] = []
        self._first = 0  # number of the first look kept,
        self._reported = 0  # and of the first not yet reported

    def push(self, look: NDArray[np.uint8]) -> Iterator[Region | int]:
        """Take one more look; yield changes that are certain now, as `finish` does."""
        self._kept.append(look)
        if len(self._kept) == MAX_LOOKS:
            yield from self._report(self._first + 3 * MAX_LOOKS // 4)
            del self._kept[: MAX_LOOKS // 2]
            self._first += MAX_LOOKS // 2

    def finish(self) -> Iterator[Region | int]:
        """Yield the last changes in order, and looks at which the camera moved, as indices."""
        yield from self._report(self._first + len(self._kept))

    def _report(self, end: int) -> Iterator[Region | int]:
        if not self._kept:
            return
        for item in find(np.stack(self._kept)):
            look = self._first + (item if isinstance(item, int) else item.look)
            if self._reported <= look < end:
                yield look if isinstance(item, int) else replace(item, look=look)
        self._reported = end


def find(looks: Looks) -> list[Region | int]:
    """Return lasting changes in looks, in order, and looks at which the camera moved."""
    still = steady(looks)
    maps = structure(still)
    if len(looks) < 2 * FEW:
        return []
    noise = noise_of(maps)
    scored = scores(maps, noise, SPACINGS[0])
    breaks = moves_of(maps, scored)
    found: list[Region | int] = list(breaks)
    if breaks:
        for start, end in zip([0, *breaks], [*breaks, len(looks)], strict=True):
            for item in find(looks[start:end]) if end - start >= 2 * FEW else ():
                look = start + (item if isinstance(item, int) else item.look)
                found.append(look if isinstance(item, int) else replace(item, look=look))
    else:
        scene = Scene(still, maps, noise, np.maximum(MIN_DIFFERENCE, NOISE * noise))
        parts = list(_confirmed(scene, scored, 1))
        parts += _confirmed(scene, scores(maps, noise, SPACINGS[1]), SPACINGS[1])
        found += merge_candidates(scene, parts)
    return sorted(found, key=lambda item: item if isinstance(item, int) else item.look)


def _confirmed(scene: Scene, scored: Floats, spacing: int) -> Iterator[Part]:
    for looks, rows, columns in grouped(peaks(scored, spacing)):
        if len(rows) >= AREA:
            look = int(np.median(looks))
            before, after = (around(scene.maps, look, side, spacing) for side in (-1, 1))
            for piece in pieces(scene, Candidate(look, rows, columns, before, after)):
                if (part := confirm_change(scene, piece, 5 * spacing + 9)) is not None:
                    yield part


def steady(looks: Looks) -> Looks:
    """Return looks shifted to the position of most of them, which removes shake."""
    height, width = looks.shape[1:3]
    if min(height, width) < 16 or len(looks) < 2:
        return looks

    def detail(rgb: NDArray[np.uint8]) -> Floats:
        grey = np.log(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) + DARK)
        fine: Floats = np.clip(grey - cv2.GaussianBlur(grey, (0, 0), 2), -0.15, 0.15)
        return np.asarray(cv2.blur(fine, (3, 3)), np.float32)

    def back(look: NDArray[np.uint8], by: Floats) -> NDArray[np.uint8]:
        matrix = np.array([[1, 0, by[0]], [0, 1, by[1]]])
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = width, height
        out = cv2.warpAffine(look, matrix, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(out, np.uint8)

    some = looks[np.linspace(0, len(looks) - 1, SPAN).astype(int)]
    first = ShiftEstimator(detail(some[SPAN // 2]))
    some = np.stack([back(look, first.shift(detail(look))) for look in some])
    first = ShiftEstimator(detail(np.median(some, 0).astype(np.uint8)))
    shifts = np.stack([first.shift(detail(look)) for look in looks])
    shifts -= np.median(shifts, 0)
    out = looks.copy()
    for number in np.flatnonzero(np.abs(shifts).max(1) > 0.08):
        out[number] = back(looks[number], shifts[number])
    return out


class ShiftEstimator:
    """The details (H, W) of a picture by which the shift of another is estimated.

    Of each neighbourhood, the pixels count where the picture varies most.
    """

    def __init__(self, first: Floats) -> None:
        edge = SHAKE + 1
        down, across = np.gradient(first)
        slopes = np.stack([across, down])
        strength = np.hypot(*slopes)
        strength /= cv2.blur(strength, (41, 41)) + 1e-3
        inner = strength[edge:-edge, edge:-edge]
        rows, columns = np.nonzero(inner >= np.quantile(inner, 1 - SHAKE_SHARE))
        self._rows, self._columns = rows + edge, columns + edge
        height, width = first.shape
        self._parts = self._rows * PARTS // height * PARTS + self._columns * PARTS // width
        self._one = first[self._rows, self._columns]
        self._slopes = slopes[:, self._rows, self._columns]

    def shift(self, other: Floats) -> Floats:
        """Return by how much another picture is shifted across and down, at most SHAKE + 1.

        The shift in whole pixels is that with the least residual, where no pixel counts for more
        than a change may. From there the equation of optical flow (Lucas and Kanade 1981) is solved
        for one shift of everything; changed pixels do not count, as the weight falls with the
        residual (Geman and McClure 1987). It is zero unless the residual becomes clearly smaller.
        """
        whole, off = (0, 0), self._one - other[self._rows, self._columns]
        at_rest, least = off, remains(off)
        for x, y in WHOLE:
            here = self._one - other[self._rows + y, self._columns + x]
            if (left := remains(here)) < least:
                least, whole, off = left, (x, y), here
        slopes, part, rest = self._slopes, np.zeros(2, np.float32), off
        for _ in range(4):
            weight = 1 / np.square(1 + np.square(rest / (3 * np.median(np.abs(rest)) + 1e-6)))
            weighted = slopes * weight
            part = np.linalg.solve(weighted @ slopes.T + 1e-9 * np.eye(2), weighted @ off)
            rest = off - part @ slopes
        part = np.clip(part, -1, 1)
        # What one object or walker explains is no shake: the parts that gain most do not count.
        without, rests = (
            np.bincount(self._parts, np.minimum(np.abs(each), CHANGED), PARTS**2)
            for each in (at_rest, off - part @ slopes)
        )
        kept = np.argsort(rests - without)[HIDDEN:]
        if rests[kept].sum() > SURELY * without[kept].sum():
            return np.zeros(2, np.float32)
        return np.asarray(np.array(whole) + part, np.float32)


def remains(off: Floats) -> float:
    """Return the mean residual, as far as a shift can explain it."""
    return float(np.minimum(np.abs(off), CHANGED).mean())


def structure(looks: Looks) -> Maps:
    """Return the logarithm of looks without what varies smoothly over the picture."""
    table = np.log(np.arange(256, dtype=np.float32) + np.float32(DARK))
    sigma = max(looks.shape[1:3]) * BROAD
    maps = np.empty(looks.shape, np.int16)
    for out, rgb in zip(maps, looks, strict=True):
        values = table[rgb]
        out[:] = np.rint((values - cv2.GaussianBlur(values, (0, 0), sigma)) * SCALE)
    return maps


def median_of_nine(values: Sequence[Maps]) -> Maps:
    """Return the median of nine arrays of one shape, element by element."""
    v = list(values)
    for a, b in NETWORK:
        v[a], v[b] = np.minimum(v[a], v[b]), np.maximum(v[a], v[b])
    return v[4]


def median(maps: Maps, looks: Sequence[int]) -> Maps:
    """Return the median of some looks, the upper one of an even number."""
    if len(looks) == SPAN:
        return median_of_nine([maps[look] for look in looks])
    middle: Maps = np.sort(maps[list(looks)], 0)[len(looks) // 2]
    return middle


def noise_of(maps: Maps) -> Floats:
    """Return the noise of each pixel (H, W, 3): of looks from the median of those around them."""
    count = len(maps)
    off = []
    for look in np.linspace(FEW, count - 1 - FEW, min(max(count - 8, 1), 40)).astype(int):
        near = range(max(look - FEW, 0), min(look + FEW + 1, count))
        off.append(np.abs(maps[look] - median(maps, near)))
    # 1.48: of a normal distribution; 1.1: the median follows the look itself a little.
    sigma = np.median(np.stack(off), 0) * (1.48 * 1.1 / SCALE)
    smooth: Floats = cv2.blur(sigma.astype(np.float32), (3, 3))
    return smooth


def around(maps: Maps, look: int, side: int, spacing: int) -> list[int]:
    """Return up to SPAN looks from `look` on (side 1), or before it (-1), nearest first."""
    start = look if side > 0 else look - 1
    steps = (start + side * spacing * step for step in range(SPAN))
    return [number for number in steps if 0 <= number < len(maps)]


def scores(maps: Maps, noise: Floats, spacing: int) -> Floats:
    """Return how much each pixel differs before and after a look (T, H, W): 1 counts."""
    found = np.zeros(maps.shape[:3], np.float32)
    bound = np.maximum(MIN_DIFFERENCE, NOISE * noise)
    known: dict[tuple[int, int], Maps] = {}
    for look in range(FEW, len(maps) - FEW + 1):
        pair = []
        for side in (-1, 1):
            looks = around(maps, look, side, spacing)
            key = min(looks), max(looks)
            if len(looks) >= FEW and key not in known:
                known[key] = median(maps, looks)
            pair.append(known.get(key))
        for key in [key for key in known if key[1] < look - SPAN * spacing]:
            del known[key]
        before, after = pair
        if before is not None and after is not None:
            old, new = (np.float32(1 / SCALE) * picture for picture in (before, after))
            found[look] = cv2.blur(differences(old, new, bound), (3, 3))
    return found


def moves_of(maps: Maps, scored: Floats) -> list[int]:
    """Return the looks from which on the camera points elsewhere."""
    changed = (scored > 1).mean((1, 2))
    share = np.zeros(len(maps))
    for look in np.flatnonzero(changed > BUSY).tolist():
        share[look] = elsewhere(*(median(maps, around(maps, look, side, 1)) for side in (-1, 1)))
    found = []
    while share.max(initial=0) > MOVED:
        # The middle of the best ones, as medians change when half of their looks have. Those far
        # from the first are of another move.
        best = np.flatnonzero(share >= share.max() - 0.05)
        best = best[best < best[0] + 2 * SPAN]
        best = best[changed[best] >= changed[best].max() - 0.01]
        found.append(int(np.median(best)))
        share[max(found[-1] - 2 * SPAN, 0) : found[-1] + 2 * SPAN] = 0
    return sorted(found)


def elsewhere(before: Maps, after: Maps) -> float:
    """Return the share of the picture's structured parts that do not match those before."""
    old, new = (picture.astype(np.float32) / SCALE for picture in (before, after))
    products = np.dstack([(old * new).sum(2), (old * old).sum(2), (new * new).sum(2)])
    parts = cv2.resize(products, (PARTS, PARTS), interpolation=cv2.INTER_AREA)
    both, olds, news = np.moveaxis(parts, 2, 0)
    structured = np.maximum(olds, news) > (2 * MIN_DIFFERENCE) ** 2
    unlike = both < 0.5 * np.sqrt(olds * news + 1e-12)
    return float(unlike[structured].mean()) if structured.mean() > 0.25 else 0.0


def peaks(scored: Floats, spacing: int) -> NDArray[np.bool_]:
    """Return where and when a pixel's score is in the middle of its high period."""
    reach = FEW if spacing == 1 else SPAN
    kept = np.where(scored < 0.6, 0, np.minimum(scored, 2)).astype(np.float32)
    sums = np.concatenate([np.zeros_like(kept[:1]), np.cumsum(kept, 0)])
    spans = [(max(t - reach, 0), min(t + reach + 1, len(kept))) for t in range(len(kept))]
    means = np.stack([sums[end] - sums[start] for start, end in spans]) / (2 * reach + 1)
    best = np.stack([means[start:end].max(0) for start, end in spans])
    found: NDArray[np.bool_] = (scored > 1) & (means > 0.4) & (means >= best - 1e-6)
    return found


def grouped(marks: NDArray[np.bool_]) -> list[Pixels]:
    """Return marks (T, H, W) grouped by nearness in time and place."""
    kernel = np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)
    parent = [0]

    def root(label: int) -> int:
        while parent[label] != label:
            label = parent[label]
        return label

    last: list[NDArray[np.int32] | None] = [None, None]
    labels: list[tuple[int, NDArray[np.int32]]] = []
    for look, mark in enumerate(marks):
        if not mark.any():
            last = [last[1], None]
            continue
        count, plain = cv2.connectedComponents(cv2.dilate(mark.astype(np.uint8), kernel))
        own = np.where(plain > 0, plain + (len(parent) - 1), 0).astype(np.int32)
        parent += range(len(parent), len(parent) + count - 1)
        for other in last:
            if other is not None:
                both = (other > 0) & (own > 0)
                for pair in np.unique(np.stack([other[both], own[both]], 1), axis=0).tolist():
                    low, high = sorted(map(root, pair))
                    parent[high] = low
        labels.append((look, own))
        last = [last[1], own]
    groups: dict[int, list[Pixels]] = {}
    for look, own in labels:
        rows, columns = np.nonzero(marks[look])
        here = np.array([root(label) for label in own[rows, columns].tolist()])
        for label in np.unique(here).tolist():
            of = here == label
            groups.setdefault(label, []).append(
                (np.full(int(of.sum()), look), rows[of], columns[of])
            )
    return [tuple(map(np.concatenate, zip(*group, strict=True))) for group in groups.values()]  # type: ignore[misc]
