"""Tables of anybody's: a row a segment, or a column a class and a row a frame (DeepEthogram)."""

from collections.abc import Sequence
from itertools import islice
from pathlib import PurePath

from vidgru.core.errors import DataError
from vidgru.core.text import short
from vidgru.data.annotations.reader import Annotations, Document, Event, Reader
from vidgru.data.table import LOOKED_AT

TABLES = frozenset((".csv", ".tsv", ".txt"))
VIDEO = ("video", "file", "filename", "path", "media", "clip", "source")
LABEL = ("label", "class", "category", "behavior", "behaviour", "event", "action")
START = ("start", "start_s", "start_time", "begin", "begin_s", "begin_time", "onset")
END = ("end", "end_s", "end_time", "stop", "stop_s", "stop_time", "offset")
LISTED = frozenset(("path", "split", "subset", "part", "group", "subject"))  # of lists of clips
SECONDS = ("seconds", "time", "time (s)")
MAX_CLASSES = 1000


def _place(header: Sequence[str], names: Sequence[str]) -> int | None:
    """Return the place of the one column that is called so, None where it is not one."""
    found = [k for k, cell in enumerate(header) if cell.lower().replace(" ", "_") in names]
    return found[0] if len(found) == 1 else None


class Segments(Reader):
    """Columns video, label, start and end, by their usual names, in any order."""

    name, suffixes = "table of segments", TABLES

    def recognises(self, document: Document) -> bool:
        """See `Reader`. What only lists of clips have makes it one, which is read elsewhere."""
        header = [cell.lower() for cell in document.header]
        places = [_place(header, names) for names in (VIDEO, LABEL, START, END)]
        return None not in places and LISTED.isdisjoint(header)

    def read(self, document: Document) -> Annotations:
        """See `Reader`."""
        video, label, start, end = (
            _place(document.header, names) or 0 for names in (VIDEO, LABEL, START, END)
        )
        found, rows = Annotations(), document.rows()
        strange = [*document.header]
        for place in sorted((video, label, start, end), reverse=True):
            del strange[place]
        if strange:
            names = ", ".join(map(repr, strange))
            found.warnings.append(f"columns of which nothing is known ({names})")
        next(rows)
        for line, cells in rows:
            if len(cells) != len(document.header):
                raise document.wrong(
                    f"{len(cells)} cells, but there are {len(document.header)} columns.", line
                )
            times = document.span(cells[start], cells[end], line)
            where, what = document.video(cells[video], line), document.label(cells[label], line)
            found.events.append(Event(where, what, *times, "seconds"))
        found.videos = list(dict.fromkeys(event.video for event in found.events))
        return found


class Frames(Reader):
    """A row a frame, a column a class: 1 where it is shown, 0 where it is not, -1 for unknown.

    The first column only numbers the frames, or is called `seconds` and says when each is shown.
    Such are the labels of DeepEthogram, and what `predict --per-frame` writes.
    """

    name, suffixes = "table of frames", TABLES

    def recognises(self, document: Document) -> bool:
        """See `Reader`. Most rows decide: `read` reports the others with their lines."""
        header = document.header
        if len(header) < 2 or len(header) > MAX_CLASSES:
            return False
        if header[0] and header[0].lower() not in (*SECONDS, "frame", "index", "unnamed: 0"):
            return False
        try:
            rows = [cells for _, cells in islice(document.rows(), 1, LOOKED_AT + 1)]
        except DataError:
            return False
        good = [len(r) == len(header) and {*map(_flag, r[1:])} <= {"0", "1", "-1"} for r in rows]
        return 2 * sum(good) > len(good)

    def read(self, document: Document) -> Annotations:
        """See `Reader`."""
        labels = [document.label(cell, 1) for cell in document.header[1:]]
        if len({*labels}) < len(labels):
            raise document.wrong("two columns have the same name.", 1)
        timed = document.header[0].lower() in SECONDS
        video = document.own_video()
        spans: list[list[tuple[float, float]]] = [[] for _ in labels]
        unknown: list[tuple[float, float]] = []
        began: list[float | None] = [None] * (len(labels) + 1)  # the last one: of the unknown
        time, gap, number = 0.0, 1.0, 0
        rows = document.rows()
        next(rows)
        for number, (line, cells) in enumerate(rows, 1):
            if len(cells) != len(document.header):
                raise document.wrong(f"{len(cells)} cells instead of {len(document.header)}.", line)
            flags = [_flag(cell) for cell in cells[1:]]
            if odd := {*flags} - {"0", "1", "-1"}:
                what = f"only 0, 1 and -1 may stand there, not {short(min(odd))!r}."
                raise document.wrong(what, line)
            now = document.seconds(cells[0], "time", line) if timed else float(number - 1)
            if number > 1:
                if now <= time:
                    raise document.wrong(f"its time {now:g} is not after {time:g}.", line)
                gap = now - time
            time = now
            states = [flag == "1" for flag in flags]
            _follow(began, [*states, "-1" in flags], now, [*spans, unknown])
        _follow(began, [False] * len(began), time + gap, [*spans, unknown])
        unit = "seconds" if timed else "rows"
        return Annotations(
            events=_events(video, labels, spans, unit),
            unknown=[
                *(Event(video, "", *span, unit) for span in unknown),
                Event(video, "", time + gap, None, unit),  # what lies behind the last row
            ],
            videos=[video] if number else [],
            named=False,
        )


def _flag(cell: str) -> str:
    """Return "0", "1" or "-1" for a number that is one of them, however it is written."""
    cell = cell.strip()
    return {"0.0": "0", "1.0": "1", "-1.0": "-1", "False": "0", "True": "1"}.get(cell, cell)


def _follow(
    began: list[float | None],
    states: Sequence[bool],
    now: float,
    spans: Sequence[list[tuple[float, float]]],
) -> None:
    """Take note of what begins and what ends now."""
    for k, state in enumerate(states):
        start = began[k]
        if state and start is None:
            began[k] = now
        elif not state and start is not None:
            spans[k].append((start, now))
            began[k] = None


def _events(
    video: PurePath,
    labels: Sequence[str],
    spans: Sequence[Sequence[tuple[float, float]]],
    unit: str,
) -> list[Event]:
    """Return the events of all classes, those of the first column first."""
    return [
        Event(video, label, *span, unit)
        for label, own in zip(labels, spans, strict=True)
        for span in own
    ]
