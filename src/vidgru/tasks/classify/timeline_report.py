"""Write an evaluation of timelines as a web page, with an ethogram of each video."""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from vidgru.core.files import write_bytes
from vidgru.data.results import counted
from vidgru.tasks.classify.charts import Axis
from vidgru.tasks.classify.page import as_section, as_table, named, visible, whole_page
from vidgru.tasks.classify.timeline_scores import (
    JudgedVideo,
    Measured,
    Shown,
    TimelineEvaluation,
)

WIDTH, ROW, TOP = 960, 22, 4  # of an ethogram


def write_timeline_report(path: Path, evaluation: TimelineEvaluation) -> None:
    """Write a page with the measures and, for each video, an ethogram: truth above answer.

    The evaluation stands in the page as JSON. Raises OutputError.
    """
    scores = evaluation.scores
    measures = [
        ("Frames right", percent(scores.accuracy)),
        ("Balanced: mean recall of the classes", percent(scores.balanced)),
        *((f"Segmental F1 at {k} % overlap", percent(v)) for k, v in scores.segmental_f1.items()),
        ("Edit score", percent(scores.edit)),
        ("Error of starts and ends", seconds(scores.boundary_error)),
        *((f"F1 by frames: {named(label)}", percent(f1)) for label, f1 in scores.f1.items()),
    ]
    bouts = [
        (
            named(label),
            f"{one.true} / {one.predicted}",
            interval(one.number, 1, 2, ""),
            f"{one.true_seconds:.1f} / {one.predicted_seconds:.1f} s",
            interval(one.length, 1, 2, ""),
        )
        for label, one in scores.bouts.items()
    ]
    heads = ["class", "true / predicted", "ratio", "in all", "ratio"]
    colours = {label: _colour(n) for n, label in enumerate(evaluation.labels)}
    title = f"Timelines of {evaluation.model}"
    videos = counted(len(evaluation.videos), "video")
    over = "; 95 % intervals over videos" if len(evaluation.videos) > 1 else ""
    sections = (
        f'<header id="headline">\n<h1>{percent(scores.accuracy)} of the frames right</h1>\n'
        f"<p>Model {named(str(evaluation.model))} on {videos} of "
        f"{named(str(evaluation.folder))}{over}.</p>\n</header>\n",
        as_section("scores", "In numbers", as_table("scores", ["", ""], measures)),
        as_section("bouts", "Bouts", as_table("bouts", heads, bouts)),
        as_section(
            "ethogram",
            "Ethogram",
            "<p>Truth above, answer below; the paler, the less confident.</p>\n",
            _legend(colours),
            *(_ethogram(video, colours) for video in evaluation.videos),
        ),
    )
    content = json.dumps(evaluation.to_dict(), allow_nan=False).replace("<", "\\u003c")
    write_bytes(path, whole_page(title, sections, content).encode())


def interval(number: Measured, factor: float, digits: int, unit: str) -> str:
    """Return a number with its interval, as text."""
    if number.value is None:
        return "-"
    text = f"{factor * number.value:.{digits}f}{unit}"
    if number.low is None or number.high is None:
        return text
    low, high = f"{factor * number.low:.{digits}f}", f"{factor * number.high:.{digits}f}{unit}"
    return f"{text} ({low} to {high})"


def percent(number: Measured) -> str:
    """Return a share with its interval, in percent."""
    return interval(number, 100, 1, " %")


def seconds(number: Measured) -> str:
    """Return a time with its interval."""
    return interval(number, 1, 2, " s")


def _colour(number: int) -> str:
    # The golden angle keeps neighbours apart.
    return f"hsl({(211 + 137.5 * number) % 360:.0f} 65% 50%)"


def _legend(colours: dict[str, str]) -> str:
    keys = (
        f'<span class="key" style="background:{colour}"></span>{named(label)} '
        for label, colour in colours.items()
    )
    return f"<p>{' '.join(keys)}</p>\n"


def _ethogram(video: JudgedVideo, colours: dict[str, str]) -> str:
    axis = Axis("seconds", 0, max(video.seconds, 1e-6))

    def row(spans: Sequence[Shown], y: int) -> str:
        found = ""
        for span in spans:
            x, end = (WIDTH * time / axis.high for time in (span.start, span.end))
            sure = 1.0 if span.confidence is None else span.confidence
            text = f"{visible(span.label)}, {span.start:.2f} to {span.end:.2f} s"
            text += "" if span.confidence is None else f", {100 * span.confidence:.1f} %"
            found += (
                f'<rect x="{x:.2f}" y="{y}" width="{max(end - x, 0.5):.2f}" height="{ROW}" '
                f'fill="{colours.get(span.label, "gray")}" fill-opacity="{sure:.3f}">'
                f"<title>{escape(text)}</title></rect>"
            )
        return found

    ticks = "".join(
        f'<text x="{WIDTH * tick / axis.high:.1f}" y="{TOP + 2 * ROW + 18}">{tick:g} s</text>'
        for tick in axis.ticks()[:-1]
    )
    name = named(video.video)
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {2 * ROW + 28}" style="max-width:100%" role="img" '
        f'aria-label="{escape(visible(video.video))}">{row(video.true, TOP)}'
        f"{row(video.predicted, TOP + ROW + 2)}{ticks}</svg><figcaption>{name}</figcaption>"
        "</figure>\n"
    )
