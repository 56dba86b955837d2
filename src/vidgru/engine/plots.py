"""Draw a run's curves and its confusion matrix."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vidgru.files import replacing
from vidgru.results import Scores

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_curves(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """Draw training loss and validation accuracy over epochs, from the rows of metrics.csv."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    left = figure.add_subplot()
    epochs = [row["epoch"] for row in rows]
    (loss,) = left.plot(epochs, [row["train_loss"] for row in rows], color="tab:gray")
    left.set(xlabel="epoch", ylabel="training loss")
    right = left.twinx()
    (accuracy,) = right.plot(
        epochs, [row["val_accuracy"] for row in rows], color="tab:blue", marker="."
    )
    right.set(ylabel="validation accuracy", ylim=(0, 1.02))
    left.legend([loss, accuracy], ["training loss", "validation accuracy"], loc="center right")
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


def _save(figure: "Figure", path: Path) -> None:
    # A class name in a script that the font lacks shows boxes; that is no news on stderr.
    with warnings.catch_warnings(), replacing(path) as temporary:
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(temporary, dpi=120)
