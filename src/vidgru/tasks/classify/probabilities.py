"""From a network's outputs to probabilities and predictions, with numpy alone.

So models that run without torch give the same numbers.
"""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vidgru.tasks.classify.results import Prediction, Window

TINY = 1e-12  # smallest probability to take a logarithm of
LARGEST = 2**50  # count of answers that is compared as a float

Numbers = NDArray[np.float64]
Logits = NDArray[np.float64] | NDArray[np.float32]


def softmax(logits: Logits) -> Numbers:
    """Return probabilities (..., K)."""
    shares: Numbers = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    return shares


def scaled(probabilities: Numbers, temperature: float) -> Numbers:
    """Return probabilities (N, K) in the same order, sharper or softer: softmax(log(p) / T).

    For softmax(logits) that is softmax(logits / T). The mean over a clip's windows is scaled, not
    each window: as those never quite agree, their mean could otherwise not become confident enough.
    """
    return softmax(np.log(np.maximum(probabilities, TINY)) / temperature)


def clip_probabilities(outputs: Logits, temperature: float) -> Numbers:
    """Return a clip's probabilities (K,), for its outputs (windows, K): their mean, scaled."""
    return scaled(softmax(outputs).mean(0), temperature)


def prediction_of(
    source: str,
    labels: tuple[str, ...],
    outputs: Logits,
    times: Sequence[tuple[float, float]],
    frames: int,
    temperature: float = 1.0,
) -> Prediction:
    """Return the prediction for a video, from outputs (windows, K) and times in seconds."""
    rows = scaled(softmax(outputs), temperature).tolist()
    return Prediction(
        source=source,
        labels=labels,
        probabilities=tuple(clip_probabilities(outputs, temperature).tolist()),
        windows=tuple(
            Window(start, end, tuple(row)) for (start, end), row in zip(times, rows, strict=True)
        ),
        frames=frames,
        seconds=max(end for _, end in times),
    )


def choose_threshold(
    confidence: Sequence[float], right: Sequence[bool], max_error: float
) -> float | None:
    """Return the smallest confidence from which on at most `max_error` of the answers are wrong.

    Among the clips' confidences; None when none is high enough. With `answered`
    clips at or above a threshold, `wrong` of them wrong, it must hold that (wrong + 1/2) /
    (answered + 1) <= max_error: the posterior mean of the error rate under Jeffreys' prior (1946),
    beta(1/2, 1/2). It is an expectation for new answers, and no guarantee: with few clips, chance
    remains.
    """
    ranked = sorted(zip(confidence, right, strict=True), reverse=True)
    best, wrong = None, 0
    for answered, (sure, good) in enumerate(ranked, 1):
        wrong += not good
        # A threshold cannot separate equals.
        last = answered == len(ranked) or ranked[answered][0] < sure
        if last and (wrong + 0.5) / (answered + 1) <= max_error:
            best = sure
    return best


def min_answers(max_error: float) -> int:
    """Return how many answers, all correct, `choose_threshold` needs at least."""
    exact = Fraction(1, 2) / Fraction(max_error)
    if exact > LARGEST:  # there, the next larger number is the same float
        return math.ceil(exact) - 1
    count = max(1, math.floor(exact) - 2)
    while 0.5 / (count + 1) > max_error:
        count += 1
    return count
