"""Tables of how good timelines are, on stdout."""

from rich import box
from rich.table import Table
from rich.text import Text

from vidgru.core.text import printable
from vidgru.tasks.classify.timeline_report import interval, percent, seconds
from vidgru.tasks.classify.timeline_scores import TimelineEvaluation
from vidgru.terminal.tables import open_console, shown


def show_timelines(result: TimelineEvaluation) -> None:
    """Print measures by class, and those of all, with their intervals over videos."""
    console, scores = open_console(), result.scores
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("class")
    for title in ("F1 by frames", "bouts", "predicted", "ratio", "seconds", "predicted", "ratio"):
        table.add_column(title, justify="right")
    for label, one in scores.bouts.items():
        table.add_row(
            shown(label),
            percent(scores.f1[label]),
            f"{one.true}",
            f"{one.predicted}",
            interval(one.number, 1, 2, ""),
            f"{one.true_seconds:.1f}",
            f"{one.predicted_seconds:.1f}",
            interval(one.length, 1, 2, ""),
        )
    console.print(table)
    lines = [
        ("Frames right", percent(scores.accuracy)),
        ("Balanced accuracy of frames", percent(scores.balanced)),
        *((f"Segmental F1 at {k} % overlap", percent(v)) for k, v in scores.segmental_f1.items()),
        ("Edit score", percent(scores.edit)),
        ("Error of starts and ends", seconds(scores.boundary_error)),
    ]
    for name, text in lines:
        console.print(Text(f"{name}: {text}"))
    how = ", each by the fold that did not learn from it" if result.folds else ""
    videos = f"{len(result.videos)} video{'' if len(result.videos) == 1 else 's'}"
    over = "; 95 % intervals over videos" if len(result.videos) > 1 else ", too few for intervals"
    console.print(Text(f"{videos}{how}{over}."))
    if result.report is not None:
        console.print(Text(f"Report: {printable(str(result.report))}", overflow="fold"))
