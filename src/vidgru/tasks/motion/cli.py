"""`vidgru motion`: detect motion in videos, and predict it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidgru.core.address import check_path
from vidgru.core.results import Failure, Progress
from vidgru.tasks.motion.options import MotionConfig
from vidgru.tasks.motion.results import FrameThings, Motion, MotionSecond
from vidgru.terminal.options import config_options, json_option, quiet_option, source_arguments

if TYPE_CHECKING:
    from vidgru.tasks.motion.model import MotionModel
    from vidgru.terminal.source_loop import Output

Plan = dict[Path, Path]


@click.command("motion")
@source_arguments
@config_options(MotionConfig)
@click.option(
    "--csv",
    "table",
    metavar="FILE",
    help="Also write a table with one row per second; with --things, per thing and sampled frame.",
)
@json_option
@quiet_option
def command(
    sources: tuple[str, ...], table: str | None, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Measure what moves in videos, and predict where it goes next.

    SOURCE is a video, a folder of images, or a folder to search for videos. Each second has a row:
    direction and speed of the main motion, without that of the camera; the share of the frame that
    moves; the motion predicted 0.25, 0.5 and 1 s ahead; and how the camera moves. When the camera
    pans right, the contents of the frame go left. With --things, each thing that moves apart from
    the camera has a row in each second in which it does.

    Degrees go clockwise from up, as on a compass: 0 is up (N), 90 right (E), 180 down (S) and 270
    left (W). Speeds are in pixels of the source a second, and in widths of the picture.
    """
    config = MotionConfig(**options)
    if table is not None:
        check_path(table)
    from vidgru.tasks.motion.model import analyse_each, load_motion
    from vidgru.terminal.source_loop import print_sources
    from vidgru.video.find import find_sources

    found = find_sources(sources)
    saves, maps = _plan(sources, config, found, table)
    model = load_motion(config.model, device=config.device, threads=config.threads)
    items = analyse_each(model, found, things=config.things)
    make_output = _things_output if config.things else _output
    output = make_output(
        table, as_json, lambda motion: _write_files(model, motion, saves, maps, quiet)
    )
    failed = print_sources(
        _rows(items, found),
        len(found),
        output,
        quiet=quiet,
        interrupted="{printed} of {total} sources were finished.",
        parts=(_Row, FrameThings),
    )
    if failed:
        click.get_current_context().exit(1)


def _plan(
    sources: Sequence[str],
    config: MotionConfig,
    found: Sequence[Path | Failure],
    table: str | None,
) -> tuple[Plan, Plan]:
    """Return which video and which picture are written for each source."""
    from vidgru.video.heat import SUFFIX
    from vidgru.video.output_paths import check_csv, plan_files
    from vidgru.video.record import plan_videos

    saves = plan_videos("--save", config.save, sources, found)
    maps = plan_files("--heatmap", config.heatmap, (SUFFIX,), sources, found)
    check_csv(table, found, (*saves.values(), *maps.values()))
    return saves, maps


@dataclass(frozen=True)
class _Row:
    """A second of a source, and whether it is the first one."""

    source: str
    second: MotionSecond
    first: bool


def _rows(items: Iterable[Any], found: Sequence[Path | Failure]) -> Iterator[Any]:
    """Yield items, the seconds among them with their source."""
    number, first = 0, True
    for item in items:
        if isinstance(item, MotionSecond):
            yield _Row(str(found[number]), item, first)
            first = False
        else:
            if not isinstance(item, Progress | FrameThings):
                number, first = number + 1, True
            yield item


def _output(table: str | None, as_json: bool, save: Callable[[Any], bool]) -> "Output":
    """Return how the seconds of sources are printed."""
    from vidgru.tasks.motion.tables import COLUMNS, cells_of, foot_of, row_of, title_of
    from vidgru.terminal.source_loop import CsvFile, Output

    def show(row: _Row) -> None:
        if row.first:
            print(title_of(row.source))
        print(row_of(row.second))

    return Output(
        as_json=as_json,
        json_types=(Motion,),
        show={_Row: show, Motion: lambda motion: print(foot_of(motion))},
        table=CsvFile(table, COLUMNS, {_Row: lambda row: [cells_of(row.source, row.second)]}),
        save={Motion: save},
    )


def _things_output(table: str | None, as_json: bool, save: Callable[[Any], bool]) -> "Output":
    """Return how the things in sources are printed."""
    from vidgru.tasks.motion.tables import foot_of
    from vidgru.tasks.motion.thing_tables import (
        COLUMNS,
        cells_of,
        counted_things,
        rows_of,
        title_of,
    )
    from vidgru.terminal.source_loop import CsvFile, Output

    def show(row: _Row) -> None:
        if row.first:
            print(title_of(row.source))
        for line in rows_of(row.second):
            print(line)

    return Output(
        as_json=as_json,
        json_types=(FrameThings, Motion),
        show={_Row: show, Motion: lambda motion: print(foot_of(motion, counted_things(motion)))},
        table=CsvFile(table, COLUMNS, {FrameThings: cells_of}),
        save={Motion: save},
    )


def _write_files(
    model: "MotionModel", motion: Motion, saves: Plan, maps: Plan, quiet: bool
) -> bool:
    """Write the planned files of a source, once; return whether that failed."""
    from vidgru.tasks.motion.model import save_heatmap, save_video
    from vidgru.terminal.progress import follow
    from vidgru.terminal.source_loop import print_saved

    source = Path(motion.source)
    results: list[Path | Failure] = []
    if picture := maps.pop(source, None):
        results.append(save_heatmap(motion, picture) or picture)
    if video := saves.pop(source, None):
        results.append(follow(save_video(model, motion, video), quiet) or video)
    return print_saved(results, quiet)
