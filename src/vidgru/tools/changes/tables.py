"""Tables and files of lasting changes in front of a fixed camera."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from vidgru.core.errors import OutputError
from vidgru.core.results import Failure
from vidgru.core.text import clock, printable
from vidgru.data.results import counted
from vidgru.terminal.source_loop import CsvFile, Output, print_saved, print_sources
from vidgru.terminal.tables import open_console, percent, shown
from vidgru.tools.changes.find import changes_each, save_heatmap, save_images
from vidgru.tools.changes.options import ChangesConfig
from vidgru.tools.changes.results import Box, Changes
from vidgru.video.heat import SUFFIX
from vidgru.video.output_paths import (
    check_csv,
    plan_files,
    plan_folders,
    refuse_overwriting_sources,
)

SIDES = ("x", "y", "width", "height")
COLUMNS = (
    "source", "number", "frame", "seconds", "kind", "confidence", *SIDES,
    *(f"before_{side}" for side in SIDES), "error",
)  # fmt: skip

Plan = dict[Path, Path]


def report_changes(
    sources: Sequence[str],
    found: Sequence[Path | Failure],
    config: ChangesConfig,
    as_json: bool,
    quiet: bool,
) -> bool:
    """Print and write the changes in each source; return whether anything failed."""
    maps, folders = _plan(sources, found, config)
    output = Output(
        as_json=as_json,
        json_types=(Changes,),
        show={Changes: _show},
        table=CsvFile(config.csv, COLUMNS, {Changes: _rows}),
        save={Changes: lambda item: _write_files(item, maps, folders, quiet)},
    )
    interrupted = "{printed} of {total} sources were finished."
    return print_sources(
        changes_each(found), len(found), output, quiet=quiet, interrupted=interrupted
    )


def _plan(
    sources: Sequence[str], found: Sequence[Path | Failure], config: ChangesConfig
) -> tuple[Plan, Plan]:
    """Return which picture and which folder of pictures are written for each source."""
    maps = plan_files("--heatmap", config.heatmap, (SUFFIX,), sources, found)
    folders = {}
    if config.images is not None:
        folders = plan_folders(config.images, "", sources, found)
        refuse_overwriting_sources(folders.values(), folders)
        for folder in folders.values():
            if not config.overwrite and (there := sorted(folder.glob("*-before.jpg"))):
                raise OutputError(f"{there[0]} exists. Choose another folder, or give --overwrite.")
    check_csv(config.csv, found, maps.values())
    return maps, folders


def _rows(found: Changes) -> Iterator[list[str]]:
    for number, change in enumerate(found.changes, 1):
        about = [f"{number}", f"{change.frame}", f"{change.seconds:.3f}", change.kind]
        places = [
            "" if place is None else f"{getattr(place, side)}"
            for place in (change.box, change.before)
            for side in SIDES
        ]
        yield [found.source, *about, f"{change.confidence:.3f}", *places, ""]


def _show(found: Changes) -> None:
    """Print a row for each change of a source."""
    console = open_console()
    if found.changes:
        table = Table(box=box.SIMPLE_HEAD, title=shown(found.source), title_justify="left")
        for title in ("", "time", "frame"):
            table.add_column(title, justify="right")
        table.add_column("change", style="bold")
        table.add_column("confidence", justify="right")
        for title in ("where", "from"):
            table.add_column(title)
        for number, change in enumerate(found.changes, 1):
            cells = change.kind, percent(change.confidence)
            places = _place(change.box), _place(change.before)
            table.add_row(f"{number}", clock(change.seconds), f"{change.frame}", *cells, *places)
        console.print(table)
    every = {1: "", 2: ", every second one examined"}
    examined = every.get(found.every, f", one in {found.every} examined")
    text = f"{counted(len(found.changes), 'lasting change')}; {counted(found.frames, 'frame')}"
    text += f" at {found.fps:.4g}/s{examined}."
    console.print(Text(f"{printable(found.source)}: {text}", overflow="fold"))


def _place(place: Box | None) -> str:
    return "" if place is None else f"{place.width}x{place.height} at {place.x},{place.y}"


def _write_files(found: Changes, maps: Plan, folders: Plan, quiet: bool) -> bool:
    """Write the planned files of a source, once; return whether that failed."""
    source = Path(found.source)
    results: list[Path | Failure] = []
    if picture := maps.pop(source, None):
        results.append(save_heatmap(found, picture) or picture)
    if (folder := folders.pop(source, None)) and found.changes:
        results.append(save_images(found, folder) or folder)
    return print_saved(results, quiet)
