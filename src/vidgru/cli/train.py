"""`vidgru train`: learn to tell the classes in a folder of clips."""

import json
from typing import Any

import click

from vidgru.cli.options import config_options, given, json_option, quiet_option
from vidgru.config import PRESETS, TrainConfig, preset_options


@click.command("train")
@click.argument("folder")
@config_options(TrainConfig)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="The article's image classifier: GRU 128 over the rows of 64x64 pixels, two dense layers,"
    " Adam, batches of 32, 10 epochs. Options beside it replace these.",
)
@json_option
@quiet_option
@click.pass_context
def command(
    context: click.Context,
    /,
    folder: str,
    preset: str | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Learn to tell the classes in FOLDER/<class>/<clip>.

    Or FOLDER/{train,val,test}/<class>/<clip>. Clips are videos, folders of images, or single
    images. Decoded frames are kept in $VIDGRU_CACHE (or ~/.cache/vidgru), so that a second training
    starts at once.
    """
    config = TrainConfig(**preset_options(preset, given(context, options)))
    from vidgru.cli.progress import follow
    from vidgru.cli.render import show_training
    from vidgru.verbs.train import train_steps

    result = follow(train_steps(folder, config), quiet)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    else:
        show_training(result)
