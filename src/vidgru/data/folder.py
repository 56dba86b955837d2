"""Find the labelled clips in a folder: FOLDER/<class>/<clip> or FOLDER/<part>/<class>/<clip>."""

import csv
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vidgru.core.errors import DataError, OptionError
from vidgru.video.find import ROOT, Links, is_root, leads_up
from vidgru.video.read import IMAGE_SUFFIXES, VIDEO_SUFFIXES, natural_key

log = logging.getLogger("vidgru")

PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
GROUPS_FILE = "groups.csv"
LAYOUT = (
    "Expected FOLDER/<class>/<clip> or FOLDER/{train,val,test}/<class>/<clip>; "
    "a clip is a video, a folder of images, or a single image. Or give a .csv list: path,label."
)

ANY_LAYOUT = (
    "Expected videos or folders of images anywhere below it, or in FOLDER/{train,val,test}. "
    "Or give a .csv list with a column path."
)


@dataclass(frozen=True)
class Clip:
    """A labelled clip: `part` is train, val, test or None; start and end (seconds) cut it out.

    `name` is its path in the folder or list, with what is cut out of it; no two are alike. `draws`
    is how often it is learned from in an epoch.
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
        """Its path as the folder or list has it."""
        return self.name.removesuffix(_span(self.start, self.end))


def clip_name(path: str, start: float | None = None, end: float | None = None) -> str:
    """Return the name of a clip that is listed with such a path and times in seconds."""
    return path + _span(start, end)


def _span(start: float | None, end: float | None) -> str:
    if start is None and end is None:
        return ""
    return f" [{start or 0.0:.9g}-{'' if end is None else f'{end:.9g}'} s]"


def read_folder(folder: Path, group_by: str | None = None) -> list[Clip]:
    """Return the labelled clips of a folder in natural order, with their groups if asked for.

    `group_by` is a column of FOLDER/groups.csv, or a regular expression searched in each clip's
    relative path; its first group (or the whole match) names the clip's group. Images that lie in
    the class folders are clips where there are no others. Raises DataError when there are no
    classes or clips, or one is the root of a file system; OptionError when `group_by` is neither.
    """
    _check_folder(folder, LAYOUT)
    folders = _folders(folder)
    parts = [d for d in folders if d.name.lower() in PARTS]
    inner = {part: _folders(part) for part in parts}
    empty = [part for part in parts if not inner[part]]
    learned = any(PARTS[part.name.lower()] == "train" for part in parts)
    if learned and empty and parts == folders and len(empty) < len(parts):
        raise DataError(
            f"{empty[0]} holds no class folders, while other parts beside it do. {LAYOUT}"
        )
    classes: dict[Path, str | None]
    if learned and not empty:
        classes = {d: PARTS[part.name.lower()] for part in parts for d in inner[part]}
    else:
        classes = dict.fromkeys(folders)
    clips = [
        Clip(path, path.relative_to(folder).as_posix(), class_folder.name, classes[class_folder])
        for class_folder, paths in _paths_by_class(list(classes)).items()
        for path in paths
    ]
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
    return clips if group_by is None else with_groups(clips, folder, group_by)


def read_videos(folder: Path, group_by: str | None = None) -> list[Clip]:
    """Return the videos and folders of images anywhere below a folder, all with the label "".

    Folders train, val and test at the top are parts, if there is one to train on. `group_by` and
    what is raised are as for `read_folder`.
    """
    _check_folder(folder, ANY_LAYOUT)
    parts = {
        Path(entry): PARTS[entry.name.lower()]
        for entry in _shown(folder)
        if _is_folder(entry) and entry.name.lower() in PARTS
    }
    roots: dict[Path, str | None] = {folder: None}
    if "train" in parts.values():
        for part in parts:
            _check_not_root(part)
        roots = {**parts}
    clips = [
        Clip(path, path.relative_to(folder).as_posix(), "", part)
        for root, part in roots.items()
        for path in _videos(root)
    ]
    if not clips:
        raise DataError(f"No videos found in {folder}. {ANY_LAYOUT}")
    return clips if group_by is None else with_groups(clips, folder, group_by)


def _check_folder(folder: Path, layout: str) -> None:
    """Raise DataError for what is no folder to look for clips in."""
    if not os.path.exists(folder):  # folder.exists() fails on too long a name
        raise DataError(f"No such folder: {folder}.")
    if not os.path.isdir(folder):
        raise DataError(f"{folder} is not a folder. {layout}")
    _check_not_root(folder)


def _check_not_root(folder: Path) -> None:
    if is_root(folder):
        raise DataError(ROOT.format(folder))


def _videos(folder: Path) -> Iterator[Path]:
    """Yield the videos below a folder; of folders that hold nothing but images, each is one."""
    return _with_links(folder, _videos_in)


def _with_links(folder: Path, search: Callable[[Path, Links], Iterator[Path]]) -> Iterator[Path]:
    """Yield what a search finds below a folder, and then below the links to folders in it."""
    links = Links(folder)
    yield from search(folder, links)
    for link in links.follow():
        _check_not_root(link)
        yield from search(link, links)


def _videos_in(folder: Path, links: Links) -> Iterator[Path]:
    links.searched(folder)
    for entry in _shown(folder):
        path = Path(entry)
        if _is_folder(entry):
            # Runs, and comparisons of runs, hold pictures, too.
            if any((path / name).exists() for name in ("model.safetensors", "comparison.json")):
                continue
            inner = _shown(path)
            if any(_is_image(e.name) for e in inner) and not any(
                _is_folder(e) or Path(e).suffix.lower() in VIDEO_SUFFIXES for e in inner
            ):
                yield path
            elif entry.is_symlink():
                links.add(path)
            else:
                yield from _videos_in(path, links)
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            yield path
        else:
            _warn_of_dead(path)


def _warn_of_dead(path: Path) -> None:
    """Warn of a link that may have led to a folder."""
    if not path.suffix and os.path.islink(path) and not os.path.exists(path):
        log.warning("Left out %s: the link leads nowhere.", path)


def _shown(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder and not hidden, in natural order."""
    with os.scandir(folder) as entries:  # asks the disk once, not once for every entry
        shown = [entry for entry in entries if not entry.name.startswith(".")]
    return sorted(shown, key=lambda entry: natural_key(entry.name))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # entry.is_dir() fails on a link to itself.
    return os.path.isdir(entry) if entry.is_symlink() else entry.is_dir()


def _is_image(name: str) -> bool:
    return Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".")


def _folders(folder: Path) -> list[Path]:
    found = [Path(entry) for entry in _shown(folder) if _is_folder(entry)]
    for inner in list(found):  # any may be a link
        _check_not_root(inner)
        if leads_up(inner, folder):
            log.warning("Left out %s: it leads to a folder that is searched anyway.", inner)
            found.remove(inner)
    # Runs, and comparisons of runs, go to ./runs, which may lie in the folder that is learned from.
    marks = [f"{depth}model.safetensors" for depth in ("", "*/", "*/*/")]
    return [d for d in found if not any(any(d.glob(mark)) for mark in marks)]


def _paths_by_class(folders: list[Path]) -> dict[Path, list[Path]]:
    """Return the clips in each class folder: videos and folders of images, or else its images.

    Raises DataError when a class has none.
    """
    found = {d: list(clip_paths(d)) for d in folders}
    loose = {
        d: [Path(e) for e in _shown(d) if _is_image(e.name) and not _is_folder(e)] for d in folders
    }
    if not any(found.values()):
        found, loose = loose, {}
    for class_folder, paths in found.items():
        if not paths:
            note = " Its images are none, because other classes hold videos or folders of images."
            raise DataError(
                f"The class folder {class_folder} holds no clips: add some or remove it."
                + (note if loose.get(class_folder) else "")
            )
    if ignored := [path for paths in loose.values() for path in paths]:
        # People keep thumbnails beside videos.
        log.warning(
            "Ignored %d single images in class folders, the first %s: "
            "where there are videos or folders of images, only those are clips.",
            len(ignored),
            ignored[0],
        )
    return found


def clip_paths(folder: Path) -> Iterator[Path]:
    """Yield the videos below a folder in natural order; a subfolder of images is one clip.

    Those below links to folders come last.
    """
    return _with_links(folder, _clips_in)


def _clips_in(folder: Path, links: Links) -> Iterator[Path]:
    links.searched(folder)
    for entry in _shown(folder):
        path = Path(entry)
        if _is_folder(entry):
            if any(map(_is_image, os.listdir(path))):
                yield path
            elif entry.is_symlink():
                links.add(path)
            else:
                yield from _clips_in(path, links)
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            yield path
        else:
            _warn_of_dead(path)


def with_groups(clips: list[Clip], folder: Path, group_by: str) -> list[Clip]:
    """Return the clips with their groups, as `read_folder` does; DataError if one has none."""
    groups = _groups_from_column(folder, group_by)
    if groups is None:
        groups = groups_from_names(clips, group_by)
    missing = [clip.name for clip in clips if clip.name not in groups]
    if missing:
        raise DataError(
            f"--group-by {group_by!r} gives no group for {len(missing)} of {len(clips)} clips, "
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
