"""Where output files go: one file, or a folder with the structure of the sources."""

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vidgru.core.errors import OptionError, OutputError
from vidgru.core.files import check_file, check_folder
from vidgru.core.results import Failure
from vidgru.video.find import is_image, place


def refuse_overwriting_sources(
    paths: Iterable[Path], sources: Iterable[Path], advice: str = "write elsewhere"
) -> None:
    """Raise OptionError for an output that is one of the sources, or a picture of one."""
    read = {key: source for source in sources for key in _keys(source)}
    for path in paths:
        picture = is_image(path.name) and os.path.lexists(path)
        for key in (*_keys(path), *(_keys(path.parent) if picture else ())):
            if key in read:
                raise OptionError(f"{read[key]} cannot be read and written at once: {advice}.")


def _keys(path: Path) -> list[str | tuple[int, int]]:
    """Return keys that all names of one file share."""
    keys: list[str | tuple[int, int]] = [os.path.realpath(path)]
    with contextlib.suppress(OSError):
        found = os.stat(path)
        keys.append((found.st_dev, found.st_ino))
    return keys


def check_csv(
    table: str | None, found: Sequence[Path | Failure], others: Iterable[Path] = ()
) -> None:
    """Raise OptionError or OutputError for a table that is no file, a source, or another output."""
    if table is None:
        return
    check_file(Path(table))
    refuse_overwriting_sources([Path(table)], [item for item in found if isinstance(item, Path)])
    if Path(table) in others:
        raise OptionError(f"{table} would be written twice: give one of them another name.")


def plan_files(
    option: str,
    target: str | None,
    suffixes: Sequence[str],
    sources: Sequence[str | Path],
    found: Sequence[Path | Failure],
    new: bool = True,
) -> dict[Path, Path]:
    """Return the output file for each video of the sources.

    `target` is the file itself, or a folder: an existing one, a name without a suffix or with a
    slash at its end. There, files are named by `name_each`, with the first of the suffixes. Raises
    OptionError, also for another suffix, for a file where there are several videos, and for one
    that is a source; and OutputError for a file that cannot be written, or that already exists in
    the folder, if they must be `new`.
    """
    if target is None:
        return {}
    if not target:
        raise OptionError(f"{option} is empty: give a file or a folder.")
    videos = list(dict.fromkeys(item for item in found if isinstance(item, Path)))
    path = Path(target)
    made: list[Path] = []  # names that the user did not give
    if target.endswith((os.sep, "/")) or path.is_dir() or not path.suffix:
        names = name_each(videos, sources)
        plan = {v: path / name.parent / f"{name.name}{suffixes[0]}" for v, name in names.items()}
        made = list(plan.values())
    elif path.suffix.lower() not in suffixes:
        endings = " or ".join(suffixes)
        raise OptionError(f"Cannot write {path}: the name must end with {endings}, or be a folder.")
    elif len(videos) > 1:
        raise OptionError(f"{option} {path} is one file for {len(videos)} videos: give a folder.")
    else:
        plan = dict.fromkeys(videos, path)
    refuse_overwriting_sources(plan.values(), videos)
    if new and (there := [file for file in made if os.path.lexists(file)]):
        raise OutputError(f"{there[0]} exists. Give {option} another folder.")
    for file in plan.values():
        check_file(file)
    return plan


def name_each(videos: Sequence[Path], sources: Sequence[str | Path] = ()) -> dict[Path, Path]:
    """Return a path for each video, all different: that below its source, without a suffix.

    Where several have the same, as few folders above them precede it as make them differ, by which
    readers of annotations find the video; within one folder, they are numbered.
    """
    places, taken = _places(sources), set[str]()
    names = {video: _name(video, places, taken) for video in videos}
    alike = defaultdict[str, list[Path]](list)
    for video, (name, _, keep) in names.items():
        alike[str(name if keep else name.parent / name.stem).casefold()].append(video)
    for own in alike.values():
        if len(own) > 1:
            depth = len(names[own[0]][0].parts) - 1
            for video, longer in _with_folders(own, depth).items():
                names[video] = (longer, *names[video][1:])
    return {video: place(*name) for video, name in names.items()}


def _with_folders(videos: Sequence[Path], depth: int) -> dict[Path, Path]:
    """Return videos below as few of their folders as make them differ; {} if `depth` suffice."""
    paths = {video: Path(os.path.abspath(video)) for video in videos}
    most = max(len(path.parts) for path in paths.values())

    def folders(path: Path, count: int) -> tuple[str, ...]:
        above = path.parts[1:-1]
        return above[max(len(above) - count, 0) :]

    def different(count: int) -> int:
        # Some file systems treat X and x as the same.
        return len({str(Path(*folders(path, count))).casefold() for path in paths.values()})

    best = different(most)
    count = next((n for n in range(depth, most) if different(n) == best), depth)
    if count == depth:
        return {}
    return {video: Path(*folders(path, count), path.name) for video, path in paths.items()}


def plan_folders(
    target: str | None, ending: str, sources: Sequence[str | Path], found: Sequence[Path | Failure]
) -> dict[Path, Path]:
    """Return the output folder for each video of the sources.

    `target` is the folder itself, or with several videos the parent of their folders, which are
    named like the sources, in the same subfolders. Without a target each is in the current folder,
    named like the source with `ending`. Raises OutputError for one that cannot be written into.
    """
    videos = list(dict.fromkeys(item for item in found if isinstance(item, Path)))
    if target is not None and len(videos) == 1:
        check_folder(Path(target))
        return {videos[0]: Path(target)}
    taken: set[str] = set()
    plan, places = {}, _places(sources)
    for video in videos:
        name, _, keep = _name(video, places, taken)
        if target is None:
            name = Path(f"{name.name if keep else place(Path(name.name), set())}{ending}")
        plan[video] = Path(target or "") / place(name, taken, keep or target is None)
        check_folder(plan[video])
    return plan


def _places(sources: Sequence[str | Path]) -> dict[Path, int]:
    """Return which of the sources a path is."""
    return {path: number for number, path in reversed([*enumerate(map(Path, sources))])}


def _name(video: Path, places: Mapping[Path, int], taken: set[str]) -> tuple[Path, set[str], bool]:
    """Return the arguments of `place` for a video: its path relative to its source."""
    # There may be thousands of sources; folders above a video are few.
    if above := [folder for folder in video.parents if folder in places]:
        return video.relative_to(min(above, key=lambda folder: places[folder])), taken, False
    return Path(os.path.basename(os.path.abspath(video))), taken, video.is_dir()
