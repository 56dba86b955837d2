"""Split clips into training and validation: stratified, seeded, and never through a group."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from vidgru.data.folder import Clip
from vidgru.errors import DataError


def split_clips(clips: Sequence[Clip], val: float, seed: int) -> tuple[list[Clip], list[Clip]]:
    """Return (training, validation) clips; about `val` of each class is for validation.

    Clips of one group stay together. Every class keeps a clip on both sides; DataError says which
    class cannot.
    """
    labels = Counter(clip.label for clip in clips)
    for label, count in labels.items():
        if count < 2:
            raise DataError(
                f"The class {label!r} has only one clip: at least two are needed, "
                "one to learn from and one to check with."
            )
    units: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        units[_unit(clip)].append(clip)
    # Numbers: an array of names makes all as long as the longest, and drops NULs at their end.
    names = sorted(units)
    order = [names[k] for k in np.random.default_rng(seed).permutation(len(names))]
    chosen = _choose(order, units, {n: max(1.0, val * labels[n]) for n in labels}, labels)
    train = [clip for clip in clips if _unit(clip) not in chosen]
    held = [clip for clip in clips if _unit(clip) in chosen]
    for label in labels:
        for side, part in (("learn from", train), ("check with", held)):
            if all(clip.label != label for clip in part):
                raise DataError(
                    f"Cannot split by group: no clip of the class {label!r} is left to {side}. "
                    "Give more groups, another --seed, or a folder with train and val inside."
                )
    return train, held


def _unit(clip: Clip) -> str:
    return f"group {clip.group}" if clip.group is not None else clip.name


def _choose(
    order: list[str], units: dict[str, list[Clip]], wanted: dict[str, float], labels: Counter[str]
) -> set[str]:
    """Take units one by one while that brings the classes' counts nearer to what is wanted."""
    taken: Counter[str] = Counter()
    chosen: set[str] = set()

    def off(counts: Counter[str]) -> float:
        # Relative, so that small classes weigh as much as large ones.
        return sum(abs(counts[label] - want) / want for label, want in wanted.items())

    for unit in order:
        counts = taken + Counter(clip.label for clip in units[unit])
        empties = any(counts[label] >= total for label, total in labels.items())
        if not empties and off(counts) < off(taken) - 1e-9:
            taken, chosen = counts, chosen | {unit}
    return chosen
