"""Plots of how errors grow with time."""

from pathlib import Path
from typing import TYPE_CHECKING

from vidgru.tasks.forecast.scores import ForecastScores

if TYPE_CHECKING:
    pass
from vidgru.engine.plots import _save


def plot_horizons(path: Path, scores: ForecastScores) -> None:
    """Draw errors over the frames ahead, of a forecasting model and of the baselines."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 3.6), layout="constrained")
    numbers = [horizon.frame for horizon in scores.horizons]
    for axes, (name, title) in zip(
        figure.subplots(1, 2),
        (("mse", "MSE (sum over a frame)"), ("psnr", "PSNR, dB")),
        strict=True,
    ):
        for baseline, label, color, style in (
            ("model", "model", "tab:orange", "-"),
            ("copy", "last frame stays", "tab:blue", "--"),
            ("linear", "pixels go on to change", "tab:gray", ":"),
        ):
            errors = [getattr(getattr(horizon, baseline), name) for horizon in scores.horizons]
            axes.plot(numbers, errors, color=color, linestyle=style, marker=".", label=label)
        axes.set(xlabel=f"frames ahead, {scores.horizons[0].seconds:.3g} s each", ylabel=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    # Below the axes: inside them it would lie on a curve.
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    count = scores.windows
    figure.suptitle(
        f"mean of {count} forecasts" if count > 1 else "one forecast", fontsize="medium"
    )
    _save(figure, path)
