"""`vidgru extract`: write frames of videos as images."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from vidgru.core.errors import OptionError
from vidgru.core.results import Failure
from vidgru.core.text import printable
from vidgru.data.results import counted
from vidgru.terminal.options import config_options, json_option, quiet_option, source_arguments
from vidgru.tools.extract.options import ExtractConfig
from vidgru.tools.extract.results import ExtractedFrame


@click.command("extract")
@source_arguments
@click.option("-o", "--out", required=True, metavar="DIR", help="Folder for the images.")
@config_options(ExtractConfig)
@json_option
@quiet_option
def command(sources: tuple[str, ...], out: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Write frames of videos as images, with their times in DIR/frames.csv.

    SOURCE is a video, an image, a folder of images, or a folder to search for videos. The frames of
    one SOURCE are written into DIR, those of several into a folder each. Without --fps, --every and
    --count, every frame is written. Under torchrun, each process takes a part of the sources, and
    the exit code is 0 even if a source fails.
    """
    config = ExtractConfig(**options)
    from vidgru.core.torchrun import process_rank, world_size
    from vidgru.terminal.progress import bar
    from vidgru.terminal.source_loop import Output, print_items
    from vidgru.tools.extract.extract import extract

    if as_json and world_size() > 1:
        raise OptionError("Under torchrun, leave out --json: each process writes a table.")
    ends, seen = list[_End](), set[str]()
    output = Output(as_json=as_json, json_types=(ExtractedFrame,), show={_End: _show})
    with (
        closing(extract(sources, out, config)) as results,
        bar(quiet or process_rank() > 0, results, unit=" frames") as shown,
    ):
        failures = print_items(_with_ends(shown, ends, seen), output)
    own = [failures, len(ends), sum(end.frames for end in ends)]
    if world_size() > 1:
        from vidgru.engine.distributed import exchange

        found = [json.loads(text) for text in exchange(json.dumps(own))]
        _show_total(map(sum, zip(*found, strict=True)), f" by {world_size()} processes")
        exchange("")  # all stay until the main process has printed
        return  # on a failing exit code, torchrun would end the others and restart all of them
    if max(len(seen), len(ends)) > 1 and not as_json:
        _show_total(own)
    if failures:
        click.get_current_context().exit(1)


@dataclass(frozen=True)
class _End:
    """How many frames of a source were written, and where."""

    source: str
    frames: int
    folder: Path


def _with_ends(
    shown: Any, ends: list[_End], seen: set[str]
) -> Iterator[ExtractedFrame | Failure | _End]:
    """Yield the items of a bar, and after the frames of each source an _End, which is also kept.

    seen: gets the sources.
    """
    for (source, folder), items in groupby(shown, key=_place):
        seen.add(source)
        shown.set_description(printable(Path(source).name))
        frames = 0
        for item in items:
            frames += 1
            yield item
        if folder is not None:
            ends.append(_End(source, frames, folder))
            yield ends[-1]


def _place(item: ExtractedFrame | Failure) -> tuple[str, Path | None]:
    """Return the source of an item, and the folder of its frames: another if it is given twice."""
    return item.source, item.file.parent if isinstance(item, ExtractedFrame) else None


def _show_total(counts: Iterable[int], by: str = "") -> None:
    """Print how many sources failed, how many had frames, and how many frames these are."""
    failures, read, frames = counts
    text = f"{counted(frames, 'frame')} of {counted(read, 'source')}{by}"
    print(f"{text}, {failures} failed" if failures else text, flush=True)


def _show(end: _End) -> None:
    print(printable(f"{end.source}: {counted(end.frames, 'frame')} in {end.folder}"))
