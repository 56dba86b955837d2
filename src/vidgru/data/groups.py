"""Suggest which clips belong together: one person, session or source, by tables and by names."""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidgru.data.cache import Segments
from vidgru.data.folder import GROUPS_FILE, PARTS, Clip, with_groups
from vidgru.data.thumbnails import Array, thumbnails
from vidgru.errors import VidgruError
from vidgru.video.read import IMAGE_SUFFIXES, VIDEO_SUFFIXES

# ruff: noqa: SIM905
# Numbers after these words tell who or where.
SURE = frozenset(
    "actor animal cage cam camera date day driver house mouse participant patient person player "
    "rat room site speaker sub subj subject user worker".split()
)
# After these, too, unless the number only counts the clips of a class.
LIKELY = frozenset(
    "g game group match rec record recording scene seq sequence sess session source tape vid "
    "video".split()
)
# And these are nobody's name.
COUNTING = frozenset(
    "c chunk clip copy e example f file fr frame i id idx image img index item n no nr num number "
    "part photo pic picture r rep s sample seg segment shot t take trial v".split()
)
NOT_COLUMNS = frozenset((*PARTS, "class", "fold", "index", "label", "set", "split", "subset"))
FEWEST, WANTED = 3, 5  # groups
LARGEST = 0.7  # share of the clips that one group may have
PERMUTATIONS = 200
MOST_LOOKED_AT = 2000  # clips, whose pictures are compared with each other
DATE = r"((?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\2(?:0[1-9]|[12]\d|3[01]))(?!\d)"


@dataclass(frozen=True)
class Grouping:
    """What to pass to `--group-by`, and the group of each clip, by its name, that this makes."""

    group_by: str
    groups: dict[str, str]


@dataclass(frozen=True)
class _Candidate:
    """Groups that names or a table may mean; `sure` when no picture need be asked."""

    patterns: tuple[str, ...]  # any of them may do; the first that makes these groups is taken
    groups: tuple[str, ...]
    sure: bool


def suggest_groups(
    clips: Sequence[Clip], folder: Path, frames: Mapping[Clip, Segments] | None
) -> Grouping | None:
    """Return what keeps clips of one person, session or source together, or None.

    Columns of FOLDER/groups.csv, folders inside class folders, and parts of file names are tried.
    What a part of a name means is told by well-known words, or else by `frames`: whether pictures
    of one group are more alike than chance. Of several, it is the coarsest with at least 5 groups.
    """
    good: dict[tuple[int, ...], _Candidate] = {}
    table = list(_columns(clips, folder))
    for candidate in (*_names(clips, not folder.is_file()), *table):
        partition = _numbers(candidate.groups)
        if partition in good or not _fits(clips, partition):
            continue
        if candidate.sure or (frames is not None and _alike(clips, partition, frames)):
            good[partition] = candidate
    # A table is a person's word; a name that says the same needs no table.
    told = {_numbers(candidate.groups) for candidate in table} & set(good)
    for partition in sorted(told or good, key=lambda p: _rank(max(p) + 1)):
        for pattern in good[partition].patterns:
            with suppress(VidgruError):
                named = with_groups(list(clips), folder, pattern)
                groups = [clip.group or "" for clip in named]
                if _numbers(groups) == partition:
                    return Grouping(pattern, {clip.name: clip.group or "" for clip in named})
    return None


def _rank(count: int) -> tuple[bool, int]:
    return count < WANTED, count if count >= WANTED else -count


def _numbers(groups: Sequence[str]) -> tuple[int, ...]:
    """Return groups as numbers in the order in which they come."""
    seen: dict[str, int] = {}
    return tuple(seen.setdefault(group, len(seen)) for group in groups)


def _fits(clips: Sequence[Clip], partition: Sequence[int]) -> bool:
    """Return whether groups could be persons: a few of them, several clips each, no classes."""
    sizes = Counter(partition)
    return (
        len(sizes) >= FEWEST
        and sum(size == 1 for size in sizes.values()) <= len(sizes) / 2
        and max(sizes.values()) <= LARGEST * len(clips)
        and partition != _numbers([clip.label for clip in clips])
    )


def _columns(clips: Sequence[Clip], folder: Path) -> Iterator[_Candidate]:
    try:
        with open(folder / GROUPS_FILE, newline="", encoding="utf-8-sig") as file:
            names = list(csv.DictReader(file).fieldnames or [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return
    for column in names[1:]:
        if column.lower() not in NOT_COLUMNS:
            with suppress(VidgruError):
                named = with_groups(list(clips), folder, column)
                yield _Candidate((column,), tuple(clip.group or "" for clip in named), True)


def _stem(name: str) -> str:
    last = name.rpartition("/")[2]
    suffix = Path(last).suffix
    return last[: -len(suffix)] if suffix.lower() in VIDEO_SUFFIXES | IMAGE_SUFFIXES else last


def _names(clips: Sequence[Clip], in_folders: bool) -> Iterator[_Candidate]:
    stems = [_stem(clip.listed) for clip in clips]
    if in_folders:
        yield from _subfolders(clips)
    yield from _numbered(clips, stems)
    yield from _dates(stems)
    yield from _beginnings(clips, stems)


def _subfolders(clips: Sequence[Clip]) -> Iterator[_Candidate]:
    """Yield groups by the folders in class folders, whatever these are called."""
    depths = {2 if clip.part else 1 for clip in clips}
    depth = max(depths)
    inner = [clip.name.split("/")[depth:-1] for clip in clips]
    if len(depths) == 1 and all(inner):
        pattern = rf"^(?:[^/]+/){{{depth}}}([^/]+)/"
        yield _Candidate((pattern,), tuple(folders[0] for folders in inner), True)


def _numbered(clips: Sequence[Clip], stems: Sequence[str]) -> Iterator[_Candidate]:
    """Yield groups by a word with a number behind it, such as `person01_`."""
    for word, gap in dict.fromkeys(re.findall(r"(?<![A-Za-z])([A-Za-z]+)([-_ ]?)\d", stems[0])):
        core = rf"{word}{gap}(\d+)"
        found = [re.search(rf"(?<![A-Za-z]){core}(.?)", stem) for stem in stems]
        hits = [match for match in found if match]
        if len(hits) < len(stems):
            continue
        groups = tuple(match[1] for match in hits)
        ends = {match[2] for match in hits}
        (end,) = ends if len(ends) == 1 else ("",)
        end = end if end in ("_", "-", " ") else ""
        rest = [
            stem[: match.start(1)] + stem[match.end(1) :]
            for stem, match in zip(stems, hits, strict=True)
        ]
        counts = _counts(clips, groups, rest)
        sure = word.lower() in SURE or (word.lower() in LIKELY and not counts)
        patterns = (core + end, rf"(?<![A-Za-z]){core}{end}", rf"(?<![A-Za-z]){core}{end}[^/]*$")
        yield _Candidate(patterns, groups, sure)


def _counts(clips: Sequence[Clip], groups: Sequence[str], rest: Sequence[str]) -> bool:
    """Return whether a number only counts a class's clips: all else in their names is the same."""
    others = defaultdict(set)
    for clip, stem in zip(clips, rest, strict=True):
        others[clip.label].add(stem)
    single = len({(c.label, group) for c, group in zip(clips, groups, strict=True)}) == len(clips)
    return single and all(len(stems) == 1 for stems in others.values())


def _dates(stems: Sequence[str]) -> Iterator[_Candidate]:
    found = [re.search(DATE, stem) for stem in stems]
    groups = tuple(match[1] for match in found if match)
    if len(groups) == len(stems):
        yield _Candidate((DATE, rf"{DATE}[^/]*$"), groups, True)


def _beginnings(clips: Sequence[Clip], stems: Sequence[str]) -> Iterator[_Candidate]:
    """Yield groups by the first parts of names, such as `alice_01` or `cage1_6_20_11`."""
    mark = next((mark for mark in "_- " if all(mark in stem for stem in stems)), None)
    if mark is None:
        return
    split = [stem.split(mark) for stem in stems]
    head = re.fullmatch(r"([A-Za-z]+)\d+", split[0][0])
    known = head is not None and head[1].lower() in SURE
    words = {parts[0] for parts in split}
    plain = all(word.isalpha() and word.lower() not in COUNTING for word in words)
    # A word that comes in several classes is none of them.
    shared = plain and len(words) < len(
        {(c.label, p[0]) for c, p in zip(clips, split, strict=True)}
    )
    for length in range(1, min(map(len, split))):
        groups = tuple(mark.join(parts[:length]) for parts in split)
        if all(group.endswith(clip.label) for clip, group in zip(clips, groups, strict=True)):
            break  # a person's clips of one class are no group
        shape = mark.join(_shape([parts[place] for parts in split]) for place in range(length))
        patterns = (rf"({shape}){mark}", rf"({shape}){mark}[^/]*$", rf"([^/]+){mark}[^/]*$")
        yield _Candidate(patterns, groups, known or (shared and length == 1))


def _shape(parts: Sequence[str]) -> str:
    """Return a regular expression for all of these parts of names, as narrow as is readable."""
    heads = {re.sub(r"\d+", "", part) for part in parts}
    if all(part.isdecimal() for part in parts):
        return r"\d+"
    if len(heads) == 1 and all(re.fullmatch(r"[A-Za-z]+\d+", part) for part in parts):
        return heads.pop() + r"\d+"
    return "[A-Za-z]+" if all(re.fullmatch("[A-Za-z]+", part) for part in parts) else "[^/_ -]+"


def _alike(
    clips: Sequence[Clip], partition: Sequence[int], frames: Mapping[Clip, Segments]
) -> bool:
    """Return whether clips of one group look alike, more than chance could explain.

    The share of clips whose nearest other clip, by mean picture, is of the same group, against
    that after groups are shuffled within each class.
    """
    random = np.random.default_rng(0)
    some = sorted(random.permutation(len(clips))[:MOST_LOOKED_AT].tolist())
    clips, partition = [clips[place] for place in some], [partition[place] for place in some]
    looks = np.stack([_look(frames[clip]) for clip in clips])
    squares = (looks**2).sum(1)
    far = squares[:, None] + squares - 2 * looks @ looks.T
    np.fill_diagonal(far, np.inf)
    nearest = far.argmin(1)
    groups = np.array(partition)
    classes = defaultdict(list)
    for place, clip in enumerate(clips):
        classes[clip.label].append(place)
    share = float((groups == groups[nearest]).mean())
    shuffled, chance = groups.copy(), []
    for _ in range(PERMUTATIONS):
        for places in classes.values():
            shuffled[places] = groups[random.permutation(places)]
        chance.append(float((shuffled == shuffled[nearest]).mean()))
    usual = float(np.mean(chance))
    return share > max(chance) and share > usual + 0.2 * (1 - usual)


def _look(segments: Segments) -> Array:
    count = segments.shape[1]
    some = segments[len(segments) // 2, [0, count // 3, 2 * count // 3, count - 1]]
    look: Array = thumbnails(some, 8).mean(0).ravel()
    return look
