"""What counts as a boundary that was found."""

import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scene_shots import cut, gradual

from vidgru.tasks.scenes.metrics import count, matched
from vidgru.tasks.scenes.results import Boundary
from vidgru.tasks.scenes.scores import BoundaryScores


def ways(found: Sequence[int], truth: Sequence[Boundary], off: int) -> Iterator[tuple[int, float]]:
    """Yield how many are found, and how far from their middles, for every way to match them."""
    for places in itertools.product(range(-1, len(found)), repeat=len(truth)):
        used = [place for place in places if place >= 0]
        if len(set(used)) < len(used):
            continue
        far = 0.0
        for place, true in zip(places, truth, strict=True):
            last = max(true.end - 1, true.start)
            if place < 0:
                continue
            if not true.start - off <= found[place] <= last + off:
                break
            far += abs(found[place] - (true.start + last) / 2)
        else:
            yield len(used), -far


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[int], list[Boundary], int]:
    truth, at = [], 0
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), max_size=4)):
        at += gap + 1
        truth.append(gradual(at, at + length) if length else cut(at))
        at += length
    found = draw(st.lists(st.integers(0, at + 4), max_size=4))
    return sorted(found), truth, draw(st.integers(0, 3))


@settings(max_examples=300, deadline=None)
@given(cases())
def test_matches_are_the_best_of_all_ways(case: tuple[list[int], list[Boundary], int]) -> None:
    found, truth, off = case
    hits = matched(found, truth, off)
    most, near = max(ways(found, truth, off))
    assert len(hits) == most
    own = [boundary for number, boundary in enumerate(truth) if number in hits]
    assert max(ways(found, own, off)) == (most, pytest.approx(near))


def test_boundaries_counted_by_hand() -> None:
    truth = [cut(10), gradual(20, 32), cut(40), cut(60)]
    found = [cut(11), gradual(17, 19), cut(31), cut(33), cut(42), cut(50)]
    # Off by 0: 31 alone, which the dissolve shows. By 1: 11 too. By 2: 42 too; 33 and 18 would do
    # for the dissolve, but that is found already.
    assert count(found[::-1], truth[::-1]) == [[1, 3, 5, 0, 3], [2, 2, 4, 1, 2], [3, 1, 3, 2, 1]]
    assert count([], truth) == [[0, 4, 0, 0, 3]] * 3
    assert count(found, []) == [[0, 0, 6, 0, 0]] * 3


def test_shares_by_hand() -> None:
    scores = BoundaryScores(2, found=6, missed=2, false=4, found_cuts=5, missed_cuts=0)
    shares = {"precision": 0.6, "recall": 0.75, "f1": 12 / 18, "recall_cuts": 1.0,
              "recall_gradual": 1 / 3}  # fmt: skip
    predicted = scores.to_dict()
    assert {name: predicted[name] for name in shares} == pytest.approx(shares)
    nothing = BoundaryScores(0, 0, 0, 0, 0, 0).to_dict()
    assert [nothing[name] for name in shares] == [None] * 5
