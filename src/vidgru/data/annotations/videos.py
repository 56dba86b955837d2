"""Find the videos that annotations are about."""

import logging
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from vidgru.core.errors import DataError
from vidgru.data.annotations.label_studio import uploaded_name
from vidgru.data.results import counted
from vidgru.video.find import ROOT, find_files, is_root
from vidgru.video.read import VIDEO_SUFFIXES, image_files

log = logging.getLogger("vidgru")


@dataclass(frozen=True)
class Searched:
    """What several files of annotations found: videos of folders by name, and each by its place.

    A video that is named in two ways, such as with a path and without, has one place.
    """

    folders: dict[Path, dict[str, list[Path]]] = field(default_factory=dict)
    places: dict[str, Path] = field(default_factory=dict)


# What tools put behind the name of a video to make that of its annotations.
ENDINGS = ("_labels", "_predictions", ".labels")


class Videos:
    """The videos that may be meant: those below `folder`, or else beside and below the file.

    annotations: the file of annotations; searched: what was found for other files. Raises DataError
    where the folder is none.
    """

    def __init__(
        self, annotations: Path, folder: Path | None, searched: Searched | None = None
    ) -> None:
        self.home, self.given = annotations.parent, folder
        self._searched = searched or Searched()
        if folder is not None and not folder.is_dir():
            raise DataError(f"--videos {folder} is not a folder.")
        if is_root(folder or self.home):
            raise DataError(ROOT.format(folder or self.home))

    @property
    def _below(self) -> dict[str, list[Path]]:
        """All videos below the folder by their names, and by those without a suffix."""
        top = self.given or self.home
        if top not in self._searched.folders:
            found = defaultdict(list)
            for path in find_files(top, VIDEO_SUFFIXES)[0]:
                found[path.name.casefold()].append(path)
                found[path.stem.casefold()].append(path)
            self._searched.folders[top] = found
        return self._searched.folders[top]

    def find(self, named: PurePath) -> Path | None:
        """Return the video that is named so, None where there is none.

        It lies where the annotations say, is called so, or is called so but for the suffix. Raises
        DataError where several may be meant.
        """
        path = self._find(named)
        return path and self._searched.places.setdefault(os.path.realpath(path), path)

    def _find(self, named: PurePath) -> Path | None:
        where = self.given or self.home
        direct = where / named
        if (self.given is None or not named.is_absolute()) and _is_video(direct):
            return direct
        for name in _names(named):
            beside = where / name
            if _is_video(beside):
                return beside
            if found := self._below.get(name.casefold()):
                return self._one(found, named)
        return None

    def _one(self, found: list[Path], named: PurePath) -> Path:
        """Return the one of several that lies in folders of the same names for longest."""
        folders = named.parent if named.parent.name else self.home
        wanted = [part.casefold() for part in folders.parts[::-1]]

        def shared(path: Path) -> int:
            own = [part.casefold() for part in path.parent.parts[::-1]]
            pairs = list(zip(own, wanted, strict=False))
            return next((k for k, (a, b) in enumerate(pairs) if a != b), len(pairs))

        best = max(map(shared, found))
        likely = [path for path in found if shared(path) == best]
        if len(likely) > 1:
            raise DataError(
                f"Both {likely[0]} and {likely[1]} may be the video {named}: give --videos the "
                "folder of the right ones."
            )
        return likely[0]

    def listed(self, path: Path) -> str:
        """Return a found video's path in the folder that was searched, or as it is."""
        where = self.given or self.home
        return (path.relative_to(where) if path.is_relative_to(where) else path).as_posix()


def report_missing(named: Sequence[tuple[PurePath, Path | None]], source: Path) -> None:
    """Warn of videos that a source names and that were not found; DataError where none was."""
    missing = [str(video) for video, path in named if path is None]
    advice = "Put them beside it, or give --videos DIR."
    if missing and len(missing) == len(named):
        raise DataError(
            f"{source} is about {counted(len(missing), 'video')}, and none was found: the first"
            f" is called {missing[0]!r}. {advice}"
        )
    if missing:
        log.warning(
            "%d of %d videos of %s were not found and are left out: the first is called %r. %s",
            len(missing),
            len(named),
            source,
            missing[0],
            advice,
        )


def _is_video(path: Path) -> bool:
    """Return whether a path is that of a video, or of a folder of images."""
    try:
        if path.is_dir():
            return any(image_files(path))
        return path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()
    except (OSError, ValueError):  # too long a name, or none at all
        return False


def _names(named: PurePath) -> list[str]:
    """Return the names that a video may have, the likeliest first."""
    found = []
    for name in dict.fromkeys((named.name, uploaded_name(named.name))):
        found += [name, PurePath(name).stem if PurePath(name).suffix else name]
        for ending in ENDINGS:
            if (stem := PurePath(name).stem).endswith(ending):
                found.append(stem.removesuffix(ending))
            if name.endswith(ending):
                found.append(name.removesuffix(ending))
    return [name for name in dict.fromkeys(found) if name]
