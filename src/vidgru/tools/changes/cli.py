"""`vidgru changes`: detect lasting changes in front of a fixed camera."""

from typing import Any

import click

from vidgru.terminal.options import config_options, json_option, quiet_option, source_arguments
from vidgru.tools.changes.options import ChangesConfig


@click.command("changes")
@source_arguments
@config_options(ChangesConfig)
@json_option
@quiet_option
def command(sources: tuple[str, ...], as_json: bool, quiet: bool, **options: Any) -> None:
    """Detect what appeared, vanished or moved before a fixed camera.

    SOURCE is a video, a folder of images, or a folder to search for videos. A change counts if it
    lasts to the end or for at least 12 frames; changes of light and passers-by do not count. Each
    change has a row: its time, what changed and where, and the confidence.
    """
    config = ChangesConfig(**options)
    from vidgru.tools.changes.tables import report_changes
    from vidgru.video.find import find_videos

    if report_changes(sources, find_videos(sources), config, as_json, quiet):
        click.get_current_context().exit(1)
