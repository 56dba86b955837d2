"""How good forecasts are: measures, guesses and losses by hand."""

import math
from dataclasses import asdict

import numpy as np
import pytest
import torch
from forecast_clips import clip_of
from helpers import noise
from numpy.typing import NDArray

from vidgru.tasks.forecast.metrics import (
    COPY,
    MODEL,
    MetricAccumulator,
    baselines,
    errors,
    loss,
    ssim,
)
from vidgru.tasks.forecast.train_step import LUMA, as_clip


def ssim_by_hand(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the structural similarity of (H, W), window by window (Wang et al. 2004, eq. 13)."""
    c1, c2, found = (0.01 * 2) ** 2, (0.03 * 2) ** 2, []
    for y in range(a.shape[0] - 6):
        for x in range(a.shape[1] - 6):
            p, q = a[y : y + 7, x : x + 7].ravel(), b[y : y + 7, x : x + 7].ravel()
            joint = np.cov(p, q, ddof=1)
            above = (2 * p.mean() * q.mean() + c1) * (2 * joint[0, 1] + c2)
            below = (p.mean() ** 2 + q.mean() ** 2 + c1) * (joint[0, 0] + joint[1, 1] + c2)
            found.append(above / below)
    return float(np.mean(found))


def test_measures_by_hand() -> None:
    predicted, true = clip_of(2, 3, 2).double(), clip_of(4, 3, 2)[2:].double()
    found = errors(predicted, true)
    for place in np.ndindex(2, 3):
        a, b = predicted[place].numpy(), true[place].numpy()
        mean = ((a - b) ** 2).mean()
        wanted = (
            ((a - b) ** 2).sum(),
            np.abs(a - b).sum(),
            np.mean([ssim_by_hand(x, y) for x, y in zip(a, b, strict=True)]),
            20 * math.log10(1 / math.sqrt(mean)),
        )
        assert found[place].tolist() == pytest.approx(wanted, rel=1e-9)


def test_a_frame_without_error() -> None:
    clip = clip_of(1, 1)
    assert errors(clip, clip)[0, 0].tolist() == pytest.approx(
        [0, 0, 1, 10 * math.log10(12 * 255**2)]
    )


def test_guesses_by_hand() -> None:
    context = torch.tensor([0.1, 0.5, 0.6]).view(1, 3, 1, 1, 1)
    copy, linear = baselines(context, 5)
    assert copy.flatten().tolist() == pytest.approx([0.6] * 5)
    assert linear.flatten().tolist() == pytest.approx([0.7, 0.8, 0.9, 1.0, 1.0])
    copy, linear = baselines(context[:, :1], 2)
    assert copy.flatten().tolist() == linear.flatten().tolist() == pytest.approx([0.1, 0.1])


def test_the_loss_is_squared_error_and_structure() -> None:
    predicted, true = clip_of(2, 3), clip_of(4, 3)[2:]
    structure = 1 - ssim(predicted.flatten(0, 1), true.flatten(0, 1)).mean()
    assert loss(predicted, true).item() == pytest.approx(
        40 * (predicted - true).square().mean().item() + structure.item(), rel=1e-5
    )


def test_scores_are_means_over_windows() -> None:
    accumulator, clip = MetricAccumulator(3), clip_of(3, 7)
    assert accumulator.scores(10) is None
    context, true = clip[:, :4], clip[:, 4:]
    predicted = true.flip(0)
    accumulator.add(context[:1], predicted[:1], true[:1])
    accumulator.add(context[1:], predicted[1:], true[1:])
    scores = accumulator.scores(10)
    assert scores is not None
    assert scores.windows == 3
    wanted = errors(predicted, true).mean(0)
    last = errors(context[:, -1:].expand(-1, 3, -1, -1, -1), true).mean(0)
    for number, horizon in enumerate(scores.horizons):
        assert (horizon.frame, horizon.seconds) == (number + 1, pytest.approx((number + 1) / 10))
        assert list(asdict(horizon.model).values()) == pytest.approx(wanted[number].tolist())
        assert list(asdict(horizon.copy).values()) == pytest.approx(last[number].tolist())
    assert scores.mean("model").mse == pytest.approx(wanted[:, 0].mean().item())
    assert (MODEL, COPY) == (0, 1)


def test_shades_of_grey() -> None:
    frames = noise(3, 32, 32)[None]
    grey = as_clip(frames, 1)
    wanted = (frames @ np.array(LUMA)).astype(np.float32) / 255
    assert grey.shape == (1, 3, 1, 32, 32)
    assert np.allclose(grey[:, :, 0].numpy(), wanted, atol=1e-5)
    assert np.allclose(as_clip(frames, 3).numpy(), frames.transpose(0, 1, 4, 2, 3) / 255.0)
