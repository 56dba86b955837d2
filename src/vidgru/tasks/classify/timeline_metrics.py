"""Measures of timelines against annotations: by frames, by segments and by bouts."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidgru.tasks.classify.timeline_scores import Bouts, Measured, TimelineScores

OVERLAPS = (10, 25, 50)  # percent of the union, from which on a segment is found
RESAMPLED = 1000

Numbers = NDArray[np.float64]
Span = tuple[float, float, int]  # start and end in seconds, class


@dataclass(frozen=True)
class Counts:
    """What one video adds up to.

    confusion: frames, true by predicted (K, K + 1), the last column for `unsure`; segments: those
    found, those too many and those missed (overlaps, 3); edit: score, None without segments;
    errors: sum of distances of starts and ends that were found, in seconds, and how many (2,);
    bouts: number and seconds, true and predicted (K, 4).
    """

    confusion: Numbers
    segments: Numbers
    edit: float | None
    errors: Numbers
    bouts: Numbers


def joined(labels: Sequence[int], seconds: float) -> list[Span]:
    """Return the spans of frames of one class, `seconds` a frame; those of class -1 left out."""
    found = list[Span]()
    for n, label in enumerate(labels):
        if n and label == labels[n - 1]:
            start = found.pop()[0] if label >= 0 else 0.0
        else:
            start = n * seconds
        if label >= 0:
            found.append((start, (n + 1) * seconds, label))
    return found


def match(true: Sequence[Span], predicted: Sequence[Span], overlap: float) -> list[int | None]:
    """Return for each predicted span the true one of its class that it finds, None for none.

    It is the one that it shares most of the union with, if that is `overlap` at least and no
    earlier span found it (Lea et al. 2017).
    """
    used, found = set[int](), list[int | None]()
    starts, ends = [span[0] for span in true], [span[1] for span in true]
    for start, end, label in predicted:
        # Both are in order, so only a few overlap.
        shares = {
            n: (min(end, b) - max(start, a)) / (max(end, b) - min(start, a))
            for n in range(bisect_right(ends, start), bisect_left(starts, end))
            for a, b, own in [true[n]]
            if own == label
        }
        best = max(shares, key=shares.__getitem__, default=None)
        if best in used or best is None or shares[best] < overlap - 1e-9:
            best = None
        else:
            used.add(best)
        found.append(best)
    return found


def edit_score(true: Sequence[int], predicted: Sequence[int]) -> float:
    """Return 1 - the edit distance of two sequences of classes, by the length of the longer one."""
    others, steps = np.array(predicted), np.arange(len(predicted) + 1)
    before = steps
    for n, label in enumerate(true, 1):
        row = np.minimum(before[1:] + 1, before[:-1] + (others != label))
        # Then from left to right, each at most one more than the one before.
        before = np.minimum.accumulate(np.append(n, row) - steps) + steps
    return 1 - int(before[-1]) / max(len(true), len(predicted), 1)


def count(
    true: Sequence[int], predicted: Sequence[int], classes: int, seconds: float, background: int
) -> Counts:
    """Return what a video's frames add up to, of `seconds` each.

    true: classes, -1 where there is no label; predicted: classes, `classes` where unsure. Frames
    without a label count for nothing, and part segments, but not bouts; `background` is no bout
    (-1: no such).
    """
    confusion = np.zeros((classes, classes + 1))
    for a, b in zip(true, predicted, strict=True):
        if a >= 0:
            confusion[a, b] += 1
    known = [-1 if a < 0 else b for a, b in zip(true, predicted, strict=True)]
    here = [span for span in joined(true, seconds) if span[2] != background]
    there = [span for span in joined(known, seconds) if span[2] not in (background, classes)]
    segments = []
    for percent in OVERLAPS:
        hits = sum(found is not None for found in match(here, there, percent / 100))
        segments.append((hits, len(there) - hits, len(here) - hits))
    errors = np.zeros(2)
    for span, found in zip(there, match(here, there, 0.5), strict=True):
        if found is not None:
            errors += (sum(abs(span[k] - here[found][k]) for k in (0, 1)), 2)
    bouts = np.zeros((classes, 4))
    for start, end, label in here:
        bouts[label, :2] += (1, end - start)
    # Time without a label divides predicted segments above, but a bout goes on through it.
    labelled = np.cumsum([0, *(a >= 0 for a in true)])
    for start, end, label in joined(predicted, 1.0):
        frames = labelled[int(end)] - labelled[int(start)]
        if frames and label not in (background, classes):
            bouts[label, 2:] += (1, frames * seconds)
    edit = None
    if here or there:
        edit = edit_score([label for *_, label in here], [label for *_, label in there])
    return Counts(confusion, np.array(segments, float), edit, errors, bouts)


def measure(videos: Sequence[Counts], labels: Sequence[str], seed: int = 0) -> TimelineScores:
    """Return the measures over videos, with their 95 % intervals.

    The intervals are those of a bootstrap over whole videos (Efron 1979), and None for one video.
    """
    draws = np.ones((1, len(videos)))
    if len(videos) > 1:
        rng = np.random.default_rng(seed)
        shares = np.full(len(videos), 1 / len(videos))
        draws = np.vstack([draws, rng.multinomial(len(videos), shares, RESAMPLED)])

    def over(part: Callable[[Counts], Numbers]) -> Numbers:
        found: Numbers = np.tensordot(draws, np.stack([part(video) for video in videos]), 1)
        return found

    # (draws, K): whole matrices of all draws would take gigabytes where there are many classes.
    right = over(lambda video: np.diagonal(video.confusion))
    there = over(lambda video: video.confusion.sum(1))
    said = over(lambda video: video.confusion.sum(0)[:-1])
    hits, extra, missed = np.moveaxis(over(lambda video: video.segments), 2, 0)
    found = 2 * hits
    edits = over(lambda video: np.array([video.edit or 0.0, video.edit is not None], float))
    errors, bouts = over(lambda video: video.errors), over(lambda video: video.bouts)
    f1 = _share(2 * right, there + said)
    recall = np.nansum(_share(right, there), axis=1)
    balanced = _share(recall, (there > 0).sum(1).astype(float))
    return TimelineScores(
        frames=int(there[0].sum()),
        accuracy=_measured(_share(right.sum(1), there.sum(1))),
        balanced=_measured(balanced),
        f1={label: _measured(f1[:, k]) for k, label in enumerate(labels)},
        segmental_f1={
            str(percent): _measured(_share(found[:, k], (found + extra + missed)[:, k]))
            for k, percent in enumerate(OVERLAPS)
        },
        edit=_measured(_share(edits[:, 0], edits[:, 1])),
        boundary_error=_measured(_share(errors[:, 0], errors[:, 1])),
        bouts={
            label: Bouts(
                true=int(bouts[0, k, 0]),
                predicted=int(bouts[0, k, 2]),
                true_seconds=float(bouts[0, k, 1]),
                predicted_seconds=float(bouts[0, k, 3]),
                number=_measured(_share(bouts[:, k, 2], bouts[:, k, 0])),
                length=_measured(_share(bouts[:, k, 3], bouts[:, k, 1])),
            )
            for k, label in enumerate(labels)
            if bouts[0, k].any()
        },
    )


def _share(part: Numbers, whole: Numbers) -> Numbers:
    """Return the quotients, NaN where there is nothing to divide by."""
    found: Numbers = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return found


def _measured(draws: Numbers) -> Measured:
    """Return the first number with the middle 95 % of the others, None for what is not defined."""
    value = None if np.isnan(draws[0]) else float(draws[0])
    others = draws[1:][~np.isnan(draws[1:])]
    if value is None or not len(others):
        return Measured(value, None, None)
    low, high = np.quantile(others, [0.025, 0.975])
    return Measured(value, float(low), float(high))
