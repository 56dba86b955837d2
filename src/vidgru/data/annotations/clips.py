"""Make labelled clips of what annotations say of long videos."""

import logging
import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from statistics import median

from vidgru.core.errors import VideoError
from vidgru.data.annotations.reader import Annotations, Event
from vidgru.data.annotations.videos import Searched, Videos
from vidgru.data.folder import Clip, clip_name
from vidgru.video.file_clock import file_clock
from vidgru.video.read import open_video

log = logging.getLogger("vidgru")

SAME = 0.1  # seconds by which labels may overlap: nobody marks times any better
SHORTEST = 0.5  # seconds of a stretch of background
AROUND = 1.0  # seconds before and behind a point event that are no background
BEYOND = 1.0, 0.01  # seconds, and share of its length, by which a video may be declared too short
NAMED = 3  # things that a sentence names
MAX_DRAWS = 64  # of one clip, an epoch

Span = tuple[float, float]


@dataclass(frozen=True)
class Annotated:
    """Clips of annotated videos, and the videos with what in them is neither labelled nor not."""

    clips: list[Clip]
    videos: dict[Path, str]  # how each is listed
    closed: Mapping[Path, list[Span]]
    named: Sequence[tuple[PurePath, Path | None]] = ()  # the videos that were to be found


def read_events(
    annotations: Annotations, source: Path, folder: Path | None, searched: Searched | None = None
) -> Annotated:
    """Return a clip for each event, in the order of the file, with its video as its group.

    Warns of what is left out, but for videos that were not found.
    """
    for text in annotations.warnings:
        log.warning("Left out of %s: %s.", source, text)
    _warn_of_points(annotations.events, source)
    where = Videos(source, folder, searched)
    paths = {video: where.find(video) for video in annotations.videos}
    clocks: dict[Path, _Clock] = {}
    clips, closed = list[Clip](), defaultdict[Path, list[Span]](list)
    for event in [*annotations.events, *annotations.unknown]:
        path = paths.get(event.video)
        if path is None:
            continue
        clock = clocks.setdefault(path, _Clock(path))
        start, end = (
            None if time is None else clock.seconds(time, event.unit)
            for time in (event.start, event.end)
        )
        if start is None:
            continue  # decoding names it
        if not event.label:
            closed[path].append((start, math.inf if end is None else end))
        elif event.end is None:
            closed[path].append((start - AROUND, start + AROUND))
        elif end is not None and end > start:
            listed = where.listed(path)
            name = clip_name(listed, start, end)
            clips.append(Clip(path, name, event.label, None, listed, start, end))
    for clock in clocks.values():
        clock.warn()
    videos = {path: where.listed(path) for path in paths.values() if path is not None}
    return Annotated(clips, videos, closed, [*paths.items()])


class _Clock:
    """Gives the times of frames of a video; reads it only when it must."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start: float | None = None
        self._rate: float | None = None
        self._times: list[float] | None = None
        self._beyond = self._broken = False

    def seconds(self, time: float, unit: str) -> float | None:
        """Return a time in seconds, to a microsecond; None where the video cannot be read."""
        try:
            if unit == "player":
                time -= self._begin()
            elif unit == "frames":
                time /= self._frames_a_second()
            elif unit == "rows":
                time = self._of_row(time)
            return round(max(time, 0.0), 6)
        except VideoError as error:
            if not self._broken:
                log.warning("Skipped: %s", error)
            self._broken = True
            return None

    def warn(self) -> None:
        """Warn of a table that has more rows than the video has frames."""
        if self._beyond and self._times is not None:
            log.warning(
                "%s has %d frames, but its annotations more rows: those behind its end are left "
                "out.",
                self.path,
                len(self._times) - 1,
            )

    def _begin(self) -> float:
        if self._start is None:
            self._start = file_clock(self.path).start
        return self._start

    def _frames_a_second(self) -> float:
        if self._rate is None:
            with open_video(self.path) as video:
                self._rate = video.fps
        return self._rate

    def _of_row(self, row: float) -> float:
        if self._times is None:
            with open_video(self.path) as video:
                times = []
                while (time := video.grab()) is not None:
                    times.append(time)
                self._times = [*times, video.info().seconds]
        self._beyond = self._beyond or row >= len(self._times)
        return self._times[min(int(row), len(self._times) - 1)]


def _warn_of_points(events: Iterable[Event], source: Path) -> None:
    """Warn of events that last no time: there is nothing of them to learn from."""
    points = Counter(event.label for event in events if event.end is None)
    if points:
        named = ", ".join(f"{label!r} ({n})" for label, n in points.most_common(NAMED))
        more = f" and {len(points) - NAMED} more kinds" if len(points) > NAMED else ""
        log.warning(
            "Left out of %s: %d point events, which last no time: %s%s. Give them a start and a "
            "stop to learn from them.",
            source,
            points.total(),
            named,
            more,
        )


def merged(clips: Sequence[Clip]) -> list[Clip]:
    """Return clips of which those of one video and label that overlap are one, the first one.

    Rows of a list that belong to different parts or groups stay apart.
    """
    order = {clip: number for number, clip in enumerate(clips)}
    found: list[tuple[int, Clip]] = []
    by_label = defaultdict[tuple[Path, str, str | None, str | None], list[Clip]](list)
    for clip in clips:
        by_label[clip.path, clip.label, clip.part, clip.group].append(clip)
    for same in by_label.values():
        same.sort(key=lambda clip: _span(clip))
        joined, number = same[0], order[same[0]]
        for clip in same[1:]:
            (low, high), (start, end) = _span(joined), _span(clip)
            if start < high:
                joined = _cut(joined, low, end) if end > high else joined
                number = min(number, order[clip])
            else:
                found.append((number, joined))
                joined, number = clip, order[clip]
        found.append((number, joined))
    return [clip for _, clip in sorted(found, key=lambda pair: pair[0])]


def within_videos(clips: Sequence[Clip]) -> list[Clip]:
    """Return clips that end with their videos at the latest; warns of those that went on."""
    lengths = {path: _declared(path) for path in dict.fromkeys(clip.path for clip in clips)}
    found, late = list[Clip](), list[str]()
    for clip in clips:
        (start, end), length = _span(clip), lengths[clip.path]
        if start < length and end > length + max(BEYOND[0], BEYOND[1] * length):
            found.append(_cut(clip, start, round(length, 6)))
            late.append(f"{clip.label!r} {start:g}-{end:g} s in {clip.listed}, of {length:g} s")
        else:
            found.append(clip)
    if late:
        what = "1 stretch ends after its video does and is cut there"
        if len(late) > 1:
            what = f"{len(late)} stretches end after their videos do and are cut there, the first"
        log.warning("%s: %s.", what, late[0])
    return found


def _declared(path: Path) -> float:
    """Return the length of a video in seconds, infinity where nothing is known of it."""
    try:
        with open_video(path) as video:
            return video.seconds or math.inf
    except VideoError:
        return math.inf  # decoding names it


def overlapping(clips: Sequence[Clip]) -> list[tuple[Clip, Clip]]:
    """Return pairs of clips of one video with different labels that overlap, one a later clip."""
    found = []
    for own in _by_path(clips).values():
        longest: dict[str, Clip] = {}  # of each label, the clip that goes on for longest
        for clip in sorted(own, key=_span):
            start, end = _span(clip)
            for other in longest.values():
                shared = min(_span(other)[1], end) - start
                if other.label != clip.label and shared > SAME:
                    found.append((other, clip))
                    break
            known = longest.get(clip.label)
            if known is None or _span(known)[1] < end:
                longest[clip.label] = clip
    return found


def say_overlaps(pairs: Sequence[tuple[Clip, Clip]], source: Path) -> str:
    """Return a sentence about labels that overlap, and what is possible."""
    first, second = pairs[0]
    spans = " and ".join(
        f"{clip.label!r} {_span(clip)[0]:g}-{_span(clip)[1]:g} s" for clip in (first, second)
    )
    times = "once" if len(pairs) == 1 else f"{len(pairs)} times"
    return (
        f"{source} gives one time two labels {times}, first in {first.listed}: {spans}. A clip has "
        "one label: mend the times, make one label of both, or give --overlap first to keep the "
        "one that the file names first."
    )


def first_only(clips: Sequence[Clip]) -> list[Clip]:
    """Return clips without the time that an earlier clip of the same video has already."""
    taken: dict[Path, list[Span]] = defaultdict(list)
    found, lost = list[Clip](), defaultdict[str, float](float)
    for clip in clips:
        own = taken[clip.path]
        low, high = _span(clip)
        pieces = list(_gaps(_among(own, low, high), low, high))
        whole = pieces == [(low, high)]
        kept = [p for p in pieces if whole or p[1] - p[0] > SAME]
        found += [clip] if whole else [_cut(clip, *piece) for piece in kept]
        if not whole:
            left = high - low - sum(end - start for start, end in kept)
            lost[clip.label] += left if left > SAME else 0.0
        _insert(own, (low, high))
    if seconds := {label: time for label, time in lost.items() if time}:
        named = ", ".join(f"{t:.1f} s of {label!r}" for label, t in sorted(seconds.items()))
        log.warning("Left out, since an earlier label has that time: %s.", named)
    return found


def background(annotated: Annotated, label: str) -> list[Clip]:
    """Return a clip of each stretch of annotated videos that has no label."""
    by_path = _by_path(annotated.clips)
    found = []
    for path, listed in annotated.videos.items():
        own = by_path.get(path, [])
        known = sorted([*map(_span, own), *annotated.closed.get(path, ())])
        try:
            with open_video(path) as video:
                end = video.seconds or max((e for _, e in known), default=0.0)
        except VideoError:
            continue  # decoding names it
        group = own[0].group if own else listed
        part = own[0].part if own else None
        for low, high in _gaps(known, 0.0, end):
            if high - low >= SHORTEST:
                low, high = round(low, 6), round(high, 6)
                name = clip_name(listed, low, high)
                found.append(Clip(path, name, label, part, group, low, high))
    return found


def with_draws(clips: Sequence[Clip]) -> list[Clip]:
    """Return clips of which longer ones are drawn more often, by the root of their length."""
    lengths = [end - start for start, end in map(_span, clips)]
    usual = median(lengths)
    return [
        replace(clip, draws=max(1, min(MAX_DRAWS, round(math.sqrt(length / usual)))))
        for clip, length in zip(clips, lengths, strict=True)
    ]


def _by_path(clips: Iterable[Clip]) -> dict[Path, list[Clip]]:
    found = defaultdict[Path, list[Clip]](list)
    for clip in clips:
        found[clip.path].append(clip)
    return found


def _span(clip: Clip) -> Span:
    return clip.start or 0.0, math.inf if clip.end is None else clip.end


def _cut(clip: Clip, start: float, end: float) -> Clip:
    """Return what is shown from start to end of the video of a clip."""
    last = None if end == math.inf else end
    return replace(clip, name=clip_name(clip.listed, start, last), start=start, end=last)


def _among(spans: Sequence[Span], low: float, high: float) -> Sequence[Span]:
    """Return those of sorted spans, which do not overlap, that lie between two times in part."""
    first = max(bisect_left(spans, (low, low)) - 1, 0)
    return spans[first : bisect_left(spans, (high, high))]


def _gaps(spans: Iterable[Span], low: float, high: float) -> Iterator[Span]:
    """Yield what sorted spans leave between two times."""
    for start, end in spans:
        if start > low and low < high:
            yield low, min(start, high)
        low = max(low, end)
    if low < high:
        yield low, high


def _insert(spans: list[Span], new: Span) -> None:
    """Add a span to sorted ones that do not overlap, and join it with those that it touches."""
    low, high = new
    first = bisect_left(spans, (low, low))
    if first and spans[first - 1][1] >= low:
        first -= 1
    last = first
    while last < len(spans) and spans[last][0] <= high:
        low, high = min(low, spans[last][0]), max(high, spans[last][1])
        last += 1
    spans[first:last] = [(low, high)]
