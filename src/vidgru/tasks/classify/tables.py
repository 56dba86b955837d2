"""Output of `predict`: tables to read and tables to keep."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from vidgru.core.text import clock, printable
from vidgru.tasks.classify.results import UNSURE, Labelled, Prediction, Written
from vidgru.tasks.classify.timeline import Timeline
from vidgru.terminal.tables import open_console, percent, shown

COLUMNS = ("label", "answered", "likeliest", "confidence")


def show_predictions(predictions: Sequence[Prediction], top: int) -> None:
    """Print a row for each video: its label, its confidence, and the next likeliest labels."""
    if not predictions:
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("source")
    table.add_column("label", style="bold")
    table.add_column("confidence", justify="right")
    if top > 1:
        table.add_column("then")
    for prediction in predictions:
        row: list[str | Text] = [shown(prediction.source), shown(prediction.label)]
        row.append(percent(prediction.confidence))
        table.add_row(*row, *([_others(prediction, top)] if top > 1 else []))
    console = open_console()
    console.print(table)
    if threshold := predictions[0].threshold:
        count = sum(prediction.unsure for prediction in predictions)
        console.print(f"{count} of {len(predictions)} below {percent(threshold)}: unsure.")


def _others(prediction: Labelled, top: int) -> Text:
    """Return the next likeliest labels after the predicted one."""
    ranked = prediction.top(top)
    others = ranked if prediction.unsure else ranked[1:]
    return Text(", ".join(f"{printable(name)} {percent(share)}" for name, share in others))


def show_timeline(timeline: Timeline, top: int) -> None:
    """Print a row for each segment of a video, and the total length of each label."""
    table = Table(box=box.SIMPLE_HEAD, title=shown(timeline.source), title_justify="left")
    for title in ("from", "to"):
        table.add_column(title, justify="right")
    table.add_column("label", style="bold")
    table.add_column("confidence", justify="right")
    if top > 1:
        table.add_column("then")
    for segment in timeline.segments:
        times = clock(segment.start), clock(segment.end)
        row: list[str | Text] = [*times, shown(segment.label), percent(segment.confidence)]
        table.add_row(*row, *([_others(segment, top)] if top > 1 else []))
    console = open_console()
    console.print(table)
    console.print(_bouts(timeline))
    console.print(f"{clock(timeline.seconds)} in all.")


def _bouts(timeline: Timeline) -> Table:
    """Return how often each label is shown, for how long in all and on average, and when first."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("label", style="bold")
    for title in ("bouts", "total", "share", "mean length", "first at"):
        table.add_column(title, justify="right")
    for one in timeline.bouts():
        table.add_row(
            shown(one.label),
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
    text = f"{written.sources} sources, all answered"
    if written.failures:
        text = f"{written.sources} sources, {written.failures} of them not readable"
    if written.there == written.sources:
        text += "; nothing was left to do"
    elif written.there:
        text += f"; {written.there} had been done before"
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
