"""`vidgru motion`: tell what moves in videos, and where it goes next."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidgru.address import refuse_live
from vidgru.cli.options import config_options, json_option, quiet_option, source_arguments
from vidgru.cli.text import printable
from vidgru.config import MotionConfig
from vidgru.errors import OptionError
from vidgru.files import check_file
from vidgru.motion import Motion, MotionSecond
from vidgru.results import Failure, Progress

if TYPE_CHECKING:
    from vidgru.verbs.motion import MotionModel

Plan = dict[Path, Path]

BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


@click.command("motion")
@source_arguments
@config_options(MotionConfig)
@click.option("--csv", "table", metavar="FILE", help="Also write a table with a row a second.")
@json_option
@quiet_option
def command(
    sources: tuple[str, ...], table: str | None, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Tell what moves in videos, and where it goes next.

    SOURCE is a video, a folder of images, or a folder to search for videos. Each second has a row:
    where most of what moves goes, apart from the camera, and how fast; the share of the picture
    that moves; where it is predicted to go 0.25, 0.5 and 1 s later; and how the camera itself
    moves: when it pans right, the picture's contents go left.

    Degrees go clockwise from up, as on a compass: 0 is up (N), 90 right (E), 180 down (S) and 270
    left (W). Speeds are in pixels of the source a second, and in widths of the picture.
    """
    config = MotionConfig(**options)
    refuse_live(table or "")
    from vidgru.verbs.motion import load_motion
    from vidgru.video.find import find_sources

    found = find_sources(sources)
    saves, maps = _plan(sources, config, found, table)
    model = load_motion(config.model, device=config.device, threads=config.threads)
    if _tell(model, found, saves, maps, table, as_json, quiet):
        click.get_current_context().exit(1)


def _plan(
    sources: Sequence[str],
    config: MotionConfig,
    found: Sequence[Path | Failure],
    table: str | None,
) -> tuple[Plan, Plan]:
    """Return which video and which picture are written of each source."""
    from vidgru.verbs.places import keep_apart, plan_files
    from vidgru.video.heat import SUFFIX
    from vidgru.video.record import SUFFIXES

    saves = plan_files("--save", config.save, SUFFIXES, sources, found)
    maps = plan_files("--heatmap", config.heatmap, (SUFFIX,), sources, found)
    if table is not None:
        check_file(Path(table))
        keep_apart([Path(table)], [item for item in found if isinstance(item, Path)])
        if Path(table) in (*saves.values(), *maps.values()):
            raise OptionError(f"{table} would be written twice: give --csv another name.")
    return saves, maps


def _tell(
    model: "MotionModel",
    found: Sequence[Path | Failure],
    saves: Plan,
    maps: Plan,
    table: str | None,
    as_json: bool,
    quiet: bool,
) -> bool:
    """Print and write what moves as it is found out; return whether anything failed."""
    from tqdm import tqdm

    from vidgru.cli.answers import kept_rows
    from vidgru.cli.moves import COLUMNS, foot_of, keep_failure, keep_second, row_of, title_of
    from vidgru.verbs.motion import analyse_each

    done, failed, rows, note = 0, False, 0, ""
    say: Callable[[str], None] = (lambda text: None) if as_json else tqdm.write
    with (
        kept_rows(table, COLUMNS) as write,
        # disable=None: no bar where stderr is not a terminal.
        tqdm(total=len(found), bar_format=BAR, disable=quiet or None) as bar,
    ):
        try:
            for item in analyse_each(model, found):
                if isinstance(item, MotionSecond):
                    source = str(found[done])
                    say(row_of(item) if rows else f"{title_of(source)}\n{row_of(item)}")
                    keep_second(write, source, item)
                    rows += 1
                    continue
                share = 0.0
                if isinstance(item, Progress):
                    share, note = min(item.done / max(item.total, 1), 1), f", {item.note}"
                else:
                    done, rows = done + 1, 0
                bar.set_postfix_str(f"{done}/{len(found)} sources{note}", refresh=False)
                bar.update(done + share - bar.n)
                if isinstance(item, Progress):
                    continue
                if as_json:
                    tqdm.write(json.dumps(item.to_dict()))
                if isinstance(item, Failure):
                    failed = True
                    keep_failure(write, item)
                    tqdm.write(f"Error: {printable(item.error)}", file=sys.stderr)
                else:
                    say(foot_of(item))
                    failed |= _write_files(model, item, saves, maps, quiet)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"Interrupted. {done} of {len(found)} sources were told to their end."
            ) from None
    return failed


def _write_files(
    model: "MotionModel", motion: Motion, saves: Plan, maps: Plan, quiet: bool
) -> bool:
    """Write what was planned for a source, once; return whether that failed."""
    from tqdm import tqdm

    from vidgru.cli.progress import follow
    from vidgru.verbs.motion import save_heatmap, save_video

    source, failures = Path(motion.source), []
    if picture := maps.pop(source, None):
        failures.append((picture, save_heatmap(motion, picture)))
    if video := saves.pop(source, None):
        failures.append((video, follow(save_video(model, motion, video), quiet)))
    for path, failure in failures:
        if failure is not None:
            tqdm.write(f"Error: {printable(failure.error)}", file=sys.stderr)
        elif not quiet:
            tqdm.write(f"Saved: {printable(str(path))}", file=sys.stderr)
    return any(failure is not None for _, failure in failures)
