"""`vidgru scenes`: tell where scenes of videos begin and end, and write what is made of them."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidgru.cli.options import config_options, given, json_option, quiet_option, source_arguments
from vidgru.cli.text import printable
from vidgru.config import ScenesConfig, refuse_without_scenes
from vidgru.results import Failure, Progress
from vidgru.scenes import Scenes

if TYPE_CHECKING:
    from vidgru.verbs.scenes import ScenesModel
    from vidgru.verbs.scenes_save import Places

BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


@click.command("scenes")
@source_arguments
@config_options(ScenesConfig)
@json_option
@quiet_option
def command(sources: tuple[str, ...], as_json: bool, quiet: bool, **options: Any) -> None:
    """Tell where scenes of videos begin and end.

    SOURCE is a video, a folder of images, or a folder to search for videos. Each scene has a row:
    when it begins and ends, its frames, how long it is, with what transition it begins (a cut, or a
    dissolve, fade or wipe and how many frames that takes), and how sure that is. A scene that
    begins gradually begins in the middle of its transition. Apart from transitions, no scene is
    shorter than 8 frames.
    """
    config = ScenesConfig(**options)
    if config.objects:
        refuse_without_scenes(given(click.get_current_context(), options))
    from vidgru.verbs.forecast import find_videos

    found = find_videos(sources)
    if config.objects:
        from vidgru.cli.changes import tell_changes

        failed = tell_changes(sources, found, config, as_json, quiet)
    else:
        from vidgru.verbs.scenes import load_scenes
        from vidgru.verbs.scenes_save import plan

        planned = plan(sources, found, config)
        model = load_scenes(config.model, device=config.device, threads=config.threads)
        failed = _tell(model, found, planned, config, as_json, quiet)
    if failed:
        click.get_current_context().exit(1)


def _tell(
    model: "ScenesModel",
    found: Sequence[Path | Failure],
    planned: "Mapping[Path, Places]",
    config: ScenesConfig,
    as_json: bool,
    quiet: bool,
) -> bool:
    """Print and write the scenes of each source as they are known; return whether any failed."""
    from tqdm import tqdm

    from vidgru.cli.answers import kept_rows
    from vidgru.cli.cuts import COLUMNS, rows_of, show_scenes
    from vidgru.verbs.scenes import divide_each

    done, failed, note = 0, False, ""
    with (
        kept_rows(config.csv, COLUMNS) as write,
        # disable=None: no bar where stderr is not a terminal.
        tqdm(total=len(found), bar_format=BAR, disable=quiet or None) as bar,
    ):
        try:
            for item in divide_each(model, found, config.threshold):
                if isinstance(item, Progress):
                    share, note = min(item.done / max(item.total, 1), 1), f", {item.note}"
                    bar.set_postfix_str(f"{done}/{len(found)} sources{note}", refresh=False)
                    bar.update(done + share - bar.n)
                    continue
                for row in rows_of(item):
                    write(row)
                if as_json:
                    tqdm.write(json.dumps(item.to_dict()))
                if isinstance(item, Failure):
                    failed = True
                    tqdm.write(f"Error: {printable(item.error)}", file=sys.stderr)
                else:
                    if not as_json:
                        with bar.external_write_mode():
                            show_scenes(item)
                    failed |= _save(item, planned[Path(item.source)], quiet)
                done += 1
                bar.set_postfix_str(f"{done}/{len(found)} sources{note}", refresh=False)
                bar.update(done - bar.n)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"Interrupted. {done} of {len(found)} sources were done to their end."
            ) from None
    return failed


def _save(scenes: Scenes, places: "Places", quiet: bool) -> bool:
    """Write what was planned of a source; return whether that failed."""
    from tqdm import tqdm

    from vidgru.cli.progress import follow
    from vidgru.verbs.scenes_save import save_scenes

    results = follow(save_scenes(scenes, places), quiet)
    for result in results:
        if isinstance(result, Failure):
            tqdm.write(f"Error: {printable(result.error)}", file=sys.stderr)
        elif not quiet:
            tqdm.write(f"Saved: {printable(str(result))}", file=sys.stderr)
    return any(isinstance(result, Failure) for result in results)
