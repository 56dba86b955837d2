"""Lists of clips: what to learn from, and how it is split."""

import math
import os
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from vidgru.core.address import NO_FILE, is_live, masked
from vidgru.core.errors import DataError, VideoError
from vidgru.core.text import short
from vidgru.data.columns import (
    Listing,
    Row,
    frame_in,
    from_table,
    part_in,
    roles_of,
    seconds_in,
)
from vidgru.data.folder import Clip, clip_name, groups_from_names, part_of
from vidgru.data.known_lists import read_json, read_splits, read_unnamed
from vidgru.data.path_resolver import PathResolver
from vidgru.data.table import Table, read_table
from vidgru.video.read import open_video

OTHER = ("group", "fps", "content")  # columns that need no other name
LIST_SUFFIXES = (".csv", ".tsv", ".txt", ".json")


@dataclass(frozen=True)
class Listed:
    """The clips of a list, and what of it is not used.

    rows: how many there were; left_out: those that give no clip, by reason; unused: columns whose
    names mean nothing here, like_parts: those of them that hold train, val and test; places: in how
    many cases clips were found in other folders than the list says; classes: the file that names
    the classes, if there is one.
    """

    clips: list[Clip]
    rows: int
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unused: Sequence[str] = ()
    like_parts: Sequence[str] = ()
    places: Mapping[Path, int] = field(default_factory=dict)
    classes: Path | None = None


def read_list(path: Path, group_by: str | None = None, *, labelled: bool = True) -> list[Clip]:
    """Return the clips of a list with the columns path,label[,split][,group][,start,end].

    Paths are relative to the list's folder, or else looked for around it. `split` is train, val,
    test or empty; start and end are times in a video, either may be empty. Other names of columns
    and lists without any, as those of UCF101, are understood, too. `group_by` is a column, or a
    regular expression as for folders; left out, it is the column `group` if there is one. Not
    `labelled`, there need be no labels, and all are "". Raises DataError with the line that is
    wrong, OptionError when `group_by` is neither.
    """
    return search_list(path, group_by, labelled=labelled).clips


def search_list(path: Path, group_by: str | None = None, *, labelled: bool = True) -> Listed:
    """Return what `read_list` does, and what of the list is not used."""
    places = PathResolver(path)
    listing = _listing(path, ("path", "label") if labelled else ("path",), places)
    places.keep_to_own(row["path"] for _, row in listing.rows)
    clips, lines = list[Clip](), dict[str, tuple[int, str]]()
    unused = [n for n in listing.names if n and n not in {*listing.roles.values(), *OTHER}]
    unknown = f" Not understood: {', '.join(map(short, unused[:5]))}." if unused else ""
    column = group_by if group_by is not None else "group"
    named, known = True, dict[str, Path]()
    for number, row in listing.rows:
        named = column in row
        if is_live(row["path"]):
            raise DataError(f"{path}, line {number}: {NO_FILE.format(masked(row['path']))}")
        name, file, whole = _file(path, number, row, places)
        # A video that is named in two ways, such as with a path and without, is one.
        file = known.setdefault(_place(file), file)
        start, end = (None, None) if whole else _cut(path, number, row, file)
        clip = Clip(
            file,
            clip_name(name, start, end),
            row["label"] if labelled else "",
            part_in(path, number, row.get("split", "")),
            (row.get(column) or None) if named else None,
            start,
            end,
        )
        if clip.name in lines:
            before, label = lines[clip.name]
            if label != clip.label:
                raise DataError(
                    f"{path}: {short(clip.name)} has two labels, {short(label)!r} in line "
                    f"{before} and {short(clip.label)!r} in line {number}. A clip has one class: "
                    "remove one of them, give both the name of a class of their own, or, where "
                    f"each label holds for a part of the video, columns start and end.{unknown}"
                )
            raise DataError(
                f"{path}: {short(clip.name)} stands in lines {before} and {number}.{unknown}"
            )
        lines[clip.name] = number, clip.label
        clips.append(clip)
    if not clips:
        raise DataError(f"{path} lists no clips.")
    if group_by is not None:
        if not named:
            groups = groups_from_names(clips, group_by)
            clips = [replace(clip, group=groups.get(clip.name)) for clip in clips]
        if lost := [clip for clip in clips if clip.group is None]:
            raise DataError(
                f"--group-by '{group_by}' gives no group for {len(lost)} of {len(clips)} clips, "
                f"the first of them {short(lost[0].name)}."
            )
    unused = [name for name in unused if name != column or not named]
    return Listed(
        clips,
        len(clips) + sum(map(len, listing.left_out.values())),
        listing.left_out,
        unused,
        [name for name in unused if all(part_of(row[name]) for _, row in listing.rows)],
        dict(places.used),
        listing.classes,
    )


def list_columns(path: Path) -> list[str]:
    """Return the names of the columns of a list, in lower case; raises DataError."""
    return list(_listing(path, ("path",), PathResolver(path)).names)


def listed_groups(path: Path, group_by: str, clips: Sequence[Clip]) -> tuple[str, ...]:
    """Return the groups that a list gives its clips by a column or pattern.

    --overlap and --background make clips that are no rows: the one that holds all of their time
    counts, or else the first of their video. Raises DataError, OptionError.
    """
    by_name, by_video = dict[str, Clip](), defaultdict[str, list[Clip]](list)
    for row in read_list(path, group_by, labelled=False):
        by_name[row.name] = row
        by_video[row.listed].append(row)
    made = defaultdict[str, list[Clip]](list)
    for clip in clips:
        if clip.name not in by_name:
            made[clip.listed].append(clip)
    for video, own in made.items():
        if video not in by_video:
            raise DataError(f"{path} is not the list of these clips.")
        by_name |= _rows_of(own, by_video[video])
    return tuple(by_name[clip.name].group or "" for clip in clips)


def _rows_of(clips: Sequence[Clip], rows: Sequence[Clip]) -> dict[str, Clip]:
    """Return, by names of clips of a video, the first row that holds each, or else the first one.

    A video may have thousands of either, so a clip is compared with all rows at once.
    """
    starts, ends = (np.array([_span(row)[side] for row in rows]) for side in (0, 1))  # (R,)
    found = {}
    for clip in clips:
        start, end = _span(clip)
        found[clip.name] = rows[int(((starts <= start) & (end <= ends)).argmax())]
    return found


def _span(clip: Clip) -> tuple[float, float]:
    return clip.start or 0.0, math.inf if clip.end is None else clip.end


def apply_split(
    clips: Sequence[Clip],
    path: Path,
    *,
    labelled: bool = True,
    labels: Collection[str] | None = None,
) -> tuple[list[Clip], list[Clip]]:
    """Return clips with the parts that a split file gives them, and those that it omits.

    Rows of other `labels`, if these are given, are passed over.

    The file has the columns path,label,split[,group][,start,end], like split.csv of a run. Its
    groups count where the clips have none. Raises DataError where clips and file disagree.
    """
    known = {clip_name(clip.listed.strip(), clip.start, clip.end): clip for clip in clips}
    chosen: dict[str, Clip] = {}
    needed = ("path", "label", "split") if labelled else ("path", "split")
    for number, row in from_table(_table(path), needed).rows:
        start, end = (seconds_in(path, number, row, role) for role in ("start", "end"))
        name = clip_name(row["path"], start, end)
        part = part_in(path, number, row["split"])
        clip = known.get(name)
        if clip is None and labelled and labels is not None and row["label"] not in labels:
            continue
        if clip is None:
            raise DataError(
                f"{path}, line {number}: there is no clip {short(name)} here. (The split.csv of a "
                "run lists clips of its --val-folder and --background-videos, too.)"
            )
        if labelled and clip.label.strip() != row["label"]:
            raise DataError(
                f"{path}, line {number}: {short(name)} is of the class {short(row['label'])!r} "
                f"there, but now of {short(clip.label)!r}."
            )
        if name in chosen:
            raise DataError(f"{path}, line {number}: {short(name)} stands there twice.")
        chosen[name] = replace(clip, part=part, group=clip.group or row.get("group") or None)
    if not any(clip.part == "train" for clip in chosen.values()):
        raise DataError(f"{path} has no clip to train on.")
    parts = {clip.name: clip for clip in chosen.values()}
    return (
        [parts[clip.name] for clip in clips if clip.name in parts],
        [clip for clip in clips if clip.name not in parts],
    )


def _listing(path: Path, needed: Sequence[str], places: PathResolver) -> Listing:
    """Return the rows of a list of any form; raises DataError where cells that are needed lack."""
    if path.suffix.lower() == ".json":
        return read_json(path, needed)
    if (splits := read_splits(path)) is not None:
        return splits
    table = _table(path)
    if table.names and not roles_of(table.names):
        return read_unnamed(table, places, needed)
    return from_table(table, needed)


def _table(path: Path) -> Table:
    return read_table(path, lambda names: len(roles_of(names)), strict=True)


def _file(path: Path, number: int, row: Row, places: PathResolver) -> tuple[str, Path, bool]:
    """Return the name and file of a clip, and whether its times are not those in the file.

    Kinetics gives times in videos that are cut already, as their names show.
    """
    name, whole = row["path"], False
    given = row.get("youtube_id") or row.get("youtube identifier")
    if given == name and row.get("start") and row.get("end"):
        times = (seconds_in(path, number, row, role) or 0.0 for role in ("start", "end"))
        cut = "_".join([name, *(f"{int(time):06}" for time in times)])
        if (found := places.find(_places_of(cut, row))) is not None:
            return cut, found, True
    found = places.find(_places_of(name, row))
    return name, path.parent / name if found is None else found, whole


def _place(file: Path) -> str:
    """Return where a file lies, however it is named."""
    try:
        return os.path.realpath(file)
    except ValueError:  # no name at all
        return str(file)


def _places_of(name: str, row: Row) -> list[str]:
    names = [name, f"{row['label']}/{name}"] if row.get("label") else [name]
    return [*names, name.replace("\\", "/")] if "\\" in name else names


def _cut(path: Path, number: int, row: Row, file: Path) -> tuple[float | None, float | None]:
    """Return where a clip begins and ends in its video, in seconds; raises DataError."""
    start, end = (seconds_in(path, number, row, role) for role in ("start", "end"))
    first, last = (frame_in(path, number, row, role) for role in ("first frame", "end frame"))
    if (start, end) == (None, None) and (first, last) != (None, None):
        fps = _frame_rate(path, number, row, file)
        start, end = (None if frame is None else frame / fps for frame in (first, last))
    if end is not None and end <= (start or 0.0):
        raise DataError(f"{path}, line {number}: end {end:g} must be later than start.")
    return start, end


def _frame_rate(path: Path, number: int, row: Row, file: Path) -> float:
    """Return frames/s by the column fps, or else by the file; 1 where that cannot be read."""
    if text := row.get("fps", ""):
        if not re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII) or not 0 < float(text) < 1e5:
            raise DataError(f"{path}, line {number}: fps {short(text)!r} is not a frame rate.")
        return float(text)
    try:
        return _rate_of(file, os.stat(file).st_mtime_ns)
    except (VideoError, OSError):
        return 1.0  # reading the clip says what is wrong


@lru_cache(1 << 16)
def _rate_of(file: Path, changed: int) -> float:
    with open_video(file) as video:
        return video.fps
