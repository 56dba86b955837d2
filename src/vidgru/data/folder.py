"""Find the labelled clips in a folder: FOLDER/<class>/<clip> or FOLDER/<part>/<class>/<clip>."""

import logging
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vidgru.core.errors import DataError, OptionError
from vidgru.core.text import short
from vidgru.data.results import some_of
from vidgru.data.table import Table, read_table
from vidgru.video.find import (
    ROOT,
    SEARCHED,
    clip_paths,
    is_folder,
    is_image,
    is_root,
    is_run,
    is_sequence,
    is_video,
    leads_up,
    shown,
    warn,
)

log = logging.getLogger("vidgru")

# ruff: noqa: SIM905
PARTS = {
    **dict.fromkeys("train training".split(), "train"),
    **dict.fromkeys("val valid validate validation dev development eval".split(), "val"),
    **dict.fromkeys("test testing".split(), "test"),
}
# Words beside these in the names of folders.
BESIDE = frozenset("clip clips data frames images rgb set split video videos".split())
GROUPS_FILE = "groups.csv"
LAYOUT = (
    "Expected FOLDER/<class>/<clip> or FOLDER/{train,val,test}/<class>/<clip>; "
    "a clip is a video, a folder of images, or a single image. Or give a .csv list: path,label."
)

ANY_LAYOUT = (
    "Expected videos or folders of images anywhere below it, or in FOLDER/{train,val,test}. "
    "Or give a .csv list with a column path."
)
OUTSIDE, FLAT = "outside parts", "no classes"  # why a folder was not searched
LEVELS = 3  # below a folder, at which classes are looked for to give advice


@dataclass(frozen=True)
class Clip:
    """A labelled clip: `part` is train, val, test or None; start and end (seconds) cut it out.

    `name` is its path in the folder or list, with its time span; names are unique. `draws` is how
    often it is drawn for training in an epoch.
    """

    path: Path
    name: str
    label: str
    part: str | None = None
    group: str | None = None
    start: float | None = None
    end: float | None = None
    draws: int = 1

    @property
    def listed(self) -> str:
        """Its path as listed in the folder or list."""
        return self.name.removesuffix(_span(self.start, self.end))


def clip_name(path: str, start: float | None = None, end: float | None = None) -> str:
    """Return the name of a clip that is listed with such a path and times in seconds."""
    return path + _span(start, end)


def _span(start: float | None, end: float | None) -> str:
    if start is None and end is None:
        return ""
    return f" [{start or 0.0:.9g}-{'' if end is None else f'{end:.9g}'} s]"


@dataclass(frozen=True)
class Found:
    """Clips in a folder, in natural order; and folders that were not searched, with the reason."""

    clips: list[Clip]
    left_out: Mapping[Path, str] = field(default_factory=dict)


def part_of(name: str) -> str | None:
    """Return the part (train, val, test) that a folder or cell of such a name stands for, if any.

    Other words, as in `videos_train` and `Test set`, do not matter.
    """
    words = [word for word in re.split(r"[-_. ]+", name.lower()) if word not in BESIDE]
    return PARTS.get(words[0].removesuffix("set")) if len(words) == 1 else None


def read_folder(folder: Path, group_by: str | None = None) -> list[Clip]:
    """Return the labelled clips of a folder in natural order, with their groups if requested.

    `group_by` is a column of FOLDER/groups.csv, or a regular expression searched in each clip's
    relative path; its first group (or the whole match) names the clip's group. Images in the
    class folders are clips where there are no others. Raises DataError when there are no
    classes or clips, or one is the root of a file system; OptionError when `group_by` is neither.
    """
    clips = search_classes(folder).clips
    return clips if group_by is None else with_groups(clips, folder, group_by)


def search_classes(folder: Path, unsaid: list[str] | None = None) -> Found:
    """Return what `read_folder` does, without groups, and what was not searched.

    Links that are left out are warned of, or such sentences added to `unsaid`.
    """
    _check_folder(folder, LAYOUT)
    folders = _folders(folder, unsaid)
    parts = {d: part for d in folders if (part := part_of(d.name))}
    left: list[str] = []  # links in parts, which may be classes and are then searched again
    inner = {part: _folders(part, left) for part in parts}
    classes: dict[Path, str | None] = dict.fromkeys(folders)
    left_out: dict[Path, str] = {}
    if _are_parts(folders, parts, inner):
        for sentence in left:
            warn(sentence, unsaid)
        classes = {d: part for outer, part in parts.items() for d in inner[outer]}
        left_out = {d: OUTSIDE for d in folders if d not in parts}
        for outer in parts:
            if not inner[outer]:
                if parts[outer] != "test":
                    raise DataError(f"{outer} holds no class folders, but other parts do. {LAYOUT}")
                left_out[outer] = FLAT  # what is to be predicted often comes so
    clips = [
        Clip(path, path.relative_to(folder).as_posix(), class_folder.name, classes[class_folder])
        for class_folder, paths in _paths_by_class(folder, list(classes), unsaid).items()
        for path in paths
    ]
    if not clips:
        if own := _own_clips(folder):
            advice = _parent_meant(folder) or f"It holds {own} clips itself. {LAYOUT}"
            advice += level_above(folder) if _lists(folder) else ""
            raise DataError(f"No class folders found in {folder}. {advice}")
        what = "video clips" if folders else "class folders"
        raise DataError(f"No {what} found in {folder}. {LAYOUT}")
    for label, count in Counter(clip.label for clip in clips).items():
        if not label.isprintable():
            log.warning(
                "The class %r (%d clips) has control characters in its name; "
                "it is shown with escapes.",
                label,
                count,
            )
    return Found(clips, left_out)


def _are_parts(
    folders: Sequence[Path], parts: Mapping[Path, str], inner: Mapping[Path, Sequence[Path]]
) -> bool:
    """Return whether folders that are called so are parts; classes may be called so, too."""
    with_classes = [part for part in parts if inner[part]]
    if not any(parts[part] == "train" for part in with_classes):
        # Without anything to learn from there is still something to evaluate on.
        return bool(with_classes) and len(with_classes) == len(folders) and not _own(with_classes)
    others = [d for d in folders if d not in parts and _holds_clips(d)]
    if len(parts) > 1 or len(others) < 2:
        return True
    (train,) = parts
    known = {d.name for d in inner[train] if not re.search(r"\d", d.name)}  # those may be clips
    return any(d.name in known for other in others for d in _folders(other, [])) or not (
        _own([train]) or all(map(is_sequence, inner[train]))
    )


def _own(folders: Sequence[Path]) -> bool:
    """Return whether there are videos right in any of these folders."""
    return any(is_video(entry.name) for folder in folders for entry in shown(folder))


def _is_clip(entry: os.DirEntry[str]) -> bool:
    return is_folder(entry) and is_sequence(Path(entry))


def _holds_clips(folder: Path) -> bool:
    return next(clip_paths(folder, [], []), None) is not None or is_sequence(folder)


def level_above(folder: Path) -> str:
    """Return what to say where a folder seems to be above the class folders or a list, or ""."""
    if not folder.is_dir():
        return ""
    if lists := _lists(folder):
        return f" If a list in it names the classes, give that: {lists[0]}."
    level = _folders(folder, [])
    for _ in range(LEVELS):
        for inner in level:
            classes = [d.name for d in _folders(inner, []) if _holds_clips(d)]
            if len(classes) > 1:
                some = ", ".join(classes[:3]) + (", ..." if len(classes) > 3 else "")
                return (
                    f" If the folders in {inner} are the classes or parts ({some}), give {inner}."
                )
        level = [d for inner in level[:LEVELS] for d in _folders(inner, [])]
    return ""


def _lists(folder: Path) -> list[Path]:
    """Return the tables in a folder that may be lists of clips."""
    names = sorted(entry.name for entry in shown(folder) if not is_folder(entry))
    tables = [name for name in names if os.path.splitext(name)[1].lower() in (".csv", ".tsv")]
    return [folder / name for name in tables if name != GROUPS_FILE]


def read_videos(folder: Path, group_by: str | None = None) -> list[Clip]:
    """Return the videos and folders of images anywhere below a folder, all with the label "".

    Folders train, val and test at the top are parts, if there is one to train on. `group_by` and
    errors are as for `read_folder`.
    """
    clips = search_videos(folder).clips
    return clips if group_by is None else with_groups(clips, folder, group_by)


def search_videos(folder: Path, unsaid: list[str] | None = None) -> Found:
    """Return what `read_videos` does, and what was not searched, as `search_classes`."""
    _check_folder(folder, ANY_LAYOUT)
    folders = [Path(entry) for entry in shown(folder) if is_folder(entry)]
    parts = {d: part for d in folders if (part := part_of(d.name))}
    roots: dict[Path, str | None] = {folder: None}
    left_out: dict[Path, str] = {}
    if "train" in parts.values():
        for root in parts:
            _check_not_root(root)
        roots = {**parts}
        left_out = {d: OUTSIDE for d in folders if d not in parts}
    clips = [
        Clip(path, path.relative_to(folder).as_posix(), "", part)
        for root, part in roots.items()
        for path in clip_paths(root, unsaid=unsaid)
    ]
    if not clips:
        raise DataError(f"No videos found in {folder}. {ANY_LAYOUT}")
    return Found(clips, left_out)


def _parent_meant(folder: Path) -> str:
    """Return a question where a folder and others beside it hold clips; else ""."""
    parent = folder.parent if folder.name not in ("", "..") else folder / ".."
    try:
        if is_root(parent) or not _own_clips(folder):
            return ""
        others = [Path(e) for e in shown(parent) if is_folder(e) and not folder.samefile(e)]
        if any(map(_own_clips, others)):
            return f"It holds clips itself, as folders beside it do: did you mean {parent}?"
    except OSError:  # it is only advice
        pass
    return ""


def _own_clips(folder: Path) -> int:
    return sum(is_video(entry.name) or _is_clip(entry) for entry in shown(folder))


def _check_folder(folder: Path, layout: str) -> None:
    """Raise DataError for a path that is not a folder of clips."""
    if not os.path.exists(folder):  # folder.exists() fails on too long a name
        raise DataError(f"No such folder: {folder}.")
    if not os.path.isdir(folder):
        raise DataError(f"{folder} is not a folder. {layout}")
    _check_not_root(folder)


def _check_not_root(folder: Path) -> None:
    if is_root(folder):
        raise DataError(ROOT.format(folder))


def _folders(folder: Path, unsaid: list[str] | None) -> list[Path]:
    found = [Path(entry) for entry in shown(folder) if is_folder(entry)]
    for inner in list(found):  # any may be a link
        _check_not_root(inner)
        if leads_up(inner, folder):
            warn(SEARCHED.format(inner), unsaid)
            found.remove(inner)
    # Runs, and comparisons of runs, go to ./runs, which may lie in the folder that is trained on.
    marks = [f"{depth}model.safetensors" for depth in ("", "*/", "*/*/")]
    runs = [d for d in found if any(any(d.glob(mark)) for mark in marks)]
    left_out = {d for d in runs if is_run(d) or not _holds_clips(d)}
    return [d for d in found if d not in left_out]


def _paths_by_class(
    folder: Path, folders: list[Path], unsaid: list[str] | None
) -> dict[Path, list[Path]]:
    """Return the clips in each class folder: videos and folders of images, or else its images.

    Raises DataError when a class has none.
    """
    found = {d: list(clip_paths(d, unsaid=unsaid)) for d in folders}
    loose = {
        d: [Path(e) for e in shown(d) if is_image(e.name) and not is_folder(e)] for d in folders
    }
    if not any(found.values()):
        found, loose = loose, {}
    if empty := [class_folder for class_folder, paths in found.items() if not paths]:
        which, end = f"folder {empty[0]} holds", "it"
        if len(empty) > 1:
            which, end = f"folders {some_of([str(path) for path in empty])} hold", "them"
        whose = "Its" if len(empty) == 1 else "Their"
        note = f" {whose} images do not count, as other classes hold videos or folders of images."
        raise DataError(
            f"The class {which} no clips: add some or remove {end}."
            + (note if any(map(loose.get, empty)) else level_above(folder))
        )
    return found


def with_groups(clips: list[Clip], folder: Path, group_by: str) -> list[Clip]:
    """Return the clips with their groups, as `read_folder` does; DataError if one has none."""
    groups = _groups_from_column(folder, group_by)
    if groups is None:
        groups = groups_from_names(clips, group_by)
    missing = [clip.name for clip in clips if clip.name not in groups]
    if missing:
        raise DataError(
            f"--group-by '{group_by}' gives no group for {len(missing)} of {len(clips)} clips, "
            f"the first of them {missing[0]}."
        )
    return [replace(clip, group=groups[clip.name]) for clip in clips]


def groups_from_names(clips: Sequence[Clip], pattern: str) -> dict[str, str]:
    """Return {clip name: group} where the pattern is found; raises OptionError if it is wrong."""
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
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


def read_groups(path: Path) -> Table:
    """Return the table of groups of a folder; raises DataError."""
    if os.path.exists(path) and not os.path.isfile(path):  # opening a pipe would block for ever
        raise DataError(f"Cannot read {path}: not a regular file.")
    return read_table(path)


def _groups_from_column(folder: Path, column: str) -> dict[str, str] | None:
    """Return {clip name: group} if groups.csv has such a column; its first column names clips.

    An empty cell gives no group. Raises DataError where one clip has two.
    """
    path = folder / GROUPS_FILE
    if not os.path.lexists(path):
        return None
    table = read_groups(path)
    if column not in table.names[1:]:
        return None
    place = table.names.index(column)
    groups: dict[str, str] = {}
    for number, row in table.rows:
        group = row[place] if len(row) > place else ""
        if group and groups.setdefault(row[0], group) != group:
            raise DataError(
                f"{path}, line {number}: {short(row[0])} has the group {short(group)!r} there, but "
                f"{short(groups[row[0]])!r} further up."
            )
    return groups
