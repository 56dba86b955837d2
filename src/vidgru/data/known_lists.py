"""Lists without names of columns, as those of UCF101, HMDB51, Jester and of many programs."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from shlex import quote

from vidgru.core.errors import DataError
from vidgru.core.text import short
from vidgru.data.columns import COLUMNS, Listing, Row, check_cell, decoded, with_roles
from vidgru.data.path_resolver import PathResolver
from vidgru.data.results import counted
from vidgru.data.table import LOOKED_AT, Table, read_text
from vidgru.video.find import is_root
from vidgru.video.read import IMAGE_SUFFIXES, VIDEO_SUFFIXES, natural_key

# Files that name the classes for numbers in a list beside them, or one folder below.
CLASS_FILES = re.compile(
    r"(class_?ind(ex)?|class(es)?(_names)?|label_?map.*|labels|categor(y|ies))\.txt", re.IGNORECASE
)
SPLIT_FILE = re.compile(r"(.+)_test_split(\d+)\.txt")  # of HMDB51, one for each class
SPLIT_PARTS = {"1": "train", "2": "test"}
MAX_NAMES = 1000  # of the columns of a list in JSON
UNUSED = "given as unused in this split (0)"
ROLES = {"path": "path", "label": "label", "split": "split"}


def read_json(path: Path, needed: Sequence[str]) -> Listing:
    """Return the rows of a JSON list of objects, as Something-Something has it.

    A class there is a `template`: without its brackets. Raises DataError.
    """
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(f"Cannot read {path}: no JSON ({short(str(error))}).") from error
    if not isinstance(content, list) or not all(isinstance(item, dict) for item in content):
        raise DataError(f"Cannot read {path}: a list in JSON is [{{...}}, ...], with {COLUMNS}.")
    names = list(dict.fromkeys(str(name).strip().lower() for item in content for name in item))
    if len(names) > MAX_NAMES:  # each row would have a cell for each of them
        raise DataError(
            f"Cannot read {path}: its objects have {len(names)} different names, the first of them "
            f"{short(names[0])!r}. All need the same few: {COLUMNS}."
        )
    rows = []
    for number, item in enumerate(content, 1):
        cells = {str(name).strip().lower(): _text(value) for name, value in item.items()}
        rows.append((number, {name: cells.get(name, "") for name in names}))
    if {"id", "label", "template"} <= {*names}:
        for _, row in rows:  # its label says what is held where
            row["label"] = re.sub(r"[][]", "", row.pop("template"))
        names.remove("template")
    return with_roles(path, names, rows, needed)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def read_splits(path: Path) -> Listing | None:
    """Return the rows of one split of HMDB51, of which each class has a file; None for no such."""
    named = SPLIT_FILE.fullmatch(path.name)
    if named is None:
        return None
    rows, unused = list[tuple[int, Row]](), list[str]()
    beside = sorted(path.parent.iterdir(), key=lambda file: natural_key(file.name))
    for file in beside:
        one = SPLIT_FILE.fullmatch(file.name)
        if one is None or one[2] != named[2]:
            continue
        for number, line in _lines(file):
            name, *use = line.rsplit(None, 1)
            if use not in (["0"], ["1"], ["2"]):
                raise DataError(f"{file}, line {number}: no name with 0, 1 or 2 behind it.")
            if part := SPLIT_PARTS.get(use[0]):
                row = {"path": f"{one[1]}/{name}", "label": one[1], "split": part}
                rows.append((number, row))
            else:
                unused.append(f"{one[1]}/{name}")
    return Listing([], decoded(path, rows), ROLES, {UNUSED: unused} if unused else {})


def refuse_splits(folder: Path) -> None:
    """Raise DataError for a folder that holds the lists of HMDB51, or has one inside."""
    if not os.path.isdir(folder) or is_root(folder):
        return
    patterns = ("*_test_split*.txt", "*/*_test_split*.txt")
    found = [file for pattern in patterns for file in folder.glob(pattern)]
    lists = [file for file in found if SPLIT_FILE.fullmatch(file.name)]
    if lists:
        first = min(lists, key=lambda file: natural_key(file.name))
        raise DataError(
            f"{first.parent} holds {counted(len(lists), 'list')}, one for each class and split: "
            "give one of them, which stands for that split of all classes, as in "
            f"`vidgru train {quote(str(first))}`."
        )


def _lines(path: Path) -> list[tuple[int, str]]:
    lines = enumerate(read_text(path).splitlines(), 1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def read_unnamed(table: Table, places: PathResolver, needed: Sequence[str]) -> Listing:
    """Return the rows of a list whose first line is a clip, not names of columns.

    It has a path a line and its class: a word or a number before or behind it, or else
    the folder that it lies in. Raises DataError.
    """
    path = table.path
    first = 1 + _is_separator_line(path)
    cells = [(first, table.names), *table.rows]
    widths = {len(row) for _, row in cells}
    if max(widths) == 1 or len(widths) > 1:
        lines = [(number, _split_line(path, number, line)) for number, line in _lines(path)]
        if len(widths) == 1 or any(len(row) > 1 for _, row in lines):
            cells, widths = lines, {len(row) for _, row in lines}
    if not widths:
        raise DataError(f"{path} lists no clips.")
    if len(widths) > 1 or max(widths) > 2:
        raise DataError(
            f"{path} does not name its columns, and has {' or '.join(map(str, sorted(widths)))} of "
            f"them: write their names in its first line, such as {COLUMNS}."
        )
    stripped = [(number, [cell.strip() for cell in row]) for number, row in cells]
    place = _place_of_path(path, stripped, places)
    rows = []
    for number, row in stripped:
        label = row[1 - place] if len(row) > 1 else PurePosixPath(row[0]).parent.name
        found: Row = {"path": row[place], "label": label}
        for role in needed:
            check_cell(path, number, role, found[role])
        rows.append((number, found))
    classes = None
    if max(widths) > 1 and all(re.fullmatch(r"\d{1,9}", cell["label"]) for _, cell in rows):
        classes, names = _class_names(path, {int(cell["label"]) for _, cell in rows})
        for number, cell in rows if classes else ():
            if int(cell["label"]) not in names:
                raise DataError(
                    f"{path}, line {number}: {classes} has no class for the number {cell['label']}."
                )
            cell["label"] = names[int(cell["label"])]
    return Listing([], decoded(path, rows), ROLES, classes=classes)


def _is_separator_line(path: Path) -> bool:
    return read_text(path)[:4].lower() == "sep="


def _split_line(path: Path, number: int, line: str) -> list[str]:
    """Return the path and the label, if any, of a line without delimiters; frames are left out."""
    # Not by a regular expression, which takes the square of the time for many blanks or numbers.
    name, numbers = line, list[str]()
    while len(parts := name.rsplit(None, 1)) == 2 and parts[1].isdecimal():
        name, number_behind = parts
        numbers.insert(0, number_behind)
    if numbers:
        frames = 0 if _has_suffix(name) else 1
        if len(numbers) > 1 + frames:
            raise DataError(
                f"{path}, line {number}: {short(name)} has several labels "
                f"({short(' '.join(numbers[frames:]))}). "
                "A clip has one class: keep one of them, or give both the number of a class of "
                "their own."
            )
        return [name, numbers[-1]]
    if (match := re.fullmatch(r"(.+?\.\w+)\s+(.+)", line)) and _has_suffix(match[1]):
        return [match[1], match[2]]
    return [line]


def _has_suffix(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES


def _place_of_path(path: Path, rows: Sequence[tuple[int, list[str]]], places: PathResolver) -> int:
    """Return which cell of each row is a path."""
    columns = list(zip(*(row for _, row in rows[:LOOKED_AT]), strict=True))
    for place, names in enumerate(columns):
        if all(map(_has_suffix, names)):
            return place
    for place, names in enumerate(columns):
        if names[0] and "\0" not in names[0] and places.find([names[0]]):
            return place
    raise DataError(
        f"{path} has no column 'path': neither does its first line name the columns, {COLUMNS}, "
        f"nor is {short(columns[0][0])!r} there a file."
    )


def _class_names(path: Path, used: set[int]) -> tuple[Path | None, dict[int, str]]:
    """Return the file beside a list that names classes for numbers, and these."""
    for folder in (path.parent, path.parent / ".."):
        try:
            files = sorted(folder.iterdir())
        except OSError:  # what nobody may look into holds no names for us
            continue
        for file in files:
            if file == path or not CLASS_FILES.fullmatch(file.name):
                continue
            lines = [line for _, line in _lines(file)]
            pairs = [re.fullmatch(r"(\d{1,9})[\s,;]+(.+)", line) for line in lines]
            if lines and all(pairs):
                return file, {int(pair[1]): pair[2] for pair in pairs if pair}
            # Lines are counted from 0, or else from 1.
            first = 1 if max(used) == len(lines) and min(used) > 0 else 0
            return file, dict(enumerate(lines, first))
    return None, {}
