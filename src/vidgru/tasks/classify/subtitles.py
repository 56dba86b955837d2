"""Write a timeline as subtitles, so that any player shows its labels."""

from pathlib import Path

from vidgru.core.files import write_bytes
from vidgru.core.text import timecode
from vidgru.tasks.classify.timeline import Timeline
from vidgru.video.file_clock import file_clock

SUFFIXES = (".srt", ".vtt")


def subtitles(timeline: Timeline, suffix: str, start: float = 0.0) -> str:
    """Return a timeline as the text of a .srt or .vtt file: each segment's label and confidence.

    start: seconds by the file's own clock, as players have it, at which the timeline begins.
    Characters that players would take for markup in a label are written as entities, or in .srt,
    which has none, as look-alikes.
    """
    cues = []
    for number, segment in enumerate(timeline.segments, 1):
        label = "".join(
            c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in segment.called
        )
        if suffix == ".vtt":
            label = label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        else:
            label = label.translate(LOOK_ALIKES)
        times = (_time(start + seconds, suffix) for seconds in (segment.start, segment.end))
        span = " --> ".join(times)
        cues.append(f"{number}\n{span}\n{label} {100 * segment.confidence:.0f} %\n")
    head = "WEBVTT\n\n" if suffix == ".vtt" else ""
    return head + "\n".join(cues)


def write_subtitles(timeline: Timeline, path: Path) -> None:
    """Write a .srt or .vtt file, by the clock of the source. Raises OutputError."""
    text = subtitles(timeline, path.suffix.lower(), file_clock(timeline.source).start)
    write_bytes(path, text.encode("utf-8", "replace"))


# Players interpret <i> and {\an8} as formatting.
LOOK_ALIKES = str.maketrans({"<": "\u2039", ">": "\u203a", "{": "(", "}": ")"})


def _time(seconds: float, suffix: str) -> str:
    return timecode(seconds).replace(".", "." if suffix == ".vtt" else ",")
