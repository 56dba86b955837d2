"""`vidgru train`: learn to tell the classes in a folder of clips."""

import json
from typing import Any

import click

from vidgru.cli.options import config_options, json_option, quiet_option
from vidgru.config import TrainConfig


@click.command("train")
@click.argument("folder")
@config_options(TrainConfig)
@json_option
@quiet_option
def command(folder: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Learn to tell the classes in FOLDER/<class>/<clip>.

    Or FOLDER/{train,val,test}/<class>/<clip>. Clips are videos, or folders of images. Decoded
    frames are kept in $VIDGRU_CACHE (or ~/.cache/vidgru), so that a second training starts at once.
    """
    config = TrainConfig(**options)
    from vidgru.cli.progress import follow
    from vidgru.cli.render import show_training
    from vidgru.verbs.train import train_steps

    result = follow(train_steps(folder, config), quiet)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    else:
        show_training(result)
