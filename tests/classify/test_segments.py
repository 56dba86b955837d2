"""The segmenter, against trying every sequence of labels."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidgru.tasks.classify.segments import CHANGE, CHANGE_AT_CUT, Segmenter
from vidgru.tasks.classify.timeline import Segment

LABELS = ("a", "b", "c")


def push(segmenter: Segmenter, shots: list[list[list[float]]]) -> list[Segment]:
    """Add windows of one frame each, shot by shot."""
    for shot in shots:
        for n, shares in enumerate(shot):
            segmenter.add(n, n + 1, shares)
        segmenter.end_shot(len(shot))
    return segmenter.finish()


def likeliest(shots: list[list[list[float]]], threshold: float | None) -> float:
    """Return the score of the best of all sequences, by trying them all."""
    rows = [shares for shot in shots for shares in shot]
    cuts = set(itertools.accumulate(len(shot) for shot in shots))
    best = -math.inf
    for path in itertools.product(range(3 + (threshold is not None)), repeat=len(rows)):
        best = max(best, path_score(list(path), rows, cuts, threshold))
    return best


def path_score(
    path: list[int], rows: list[list[float]], cuts: set[int], threshold: float | None
) -> float:
    score = 0.0
    for n, state in enumerate(path):
        if state < 3:
            score += math.log(rows[n][state])
        else:
            assert threshold is not None
            top = max(rows[n])
            score += math.log(top * (threshold / (1 - threshold)) / (top / (1 - top)))
        if n and state != path[n - 1]:
            score -= CHANGE_AT_CUT if n in cuts else CHANGE
    return score


shares = st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(
    lambda row: [x / sum(row) for x in row]
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(shares, min_size=1, max_size=3), min_size=1, max_size=2),
    st.sampled_from([None, 0.4, 0.7]),
)
def test_no_sequence_of_labels_is_likelier(
    shots: list[list[list[float]]], threshold: float | None
) -> None:
    segmenter = Segmenter(LABELS, 10, 1, 1, threshold=threshold)
    path: list[int] = []
    segments = push(segmenter, shots)
    assert (segments[0].start, segments[-1].end) == (0, sum(map(len, shots)) / 10)
    assert all(a.end == b.start for a, b in itertools.pairwise(segments))
    # The pieces before the threshold is applied, and neighbours of one label joined.
    best = segmenter._score.argmax()
    begin, end, state = segmenter._begins[best], segmenter._frames, int(best)
    while begin:
        path = [state] * (end - begin.frame) + path
        begin, end, state = begin.before, begin.frame, begin.state
    path = [state] * end + path
    rows = [shares for shot in shots for shares in shot]
    cuts = set(itertools.accumulate(len(shot) for shot in shots))
    found = path_score(path, rows, cuts, threshold)
    assert found == pytest.approx(likeliest(shots, threshold), abs=1e-9)


def test_a_flicker_vanishes_and_a_longer_stretch_stays() -> None:
    a, b = [0.9, 0.05, 0.05], [0.05, 0.9, 0.05]
    one = push(Segmenter(LABELS, 10, 4, 1), [[a] * 20 + [b] * 2 + [a] * 20])
    assert [(s.start, s.end, s.label) for s in one] == [(0, 4.2, "a")]
    two = push(Segmenter(LABELS, 10, 4, 1), [[a] * 20 + [b] * 8 + [a] * 20])
    assert [(s.start, s.end, s.label) for s in two] == [
        (0, 2.0, "a"),
        (2.0, 2.8, "b"),
        (2.8, 4.8, "a"),
    ]
    assert two[1].probabilities == pytest.approx(b)


def test_what_shows_none_of_the_labels_is_a_segment_of_its_own() -> None:
    a, nothing = [0.9, 0.05, 0.05], [0.4, 0.3, 0.3]
    segmenter = Segmenter(LABELS, 10, 4, 1, threshold=0.7)
    found = push(segmenter, [[a] * 20 + [nothing] * 20 + [a] * 20])
    assert [(s.start, s.end, s.label, s.likeliest) for s in found] == [
        (0, 2.0, "a", "a"),
        (2.0, 4.0, "unsure", "a"),
        (4.0, 6.0, "a", "a"),
    ]
    assert [s.threshold for s in found] == [0.7] * 3
    # No threshold will do: everything is unsure.
    never = push(Segmenter(LABELS, 10, 4, 1, threshold=math.inf), [[a] * 5, [[0.0, 1.0, 0.0]] * 5])
    assert [(s.start, s.end, s.label, s.threshold) for s in never] == [(0, 1, "unsure", None)]


def test_all_windows_count_that_cover_a_time() -> None:
    segmenter = Segmenter(LABELS, 1, 4, 2)
    for start, row in ((0, [0.5, 0.3, 0.2]), (2, [0.4, 0.4, 0.2]), (4, [0.4, 0.3, 0.3])):
        segmenter.add(start, start + 4, row)
    segmenter.end_shot(9)  # one frame more than windows cover
    (segment,) = segmenter.finish()
    first, second, third = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.4, 0.2]), [0.4, 0.3, 0.3]
    stretches = [2 * first, first + second, second + third, np.multiply(3, third)]
    assert segment.probabilities == pytest.approx((np.sum(stretches, 0) / 9).tolist())


def test_a_long_video_keeps_its_digits_and_little_memory() -> None:
    segmenter = Segmenter(LABELS, 15, 16, 4)
    rng = np.random.default_rng(0)
    rows = rng.dirichlet([1, 1, 1], 500).tolist()
    for n in range(20_000):
        segmenter.add(4 * n, 4 * n + 16, rows[n % 500])
        assert len(segmenter._open) <= 4
    segmenter.end_shot(80_012)
    segments = segmenter.finish()
    assert segments[-1].end == pytest.approx(80_012 / 15)
    # What comes again is labelled again in the same way.
    period = 2000 / 15
    middle = [s for s in segments if 10 * period < s.start < 11 * period]
    again = [s for s in segments if 30 * period < s.start < 31 * period]
    assert [s.label for s in middle] == [s.label for s in again]
    assert [s.start + 20 * period for s in middle] == pytest.approx([s.start for s in again])
