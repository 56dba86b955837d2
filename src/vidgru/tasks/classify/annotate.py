"""Draw predicted labels on videos, and save them."""

from collections.abc import Generator
from pathlib import Path

from vidgru.core.errors import OutputError, VideoError
from vidgru.core.results import Failure, Progress
from vidgru.tasks.classify.overlay import Overlay
from vidgru.tasks.classify.timeline import Timeline
from vidgru.video.redraw import Draw, redraw


def annotate(
    source: str | Path, timeline: Timeline, path: str | Path
) -> Generator[Progress, None, None]:
    """Write the video of a source with its timeline drawn on it, as `redraw` does."""

    def prepare(size: tuple[int, int]) -> Draw:
        overlay = Overlay(size, timeline)
        return lambda frame: overlay.draw(frame.rgb, frame.time)

    yield from redraw(source, path, prepare, timeline.seconds)


def save_one(
    timeline: Timeline, source: Path, path: Path
) -> Generator[Progress, None, Failure | None]:
    """`annotate` a source, or return the Failure."""
    try:
        yield from annotate(source, timeline, path)
    except (VideoError, OutputError) as error:
        return Failure(str(source), str(error))
    return None
