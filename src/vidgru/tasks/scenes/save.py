"""Write files from scenes of videos: edit lists, pictures, contact sheets and pieces."""

import os
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from vidgru.core.errors import OptionError, OutputError, VideoError
from vidgru.core.results import Failure, Progress
from vidgru.tasks.scenes import edl
from vidgru.tasks.scenes.options import ScenesConfig
from vidgru.tasks.scenes.results import Scenes
from vidgru.tasks.scenes.sheet import contact_sheet, pick, thumbnail_size
from vidgru.video.heat import SUFFIX
from vidgru.video.output_paths import (
    check_csv,
    plan_files,
    plan_folders,
    refuse_overwriting_sources,
)
from vidgru.video.pieces import SUFFIXES, cut_video, warn_without_encoder
from vidgru.video.read import Image, open_video, shrink
from vidgru.video.write import write_image

PICTURES = ("first", "middle", "last")
IMAGE = re.compile(rf"scene-\d{{3,}}-({'|'.join(PICTURES)})\.jpg")
PIECE = re.compile(rf"scene-\d{{3,}}({'|'.join(map(re.escape, SUFFIXES))})")


@dataclass(frozen=True)
class OutputPaths:
    """The output paths of a source: two files and two folders."""

    edl: Path | None
    sheet: Path | None
    images: Path | None
    split: Path | None

    @property
    def all(self) -> tuple[Path, ...]:
        """Return all paths that are to be written."""
        return tuple(path for f in fields(self) if (path := getattr(self, f.name)) is not None)


def plan(
    sources: Sequence[str], found: Sequence[Path | Failure], config: ScenesConfig
) -> dict[Path, OutputPaths]:
    """Return the output paths of each source.

    Raises OptionError for impossible paths, and OutputError for existing ones, unless the
    config sets `overwrite`.
    """
    videos = list(dict.fromkeys(item for item in found if isinstance(item, Path)))
    new = not config.overwrite
    lists = plan_files("--edl", config.edl, (edl.SUFFIX,), sources, found, new)
    sheets = plan_files("--sheet", config.sheet, (SUFFIX,), sources, found, new)
    images = _folders("--images", config.images, IMAGE, sources, found, new)
    pieces = _folders("--split", config.split, PIECE, sources, found, new)
    if pieces:
        warn_without_encoder()
    files = [*lists.values(), *sheets.values()]
    check_csv(config.csv, found)
    if config.csv is not None:
        files.append(Path(config.csv))
    taken: set[str] = set()
    for file in files:
        if (real := os.path.realpath(file)) in taken:
            raise OptionError(f"{file} would be written twice: give another name.")
        if new and os.path.lexists(file):
            raise OutputError(f"{file} exists: give another name, or --overwrite.")
        taken.add(real)
    return {
        v: OutputPaths(lists.get(v), sheets.get(v), images.get(v), pieces.get(v)) for v in videos
    }


def _folders(
    option: str,
    target: str | None,
    name: re.Pattern[str],
    sources: Sequence[str],
    found: Sequence[Path | Failure],
    new: bool,
) -> Mapping[Path, Path]:
    if target is None:
        return {}
    if not target:
        raise OptionError(f"{option} is empty: give a folder.")
    planned = plan_folders(target, "", sources, found)
    written = {folder: _written(folder, name) for folder in planned.values()}
    outputs = [path for folder, files in written.items() for path in (folder, *files)]
    refuse_overwriting_sources(outputs, planned, f"give another {option}")
    if new and (there := next(filter(None, written.values()), None)):
        raise OutputError(f"{there[0]} exists: give another {option}, or --overwrite.")
    return planned


def _written(folder: Path, name: re.Pattern[str]) -> list[Path]:
    """Return the files in a folder that were written by us, by their names."""
    if not folder.is_dir():
        return []
    return [folder / each for each in sorted(os.listdir(folder)) if name.fullmatch(each)]


def save_scenes(
    scenes: Scenes, outputs: OutputPaths
) -> Generator[Progress, None, list[Path | Failure]]:
    """Write the planned files of a source; return each path, or the Failure."""
    done: list[Path | Failure] = []

    def attempt(
        steps: Generator[Progress, None, None], *written: Path | None
    ) -> Generator[Progress, None, None]:
        try:
            yield from steps
            done.extend(path for path in written if path is not None)
        except (VideoError, OutputError) as error:
            done.append(Failure(scenes.source, str(error)))
        except OSError as error:
            where = error.filename or next(path for path in written if path is not None)
            why = f"Cannot write {os.fsdecode(where)}: {error.strerror or error}."
            done.append(Failure(scenes.source, why))

    if outputs.edl is not None:
        yield from attempt(_save_edl(scenes, outputs.edl), outputs.edl)
    if outputs.images is not None or outputs.sheet is not None:
        steps = _save_pictures(scenes, outputs.images, outputs.sheet)
        yield from attempt(steps, outputs.images, outputs.sheet)
    if outputs.split is not None:
        yield from attempt(_save_pieces(scenes, outputs.split), outputs.split)
    return done


def _save_edl(scenes: Scenes, path: Path) -> Generator[Progress, None, None]:
    yield Progress("Edit list", 0, 1)
    edl.write_edl(scenes, path)


def _name(scenes: Scenes, number: int) -> str:
    return f"scene-{number:0{max(3, len(str(len(scenes.scenes))))}}"


def _save_pictures(
    scenes: Scenes, folder: Path | None, sheet: Path | None
) -> Generator[Progress, None, None]:
    """Write pictures of each scene, and a sheet with the middle ones, in one pass over the frames.

    All are of frames outside of transitions.
    """
    wanted: dict[int, list[Callable[[Image], None]]] = {}
    size = thumbnail_size(scenes.width, scenes.height)
    shown = [scenes.scenes[n] for n in (pick(len(scenes.scenes)) if sheet is not None else [])]
    small: list[Image] = []
    files: list[Path] = []
    for scene in scenes.scenes:
        clear = scenes.clear(scene)
        middle = clear[len(clear) // 2]
        if folder is not None:
            for frame, what in zip((clear[0], middle, clear[-1]), PICTURES, strict=True):
                file = folder / f"{_name(scenes, scene.number)}-{what}.jpg"
                files.append(file)
                wanted.setdefault(frame, []).append(_saver(file))
        if scene in shown:
            wanted.setdefault(middle, []).append(lambda rgb: small.append(shrink(rgb, size)))
    last = max(wanted)
    with open_video(scenes.source) as video:
        while video.frames_read <= last:
            if video.grab() is None:
                raise VideoError(f"{scenes.source} has changed: it ends before frame {last}.")
            if takers := wanted.get(video.frames_read - 1):
                rgb = video.retrieve()
                for take in takers:
                    take(rgb)
            yield Progress("Pictures", video.frames_read, last + 1)
    if folder is not None:
        _forget(folder, IMAGE, files)
    if sheet is not None:
        note = f"{len(scenes.scenes)} scene{'s' if len(scenes.scenes) != 1 else ''}"
        if len(shown) < len(scenes.scenes):
            note = f"{len(shown)} of {note}"
        title = os.path.basename(os.path.abspath(scenes.source))
        captions = [(scene.number, scene.start_seconds) for scene in shown]
        write_image(sheet, contact_sheet(small, captions, title, note))


def _saver(file: Path) -> Callable[[Image], None]:
    return lambda rgb: write_image(file, rgb)


def _save_pieces(scenes: Scenes, folder: Path) -> Generator[Progress, None, None]:
    steps = cut_video(
        Path(scenes.source),
        [(scene.start, scene.end) for scene in scenes.scenes],
        [*(scene.start_seconds for scene in scenes.scenes), scenes.seconds],
        scenes.fps,
        lambda index: folder / _name(scenes, index + 1),
        variable=scenes.variable,
    )
    done = 0
    while True:
        try:
            done = max(done, next(steps))
        except StopIteration as stop:
            _forget(folder, PIECE, [piece.path for piece in stop.value])
            return
        yield Progress("Splitting", done, scenes.frames)


def _forget(folder: Path, name: re.Pattern[str], written: Sequence[Path]) -> None:
    """Remove the files of an earlier run from a folder, unless this run replaced them."""
    for old in set(_written(folder, name)) - set(written):
        old.unlink()
