"""Check a folder of clips for problems before training."""

from collections import Counter
from collections.abc import Generator
from pathlib import Path

from vidgru.core.address import check_path
from vidgru.core.errors import DataError
from vidgru.core.results import OnProgress, Progress, run_to_end
from vidgru.data.account import report_account, report_left_out
from vidgru.data.annotations.read import is_more_background
from vidgru.data.checks import findings, report_shortcuts, worst_first
from vidgru.data.dataset import apart_by_video, choose_groups, grouped, read_all
from vidgru.data.decode import readings_of
from vidgru.data.duplicates import find_duplicates
from vidgru.data.groups import suggest_groups
from vidgru.data.learnable import classes_of, once_each, refusals, refusals_once_read
from vidgru.data.results import REFUSED, Checked, Finding, Shortcut
from vidgru.data.shortcuts import find_shortcuts
from vidgru.data.sources import find_source
from vidgru.nn.choices import stored_side
from vidgru.tasks.classify.check_options import CheckConfig
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.sampling import choose_sampling

Steps = Generator[Progress, None, Checked]


def check_steps(folder: str | Path, config: CheckConfig) -> Steps:
    """Check every clip, yielding Progress and returning the findings.

    Clips are decoded as `train` does by default, into the same cache. For what `train` refuses
    them, there are findings of the kind REFUSED, the first of all. Raises DataError when there
    are no clips of two classes, OptionError when the groups are invalid, OutputError.
    """
    check_path(folder)
    folder = Path(folder)
    training = ClassifyTrainConfig(**vars(config))
    clips, account = find_source(folder, config.group_by, annotations=config)
    try:
        classes_of(clips, folder)
    except DataError:  # probably another folder was meant, so nothing is decoded
        report_account(account)
        raise
    refused = refusals(clips, folder, training)
    sampling = choose_sampling(clips, training, stored_side(training.side))
    results = yield from read_all(clips, sampling)
    data = readings_of(results)
    refused += refusals_once_read(clips, data, folder, training)
    yield Progress("comparing clips", 0, 3, "footage")
    pairs = find_duplicates(list(data.frames), data.frames, data.keys)
    yield Progress("comparing clips", 1, 3, "groups")
    grouping, finding = None, None
    free = config.group_by is None and all(clip.group is None for clip in clips)
    asked = [clip for clip in data.frames if not is_more_background(clip, config)]
    if free and asked:
        if refused or any(clip.part == "val" for clip in clips):
            grouping = suggest_groups(asked, folder, data.frames)
        else:
            grouping, finding = choose_groups(data, training, folder)
    found = findings(data, sampling, pairs, grouping)
    if finding is not None:
        found.append(finding)
    found = [Finding(REFUSED, "error", why) for why in once_each(refused)] + found
    found += report_left_out(account)
    yield Progress("comparing clips", 2, 3, "shortcuts")
    if grouping is not None:
        data, _ = grouped(data, pairs, grouping.groups)
    elif free and (cuts := apart_by_video(data, training)) is not None:
        data, _ = grouped(data, pairs, cuts)
    shortcuts: tuple[Shortcut, ...] = ()
    if len({clip.label for clip in data.frames}) > 1:
        shortcuts = find_shortcuts(list(data.frames), data.info, data.frames)
        found += report_shortcuts(shortcuts)
    yield Progress("comparing clips", 3, 3)
    groups = {clip.group for clip in data.frames} - {None}
    return Checked(
        folder=folder,
        clips=dict(sorted(Counter(clip.label for clip in data.frames).items())),
        files=account,
        findings=tuple(worst_first(found)),
        group_by=grouping.group_by if grouping is not None else config.group_by,
        groups=len(groups) or None,
        shortcuts=shortcuts,
    )


def check(folder: str | Path, config: CheckConfig, progress: OnProgress | None = None) -> Checked:
    """Look at every clip of a folder and return what was found; see `check_steps`."""
    return run_to_end(check_steps(folder, config), progress)
