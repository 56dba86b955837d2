"""Labels of videos, kept in a list that is written at every change."""

import hashlib
import logging
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from time import monotonic, sleep

from vidgru.core.errors import DataError, OptionError
from vidgru.core.files import check_file, write_bytes
from vidgru.tools.label.options import BACKGROUND, check_label
from vidgru.tools.label.rows import (
    COLUMNS,
    DIGITS,
    MAX_SECONDS,
    SHORTEST,
    Format,
    Row,
    Span,
    Table,
    gaps,
    inserted,
    without,
)

log = logging.getLogger("vidgru")

OTHER_PROGRAM = "another program"
MIN_SECONDS = 10**-DIGITS
WRITING, MAX_WRITING = 0.05, 1.0  # seconds that other programs take to write the file
MAX_PAUSE = 60.0  # seconds between two changes that count as work


class Conflict(Exception):  # noqa: N818
    """A change that does not fit to the labels any more; the message says why."""


@dataclass(frozen=True)
class _Step:
    """What a change removed and added, so that it can be undone, and what it is called."""

    removed: tuple[Row, ...]
    added: tuple[Row, ...]
    words: str


class Store:
    """The labels of numbered videos, the same in memory and in the file after each call.

    What another program writes into the file is read again, and never overwritten unread. Raises
    DataError for a file that is no list, OutputError where it cannot be written.
    """

    def __init__(self, path: Path, videos: Sequence[Path], classes: Iterable[str] = ()) -> None:
        self.path, self.count = path, len(videos)
        self.revision = 0
        self.notice = ""  # what another program did, in words
        self.changed_by = ""  # who made the last change
        self.seconds = 0.0  # that were spent on labelling so far
        self._changed_at = monotonic()
        self.classes = list(dict.fromkeys(classes))
        self._format = Format(path, videos)
        self._lock = RLock()
        self._steps: list[_Step] = []
        self._table = Table(COLUMNS, ())
        check_file(path)
        self._content: bytes | None = None  # the digest of the file, None where there is none
        self._known = self._status()
        data = self._data()
        if data is not None:
            self._table = self._format.read(data)
            self._content = _digest(data)
        self._note_classes(self._table.rows)

    def _status(self) -> tuple[int, ...]:
        try:
            status = self.path.stat()
        except OSError:
            return ()
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _data(self) -> bytes | None:
        # Not a pipe, which would be waited for without end.
        if os.path.exists(self.path) and not os.path.isfile(self.path):
            raise DataError(f"Cannot read {self.path}: not a regular file.")
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"Cannot read {self.path}: {error.strerror or error}.") from error

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows of the list."""
        return self._table.rows

    @property
    def last(self) -> str:
        """What `undo` would take back, in words, or ""."""
        return self._steps[-1].words if self._steps else ""

    def sync(self, quick: bool = False) -> None:
        """Read the file again if another program changed it; raises DataError if it is no list.

        `quick`: only where its size or time say so.
        """
        with self._lock:
            status = self._status()
            if quick and status == self._known:
                return
            data = self._data()
            self._known = status
            digest = None if data is None else _digest(data)
            if digest == self._content:
                return
            if data is None:
                # All that was in it is still known, and written with the next change.
                self._content, self.revision = None, self.revision + 1
                self.changed_by = OTHER_PROGRAM
                self.notice = f"{self.path.name} is gone. The next change writes all labels anew."
                return
            data, status = self._written(data)
            self._known = status
            if (digest := _digest(data)) == self._content:
                return
            self._known = ()  # until it can be read
            table = self._format.read(data)
            self._known = status
            step = self._take_over(table)
            self._content = digest
            count = f"{len(step.added)} rows are new, {len(step.removed)} are gone"
            self.notice = f"{self.path.name} was changed by another program: {count}."
            log.warning("%s", self.notice)

    def _written(self, data: bytes) -> tuple[bytes, tuple[int, ...]]:
        """Return what the file holds once another program has written all of it, and its status."""
        until = monotonic() + MAX_WRITING
        while True:
            sleep(WRITING)
            status, again = self._status(), self._data()
            done = again == data != b""  # an empty file has just been opened, most likely
            data = data if again is None else again
            if done or monotonic() > until:
                return data, status

    def _take_over(self, table: Table) -> _Step:
        """Take the rows of a file over; those that mean the same keep their numbers."""
        known: dict[tuple[object, ...], list[Row]] = {}
        for row in self._table.rows:
            known.setdefault(_meaning(row), []).append(row)
        rows = []
        for row in table.rows:
            same = known.get(_meaning(row))
            rows.append(same.pop() if same else row)
        before = {row.number for row in self._table.rows}
        after = {row.number for row in rows}
        step = _Step(
            tuple(row for row in self._table.rows if row.number not in after),
            tuple(row for row in rows if row.number not in before),
            "what another program changed",
        )
        self._steps.append(step)
        self._table = Table(table.columns, tuple(rows))
        self._note_classes(rows)
        self.revision += 1
        self.changed_by = OTHER_PROGRAM
        return step

    def _note_classes(self, rows: Iterable[Row]) -> None:
        labels = (row.label for row in rows if row.label != BACKGROUND)
        self.classes = list(dict.fromkeys([*self.classes, *labels]))

    def add_class(self, label: str) -> None:
        """Add a class; raises OptionError for what is no name of one."""
        check_label(label)
        with self._lock:
            if label not in (*self.classes, BACKGROUND):
                self.classes.append(label)
                self.revision += 1

    def put(self, video: int, label: str, start: float, end: float, by: str = "") -> None:
        """Give a span of time a label; what was labelled there gives way."""
        span = self._span(video, label, start, end)

        def change(rows: list[Row]) -> list[Row]:
            return inserted(
                without(self._format, rows, video, span), self._format.new(video, label, *span)
            )

        self._apply(change, f"{label}", by)

    def put_clip(self, video: int, label: str, by: str = "") -> None:
        """Give a whole video a label, in place of all that it had."""
        self._check(video, label)

        def change(rows: list[Row]) -> list[Row]:
            left = [row for row in rows if row.video != video]
            return inserted(left, self._format.new(video, label, None, None))

        self._apply(change, label, by)

    def accept(self, items: Sequence[tuple[int, str, float, float]], by: str = "") -> int:
        """Label spans of time as far as these have no label yet; return how many that makes."""
        spans = [(video, label, self._span(video, label, *span)) for video, label, *span in items]
        made = 0

        def change(rows: list[Row]) -> list[Row]:
            nonlocal made
            for video, label, span in spans:
                for gap in gaps(rows, video, span):
                    if gap[1] - gap[0] > MIN_SECONDS:
                        rows = inserted(rows, self._format.new(video, label, *gap))
                        made += 1
            return rows

        self._apply(change, "accepted suggestions" if len(items) > 1 else items[0][1], by)
        return made

    def fill(self, video: int, until: float, by: str = "") -> None:
        """Label all time without a label, up to a time, as background.

        Gaps of less than half a second stay free: where an event ends is not that certain.
        """
        span = self._span(video, BACKGROUND, 0.0, until)

        def change(rows: list[Row]) -> list[Row]:
            for low, high in gaps(rows, video, span):
                if high - low >= SHORTEST:
                    rows = inserted(rows, self._format.new(video, BACKGROUND, low, high))
            return rows

        self._apply(change, BACKGROUND, by)

    def edit(
        self,
        number: int,
        label: str | None = None,
        span: tuple[float, float] | None = None,
        by: str = "",
    ) -> None:
        """Change the label or the span of a row; raises Conflict where it is gone."""

        def change(rows: list[Row]) -> list[Row]:
            row = self._row(rows, number)
            if row.video is None:
                raise Conflict("This row is about another video.")
            others = [one for one in rows if one.number != number]
            new = self._format.changed(row, label=label or row.label)
            if span is not None:
                low, high = self._span(row.video, new.label, *span)
                others = without(self._format, others, row.video, (low, high))
                new = self._format.changed(new, start=low, end=high)
            return inserted(others, new)

        if label is not None:
            check_label(label)
        self._apply(change, "a changed segment", by)

    def delete(self, number: int, by: str = "") -> None:
        """Remove a row; raises Conflict where it is gone."""

        def change(rows: list[Row]) -> list[Row]:
            row = self._row(rows, number)
            return [one for one in rows if one is not row]

        self._apply(change, "a deleted segment", by)

    def undo(self, by: str = "") -> str:
        """Take the last change back; return what it was, in words. Raises Conflict without one."""
        with self._lock:
            self.sync()
            if not self._steps:
                raise Conflict("There is nothing to undo.")
            step = self._steps.pop()
            added = {row.number for row in step.added}
            rows = [row for row in self._table.rows if row.number not in added]
            for row in step.removed:
                rows = inserted(rows, row)
            try:
                self._write(rows, by)
            except BaseException:
                self._steps.append(step)
                raise
            return step.words

    def _apply(self, change: Callable[[list[Row]], list[Row]], words: str, by: str) -> None:
        with self._lock:
            self.sync()
            before = self._table.rows
            rows = change(list(before))
            old, new = {row.number for row in before}, {row.number for row in rows}
            step = _Step(
                tuple(row for row in before if row.number not in new),
                tuple(row for row in rows if row.number not in old),
                words,
            )
            if step.removed or step.added:
                self._write(rows, by)
                self._steps.append(step)

    def _write(self, rows: Sequence[Row], by: str) -> None:
        table = Table(self._table.columns, tuple(rows))
        data = self._format.write(table)
        write_bytes(self.path, data)
        self._content, self._table, self._known = _digest(data), table, self._status()
        self._note_classes(rows)
        self.revision += 1
        self.changed_by = by
        now = monotonic()
        self.seconds += min(now - self._changed_at, MAX_PAUSE)
        self._changed_at = now

    def _row(self, rows: Sequence[Row], number: int) -> Row:
        found = next((row for row in rows if row.number == number), None)
        if found is None:
            raise Conflict("This segment is not there any more: it was changed elsewhere.")
        return found

    def _check(self, video: int, label: str) -> None:
        if not 0 <= video < self.count:
            raise OptionError("There is no such video.")
        if label not in (*self.classes, BACKGROUND):
            check_label(label)

    def _span(self, video: int, label: str, start: float, end: float) -> Span:
        self._check(video, label)
        start, end = round(start, DIGITS), round(end, DIGITS)
        if not (0 <= start < end < MAX_SECONDS and math.isfinite(end)):
            raise OptionError("A segment must end after it begins.")
        return start, end


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _meaning(row: Row) -> tuple[object, ...]:
    return row.video, row.label, row.start, row.end, row.cells if row.video is None else ()
