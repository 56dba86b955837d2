"""Output of `predict`: tables to read and tables to keep."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vidgru.core.text import clock, printable
from vidgru.data.results import counted
from vidgru.tasks.classify.results import UNSURE, Labelled, Prediction, Written
from vidgru.tasks.classify.timeline import Timeline
from vidgru.terminal.tables import fits_width, open_console, percent, shown

DEFAULT_TOP = 3
COLUMNS = ("label", "answered", "likeliest", "confidence")


def show_predictions(
    predictions: Sequence[Prediction], top: int | None, sources: Sequence[str]
) -> None:
    """Print a row for each video: its label, the confidence, and the next likeliest labels.

    Paths are shown relative to the source, where that is one folder of videos.
    """
    if not predictions:
        return
    folder = Path(sources[0]) if len(sources) == 1 else None
    inside = folder is not None and all(folder in Path(p.source).parents for p in predictions)

    def draw(top: int) -> Table:
        table = Table(box=box.SIMPLE_HEAD, title_justify="left")
        table.title = Text(f"In {printable(str(folder))}:") if inside else None
        table.add_column("source")
        _add_columns(table, top)
        for prediction in predictions:
            path = prediction.source
            if inside and folder is not None:
                path = str(Path(path).relative_to(folder))
            table.add_row(shown(path), *_cells(prediction, top))
        return table

    console = open_console()
    console.print(_fitting(console, draw, top))
    if threshold := predictions[0].threshold:
        count = sum(prediction.unsure for prediction in predictions)
        text = f"{count} of {counted(len(predictions), 'prediction')} unsure: "
        console.print(f"{text}confidence below {percent(threshold)}.")


def _fitting(console: Console, draw: Callable[[int], Table], top: int | None) -> Table:
    """Return a table with the likeliest labels that were asked for, or else as many as fit."""
    if top is not None:
        return draw(top)
    for fewer in range(DEFAULT_TOP, 1, -1):
        table = draw(fewer)
        if fits_width(console, table):
            return table
    return draw(1)


def _add_columns(table: Table, top: int) -> None:
    table.add_column("label", style="bold")
    table.add_column("confidence", justify="right")
    if top > 1:
        table.add_column("then")


def _cells(prediction: Labelled, top: int) -> list[Text | str]:
    """Return the label, its confidence, and the labels that come after it."""
    if top == 1:
        return [shown(prediction.called), percent(prediction.confidence)]
    ranked = prediction.top(top)
    others = ranked if prediction.unsure else ranked[1:]  # an unsure one is the first of the others
    text = ", ".join(f"{printable(name)} {percent(share)}" for name, share in others)
    return [
        shown(prediction.called),
        "-" if prediction.unsure else percent(prediction.confidence),
        Text(text),
    ]


def show_timeline(timeline: Timeline, top: int | None) -> None:
    """Print a row for each segment of a video, and the bouts of each label."""

    def draw(top: int) -> Table:
        table = Table(box=box.SIMPLE_HEAD, title=shown(timeline.source), title_justify="left")
        for title in ("from", "to"):
            table.add_column(title, justify="right")
        _add_columns(table, top)
        for segment in timeline.segments:
            times = clock(segment.start), clock(segment.end)
            table.add_row(*times, *_cells(segment, top))
        return table

    console = open_console()
    console.print(_fitting(console, draw, top))
    console.print(_bouts(timeline))
    console.print(f"{clock(timeline.seconds)} in all.")


def _bouts(timeline: Timeline) -> Table:
    """Return how often each label is shown, for how long in all and on average, and when first."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("label", style="bold")
    for title in ("bouts", "total", "share", "mean length", "first at"):
        table.add_column(title, justify="right")
    names = {(segment.label, segment.unsure): segment.called for segment in timeline.segments}
    for one in timeline.bouts():
        table.add_row(
            shown(names[one.label, one.unsure]),
            f"{one.count}",
            clock(one.seconds),
            percent(one.seconds / timeline.seconds),
            clock(one.seconds / one.count),
            clock(one.first),
        )
    return table


def show_written(written: Written) -> None:
    """Print how many sources have which label, how many failed, and where the predictions are."""
    console = open_console()
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("label")
    table.add_column("sources", justify="right")
    for label, count in written.labels.items():
        table.add_row(shown(label), f"{count}")
    if written.unsure:
        table.add_section()
        table.add_row(Text(UNSURE, style="dim"), f"{written.unsure}")
    if table.row_count:
        console.print(table)
    text = f"{counted(written.sources, 'source')}, all predicted"
    if written.failures:
        text = f"{counted(written.sources, 'source')}, {written.failures} of them unreadable"
    if written.there == written.sources:
        text += "; all were done before"
    elif written.there:
        text += f"; done before: {written.there}"
    console.print(Text(f"{text}: {printable(str(written.out))}", overflow="fold"))


def csv_columns(labels: Sequence[str], timelines: bool) -> list[str]:
    """Return the columns of a table with a row for each source, or segment of a timeline."""
    times = ["start", "end"] if timelines else []
    classes = [f"p_{label}" for label in labels]  # one may be called `error`
    return ["source", *times, *COLUMNS, *classes, "error"]


def rows_of(item: Prediction | Timeline) -> Iterator[list[str]]:
    """Yield the rows of a prediction."""
    if isinstance(item, Timeline):
        for segment in item.segments:
            span = [f"{segment.start:.3f}", f"{segment.end:.3f}"]
            yield [item.source, *span, *_said(segment), ""]
    else:
        yield [item.source, *_said(item), ""]


def _said(item: Labelled) -> list[str]:
    shares = [f"{p:.6f}" for p in item.probabilities]
    answered = "no" if item.unsure else "yes"
    return [item.label, answered, item.likeliest, f"{item.confidence:.6f}", *shares]
