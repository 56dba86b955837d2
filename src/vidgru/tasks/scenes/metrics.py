"""Counts of detected scene boundaries, as in TRECVID (Smeaton et al. 2010).

A boundary is found if a detection lies within its transition, or a few frames next to it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from vidgru.tasks.scenes.results import Boundary
from vidgru.tasks.scenes.scores import TOLERANCES

Chosen = tuple[int, "Chosen"] | None  # numbers of true boundaries, last one first
State = tuple[int, float, Chosen]  # how many are found, their negative distance, and which


def matched(found: Sequence[int], truth: Sequence[Boundary], tolerance: int) -> set[int]:
    """Return the indices of the true boundaries that are found, in rising order both.

    Frame f finds a boundary if it lies in start - tolerance ... max(end - 1, start) + tolerance.
    Each finds one at most, and is found once at most: of all matchings, that with the most found,
    and of these, that with the least distance from the transitions' middles. Transitions must not
    lie within each other.
    """
    states: dict[int, State] = {-1: (0, 0.0, None)}  # the best by the last one of `found` used
    for number, true in enumerate(truth):
        first, last = true.start, max(true.end - 1, true.start)
        low = bisect_left(found, first - tolerance)
        high = bisect_right(found, last + tolerance)
        # Of those that leave the same ones free, the best is enough.
        done = {used: state for used, state in states.items() if used < low}
        states = {used: state for used, state in states.items() if used >= low}
        if done:
            states[low - 1] = max(done.values(), key=_worth)
        for used, (count, near, chosen) in list(states.items()):
            for place in range(max(low, used + 1), high):
                way = count + 1, near - abs(found[place] - (first + last) / 2), (number, chosen)
                if place not in states or _worth(way) > _worth(states[place]):
                    states[place] = way
    chosen = max(states.values(), key=_worth)[2]
    numbers = set()
    while chosen is not None:
        number, chosen = chosen
        numbers.add(number)
    return numbers


def _worth(state: State) -> tuple[int, float]:
    return state[:2]


def count(found: Sequence[Boundary], truth: Sequence[Boundary]) -> list[list[int]]:
    """Return a row of `scores.COUNTS` for each of TOLERANCES."""
    frames = sorted(boundary.frame for boundary in found)
    truth = sorted(truth, key=lambda boundary: (boundary.start, boundary.end))
    cuts = {number for number, boundary in enumerate(truth) if boundary.kind == "cut"}
    rows = []
    for tolerance in TOLERANCES:
        hits = matched(frames, truth, tolerance)
        right, right_cuts = len(hits), len(hits & cuts)
        missed, missed_cuts = len(truth) - right, len(cuts) - right_cuts
        rows.append([right, missed, len(frames) - right, right_cuts, missed_cuts])
    return rows
