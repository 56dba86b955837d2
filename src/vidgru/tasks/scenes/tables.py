"""Output of `scenes`: tables to read and rows to keep."""

from collections.abc import Iterator

from rich import box
from rich.table import Table
from rich.text import Text

from vidgru.core.text import clock, timecode
from vidgru.data.results import counted
from vidgru.tasks.scenes.results import Scene, Scenes
from vidgru.terminal.tables import open_console, percent, shown

COLUMNS = (
    "source",
    "scene",
    "start",
    "end",
    "start_seconds",
    "end_seconds",
    "start_frame",
    "end_frame",
    "transition",
    "transition_start",
    "transition_end",
    "confidence",
    "error",
)


def show_scenes(scenes: Scenes) -> None:
    """Print a row for each scene of a video, and a summary."""
    table = Table(box=box.SIMPLE_HEAD, title=shown(scenes.source), title_justify="left")
    for title in ("scene", "from", "to", "frames"):
        table.add_column(title, justify="right", no_wrap=title != "scene")
    table.add_column("begins with")
    table.add_column("confidence", justify="right")
    for scene in scenes.scenes:
        table.add_row(
            f"{scene.number}",
            clock(scene.start_seconds),
            clock(scene.end_seconds),
            f"{scene.start}-{scene.end - 1}",
            _beginning(scene),
            percent(scene.begins.confidence if scene.begins is not None else None),
        )
    console = open_console()
    console.print(table)
    console.print(
        Text(
            f"{counted(len(scenes.scenes), 'scene')} in {clock(scenes.seconds)}, "
            f"{counted(scenes.frames, 'frame')} at {scenes.fps:.4g}/s, "
            f"{scenes.width}x{scenes.height} pixels."
        )
    )


def _beginning(scene: Scene) -> str:
    begins = scene.begins
    if begins is None:
        return "-"
    length = begins.end - begins.start
    return f"{begins.kind} ({length})" if length else begins.kind


def rows_of(scenes: Scenes) -> Iterator[list[str]]:
    """Yield a row for each scene of a source."""
    for scene in scenes.scenes:
        begins, transition = scene.begins, ["", "", "", ""]
        if begins is not None:
            transition = [begins.kind, f"{begins.start}", f"{begins.end}"]
            transition.append(f"{begins.confidence:.6f}")
        yield [
            scenes.source,
            f"{scene.number}",
            *(timecode(seconds) for seconds in (scene.start_seconds, scene.end_seconds)),
            *(f"{seconds:.6f}" for seconds in (scene.start_seconds, scene.end_seconds)),
            f"{scene.start}",
            f"{scene.end}",
            *transition,
            "",
        ]
