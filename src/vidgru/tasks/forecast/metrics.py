"""Metrics and loss of forecast frames."""

import torch
from torch import Tensor

from vidgru.tasks.forecast.scores import ForecastScores, FrameErrors, HorizonScores

WINDOW, K1, K2, RANGE = 7, 0.01, 0.03, 2.0  # of SSIM; the range is OpenSTL's, for pixels 0 to 1
ROUNDING = 1 / (12 * 255**2)  # mean squared error of rounding to 8 bits (uniform)
SQUARED, STRUCTURE = 40.0, 1.0  # weights in the loss, of the mean squared error and of 1 - SSIM
MODEL, COPY, LINEAR = range(3)


def ssim(predicted: Tensor, true: Tensor) -> Tensor:
    """Return the structural similarity (N,) of pictures (N, C, H, W) with pixels from 0 to 1.

    Wang et al. 2004, eq. 13, mean over uniform windows of 7x7 pixels inside the picture,
    and over channels; variances are those of samples (over n - 1).
    """
    count = WINDOW * WINDOW
    unbiased = count / (count - 1)
    pair = torch.cat([predicted, true, predicted * predicted, true * true, predicted * true])
    # Products with these are five times as fast as avg_pool2d.
    down, across = (
        pair.new_ones(side - WINDOW + 1, side).triu().tril(WINDOW - 1) / WINDOW
        for side in pair.shape[2:]
    )
    a, b, aa, bb, ab = (down @ pair @ across.T).chunk(5)
    c1, c2 = (K1 * RANGE) ** 2, (K2 * RANGE) ** 2
    variance = unbiased * (aa - a * a + bb - b * b)
    covariance = unbiased * (ab - a * b)
    found = (2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (variance + c2))
    return found.mean((1, 2, 3))


def loss(predicted: Tensor, true: Tensor) -> Tensor:
    """Return the loss of forecast frames (B, K, C, H, W), mean over all.

    The squared error alone would blur what is uncertain into grey; structure counts, too.
    """
    squared = (predicted - true).square().mean()
    structure = 1 - ssim(predicted.flatten(0, 1), true.flatten(0, 1)).mean()
    return SQUARED * squared + STRUCTURE * structure


def baselines(context: Tensor, ahead: int) -> tuple[Tensor, Tensor]:
    """Return frames (B, ahead, C, H, W) that stay, and that continue linearly, from 0 to 1.

    context: (B, T, C, H, W). With a single frame, both stay.
    """
    last, before = context[:, -1:], context[:, -2:-1] if context.shape[1] > 1 else context[:, -1:]
    times = torch.arange(1, ahead + 1, dtype=context.dtype).view(1, -1, 1, 1, 1)
    return last.expand(-1, ahead, -1, -1, -1), (last + times * (last - before)).clamp(0, 1)


def errors(predicted: Tensor, true: Tensor) -> Tensor:
    """Return mse, mae, ssim and psnr (B, K, 4) of frames (B, K, C, H, W); see `FrameErrors`."""
    # One by one, since float64 copies of all would take much memory.
    pairs = zip(predicted.unbind(1), true.unbind(1), strict=True)
    return torch.stack([_errors(one.double(), other.double()) for one, other in pairs], dim=1)


def _errors(predicted: Tensor, true: Tensor) -> Tensor:
    """Return mse, mae, ssim and psnr (B, 4) of frames (B, C, H, W)."""
    off = predicted - true
    squared, absolute = off.square().sum((1, 2, 3)), off.abs().sum((1, 2, 3))
    mean = squared / true[0].numel()
    psnr = -10 * mean.clamp_min(ROUNDING).log10()
    return torch.stack([squared, absolute, ssim(predicted, true), psnr], dim=-1)


class MetricAccumulator:
    """Sums of errors, window by window, in constant memory.

    `sums` can be added to those of other accumulators.
    """

    def __init__(self, ahead: int) -> None:
        zeros = torch.zeros(ahead, 3, 4, dtype=torch.float64)
        self.sums = {"windows": torch.zeros(1, dtype=torch.float64), "errors": zeros}

    def add(self, context: Tensor, predicted: Tensor, true: Tensor) -> None:
        """Add context frames (B, T, C, H, W), their forecast and the ground truth (B, K, ...)."""
        copy, linear = baselines(context, true.shape[1])
        for place, baseline in ((MODEL, predicted), (COPY, copy), (LINEAR, linear)):
            self.sums["errors"][:, place] += errors(baseline, true).sum(0)
        self.sums["windows"] += len(context)

    def scores(self, fps: float) -> ForecastScores | None:
        """Return the mean errors of everything added; None if there was nothing."""
        windows = int(self.sums["windows"])
        if windows == 0:
            return None
        means = (self.sums["errors"] / windows).tolist()
        horizons = [
            HorizonScores(number, number / fps, *(FrameErrors(*values) for values in row))
            for number, row in enumerate(means, 1)
        ]
        return ForecastScores(windows, tuple(horizons))
