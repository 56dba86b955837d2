"""Read a file of annotations, or a folder of such files, as labelled clips."""

import csv
import logging
import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from shlex import quote

from vidgru.core.errors import DataError, OptionError
from vidgru.data.annotations.boris import Aggregated, Tabular
from vidgru.data.annotations.boris import Project as BorisProject
from vidgru.data.annotations.clips import (
    Annotated,
    background,
    first_only,
    merged,
    overlapping,
    read_events,
    say_overlaps,
    with_draws,
    within_videos,
)
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.data.annotations.elan import Elan
from vidgru.data.annotations.label_studio import LabelStudio
from vidgru.data.annotations.reader import Annotations, Document, Reader
from vidgru.data.annotations.subtitles import Subtitles
from vidgru.data.annotations.tables import Frames, Segments
from vidgru.data.annotations.via import Project as ViaProject
from vidgru.data.annotations.via import Table as ViaTable
from vidgru.data.annotations.videos import Searched, Videos, report_missing
from vidgru.data.columns import roles_of
from vidgru.data.folder import Clip, with_groups
from vidgru.data.groups import noun_of, suggest_groups
from vidgru.data.results import counted, some_of
from vidgru.video.find import RUN_FILES, find_files, is_folder, is_root
from vidgru.video.read import VIDEO_SUFFIXES

log = logging.getLogger("vidgru")

# The first one that recognises a file reads it.
READERS: tuple[Reader, ...] = (
    BorisProject(), Tabular(), Aggregated(), ViaProject(), ViaTable(), LabelStudio(), Elan(),
    Segments(), Frames(), Subtitles(),
)  # fmt: skip
SUFFIXES = frozenset[str]().union(*(reader.suffixes for reader in READERS))
UNGROUPED = "none"  # --group-by
MAX_NAMED = 20  # labels that a sentence names


def find_reader(document: Document) -> Reader | None:
    """Return what reads a file of annotations, None where it is none."""
    fit = (r for r in READERS if document.suffix in r.suffixes and r.recognises(document))
    return next(fit, None)


def annotation_files(
    source: Path, *, deep: bool, flat: bool
) -> tuple[list[Path], dict[bool, list[Path]]]:
    """Return the files of annotations that a source is or holds, and files with their suffixes.

    The latter by whether they are known to be something else, as lists of clips are. Of a folder,
    `deep`: those at any depth; `flat`: those directly in it, if it holds no folders.
    """
    if os.path.isdir(source):  # source.is_dir() fails on too long a name
        searched = deep or (flat and _is_flat(source))
        # Whoever looks for the clips says which links are left out.
        found = find_files(source, SUFFIXES, [])[0] if searched else []
    else:
        found = [source] if source.suffix.lower() in SUFFIXES else []
    files, others = list[Path](), dict[bool, list[Path]]({True: [], False: []})
    for path in filter(os.path.isfile, found):
        document = Document(path)
        if find_reader(document) is not None:
            files.append(path)
        else:
            others[_is_something_else(document)].append(path)
    return files, others


def refuse_files(files: Sequence[Path]) -> None:
    """Raise DataError where there are files that are neither annotations nor something else."""
    if files:
        kinds = ", ".join(reader.name for reader in READERS)
        are = f"{some_of([*map(str, files)])} {'is' if len(files) == 1 else 'are'}"
        raise DataError(f"{are} none of the annotations that can be read: {kinds}.")


def _is_flat(folder: Path) -> bool:
    if is_root(folder):
        return False
    with os.scandir(folder) as entries:
        return not any(is_folder(e) for e in entries if not e.name.startswith("."))


def _is_something_else(document: Document) -> bool:
    """Return whether a file lists clips or their groups, or lies in the folder of a run."""
    run = any((document.path.parent / name).exists() for name in RUN_FILES)
    return run or "path" in roles_of(document.header)


def _sources(files: Sequence[Path]) -> Path:
    return files[0] if len(files) == 1 else Path(os.path.commonpath(files))


def read_annotations(
    files: Sequence[Path], config: AnnotationConfig, group_by: str | None
) -> list[Clip]:
    """Return the clips that files of annotations make of their videos, with groups.

    A group is a video, or what `group_by`, as for folders, makes of the videos' paths; with "none"
    there are none. Raises DataError for what is wrong with a file, OptionError.
    """
    folder = None if config.videos is None else Path(config.videos)
    clips, videos, closed = list[Clip](), dict[Path, str](), dict[Path, list[tuple[float, float]]]()
    named, searched = list[tuple[PurePath, Path | None]](), Searched()
    for path in files:
        found = read_events(_read(path), path, folder, searched)
        clips += found.clips
        videos |= found.videos
        named += found.named
        for video, spans in found.closed.items():
            closed.setdefault(video, []).extend(spans)
    source = _sources(files)
    report_missing(named, source)
    clips = within_videos(merged(only(clips, source, config)))
    if (pairs := overlapping(clips)) and config.overlap is None:
        raise DataError(say_overlaps(pairs, source))
    clips = first_only(clips)
    if config.background is not None:
        clips += background(Annotated(clips, videos, closed), config.background)
    if not clips:
        raise DataError(f"{source} gives no time with a label to learn from.")
    return _grouped(with_draws(clips), folder or files[0].parent, group_by)


def annotated_videos(
    files: Sequence[Path], config: AnnotationConfig, group_by: str | None
) -> list[Clip]:
    """Return the whole videos that files of annotations are about, all with the label ""."""
    folder = None if config.videos is None else Path(config.videos)
    found, named = dict[Path, str](), list[tuple[PurePath, Path | None]]()
    searched = Searched()
    for path in files:
        where = Videos(path, folder, searched)
        own = {video: where.find(video) for video in _read(path).videos}
        named += own.items()
        for video in filter(None, own.values()):
            found.setdefault(video, where.listed(video))
    report_missing(named, _sources(files))
    clips = [Clip(path, listed, "") for path, listed in found.items()]
    return _grouped(clips, folder or files[0].parent, group_by)


def _read(path: Path) -> Annotations:
    document = Document(path)
    reader = find_reader(document)
    if reader is None:
        raise DataError(f"{path} is no file of annotations any more.")
    return reader.read(document)


def _grouped(clips: list[Clip], folder: Path, group_by: str | None) -> list[Clip]:
    """Return clips with the groups of their videos."""
    if group_by == UNGROUPED:
        return [replace(clip, group=None) for clip in clips]
    videos = {clip.listed: Clip(clip.path, clip.listed, "", group=clip.listed) for clip in clips}
    if group_by is None:
        grouping = suggest_groups(list(videos.values()), folder, None)
        if grouping is not None and 1 < (count := len({*grouping.groups.values()})) < len(videos):
            log.warning(
                "The videos seem to be of %s. Each video is on one side of the split; what keeps "
                "these on one side, too, is --group-by %s.",
                counted(count, noun_of(grouping.group_by)),
                quote(grouping.group_by),
            )
        return clips
    groups = {v.name: v.group for v in with_groups(list(videos.values()), folder, group_by)}
    return [replace(clip, group=groups[clip.listed]) for clip in clips]


def labels_wanted(config: AnnotationConfig) -> set[str] | None:
    """Return the names that --labels gives, None where all are wanted. Raises OptionError."""
    if config.labels is None:
        return None
    try:
        wanted = {name.strip() for name in next(csv.reader([config.labels], strict=True), [])}
    except csv.Error:
        wanted = set()
    if not wanted - {""}:
        raise OptionError(f"Invalid --labels {config.labels!r}. Give names, separated by commas.")
    return wanted


def only(clips: list[Clip], source: Path, config: AnnotationConfig) -> list[Clip]:
    """Return the clips of the labels that --labels names; raises DataError for one without any."""
    wanted = labels_wanted(config)
    if wanted is None:
        return clips
    there = Counter(clip.label for clip in clips)
    if strange := sorted(wanted - there.keys()):
        known = ", ".join(repr(label) for label, _ in there.most_common(MAX_NAMED))
        raise DataError(f"{source} has no label {strange[0]!r}. It has {known}.")
    return [clip for clip in clips if clip.label in wanted]


def with_options(clips: list[Clip], source: Path, config: AnnotationConfig) -> list[Clip]:
    """Return the clips of a folder or list as --labels, --overlap and --background want them."""
    clips = only(clips, source, config)
    timed = [clip for clip in clips if clip.start is not None or clip.end is not None]
    if config.overlap is not None:
        clips = first_only(merged(clips))
    elif pairs := overlapping(timed):
        log.warning("%s", say_overlaps(pairs, source))
    if config.background is not None and timed:
        paths = {clip.path for clip in timed}
        own = [clip for clip in clips if clip.path in paths]
        clips = clips + background(
            Annotated(own, {clip.path: clip.listed for clip in own}, {}), config.background
        )
    return clips


def more_background(config: AnnotationConfig, taken: Collection[str] = ()) -> list[Clip]:
    """Return the videos of --background-videos, a clip and a group each. Raises DataError.

    Their names begin with that of the folder; where these are `taken`, they are whole paths.
    """
    if config.background_videos is None:
        return []
    if config.background is None:
        raise OptionError("--background-videos needs --background: the name of the class.")
    folder = Path(config.background_videos)
    if not folder.is_dir():
        raise DataError(f"--background-videos {folder} is not a folder.")
    found, _ = find_files(folder, VIDEO_SUFFIXES)
    if not found:
        raise DataError(f"--background-videos {folder} holds no videos.")
    names = [f"{folder.name}/{path.relative_to(folder).as_posix()}" for path in found]
    if not {*taken}.isdisjoint(names):
        names = [path.absolute().as_posix() for path in found]
    return [
        Clip(path, name, config.background, None, name)
        for path, name in zip(found, names, strict=True)
    ]


def is_more_background(clip: Clip, config: AnnotationConfig) -> bool:
    """Return whether a clip is one of those videos, each of which is a group by itself."""
    folder = config.background_videos
    return (
        folder is not None and clip.label == config.background and clip.path.is_relative_to(folder)
    )
