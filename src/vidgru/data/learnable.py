"""Whether clips can be learned from: classes, parts, and what could be read."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vidgru.core.errors import DataError
from vidgru.data.decode import Readings
from vidgru.data.folder import Clip, level_above
from vidgru.data.results import some_of
from vidgru.data.split import ADVICE, Units, leave_out, split_clips, split_folds, units_of
from vidgru.data.split_config import SplitConfig

Parts = dict[str, list[Clip]]


def check_learnable(clips: list[Clip], folder: Path, config: SplitConfig) -> None:
    """Raise DataError when there are less than two classes, or no way to split the clips."""
    if found := refusals(clips, folder, config):
        raise DataError(found[0])


def refusals(clips: list[Clip], folder: Path, config: SplitConfig) -> list[str]:
    """Return all reasons for which clips cannot be learned from, a sentence each."""
    found: list[str] = []
    if config.labelled:
        with _noted(found):
            labels = classes_of(clips, folder)
            _check_parts(clips, labels)
    elif all(clip.part not in (None, "train") for clip in clips):
        found.append(f"{folder} has no clip to train on.")
    if config.cross_validated and any(clip.part == "val" for clip in clips):
        found.append(
            f"{folder} is split into train and val, and --folds makes splits of its own: "
            "leave out --folds, or put all clips into train."
        )
    with _noted(found):
        split_by_part(clips, config, units_of(clips))
    return found


def refusals_once_read(
    clips: list[Clip], readings: Readings, folder: Path, config: SplitConfig
) -> list[str]:
    """Return all reasons for which the clips that could be read cannot be learned from."""
    found: list[str] = []
    readable = list(readings.frames)
    with _noted(found):
        check_readable(clips, readings)
    if not found:
        return refusals(readable, folder, config)
    with _noted(found):  # rather than that there are too few classes, which is no news
        split_by_part(readable, config, units_of(readable))
    return found


def once_each(reasons: Sequence[str]) -> list[str]:
    """Return reasons without those that come again, from fewer clips or with other advice.

    The last one counts: once clips are read, there may be fewer of them, and of other classes.
    """
    found = {}
    for sentence in reasons:
        found[re.sub(r"\d+ (clip|group)s?\b", r"\1", sentence.partition(ADVICE)[0])] = sentence
    return list(found.values())


@contextmanager
def _noted(found: list[str]) -> Iterator[None]:
    """Note the reason of a DataError, and go on."""
    try:
        yield
    except DataError as error:
        found.append(str(error))


def _check_parts(clips: Sequence[Clip], labels: set[str]) -> None:
    """Raise DataError when clips of a class are only to validate or test with."""
    everything = {clip.label for clip in clips}
    if strange := sorted(everything - labels):
        which = f"The class {strange[0]!r} is"
        if several := len(strange) > 1:
            which = f"{len(strange)} classes ({some_of(list(map(repr, strange)))}) are"
        raise DataError(
            f"{which} validated or tested but {'have' if several else 'has'} no training clips: "
            f"move some of {'their' if several else 'its'} clips to those to learn from"
            f"{leave_out(everything, strange)}."
        )


def classes_of(clips: Sequence[Clip], folder: Path) -> set[str]:
    """Return the classes to train on; raises DataError when there are fewer than two."""
    labels = {clip.label for clip in clips if clip.part in (None, "train")}
    if not labels:
        raise DataError(f"{folder} has clips to validate or test with, but none to learn from.")
    if len(labels) < 2:
        raise DataError(
            f"{folder} has only one class ({min(labels)!r}); at least two are needed."
            + level_above(folder)
        )
    return labels


def split_by_part(clips: list[Clip], config: SplitConfig, units: Units) -> Parts:
    """Return the clips by part, as the folder defines them or else split now."""
    learn = [clip for clip in clips if clip.part in (None, "train")]
    held_out = [clip for clip in clips if clip.part == "val"]
    if config.folds is not None and config.cross_validated:
        split_folds(learn, config.folds, config.seed, units)  # raises now if impossible
    elif not held_out:
        learn, held_out = split_clips(learn, config.val, config.seed, units)
    return {
        "train": learn,
        "val": held_out,
        "test": [clip for clip in clips if clip.part == "test"],
    }


def check_readable(clips: Sequence[Clip], readings: Readings) -> None:
    """Raise DataError when no clip of a class can be read."""
    wanted = {clip.label for clip in clips if clip.part in (None, "train")}
    if lost := wanted - {clip.label for clip in readings.frames if clip.part in (None, "train")}:
        which = f" of the class {min(lost)!r}" if min(lost) else ""
        if len(lost) > 1:
            which = f" of {len(lost)} classes ({some_of(sorted(map(repr, lost)))})"
        errors = {failure.source: failure.error for failure in readings.skipped}
        why = [errors.get(str(clip.path)) for clip in clips if clip.label in lost]
        first = next(filter(None, why), readings.skipped[0].error)
        raise DataError(
            f"No clip{which} can be read: repair or remove them{leave_out(wanted, lost)}. "
            f"The first problem: {first}"
        )
