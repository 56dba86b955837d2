"""How the answers of `predict` are told: tables to read and tables to keep."""

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from vidgru.cli.tables import open_console, percent, shown
from vidgru.cli.text import clock, printable
from vidgru.files import write_bytes
from vidgru.results import UNSURE, Failure, Labelled, Prediction, Written
from vidgru.timeline import Timeline

COLUMNS = ("label", "answered", "likeliest", "confidence")


def show_predictions(predictions: Sequence[Prediction], top: int) -> None:
    """Print a row for each video: its label, how sure that is, and the next likeliest labels."""
    if not predictions:
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("source")
    table.add_column("label", style="bold")
    table.add_column("confidence", justify="right")
    if top > 1:
        table.add_column("then")
    for prediction in predictions:
        ranked = prediction.top(top)
        others = ", ".join(
            f"{printable(name)} {percent(share)}"
            for name, share in (ranked if prediction.unsure else ranked[1:])
        )
        row = [shown(prediction.source), shown(prediction.label), Text(percent(ranked[0][1]))]
        table.add_row(*row, *([Text(others)] if top > 1 else []))
    console = open_console()
    console.print(table)
    if threshold := predictions[0].threshold:
        count = sum(prediction.unsure for prediction in predictions)
        console.print(f"{count} of {len(predictions)} below {percent(threshold)}: unsure.")


def show_timeline(timeline: Timeline) -> None:
    """Print a row for each segment of a video, and how long each label takes in all."""
    table = Table(box=box.SIMPLE_HEAD, title=shown(timeline.source), title_justify="left")
    for title in ("from", "to"):
        table.add_column(title, justify="right")
    table.add_column("label", style="bold")
    table.add_column("confidence", justify="right")
    table.add_column("then")
    seconds: defaultdict[str, float] = defaultdict(float)
    for segment in timeline.segments:
        ranked = segment.top(2)
        name, share = ranked[0] if segment.unsure else ranked[-1]
        other = f"{printable(name)} {percent(share)}" if len(ranked) > 1 or segment.unsure else ""
        times = clock(segment.start), clock(segment.end)
        table.add_row(*times, shown(segment.label), percent(segment.confidence), Text(other))
        seconds[segment.label] += segment.end - segment.start
    console = open_console()
    console.print(table)
    parts = [
        f"{printable(name)} {percent(length / timeline.seconds)}"
        for name, length in sorted(seconds.items(), key=lambda item: -item[1])
    ]
    console.print(Text(f"{clock(timeline.seconds)} in all: {', '.join(parts)}."))


def show_written(written: Written) -> None:
    """Print how many sources show what, how many gave no answer, and where the answers are."""
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


def write_csv(
    path: Path, labels: Sequence[str], results: Sequence[Prediction | Timeline | Failure]
) -> None:
    """Write a row for each source, or for each segment of its timeline. Raises OutputError."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    times = ["start", "end"] if any(isinstance(item, Timeline) for item in results) else []
    rows.writerow(["source", *times, *COLUMNS, *labels, "error"])
    for item in results:
        if isinstance(item, Failure):
            blank = [""] * (len(times) + len(COLUMNS) + len(labels))
            rows.writerow([item.source, *blank, item.error])
        elif isinstance(item, Timeline):
            for segment in item.segments:
                span = [f"{segment.start:.3f}", f"{segment.end:.3f}"]
                rows.writerow([item.source, *span, *_said(segment), ""])
        else:
            rows.writerow([item.source, *_said(item), ""])
    write_bytes(path, text.getvalue().encode("utf-8", "surrogateescape"))


def _said(item: Labelled) -> list[str]:
    shares = [f"{p:.6f}" for p in item.probabilities]
    answered = "no" if item.unsure else "yes"
    return [item.label, answered, item.likeliest, f"{item.confidence:.6f}", *shares]
