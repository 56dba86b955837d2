"""Output of `scenes`: tables to read and rows to keep."""

from collections.abc import Iterator

from rich import box
from rich.table import Table
from rich.text import Text

from vidgru.core.text import clock, timecode
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
    for title in ("scene", "from", "to", "frames", "seconds", "count"):
        table.add_column(title, justify="right", no_wrap=title in ("from", "to", "frames"))
    table.add_column("begins with")
    table.add_column("confidence", justify="right")
    for scene in scenes.scenes:
        table.add_row(
            f"{scene.number}",
            timecode(scene.start_seconds),
            timecode(scene.end_seconds),
            f"{scene.start}-{scene.end - 1}",
            f"{scene.end_seconds - scene.start_seconds:.3f}",
            f"{scene.end - scene.start}",
            _beginning(scene),
            percent(scene.begins.confidence if scene.begins is not None else None),
        )
    console = open_console()
    console.print(table)
    count = len(scenes.scenes)
    console.print(
        Text(
            f"{count} scene{'s' if count != 1 else ''} in {clock(scenes.seconds)}, {scenes.frames} "
            f"frames at {scenes.fps:.4g}/s, {scenes.width}x{scenes.height} pixels."
        )
    )


def _beginning(scene: Scene) -> str:
    begins = scene.begins
    if begins is None:
        return "-"
    length = begins.end - begins.start
    return f"{begins.kind}, {length} frames" if length else begins.kind


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
