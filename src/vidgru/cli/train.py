"""`vidgru train`: learn from a folder of clips."""

from typing import Any

import click

from vidgru.core.errors import OptionError
from vidgru.tasks.registry import PACKAGES, about, default_task, find_task, presets, train_config
from vidgru.terminal.options import given, json_option, quiet_option, task_options


@click.command("train")
@click.argument("folder", required=False)
@task_options(
    [about(name).train_config for name in PACKAGES],
    task="What to learn: "
    + ", ".join(f"{task.learns} ({task.name})" for task in map(about, PACKAGES))
    + f". All but {default_task()} need no classes in FOLDER.",
)
@click.option(
    "--preset",
    type=click.Choice(list(presets())),
    help="The article's image classifier: GRU 128 over the rows of 64x64 pixels, two dense layers,"
    " Adam, batches of 32, 10 epochs. Options beside it replace these.",
)
@click.option(
    "--resume",
    metavar="RUN",
    help="Go on with a training that was broken off, to the same bits; alone, without FOLDER.",
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
    """Learn to tell the classes in FOLDER/<class>/<clip>, or another --task.

    Or FOLDER/{train,val,test}/<class>/<clip>, or a list in a .csv file with the columns
    path,label[,split][,group][,start,end]. Clips are videos, folders of images, or single images.
    Other tasks need no classes: videos and folders of images anywhere below FOLDER do.
    Decoded frames are kept in $VIDGRU_CACHE (or ~/.cache/vidgru), so that a second training
    starts at once.
    """
    chosen = given(context, options)
    if resume is not None and (folder is not None or preset is not None or chosen):
        raise OptionError("--resume goes on as the training began: leave out all but --json, -q.")
    config = train_config(chosen, preset)
    if resume is None and folder is None:
        raise click.MissingParameter(param_hint="FOLDER", param_type="argument")
    from vidgru.commands.train import resume_steps, train_steps
    from vidgru.terminal.progress import follow
    from vidgru.terminal.tables import print_result

    steps = train_steps(folder, config) if folder is not None else resume_steps(str(resume))
    result = follow(steps, quiet)
    print_result(result, as_json, find_task(result.task).show)
