"""Find the videos or images in a folder."""

import os
from collections.abc import Iterable, Set
from pathlib import Path
from re import Pattern

from vidgru.results import Failure
from vidgru.video.read import IMAGE_SUFFIXES, VIDEO_SUFFIXES, image_files, natural_key

Sources = str | Path | Iterable[str | Path]  # one path is one source

ROOT = (
    "Cannot read {}: it is the root of a file system, which is never searched. "
    "Give the folder that holds the videos."
)


def listed(sources: Sources) -> list[str | Path]:
    """Return sources as a list; a single path, which is a sequence of characters, too, is one."""
    return [sources] if isinstance(sources, str | Path) else list(sources)


def is_root(folder: Path) -> bool:
    """Return whether a folder, by whatever name or link, is the root of a file system."""
    real = os.path.realpath(folder)
    return os.path.dirname(real) == real


def find_files(folder: Path, suffixes: Set[str]) -> tuple[list[Path], list[Failure]]:
    """Return the files with such suffixes at any depth, in natural order.

    Suffixes are lower case, with the dot. Hidden files and folders are left out. Each folder that
    could not be read gives a Failure.
    """
    errors: list[OSError] = []
    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=errors.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        shown = (Path(parent, name) for name in names if not name.startswith("."))
        found += [path for path in shown if path.suffix.lower() in suffixes]
    found.sort(key=lambda path: [natural_key(part) for part in path.parts])
    return found, [
        Failure(str(error.filename), f"Cannot read {error.filename}: {error.strerror}.")
        for error in errors
    ]


def find_sources(sources: Sources, *, images: bool = False) -> list[Path | Failure]:
    """Return the videos that sources stand for, and a Failure for each that holds none.

    A folder stands for the videos inside it at any depth, or else for the images in it as one
    sequence. With `images`, each image inside it at any depth is a source of its own, like a video.
    The root of a file system is a Failure.
    """
    suffixes = VIDEO_SUFFIXES | IMAGE_SUFFIXES if images else VIDEO_SUFFIXES
    found: list[Path | Failure] = []
    for source in map(Path, listed(sources)):
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


def place(
    source: Path, taken: set[str], keep: bool = False, avoid: Pattern[str] | None = None
) -> Path:
    """Return a relative path for what is made of a source's relative path, and add it to `taken`.

    It has no suffix, or the source's with `keep`, and is unlike all those taken so far; its name is
    nothing to `avoid`.
    """
    name = source.name if keep else source.stem
    # A video may be called `...mp4`: its stem is the parent folder's name.
    name = "source" if name in ("", ".", "..") else name
    found, number = source.parent / name, 2
    # Some file systems hold X and x for the same.
    while str(found).casefold() in taken or (avoid and avoid.fullmatch(found.name.casefold())):
        found, number = source.parent / f"{name}-{number}", number + 1
    taken.add(str(found).casefold())
    return found
