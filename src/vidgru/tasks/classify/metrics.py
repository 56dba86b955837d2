"""Measures of a classifier on labelled clips, beside those that training needs."""

import math
from collections import Counter
from collections.abc import Sequence

from torch import Tensor

from vidgru.tasks.classify.results import Scores, SelectiveScores

Z = 1.959963984540054  # of a normal distribution's middle 95 %
TOPS = (1, 2, 3, 5)


def accuracy_interval(
    right: Sequence[bool], groups: Sequence[str] | None = None
) -> tuple[float, float]:
    """Return the 95 % interval of the accuracy (Wilson 1927), for clips or for groups of clips.

    Clips of one group are right or wrong together, so that they count as fewer: their number is
    divided by the design effect (Kish 1965), the variance of the share as a ratio estimator over
    groups against that of independent clips.
    """
    share, count = sum(right) / len(right), effective_count(right, groups)
    centre = share + Z**2 / (2 * count)
    half = Z * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    low, high = ((centre + sign * half) / (1 + Z**2 / count) for sign in (-1, 1))
    return min(max(0.0, low), share), max(min(1.0, high), share)  # not even a last bit beyond


def effective_count(right: Sequence[bool], groups: Sequence[str] | None) -> float:
    """Return how many independent clips tell as much: between the numbers of groups and clips."""
    if groups is None:
        return float(len(right))
    clips, hits = Counter(groups), Counter[str]()
    for group, good in zip(groups, right, strict=True):
        hits[group] += good
    count, many, share = len(right), len(clips), sum(right) / len(right)
    if many == 1 or share in (0, 1):
        return float(many)  # nothing varies, so nothing tells how far groups hang together
    spread = sum((hits[group] - share * size) ** 2 for group, size in clips.items())
    clustered = many / (many - 1) * spread / count**2
    if clustered == 0:
        return float(count)
    return min(max(share * (1 - share) / clustered, many), count)


def precision_and_f1(scores: Scores) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Return precision and F1 by label; None where a class is never answered, or nowhere at all."""
    precision: dict[str, float | None] = {}
    f1: dict[str, float | None] = {}
    for k, label in enumerate(scores.labels):
        hits, said = scores.confusion[k][k], sum(row[k] for row in scores.confusion)
        there = scores.count[label]
        precision[label] = hits / said if said else None
        f1[label] = 2 * hits / (said + there) if said + there else None
    return precision, f1


def top_accuracies(probabilities: Tensor, targets: Tensor) -> dict[int, float]:
    """Return by k the share of clips whose class is among the k likeliest, for (N, K) and (N,).

    For k of 1, 2, 3 and 5, as far as there are more classes.
    """
    ranked = probabilities.argsort(dim=1, descending=True, stable=True)
    places = (ranked == targets[:, None]).double().argmax(1)
    return {k: float((places < k).double().mean()) for k in TOPS if k < probabilities.shape[1]}


def answered(
    confidence: Tensor, right: Tensor, threshold: float | None, max_error: float
) -> SelectiveScores:
    """Return what is left of answers (N,) when those below a threshold become unsure."""
    kept = confidence >= (math.inf if threshold is None else threshold)
    count = int(kept.sum())
    error = float((~right[kept]).double().mean()) if count else None
    return SelectiveScores(max_error, threshold, count, count / len(confidence), error)
