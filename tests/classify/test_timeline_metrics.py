"""Measures of timelines, against an independent count in float64."""

import itertools
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidgru.tasks.classify.timeline_metrics import OVERLAPS, count, measure

LABELS = ("a", "b", "c")


def segments_of(labels: list[int]) -> list[tuple[int, int, int]]:
    """Return label, first frame and end of each run, by looking at every change."""
    edges = [0, *(n for n in range(1, len(labels)) if labels[n] != labels[n - 1]), len(labels)]
    return [(labels[a], a, b) for a, b in itertools.pairwise(edges)]


def lea_f1(true: list[int], said: list[int], overlap: float, left_out: set[int]) -> list[int]:
    """Return hits, extra and missed as Lea et al. count them, frame sets instead of times."""
    here = [s for s in segments_of(true) if s[0] not in left_out]
    there = [s for s in segments_of(said) if s[0] not in left_out]
    free = {k: set(range(a, b)) for k, (_, a, b) in enumerate(here)}
    taken: set[int] = set()
    hits = 0
    for label, a, b in there:
        own = set(range(a, b))
        best, at = np.float64(0), -1
        for k, frames in free.items():
            share = np.float64(len(own & frames)) / np.float64(len(own | frames))
            if here[k][0] == label and share > best:
                best, at = share, k
        if best >= overlap and at not in taken:
            taken.add(at)
            hits += 1
    return [hits, len(there) - hits, len(here) - hits]


def distance(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """Return the edit distance by its definition."""
    if not a or not b:
        return len(a) + len(b)
    same = distance(a[1:], b[1:]) + (a[0] != b[0])
    return min(same, distance(a[1:], b) + 1, distance(a, b[1:]) + 1)


frames = st.lists(
    st.tuples(st.integers(-1, 2), st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=5
).map(lambda parts: [(true, said) for true, said, many in parts for _ in range(many)])


@settings(deadline=None, max_examples=100)
@given(frames, st.integers(-1, 2))
def test_a_video_is_counted_as_by_an_independent_reference(
    pairs: list[tuple[int, int]], background: int
) -> None:
    true, said = [a for a, _ in pairs], [b for _, b in pairs]
    found = count(true, said, 3, 0.1, background)
    known = [-1 if a < 0 else b for a, b in pairs]
    left_out = {-1, 3, background}
    for row, percent in zip(found.segments, OVERLAPS, strict=True):
        assert row.tolist() == lea_f1(true, known, percent / 100, left_out)
    here = tuple(s[0] for s in segments_of(true) if s[0] not in left_out)
    there = tuple(s[0] for s in segments_of(known) if s[0] not in left_out)
    if here or there:
        assert found.edit == pytest.approx(
            1 - distance(here, there) / max(len(here), len(there)), abs=1e-12
        )
    else:
        assert found.edit is None
    assert found.confusion.sum() == sum(a >= 0 for a in true)
    seconds = sum(b - a for label, a, b in segments_of(true) if label not in left_out) / 10
    assert found.bouts[:, 1].sum() == pytest.approx(seconds)


def test_measures_of_a_video_that_is_worked_out_by_hand() -> None:
    # 0.0 to 1.0 a, to 2.0 b, to 2.4 no label, to 3.0 a; b begins 0.2 s late, and c comes in.
    true = [0] * 10 + [1] * 10 + [-1] * 4 + [0] * 6
    said = [0] * 12 + [1] * 8 + [2] * 4 + [0] * 3 + [2] * 3
    scores = measure([count(true, said, 3, 0.1, -1)], LABELS)
    assert scores.frames == 26
    assert scores.accuracy.value == pytest.approx(21 / 26)
    assert scores.balanced.value == pytest.approx((13 / 16 + 8 / 10) / 2)
    assert scores.f1["a"].value == pytest.approx(2 * 13 / (16 + 15))
    # Of four segments three are found, at half the union too; and c is too much.
    assert [one.value for one in scores.segmental_f1.values()] == pytest.approx([6 / 7] * 3)
    assert scores.edit.value == pytest.approx(3 / 4)
    assert scores.boundary_error.value == pytest.approx((0.2 + 0.2 + 0.3) / 6)
    assert (scores.bouts["a"].true, scores.bouts["a"].predicted) == (2, 2)
    assert scores.bouts["a"].length.value == pytest.approx(1.5 / 1.6)
    assert scores.bouts["c"].number.value is None
    # One video says nothing of others.
    assert (scores.accuracy.low, scores.accuracy.high) == (None, None)


def test_unsure_and_background_are_no_bouts() -> None:
    scores = measure([count([0] * 4 + [1] * 4, [3] * 4 + [1] * 4, 3, 1.0, 1)], LABELS)
    assert scores.accuracy.value == 0.5
    assert scores.segmental_f1["50"].value == 0
    assert set(scores.bouts) == {"a"}
    assert scores.bouts["a"].predicted == 0


def test_a_predicted_bout_goes_on_through_time_without_a_label() -> None:
    true = [-1, -1, 0, 0, -1, -1, 0, 1, 1, -1]
    scores = measure([count(true, [0] * 8 + [1, 2], 3, 0.5, -1)], LABELS)
    bouts = {
        label: (one.true, one.predicted, one.true_seconds, one.predicted_seconds)
        for label, one in scores.bouts.items()
    }
    assert bouts == {"a": (2, 1, 1.5, 2.0), "b": (1, 1, 1.0, 0.5)}
    assert scores.bouts["a"].number.value == 0.5


def test_intervals_are_over_videos_and_the_same_each_time() -> None:
    good, bad = count([0] * 10, [0] * 10, 3, 1.0, -1), count([0] * 10, [1] * 10, 3, 1.0, -1)
    few, many = measure([good, bad] * 3, LABELS), measure([good, bad] * 30, LABELS)
    assert few == measure([good, bad] * 3, LABELS)
    for scores in (few, many):
        low, high = scores.accuracy.low, scores.accuracy.high
        assert low is not None
        assert high is not None
        assert low < 0.5 < high
    assert few.accuracy.low < many.accuracy.low  # type: ignore[operator]
    # The bootstrap's spread is that of a mean of as many coins.
    assert many.accuracy.low == pytest.approx(0.5 - 1.96 * 0.5 / 60**0.5, abs=0.03)


def test_many_classes_take_little_memory() -> None:
    classes = 300
    one = count(range(classes), range(classes), classes, 0.1, -1)
    tracemalloc.start()
    scores = measure([one] * 2, [str(k) for k in range(classes)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (scores.accuracy.value, scores.balanced.value) == (1, 1)
    assert peak < 100e6


def test_a_day_of_short_bouts_is_counted_soon() -> None:
    true = [n // 2 % 5 for n in range(12_000)]
    began = time.process_time()
    found = count(true, [*true[1:], 0], 5, 0.1, -1)
    assert time.process_time() - began < 5  # 26 s where each bout is compared with each
    assert found.segments[:, 0] == pytest.approx([6000, 6000, 0], abs=2)
    assert found.edit == pytest.approx(1, abs=1e-3)
