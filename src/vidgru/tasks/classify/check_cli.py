"""`vidgru check`: check a folder of clips for problems."""

from typing import Any

import click

from vidgru.core.errors import DataError
from vidgru.tasks.classify.check_options import CheckConfig
from vidgru.terminal.options import config_options, json_option, quiet_option


@click.command("check")
@click.argument("folder")
@config_options(CheckConfig)
@json_option
@quiet_option
def command(folder: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Check the clips in FOLDER before training on them.

    FOLDER is as for `train`, which then need not decode the clips again. The exit code is 0
    whatever is found, unless `train` would refuse the folder.
    """
    config = CheckConfig(**options)
    from vidgru.tasks.classify.check import check_steps
    from vidgru.tasks.classify.check_tables import show_checked
    from vidgru.terminal.progress import follow
    from vidgru.terminal.tables import print_result

    result = follow(check_steps(folder, config), quiet)
    print_result(result, as_json, show_checked)
    if result.refused:
        which = "the first error" if result.refused == 1 else f"the first {result.refused} errors"
        raise DataError(f"`vidgru train` refuses {folder}: mend {which}.")
