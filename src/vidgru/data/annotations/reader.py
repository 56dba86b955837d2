"""What every reader of annotations is given and gives back."""

import codecs
import csv
import html
import io
import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from vidgru.core.errors import DataError
from vidgru.core.files import FORMULA
from vidgru.core.text import short
from vidgru.video.read import VIDEO_SUFFIXES

MAX_BYTES = 1 << 28
LONGEST = 1e7  # seconds
LONGEST_LABEL = 200  # characters
DELIMITERS = "\t,;"
# Two text forms of a time: seconds, or clock times. Either may have a comma instead of the point.
PLAIN = re.compile(r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+")
CLOCK = re.compile(r"(?:(\d{1,7}):(?=\d\d?:))?(\d{1,7}):(\d{1,2}(?:[.,]\d*)?)")

Row = tuple[int, list[str]]


@dataclass(frozen=True)
class Event:
    """A label of a stretch of a video.

    video: a path or a name, as the file has it; start, end: by `unit` in seconds of the file's own
    clock, as players have it ("player"), seconds from the first frame ("seconds"), frames at the
    video's rate ("frames"), or numbers of its frames from 0 ("rows"); end: None for what lasts no
    time.
    """

    video: PurePath
    label: str
    start: float
    end: float | None
    unit: str = "player"


@dataclass
class Annotations:
    """What a file says of its videos.

    events: in the order of the file; unknown: stretches of which it says that nothing is known
    (label ""); videos: all that it annotates, also those in which nothing happens; named: whether
    the file names them, else they are called like the file; warnings: what was left out.
    """

    events: list[Event] = field(default_factory=list)
    unknown: list[Event] = field(default_factory=list)
    videos: list[PurePath] = field(default_factory=list)
    named: bool = True
    warnings: list[str] = field(default_factory=list)


class Document:
    """A file of annotations: its text, and what that is as JSON or as a table."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.suffix = path.suffix.lower()
        try:
            if path.stat().st_size > MAX_BYTES:
                raise DataError(f"Cannot read {path}: it is larger than {MAX_BYTES >> 20} MB.")
            self._data = path.read_bytes()
        except (OSError, ValueError) as error:  # ValueError: no name for a file at all
            raise DataError(f"Cannot read {path}: {error}.") from error

    @cached_property
    def text(self) -> str:
        """The text: UTF-8 or UTF-16 with their marks, UTF-8 without, or else Latin-1."""
        if self._data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return self._data.decode("utf-16", "replace")
        try:
            return self._data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return self._data.decode("latin-1")

    @cached_property
    def json(self) -> Any:
        """What the text is as JSON, None where it is none."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None

    @cached_property
    def first_line(self) -> str:
        """The first line that is not empty."""
        return next((line for line in io.StringIO(self.text) if line.strip()), "")

    @cached_property
    def header(self) -> list[str]:
        """The cells of the first row that is not empty, [] where the text is no table."""
        try:
            return next(self.rows(), (0, []))[1]
        except DataError:
            return []

    def rows(self) -> Iterator[Row]:
        """Yield the rows of the table that the text is, see `table`.

        Cells are separated by tabs, commas or semicolons, whichever the first line has most of.
        """
        return self.table(self.text, max(DELIMITERS, key=self.first_line.count))

    def table(self, text: str, delimiter: str) -> Iterator[Row]:
        """Yield the number of the line and the cells of each row of a text that is not empty."""
        table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            for cells in table:
                if any(cell.strip() for cell in cells):
                    yield table.line_num, [plain(cell) for cell in cells]
        except csv.Error as error:
            raise DataError(f"Cannot read {self.path}: {error}.") from error

    def wrong(self, what: str, line: int | None = None) -> DataError:
        """Return the error that says what is wrong with the file, in a line of it if any."""
        return DataError(f"{self.path}{'' if line is None else f', line {line}'}: {what}")

    def seconds(
        self, value: object, what: str, line: int | None = None, *, signed: bool = False
    ) -> float:
        """Return a time in seconds that a number or a text stands for; raises DataError.

        `signed`: a text may have a minus.
        """
        text = value.removeprefix("-") if signed and isinstance(value, str) else value
        seconds = to_seconds(text)
        if seconds is None:
            shown = str(value)[:40] if isinstance(value, str | int | float) else "what it has"
            raise self.wrong(f"{what} {shown!r} is not a time.", line)
        return seconds if text == value else -seconds

    def span(
        self, start: object, end: object, line: int | None = None, *, signed: bool = False
    ) -> tuple[float, float | None]:
        """Return start and end in seconds, None for an end that is the start; raises DataError."""
        first = self.seconds(start, "start", line, signed=signed)
        last = self.seconds(end, "end", line, signed=signed)
        if last < first:
            raise self.wrong(f"end {last:g} is before start {first:g}.", line)
        return first, None if last == first else last

    def label(self, value: object, line: int | None = None) -> str:
        """Return a label without space around it; raises DataError where there is none."""
        if not isinstance(value, str) or not (label := value.strip()):
            raise self.wrong("there is no label.", line)
        if len(label) > LONGEST_LABEL:
            raise self.wrong(f"a label of {len(label)} characters is none.", line)
        try:
            label.encode()
        except UnicodeEncodeError:  # JSON may hold half a letter, which no table can
            raise self.wrong(f"the label '{short(label)}' is no text.", line) from None
        return label

    def video(self, value: object, line: int | None = None) -> PurePath:
        """Return the path of a video as the file has it, of whatever system; raises DataError."""
        if not isinstance(value, str) or "\0" in value or not (found := pure_path(value)).name:
            raise self.wrong("there is no name of a video.", line)
        return found

    def own_video(self) -> PurePath:
        """Return the name of the one video that such a file is about: its own."""
        return PurePosixPath(self.path.stem)


class Reader(ABC):
    """Reads one kind of file."""

    name: str  # in sentences
    suffixes: frozenset[str]  # lower case, with the dot

    @abstractmethod
    def recognises(self, document: Document) -> bool:
        """Return whether a file, which has one of the suffixes, is of this kind by its content."""

    @abstractmethod
    def read(self, document: Document) -> Annotations:
        """Return what a file of this kind says. Raises DataError with what is wrong with it."""


def plain(cell: str) -> str:
    """Return the cell of a table without space around it, nor what kept it from being computed."""
    cell = cell.strip()
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'").startswith(FORMULA) else cell


def to_seconds(value: object) -> float | None:
    """Return the seconds that a number, "12,5", "1:02.5" or "0:01:02,5" stands for, or None."""
    seconds = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LONGEST:
        seconds = float(value)
    elif isinstance(value, str) and PLAIN.fullmatch(text := value.strip().replace(",", ".")):
        seconds = float(text)
    elif isinstance(value, str) and (match := CLOCK.fullmatch(value.strip())):
        hours, minutes, rest = match.groups()
        seconds = 3600 * int(hours or 0) + 60 * int(minutes) + float(rest.replace(",", "."))
    return seconds if 0 <= seconds < LONGEST else None


def pure_path(text: str) -> PurePath:
    """Return a path of this or another system, or what an address ends with, as a path."""
    text = text.strip()
    if re.match(r"[A-Za-z][\w+.-]+://", text):
        # Servers keep a file's name in the path or in the query, where a signature may follow.
        path, _, query = text.partition("?")
        names = [PurePosixPath(part).name for part in (path, *re.split("[=&]", query)) if part]
        films = [name for name in names if PurePosixPath(name).suffix.lower() in VIDEO_SUFFIXES]
        return PurePosixPath((films or names[-1:])[0])
    return PureWindowsPath(text) if "\\" in text else PurePosixPath(text)


def without_markup(text: str) -> str:
    """Return the text of a subtitle as players show it, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^<>]*>|\{\\[^{}]*\}", "", text)).split())
