"""Draw a run's curves and its confusion matrix, and runs side by side."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING

from vidgru.files import replacing
from vidgru.forecast_scores import ForecastScores
from vidgru.results import Scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_curves(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """Draw training loss and what was validated over epochs, from the rows of metrics.csv.

    That is accuracy, the error of motion or of foreseen frames, or F1 of boundaries; where nothing
    was validated there is only the loss.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    left = figure.add_subplot()
    epochs = [row["epoch"] for row in rows]
    (loss,) = left.plot(epochs, [row["train_loss"] for row in rows], color="tab:gray")
    left.set(xlabel="epoch", ylabel="training loss")
    if "val_accuracy" in rows[0]:
        right = left.twinx()
        (accuracy,) = right.plot(
            epochs, [row["val_accuracy"] for row in rows], color="tab:blue", marker="."
        )
        right.set(ylabel="validation accuracy", ylim=(0, 1.02))
        left.legend([loss, accuracy], ["training loss", "validation accuracy"], loc="center right")
    elif "val_error" in rows[0]:
        right = left.twinx()
        errors = [100 * row["val_error"] for row in rows]
        (error,) = right.plot(epochs, errors, color="tab:blue", marker=".")
        right.set(ylabel="validation error, % of the width a second", ylim=(0, None))
        left.legend([loss, error], ["training loss", "validation error"], loc="center right")
    elif "val_mse" in rows[0]:
        right = left.twinx()
        (error,) = right.plot(
            epochs, [row["val_mse"] for row in rows], color="tab:blue", marker="."
        )
        right.set(ylabel="validation MSE, sum over a frame", ylim=(0, None))
        left.legend([loss, error], ["training loss", "validation MSE"], loc="center right")
    elif "val_f1" in rows[0]:
        right = left.twinx()
        (f1,) = right.plot(epochs, [row["val_f1"] for row in rows], color="tab:blue", marker=".")
        right.set(ylabel="validation F1", ylim=(0, 1.02))
        left.legend([loss, f1], ["training loss", "validation F1"], loc="center right")
    _save(figure, path)


def plot_confusion(path: Path, scores: Scores) -> None:
    """Draw the confusion matrix, rows true and columns predicted, with counts."""
    from matplotlib.figure import Figure

    count = len(scores.labels)
    side = min(3 + 0.45 * count, 40)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.add_subplot()
    shares = [[n / max(sum(row), 1) for n in row] for row in scores.confusion]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    # Class names come from strangers: shortened, and never read as mathematics.
    names = [label if len(label) <= 24 else label[:23] + "…" for label in scores.labels]
    axes.set_xticks(range(count), names, rotation=90, parse_math=False)
    axes.set_yticks(range(count), names, parse_math=False)
    axes.set(xlabel="predicted", ylabel="true")
    if count <= 40:
        for row, numbers in enumerate(scores.confusion):
            for column, number in enumerate(numbers):
                if number:
                    color = "white" if shares[row][column] > 0.5 else "black"
                    axes.text(column, row, str(number), ha="center", va="center", color=color)
    _save(figure, path)


def plot_comparison(path: Path, trainings: dict[str, list[list[dict[str, float]]]]) -> None:
    """Draw validation accuracy against seconds of training, a colour for each variant.

    `trainings` holds the rows of metrics.csv of each seed by variant, in the legend's order. At
    each validation, thick lines show the mean accuracy over the seeds at the median time.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for number, (name, seeds) in enumerate(trainings.items()):
        # There are ten colours.
        color, style = f"C{number % 10}", "-" if number < 10 else "--"
        for rows in seeds:
            times = [row["seconds"] for row in rows]
            shares = [row["val_accuracy"] for row in rows]
            axes.plot(times, shares, color=color, linestyle=style, linewidth=0.8, alpha=0.4)
        # Not strict: within given minutes, a slow training may be validated less often.
        together = list(zip(*seeds, strict=False))
        # The median, since the first training of a process is slow to start.
        times = [median(row["seconds"] for row in rows) for rows in together]
        shares = [fmean(row["val_accuracy"] for row in rows) for rows in together]
        axes.plot(times, shares, color=color, linestyle=style, linewidth=2, marker=".", label=name)
    axes.set(xlabel="seconds of training, validating included", ylabel="validation accuracy")
    axes.set(xlim=(0, None), ylim=(0, 1.02))
    axes.set_title("thick: mean over the seeds; thin: each seed", fontsize="medium")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    _save(figure, path)


def plot_horizons(path: Path, scores: ForecastScores) -> None:
    """Draw errors over the frames ahead, of a forecasting model and of guesses beside it."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(8, 3.6), layout="constrained")
    numbers = [horizon.frame for horizon in scores.horizons]
    for axes, (name, title) in zip(
        figure.subplots(1, 2),
        (("mse", "MSE (sum over a frame)"), ("psnr", "PSNR, dB")),
        strict=True,
    ):
        for guess, label, color, style in (
            ("model", "model", "tab:orange", "-"),
            ("copy", "last frame stays", "tab:blue", "--"),
            ("linear", "pixels go on to change", "tab:gray", ":"),
        ):
            errors = [getattr(getattr(horizon, guess), name) for horizon in scores.horizons]
            axes.plot(numbers, errors, color=color, linestyle=style, marker=".", label=label)
        axes.set(xlabel=f"frames ahead, {scores.horizons[0].seconds:.3g} s each", ylabel=title)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    count = scores.windows
    figure.suptitle(
        f"mean of {count} forecasts" if count > 1 else "one forecast", fontsize="medium"
    )
    _save(figure, path)


def _save(figure: "Figure", path: Path) -> None:
    # A class name in a script that the font lacks shows boxes; that is no news on stderr.
    with warnings.catch_warnings(), replacing(path) as temporary:
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(temporary, dpi=120)
