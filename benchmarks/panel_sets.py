"""The sets that panel.py measures on, and the clips that are held out in each of their folds."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import made_sets
from shared import write_list

from vidgru.data.folder import Clip, read_folder

# Set: column of its groups.csv (None: clip by clip), and how many folds there are.
REAL: dict[str, tuple[str | None, int]] = {
    "ut_interaction": ("seq_group", 5),
    "mouse_behavior": ("cage", 2),
    "hand_signs_seq": ("group", 2),
    "sky_visible": ("auto_scene", 4),
    "lips_two_words": (None, 4),
    "home_falls": ("subject", 4),
}
SAMPLES = "sample_videos"


def folds_of(clips: Sequence[Clip], count: int) -> list[set[str]]:
    """Return the groups held out in each fold: large ones first, where their classes are fewest."""
    members: dict[str, Counter[str]] = defaultdict(Counter)
    for clip in clips:
        members[clip.group or clip.name][clip.label] += 1
    held: list[set[str]] = [set() for _ in range(count)]
    counts = [Counter[str]() for _ in range(count)]
    for group, own in sorted(members.items(), key=lambda item: (-item[1].total(), item[0])):
        fold = min(
            range(count),
            key=lambda k: (sum(n * counts[k][c] for c, n in own.items()), counts[k].total()),
        )
        held[fold].add(group)
        counts[fold] += own
    return held


def lists_of(name: str, folder: Path, folds: int, out: Path) -> Iterator[Path]:
    """Yield the list of each fold."""
    if name in made_sets.SETS:
        for fold in range(folds):
            place = out / "made" / f"{name}-{fold}"
            if not place.exists():
                made_sets.make(name, half := place.with_suffix(".part"), fold)
                half.rename(place)
            clips = read_folder(place)
            rows = [(clip, "test" if clip.part == "test" else "") for clip in clips]
            yield write_list(out / f"{name}-{fold}.csv", rows)
    elif name == SAMPLES:
        rows = [(clip, clip.part or "") for clip in read_folder(folder)]
        yield write_list(out / f"{name}-0.csv", rows)
    else:
        column, count = REAL[name]
        clips = read_folder(folder, column)
        for fold, held in enumerate(folds_of(clips, count)[:folds]):
            rows = [(c, "test" if (c.group or c.name) in held else "") for c in clips]
            yield write_list(out / f"{name}-{fold}.csv", rows)
