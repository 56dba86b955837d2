"""Write timelines for other programs: as events of BORIS, and as a row a frame."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from vidgru.core.files import begin_table, replacing
from vidgru.tasks.classify.timeline import Timeline
from vidgru.video.file_clock import file_clock
from vidgru.video.sample import TOLERANCE

EVENTS = (".tsv", ".csv")
FRAMES = (".csv",)
# Those of BORIS that say something, as it calls them.
COLUMNS = (
    *("Observation id", "Observation type", "Source", "Time offset (s)", "Media duration (s)"),
    *("Subject", "Behavior", "Behavioral category", "Behavior type", "Time", "Media file name"),
    "Comment",
)


def event_rows(timeline: Timeline, name: str | None = None) -> Iterator[list[str]]:
    """Yield a row for each start and each stop of a segment that is not unsure, by their times.

    They are by the clock of the file, as players, and so BORIS, have it. name: of the observation,
    by default that of the file.
    """
    source = Path(timeline.source)
    begin = file_clock(source).start
    length = _time(begin + timeline.seconds)
    # A table cannot say of a name that its ; is none between names.
    player = "" if {*";|"} & {*str(source)} else f"player #1:{source}"
    for segment in timeline.segments:
        if segment.unsure:
            continue
        for kind, time in (("START", begin + segment.start), ("STOP", begin + segment.end)):
            yield [
                *(name or source.stem, "Media file(s)", player, "0", length),
                *("", segment.label, "", kind, _time(time), str(source)),
                f"confidence {segment.confidence:.3f}" if kind == "START" else "",
            ]


def write_events(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write such rows of all sources as one table, a .tsv or .csv file. Raises OutputError."""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with (
        replacing(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        add = begin_table(file, COLUMNS, delimiter)
        for row in rows:
            add(row)


def write_frames(timeline: Timeline, path: Path) -> None:
    """Write the time of each frame of the source, and 1 for the class that it shows, else 0.

    Where the timeline is unsure, all are 0. Raises OutputError.
    """
    with (
        replacing(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        add = begin_table(file, ("seconds", *timeline.labels))
        for time, label in _labels(timeline):
            add([_time(time), *("1" if label == own else "0" for own in timeline.labels)])


def _labels(timeline: Timeline) -> Iterator[tuple[float, str | None]]:
    """Yield the time of each frame, and what it shows if that is sure."""
    segments = iter(timeline.segments)
    segment = next(segments, None)
    for time in timeline.times:
        # As where a sample is taken, a frame this little late is on time.
        while segment and time + TOLERANCE >= segment.end and (later := next(segments, None)):
            segment = later
        yield time, None if segment is None or segment.unsure else segment.likeliest


def _time(seconds: float) -> str:
    return repr(round(seconds, 6))
