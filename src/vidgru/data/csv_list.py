"""Lists of clips as CSV files: labels, parts and groups."""

import csv
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from vidgru.core.address import NO_FILE, is_live, masked
from vidgru.core.errors import DataError
from vidgru.data.folder import PARTS, Clip, clip_name, groups_from_names

COLUMNS = "path,label[,split][,group][,start,end]"
Row = dict[str, str]


def read_list(path: Path, group_by: str | None = None, *, labelled: bool = True) -> list[Clip]:
    """Return the clips of a CSV list with the columns path,label[,split][,group][,start,end].

    Paths are relative to the list's folder. `split` is train, val, test or empty; start and end are
    seconds of a part of a video, either may be empty. `group_by` is a column, or a regular
    expression as for folders; left out, it is the column `group` if there is one. Not `labelled`,
    there need be no labels, and all are "". Raises DataError with the line that is wrong,
    OptionError when `group_by` is neither.
    """
    clips, lines = [], dict[str, int]()
    column = group_by if group_by is not None else "group"
    named = True
    for number, row in _rows(path, ("path", "label") if labelled else ("path",)):
        named = column in row
        start, end = (_seconds(path, number, row, name) for name in ("start", "end"))
        if end is not None and end <= (start or 0.0):
            raise DataError(f"{path}, line {number}: end {end:g} must be later than start.")
        if is_live(row["path"]):
            raise DataError(f"{path}, line {number}: {NO_FILE.format(masked(row['path']))}")
        clip = Clip(
            path.parent / row["path"],
            clip_name(row["path"], start, end),
            row["label"] if labelled else "",
            _part(path, number, row.get("split", "")),
            (row.get(column) or None) if named else None,
            start,
            end,
        )
        if clip.name in lines:
            raise DataError(f"{path}: {clip.name} stands in lines {lines[clip.name]} and {number}.")
        lines[clip.name] = number
        clips.append(clip)
    if not clips:
        raise DataError(f"{path} lists no clips.")
    if group_by is not None:
        if not named:
            groups = groups_from_names(clips, group_by)
            clips = [replace(clip, group=groups.get(clip.name)) for clip in clips]
        if lost := [clip for clip in clips if clip.group is None]:
            raise DataError(
                f"--group-by {group_by!r} gives no group for {len(lost)} of {len(clips)} clips, "
                f"the first of them {lost[0].name}."
            )
    return clips


def apply_split(
    clips: Sequence[Clip], path: Path, *, labelled: bool = True
) -> tuple[list[Clip], list[Clip]]:
    """Return clips with the parts that a split file gives them, and those that it omits.

    The file has the columns path,label,split[,group][,start,end], like split.csv of a run. Its
    groups count where the clips have none. Raises DataError where clips and file disagree.
    """
    known = {clip_name(clip.listed.strip(), clip.start, clip.end): clip for clip in clips}
    chosen: dict[str, Clip] = {}
    for number, row in _rows(path, ("path", "label", "split") if labelled else ("path", "split")):
        start, end = (_seconds(path, number, row, name) for name in ("start", "end"))
        name = clip_name(row["path"], start, end)
        part = _part(path, number, row["split"])
        clip = known.get(name)
        if clip is None:
            raise DataError(f"{path}, line {number}: there is no clip {name} any more.")
        if labelled and clip.label.strip() != row["label"]:
            raise DataError(
                f"{path}, line {number}: {name} is of the class {row['label']!r} there, "
                f"but now of {clip.label!r}."
            )
        if name in chosen:
            raise DataError(f"{path}, line {number}: {name} stands there twice.")
        chosen[name] = replace(clip, part=part, group=clip.group or row.get("group") or None)
    if not any(clip.part == "train" for clip in chosen.values()):
        raise DataError(f"{path} gives no clip to learn from.")
    parts = {clip.name: clip for clip in chosen.values()}
    return (
        [parts[clip.name] for clip in clips if clip.name in parts],
        [clip for clip in clips if clip.name not in parts],
    )


def _rows(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, Row]]:
    """Yield line number and cells of each row that is not empty, by lower-case column name."""
    try:
        with open(path, newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            table = csv.reader(file, strict=True)
            names = [name.strip().lower() for name in next(table, [])]
            if missing := [name for name in needed if name not in names]:
                raise DataError(
                    f"{path} has no column {missing[0]!r}. Its first line must name its columns: "
                    f"{COLUMNS}."
                )
            if twice := [name for name, count in Counter(names).items() if count > 1 and name]:
                raise DataError(f"{path} has two columns {twice[0]!r}.")
            for cells in table:
                if not any(cells):
                    continue
                if len(cells) != len(names):
                    raise DataError(
                        f"{path}, line {table.line_num}: {len(cells)} cells, but there are "
                        f"{len(names)} columns."
                    )
                row = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
                for name in needed:
                    if not row[name] or "\0" in row[name]:
                        raise DataError(f"{path}, line {table.line_num}: no {name}.")
                yield table.line_num, row
    except (OSError, ValueError, csv.Error) as error:  # ValueError: no name for a file at all
        raise DataError(f"Cannot read {path}: {error}.") from error


def _seconds(path: Path, number: int, row: Row, name: str) -> float | None:
    text = row.get(name, "")
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < 1e7:
        raise DataError(f"{path}, line {number}: {name} {text!r} is not a time in seconds.")
    return seconds


def _part(path: Path, number: int, text: str) -> str | None:
    if text and text.lower() not in PARTS:
        raise DataError(f"{path}, line {number}: split {text!r} is not train, val or test.")
    return PARTS[text.lower()] if text else None
