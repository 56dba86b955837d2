"""What the columns of lists mean: usual names, times, and which rows there are."""

import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidgru.core.errors import DataError
from vidgru.core.text import short
from vidgru.data.folder import part_of
from vidgru.data.table import Table, from_latin, is_escaped

COLUMNS = "path,label[,split][,group][,start,end]"
# What columns are called, the first of these that there is; words are joined by "_".
ROLES = {
    "path": "path file_path filepath file filename file_name clip clip_path clip_name video"
    " video_path video_file video_name vid_name frame_dir youtube_id youtube_identifier video_id"
    " clip_id id",
    "label": "label class category class_label class_name label_name action activity behavior"
    " behaviour gesture template",
    "split": "split subset part set partition",
    "start": "start start_time begin begin_time time_start start_seconds start_sec start_s",
    "end": "end end_time stop stop_time time_end end_seconds end_sec end_s stop_s",
    "first frame": "start_frame begin_frame frame_start first_frame",
    "end frame": "end_frame stop_frame frame_end",
}
MAX_SECONDS = 1e7
MAX_LABEL = 255  # as for names of folders

Row = dict[str, str]


@dataclass(frozen=True)
class Listing:
    """The rows of a list, with their line numbers: cells by the name of their column and by role.

    names: of the columns, as they stand there but in lower case; roles: which of them are
    understood; left_out: rows that give no clip, by reason; classes: the file that names them.
    """

    names: Sequence[str]
    rows: Sequence[tuple[int, Row]]
    roles: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    classes: Path | None = None


def roles_of(names: Sequence[str]) -> dict[str, str]:
    """Return {role: name of the column} for those names that are understood."""
    keys = {"_".join(re.findall(r"\w+", name.lower())): name for name in reversed(names)}
    found = {}
    for role, usual in ROLES.items():
        if key := next((key for key in usual.split() if key in keys), None):
            found[role] = keys[key]
    return found


def from_table(table: Table, needed: Sequence[str]) -> Listing:
    """Return the rows of a table whose first line names its columns; raises DataError."""
    path, names = table.path, [name.strip().lower() for name in table.names]
    if twice := [name for name, count in Counter(names).items() if count > 1 and name]:
        raise DataError(f"{path} has two columns {short(twice[0])!r}.")
    rows = []
    for number, cells in table.rows:
        if len(cells) != len(names):
            raise DataError(
                f"{path}, line {number}: {len(cells)} cells, but there are {len(names)} columns."
            )
        rows.append((number, {n: cell.strip() for n, cell in zip(names, cells, strict=True)}))
    return with_roles(path, names, rows, needed)


def with_roles(
    path: Path, names: Sequence[str], rows: Iterable[tuple[int, Row]], needed: Sequence[str]
) -> Listing:
    """Return rows by role, too; raises DataError where columns or cells that are needed lack."""
    roles = roles_of(names)
    if missing := [role for role in needed if role not in roles]:
        others = [repr(short(name)) for name in names if name and name not in roles.values()]
        unknown = f" Not understood: {', '.join(others[:5])}." if others else ""
        raise DataError(
            f"{path} has no column {missing[0]!r}. Its first line must name its columns: "
            f"{COLUMNS}.{unknown}"
        )
    found = []
    for number, cells in rows:
        row = {**cells, **{role: cells[name] for role, name in roles.items()}}
        for role in needed:
            check_cell(path, number, role, row[role])
        found.append((number, row))
    return Listing(names, decoded(path, found), roles)


def check_cell(path: Path, number: int, role: str, text: str) -> None:
    """Raise DataError for a cell that is empty, or can be no path or label."""
    if not text or "\0" in text:
        raise DataError(f"{path}, line {number}: no {role}.")
    if role == "label" and len(text) > MAX_LABEL:
        raise DataError(
            f"{path}, line {number}: the label {short(text, 20)!r} is longer than {MAX_LABEL} "
            "characters."
        )


def decoded(path: Path, rows: Sequence[tuple[int, Row]]) -> Sequence[tuple[int, Row]]:
    """Return rows in which bytes that are no UTF-8 are Latin-1, unless files are called by them."""
    odd = [row for _, row in rows if any(map(is_escaped, row.values()))]
    paths = [path.parent / row["path"] for row in odd if is_escaped(row["path"])]
    if not odd or any(map(os.path.exists, paths)):  # path.exists() fails on too long a name
        return rows
    return [(number, {k: from_latin(cell) for k, cell in row.items()}) for number, row in rows]


def seconds_in(path: Path, number: int, row: Row, role: str) -> float | None:
    """Return the time in a cell: seconds, mm:ss or hh:mm:ss, with parts of a second after them.

    None where there is none. Raises DataError.
    """
    text = row.get(role, "")
    if not text:
        return None
    seconds = math.nan
    if match := re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?([0-5]?\d(?:[.,]\d*)?)", text, re.ASCII):
        hours, minutes, rest = match.groups(default="0")
        if match[1] is None or int(minutes) < 60:
            seconds = 3600 * int(hours) + 60 * int(minutes) + float(rest.replace(",", "."))
    else:
        try:
            seconds = float(text)
        except ValueError:
            # Excel writes a comma where the country does.
            if re.fullmatch(r"\d+,\d+", text, re.ASCII):
                seconds = float(text.replace(",", "."))
    if not 0 <= seconds < MAX_SECONDS:
        raise DataError(
            f"{path}, line {number}: {role} {short(text)!r} is not a time in seconds, mm:ss or "
            "hh:mm:ss."
        )
    return seconds


def frame_in(path: Path, number: int, row: Row, role: str) -> int | None:
    """Return the number of a frame in a cell, None where there is none; raises DataError."""
    text = row.get(role, "")
    if not text:
        return None
    if not re.fullmatch(r"\d{1,9}(\.0*)?", text, re.ASCII):
        raise DataError(
            f"{path}, line {number}: {role} {short(text)!r} is not the number of a frame."
        )
    return int(text.partition(".")[0])


def part_in(path: Path, number: int, text: str) -> str | None:
    """Return the part in a cell, None where there is none; raises DataError."""
    part = part_of(text) if text else None
    if text and part is None:
        raise DataError(f"{path}, line {number}: split {short(text)!r} is not train, val or test.")
    return part
