"""Suggest which clips belong together: one person, session or source, by tables and by names."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vidgru.core.errors import DataError, VidgruError
from vidgru.data.cache import Segments
from vidgru.data.csv_list import list_columns, listed_groups
from vidgru.data.folder import GROUPS_FILE, PARTS, Clip, read_groups, with_groups
from vidgru.data.thumbnails import Array, thumbnails
from vidgru.video.read import IMAGE_SUFFIXES, VIDEO_SUFFIXES

# ruff: noqa: SIM905
# A person: such names come first.
WHO = frozenset(
    "actor animal child driver g group mouse participant patient performer person player rat signer"
    " speaker student sub subj subject user volunteer who worker".split()
)
# Numbers after these words denote a person or place.
SURE = frozenset(
    "actor animal cage cam camera date day driver house mouse participant patient person player "
    "rat room site speaker sub subj subject user worker".split()
)
# After these, too, unless the number only counts the clips of a class.
LIKELY = frozenset(
    "g game group match rec record recording scene seq sequence sess session source tape vid "
    "video".split()
)
# These never name anyone.
COUNTING = frozenset(
    "c chunk clip copy e example f file fr frame i id idx image img index item n no nr num number "
    "part photo pic picture r rep s sample seg segment shot t take trial v".split()
)
# A column with such a name, too, denotes where, when or by what; short words stand for long ones.
SOURCES = frozenset("camera film hospital location movie place recording scene sequence".split())
IDENTITIES = WHO | SURE | LIKELY | SOURCES
SHORT = {
    "cam": "camera", "g": "group", "rec": "recording", "record": "recording", "seq": "sequence",
    "sess": "session", "sub": "subject", "subj": "subject", "vid": "video", "who": "person",
}  # fmt: skip
# Equal values of these do not mean the same person or place.
QUALITIES = frozenset(
    "action activity age angle category class count duration end first fps frame gender height"
    " label last length light lighting night quality score season sex size speed start time type"
    " weather width".split()
)
NOT_COLUMNS = frozenset((*PARTS, *"fold index path set split subset".split()))
MIN_GROUPS, WANTED = 3, 5  # groups
SAME_FORM = 0.9  # minimum share of clips with names of the same form, for the others to be odd
LARGEST = 0.7  # share of the clips that one group may have
PERMUTATIONS = 200
MAX_COMPARED = 2000  # clips whose pictures are compared with each other
DATE = r"((?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\2(?:0[1-9]|[12]\d|3[01]))(?!\d)"


@dataclass(frozen=True)
class Grouping:
    """A value for `--group-by`, and the group that it gives each clip, by the clip's name.

    others: further persons, places or sources, which these groups do not separate; odd: names of
    clips that show no group, and are each of their own.
    """

    group_by: str
    groups: dict[str, str]
    others: "tuple[Grouping, ...]" = ()
    odd: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    """Possible groups from names or a table; `sure` when pictures need not confirm them."""

    patterns: tuple[str, ...]  # equivalent ones; the first that gives these groups is used
    groups: tuple[str, ...]
    sure: bool
    column: bool = False

    @property
    def meaning(self) -> int:
        """0 where the name means a person or group, 1 a place or source, else 2."""
        word = _identity(self.patterns[0])
        return 2 if word is None else int(word not in WHO)


def noun_of(group_by: str | None) -> str:
    """Return the noun for a group by the value of `--group-by`: "subject", or "group"."""
    word = None if group_by is None else _identity(group_by)
    return "group" if word is None else SHORT.get(word, word)


def _identity(group_by: str) -> str | None:
    """Return the word for a person, place or source in the name of a column or pattern."""
    if group_by.startswith(DATE):
        return "day"
    if re.search(r"[][\\(){}^$*+?.|]", group_by):
        # A number belongs only to the word right before it.
        words = re.findall(r"(?<![A-Za-z])([A-Za-z]+)[-_ ]?\(\\d", group_by)
    else:
        words = _words(group_by)
    if not QUALITIES.isdisjoint(words):
        return None
    # The last word of "source_video" is the noun.
    return next((word for word in reversed(words) if word in IDENTITIES), None)


def is_group_name(column: str) -> bool:
    """Return whether a column is called by what clips may be kept apart by."""
    return _identity(column) is not None


def looks_like_group(name: str) -> bool:
    """Return whether a folder is called as a person or source is: `subject 3`, `p01`, `7`."""
    match = re.fullmatch(r"([A-Za-z]*)[-_ ]?\d+", name)
    word = match[1].lower() if match else ""
    return bool(re.fullmatch(DATE, name)) or (
        match is not None and (len(word) < 2 or word in WHO | SURE | LIKELY)
    )


def _words(column: str) -> list[str]:
    """Return the words of a name, without the endings of "patientID" or "subjects"."""
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", column)]
    known = IDENTITIES | QUALITIES
    return [w if w in known else re.sub("(ids?|names?|(?<=ss|ch)es|s)$", "", w) for w in words]


def suggest_groups(
    clips: Sequence[Clip], folder: Path, frames: Mapping[Clip, Segments] | None
) -> Grouping | None:
    """Return the best of `suggestions`, if any."""
    return next(iter(suggestions(clips, folder, frames)), None)


def suggestions(
    clips: Sequence[Clip], folder: Path, frames: Mapping[Clip, Segments] | None
) -> list[Grouping]:
    """Return groupings that keep one person, session or source together, the best first.

    Columns of FOLDER/groups.csv or of a list, folders inside class folders, and parts of file names
    are tried. Well-known words give the meaning of a part of a name, or else `frames`: whether
    pictures of one group are more alike than chance. A person, place or source comes first, the
    coarsest with at least 3 groups; of others, the coarsest with at least 5. Where a few clips are
    called otherwise than all others, these are not asked.
    """
    if found := _suggestions(clips, folder, frames):
        return found
    usual, odd = _usual(clips)
    own = {clip.name: clip.name for clip in odd}
    return [
        replace(grouping, groups={**grouping.groups, **own}, odd=tuple(own))
        for grouping in (_suggestions(usual, folder, frames) if odd else ())
    ]


def _usual(clips: Sequence[Clip]) -> tuple[list[Clip], list[Clip]]:
    """Return the clips with names of the most usual form, and the others if they are few."""
    forms = [re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "0", _stem(clip.listed))) for clip in clips]
    form, count = Counter(forms).most_common(1)[0]
    if count < SAME_FORM * len(clips):
        return list(clips), []
    usual = [clip for clip, own in zip(clips, forms, strict=True) if own == form]
    return usual, [clip for clip, own in zip(clips, forms, strict=True) if own != form]


def _suggestions(
    clips: Sequence[Clip], folder: Path, frames: Mapping[Clip, Segments] | None
) -> list[Grouping]:
    good: dict[tuple[int, ...], list[_Candidate]] = {}
    for candidate in (*_columns(clips, folder), *_names(clips, not folder.is_file())):
        partition = _numbers(candidate.groups)
        if not _fits(clips, partition, candidate):
            continue
        if (
            candidate.sure
            or partition in good
            or (frames is not None and _alike(clips, partition, frames))
        ):
            good.setdefault(partition, []).append(candidate)
    found: dict[tuple[int, ...], Grouping] = {}
    for partition in sorted(good, key=lambda p: _rank(max(p) + 1, good[p])):
        # A name that agrees with a column needs no table.
        ways = sorted(good[partition], key=lambda way: (way.meaning > 1, way.column))
        patterns = [pattern for way in ways for pattern in way.patterns]
        for pattern in patterns:
            with suppress(VidgruError):
                groups = _groups(clips, folder, pattern)
                if _numbers(groups) == partition:
                    names = (clip.name for clip in clips)
                    found[partition] = Grouping(pattern, dict(zip(names, groups, strict=True)))
                    break
    meant = [p for p in found if min(way.meaning for way in good[p]) < 2]
    return [
        replace(grouping, others=tuple(found[other] for other in meant if _parts(other, partition)))
        for partition, grouping in found.items()
    ]


def _rank(count: int, ways: Sequence[_Candidate]) -> tuple[bool | int, ...]:
    """Return a sort key for groups that several candidates give."""
    meaning = min(way.meaning for way in ways)
    column = any(way.column for way in ways)
    if meaning < 2:
        return (False, count < MIN_GROUPS, meaning, not column, count)
    return (True, not column, count < WANTED, count if count >= WANTED else -count)


def _parts(groups: Sequence[int], others: Sequence[int]) -> bool:
    """Return whether clips of one of these groups are in several of the others."""
    return len(set(zip(groups, others, strict=True))) > len(set(groups))


def _numbers(groups: Sequence[str]) -> tuple[int, ...]:
    """Return groups as numbers in the order in which they come."""
    seen: dict[str, int] = {}
    return tuple(seen.setdefault(group, len(seen)) for group in groups)


def _fits(clips: Sequence[Clip], partition: Sequence[int], candidate: _Candidate) -> bool:
    """Return whether groups could be persons: a few of them, several clips each, no classes.

    A column with such a name need only have several groups, and fewer than clips.
    """
    sizes = Counter(partition)
    if candidate.column and candidate.meaning < 2:
        return 1 < len(sizes) < len(clips)
    return (
        len(sizes) >= MIN_GROUPS
        and sum(size == 1 for size in sizes.values()) <= len(sizes) / 2
        and max(sizes.values()) <= LARGEST * len(clips)
        and partition != _numbers([clip.label for clip in clips])
    )


def _columns(clips: Sequence[Clip], folder: Path) -> Iterator[_Candidate]:
    listed = folder.is_file()
    try:
        names = list_columns(folder) if listed else read_groups(folder / GROUPS_FILE).names
    except DataError:
        return
    for column in names[0 if listed else 1 :]:
        if column.strip().lower() in NOT_COLUMNS or not QUALITIES.isdisjoint(_words(column)):
            continue
        column = column.strip().lower() if listed else column
        with suppress(VidgruError):
            yield _Candidate((column,), _groups(clips, folder, column), True, column=True)


def _groups(clips: Sequence[Clip], folder: Path, group_by: str) -> tuple[str, ...]:
    """Return each clip's group by a column or pattern, as in training on a folder or list."""
    if folder.is_file():
        return listed_groups(folder, group_by, clips)
    return tuple(clip.group or "" for clip in with_groups(list(clips), folder, group_by))


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
    """Yield groups by the folders in class folders, whatever their names."""
    depths = {2 if clip.part else 1 for clip in clips}
    depth = max(depths)
    inner = [clip.name.split("/")[depth:-1] for clip in clips]
    if len(depths) == 1 and all(inner):
        pattern = rf"^(?:[^/]+/){{{depth}}}([^/]+)/"
        yield _Candidate((pattern,), tuple(folders[0] for folders in inner), True)


def _numbered(clips: Sequence[Clip], stems: Sequence[str]) -> Iterator[_Candidate]:
    """Yield groups by a word followed by a number, such as `person01_`."""
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
    """Return whether a number only counts a class's clips: the rest of the names is the same."""
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
    # A word that occurs in several classes is not a class.
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
    some = sorted(random.permutation(len(clips))[:MAX_COMPARED].tolist())
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
    expected = float(np.mean(chance))
    return share > max(chance) and share > expected + 0.2 * (1 - expected)


def _look(segments: Segments) -> Array:
    count = segments.shape[1]
    some = segments[len(segments) // 2, [0, count // 3, 2 * count // 3, count - 1]]
    look: Array = thumbnails(some, 8).mean(0).ravel()
    return look
