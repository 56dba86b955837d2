"""ELAN: annotations exported as tab-delimited text (archive.mpi.nl/tla/elan)."""

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from vidgru.core.errors import DataError
from vidgru.data.annotations.reader import (
    PLAIN,
    Annotations,
    Document,
    Event,
    Reader,
    Row,
    pure_path,
    to_seconds,
)

FORMAT = re.compile(r"(.*) - (hh:mm:ss\.ms|ss\.msec|msec)")
LENGTH = ("dur", "dau", "duu")  # what stands over lengths begins so, in several languages
NO_FILMS = (".eaf", ".mp3", ".wav")
MEDIA = re.compile(r'^"?#(file:\S.*?)(?: -- offset: (-?\d+))?"?\s*$')
MAX_NAMED = re.compile(r"\d+:\d\d:\d\d\.\d{1,3}")


class Elan(Reader):
    """A row an annotation, with its tier; or a row a stretch, with a column a tier.

    With a line of column names or without. The value of an annotation is its label, or where it is
    empty, its tier.
    """

    name, suffixes = "ELAN tab-delimited text", frozenset((".txt", ".tsv", ".csv"))

    def recognises(self, document: Document) -> bool:
        """See `Reader`."""
        try:
            first = next((cells for _, cells in _rows(document)), [])
        except DataError:
            return False
        return len(_times(first)) > 1 or _spans(first) is not None

    def read(self, document: Document) -> Annotations:
        """See `Reader`."""
        found = Annotations(named=False)
        video: PurePath = document.own_video()
        media = [match for line in document.text.splitlines() if (match := MEDIA.match(line))]
        media = [match for match in media if pure_path(match[1]).suffix.lower() not in NO_FILMS]
        if media:
            video, found.named = document.video(media[0][1]), True
            if media[0][2] not in (None, "0"):
                raise document.wrong(f"{video.name} has an offset: export with it added to times.")
        rows = list(_rows(document))
        times = _times(rows[0][1])
        for line, cells in rows[bool(times) :]:
            if times:
                found.events += _named(document, video, rows[0][1], line, cells)
            else:
                found.events.append(_plain(document, video, line, cells))
        found.videos = list(dict.fromkeys([event.video for event in found.events] or [video]))
        return found


def _rows(document: Document) -> Iterator[Row]:
    """Yield the rows below the lines about files."""
    for line, cells in document.table(document.text, "\t"):
        if not cells[0].startswith("#"):
            yield line, cells


def _times(head: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return {"Begin Time": {"ss.msec": place of the column ...} ...} of a line of column names."""
    found: dict[str, dict[str, int]] = {}
    for place, name in enumerate(head):
        if match := FORMAT.fullmatch(name):
            found.setdefault(match[1], {})[match[2]] = place
    return found


def _named(
    document: Document, video: PurePath, head: Sequence[str], line: int, cells: Sequence[str]
) -> list[Event]:
    """Return the events of a row below column names, which may be of any language."""
    if len(cells) != len(head):
        raise document.wrong(f"{len(cells)} cells, but there are {len(head)} columns.", line)
    moments = []
    for ways in [*_times(head).values()][:2]:
        way, place = next(iter(ways.items()))
        seconds = document.seconds(cells[place], "time", line)
        moments.append(seconds / 1000 if way == "msec" else seconds)
    if [*_times(head)][1].lower().startswith(LENGTH):
        moments[1] += moments[0]
    start, end = document.span(moments[0], moments[1], line)
    places = [place for ways in _times(head).values() for place in ways.values()]
    values = []
    for place, name in enumerate(head):
        if place > min(places) and place not in places:
            if name.lower().startswith("file"):
                video = document.video(cells[place], line)
            else:
                values.append(cells[place].strip())
    tier = cells[0] if 0 not in places else ""
    labels = [value for value in values if value] or ([tier] if len(values) < 2 and tier else [])
    return [Event(video, document.label(label, line), start, end) for label in labels]


def _spans(cells: Sequence[str]) -> tuple[float, float, int] | None:
    """Return start, end and the place behind the times of a row that no names stand over."""
    shown = [k for k, cell in enumerate(cells) if MAX_NAMED.fullmatch(cell)]
    if len(shown) not in (2, 3) or len(cells) < 3:
        shown = [k for k, cell in enumerate(cells) if PLAIN.fullmatch(cell)][:3]
        if len(shown) < 3:
            return None
    moments = [to_seconds(cells[k]) for k in shown]
    if not any(MAX_NAMED.fullmatch(cells[k]) or "." in cells[k] for k in shown):
        moments = [None if m is None else m / 1000 for m in moments]
    start, end = moments[:2]
    length = moments[2] if len(moments) > 2 else None
    if start is None or end is None or end < start:
        return None
    if len(moments) > 2 and (length is None or abs(start + length - end) > 0.002):
        return None
    behind = shown[-1] + 1
    while behind < len(cells) and PLAIN.fullmatch(cells[behind]) and behind < len(cells) - 1:
        behind += 1
    return start, end, behind


def _plain(document: Document, video: PurePath, line: int, cells: Sequence[str]) -> Event:
    """Return the event of a row that no names stand over."""
    found = _spans(cells)
    if found is None:
        raise document.wrong("there are no start, end and length of an annotation.", line)
    start, end, behind = found
    value = next((cell for cell in cells[behind:] if cell), "") or cells[0]
    return Event(video, document.label(value, line), *document.span(start, end, line))
