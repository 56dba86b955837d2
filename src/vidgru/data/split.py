"""Split clips into training and validation: stratified, seeded, and never through a group."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from shlex import quote

import numpy as np

from vidgru.core.errors import DataError
from vidgru.data.folder import Clip
from vidgru.data.results import counted, some_of

ADVICE = ", or leave"
MAX_OTHERS = 8  # classes that advice lists

Units = Mapping[Clip, str]
Pair = tuple[Clip, Clip]


def units_of(clips: Sequence[Clip], together: Iterable[Pair] = ()) -> dict[Clip, str]:
    """Return the unit of each clip; a unit lies on one side of every split.

    Clips of one group are one unit; so are the pairs `together`, and with them their groups.
    """
    own = {clip: f"group {clip.group}" if clip.group is not None else clip.name for clip in clips}
    joined: dict[str, str] = {}

    def root(unit: str) -> str:
        while unit in joined:
            unit = joined[unit]
        return unit

    for first, second in together:
        if first in own and second in own:
            low, high = sorted((root(own[first]), root(own[second])))
            if low != high:
                joined[high] = low
    return {clip: root(unit) for clip, unit in own.items()}


def videos_of(clips: Sequence[Clip]) -> dict[str, str] | None:
    """Return the video of each clip, by its name; None where no two are cut from one."""
    videos = {clip.name: clip.listed for clip in clips}
    return videos if len(set(videos.values())) < len(videos) else None


def split_clips(
    clips: Sequence[Clip], val: float, seed: int, units: Units | None = None
) -> tuple[list[Clip], list[Clip]]:
    """Return (training, validation) clips; about `val` of each class is for validation.

    Clips of one unit (left out: of one group) stay together. Every class keeps a clip on both
    sides, even if more than `val` must be held out; DataError names the class that cannot.
    """
    labels = _count(clips)
    members = _members(clips, units)
    wanted = {label: max(1.0, val * count) for label, count in labels.items()}
    order = _shuffled(members, seed)
    chosen = _choose(order, members, wanted, labels)
    if len({clip.label for unit in chosen for clip in members[unit]}) < len(labels):
        chosen = _choose(order, members, wanted, labels, cover=True)
    held = [clip for unit in chosen for clip in members[unit]]
    return _sides(clips, held, labels, members)


def split_folds(
    clips: Sequence[Clip], folds: int, seed: int, units: Units | None = None
) -> list[tuple[list[Clip], list[Clip]]]:
    """Return (training, validation) clips of each fold; each clip is held out once.

    Clips of one unit stay together. Units go, largest first, to the fold where they bring the
    classes nearest to equal counts. Every class keeps training clips in each fold; DataError names
    the class that cannot, or reports that there are fewer units than folds.
    """
    labels = _count(clips)
    members = _members(clips, units)
    if len(members) < folds:
        raise DataError(
            f"--folds {folds} needs at least {folds} groups of clips, but there are only "
            f"{len(members)}: give fewer folds, or another --group-by."
        )
    order = sorted(_shuffled(members, seed), key=lambda unit: -len(members[unit]))
    parts: list[list[Clip]] = [[] for _ in range(folds)]
    counts: list[Counter[str]] = [Counter() for _ in range(folds)]
    for unit in order:
        added = Counter(clip.label for clip in members[unit])

        def crowd(fold: int, added: Counter[str] = added) -> tuple[float, int]:
            # How full the fold already is of the unit's classes; rare classes weigh as much.
            share = sum(n * (counts[fold][c] + n) / labels[c] for c, n in added.items())
            return share, len(parts[fold])

        fold = min(range(folds), key=crowd)
        parts[fold] += members[unit]
        counts[fold] += added
    if empty := sum(not part for part in parts):
        raise DataError(f"Cannot make --folds {folds}: {empty} would be empty. Give fewer folds.")
    return [_sides(clips, part, labels, members, ("train on",)) for part in parts]


def on_several(members: Iterable[tuple[object, Clip]], sides: Mapping[Clip, str]) -> int:
    """Return how many of the units or groups have clips on several sides."""
    found = defaultdict(set)
    for whole, clip in members:
        found[whole].add(sides[clip])
    return sum(len(some) > 1 for some in found.values())


def _count(clips: Sequence[Clip]) -> Counter[str]:
    labels = Counter(clip.label for clip in clips)
    if single := sorted(label for label, count in labels.items() if count < 2):
        several = len(single) > 1
        who = f"The class {single[0]!r} has" if single[0] else "The folder has"
        if several:
            who = f"{len(single)} classes ({some_of(list(map(repr, single)))}) have"
        advice = f"Add clips of {'them' if several else 'it'}" if single[0] else "Add clips"
        raise DataError(
            f"{who} only one clip{' each' if several else ''}: at least two are needed, one to "
            f"train on and one to validate with. {advice}{leave_out(labels, single)}."
        )
    return labels


def leave_out(labels: Iterable[str], classes: Collection[str]) -> str:
    """Return advice to leave classes out of all labels, which may follow other advice; or ""."""
    others = sorted(set(labels) - set(classes))
    if len(others) < 2:
        return ""
    them = "it" if len(classes) == 1 else "them"
    names = ",".join(others)
    if len(others) > MAX_OTHERS or not re.fullmatch(r"[\w .,+-]+", names) or "," in "".join(others):
        return f"{ADVICE} {them} out: give --labels the names of the others"
    return f"{ADVICE} {them} out: --labels={quote(names)}"


def _of(label: str) -> str:
    return f" of the class {label!r}" if label else ""


def _members(clips: Sequence[Clip], units: Units | None) -> dict[str, list[Clip]]:
    units = units_of(clips) if units is None else units
    members: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        members[units[clip]].append(clip)
    return members


def _shuffled(members: Iterable[str], seed: int) -> list[str]:
    # Numbers: an array of names makes all as long as the longest, and drops NULs at their end.
    names = sorted(members)
    return [names[k] for k in np.random.default_rng(seed).permutation(len(names))]


def _sides(
    clips: Sequence[Clip],
    held: Iterable[Clip],
    labels: Mapping[str, int],
    members: Mapping[str, list[Clip]],
    needed: Sequence[str] = ("train on", "validate with"),
) -> tuple[list[Clip], list[Clip]]:
    """Return the clips (not held out, held out) in order; every class must be on sides `needed`."""
    away = set(held)
    train, kept = [c for c in clips if c not in away], [c for c in clips if c in away]
    for label, count in labels.items():
        for side, part in (("train on", train), ("validate with", kept)):
            if side in needed and all(clip.label != label for clip in part):
                own = sum(any(clip.label == label for clip in unit) for unit in members.values())
                raise DataError(
                    f"Cannot keep {counted(len(members), 'group')} apart: no clip{_of(label)} is "
                    f"left to {side}, as its {count} clips are of {counted(own, 'group')}. "
                    "To split clip by clip: --group-by none. Or give other groups."
                )
    return train, kept


def _choose(
    order: list[str],
    units: dict[str, list[Clip]],
    wanted: dict[str, float],
    labels: Counter[str],
    *,
    cover: bool = False,
) -> set[str]:
    """Take units one by one while that brings the classes' counts nearer to the wanted ones.

    To `cover` all classes, the units that each class needs are taken first, however large they are.
    """
    taken: Counter[str] = Counter()
    chosen: set[str] = set()
    holds = {unit: Counter(clip.label for clip in units[unit]) for unit in order}

    def off(counts: Counter[str]) -> float:
        # Relative, so that small classes weigh as much as large ones.
        return sum(abs(counts[label] - want) / want for label, want in wanted.items())

    def free(unit: str) -> bool:
        return all(taken[label] + more < labels[label] for label, more in holds[unit].items())

    def nearer(unit: str) -> bool:
        # Only its own classes, as there may be a thousand.
        return (
            sum(
                (abs(taken[label] + more - wanted[label]) - abs(taken[label] - wanted[label]))
                / wanted[label]
                for label, more in holds[unit].items()
            )
            < -1e-9
        )

    while cover and (lacking := [label for label in labels if not taken[label]]):
        ways = {label: [u for u in order if holds[u][label] and free(u)] for label in lacking}
        least = min(ways.values(), key=len)
        if not least:
            break
        unit = min(least, key=lambda unit: off(taken + holds[unit]))
        taken, chosen = taken + holds[unit], chosen | {unit}
    for unit in order:
        if unit not in chosen and free(unit) and nearer(unit):
            taken.update(holds[unit])
            chosen.add(unit)
    return chosen
