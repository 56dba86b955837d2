"""`vidgru scenes`: detect scenes of videos, and write files from them."""

import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidgru.tasks.scenes.options import ScenesConfig, refuse_without_scenes
from vidgru.tasks.scenes.results import Scenes
from vidgru.terminal.options import (
    config_options,
    given,
    json_option,
    quiet_option,
    source_arguments,
)

if TYPE_CHECKING:
    from vidgru.tasks.scenes.save import OutputPaths


@click.command("scenes")
@source_arguments
@config_options(ScenesConfig)
@json_option
@quiet_option
def command(sources: tuple[str, ...], as_json: bool, quiet: bool, **options: Any) -> None:
    """Find where scenes of videos begin and end.

    SOURCE is a video, a folder of images, or a folder to search for videos. Each scene has a row:
    its start and end, its first and last frame, the transition that it begins with (cut, or
    dissolve, fade or wipe with their length in frames), and the confidence. After a gradual
    transition, a scene begins in the middle of it. Between two cuts a scene has 4 frames or more,
    else 8. In the table of --csv, end_frame is the first frame after the scene.
    """
    config = ScenesConfig(**options)
    if config.objects:
        refuse_without_scenes(given(click.get_current_context(), options))
    from vidgru.video.find import find_videos

    found = find_videos(sources)
    if config.objects:
        from vidgru.tools.changes.options import ChangesConfig
        from vidgru.tools.changes.tables import report_changes

        if not quiet:
            note = "Note: use `vidgru changes`; --objects will be removed in the next version."
            print(note, file=sys.stderr)
        names = [item.name for item in fields(ChangesConfig)]
        changes = ChangesConfig(**{name: getattr(config, name) for name in names})
        failed = report_changes(sources, found, changes, as_json, quiet)
    else:
        from vidgru.tasks.scenes.model import detect_scenes_each, load_scenes
        from vidgru.tasks.scenes.save import plan
        from vidgru.tasks.scenes.tables import COLUMNS, rows_of, show_scenes
        from vidgru.terminal.source_loop import CsvFile, Output, print_sources

        planned = plan(sources, found, config)
        model = load_scenes(config.model, device=config.device, threads=config.threads)
        output = Output(
            as_json=as_json,
            json_types=(Scenes,),
            show={Scenes: show_scenes},
            table=CsvFile(config.csv, COLUMNS, {Scenes: rows_of}),
            save={Scenes: lambda item: _save(item, planned[Path(item.source)], quiet)},
        )
        failed = print_sources(
            detect_scenes_each(model, found, config.threshold),
            len(found),
            output,
            quiet=quiet,
            interrupted="{done} of {total} sources were finished.",
        )
    if failed:
        click.get_current_context().exit(1)


def _save(scenes: Scenes, outputs: "OutputPaths", quiet: bool) -> bool:
    """Write the planned files of a source; return whether that failed."""
    from vidgru.tasks.scenes.save import save_scenes
    from vidgru.terminal.progress import follow
    from vidgru.terminal.source_loop import print_saved

    return print_saved(follow(save_scenes(scenes, outputs), quiet), quiet)
