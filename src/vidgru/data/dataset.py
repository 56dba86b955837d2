"""Prepare a folder's clips for training: read, decoded and split."""

import hashlib
import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vidgru.core.errors import DataError, OptionError
from vidgru.core.results import Progress
from vidgru.data.annotations.read import is_more_background, labels_wanted
from vidgru.data.cache import Sampling
from vidgru.data.checks import findings, is_copy, report_groups, report_shortcuts
from vidgru.data.csv_list import apply_split
from vidgru.data.decode import (
    Decoded,
    Readings,
    decode_clips,
    in_order,
    readings_of,
    say_problems,
    without_stills,
)
from vidgru.data.duplicates import Duplicate, find_duplicates
from vidgru.data.folder import GROUPS_FILE, Clip, read_groups, with_groups
from vidgru.data.groups import Grouping, is_group_name, noun_of, suggestions
from vidgru.data.learnable import Parts, check_learnable, check_readable, split_by_part
from vidgru.data.results import Finding, Split
from vidgru.data.shortcuts import find_shortcuts
from vidgru.data.sources import read_source
from vidgru.data.split import (
    Pair,
    Units,
    on_several,
    split_folds,
    units_of,
    videos_of,
)
from vidgru.data.split_config import SplitConfig

log = logging.getLogger("vidgru")
MAX_HELD = 0.5  # largest share for validation, where whole groups require more
FEW_TO_VALIDATE, FOLDS = 12, 4
# What `train` warns of; the rest it handles, or is logged clip by clip.
WARNED = frozenset(
    {"contradictory labels", "leak", "groups across parts", "tiny class"}
    | {"unbalanced", "blank", "still", "shortcut"}
)
ABOUT_CLASSES = frozenset({"contradictory labels", "tiny class", "unbalanced", "shortcut"})


@dataclass(frozen=True)
class Dataset(Readings):
    """Clips that were read, by part (train, val, test).

    units: which clips stay together, see `data.split`; split: how parts were made;
    folds: number of folds to train, None where one part of the clips is held out once.
    """

    parts: Parts
    units: Units
    split: Split
    folds: int | None

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes, sorted."""
        return tuple(sorted({clip.label for clip in self.parts["train"]}))


def fingerprint(data: Dataset) -> str:
    """Return a hash of the clips, their split, and each one's first frame."""
    digest = hashlib.blake2b(digest_size=20)
    for part, clips in data.parts.items():
        for clip in clips:
            segments = data.frames[clip]
            digest.update(repr((part, clip.name, clip.label, segments.shape)).encode())
            digest.update(segments[0, 0].tobytes())
    return digest.hexdigest()


def read_clips(folder: Path, config: SplitConfig) -> list[Clip]:
    """Return the clips of the folder or list, and of the validation folder if there is one.

    Raises DataError when there are fewer than two classes, or no way to split them.
    """
    labelled = config.labelled
    clips = read_source(folder, config.group_by, labelled=labelled, annotations=config)
    if config.split is not None:
        # What --labels leaves out stands in the table of a run without that option.
        labels = labels_wanted(config)
        if labels is not None and config.background is not None:
            labels |= {config.background}
        clips, unnamed = apply_split(clips, Path(config.split), labelled=labelled, labels=labels)
        if unnamed:
            log.warning(
                "Clips left out, as %s does not list them: %d; the first is %s.",
                config.split,
                len(unnamed),
                unnamed[0].name,
            )
    if config.val_folder is not None:
        own = replace(config, background_videos=None)  # which are to learn from
        held_out = _read_held_out(Path(config.val_folder), own)
        clips = [c if c.part == "test" else replace(c, part="train") for c in clips]
        held_out = [replace(clip, part="val") for clip in held_out if clip.part in (None, "val")]
        if not held_out:
            raise DataError(f"{config.val_folder} holds no clips to validate with.")
        clips += held_out
    check_learnable(clips, folder, config)
    return clips


def _read_held_out(folder: Path, config: SplitConfig) -> list[Clip]:
    """Return the clips of a validation folder, with groups if `config` gives them any."""
    try:
        return read_source(folder, config.group_by, labelled=config.labelled, annotations=config)
    except (DataError, OptionError) as error:
        if config.group_by is None:
            raise
        # It need not have the table or names of the folder to learn from.
        clips = read_source(folder, labelled=config.labelled, annotations=config)
        log.warning("The clips of %s have no groups. %s", folder, error)
        return clips


def read_all(clips: Sequence[Clip], sampling: Sampling) -> Generator[Progress, None, list[Decoded]]:
    """Decode clips; return readable and unreadable ones, in order."""
    results: list[Decoded] = []
    for result in decode_clips(clips, sampling):
        results.append(result)
        note = f"{sum(r.from_cache for r in results)} from the cache"
        yield Progress("reading clips", len(results), len(clips), note)
    return in_order(results)


def build_dataset(
    clips: list[Clip], sampling: Sampling, config: SplitConfig, folder: Path
) -> Generator[Progress, None, Dataset]:
    """Decode all clips and split those that could be read.

    By default, copies, cuts of one video, and groups suggested by names or tables stay on one side,
    as far as possible. Problems of clips, and skipped clips, are logged as warnings. Raises
    DataError when a class has no clip left, or given groups cannot be kept apart.
    """
    results = yield from read_all(clips, sampling)
    say_problems(results)
    readings = readings_of(results)
    if not config.labelled:
        readings = without_stills(readings)
    check_readable(clips, readings)
    dataset = _split(readings, sampling, config, folder)
    unchecked = set(dataset.labels) - {clip.label for clip in dataset.parts["val"]}
    if unchecked and dataset.folds is None and config.labelled:
        log.warning("No clip of the class %r is left to validate with.", min(unchecked))
    return dataset


def _split(readings: Readings, sampling: Sampling, config: SplitConfig, folder: Path) -> Dataset:
    """Split clips as the folder or the config defines, or else so that scores are not inflated."""
    pairs = find_duplicates(list(readings.frames), readings.frames, readings.keys)
    grouping, finding = None, None
    given = any(clip.part == "val" for clip in readings.frames)
    free = config.group_by is None and all(clip.group is None for clip in readings.frames)
    if free and not given:
        grouping, finding = choose_groups(readings, config, folder)
        if grouping is not None:
            readings, pairs = grouped(readings, pairs, grouping.groups)
        else:
            if finding is not None:
                log.warning("%s", finding.sentence)
            if (cuts := apart_by_video(readings, config)) is not None:
                readings, pairs = grouped(readings, pairs, cuts)
    clips = list(readings.frames)
    copies = [(pair.first, pair.second) for pair in pairs if is_copy(pair)]
    by_video = config.group_by is None and all(clip.group == clip.listed for clip in clips)
    bound = free or by_video  # rather than grouped as somebody wished
    units = _bound(readings.videos, copies, config) if bound else units_of(clips)
    parts = split_by_part(clips, config, units)
    if not given and (few := len(parts["val"])) < FEW_TO_VALIDATE and config.open_to_folds:
        config = _with_folds(clips, config, units)
        parts = split_by_part(clips, config, units)
        if config.cross_validated:
            log.warning(
                "Only %d validation clips: too few to measure accuracy, so %d folds are trained,"
                " then the model on all clips. To train once: --folds 1.",
                few,
                config.folds,
            )
    sides = {clip: part for part, held_out in parts.items() for clip in held_out}
    if config.folds is not None and config.cross_validated:
        folds = split_folds(parts["train"], config.folds, config.seed, units)
        sides.update(
            (c, f"fold {number}") for number, (_, held_out) in enumerate(folds) for c in held_out
        )
    found = findings(readings, sampling, pairs, None, sides)
    kinds = WARNED
    if config.labelled:
        found += report_shortcuts(find_shortcuts(clips, readings.info, readings.frames))
    else:
        kinds = WARNED - ABOUT_CLASSES
    for finding in found:
        if finding.kind in kinds:
            log.warning("%s", finding.sentence)
    cut = [clip for clip in clips if clip.start is not None or clip.end is not None]
    if not given and (mixed := on_several(((readings.videos[clip], clip) for clip in cut), sides)):
        log.warning(
            "Clips cut from one video are on both sides of the split, so the scores are too"
            " optimistic: those of %d of %d videos.",
            mixed,
            len({readings.videos[clip] for clip in cut}),
        )
    groups = {
        # A clip without a group counts by itself.
        part: len({clip.name if clip.group is None else f"group {clip.group}" for clip in held_out})
        for part, held_out in parts.items()
    }
    has_groups = any(clip.group is not None for clip in clips)
    by = config.group_by if grouping is None else grouping.group_by
    noun = noun_of(by) if has_groups else None
    if by is None and by_video:
        noun = "video"  # as annotations have it
    together = sum(sides[first] == sides[second] for first, second in copies)
    split = Split(
        clips={part: len(held_out) for part, held_out in parts.items()},
        groups=groups if has_groups else None,
        group_by=by,
        suggested=grouping is not None,
        together=together,
        apart=len(copies) - together,
        given=given,
        noun=noun,
        mixed=tuple(
            other.group_by
            for other in (grouping.others if grouping is not None else ())
            if on_several(
                ((other.groups[c.name], c) for c in clips if c.name in other.groups), sides
            )
        ),
    )
    count = config.folds if config.cross_validated else None
    return Dataset(**vars(readings), parts=parts, units=units, split=split, folds=count)


def _with_folds(clips: list[Clip], config: SplitConfig, units: Units) -> SplitConfig:
    """Return the config with as many folds, up to four, as the clips allow."""
    for folds in range(FOLDS, 1, -1):
        try:
            split_by_part(clips, tried := replace(config, folds=folds), units)
        except DataError:
            continue
        return tried
    return config


def _bound(
    videos: Mapping[Clip, str], copies: Sequence[Pair], config: SplitConfig
) -> dict[Clip, str]:
    """Return units that join groups, copies and cuts of one video, as far as they can be split.

    Equal videos are one, whatever they are called.
    """
    first: dict[str, Clip] = {}
    clips = list(videos)
    cuts = [(first.setdefault(video, clip), clip) for clip, video in videos.items()]
    for together in ([*copies, *cuts], cuts, copies):
        units = units_of(clips, together)
        if _why_not(units, config) is None:
            return units
    return units_of(clips)


def _why_not(units: Units, config: SplitConfig) -> DataError | None:
    """Return why clips cannot be split with such units kept whole, None where they can."""
    try:
        parts = split_by_part(list(units), config, units)
    except DataError as error:
        return error
    count, held_out = len(parts["train"]) + len(parts["val"]), len(parts["val"])
    if held_out <= max(MAX_HELD, 2 * config.val) * count:
        return None
    return DataError(f"Of {count} clips, {held_out} would be kept for validation.")


def choose_groups(
    readings: Readings, config: SplitConfig, folder: Path
) -> tuple[Grouping | None, Finding | None]:
    """Return the best groups that names or tables suggest and that can be kept apart, if any.

    Also the finding about them, or about those that cannot be kept apart. Tables that cannot be
    used are logged as warnings.
    """
    finding, clips = None, [c for c in readings.frames if not is_more_background(c, config)]
    for why in _unused_columns(clips, folder):
        log.warning("Groups of groups.csv are not used. %s", why)
    # Whatever the groups.
    hopeless = _why_not(units_of(list(readings.frames)), config) is not None
    for grouping in suggestions(clips, folder, readings.frames):
        named, _ = grouped(readings, (), grouping.groups)
        reason = _why_not(units_of(list(named.frames)), config)
        if reason is None or hopeless:
            return grouping, report_groups(grouping, None)
        finding = finding or report_groups(grouping, reason)
    return None, finding


def _unused_columns(clips: Sequence[Clip], folder: Path) -> Iterator[str]:
    """Yield why a column of FOLDER/groups.csv gives no groups, where its name means such."""
    if folder.is_file() or not (folder / GROUPS_FILE).is_file():
        return
    try:
        names = read_groups(folder / GROUPS_FILE).names
    except DataError as error:
        yield str(error)
        return
    for column in filter(is_group_name, names[1:]):
        try:
            with_groups(list(clips), folder, column)
        except DataError as error:
            yield str(error)


def apart_by_video(readings: Readings, config: SplitConfig) -> dict[str, str] | None:
    """Return the video that each clip, by its name, is cut from, where these can be kept apart."""
    videos = videos_of(list(readings.frames))
    if videos is None:
        return None
    named, _ = grouped(readings, (), videos)
    return videos if _why_not(units_of(list(named.frames)), config) is None else None


def grouped(
    readings: Readings, pairs: Sequence[Duplicate], groups: Mapping[str, str]
) -> tuple[Readings, list[Duplicate]]:
    """Return the same clips and pairs of them, with groups, which are given by clips' names."""
    named = {clip: replace(clip, group=groups.get(clip.name)) for clip in readings.frames}
    return (
        Readings(
            {named[clip]: known for clip, known in readings.frames.items()},
            {named[clip]: known for clip, known in readings.info.items()},
            {named[clip]: known for clip, known in readings.keys.items()},
            {named[clip]: known for clip, known in readings.videos.items()},
            readings.skipped,
        ),
        [replace(p, first=named[p.first], second=named[p.second]) for p in pairs],
    )
