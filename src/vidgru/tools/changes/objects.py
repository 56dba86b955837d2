"""Tell what happened where parts of the picture changed: a thing appeared, vanished or moved."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.tools.changes.persistence import (
    AREA,
    Box,
    Candidate,
    Floats,
    Part,
    Region,
    Scene,
    confirm_change,
    filled,
)

TOGETHER = 4  # looks between parts of one change
UNLIKE = 0.5  # from which on two things are not the same
PUSHED = 0.4  # by which a thing must show that it came to one place and left another
FARTHEST = 1.6  # sizes that a thing moves at most to be told from its old place and new as one
FAINT = 0.05  # difference of logarithms that is nothing but light or noise
SMALL = 14  # pixels of the smallest thing
CLEAR = 0.08  # share by which one outline is stronger, to say what happened
UNALIKE = 0.3  # correlation of the two states from which on it must be said
WHOLE = 0.35  # of the picture: no single thing
LARGE = 100  # pixels of what may be told of without saying what happened
LITTLE = 0.4  # share of what changed
SOLID = 0.8  # share of its convex hull that a thing fills, to be one of several
LIKE = 0.2  # size of the least of several things, as a share of the largest
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
    mask: NDArray[np.uint8]
    evidence: float

    @property
    def kind(self) -> str:
        """One of CHANGES, but `moved`, which takes two spots."""
        if abs(self.evidence) < CLEAR:
            return "changed"
        return "appeared" if self.evidence > 0 else "vanished"


def merge_candidates(scene: Scene, parts: Sequence[Part]) -> list[Region]:
    """Return the changes that parts stand for, each once."""
    best = sorted(parts, key=lambda p: -p.score * p.sure * (1 - p.alike) * len(p.rows) ** 0.25)
    spots: list[Spot] = []
    for part in best:
        spots += [
            spot
            for spot in look_at(scene, part)
            if not any(
                abs(other.part.look - part.look) <= 2 * TOGETHER
                and covers(spot.box, other.box) > 0.25
                for other in spots
                if other.part is not part
            )
        ]
    return match_moves(spots)


def match_moves(spots: Sequence[Spot]) -> list[Region]:
    """Return changes for spots: what vanished in one and appeared in another has moved."""
    left, regions = list(spots), []
    pairs = sorted(
        (
            (likeness(gone, come), number, gone, come)
            for number, (gone, come) in enumerate(permutations(spots, 2))
            if abs(gone.part.look - come.part.look) <= TOGETHER and gone.evidence < come.evidence
        ),
        key=lambda pair: pair[:2],
    )
    for unlike, _, gone, come in pairs:
        if unlike < UNLIKE and gone in left and come in left:
            left.remove(gone)
            left.remove(come)
            look, sure = max(gone.part.look, come.part.look), min(gone.part.sure, come.part.sure)
            regions.append(Region(look, "moved", sure, come.box, gone.box))
    for spot in left:
        look, sure = spot.part.look, spot.part.sure
        if (pushed := pushed_in(spot)) is not None:
            regions.append(Region(look, "moved", sure, pushed[1], pushed[0]))
        else:
            regions.append(Region(look, spot.kind, sure, spot.box))
    return regions


def likeness(gone: Spot, come: Spot) -> float:
    """Return how unlike what vanished at one place is what appeared at another, 0 for the same."""
    if gone.part is come.part:
        return 0.0
    for one, other in zip(gone.box[2:], come.box[2:], strict=True):
        if abs(one - other) > max(3.0, 0.4 * max(one, other)):
            return np.inf
    if gone.kind == come.kind and min(abs(gone.evidence), abs(come.evidence)) > 0.25:
        return np.inf
    size = come.box[2], come.box[3]
    seen, shown, mine, yours = (
        np.asarray(cv2.resize(inside(picture, spot), size, interpolation=cv2.INTER_AREA))
        for spot, picture in (
            (gone, gone.old), (come, come.new), (gone, gone.mask), (come, come.mask)
        )
    )  # fmt: skip
    both = (mine > 0) & (yours > 0)
    if both.sum() < 0.5 * ((mine > 0) | (yours > 0)).sum():
        return np.inf
    return mismatch(np.asarray(seen[both], np.float32), np.asarray(shown[both], np.float32))


def inside(picture: NDArray[Any], spot: Spot) -> NDArray[Any]:
    """Return what a picture around a spot shows in its box."""
    x, y, wide, high = spot.box
    return picture[y - spot.y : y - spot.y + high, x - spot.x : x - spot.x + wide]


def mismatch(one: Floats, other: Floats) -> float:
    """Return how unlike pixels (N, 3) of two pictures (logarithms) are but for light."""
    off = one - other
    light = np.clip(off.mean(), -0.3, 0.3)
    spread = (one.std(0).mean() + other.std(0).mean()) / 2
    return float(np.abs(off - light).mean() / (spread + 0.15))


def boxed(like: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """Return a mask of a box."""
    mask = np.zeros_like(like)
    mask[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = 1
    return mask


def pushed_in(spot: Spot) -> tuple[Box, Box] | None:
    """Return where a thing was and is that moved by less than its own size, else None."""
    x, y, wide, high = spot.box
    left, top = x - spot.x, y - spot.y
    off = float(np.abs(inside(spot.new, spot) - inside(spot.old, spot)).mean())
    best: tuple[float, Box, Box] | None = None
    for right in range(wide - 3):
        for down in range(high - 3):
            w, h = wide - right, high - down
            far = max(right / w, down / h)
            if not 0.3 <= far <= FARTHEST:
                continue
            for flip in (False, True) if right and down else (False,):
                one = left, top + (down if flip else 0), w, h
                other = left + right, top + (0 if flip else down), w, h
                for was, now in ((one, other), (other, one)):
                    here = np.maximum(boxed(spot.mask, was), boxed(spot.mask, now))
                    if (spot.mask * here).sum() < 0.93 * spot.mask.sum():
                        continue
                    a = spot.old[was[1] : was[1] + h, was[0] : was[0] + w]
                    b = spot.new[now[1] : now[1] + h, now[0] : now[0] + w]
                    unlike = float(np.abs(a - b).mean()) / max(off, 1e-6)
                    if unlike < 0.5 and (best is None or unlike < best[0]):
                        evidence = sum(
                            way * evidence_of(spot.old, spot.new, boxed(spot.mask, b))
                            for way, b in ((1, now), (-1, was))
                        )
                        if evidence > PUSHED:
                            best = unlike, was, now
    if best is None:
        return None
    was, now = ((b[0] + spot.x, b[1] + spot.y, b[2], b[3]) for b in best[1:])
    return was, now


def covers(one: Box, other: Box) -> float:
    """Return the share of the smaller box that both have."""
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    high = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(wide, 0) * max(high, 0) / min(one[2] * one[3], other[2] * other[3])


def look_at(scene: Scene, part: Part) -> list[Spot]:
    """Return exactly where a part changed, at most a place that a thing came to and one left."""
    left, right = int(part.columns.min()), int(part.columns.max()) + 1
    top, low = int(part.rows.min()), int(part.rows.max()) + 1
    margin = max(6, (right - left) // 3, (low - top) // 3)
    y, x, low, right = max(top - margin, 0), max(left - margin, 0), low + margin, right + margin
    old, new = (
        np.median(np.log(scene.looks[list(looks), y:low, x:right].astype(np.float32) + 10), 0)
        for looks in (part.before, part.after)
    )
    changed = filled(part.rows - y, part.columns - x, (old.shape[0], old.shape[1]))
    count, labels = cv2.connectedComponents(outlined(new - old, changed, margin))
    split = [(labels == n).astype(np.uint8) for n in range(1, count)]
    evidences = [evidence_of(old, new, piece) for piece in split]
    spots = []
    for way in (1, -1):
        own = [piece for piece, evidence in zip(split, evidences, strict=True) if way * evidence > 0]
        for mask in objects_of(own):
            evidence, area = evidence_of(old, new, mask), int(mask.sum())
            doubtful = part.alike > UNALIKE or part.sure < 0.8 or area < LARGE
            if abs(evidence) < CLEAR and doubtful:
                continue
            matches_structure = SMALL <= area <= WHOLE * scene.bound[..., 0].size
            if matches_structure and min(mask.any(0).sum(), mask.any(1).sum()) >= THIN:
                box = cv2.boundingRect(mask)
                place = box[0] + x, box[1] + y, box[2], box[3]
                spots.append(Spot(part, place, x, y, old, new, mask, evidence))
    return spots if len(spots) == 1 else [spot for spot in spots if proven(scene, spot)]


def objects_of(masks: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Return masks of things, for masks of what may be parts of them."""
    if not masks:
        return []
    sizes = [int(mask.sum()) for mask in masks]
    shape = masks[0].shape[0], masks[0].shape[1]
    places = [np.nonzero(mask) for mask in masks]
    hulls = [int(filled(rows, columns, shape).sum()) for rows, columns in places]
    solid = all(size >= SOLID * hull for size, hull in zip(sizes, hulls, strict=True))
    if solid and min(sizes) >= LIKE * max(sizes):
        return list(masks)
    return [np.max(masks, 0)]


def proven(scene: Scene, spot: Spot) -> bool:
    """Return whether a spot's own pixels show a change at that time."""
    x, y, wide, high = spot.box
    part = spot.part
    rows, columns = part.rows - y, part.columns - x
    here = (rows >= -2) & (rows < high + 2) & (columns >= -2) & (columns < wide + 2)
    if here.sum() < AREA:
        return False
    own = Candidate(part.look, part.rows[here], part.columns[here], part.before, part.after)
    found = confirm_change(scene, own, 2 * TOGETHER)
    return found is not None and abs(found.look - part.look) <= TOGETHER


def outlined(off: Floats, changed: NDArray[np.uint8], margin: int) -> NDArray[np.uint8]:
    """Return a mask of what differs in two pictures in more than light.

    off: difference of their logarithms (h, w, 3); changed: mask of where that was noticed. The
    light comes from around that place.
    """
    rest = 1 - cv2.dilate(changed, np.ones((5, 5), np.uint8)).astype(np.float32)
    if rest.any():
        sigma = margin / 2
        weight = cv2.GaussianBlur(rest, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)[..., None]
        known = cv2.GaussianBlur(
            off * rest[..., None], (0, 0), sigma, borderType=cv2.BORDER_REFLECT
        )
        middle = np.median(off[rest > 0], 0)
        off = off - (known + 1e-3 * middle) / (weight + 1e-3)
    size = np.abs(off).max(2)
    bound = max(FAINT, 0.3 * float(np.quantile(size[changed > 0], 0.9)))
    near = cv2.dilate(changed, np.ones((5, 5), np.uint8))
    mask = (size > bound).astype(np.uint8) * near
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(mask, outlines, -1, 1, cv2.FILLED)
    # Edges in another light leave lines.
    square = np.ones((2, 2), np.uint8)
    mask = cv2.dilate(cv2.erode(mask, square, anchor=(0, 0)), square, anchor=(1, 1))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    sizes = stats[:, cv2.CC_STAT_AREA]
    kept = [n for n in range(1, count) if sizes[n] >= 0.15 * sizes[1:].max()]
    mask = np.isin(labels, kept).astype(np.uint8)
    whole = cv2.erode(changed, np.ones((3, 3), np.uint8))
    # Of a thing that looks much like what is behind it, little is seen.
    little = 0 < mask.sum() < LITTLE * whole.sum()
    return np.asarray(whole, np.uint8) if little else mask


def evidence_of(old: Floats, new: Floats, mask: NDArray[np.uint8]) -> float:
    """Return whether a thing appeared in a mask, from 1, or vanished, to -1.

    There is an edge along the outline of a thing that is there.
    """
    steps = []
    for picture in (old, new):
        across = np.abs(picture[:, 2:] - picture[:, :-2]).sum(2)[mask[:, 2:] != mask[:, :-2]]
        down = np.abs(picture[2:] - picture[:-2]).sum(2)[mask[2:] != mask[:-2]]
        steps.append(float(across.sum() + down.sum()))
    return (steps[1] - steps[0]) / max(sum(steps), 1e-9)
