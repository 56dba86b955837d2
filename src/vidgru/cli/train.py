"""`vidgru train`: train on a folder of clips."""

import os
from typing import Any

import click

from vidgru.core.errors import OptionError
from vidgru.tasks.registry import PACKAGES, about, find_task, presets, train_config
from vidgru.terminal.options import (
    TRAIN_GROUPS,
    GroupedCommand,
    given,
    json_option,
    quiet_option,
    task_options,
)


@click.command(
    "train",
    cls=GroupedCommand,
    groups=TRAIN_GROUPS,
    epilog="Instead of FOLDER/<class>/<clip>: FOLDER/{train,val,test}/<class>/<clip>, or a .csv"
    " file with the columns path,label[,split][,group][,start,end]. A clip is a video, a folder of"
    " images or an image. Other tasks than classify take all videos and folders of images below"
    " FOLDER and need no classes. Decoded frames are cached in $VIDGRU_CACHE or ~/.cache/vidgru.",
)
@click.argument("folder", required=False)
@task_options(
    [about(name).train_config for name in PACKAGES],
    task=f"What to train: {', '.join(PACKAGES)}.",
)
@click.option(
    "--preset",
    type=click.Choice(list(presets())),
    help="The article's image classifier: GRU 128 over the rows of 64x64 pixels, two dense layers,"
    " Adam, batches of 32, 10 epochs. Other options replace these settings.",
)
@click.option(
    "--resume",
    metavar="RUN",
    help="Resume an interrupted training; give no FOLDER.",
)
@json_option
@quiet_option
@click.pass_context
def command(
    context: click.Context,
    /,
    folder: str | None,
    preset: str | None,
    resume: str | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train a classifier on FOLDER/<class>/<clip>, or a model for another --task."""
    chosen = given(context, options)
    more = folder is not None or preset is not None or chosen
    # Where there is no such run, that is what is wrong.
    if resume is not None and more and os.path.exists(resume):
        raise OptionError(
            "--resume takes all settings from the run: give only --json and -q beside it."
        )
    config = train_config(chosen, preset)
    if resume is None and folder is None:
        raise click.MissingParameter(param_hint="FOLDER", param_type="argument")
    from vidgru.commands.train import resume_steps, train_steps
    from vidgru.terminal.progress import follow
    from vidgru.terminal.tables import print_result

    steps = train_steps(str(folder), config) if resume is None else resume_steps(resume)
    result = follow(steps, quiet)
    print_result(result, as_json, find_task(result.task).show)
