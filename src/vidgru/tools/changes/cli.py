"""`vidgru changes`: tell what changed for good before a fixed camera."""

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
    """Tell what appeared, vanished or moved for good before a fixed camera.

    SOURCE is a video, a folder of images, or a folder to search for videos. For good is until the
    end or for twelve pictures; light and passers-by do not count. Each change has a row: when it
    happened, what changed and where, and how sure that is.
    """
    config = ChangesConfig(**options)
    from vidgru.tools.changes.tables import report_changes
    from vidgru.video.find import find_videos

    if report_changes(sources, find_videos(sources), config, as_json, quiet):
        click.get_current_context().exit(1)
