"""Tell what is wrong with a folder of clips before anything is learned from it."""

from collections import Counter
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

from vidgru.config import CheckConfig, TrainConfig, stored_side
from vidgru.data.duplicates import find_duplicates
from vidgru.data.findings import findings, tell_ignored, tell_shortcuts, worst_first
from vidgru.data.gather import choose_sampling, gather, read_clips
from vidgru.data.groups import suggest_groups
from vidgru.data.shortcuts import find_shortcuts
from vidgru.results import Checked, Progress
from vidgru.verbs.train import run_to_end

Steps = Generator[Progress, None, Checked]


def check_steps(folder: str | Path, config: CheckConfig) -> Steps:
    """Look at every clip, yielding Progress all along and returning what was found.

    Clips are decoded as `train` does by default, into the same cache. Raises DataError when the
    folder cannot be learned from, OptionError when the groups make no sense, OutputError.
    """
    folder = Path(folder)
    training = TrainConfig(group_by=config.group_by)
    clips = read_clips(folder, training)
    sampling = choose_sampling(clips, training, stored_side(training.size))
    data = yield from gather(clips, sampling, training, quiet=True)
    read = list(data.frames)
    yield Progress("comparing clips", 0, 3, "footage")
    pairs = find_duplicates(read, data.frames, data.keys)
    yield Progress("comparing clips", 1, 3, "groups")
    grouping = suggest_groups(read, folder, data.frames) if config.group_by is None else None
    yield Progress("comparing clips", 2, 3, "shortcuts")
    suggested = grouping.groups if grouping is not None else {}
    grouped = {clip: replace(clip, group=suggested.get(clip.name, clip.group)) for clip in read}
    shortcuts = find_shortcuts(
        list(grouped.values()),
        {grouped[clip]: facts for clip, facts in data.facts.items()},
        {grouped[clip]: frames for clip, frames in data.frames.items()},
    )
    found = findings(data, sampling, pairs, grouping)
    found += tell_shortcuts(shortcuts) + tell_ignored(folder, clips)
    yield Progress("comparing clips", 3, 3)
    groups = {clip.group for clip in grouped.values()} - {None}
    return Checked(
        folder=folder,
        clips=dict(sorted(Counter(clip.label for clip in read).items())),
        findings=tuple(worst_first(found)),
        group_by=grouping.group_by if grouping is not None else config.group_by,
        groups=len(groups) or None,
        shortcuts=shortcuts,
    )


def check(folder: str | Path, config: CheckConfig) -> Checked:
    """Look at every clip of a folder and return what was found; see `check_steps`."""
    return run_to_end(check_steps(folder, config))
