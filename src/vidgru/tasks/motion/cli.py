"""`vidgru motion`: detect motion in videos, and predict it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidgru.core.address import refuse_live
from vidgru.core.results import Failure, Progress
from vidgru.tasks.motion.options import MotionConfig
from vidgru.tasks.motion.results import Motion, MotionSecond
from vidgru.terminal.options import config_options, json_option, quiet_option, source_arguments

if TYPE_CHECKING:
    from vidgru.tasks.motion.model import MotionModel

Plan = dict[Path, Path]


@click.command("motion")
@source_arguments
@config_options(MotionConfig)
@click.option("--csv", "table", metavar="FILE", help="Also write a table with one row per second.")
@json_option
@quiet_option
def command(
    sources: tuple[str, ...], table: str | None, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Measure what moves in videos, and predict where it goes next.

    SOURCE is a video, a folder of images, or a folder to search for videos. Each second has a row:
    direction and speed of the main motion, without that of the camera; the share of the frame that
    moves; the motion predicted 0.25, 0.5 and 1 s ahead; and how the camera moves. When the camera
    pans right, the contents of the frame go left.

    Degrees go clockwise from up, as on a compass: 0 is up (N), 90 right (E), 180 down (S) and 270
    left (W). Speeds are in pixels of the source a second, and in widths of the picture.
    """
    config = MotionConfig(**options)
    refuse_live(table or "")
    from vidgru.tasks.motion.model import load_motion
    from vidgru.video.find import find_sources

    found = find_sources(sources)
    saves, maps = _plan(sources, config, found, table)
    model = load_motion(config.model, device=config.device, threads=config.threads)
    if _print(model, found, saves, maps, table, as_json, quiet):
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
            if not isinstance(item, Progress):
                number, first = number + 1, True
            yield item


def _print(
    model: "MotionModel",
    found: Sequence[Path | Failure],
    saves: Plan,
    maps: Plan,
    table: str | None,
    as_json: bool,
    quiet: bool,
) -> bool:
    """Print and write motion as it is found; return whether anything failed."""
    from vidgru.tasks.motion.model import analyse_each
    from vidgru.tasks.motion.tables import COLUMNS, cells_of, foot_of, row_of, title_of
    from vidgru.terminal.source_loop import CsvFile, Output, print_sources

    def show(row: _Row) -> None:
        if row.first:
            print(title_of(row.source))
        print(row_of(row.second))

    output = Output(
        as_json=as_json,
        json_types=(Motion,),
        show={_Row: show, Motion: lambda motion: print(foot_of(motion))},
        table=CsvFile(table, COLUMNS, {_Row: lambda row: [cells_of(row.source, row.second)]}),
        save={Motion: lambda motion: _write_files(model, motion, saves, maps, quiet)},
    )
    return print_sources(
        _rows(analyse_each(model, found), found),
        len(found),
        output,
        quiet=quiet,
        interrupted="{printed} of {total} sources were finished.",
        parts=(_Row,),
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
