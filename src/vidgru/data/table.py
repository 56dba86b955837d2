"""Read tables that people and programs write: any usual encoding and delimiter."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidgru.core.errors import DataError

DELIMITERS = (",", ";", "\t")
LOOKED_AT = 50  # rows, to find out how a table is made

Row = tuple[int, list[str]]


@dataclass(frozen=True)
class Table:
    """Rows that are not empty, by line number; the first row is `names`, whatever it holds."""

    path: Path
    names: list[str]
    rows: list[Row]
    delimiter: str = ","


def read_text(path: Path) -> str:
    """Return a text in UTF-8 or UTF-16; bytes that are neither become surrogates.

    Raises DataError.
    """
    try:
        data = path.read_bytes()
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return data.decode("utf-16")
        some = data[:2000]
        for code, zeros in (("utf-16-le", some[1::2]), ("utf-16-be", some[::2])):
            if zeros.count(0) > 0.4 * len(zeros):
                return data.decode(code)
        return data.decode("utf-8-sig", "surrogateescape")
    except (OSError, ValueError) as error:  # ValueError: no name for a file at all, or no text
        raise DataError(f"Cannot read {path}: {error}.") from error


def from_latin(text: str) -> str:
    """Return a text whose surrogates stand for bytes as one in Latin-1, as Windows has it."""
    data = text.encode("utf-8", "surrogateescape")
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def is_escaped(text: str) -> bool:
    """Return whether a text has surrogates in it, which stand for bytes."""
    return any("\udc80" <= c <= "\udcff" for c in text)


def read_table(
    path: Path, score: Callable[[Sequence[str]], int] = len, *, strict: bool = False
) -> Table:
    """Return a table whose delimiter is that which gives its first row the highest score.

    Where the delimiters are as good, it is the one that gives all rows as many cells; else a comma.
    `strict`: quotes that are not closed are an error. Raises DataError.
    """
    text, skipped = read_text(path), 0
    if text[:4].lower() == "sep=" and text[5:6] in ("\r", "\n"):  # which Excel heeds
        delimiters: tuple[str, ...] = (text[4],)
        text, skipped = text.partition("\n")[2], 1
    else:
        delimiters = DELIMITERS
    try:
        best = max(delimiters, key=lambda mark: _quality(text, mark, score))
        table = csv.reader(io.StringIO(text, newline=""), delimiter=best, strict=strict)
        names = next(table, [])
        rows = [(table.line_num + skipped, cells) for cells in table if any(cells)]
    except (csv.Error, TypeError, ValueError) as error:  # TypeError: no delimiter at all
        raise DataError(f"Cannot read {path}: {error}.") from error
    return Table(path, names, rows, best)


def _quality(text: str, delimiter: str, score: Callable[[Sequence[str]], int]) -> tuple[int, int]:
    lines = io.StringIO(text, newline="")
    counts = []
    points = 0
    try:
        for number, cells in enumerate(csv.reader(lines, delimiter=delimiter)):
            if number == 0:
                points = score(cells)
            if number == LOOKED_AT:
                break
            if any(cells):
                counts.append(len(cells))
    except csv.Error:
        return points, 0
    return points, int(len(set(counts)) == 1 and counts[0] > 1)
