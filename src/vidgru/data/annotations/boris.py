"""BORIS: projects, and the two tables of events that it exports (www.boris.unito.it)."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from vidgru.core.errors import DataError
from vidgru.data.annotations.reader import (
    LONGEST,
    Annotations,
    Document,
    Event,
    Reader,
    pure_path,
    to_seconds,
)

TABLES = frozenset((".csv", ".tsv", ".txt"))
FIX = "Fix it in BORIS (Observations > Fix unpaired events)."
SEVERAL = (
    "several media files follow each other, and when each begins is not said. Export from a newer "
    "BORIS, or give the .boris project."
)
NOTHING = 1e-6  # seconds
Media = list[tuple[PurePath, float]]  # files that are played one after the other, seconds of each


class Project(Reader):
    """A project: the observations of media files, each with its events."""

    name, suffixes = "BORIS project", frozenset((".boris", ".json"))

    def recognises(self, document: Document) -> bool:
        """See `Reader`."""
        found = document.json
        return isinstance(found, dict) and {"observations", "behaviors_conf"} <= found.keys()

    def read(self, document: Document) -> Annotations:
        """See `Reader`."""
        project = document.json
        states, points = _behaviours(document, project["behaviors_conf"])
        found = Annotations()
        observations = project["observations"]
        if not isinstance(observations, dict):
            raise document.wrong("its observations are damaged.")
        for name, observation in observations.items():
            if not isinstance(observation, dict) or not isinstance(observation.get("events"), list):
                raise document.wrong(f"the observation {name!r} is damaged.")
            if observation.get("type") != "MEDIA":
                kind = "a live one" if observation.get("type") == "LIVE" else "not of videos"
                found.warnings.append(f"the observation {name!r} is {kind}")
                continue
            media = _media(document, name, observation)
            found.videos += [video for video, _ in media]
            offset = _offset(document, name, observation)
            running: dict[tuple[str, str, str], float] = {}
            for event in observation["events"]:
                time, behaviour, key = _event(document, name, event)
                if behaviour not in states | points:
                    raise document.wrong(
                        f"the observation {name!r} has the behavior {behaviour!r}, which the "
                        "project does not define."
                    )
                start = running.pop(key, None) if behaviour in states else time
                if start is None:
                    running[key] = time
                    continue
                end = time if behaviour in states else None
                found.events += _on_media(document, media, behaviour, start, end, offset)
            if running:
                (subject, behaviour, _), time = next(iter(running.items()))
                who = f" of {subject!r}" if subject else ""
                raise document.wrong(
                    f"in the observation {name!r}, {behaviour!r}{who} starts at {time:g} s and "
                    f"never stops. {FIX}"
                )
        return found


def _behaviours(document: Document, listed: Any) -> tuple[set[str], set[str]]:
    """Return the codes of state events and those of point events."""
    states, points = set[str](), set[str]()
    for behaviour in listed.values() if isinstance(listed, dict) else [None]:
        if not isinstance(behaviour, dict) or not isinstance(behaviour.get("type"), str):
            raise document.wrong("its behaviors are damaged.")
        kind = states if behaviour["type"].lower().startswith("state") else points
        kind.add(document.label(behaviour.get("code")))
    return states, points


def _media(document: Document, name: str, observation: dict[str, Any]) -> Media:
    """Return the files of the first player; the others show the same from elsewhere."""
    files = observation.get("file")
    first = files.get("1") if isinstance(files, dict) else None
    if not isinstance(first, list) or not first:
        raise document.wrong(f"the observation {name!r} has no media file.")
    about = observation.get("media_info")
    lengths = about.get("length") if isinstance(about, dict) else None
    known = lengths if isinstance(lengths, dict) else {}
    media = []
    for file in first:
        seconds = to_seconds(known.get(file)) if isinstance(file, str) else None
        if seconds is None and file is not first[-1]:
            raise document.wrong(
                f"the observation {name!r} plays several files, and the length of {str(file)!r} "
                "is not known."
            )
        media.append((document.video(file), seconds or 0.0))
    return media


def _offset(document: Document, name: str, observation: dict[str, Any]) -> float:
    """Return the seconds that events come later than in the media files."""
    if observation.get("media_creation_date_as_offset"):
        raise document.wrong(
            f"the times of the observation {name!r} are dates. Only times within the media files "
            "can be read."
        )
    offset = observation.get("time offset") or 0.0
    if isinstance(offset, bool) or not isinstance(offset, int | float) or not abs(offset) < 1e7:
        raise document.wrong(f"the time offset of the observation {name!r} is damaged.")
    return float(offset)


def _event(document: Document, name: str, event: Any) -> tuple[float, str, tuple[str, str, str]]:
    """Return time, behaviour, and what starts and stops have in common of an event."""
    if not isinstance(event, list) or len(event) < 4:
        raise document.wrong(f"an event of the observation {name!r} is damaged.")
    time, subject, behaviour, modifier = event[:4]
    if isinstance(time, bool) or not isinstance(time, int | float) or not abs(time) < 1e7:
        raise document.wrong(f"an event of the observation {name!r} has no time.")
    behaviour = document.label(behaviour)
    return float(time), behaviour, (str(subject), behaviour, str(modifier))


def _on_media(
    document: Document,
    media: Media,
    label: str,
    start: float,
    end: float | None,
    offset: float,
) -> list[Event]:
    """Return an event on each of the files that it lies on, by their own times."""
    if end is not None and end < start:
        raise document.wrong(f"{label!r} stops at {end:g} s, before it starts at {start:g} s.")
    begin, found = offset, list[Event]()
    for number, (video, seconds) in enumerate(media):
        last = number == len(media) - 1
        low = start - begin if number == 0 and start - begin < -NOTHING else max(start - begin, 0.0)
        high = None if end is None else end - begin
        if low < -NOTHING:
            raise document.wrong(f"{label!r} at {start:g} s lies before its media file begins.")
        if last or low < seconds:
            if high is None:
                return [Event(video, label, low, None)]
            if high > low or (last and not found):
                stop = high if last else min(high, seconds)
                found.append(Event(video, label, low, stop if stop > low else None))
            if last or high <= seconds:
                return found
        begin += seconds
    return found


class Tabular(Reader):
    """A row for each start, stop and point. Several observations may follow each other."""

    name, suffixes = "BORIS tabular events", TABLES

    def recognises(self, document: Document) -> bool:
        """See `Reader`."""
        if "Observation id" not in document.first_line:
            return False
        try:
            return any(_is_head(cells, "Time") for _, cells in document.rows())
        except DataError:
            return False

    def read(self, document: Document) -> Annotations:
        """See `Reader`."""
        found = Annotations()
        columns: dict[str, int] = {}
        running: dict[tuple[str, ...], tuple[float, int, PurePath]] = {}
        offset, files, videos = "", dict[str, PurePath](), dict[PurePath, None]()
        for line, cells in document.rows():
            if _is_head(cells, "Time"):
                # Older versions write each observation below lines about it.
                _check_stopped(document, running)
                columns, files = {name: place for place, name in enumerate(cells)}, {}
                continue
            if cells[0] == "Time offset (s)":
                offset = cells[1] if len(cells) > 1 else ""
                continue
            if not columns or not (row := _row(columns, cells)).get("Behavior"):
                continue
            row.setdefault("Time offset (s)", offset)
            video = _file(document, row, line)
            _check_alone(document, row, video, files, line)
            videos[video] = None
            label = document.label(row["Behavior"], line)
            time = document.seconds(row.get("Time", ""), "Time", line, signed=True)
            (time,) = _by_media(document, row, time, line=line)
            key = _same(row, columns)
            status = row.get("Behavior type") or row.get("Status") or ""
            if status.upper() == "POINT":
                found.events.append(Event(video, label, time, None))
            elif status.upper() == "START":
                if key in running:
                    raise document.wrong(f"{label!r} starts twice. {FIX}", line)
                running[key] = time, line, video
            elif status.upper() == "STOP":
                if key not in running:
                    raise document.wrong(f"{label!r} stops, but did not start. {FIX}", line)
                start, _, where = running.pop(key)
                if where != video or time < start:
                    raise document.wrong(f"{label!r} stops in another file than it starts.", line)
                found.events.append(Event(video, label, start, time if time > start else None))
            else:
                raise document.wrong(f"{status!r} is not START, STOP or POINT.", line)
        _check_stopped(document, running)
        found.videos = list(videos)
        return found


class Aggregated(Reader):
    """A row for each event, with its start and stop."""

    name, suffixes = "BORIS aggregated events", TABLES

    def recognises(self, document: Document) -> bool:
        """See `Reader`."""
        return "Observation id" in document.header and _is_head(document.header, "Start (s)")

    def read(self, document: Document) -> Annotations:
        """See `Reader`."""
        found, files, videos = Annotations(), dict[str, PurePath](), dict[PurePath, None]()
        columns = {name: place for place, name in enumerate(document.header)}
        for line, cells in document.rows():
            row = _row(columns, cells)
            if not row.get("Behavior") or _is_head(cells, "Start (s)"):
                continue
            video = _file(document, row, line)
            _check_alone(document, row, video, files, line)
            videos[video] = None
            label = document.label(row["Behavior"], line)
            start, end = document.span(row.get("Start (s)"), row.get("Stop (s)"), line, signed=True)
            point = end is None or row.get("Behavior type", "").upper() == "POINT"
            times = _by_media(document, row, start, start if end is None else end, line=line)
            found.events.append(Event(video, label, times[0], None if point else times[1]))
        found.videos = list(videos)
        return found


def _is_head(cells: Sequence[str], time: str) -> bool:
    """Return whether cells are the head of a table of events."""
    return "Behavior" in cells and time in cells


def _row(columns: dict[str, int], cells: Sequence[str]) -> dict[str, str]:
    return {name: cells[place] for name, place in columns.items() if name and place < len(cells)}


def _same(row: dict[str, str], columns: dict[str, int]) -> tuple[str, ...]:
    """Return what a start and its stop have in common."""
    modifiers = [row.get(name, "") for name in columns if name.startswith("Modifier")]
    names = ("Observation id", "Subject", "Behavior")
    return (*(row.get(name, "") for name in names), *modifiers)


def _file(document: Document, row: dict[str, str], line: int) -> PurePath:
    """Return the media file of an event. Raises DataError where it is one of several."""
    for column in ("Media file name", "Source", "Media file path", "Media file"):
        text = row.get(column, "")
        if not text or text in ("NA", "Not found"):
            continue
        if column == "Media file name":
            return document.video(text, line)
        # The first player's files; the others show the same from elsewhere.
        text = text.partition("|")[0].removeprefix("player #1:").strip()
        if ";" in text:
            raise document.wrong(SEVERAL, line)
        return document.video(text, line)
    raise document.wrong("there is no media file.", line)


def _check_alone(
    document: Document, row: dict[str, str], video: PurePath, files: dict[str, PurePath], line: int
) -> None:
    """Raise DataError where an observation has several files and does not say how long each is."""
    if not row.get("Source") and files.setdefault(row.get("Observation id", ""), video) != video:
        raise document.wrong(SEVERAL, line)


def _by_media(document: Document, row: dict[str, str], *times: float, line: int) -> list[float]:
    """Return times of the media file: BORIS adds an offset, and the files played before it."""
    source = row.get("Source", "").partition("|")[0].removeprefix("player #1:")
    before, length = 0.0, LONGEST
    files = [pure_path(file) for file in source.split(";")] if source else []
    if len(files) > 1:
        lengths = row.get("Media duration (s)", "").partition("|")[0].split(";")
        place = files.index(found) if (found := _file(document, row, line)) in files else -1
        if place < 0 or len(lengths) < len(files):
            raise document.wrong("when its media file begins is not said.", line)
        before = sum(document.seconds(lengths[k], "duration", line) for k in range(place))
        length = document.seconds(lengths[place], "duration", line)
    offset = row.get("Time offset (s)") or "0"
    shift = before + document.seconds(offset, "Time offset", line, signed=True)
    found_times = [time - shift for time in times]
    if min(found_times) < -NOTHING:
        raise document.wrong("the event lies before its media file begins.", line)
    if max(found_times) > length + NOTHING:
        raise document.wrong("the event goes on in another media file: give the project.", line)
    return [max(time, 0.0) for time in found_times]


def _check_stopped(
    document: Document, running: dict[tuple[str, ...], tuple[float, int, PurePath]]
) -> None:
    """Raise DataError for what starts and never stops."""
    for key, (_, line, _) in running.items():
        raise document.wrong(f"{key[2]!r} starts there and never stops. {FIX}", line)
