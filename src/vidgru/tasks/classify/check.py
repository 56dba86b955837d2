"""Tell what is wrong with a folder of clips before anything is learned from it."""

from collections import Counter
from collections.abc import Generator
from pathlib import Path

from vidgru.core.address import refuse_live
from vidgru.core.errors import DataError
from vidgru.core.results import Progress, run_to_end
from vidgru.data.checks import findings, report_ignored, report_shortcuts, worst_first
from vidgru.data.dataset import choose_groups, classes_of, grouped, read_all, read_source
from vidgru.data.decode import readings_of
from vidgru.data.duplicates import find_duplicates
from vidgru.data.groups import suggest_groups
from vidgru.data.results import Checked
from vidgru.data.shortcuts import find_shortcuts
from vidgru.nn.choices import stored_side
from vidgru.tasks.classify.check_options import CheckConfig
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.sampling import choose_sampling

Steps = Generator[Progress, None, Checked]


def check_steps(folder: str | Path, config: CheckConfig) -> Steps:
    """Look at every clip, yielding Progress all along and returning what was found.

    Clips are decoded as `train` does by default, into the same cache. Raises DataError when the
    folder cannot be learned from, OptionError when the groups make no sense, OutputError.
    """
    refuse_live(folder)
    folder = Path(folder)
    training = ClassifyTrainConfig(group_by=config.group_by)
    clips = read_source(folder, config.group_by)
    classes_of(clips, folder)
    sampling = choose_sampling(clips, training, stored_side(training.side))
    data = readings_of((yield from read_all(clips, sampling)))
    if not data.frames:
        first = data.skipped[0].error
        raise DataError(f"No clip in {folder} can be read. The first problem: {first}")
    yield Progress("comparing clips", 0, 3, "footage")
    pairs = find_duplicates(list(data.frames), data.frames, data.keys)
    yield Progress("comparing clips", 1, 3, "groups")
    grouping, finding = None, None
    if config.group_by is None and all(clip.group is None for clip in clips):
        if any(clip.part == "val" for clip in clips):
            grouping = suggest_groups(list(data.frames), folder, data.frames)
        else:
            grouping, finding = choose_groups(data, training, folder)
    found = findings(data, sampling, pairs, grouping)
    if finding is not None:
        found.append(finding)
    if folder.is_dir():
        found += report_ignored(folder, clips)
    yield Progress("comparing clips", 2, 3, "shortcuts")
    if grouping is not None:
        data, _ = grouped(data, pairs, grouping)
    shortcuts = find_shortcuts(list(data.frames), data.info, data.frames)
    found += report_shortcuts(shortcuts)
    yield Progress("comparing clips", 3, 3)
    groups = {clip.group for clip in data.frames} - {None}
    return Checked(
        folder=folder,
        clips=dict(sorted(Counter(clip.label for clip in data.frames).items())),
        findings=tuple(worst_first(found)),
        group_by=grouping.group_by if grouping is not None else config.group_by,
        groups=len(groups) or None,
        shortcuts=shortcuts,
    )


def check(folder: str | Path, config: CheckConfig) -> Checked:
    """Look at every clip of a folder and return what was found; see `check_steps`."""
    return run_to_end(check_steps(folder, config))
