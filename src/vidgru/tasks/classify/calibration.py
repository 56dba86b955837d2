"""Confidence of a classifier: temperature scaling, calibration error, when to answer `unsure`."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from vidgru.tasks.classify import probabilities as probabilities_of
from vidgru.tasks.classify.probabilities import TINY
from vidgru.tasks.classify.results import Bin, Calibration
from vidgru.tasks.classify.spec import COLDEST, HOTTEST, MAX_ANSWERS, Confidence

GRID = 61  # temperatures tried before the best one is refined
PARTS = 10  # of the clips; each is held out once to check a temperature


def scaled(probabilities: Tensor, temperature: float) -> Tensor:
    """Return probabilities (N, K) scaled by a temperature, see `probabilities.scaled`."""
    return torch.from_numpy(probabilities_of.scaled(probabilities.numpy(), temperature))


def clip_probabilities(outputs: Sequence[Tensor], temperature: float) -> Tensor:
    """Return each clip's probabilities (N, K), for N times outputs (windows, K)."""
    return torch.from_numpy(
        np.stack([probabilities_of.clip_probabilities(one.numpy(), temperature) for one in outputs])
    )


def fit_temperature(outputs: Sequence[Tensor], targets: Tensor) -> float:
    """Return the temperature, 0.05 to 20, that calibrates probabilities of clips.

    outputs: of each clip (windows, K); targets: int64 (N,). It minimises the mean -log p(true)
    over clips (Guo et al. 2017, "On calibration of modern neural networks"), with two imaginary
    clips added, one correct and one wrong, of the clips' mean confidence: so n clips that are all
    correct require a confidence of (n + 1) / (n + 2), not of 1. That is the rule of
    succession by which Platt (1999, "Probabilistic outputs for support vector machines") smooths
    targets. Without clips it is 1.
    """
    if not outputs:
        return 1.0
    means = clip_probabilities(outputs, 1.0)

    def cost(heat: float) -> float:
        """Return the loss at the temperature exp(heat)."""
        shares = scaled(means, math.exp(heat))
        sure = shares.amax(1)
        imagined = sure.log() + (1 - sure).clamp_min(TINY).log()
        return _loss(shares, targets) - float(imagined.mean())

    return math.exp(_lowest(cost, math.log(COLDEST), math.log(HOTTEST)))


def choose_temperature(outputs: Sequence[Tensor], targets: Tensor) -> float:
    """Return the fitted temperature, or 1 where scaling makes calibration worse.

    Worse is: a larger mean -log p(true) on the held-out tenths of a cross-validated fit,
    or a larger calibration error on the clips themselves. Arguments as for `fit_temperature`.
    """
    temperature, count = fit_temperature(outputs, targets), len(outputs)
    if count < 2:
        return 1.0
    parts, with_it, without = min(PARTS, count), 0.0, 0.0
    for part in range(parts):
        held = list(range(part, count, parts))
        rest = sorted(set(range(count)) - set(held))
        heat = fit_temperature([outputs[k] for k in rest], targets[rest])
        own, true = [outputs[k] for k in held], targets[held]
        with_it += _loss(clip_probabilities(own, heat), true)
        without += _loss(clip_probabilities(own, 1.0), true)
    fitted = calibrate(outputs, targets, temperature)
    return 1.0 if with_it > without or fitted.ece > fitted.ece_before else temperature


def _loss(probabilities: Tensor, targets: Tensor) -> float:
    """Return the sum of -log p(true) over clips, for (N, K) and (N,)."""
    return -float(probabilities.gather(1, targets[:, None]).clamp_min(TINY).log().sum())


def _lowest(cost: Callable[[float], float], low: float, high: float) -> float:
    """Return the minimum of a function: on a grid, then by golden section around that point."""
    step = (high - low) / (GRID - 1)
    best = min((low + step * k for k in range(GRID)), key=cost)
    left, right, golden = max(low, best - step), min(high, best + step), (math.sqrt(5) - 1) / 2
    while right - left > 1e-6:
        a, b = right - golden * (right - left), left + golden * (right - left)
        left, right = (left, b) if cost(a) <= cost(b) else (a, right)
    return (left + right) / 2


def confidence_and_correct(probabilities: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return confidence (N,) and whether it is correct (N,), for probabilities (N, K)."""
    confidence, answers = probabilities.max(1)
    return confidence, answers == targets


def fit_confidence(outputs: Sequence[Tensor], targets: Tensor) -> Confidence:
    """Return the Confidence for a model file, from clips that were not trained on."""
    temperature = choose_temperature(outputs, targets)
    if not outputs:
        return Confidence(temperature)
    answers = kept_answers(
        *confidence_and_correct(clip_probabilities(outputs, temperature), targets)
    )
    return Confidence(temperature, answers, fit_windows(outputs, targets))


def confidence_of_others(folds: Sequence[Confidence]) -> list[Confidence]:
    """Return for each fold what the others fitted, each on its own clips; see `Confidence`.

    Temperatures are geometric means. A single fold has no others: nothing is known of it.
    """
    found = []
    for part in range(len(folds)):
        others = [fold for other, fold in enumerate(folds) if other != part]
        windows = [fold.windows for fold in others if fold.windows is not None]
        answers = sorted(answer for fold in others for answer in fold.answers)
        found.append(
            Confidence(
                _mean_temperature([fold.temperature for fold in others]),
                tuple(answers),
                _mean_temperature(windows) if windows else None,
            )
        )
    return found


def _mean_temperature(temperatures: Sequence[float]) -> float:
    if not temperatures:
        return 1.0
    return math.exp(sum(map(math.log, temperatures)) / len(temperatures))


def fit_windows(outputs: Sequence[Tensor], targets: Tensor) -> float:
    """Return the temperature of single windows, arguments as for `fit_temperature`."""
    windows = [window[None] for clip in outputs for window in clip]
    lengths = torch.tensor([len(clip) for clip in outputs])
    return fit_temperature(windows, targets.repeat_interleave(lengths))


def kept_answers(confidence: Tensor, right: Tensor) -> tuple[tuple[float, bool], ...]:
    """Return pairs of confidence and whether it was correct, ascending, for a model file.

    At most 4,096 answers are kept, evenly by rank. Confidences are rounded down to
    six digits: the last bits, in which machines differ, then do not make a clip miss a threshold
    that it defined itself.
    """
    sure = (confidence * 1e6).floor() / 1e6
    answers = sorted(zip(sure.tolist(), right.tolist(), strict=True))
    kept = min(len(answers), MAX_ANSWERS)
    return tuple(answers[(2 * k + 1) * len(answers) // (2 * kept)] for k in range(kept))


def calibration_error(
    confidence: Tensor, right: Tensor, bins: int = 15
) -> tuple[float, tuple[Bin, ...]]:
    """Return the expected calibration error, and its bins of equal width.

    confidence: (N,), 0 to 1; right: bool (N,). The error is the mean over clips of the difference
    between mean confidence and accuracy in the clip's bin (Guo et al. 2017).
    """
    edges = [k / bins for k in range(bins + 1)]
    places = torch.bucketize(confidence, torch.tensor(edges[1:-1], dtype=confidence.dtype))
    found, error = [], 0.0
    for k in range(bins):
        inside = places == k
        count = int(inside.sum())
        sure = float(confidence[inside].mean()) if count else None
        share = float(right[inside].double().mean()) if count else None
        if sure is not None and share is not None:
            error += count / len(confidence) * abs(sure - share)
        found.append(Bin(edges[k], edges[k + 1], count, sure, share))
    return error, tuple(found)


def calibrate(outputs: Sequence[Tensor], targets: Tensor, temperature: float) -> Calibration:
    """Return the calibration on some clips, before and after scaling."""
    unscaled, after = (clip_probabilities(outputs, heat) for heat in (1.0, temperature))
    return calibration_of(unscaled, after, targets, temperature)


def calibration_of(
    unscaled: Tensor, after: Tensor, targets: Tensor, temperature: float
) -> Calibration:
    """Return the calibration, for probabilities (N, K) before and after scaling."""
    ece_before, bins_before = calibration_error(*confidence_and_correct(unscaled, targets))
    ece, bins = calibration_error(*confidence_and_correct(after, targets))
    return Calibration(temperature, ece, ece_before, bins, bins_before)
