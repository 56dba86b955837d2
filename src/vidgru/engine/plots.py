"""Plots of a training. Matplotlib is imported when the first one is drawn."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vidgru.core.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Curve:
    """What is drawn next to the training loss.

    column: of metrics.csv; label: of its axis, and up to a comma of its line; factor: from the
    column's unit to the label's; top: of the axis, None for automatic.
    """

    column: str
    label: str
    factor: float = 1.0
    top: float | None = None


def plot_curves(path: Path, rows: Sequence[dict[str, float]], curve: Curve) -> None:
    """Draw training loss and validation over epochs, from the rows of metrics.csv.

    Without validation there is only the loss.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    left = figure.add_subplot()
    epochs = [row["epoch"] for row in rows]
    (loss,) = left.plot(epochs, [row["train_loss"] for row in rows], color="tab:gray")
    left.set(xlabel="epoch", ylabel="training loss")
    if curve.column in rows[0]:
        right = left.twinx()
        values = [curve.factor * row[curve.column] for row in rows]
        (line,) = right.plot(epochs, values, color="tab:blue", marker=".")
        right.set(ylabel=curve.label, ylim=(0, curve.top))
        names = ["training loss", curve.label.partition(",")[0]]
        left.legend([loss, line], names, loc="center right")
    _save(figure, path)


def _save(figure: "Figure", path: Path) -> None:
    # A class name in a script that the font lacks shows boxes and needs no warning on stderr.
    with warnings.catch_warnings(), replacing(path) as temporary:
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(temporary, dpi=120)
