"""Find the videos in a folder."""

import os
from pathlib import Path

from vidgru.results import Failure
from vidgru.video.read import VIDEO_SUFFIXES, natural_key


def find_videos(folder: Path) -> tuple[list[Path], list[Failure]]:
    """Return the videos at any depth, in natural order, and the folders that could not be read."""
    errors: list[OSError] = []
    found = [
        Path(parent, name)
        for parent, _, names in os.walk(folder, onerror=errors.append)
        for name in names
        if Path(name).suffix.lower() in VIDEO_SUFFIXES and not name.startswith(".")
    ]
    found.sort(key=lambda path: [natural_key(part) for part in path.parts])
    return found, [
        Failure(str(error.filename), f"Cannot read {error.filename}: {error.strerror}.")
        for error in errors
    ]
