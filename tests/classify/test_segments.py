"""The segmenter, against trying every sequence of labels."""

import itertools
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidgru.data.cache import Sampling
from vidgru.data.folder import Clip
from vidgru.tasks.classify.learn import bout_of
from vidgru.tasks.classify.segments import (
    DEPENDENCE,
    Running,
    Segmenter,
    Smoothing,
    price_of_change,
)
from vidgru.tasks.classify.spec import Confidence
from vidgru.tasks.classify.timeline import Segment
from vidgru.tasks.classify.viterbi import Bout, Viterbi

LABELS = ("a", "b", "c")
PRICE = 2.0
Rows = NDArray[np.float64]


def scored(path: tuple[int, ...], rows: Rows, cuts: set[int], neutral: bool) -> float:
    """Return the score of a sequence of states, by the definition."""
    score = float(sum(rows[n, state] for n, state in enumerate(path)))
    for n in range(1, len(path)):
        if path[n] != path[n - 1]:
            half = neutral and rows.shape[1] - 1 in (path[n], path[n - 1])
            score -= PRICE * (0.05 if n in cuts else 1) * (0.5 if half and n not in cuts else 1)
    return score


def allowed(path: tuple[int, ...], shortest: int) -> bool:
    return min(len(list(run)) for _, run in itertools.groupby(path)) >= shortest


def states(bouts: list[Bout]) -> tuple[int, ...]:
    return tuple(bout.state for bout in bouts for _ in range(bout.start, bout.end))


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.lists(st.floats(-5, 0), min_size=3, max_size=3), min_size=1, max_size=7),
    st.sets(st.integers(1, 6), max_size=1),
    st.booleans(),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_no_sequence_of_states_is_likelier(
    table: list[list[float]], cuts: set[int], neutral: bool, shortest: int, every: int
) -> None:
    rows = np.array(table)
    cuts = set() if neutral else cuts
    viterbi = Viterbi(3, PRICE, neutral=neutral, shortest=shortest)
    kept: list[Bout] = []
    for n, row in enumerate(rows):
        viterbi.push(row, n in cuts)
        if n % every == 0 and (bouts := viterbi.settled()):
            # What is settled is forgotten, and the answer stays the best one.
            viterbi.forget(bouts[-1])
            kept = [*kept[:-1], *bouts]
    found = states([*kept[:-1], *viterbi.finish()])
    assert len(found) == len(rows)
    every_path = itertools.product(range(3), repeat=len(rows))
    paths = [path for path in every_path if len(rows) < shortest or allowed(path, shortest)]
    if len(rows) < shortest:
        paths = [path for path in paths if len(set(path)) == 1]
    best = max(scored(path, rows, cuts, neutral) for path in paths)
    assert found in paths
    assert scored(found, rows, cuts, neutral) == pytest.approx(best, abs=1e-9)


def outputs(shares: list[float], window: int) -> Rows:
    """Return outputs of a window whose frames all say the same."""
    return np.log(np.array([shares] * window))


def frames(rows: list[list[float]], window: int, smoothing: Smoothing) -> list[Segment]:
    """Return the segments of frames (N, K) that windows see from a start at each frame."""
    segmenter = Segmenter(LABELS, 10, window, smoothing)
    logits = np.log(np.array(rows))
    counts = np.arange(1, window + 1)[:, None]
    for start in range(len(rows) - window + 1):
        seen = logits[start : start + window].cumsum(0) / counts
        segmenter.add(start, start + window, seen)
    segmenter.end_shot(len(rows))
    return segmenter.finish()


def spans(segments: list[Segment]) -> list[tuple[float, float, str]]:
    return [(round(s.start, 6), round(s.end, 6), s.label) for s in segments]


A, B = [0.98, 0.01, 0.01], [0.01, 0.98, 0.01]


def test_a_flicker_vanishes_and_a_short_stretch_stays() -> None:
    smoothing = Smoothing(PRICE)
    one = frames([A] * 20 + [B] * 2 + [A] * 20, 4, smoothing)
    assert spans(one) == [(0, 4.2, "a")]
    two = frames([A] * 20 + [B] * 5 + [A] * 20, 4, smoothing)
    assert spans(two) == [(0, 2.0, "a"), (2.0, 2.5, "b"), (2.5, 4.5, "a")]
    # A segment is judged by itself.
    assert two[1].probabilities == pytest.approx(B)


def test_the_price_follows_how_sure_windows_are_and_how_long_labels_last() -> None:
    rows = [A] * 20 + [B] * 3 + [A] * 20
    assert len(frames(rows, 4, Smoothing(3.5))) == 1
    assert len(frames(rows, 4, Smoothing(3.5, windows=0.4))) == 3
    assert price_of_change(4, 2.0) < price_of_change(4) < price_of_change(4, 20.0)
    assert price_of_change(2, 1e-3) > 0
    # Where a label lasts two windows, it changes after each as likely as not: to one of three.
    assert price_of_change(4, 2.0) == pytest.approx(DEPENDENCE * math.log(3))


def test_how_long_a_label_lasts_by_annotations_or_else_by_the_clips() -> None:
    clips = [Clip(Path("a"), f"{n}", "a") for n in range(3)]
    cut = [
        replace(clip, start=start, end=9.0) for clip, start in zip(clips, (0, 2, 4), strict=True)
    ]

    def lasts(clips: list[Clip], seconds: float, window: int = 20) -> float | None:
        info = dict.fromkeys(clips, SimpleNamespace(seconds=seconds))
        data: Any = SimpleNamespace(parts={"train": clips}, info=info)
        return bout_of(data, Sampling(10, 24, window))

    assert [lasts(clips, seconds) for seconds in (0.0, 2.5, 60.0)] == [0.1, 2.5, 6.0]
    assert (lasts(clips, 2.5, 1), lasts(cut, 60.0), lasts([*clips, *cut], 60.0)) == (None, 7, 7)
    # Models that know nothing of windows: as clips, or as undoing label smoothing comes to.
    confidence = Confidence(0.5)
    assert Smoothing.of(confidence, 3, None, None, None).windows == 0.5
    assert Smoothing.of(Confidence(), 3, None, None, None).windows == 0.7
    assert Smoothing.of(Confidence(windows=0.3), 3, None, None, None).windows == 0.3


def test_no_bout_is_shorter_than_was_asked_for() -> None:
    rows = [A] * 20 + [B] * 5 + [A] * 20 + [B] * 12
    assert len(frames(rows, 4, Smoothing(PRICE, shortest=0.5))) == 4
    long = frames(rows, 4, Smoothing(PRICE, shortest=0.9))
    assert spans(long) == [(0, 4.5, "a"), (4.5, 5.7, "b")]
    for seconds in (9.0, 1e308):
        short = frames([A] * 5, 4, Smoothing(PRICE, shortest=seconds))
        assert spans(short) == [(0, 0.5, "a")]


def test_what_shows_none_of_the_labels_is_a_segment_of_its_own() -> None:
    nothing = [0.4, 0.3, 0.3]
    smoothing = Smoothing(PRICE, threshold=0.7)
    found = frames([A] * 20 + [nothing] * 20 + [A] * 20, 4, smoothing)
    assert [s.label for s in found] == ["a", "unsure", "a"]
    assert found[1].start == pytest.approx(2, abs=0.2)
    assert found[1].end == pytest.approx(4, abs=0.2)
    assert [s.threshold for s in found] == [0.7] * 3
    # No threshold will do: everything is unsure.
    never = frames([A] * 8 + [B] * 8, 4, Smoothing(PRICE, threshold=math.inf))
    assert [(s.start, s.end, s.label, s.threshold) for s in never] == [(0, 1.6, "unsure", None)]


def test_a_sure_stretch_among_unsure_ones_is_not_swallowed() -> None:
    nothing = [0.4, 0.3, 0.3]
    rows = [nothing] * 20 + [B] * 9 + [nothing] * 20
    found = frames(rows, 4, Smoothing(PRICE, threshold=0.7))
    assert [s.label for s in found] == ["unsure", "b", "unsure"]
    # Not even where a change would cost more than the stretch says.
    found = frames(rows, 4, Smoothing(20.0, threshold=0.7))
    covered = [s for s in found if s.start <= 2.4 < s.end]
    assert [s.unsure for s in covered] == [False]


def test_an_end_that_the_network_is_slow_to_notice_is_put_right() -> None:
    # As of a network that remembers: after 3.0 s, evidence falls bit by bit in windows that saw b.
    segmenter = Segmenter(LABELS, 10, 8, Smoothing(PRICE, windows=0.3))
    for start in range(0, 52, 2):
        said = []
        for n in range(start, start + 8):
            memory = 0.93 ** max(n - 29, 0) if n >= 20 and start < 30 else 0.0
            said.append([0.0, -2.5 + 8.5 * memory, -5.0])
        counts = np.arange(1, 9)[:, None]
        segmenter.add(start, start + 8, np.cumsum(said, axis=0) / counts)
    segmenter.end_shot(58)
    found = segmenter.finish()
    assert [s.label for s in found] == ["a", "b", "a"]
    assert found[1].start == 2.0
    assert found[1].end == pytest.approx(3.0, abs=0.15)


def test_all_windows_count_that_cover_a_time() -> None:
    segmenter = Segmenter(LABELS, 1, 4, Smoothing(PRICE))
    for start, row in ((0, [0.5, 0.3, 0.2]), (2, [0.4, 0.4, 0.2]), (4, [0.4, 0.3, 0.3])):
        segmenter.add(start, start + 4, outputs(row, 4))
    segmenter.end_shot(9)  # one frame more than windows cover
    (segment,) = segmenter.finish()
    first, second, third = (
        np.log(row) for row in ([0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [0.4, 0.3, 0.3])
    )
    stretches = [first, first, (first + second) / 2, (first + second) / 2]
    stretches += [(second + third) / 2] * 2 + [third] * 3
    blocks = [np.exp(np.mean(stretches[n : n + 4], axis=0)) for n in (0, 4, 8)]
    shares = np.array([block / block.sum() for block in blocks])
    assert segment.probabilities == pytest.approx(((4, 4, 1) @ shares / 9).tolist())


def test_a_long_video_keeps_its_digits_and_little_memory() -> None:
    segmenter = Segmenter(LABELS, 15, 16, Smoothing(0.2))
    rng = np.random.default_rng(0)
    rows = rng.dirichlet([1, 1, 1], 500)
    most = 0
    for n in range(10_000):
        segmenter.add(4 * n, 4 * n + 16, np.log(rows[n % 500])[None].repeat(16, axis=0))
        most = max(most, len(segmenter._rows), len(segmenter.viterbi._history))
    assert most < 1000
    segmenter.end_shot(40_012)
    segments = segmenter.finish()
    assert segments[-1].end == pytest.approx(40_012 / 15)
    assert all(a.end == b.start for a, b in itertools.pairwise(segments))
    # What comes again is judged again in the same way.
    period = 2000 / 15
    middle = [s for s in segments if 5 * period < s.start < 6 * period]
    again = [s for s in segments if 15 * period < s.start < 16 * period]
    assert len(middle) > 10
    assert [s.label for s in middle] == [s.label for s in again]
    assert [s.start + 10 * period for s in middle] == pytest.approx([s.start for s in again])


def test_a_stream_keeps_its_label_through_a_flicker_and_changes_it_soon() -> None:
    running = Running(Smoothing(PRICE), 3, 10, 4)
    rows = [A] * 10 + [B] + [A] * 600 + [B] * 9
    said = [running.push(np.log(row), np.array(row)) for row in rows]
    assert said == [0] * 612 + [1] * 8
    assert len(running.viterbi._history) < 300
    # Nothing is known of what comes: more frames do not change what was answered.
    again = Running(Smoothing(PRICE), 3, 10, 4)
    assert [again.push(np.log(row), np.array(row)) for row in rows[:50]] == said[:50]
    doubt = Running(Smoothing(PRICE, threshold=0.7), 3, 10, 4)
    nothing = [0.4, 0.3, 0.3]
    said = [doubt.push(np.log(row), np.array(row)) for row in [nothing] * 30 + [B] * 10]
    assert said[5:30] == [3] * 25
    assert said[-1] == 1
