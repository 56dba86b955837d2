"""Find the videos or images in a folder."""

import os
from collections.abc import Set
from pathlib import Path

from vidgru.results import Failure
from vidgru.video.read import natural_key


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


def place(source: Path, taken: set[str], keep: bool = False, avoid: str = "") -> Path:
    """Return a relative path for what is made of a source's relative path, and add it to `taken`.

    It has no suffix, or the source's with `keep`, and is unlike all those taken so far; its name is
    never `avoid`.
    """
    name = source.name if keep else source.stem
    # A video may be called `...mp4`: its stem is the parent folder's name.
    name = "source" if name in ("", ".", "..") else name
    found, number = source.parent / name, 2
    # Some file systems hold X and x for the same.
    while str(found).casefold() in taken or found.name.casefold() == avoid:
        found, number = source.parent / f"{name}-{number}", number + 1
    taken.add(str(found).casefold())
    return found
