"""Tell from single looks whether a part of the picture that changed stays so."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

SCALE = 4096.0  # of structure in whole numbers
AREA = 12  # pixels of the smallest thing
LAST = 6  # looks at least that must show a state
FIRST = 4  # the same of what was there at the beginning
HOLD, SHORTEST, LONGEST = 0.1, 8, 32  # share of all looks, and looks, that what goes again lasts
BRIEF = 12  # looks that must show what nobody brought or took
RING = 8  # pixels around a place, at least, where someone is before and after
WAIT = 0.25  # the same for what does not come and go at once
SUDDEN = 2  # looks from the last of one state to the first of the other, at most
CLEARLY = 0.7  # the score, less what is alike
ALIKE = 0.75  # correlation from which two states are one in another light
BESIDE = 9  # pixels across, in which light is one factor
STRONG = 0.25  # share of the structure that stays, below which nothing counts
ALIGHT = 0.6, 1.7  # factors of contrast that light may bring

Rows = NDArray[np.intp]
Floats = NDArray[np.float32]
States = NDArray[np.int8]  # of each look: 1 as after a change, -1 as before it, 0 as neither
Box = tuple[int, int, int, int]  # x, y, width, height


@dataclass(frozen=True)
class Region:
    """A change in looks: the first that shows it, and where, in their pixels; else as `Change`."""

    look: int
    kind: str
    confidence: float
    box: Box
    before: Box | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """Looks uint8 (T, H, W, 3), their structure in 1 / SCALE, its noise and bound (H, W, 3)."""

    looks: NDArray[np.uint8]
    maps: NDArray[np.int16]
    noise: Floats
    bound: Floats


@dataclass(frozen=True, eq=False)
class Candidate:
    """Pixels that may have changed at about a look, and looks that show them before and after."""

    look: int
    rows: Rows
    columns: Rows
    before: Sequence[int]
    after: Sequence[int]


@dataclass(frozen=True, eq=False)
class Part:
    """Pixels that changed for good from a look on, and up to nine looks that show each state.

    score: how clearly they differ, 1 counts; alike: correlation of the two states.
    """

    look: int
    rows: Rows
    columns: Rows
    before: Sequence[int]
    after: Sequence[int]
    score: float
    alike: float
    sure: float


def filled(rows: Rows, columns: Rows, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the convex hull of pixels as a mask (H, W) of 0 and 1."""
    points = np.stack([columns, rows], 1).astype(np.int32)
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(points), 1)
    return mask


def seen_before_and_after(
    scene: Scene, candidate: Candidate, mask: NDArray[np.uint8]
) -> tuple[Rows, Rows, Floats, Floats, Floats]:
    """Return rows and columns of what differs in a mask, how much, and both states (N, 3)."""
    x, y, wide, high = cv2.boundingRect(mask)
    y, x, low, right = max(y - BESIDE, 0), max(x - BESIDE, 0), y + high + BESIDE, x + wide + BESIDE
    olds, news = (
        (np.median(scene.maps[list(looks), y:low, x:right], 0) / SCALE).astype(np.float32)
        for looks in (candidate.before, candidate.after)
    )
    off = differences(olds, news, scene.bound[y:low, x:right])
    rows, columns = np.nonzero((off > 1) & (mask[y:low, x:right] > 0))
    return rows + y, columns + x, off[rows, columns], olds[rows, columns], news[rows, columns]


def pieces(scene: Scene, candidate: Candidate) -> Iterator[Candidate]:
    """Yield a candidate, and the parts of it that lie apart.

    What passes by may link changes in time that have nothing to do with each other.
    """
    shape = scene.maps.shape[1], scene.maps.shape[2]
    mask = filled(candidate.rows, candidate.columns, shape)
    rows, columns, *_ = seen_before_and_after(scene, candidate, mask)
    marked = np.zeros(shape, np.uint8)
    marked[rows, columns] = 1
    count, labels = cv2.connectedComponents(cv2.dilate(marked, np.ones((3, 3), np.uint8)))
    here = labels[rows, columns]
    yield candidate
    if count < 3:
        return
    for number in range(1, count):
        own = here == number
        if own.sum() >= AREA:
            yield replace(candidate, rows=rows[own], columns=columns[own])


def confirm_change(scene: Scene, candidate: Candidate, reach: int) -> Part | None:
    """Return what changed for good at a candidate, its moment sought so many looks around."""
    maps, count, look = scene.maps, len(scene.maps), candidate.look
    mask = filled(candidate.rows, candidate.columns, (maps.shape[1], maps.shape[2]))
    # What is next to the moment may show either.
    before = [n for n in candidate.before if n < look - 1] or candidate.before
    after = [n for n in candidate.after if n > look + 1] or candidate.after
    for _ in range(2):
        candidate = replace(candidate, before=before, after=after)
        rows, columns, off, old, new = seen_before_and_after(scene, candidate, mask)
        if len(rows) < AREA:
            return None
        alike = float((old * new).sum() / max((old * old).sum() * (new * new).sum(), 1e-9) ** 0.5)
        states = states_of(maps, scene.noise, (rows, columns), old, new)
        look = moment(states, look, reach)
        before = [n for n in range(look - 1, max(look - 60, -1), -1) if states[n] < 0][:9]
        after = [n for n in range(look, min(look + 60, count)) if states[n] > 0][:9]
        if min(len(before), len(after)) < 3:
            return None
    score = float(off.mean())
    if alike > ALIKE:
        return None
    sure, short = persistence(states, look, LAST)
    early, brief = persistence(-states[::-1], count - look, FIRST)
    if (sure := min(sure, early)) <= 0 or score * (1 - alike) * sure < CLEARLY:
        return None
    stays = (look, look + short) if short else (0, 0), (look - brief, look) if brief else (0, 0)
    if any(
        end > start and is_passer_by(scene, candidate, mask, start, end, 0.25 * len(rows))
        for start, end in stays
    ):
        return None
    return Part(look, rows, columns, before, after, score, alike, sure)


def differences(old: Floats, new: Floats, bound: Floats) -> Floats:
    """Return how much the pixels of two pictures of structure (H, W, 3) differ (H, W): 1 counts.

    Light that is no exact factor, as cameras show it, changes the contrast of what is there: what
    that explains around a pixel does not count, nor what is small beside what stays.
    """
    products = np.dstack([(old * new).sum(2), (old * old).sum(2), (new * new).sum(2)])
    both, olds, news = np.moveaxis(cv2.blur(products, (BESIDE, BESIDE)), 2, 0)
    up = np.clip(both / np.maximum(olds, 1e-6), *ALIGHT)[..., None]
    down = np.clip(both / np.maximum(news, 1e-6), *ALIGHT)[..., None]
    least = bound + (STRONG / 3**0.5) * np.sqrt(np.minimum(olds, news))[..., None]
    plain, *fitted = (
        np.square(off / least).mean(2) for off in (new - old, new - up * old, old - down * new)
    )
    off: Floats = np.sqrt(np.minimum(plain, np.maximum(*fitted)))
    return off


def states_of(
    maps: NDArray[np.int16], noise: Floats, where: tuple[Rows, Rows], old: Floats, new: Floats
) -> States:
    """Return which of two states of some pixels (N, 3) each look shows."""
    seen = maps[:, where[0], where[1]].astype(np.float32) / SCALE  # (T, N, 3)
    sigma = np.maximum(noise[where], 0.01)
    way = (new - old) / sigma
    length = float(np.square(way).sum())
    along = 2 * (way * (seen - (old + new) / 2) / sigma).sum((1, 2)) / length  # from -1 to 1
    near = np.where(along[:, None, None] > 0, new, old)
    left = np.square((seen - near) / sigma).sum((1, 2)) - np.square(noise[where] / sigma).sum()
    fits = np.sqrt(np.maximum(left, 0) / length) < 0.75
    states: States = (fits * np.where(along > 0.4, 1, np.where(along < -0.4, -1, 0))).astype(
        np.int8
    )
    return states


def moment(states: States, look: int, reach: int) -> int:
    """Return the first look of the new state at the best divide between states, near a look."""
    sums, best = np.concatenate([[0], np.cumsum(states, dtype=int)]), (np.inf, look)
    for divide in range(max(look - reach, 1), min(look + reach, len(states) - 1) + 1):
        start, end = max(divide - reach, 0), min(divide + reach, len(states))
        gain = float(2 * sums[divide] - sums[start] - sums[end])
        best = min(best, (gain, divide))
    later = np.flatnonzero(states[best[1] :] > 0)
    return best[1] + (int(later[0]) if len(later) else 0)


def run_of(states: States) -> tuple[int, bool, bool]:
    """Return how many looks a state lasts from the first one on, whether it ends, and in the other.

    Single looks may be mistaken: three of five bring the other back. A third state, which stays,
    ends it too.
    """
    for look in np.flatnonzero(states < 0).tolist():
        near = states[look : look + 5]
        if (near < 0).sum() >= min(3, len(near)):
            return look, True, True
    shown = np.flatnonzero(states > 0)
    last = int(shown[-1]) + 1 if len(shown) else 0
    return (last, True, False) if len(states) - last > LAST else (len(states), False, False)


def persistence(states: States, look: int, least: int) -> tuple[float, int]:
    """Return how surely a state lasts from a look on, 0 when it does not, and how long if short.

    What comes and goes bit by bit is somebody who waits, so it must stay longer than what is there
    at once.
    """
    count, coming = len(states), states[look:]
    length, ends, back = run_of(coming)
    shown = np.flatnonzero(coming[:length] > 0)
    before = np.flatnonzero(states[:look] < 0)
    if not len(shown) or not len(before):
        return 0.0, 0
    # Of the other side of the moment: the look itself may not show the state yet.
    slow = int(shown[0]) + look - int(before[-1]) > SUDDEN
    slow |= back and length - int(shown[-1]) > SUDDEN
    enough, short = least, False
    if ends or slow:
        share = WAIT if back and slow else HOLD
        enough = int(np.clip(share * count, SHORTEST, share / HOLD * LONGEST))
        if not slow:
            short, enough = length < enough, min(enough, BRIEF)
    early = float((coming[: min(length, 3 * LAST)] > 0).mean())
    if length < enough or len(shown) < max(least, 0.5 * min(length, 60)) or early < 0.5:
        return 0.0, 0
    return min(early, len(shown) / LAST / 2, 1.0), length if short else 0


def is_passer_by(
    scene: Scene, candidate: Candidate, mask: NDArray[np.uint8], start: int, end: int, area: float
) -> bool:
    """Return whether what is in a mask from look `start` to `end` - 1 is someone on the way.

    Who comes and goes is beside the place just before and just after, with `area` pixels at least.
    """
    x, y, wide, high = cv2.boundingRect(mask)
    far = max(RING, wide, high)
    top, left, low, right = max(y - far, 0), max(x - far, 0), y + high + far, x + wide + far
    around = scene.maps[:, top:low, left:right]
    typical = [np.median(around[list(n)], 0) for n in (candidate.before, candidate.after)]
    bound = scene.bound[top:low, left:right] * SCALE
    beside = cv2.dilate(mask, np.ones((5, 5), np.uint8))[top:low, left:right] == 0

    def passes(looks: Iterable[int]) -> bool:
        seen = (
            np.square(np.min([np.abs(around[n] - one) for one in typical], 0) / bound).mean(2) > 1
            for n in looks if 0 <= n < len(around)
        )  # fmt: skip
        return any((one & beside).sum() >= max(area, AREA) for one in seen)

    return passes((start - 2, start - 1)) and passes((end, end + 1))
