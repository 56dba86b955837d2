"""`vidgru scenes --objects`: tell what changed for good before a fixed camera."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text
from tqdm import tqdm

from vidgru.changes import Box, Change, Changes
from vidgru.cli.answers import kept_rows
from vidgru.cli.tables import open_console, percent, shown
from vidgru.cli.text import clock, printable
from vidgru.config import ScenesConfig
from vidgru.errors import OptionError, OutputError
from vidgru.files import check_file
from vidgru.results import Failure, Progress
from vidgru.verbs.changes import changes_each, save_heatmap, save_images
from vidgru.verbs.places import keep_apart, plan_files, plan_folders
from vidgru.video.heat import SUFFIX

BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
SIDES = ("x", "y", "width", "height")
COLUMNS = (
    "source", "number", "frame", "seconds", "kind", "confidence", *SIDES,
    *(f"before_{side}" for side in SIDES), "error",
)  # fmt: skip

Plan = dict[Path, Path]


def tell_changes(
    sources: Sequence[str],
    found: Sequence[Path | Failure],
    config: ScenesConfig,
    as_json: bool,
    quiet: bool,
) -> bool:
    """Print and write what changed in each source; return whether anything failed."""
    maps, folders = _plan(sources, found, config)
    done, failed = 0, False
    with (
        kept_rows(config.csv, COLUMNS) as write,
        # disable=None: no bar where stderr is not a terminal.
        tqdm(total=len(found), bar_format=BAR, disable=quiet or None) as bar,
    ):
        try:
            for item in changes_each(found):
                share = 0.0
                if isinstance(item, Progress):
                    share = min(item.done / max(item.total, 1), 1)
                else:
                    done += 1
                bar.set_postfix_str(f"{done}/{len(found)} sources", refresh=False)
                bar.update(done + share - bar.n)
                if isinstance(item, Progress):
                    continue
                if as_json:
                    tqdm.write(json.dumps(item.to_dict()))
                if isinstance(item, Failure):
                    failed = True
                    write([item.source, *[""] * (len(COLUMNS) - 2), item.error])
                    tqdm.write(f"Error: {printable(item.error)}", file=sys.stderr)
                    continue
                for number, change in enumerate(item.changes, 1):
                    write(_row(item.source, number, change))
                if not as_json:
                    with tqdm.external_write_mode():
                        _show(item)
                failed |= _write_files(item, maps, folders, quiet)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"Interrupted. {done} of {len(found)} sources were told to their end."
            ) from None
    return failed


def _plan(
    sources: Sequence[str], found: Sequence[Path | Failure], config: ScenesConfig
) -> tuple[Plan, Plan]:
    """Return which picture and which folder of pictures are written of each source."""
    maps = plan_files("--heatmap", config.heatmap, (SUFFIX,), sources, found)
    folders = {}
    if config.images is not None:
        folders = plan_folders(config.images, "", sources, found)
        for folder in folders.values():
            if folder.exists() and not folder.is_dir():
                raise OutputError(f"Cannot write to {folder}: it is a file, not a folder.")
            if not config.overwrite and (there := sorted(folder.glob("*-before.jpg"))):
                raise OutputError(
                    f"{there[0]} is there already. Choose another folder, or give --overwrite."
                )
    if config.csv is not None:
        check_file(Path(config.csv))
        keep_apart([Path(config.csv)], [item for item in found if isinstance(item, Path)])
        if Path(config.csv) in maps.values():
            raise OptionError(f"{config.csv} would be written twice: give --csv another name.")
    return maps, folders


def _row(source: str, number: int, change: Change) -> list[str]:
    about = [f"{number}", f"{change.frame}", f"{change.seconds:.3f}", change.kind]
    places = [
        "" if place is None else f"{getattr(place, side)}"
        for place in (change.box, change.before)
        for side in SIDES
    ]
    return [source, *about, f"{change.confidence:.3f}", *places, ""]


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
            told = change.kind, percent(change.confidence)
            places = _place(change.box), _place(change.before)
            table.add_row(f"{number}", clock(change.seconds), f"{change.frame}", *told, *places)
        console.print(table)
    count = len(found.changes)
    words = f"{count} change" + "s" * (count != 1) if count else "nothing changed"
    looked = "" if found.every == 1 else f", one of {found.every} looked at"
    text = f"{words} for good in {found.frames} frames at {found.fps:.4g}/s{looked}."
    console.print(Text(f"{printable(found.source)}: {text}", overflow="fold"))


def _place(place: Box | None) -> str:
    return "" if place is None else f"{place.width}x{place.height} at {place.x},{place.y}"


def _write_files(found: Changes, maps: Plan, folders: Plan, quiet: bool) -> bool:
    """Write what was planned for a source, once; return whether that failed."""
    source, failures = Path(found.source), []
    if picture := maps.pop(source, None):
        failures.append((picture, save_heatmap(found, picture)))
    if (folder := folders.pop(source, None)) and found.changes:
        failures.append((folder, save_images(found, folder)))
    for path, failure in failures:
        if failure is not None:
            tqdm.write(f"Error: {printable(failure.error)}", file=sys.stderr)
        elif not quiet:
            tqdm.write(f"Saved: {printable(str(path))}", file=sys.stderr)
    return any(failure is not None for _, failure in failures)
