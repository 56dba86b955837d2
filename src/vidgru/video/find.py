"""Find the videos or images in a folder."""

import logging
import os
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from re import Pattern

from vidgru.core.address import check_path
from vidgru.core.errors import DataError
from vidgru.core.results import Failure
from vidgru.video.read import IMAGE_SUFFIXES, VIDEO_SUFFIXES, image_files, natural_key

log = logging.getLogger("vidgru")

Sources = str | Path | Iterable[str | Path]  # one path is one source

ROOT = (
    "Cannot read {}: it is the root of a file system, which is never searched. "
    "Give the folder that holds the videos."
)

SEARCHED = "Left out {}: it leads to a folder that is searched anyway."
MAX_DEPTH = 100  # folders in each other; a thousand are more than Python can recurse into
RUN_FILES = frozenset({"model.safetensors", "comparison.json"})  # runs hold pictures, too
# What systems and programs leave in folders; names in lower case.
SYSTEM = frozenset(
    {"__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"}
    | {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__pycache__"}
)


def listed(sources: Sources) -> list[str | Path]:
    """Return sources as a list; a single path (a string is a sequence, too) counts as one."""
    if isinstance(sources, str | bytes | Path) or not isinstance(sources, Iterable):
        return [sources]
    return list(sources)


def is_root(folder: Path) -> bool:
    """Return whether a folder, under any name or link, is the root of a file system."""
    real = os.path.realpath(folder)
    return os.path.dirname(real) == real


def leads_up(link: Path, folder: Path) -> bool:
    """Return whether a link leads to a folder, other than the root, or to one that holds it."""
    real = os.path.realpath(link)
    return not is_root(link) and Path(os.path.realpath(folder)).is_relative_to(real)


def warn(sentence: str, unsaid: list[str] | None) -> None:
    """Log a warning of a search, or add it to `unsaid`, which another search says, or nobody."""
    if unsaid is None:
        log.warning("%s", sentence)
    else:
        unsaid.append(sentence)


class Links:
    """Links to folders found during a search, to be followed after it.

    No folder is searched twice, nor one that contains the folder: such links would never end.
    """

    def __init__(self, folder: Path, unsaid: list[str] | None = None) -> None:
        self._folder, self._unsaid = folder, unsaid
        self._searched: set[str] = set()
        self._waiting: list[Path] = []

    def searched(self, folder: str | Path) -> None:
        """Note a folder as searched."""
        self._searched.add(os.path.realpath(folder))

    def add(self, link: Path) -> None:
        """Add a link."""
        self._waiting.append(link)

    def follow(self) -> Iterator[Path]:
        """Yield the links to search, also those added meanwhile; warn about the others."""
        while self._waiting:
            link = self._waiting.pop(0)
            if os.path.realpath(link) in self._searched or leads_up(link, self._folder):
                warn(SEARCHED.format(link), self._unsaid)
            else:
                yield link


def kept_by_system(name: str) -> bool:
    """Return whether a file or folder is one that systems and programs leave everywhere."""
    return name.casefold() in SYSTEM


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of that name is never looked at."""
    return name.startswith(".") or kept_by_system(name)


def shown(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder and not hidden, in natural order."""
    return sorted(_entries(folder), key=lambda entry: natural_key(entry.name))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:  # asks the disk once, not once for every entry
        return [entry for entry in entries if not is_hidden(entry.name)]


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, or a link to one."""
    # entry.is_dir() fails on a link to itself.
    return os.path.isdir(entry) if entry.is_symlink() else entry.is_dir()


def is_image(name: str) -> bool:
    """Return whether a name is that of a picture which is not hidden."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and not is_hidden(name)


def is_video(name: str) -> bool:
    """Return whether a name is that of a video which is not hidden."""
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES and not is_hidden(name)


def is_run(folder: Path) -> bool:
    """Return whether a folder is a run, or a comparison of runs."""
    # Not Path.exists, which fails on a folder that may not be entered.
    return any(os.path.exists(folder / name) for name in RUN_FILES)


def is_sequence(folder: Path) -> bool:
    """Return whether the pictures in a folder are one clip.

    They are not where there are videos in it or below, nor where no more of them are in it than
    subfolders with pictures: thumbnails and covers lie like that. Nor are those of a run.
    """
    entries = _entries(folder)
    names = {entry.name for entry in entries if not is_folder(entry)}
    count = sum(map(is_image, names))
    if not count or any(map(is_video, names)) or names & RUN_FILES:
        return False
    below = [_pictures_only(Path(e)) for e in entries if e.is_dir(follow_symlinks=False)]
    return None not in below and count > sum(map(bool, below))


def _pictures_only(folder: Path) -> bool | None:
    """Return whether there are pictures in a folder or below, None where there are videos."""
    found = False
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        if any(map(is_video, names)):
            return None
        found = found or any(map(is_image, names))
    return found


def clip_paths(
    folder: Path, failures: list[Failure] | None = None, unsaid: list[str] | None = None
) -> Iterator[Path]:
    """Yield the videos and folders of images below a folder, in natural order.

    Those below links to folders come last. A folder that cannot be read is an OSError, the root of
    a file system a DataError, a link that leads nowhere a warning; with `failures`, each is one.
    Warnings are logged, or added to `unsaid`.
    """
    links = Links(folder, unsaid)
    yield from _clips_in(folder, links, failures, unsaid)
    for link in links.follow():
        if not is_root(link):
            yield from _clips_in(link, links, failures, unsaid)
        elif failures is None:
            raise DataError(ROOT.format(link))
        else:
            failures.append(Failure(str(link), ROOT.format(link)))


def _clips_in(
    folder: Path,
    links: Links,
    failures: list[Failure] | None,
    unsaid: list[str] | None,
    depth: int = 0,
) -> Iterator[Path]:
    if depth == MAX_DEPTH:
        sentence = f"Cannot read {folder}: it lies {MAX_DEPTH} folders deep. Move it up."
        if failures is None:
            raise DataError(sentence)
        failures.append(Failure(str(folder), sentence))
        return
    links.searched(folder)
    try:
        entries = shown(folder)
    except OSError as error:
        if failures is None:
            raise
        sentence = f"Cannot read {error.filename}: {error.strerror}."
        failures.append(Failure(str(error.filename), sentence))
        return
    for entry in entries:
        path = Path(entry)
        if is_folder(entry):
            if _is_sequence(path, failures):
                yield path
            elif entry.is_symlink():
                links.add(path)
            elif not is_run(path):
                yield from _clips_in(path, links, failures, unsaid, depth + 1)
        elif is_video(entry.name):
            yield path
        elif not path.suffix and os.path.islink(path) and not os.path.exists(path):
            # It may have led to a folder.
            if failures is None:
                warn(f"Left out {path}: the link leads nowhere.", unsaid)
            else:
                sentence = f"Cannot read {path}: the link leads nowhere."
                failures.append(Failure(str(path), sentence))


def _is_sequence(folder: Path, failures: list[Failure] | None) -> bool:
    try:
        return is_sequence(folder)
    except OSError:
        if failures is None:
            raise
        return False  # the search of it says why


def find_files(
    folder: Path, suffixes: Set[str], unsaid: list[str] | None = None
) -> tuple[list[Path], list[Failure]]:
    """Return the files with such suffixes at any depth, in natural order.

    Suffixes are lower case, with the dot. Hidden files and folders are skipped. Links to folders
    are followed, see `Links`. Each folder that could not be read, even a root, and each broken link
    gives a Failure. Warnings are logged, or added to `unsaid`.
    """
    errors: list[OSError] = []
    found: list[Path] = []
    failures: list[Failure] = []
    links = Links(folder, unsaid)

    def search(top: Path) -> None:
        for parent, folders, names in os.walk(top, onerror=errors.append):
            links.searched(parent)
            folders[:] = sorted((f for f in folders if not is_hidden(f)), key=natural_key)
            for path in (Path(parent, name) for name in folders):
                if os.path.islink(path):
                    links.add(path)
            shown = [Path(parent, name) for name in names if not is_hidden(name)]
            found.extend(path for path in shown if path.suffix.lower() in suffixes)
            failures.extend(
                Failure(str(path), f"Cannot read {path}: the link leads nowhere.")
                for path in shown
                if not path.suffix and os.path.islink(path) and not os.path.exists(path)
            )

    search(folder)
    for link in links.follow():
        if is_root(link):
            failures.append(Failure(str(link), ROOT.format(link)))
        else:
            search(link)
    return found, failures + [
        Failure(str(error.filename), f"Cannot read {error.filename}: {error.strerror}.")
        for error in errors
    ]


def find_sources(
    sources: Sources,
    *,
    images: bool = False,
    sequences: bool = True,
    unsaid: list[str] | None = None,
) -> list[Path | Failure]:
    """Return the videos that sources stand for, and a Failure for each that holds none.

    A folder stands for the videos and folders of images inside it at any depth, as for `train`, or
    else for the images in it as one sequence. Without `sequences`, it stands for videos, where
    there are any. With `images`, each image inside it at any depth is a source of its own, like a
    video. The root of a file system is a Failure. Warnings are logged, or added to `unsaid`. Raises
    OptionError for a source that is live.
    """
    found: list[Path | Failure] = []
    for given in listed(sources):
        check_path(given)
        source = Path(given)
        if not os.path.isdir(source):
            found.append(source)
            continue
        if is_root(source):
            found.append(Failure(str(source), ROOT.format(source)))
            continue
        files, failures = _in_folder(source, images, unsaid)
        if not sequences and (videos := [file for file in files if not os.path.isdir(file)]):
            files = videos
        files.sort(key=lambda path: [natural_key(part) for part in path.parts])
        found += [*failures, *files]
        if not files and not failures:
            empty = f"Cannot read {source}: the folder holds neither videos nor images."
            found.append(source if image_files(source) else Failure(str(source), empty))
    return found


def _in_folder(
    folder: Path, images: bool, unsaid: list[str] | None
) -> tuple[list[Path], list[Failure]]:
    if images:
        return find_files(folder, VIDEO_SUFFIXES | IMAGE_SUFFIXES, unsaid)
    failures: list[Failure] = []
    if _is_sequence(folder, failures):
        return [folder], failures
    return list(clip_paths(folder, failures, unsaid)), failures


def find_videos(sources: Sources) -> list[Path | Failure]:
    """Return what `find_sources` does, without duplicates."""
    return list(dict.fromkeys(find_sources(sources)))


def place(
    source: Path, taken: set[str], keep: bool = False, avoid: Pattern[str] | None = None
) -> Path:
    """Return a relative output path for a source's relative path, and add it to `taken`.

    It has no suffix, or the source's with `keep`, and differs from all those taken so far; its name
    does not match `avoid`.
    """
    name = source.name if keep else source.stem
    # A video may be called `...mp4`: its stem is the parent folder's name.
    name = "source" if name in ("", ".", "..") else name

    def numbered(number: int) -> Path:
        return source.parent / (name if number == 1 else f"{name}-{number}")

    def free(number: int) -> bool:
        found = numbered(number)
        # Some file systems treat X and x as the same.
        return str(found).casefold() not in taken and not (
            avoid and avoid.fullmatch(found.name.casefold())
        )

    # Not one by one: thousands of videos may have one name.
    low, high = 0, 1
    while not free(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if free(middle) else (middle, high)
    found = numbered(high)
    taken.add(str(found).casefold())
    return found
