"""Tell what happened where parts of the picture changed: a thing appeared, vanished or moved."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.tasks.stays import Box, Floats, Part, Region, Scene, filled

TOGETHER = 4  # looks between parts of one change
GAP = 3  # pixels between them
THIN = 3  # pixels that a thing is wide and high at least


@dataclass(frozen=True, eq=False)
class Spot:
    """A part of the picture that changed: pictures (h, w, 3) around it before and after.

    box: where; x, y: the upper left corner of the pictures; kind: appeared or vanished.
    """

    part: Part
    box: Box
    x: int
    y: int
    old: Floats
    new: Floats
    kind: str
    told: float


def settle(scene: Scene, parts: Sequence[Part]) -> list[Region]:
    """Return the changes that parts stand for, each once."""
    best = sorted(parts, key=lambda p: -p.score * p.sure * (1 - p.alike) * len(p.rows) ** 0.5)
    spots: list[Spot] = []
    for part in best:
        spot = look_at(scene, part)
        if spot is None:
            continue
        if any(
            abs(other.part.look - part.look) <= 2 * TOGETHER and covers(spot.box, other.box) > 0.25
            for other in spots
        ):
            continue
        spots.append(spot)
    return [Region(s.part.look, s.kind, round(s.part.sure, 3), s.box) for s in spots]


def covers(one: Box, other: Box) -> float:
    """Return the share of the smaller box that both have."""
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    high = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(wide, 0) * max(high, 0) / min(one[2] * one[3], other[2] * other[3])


def look_at(scene: Scene, part: Part, margin: int = 6) -> Spot | None:
    """Return where exactly a part changed and what happened there, None for what is too thin."""
    height, width = scene.maps.shape[1:3]
    y, x = max(int(part.rows.min()) - margin, 0), max(int(part.columns.min()) - margin, 0)
    low = min(int(part.rows.max()) + margin + 1, height)
    right = min(int(part.columns.max()) + margin + 1, width)
    old, new = (
        np.median(np.log(scene.looks[list(looks), y:low, x:right].astype(np.float32) + 10), 0)
        for looks in (part.before, part.after)
    )
    mask = filled(part.rows - y, part.columns - x, (low - y, right - x))
    box = edges_of(new - old, mask)
    if min(box[2], box[3]) < THIN:
        return None
    kind, told = kind_of(old, new, box)
    return Spot(part, (box[0] + x, box[1] + y, box[2], box[3]), x, y, old, new, kind, told)


def edges_of(off: Floats, mask: NDArray[np.uint8]) -> Box:
    """Return the box around the edges in a difference of pictures (h, w, 3), as far as in a mask.

    The mask is larger than the thing, as it holds what lies beside its edges, too.
    """
    across = np.abs(np.diff(off, axis=1)).max(2) * mask[:, 1:]
    down = np.abs(np.diff(off, axis=0)).max(2) * mask[1:]
    steps = np.concatenate([across[mask[:, 1:] > 0], down[mask[1:] > 0]])
    bound = 0.35 * float(np.quantile(steps, 0.95)) if len(steps) else 0.0
    columns = np.flatnonzero((across > bound).sum(0) >= 2)
    rows = np.flatnonzero((down > bound).sum(1) >= 2)
    if len(columns) < 2 or len(rows) < 2:
        x, y, width, height = cv2.boundingRect(mask)
        return x, y, width, height
    x, y = int(columns[0]) + 1, int(rows[0]) + 1
    return x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y


def kind_of(old: Floats, new: Floats, box: Box) -> tuple[str, float]:
    """Return whether a thing appeared or vanished, and how clearly, from 0 to 1.

    A thing has an edge along its outline, and other colours than what is around it.
    """
    height, width = old.shape[:2]
    x, y, wide, high = box
    off = new - old
    energies = []
    across = np.abs(np.diff(off, axis=1)).max(2)
    down = np.abs(np.diff(off, axis=0)).max(2)
    ring = np.zeros((height, width), bool)
    ring[max(y - 2, 0) : y + high + 2, max(x - 2, 0) : x + wide + 2] = True
    inner = np.zeros_like(ring)
    inner[y : y + high, x : x + wide] = True
    means = []
    for picture in (old, new):
        a = np.abs(np.diff(picture, axis=1)).max(2)
        d = np.abs(np.diff(picture, axis=0)).max(2)
        rim = (ring & ~_shrunk(inner, max(min(wide, high) // 4, 1)))
        energies.append(float((a * across * rim[:, 1:]).sum() + (d * down * rim[1:]).sum()))
        means.append(_apart(picture, inner, ring))
    edge = (energies[1] - energies[0]) / max(sum(energies), 1e-9)
    color = (means[1] - means[0]) / max(sum(means), 1e-9)
    told = (edge + 0.5 * color) / 1.5
    return ("appeared" if told > 0 else "vanished"), abs(told)


def _shrunk(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    kernel = np.ones((2 * by + 1, 2 * by + 1), np.uint8)
    out: NDArray[np.bool_] = cv2.erode(mask.astype(np.uint8), kernel) > 0
    return out


def _apart(picture: Floats, inner: NDArray[np.bool_], ring: NDArray[np.bool_]) -> float:
    wide = cv2.dilate(ring.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    around = wide & ~ring
    if not around.any():
        return 0.0
    return float(np.abs(picture[inner].mean(0) - picture[around].mean(0)).sum())
