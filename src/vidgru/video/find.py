"""Find the videos or images in a folder."""

import os
from collections.abc import Set
from pathlib import Path

from vidgru.results import Failure
from vidgru.video.read import natural_key


def find_files(folder: Path, suffixes: Set[str]) -> tuple[list[Path], list[Failure]]:
    """Return the files with such suffixes at any depth, in natural order; hidden ones are left out.

    Suffixes are lower case, with the dot. Each folder that could not be read gives a Failure.
    """
    errors: list[OSError] = []
    found = [
        Path(parent, name)
        for parent, _, names in os.walk(folder, onerror=errors.append)
        for name in names
        if Path(name).suffix.lower() in suffixes and not name.startswith(".")
    ]
    found.sort(key=lambda path: [natural_key(part) for part in path.parts])
    return found, [
        Failure(str(error.filename), f"Cannot read {error.filename}: {error.strerror}.")
        for error in errors
    ]
