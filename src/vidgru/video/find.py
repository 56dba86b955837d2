"""Find the videos or images in a folder."""

import logging
import os
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from re import Pattern

from vidgru.core.address import refuse_live
from vidgru.core.results import Failure
from vidgru.video.read import IMAGE_SUFFIXES, VIDEO_SUFFIXES, image_files, natural_key

log = logging.getLogger("vidgru")

Sources = str | Path | Iterable[str | Path]  # one path is one source

ROOT = (
    "Cannot read {}: it is the root of a file system, which is never searched. "
    "Give the folder that holds the videos."
)


def listed(sources: Sources) -> list[str | Path]:
    """Return sources as a list; a single path (a string is a sequence, too) counts as one."""
    return [sources] if isinstance(sources, str | Path) else list(sources)


def is_root(folder: Path) -> bool:
    """Return whether a folder, under any name or link, is the root of a file system."""
    real = os.path.realpath(folder)
    return os.path.dirname(real) == real


def leads_up(link: Path, folder: Path) -> bool:
    """Return whether a link leads to a folder, other than the root, or to one that holds it."""
    real = os.path.realpath(link)
    return not is_root(link) and Path(os.path.realpath(folder)).is_relative_to(real)


class Links:
    """Links to folders found during a search, to be followed after it.

    No folder is searched twice, nor one that contains the folder: such links would never end.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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
                log.warning("Left out %s: it leads to a folder that is searched anyway.", link)
            else:
                yield link


def find_files(folder: Path, suffixes: Set[str]) -> tuple[list[Path], list[Failure]]:
    """Return the files with such suffixes at any depth, in natural order.

    Suffixes are lower case, with the dot. Hidden files and folders are skipped. Links to folders
    are followed, see `Links`. Each folder that could not be read, even a root, and each broken link
    gives a Failure.
    """
    errors: list[OSError] = []
    found: list[Path] = []
    failures: list[Failure] = []
    links = Links(folder)

    def search(top: Path) -> None:
        for parent, folders, names in os.walk(top, onerror=errors.append):
            links.searched(parent)
            folders[:] = sorted((f for f in folders if not f.startswith(".")), key=natural_key)
            for path in (Path(parent, name) for name in folders):
                if os.path.islink(path):
                    links.add(path)
            shown = [Path(parent, name) for name in names if not name.startswith(".")]
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
    found.sort(key=lambda path: [natural_key(part) for part in path.parts])
    return found, failures + [
        Failure(str(error.filename), f"Cannot read {error.filename}: {error.strerror}.")
        for error in errors
    ]


def find_sources(sources: Sources, *, images: bool = False) -> list[Path | Failure]:
    """Return the videos of the sources, and a Failure for each source that holds none.

    A folder stands for the videos inside it at any depth, or else for the images in it as one
    sequence. With `images`, each image inside it at any depth is a source of its own, like a video.
    The root of a file system is a Failure. Raises OptionError for a live source.
    """
    suffixes = VIDEO_SUFFIXES | IMAGE_SUFFIXES if images else VIDEO_SUFFIXES
    found: list[Path | Failure] = []
    for given in listed(sources):
        refuse_live(given)
        source = Path(given)
        if not os.path.isdir(source):
            found.append(source)
            continue
        if is_root(source):
            found.append(Failure(str(source), ROOT.format(source)))
            continue
        files, failures = find_files(source, suffixes)
        found += [*failures, *files]
        if not files and not failures:
            empty = f"Cannot read {source}: the folder holds neither videos nor images."
            found.append(source if image_files(source) else Failure(str(source), empty))
    return found


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
    found, number = source.parent / name, 2
    # Some file systems treat X and x as the same.
    while str(found).casefold() in taken or (avoid and avoid.fullmatch(found.name.casefold())):
        found, number = source.parent / f"{name}-{number}", number + 1
    taken.add(str(found).casefold())
    return found
