"""The rows of a list of labels: read, written, and what a change makes of them."""

import csv
import io
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vidgru.core.errors import DataError
from vidgru.core.files import UnixLines
from vidgru.core.text import short

COLUMNS = ("path", "label", "start", "end")
SHORTEST = 0.5  # seconds of a stretch of background, as for annotations
DIGITS = 6  # of times, in seconds
MAX_SECONDS = 1e7
MAX_BYTES = 64 << 20  # of a list

Span = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """A row of a list: a stretch of a video, or all of it, with its label.

    number: stays the same while the program runs; video: the number of the video, None where the
    row is about another one; cells: of the row as it was read, () of a new one; start and end are
    seconds, None for a whole clip.
    """

    number: int
    video: int | None
    label: str
    start: float | None
    end: float | None
    cells: tuple[str, ...] = ()

    @property
    def span(self) -> Span:
        """Start and end in seconds; a whole clip has all time."""
        return self.start or 0.0, math.inf if self.end is None else self.end


@dataclass(frozen=True)
class Table:
    """The columns of a list, in order, and its rows."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


class Format:
    """Reads and writes a list whose paths are relative to its folder."""

    def __init__(self, path: Path, videos: Sequence[Path]) -> None:
        self.path = path
        self._folder = os.path.realpath(path.parent)
        self._names = [self._name_of(video) for video in videos]
        self._videos = {os.path.realpath(video): number for number, video in enumerate(videos)}
        self._numbers = 0

    def _name_of(self, video: Path) -> str:
        try:
            name = os.path.relpath(os.path.realpath(video), self._folder)
        except ValueError:  # on another drive of Windows
            name = os.path.realpath(video)
        name = Path(name).as_posix()
        # Neither a formula nor a cell whose ends would be cut off.
        return name if name[0].isalnum() or name[0] in "./_" else f"./{name}"

    def new(self, video: int, label: str, start: float | None, end: float | None) -> Row:
        """Return a new row."""
        self._numbers += 1
        start, end = (None if time is None else round(time, DIGITS) for time in (start, end))
        return Row(self._numbers, video, label, start, end)

    def changed(self, row: Row, **values: float | str | None) -> Row:
        """Return a row with other values, and a number of its own."""
        self._numbers += 1
        return replace(row, number=self._numbers, **values)  # type: ignore[arg-type]

    def read(self, data: bytes) -> Table:
        """Return what a list holds; raises DataError for what is none."""
        if len(data) > MAX_BYTES:
            raise DataError(f"{self.path} is too large for a list of labels.")
        try:
            text = data.decode("utf-8-sig", "surrogateescape")  # as names of files may be
            table = csv.reader(io.StringIO(text, newline=""), strict=True)
            columns = tuple(name.strip().lower() for name in next(table, COLUMNS))
            lines = [(table.line_num, cells) for cells in table if any(cells)]
        except csv.Error as error:
            raise DataError(f"Cannot read {self.path} as a list: {error}.") from error
        missing = [name for name in COLUMNS if name not in columns]
        if missing or len({*columns}) < len(columns):
            raise DataError(
                f"{self.path} is no list with the columns {','.join(COLUMNS)}: give another --out, "
                "or mend its first line."
            )
        return Table(columns, tuple(self._row(columns, *line) for line in lines))

    def _row(self, columns: Sequence[str], line: int, cells: Sequence[str]) -> Row:
        where = f"{self.path}, line {line}"
        if len(cells) != len(columns):
            raise DataError(f"{where}: {len(cells)} cells, but there are {len(columns)} columns.")
        row = dict(zip(columns, (cell.strip() for cell in cells), strict=True))
        if not row["path"] or not row["label"] or "\0" in row["path"]:
            raise DataError(f"{where}: no {'label' if row['path'] else 'path'}.")
        if not row["label"].isprintable():
            raise DataError(f"{where}: the label {short(row['label'])!r} is no text in UTF-8.")
        start, end = (_seconds(where, row[name]) for name in ("start", "end"))
        if end is not None and end <= (start or 0.0):
            raise DataError(f"{where}: end {end:g} must be later than start.")
        found = self._videos.get(os.path.realpath(os.path.join(self._folder, row["path"])))
        self._numbers += 1
        return Row(self._numbers, found, row["label"], start, end, tuple(cells))

    def write(self, table: Table) -> bytes:
        """Return a list as it stands in its file."""
        file = io.StringIO(newline="")
        out = csv.writer(UnixLines(file))
        out.writerow(table.columns)
        for row in table.rows:
            cells = list(row.cells) or [""] * len(table.columns)
            own = (row.label, _text(row.start), _text(row.end))
            for name, value in zip(COLUMNS[1:], own, strict=True):
                place = table.columns.index(name)
                # What another program wrote stays as it is, while it means the same.
                cell = cells[place].strip()
                if not row.cells or (cell if name == "label" else _again(cell)) != value:
                    cells[place] = value
            if not row.cells and row.video is not None:
                cells[table.columns.index("path")] = self._names[row.video]
            out.writerow(cells)
        return file.getvalue().encode("utf-8", "surrogateescape")


def _seconds(where: str, text: str) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < MAX_SECONDS:
        raise DataError(f"{where}: {short(text)!r} is not a time in seconds.")
    return seconds


def _again(cell: str) -> str:
    return _text(float(cell) if cell else None)


def _text(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.{DIGITS}f}".rstrip("0").rstrip(".")


def without(form: Format, rows: Iterable[Row], video: int, span: Span) -> list[Row]:
    """Return rows of which those of a video leave a span of time free."""
    low, high = span
    left = []
    for row in rows:
        start, end = row.span
        if row.video != video or end <= low or start >= high:
            left.append(row)
            continue
        if start < low:
            left.append(form.changed(row, start=start, end=low))
        if end > high:
            left.append(form.changed(row, start=high, end=None if end == math.inf else end))
    return left


def gaps(rows: Iterable[Row], video: int, span: Span) -> list[Span]:
    """Return what the rows of a video leave free of a span of time."""
    low, high = span
    found = []
    for start, end in sorted(row.span for row in rows if row.video == video):
        if start > low and low < high:
            found.append((low, min(start, high)))
        low = max(low, end)
    if low < high:
        found.append((low, high))
    return found


def inserted(rows: Sequence[Row], new: Row) -> list[Row]:
    """Return rows with a new one among those of its video, in the order of time."""
    place = len(rows)
    for number, row in enumerate(rows):
        if row.video == new.video:
            place = number + 1
            if row.span > new.span:
                place = number
                break
    return [*rows[:place], new, *rows[place:]]
