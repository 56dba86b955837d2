"""Draw an explanation as one figure, for a paper."""

import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vidgru.core.files import replacing
from vidgru.core.text import printable
from vidgru.data.augment import VIEW
from vidgru.tasks.classify.explain.heat import colored, stretched, with_heat
from vidgru.tasks.classify.explain.results import Explanation, Summary
from vidgru.video.read import Image

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST, ROW, TITLE = 80, 110, 26  # characters of a name, and in a line: of all, of one map


def write_figure(
    path: Path, found: Explanation, pictures: Sequence[Image], numbers: Sequence[int]
) -> None:
    """Write a PNG: frames with their relevance, what frames add, and the gates.

    pictures: rgb uint8 (H, W, 3) of the frames of these numbers. Raises OutputError.
    """
    from matplotlib.figure import Figure

    rows = 3 if found.gates else 2
    height, width = pictures[0].shape[:2]
    across = 12 / len(pictures)
    strip = min(max(across * height / width, 0.5), 4)
    figure = Figure(figsize=(12, strip + 2.3 * (rows - 1) + 0.6), layout="constrained")
    heights = [strip, *[2.0] * (rows - 1)]
    grid = figure.add_gridspec(rows, len(pictures), height_ratios=heights)
    for column, (picture, number) in enumerate(zip(pictures, numbers, strict=True)):
        axes = figure.add_subplot(grid[0, column])
        axes.imshow(with_heat(picture, found.maps[number], found.view))
        axes.set_title(f"{found.seconds[number]:.2f} s", fontsize="small")
        axes.set_axis_off()
    first = found.seconds[0]
    added = figure.add_subplot(grid[1, :])
    drawn: list[Artist] = []
    for label, color in ((found.label, "tab:blue"), (found.second, "tab:orange")):
        drawn += added.plot(found.seconds, found.curve(label), color=color)
    added.set(ylabel="adds to the logit", xlim=(first, max(found.seconds[-1], first + 1e-3)))
    shares = added.twinx()
    area = shares.fill_between(found.seconds, found.relevance)
    area.set(color="tab:gray", alpha=0.3, linewidth=0)
    drawn.append(area)
    shares.set(ylabel="relevance", ylim=(0, None))
    _legend(added, drawn, [_short(found.label), _short(found.second), "relevance of the frame"])
    if found.gates:
        gates = figure.add_subplot(grid[2, :], sharex=added)
        for name, values in found.gates.items():
            if name != "kept" and values == found.gates["kept"]:
                continue  # it would only hide behind that
            (line,) = gates.plot(found.seconds, values, label=name)
            if name == "kept":
                line.set(linewidth=2.5, color="black")
        gates.set(ylabel="open", ylim=(0, 1))
        _legend(gates, *gates.get_legend_handles_labels())
    figure.axes[-1 if found.gates else len(pictures)].set_xlabel("seconds")
    share = found.prediction.probabilities[found.labels.index(found.label)]
    title = f"{_short(found.label)}, {100 * share:.1f} %"
    if found.against is not None:
        title += f", against {_short(found.against)}"
    figure.suptitle("\n".join(textwrap.wrap(title, ROW)), parse_math=False)
    _save(figure, path)


def write_summary_figure(path: Path, found: Summary) -> None:
    """Write a PNG with the mean map of each class; raises OutputError."""
    from matplotlib.figure import Figure

    columns = min(len(found.classes), 6)
    rows = -(-len(found.classes) // columns)
    figure = Figure(figsize=(max(2.4 * columns, 4), 2.7 * rows + 0.3), layout="constrained")
    for number, one in enumerate(found.classes):
        axes = figure.add_subplot(rows, columns, number + 1)
        size = (200, 200)
        axes.imshow(colored(stretched(one.map, size, VIEW)).astype("uint8"))
        name = textwrap.wrap(_short(one.label), TITLE) or [""]
        name[-1] += f" ({one.videos})"
        axes.set_title("\n".join(name), fontsize="small", parse_math=False)
        axes.set(xticks=[], yticks=[])
    _save(figure, path)


def _save(figure: "Figure", path: Path) -> None:
    # A class name in a script that the font lacks shows boxes and needs no warning on stderr.
    with warnings.catch_warnings(), replacing(path) as temporary:
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(temporary, dpi=120)


def _legend(axes: "Axes", drawn: Sequence["Artist"], names: Sequence[str]) -> None:
    """Write names above the axes, where they hide no curve; in a row if there is room."""
    columns = len(names) if len("".join(names)) <= ROW else 1
    legend = axes.legend(
        drawn, names, frameon=False, ncols=columns, fontsize="small",
        loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)  # class names are untrusted


def _short(label: str) -> str:
    text = printable(label)
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    # A leading underscore would keep a line out of the legend.
    return f" {text}" if text.startswith("_") else text
