"""Give an account of all that was found in a folder or list: what is used, and what is not."""

import logging
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vidgru.core.errors import DataError
from vidgru.core.text import NOTE, short
from vidgru.data.csv_list import LIST_SUFFIXES, Listed, search_list
from vidgru.data.folder import (
    FLAT,
    GROUPS_FILE,
    OUTSIDE,
    Clip,
    Found,
    part_of,
    read_groups,
    search_classes,
    search_videos,
    with_groups,
)
from vidgru.data.groups import is_group_name, looks_like_group
from vidgru.data.known_lists import refuse_splits
from vidgru.data.results import Account, Finding, LeftOut, counted, some_of
from vidgru.video.find import MAX_DEPTH, RUN_FILES, is_image, is_video, kept_by_system
from vidgru.video.read import natural_key

log = logging.getLogger("vidgru")

MIN_SERIES = 4  # numbered pictures that may be frames of one clip
TIMES_FILE = "frames.csv"  # as `vidgru extract` writes it
# ruff: noqa: SIM905
COVERS = re.compile(r"(cover|folder|front|poster|preview|thumb(nail)?s?)(?![a-z])", re.IGNORECASE)
UNREAD = {  # suffixes of files that are not read by these names
    **dict.fromkeys(
        ".264 .265 .3g2 .dav .dv .f4v .h265 .hevc .m1v .m2v .mpe .rm .rmvb .swf .y4m".split(),
        "unread video",
    ),
    **dict.fromkeys(
        ".arw .avif .cr2 .cr3 .dng .heic .heif .jxl .nef .orf .raf .rw2".split(), "unread picture"
    ),
}
REASONS = {
    "outside": ("warning", "outside train, val and test", ""),
    "no classes": (
        "warning",
        "in a part without class folders",
        "They are not evaluated on; `vidgru predict` tells what they show.",
    ),
    "stray": (
        "warning",
        "outside the class folders",
        "Move them into the folder of their class, or remove them.",
    ),
    "loose": (
        "warning",
        "single picture beside videos or folders of pictures",
        "Where there are those, only they are clips.",
    ),
    "below": ("warning", "below a folder of pictures that is one clip", ""),
    "not searched": ("warning", "not searched", ""),
    "unread video": ("warning", "kind of video that is not read", "Convert to .mp4, say."),
    "unread picture": ("warning", "kind of picture that is not read", "Convert to .jpg, say."),
    "unreadable folder": ("warning", "folder that cannot be looked into", ""),
    "dead": ("warning", "link that leads nowhere", ""),  # perhaps to a folder of clips
    "link": ("note", "link that leads nowhere, or to what is searched anyway", ""),
    "cover": ("note", "cover or thumbnail", ""),
    "ignored": ("note", "neither video nor picture", ""),
    "run": ("note", "part of a run", ""),
    "system": ("note", "left there by the system", ""),
    "hidden": ("note", "hidden", ""),
}


def find_clips(
    source: Path, group_by: str | None = None, *, labelled: bool = True
) -> tuple[list[Clip], Account]:
    """Return the clips of a folder or of a list in a file, and the account of it.

    Not `labelled`, they need no classes. Raises DataError, OptionError.
    """
    if source.suffix.lower() in LIST_SUFFIXES and source.is_file():
        listed = search_list(source, group_by, labelled=labelled)
        return listed.clips, account_of_list(listed)
    unsaid: list[str] = []  # links that are left out stand in the account
    try:
        found = (search_classes if labelled else search_videos)(source, unsaid)
    except DataError:
        for text in unsaid:
            log.warning("%s", text)
        refuse_splits(source)
        raise
    account = account_of_folder(source, found)
    clips = found.clips if group_by is None else with_groups(found.clips, source, group_by)
    return clips, account


def report_account(account: Account) -> None:
    """Log a sentence on all that was found, and a warning of each thing that should not be lost."""
    log.log(NOTE if account.left_out else logging.INFO, "%s", sentence(account))
    for finding in report_left_out(account):
        if finding.severity == "warning":
            log.warning("%s", finding.sentence)
        elif finding in account.notes:
            log.log(NOTE, "%s", finding.sentence)


def report_left_out(account: Account) -> list[Finding]:
    """Return a finding for each reason why files or rows are no clips, and what else to note."""
    found = []
    for left in account.left_out:
        what = counted(len(left.files), "row" if "rows" in account.used else "file")
        verb = "is" if len(left.files) == 1 else "are"
        text = f"{what} {verb} left out ({left.reason}): {some_of(left.files)}."
        text += f" {left.advice}" if left.advice else ""
        found.append(Finding(left.kind, left.severity, text, left.files))
    return [*found, *account.notes]


def sentence(account: Account, *, names: bool = True) -> str:
    """Return how much was found and what became of it.

    With `names` of what is left out for a reason that is no more than a note.
    """
    what = "row" if "rows" in account.used else "file"
    parts = [f"{count} {part}" for part, count in account.clips.items() if part]
    text = f"Found {counted(account.found, what)}: {counted(sum(account.clips.values()), 'clip')}"
    if frames := account.used.get("frames"):
        videos = account.used.get("videos", 0)
        parts += [counted(videos, "video")] if videos else []
        parts.append(f"{counted(frames, 'picture')} in folders")
    text += f" ({', '.join(parts)})" if parts else ""
    if tables := account.used.get("tables"):
        text += f", {counted(tables, 'table')} of groups or times"
    count = sum(len(left.files) for left in account.left_out)
    text += f", {count} left out" if count else ""
    notes = [left for left in account.left_out if names and left.severity == "note"]
    reasons = "; ".join(f"{some_of(left.files)} ({left.reason})" for left in notes)
    return f"{text}: {reasons}." if reasons else f"{text}."


def account_of_list(listed: Listed) -> Account:
    """Return what became of the rows of a list."""
    notes = []
    if unused := [repr(name) for name in listed.unused if not is_group_name(name)]:
        means = "column whose name means" if len(unused) == 1 else "columns whose names mean"
        text = f"The list has {len(unused)} {means} nothing here: {some_of(unused)}."
        notes.append(Finding("columns", "note", text))
    for name in listed.like_parts:
        text = f"The column {name!r} says train, val or test but is not used: call it split."
        notes.append(Finding(f"split in {name}", "warning", text))
    for place, count in listed.places.items():
        text = f"{counted(count, 'clip')} of the list {'lies' if count == 1 else 'lie'} in {place}."
        notes.append(Finding(f"found in {place}", "note", text))
    if listed.classes is not None:
        text = f"The names of the classes are those of {listed.classes}."
        notes.append(Finding("class names", "note", text))
    left_out = tuple(
        LeftOut(reason, "note", reason, tuple(rows)) for reason, rows in listed.left_out.items()
    )
    notes += _alike(listed.clips)
    count = len(listed.clips)
    return Account(listed.rows, {"rows": count}, _by_part(listed.clips), left_out, tuple(notes))


def account_of_folder(folder: Path, found: Found) -> Account:
    """Return what became of the files in a folder; every one of them is used or left out."""
    search = _Search(folder, found)
    search.walk(str(folder), "")
    labelled = any(clip.label for clip in found.clips)
    notes = (*(_notes(found.clips) if labelled else ()), *_rows_without_clips(folder, found.clips))
    left_out = []
    for kind, (severity, reason, advice) in REASONS.items():
        if files := search.left_out.get(kind):
            if kind == "stray" and not any(map(is_video, files)):
                severity, advice = "note", ""
            if kind == "stray" and not labelled:
                reason, advice = "single picture", ""
            left_out.append(LeftOut(kind, severity, reason, tuple(files), advice))
    count = sum(search.used.values()) + sum(len(left.files) for left in left_out)
    return Account(count, dict(search.used), _by_part(found.clips), tuple(left_out), notes)


def _rows_without_clips(folder: Path, clips: Sequence[Clip]) -> Iterator[Finding]:
    """Yield a finding about rows of FOLDER/groups.csv that name none of the clips."""
    if not os.path.lexists(path := folder / GROUPS_FILE):
        return
    try:
        rows = read_groups(path).rows
    except DataError:  # whoever needs the table says so
        return
    names = {clip.name for clip in clips}
    if lost := list(dict.fromkeys(row[0] for _, row in rows if row[0] not in names)):
        are = "is" if len(lost) == 1 else "are"
        text = (
            f"{GROUPS_FILE} names {counted(len(lost), 'clip')} that {are} not there: "
            f"{some_of([repr(short(name)) for name in lost])}. Clips are named by their paths in "
            f"{folder}, such as {clips[0].name!r}."
        )
        yield Finding("rows without clips", "warning", text)


def _by_part(clips: Sequence[Clip]) -> dict[str, int]:
    counts = Counter(clip.part or "" for clip in clips)
    return {part: counts[part] for part in ("train", "val", "test", "") if counts[part]}


class _Search:
    """A walk over all files in a folder, hidden ones too, that sorts them by what they are."""

    def __init__(self, folder: Path, found: Found) -> None:
        self._folder = folder
        self._clips = {str(clip.path) for clip in found.clips}
        self._above = {str(above) for clip in found.clips for above in clip.path.parents}
        self._areas = {str(path): reason for path, reason in found.left_out.items()}
        # Class folders, or all there is.
        depths = {2 if clip.part else 1 for clip in found.clips if clip.label}
        self._roots = {
            str(folder.joinpath(*clip.name.split("/")[:depth]))
            for clip in found.clips
            for depth in depths
        }
        self.used: Counter[str] = Counter()
        self.left_out: dict[str, list[str]] = defaultdict(list)

    def walk(self, folder: str, area: str, depth: int = 0) -> None:
        """Sort the files in a folder; `area` is why all of them are left out, "" if they are not.

        Areas: "hidden", "system", "run", "sequence", "below", "outside", "no classes", "class".
        """
        try:
            if depth > MAX_DEPTH:
                raise OSError("too deep to recurse into")
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: natural_key(entry.name))
        except OSError:
            self._leave("unreadable folder", folder)
            return
        if folder in self._clips:
            area = "sequence"
        elif area in ("", "class"):
            if folder in self._roots:
                area = "class"
            if folder != str(self._folder) and not RUN_FILES.isdisjoint(e.name for e in entries):
                area = "run"
        stems = {os.path.splitext(e.name)[0] for e in entries if e.path in self._clips}
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                self.walk(entry.path, self._inner(entry, area), depth + 1)
            elif entry.is_symlink() and os.path.isdir(entry.path):
                if entry.path in self._clips or entry.path in self._above:
                    self.walk(entry.path, self._inner(entry, area), depth + 1)
                else:
                    self._leave("link", entry.path)
            else:
                self._sort(entry, area, stems)

    def _inner(self, entry: os.DirEntry[str], area: str) -> str:
        if area in ("hidden", "system", "run"):
            return area
        if kept_by_system(entry.name):
            return "system"
        if entry.name.startswith("."):
            return "hidden"
        if area in ("sequence", "below"):
            return "below"
        if (reason := self._areas.get(entry.path)) is not None:
            return {OUTSIDE: "outside", FLAT: "no classes"}[reason]
        return area

    def _sort(self, entry: os.DirEntry[str], area: str, stems: set[str]) -> None:
        name, path = entry.name, entry.path
        seen = is_video(name) or is_image(name)
        if path in self._clips:
            self.used["videos" if is_video(name) else "pictures"] += 1
        elif area in ("hidden", "system", "run"):
            self._leave(area, path)
        elif kept_by_system(name):
            self._leave("system", path)
        elif name.startswith("."):
            self._leave("hidden", path)
        elif area == "sequence" and is_image(name):
            self.used["frames"] += 1
        elif (area == "sequence" and name == TIMES_FILE) or (
            name == GROUPS_FILE and path == str(self._folder / GROUPS_FILE)
        ):
            self.used["tables"] += 1
        elif entry.is_symlink() and not os.path.exists(path):
            self._leave("link" if os.path.splitext(name)[1] else "dead", path)
        elif not seen:
            suffix = os.path.splitext(name)[1].lower()
            self._leave(UNREAD.get(suffix, "ignored"), path)
        elif area in ("outside", "no classes", "below"):
            self._leave(area, path)
        elif is_video(name):
            self._leave("not searched" if area == "class" else "stray", path)
        elif os.path.splitext(name)[0] in stems or COVERS.match(name):
            self._leave("cover", path)
        else:
            self._leave("loose" if area == "class" else "stray", path)

    def _leave(self, kind: str, path: str) -> None:
        self.left_out[kind].append(os.path.relpath(path, self._folder))


def _notes(clips: Sequence[Clip]) -> Iterator[Finding]:
    """Yield what looks as if folders meant something else than they are taken for."""
    yield from _alike(clips)
    yield from _frames_of_clips(clips)
    inner: Mapping[str, set[str]] = defaultdict(set)
    flat, called = set[str](), set[str]()
    for clip in clips:
        names = clip.name.split("/")[1 if clip.part else 0 :]
        if len(names) > 2:
            inner[clip.label].add(names[1])
        else:
            flat.add(clip.label)
        if clip.part is None and part_of(names[0]) == "train" and len(names) > 2:
            called.add(names[0])
    for name in sorted(called):
        text = (
            f"{name} is taken for a class, as there are other folders beside it that are no parts: "
            "if it is one, move them away."
        )
        yield Finding("class called train", "warning", text)
    counts = Counter(name for names in inner.values() for name in names)
    common = sorted((n for n, count in counts.items() if 2 * count > len(inner)), key=natural_key)
    shared = sum(counts[name] for name in common)
    if flat or len(inner) < 2 or not common or shared < 0.8 * counts.total():
        return
    first = min(clips, key=lambda clip: clip.label).label
    if any(part_of(name) == "train" for name in common):
        text = (
            f"Every class folder holds the folders {some_of(common)}, which are not taken for "
            f"parts. If they are, put them above the classes: {common[0]}/{first}/..."
        )
        yield Finding("parts in classes", "warning", text)
    elif len(common) > 1 and not all(map(looks_like_group, common)):
        classes = sorted(inner, key=natural_key)
        text = (
            f"Every class folder ({some_of(classes)}) holds the same folders ({some_of(common)}). "
            f"If those are the classes, move {classes[0]}/{common[0]} to {common[0]}/{classes[0]} "
            f"and so on, or give a list with rows such as {classes[0]}/{common[0]}/CLIP,"
            f"{common[0]}, and --group-by '^([^/]+)/' to keep {classes[0]} on one side."
        )
        yield Finding("turned folders", "warning", text)


def _alike(clips: Sequence[Clip]) -> Iterator[Finding]:
    """Yield a finding about classes whose names differ in spaces and capitals only."""
    names = defaultdict[str, list[str]](list)
    for label in sorted({clip.label for clip in clips}):
        names[" ".join(re.split(r"[-_\s]+", label.strip().casefold()))].append(label)
    if same := [" = ".join(map(repr, some)) for some in names.values() if len(some) > 1]:
        text = f"Classes are called alike: {some_of(same)}. If they are one, give them one name."
        yield Finding("alike classes", "warning", text)


def _frames_of_clips(clips: Sequence[Clip]) -> Iterator[Finding]:
    """Yield a finding where single pictures are called as the frames of several clips are."""
    series = defaultdict[tuple[str, str], list[str]](list)
    for clip in clips:
        named = re.fullmatch(r"(.*\D)\d+", clip.path.stem)
        if not is_image(clip.path.name) or named is None:
            return
        series[clip.label, named[1]].append(clip.name)
    counts = Counter(label for label, _ in series)
    if clips and min(counts.values()) > 1 and min(map(len, series.values())) >= MIN_SERIES:
        first = next(iter(series.values()))[0]
        text = (
            f"Pictures are called as the frames of {len(series)} clips are, such as {first}, and "
            "each is a clip of its own. If they are frames, give each clip a folder of its own."
        )
        yield Finding("frames of clips", "warning", text)
