"""Find the labelled clips in a folder: FOLDER/<class>/<clip> or FOLDER/<part>/<class>/<clip>."""

import csv
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from vidgru.errors import DataError, OptionError
from vidgru.video.read import IMAGE_SUFFIXES, VIDEO_SUFFIXES, natural_key

log = logging.getLogger("vidgru")

PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
GROUPS_FILE = "groups.csv"
LAYOUT = "Expected FOLDER/<class>/<clip> or FOLDER/{train,val,test}/<class>/<clip>."


@dataclass(frozen=True)
class Clip:
    """A labelled clip: `name` is its path in the folder, `part` train, val, test or None."""

    path: Path
    name: str
    label: str
    part: str | None = None
    group: str | None = None


def read_folder(folder: Path, group_by: str | None = None) -> list[Clip]:
    """Return the labelled clips of a folder in natural order, with their groups if asked for.

    `group_by` is a column of FOLDER/groups.csv, or a regular expression searched in each clip's
    relative path; its first group (or the whole match) names the clip's group. Raises DataError
    when there are no classes or clips, OptionError when `group_by` is neither.
    """
    if not folder.exists():
        raise DataError(f"No such folder: {folder}.")
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder. {LAYOUT}")
    parts = [d for d in _folders(folder) if d.name.lower() in PARTS]
    clips: list[Clip] = []
    if any(PARTS[d.name.lower()] == "train" for d in parts) and all(map(_holds_classes, parts)):
        for part in parts:
            found = _classes(folder, part)
            clips += [replace(clip, part=PARTS[part.name.lower()]) for clip in found]
    else:
        clips = list(_classes(folder, folder))
    if not clips:
        raise DataError(f"No video clips found in {folder}. {LAYOUT}")
    for label, count in Counter(clip.label for clip in clips).items():
        if not label.isprintable():
            log.warning(
                "The class %r (%d clips) has control characters in its name; "
                "it is shown with escapes.",
                label,
                count,
            )
    return clips if group_by is None else _with_groups(clips, folder, group_by)


def _folders(folder: Path) -> list[Path]:
    found = [d for d in folder.iterdir() if d.is_dir() and not d.name.startswith(".")]
    # Runs are written to ./runs, which may be the very folder that is learned from.
    found = [d for d in found if not any(d.glob("*/model.safetensors"))]
    return sorted(found, key=lambda d: natural_key(d.name))


def _holds_classes(part: Path) -> bool:
    return bool(_folders(part))


def _classes(root: Path, folder: Path) -> Iterator[Clip]:
    for class_folder in _folders(folder):
        paths = list(clip_paths(class_folder))
        if not paths:
            raise DataError(
                f"The class folder {class_folder} holds no clips: add some or remove it."
            )
        for path in paths:
            yield Clip(path, path.relative_to(root).as_posix(), class_folder.name)


def clip_paths(folder: Path) -> Iterator[Path]:
    """Yield the videos below a folder in natural order; a subfolder of images is one clip."""
    for entry in sorted(folder.iterdir(), key=lambda p: natural_key(p.name)):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if any(p.suffix.lower() in IMAGE_SUFFIXES for p in entry.iterdir()):
                yield entry
            elif not entry.is_symlink():
                yield from clip_paths(entry)
        elif entry.suffix.lower() in VIDEO_SUFFIXES:
            yield entry


def _with_groups(clips: list[Clip], folder: Path, group_by: str) -> list[Clip]:
    groups = _groups_from_column(folder, group_by)
    if groups is None:
        groups = _groups_from_names(clips, group_by)
    missing = [clip.name for clip in clips if clip.name not in groups]
    if missing:
        raise DataError(
            f"--group-by {group_by!r} gives no group for {len(missing)} of {len(clips)} clips, "
            f"the first of them {missing[0]}."
        )
    return [replace(clip, group=groups[clip.name]) for clip in clips]


def _groups_from_names(clips: list[Clip], pattern: str) -> dict[str, str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise OptionError(
            f"--group-by {pattern!r} is neither a column of {GROUPS_FILE} "
            f"nor a regular expression: {error}."
        ) from error
    found = {clip.name: compiled.search(clip.name) for clip in clips}
    return {
        name: (match[1] or "") if compiled.groups else match[0]
        for name, match in found.items()
        if match
    }


def _groups_from_column(folder: Path, column: str) -> dict[str, str] | None:
    """Return {clip name: group} if groups.csv has such a column; its first column names clips."""
    path = folder / GROUPS_FILE
    if not os.path.lexists(path):
        return None
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            names = list(rows.fieldnames or [])
            if column not in names[1:]:
                return None
            return {row[names[0]]: row[column] for row in rows if row[column] is not None}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"Cannot read {path}: {error}.") from error
