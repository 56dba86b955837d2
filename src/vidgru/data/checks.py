"""Report problems of clips that have been read, in plain words."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote

import numpy as np

from vidgru.core.results import Failure
from vidgru.data.cache import Sampling, Segments
from vidgru.data.decode import Readings
from vidgru.data.duplicates import Duplicate
from vidgru.data.folder import Clip
from vidgru.data.groups import Grouping, noun_of
from vidgru.data.results import Finding, Shortcut, counted, some_of
from vidgru.data.thumbnails import grey

FEW_CLIPS = 5  # of a class
UNBALANCED = 3.0  # clips of the largest class for one of the smallest
STILL = 0.1  # grey levels (rms over cells and time) below which nothing moves
BLANK = 2.0  # grey levels (rms over cells) below which a picture is blank
SEVERITIES = ("error", "warning", "note")


def findings(
    data: Readings,
    sampling: Sampling,
    duplicates: Sequence[Duplicate],
    grouping: Grouping | None,
    sides: Mapping[Clip, str | None] | None = None,
) -> list[Finding]:
    """Return problems of clips, the worst first, one finding a kind.

    `grouping` is the suggestion where clips carry no groups; `sides` defines how clips were split,
    left out: by their parts. Expensive checks are left to the caller: duplicates, and
    `report_shortcuts`.
    """
    if sides is None:
        sides = {clip: clip.part for clip in data.frames}
    found = [
        *_unread(data.skipped),
        *_findings_by_files(data),
        *_findings_by_pictures(data, sampling),
        *_findings_by_pairs(duplicates, sides),
        *_findings_by_classes(data),
        *_findings_by_groups(data, grouping),
    ]
    return worst_first(found)


def worst_first(found: Iterable[Finding]) -> list[Finding]:
    """Return findings in the order of their severity."""
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def _of(count: int, one: str, many: str, noun: str = "clip") -> str:
    """Return "1 clip is ..." or "3 clips are ..."."""
    return f"{count} {noun} {one}" if count == 1 else f"{count} {noun}s {many}"


def _clips(
    kind: str, severity: str, clips: Iterable[Clip], one: str, many: str, why: str = ""
) -> Iterator[Finding]:
    names = tuple(clip.name for clip in clips)
    if names:
        text = f"{_of(len(names), one, many)}{why}: {some_of(names)}."
        yield Finding(kind, severity, text, names)


def _unread(skipped: Sequence[Failure]) -> Iterator[Finding]:
    hollow = {source for source in {failure.source for failure in skipped} if _is_empty(source)}
    empty = [failure.source for failure in skipped if failure.source in hollow]
    rest = [_unread_part(failure) for failure in skipped if failure.source not in hollow]
    if rest:
        names = list(dict.fromkeys(rest))  # many clips may be cut from one video
        text = f"{_of(len(rest), 'cannot', 'cannot')} be read: {some_of(names)}."
        yield Finding("unreadable", "error", text, tuple(rest))
    if empty:
        text = f"{_of(len(empty), 'is an empty file', 'are empty files')}: {some_of(empty)}."
        yield Finding("empty", "error", text, tuple(empty))


def _unread_part(failure: Failure) -> str:
    """Return the source that cannot be read, or only what times of it, and why."""
    # Errors of parts are found in another process, by the absolute path.
    _, _, part = failure.error.partition(f"Cannot read {Path(failure.source).absolute()} from ")
    return f"{failure.source} from {part.rstrip('.')}" if part else failure.source


def _is_empty(path: str) -> bool:
    try:
        return os.path.isfile(path) and os.path.getsize(path) == 0
    except OSError:  # gone since
        return False


def _findings_by_files(data: Readings) -> Iterator[Finding]:
    info = data.info
    early = [clip for clip, known in info.items() if known.ends_early]
    more = {
        clip: known.declared - known.frames
        for clip, known in info.items()
        if known.declared is not None and known.declared > known.frames and not known.ends_early
    }
    jumping = [clip for clip, known in info.items() if known.clock_jumps]
    hurt = [
        clip
        for clip, known in info.items()
        if known.warnings and not (known.ends_early or known.clock_jumps or known.lacks_start)
    ]
    headless = [clip for clip, known in info.items() if known.lacks_start]
    why = " before 90 % of the declared duration"
    yield from _clips("truncated", "warning", early, "ends", "end", why)
    yield from _clips("damaged", "warning", hurt, "is damaged", "are damaged", " in places")
    one, many = "has a clock that jumps", "have a clock that jumps"
    yield from _clips("clock jumps", "warning", jumping, one, many, " (corrected)")
    one, many = "lacks its start", "lack their start"
    yield from _clips("no start", "warning", headless, one, many, ", cut off before a key frame")
    if more:
        low, high = min(more.values()), max(more.values())
        by = f", by {low}" + (f" to {high}" if high > low else "") + ", which is harmless"
        one, many = "declares more frames than it holds", "declare more frames than they hold"
        yield from _clips("declares more", "note", more, one, many, by)
    turned = [clip for clip, known in info.items() if known.rotation % 360]
    why = " in the file, and read upright"
    yield from _clips("rotated", "note", turned, "is rotated", "are rotated", why)
    others = {clip: known.why for clip, known in info.items() if known.why}
    why = f", not with OpenCV ({'; '.join(sorted(set(others.values())))})"
    one, many = "is read with PyAV or Pillow", "are read with PyAV or Pillow"
    yield from _clips("other reader", "note", others, one, many, why)
    variable = [clip for clip, known in info.items() if known.variable]
    one, many = "has a variable frame rate", "have a variable frame rate"
    yield from _clips("variable frame rate", "note", variable, one, many)


def _findings_by_pictures(data: Readings, sampling: Sampling) -> Iterator[Finding]:
    short, blank, still = [], [], []
    for clip, segments in data.frames.items():
        if 2 * segments.shape[0] * segments.shape[1] < sampling.window:
            short.append(clip)
        nothing, motionless = _looks(segments)
        if nothing:
            blank.append(clip)
        elif motionless and sampling.window > 1:
            still.append(clip)
    seconds = sampling.window / sampling.fps
    why = f" than half a window of {sampling.window} frames, {seconds:.2g} s"
    yield from _clips("too short", "note", short, "is shorter", "are shorter", why)
    one, many = "shows a single colour", "show a single colour"
    yield from _clips("blank", "warning", blank, one, many)
    yield from _clips("still", "warning", still, "shows no motion", "show no motion")


def _looks(segments: Segments) -> tuple[bool, bool]:
    """Return whether a clip shows nothing, and whether nothing moves in it."""
    count = segments.shape[1]
    # Eight frames of each segment are enough, and cheap.
    some = grey(segments[:, np.unique(np.linspace(0, count - 1, 8).round().astype(int))], 16)
    over_cells = np.sqrt(some.var((2, 3)).max())
    over_time = np.sqrt(some.var((0, 1)).mean())
    return bool(over_cells < BLANK and over_time < BLANK), bool(over_time < STILL)


def is_copy(pair: Duplicate) -> bool:
    """Return whether two clips certainly show the same: others may only look alike."""
    return pair.exact or pair.certain


def _findings_by_pairs(
    duplicates: Sequence[Duplicate], sides: Mapping[Clip, str | None]
) -> Iterator[Finding]:
    copies = [pair for pair in duplicates if is_copy(pair)]
    contradict, leak, harmless = list[Duplicate](), list[Duplicate](), list[Duplicate]()
    for pair in copies:
        if other_class := pair.first.label != pair.second.label:
            contradict.append(pair)
        if other_side := sides[pair.first] != sides[pair.second]:
            leak.append(pair)
        if not other_class and not other_side:
            harmless.append(pair)
    exact = [pair for pair in harmless if pair.exact]
    near = [pair for pair in harmless if not pair.exact]
    alike = [pair for pair in duplicates if not is_copy(pair)]
    yield from _pairs(
        "contradictory labels", "error", contradict, "shows the same under", "show the same under",
        " different classes",
    )  # fmt: skip
    yield from _pairs(
        "leak", "error", leak, "shows the same in", "show the same in",
        " different parts, so training clips are tested on",
    )  # fmt: skip
    one, many = "holds the same file twice", "hold the same file twice"
    yield from _pairs("duplicate", "warning", exact, one, many)
    one, many = "shows the same footage", "show the same footage"
    yield from _pairs("near duplicate", "warning", near, one, many)
    why = " (not treated as copies; check them)"
    yield from _pairs("look-alike", "note", alike, "looks alike", "look alike", why)


def _pairs(
    kind: str, severity: str, pairs: Sequence[Duplicate], one: str, many: str, why: str = ""
) -> Iterator[Finding]:
    if pairs:
        shown = [f"{pair.first.name} = {pair.second.name}" for pair in pairs]
        names = dict.fromkeys(clip.name for p in pairs for clip in (p.first, p.second))
        text = f"{_of(len(pairs), one, many, 'pair')}{why}: {some_of(shown)}."
        yield Finding(kind, severity, text, tuple(names))


def _findings_by_classes(data: Readings) -> Iterator[Finding]:
    learned = [clip for clip in data.frames if clip.part != "test"]
    sizes = Counter(clip.label for clip in learned)
    if not sizes:
        return
    tiny = sorted(label for label, size in sizes.items() if size < FEW_CLIPS)
    if tiny:
        head = "1 class has" if len(tiny) == 1 else f"{len(tiny)} classes have"
        shown = [f"{label} ({sizes[label]})" for label in tiny]
        clips = tuple(clip.name for clip in learned if clip.label in tiny)
        text = f"{head} fewer than {FEW_CLIPS} clips: {some_of(shown)}."
        yield Finding("tiny class", "warning", text, clips)
    most, least = max(sizes, key=lambda k: sizes[k]), min(sizes, key=lambda k: sizes[k])
    if sizes[most] >= UNBALANCED * sizes[least]:
        text = (
            f"Classes are unbalanced, from {sizes[least]} clips ({least}) to {sizes[most]} "
            f"({most}): look at the balanced accuracy."
        )
        yield Finding("unbalanced", "warning", text)


def _findings_by_groups(data: Readings, grouping: Grouping | None) -> Iterator[Finding]:
    suggested = grouping.groups if grouping is not None else {}
    parts: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for clip in data.frames:
        group = clip.group if clip.group is not None else suggested.get(clip.name)
        if group is not None:
            parts[group][clip.part or "train"].append(clip.name)
    shared = {group: places for group, places in parts.items() if len(places) > 1}
    if shared:
        names = [f"{group} ({', '.join(sorted(places))})" for group, places in shared.items()]
        clips = [name for places in shared.values() for each in places.values() for name in each]
        text = (
            f"{_of(len(shared), 'has', 'have', 'group')} clips in several parts of the folder, so "
            f"the same persons or places are trained and tested on: {some_of(names)}."
        )
        yield Finding("groups across parts", "warning", text, tuple(clips))


def report_groups(grouping: Grouping, reason: Exception | None) -> Finding:
    """Return the suggestion that is kept apart, or else the reason why it cannot be."""
    noun, by = noun_of(grouping.group_by), quote(grouping.group_by)
    count = len(set(grouping.groups.values())) - len(grouping.odd)
    text = f"Clips seem to be of {counted(count, noun)}"
    if reason is not None:
        text += f" (--group-by {by}), but are split clip by clip: scores may be too optimistic."
        return Finding("groups", "warning", f"{text} {reason}")
    text += f"; train keeps each on one side of the split, as with --group-by {by}."
    if others := [f"--group-by {quote(other.group_by)}" for other in grouping.others]:
        text += f" Groups of {' or '.join(others)} are then on both sides."
    if grouping.odd:
        text += f" Names of another form count as a {noun} each: {some_of(grouping.odd)}."
    return Finding("groups", "note", text)


def report_shortcuts(shortcuts: Sequence[Shortcut]) -> list[Finding]:
    """Return at most one finding: the irrelevant properties that predict the class."""
    found = sorted((s for s in shortcuts if s.found), key=lambda s: -s.accuracy)
    if not found:
        return []
    cues = ", ".join(f"{s.cue} {100 * s.accuracy:.0f} %" for s in found)
    text = (
        f"Shortcuts: the class can be predicted from {cues} (balanced accuracy; chance is "
        f"{100 * found[0].chance:.0f} %), and a network may learn that instead of what happens."
    )
    return [Finding("shortcut", "warning", text)]
