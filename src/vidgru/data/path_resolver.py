"""Find the files that a list names where the list does not say in which folder they lie."""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vidgru.video.find import is_folder, is_hidden, is_root, is_video
from vidgru.video.read import IMAGE_SUFFIXES

MAX_FOLDERS = 5000  # that are searched at one level


class PathResolver:
    """Folders in which the clips of a list may lie.

    First that of the list, and where none of its clips lies there: those in it, then the one above
    with those beside the list, then those one level further down. `used` are those, but the list's
    own, in which clips were found.
    """

    def __init__(self, listing: Path) -> None:
        self._own = listing.parent
        self._levels: list[tuple[list[Path], dict[str, list[Path]]]] = []
        self._more = self._search(self._own)
        self.used: dict[Path, int] = defaultdict(int)

    def keep_to_own(self, names: Iterable[str]) -> None:
        """Look into no other folder if any of these lies in the list's."""
        if any(os.path.lexists(self._own / name) for name in names):
            del self._levels[1:]
            self._more = iter(() if self._levels else [[self._own]])

    def find(self, names: Sequence[str]) -> Path | None:
        """Return the file or folder of the first of these names that is found anywhere.

        A name may lack its suffix. What lies in several places is not found: nobody knows which.
        """
        for name in names:
            if os.path.lexists(self._own / name):
                return self._own / name
        number = 0
        while number < len(self._levels) or self._go_on():
            for name in names:
                found = self._at(*self._levels[number], name)
                if len(found) > 1:
                    return None
                if found:
                    place = found[0].parents[len(Path(name).parts) - 1]
                    if place != self._own:
                        self.used[place] += 1
                    return found[0]
            number += 1
        return None

    @staticmethod
    def _at(folders: list[Path], index: dict[str, list[Path]], name: str) -> list[Path]:
        if os.path.isabs(name) or ".." in name.split("/"):
            return []
        if "/" in name:
            return [folder / name for folder in folders if os.path.lexists(folder / name)]
        return index.get(name, [])

    def _go_on(self) -> bool:
        folders = next(self._more, None)
        if folders is None:
            return False
        index: dict[str, list[Path]] = defaultdict(list)
        for folder in folders:
            for entry in _entries(folder):
                stem, suffix = os.path.splitext(entry.name)
                if is_video(entry.name) or suffix.lower() in IMAGE_SUFFIXES:
                    index[stem].append(Path(entry))
                    index[entry.name].append(Path(entry))
                elif is_folder(entry):
                    index[entry.name].append(Path(entry))
        self._levels.append((folders, dict(index)))
        return True

    @staticmethod
    def _search(own: Path) -> Iterator[list[Path]]:
        yield [own]
        inner = _folders([own])
        yield inner
        above = own / ".."
        if not own.is_symlink():
            above = Path(os.path.normpath(above))
        beside: list[Path] = []
        if not is_root(own) and not is_root(above):
            beside = [d for d in _folders([above]) if os.path.realpath(d) != os.path.realpath(own)]
            yield [above, *beside]
        yield _folders(inner)
        yield _folders(beside)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not is_hidden(entry.name)]
    except OSError:  # what nobody may look into holds no clips for us
        return []


def _folders(parents: Sequence[Path]) -> list[Path]:
    found = [Path(e) for parent in parents for e in _entries(parent) if is_folder(e)]
    return sorted(found)[:MAX_FOLDERS]
