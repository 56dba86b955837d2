"""Plots of confusion matrices and of compared trainings."""

from pathlib import Path
from statistics import fmean, median

from vidgru.core.text import printable
from vidgru.engine.plots import _save
from vidgru.tasks.classify.results import Scores


def plot_confusion(path: Path, scores: Scores) -> None:
    """Draw the confusion matrix, rows true and columns predicted, with counts."""
    from matplotlib.figure import Figure

    count = len(scores.labels)
    side = min(3 + 0.45 * count, 40)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.add_subplot()
    shares = [[n / max(sum(row), 1) for n in row] for row in scores.confusion]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    # Class names are untrusted: shortened, and never read as mathematics.
    shown = [printable(label) for label in scores.labels]
    names = [label if len(label) <= 24 else label[:23] + "…" for label in shown]
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
        # Not strict: within given minutes, a slow training may validate less often.
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
