"""`vidgru train`: learn from a folder of clips."""

from typing import Any

import click

from vidgru.cli.options import config_options, given, json_option, quiet_option
from vidgru.errors import OptionError
from vidgru.train_config import PRESETS, TrainConfig, preset_options


@click.command("train")
@click.argument("folder", required=False)
@config_options(TrainConfig)
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
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
    config = TrainConfig(**preset_options(preset, chosen))
    if resume is None and folder is None:
        raise click.MissingParameter(param_hint="FOLDER", param_type="argument")
    from vidgru.cli.forecast_scores import show_forecast_training
    from vidgru.cli.motion_scores import show_motion_training
    from vidgru.cli.progress import follow
    from vidgru.cli.render import show_training
    from vidgru.cli.scene_scores import show_scene_training
    from vidgru.cli.tables import print_result
    from vidgru.forecast_scores import ForecastTrainResult
    from vidgru.motion_scores import MotionTrainResult
    from vidgru.results import TrainResult
    from vidgru.scene_scores import SceneTrainResult
    from vidgru.verbs.train import resume_steps, train_steps

    steps = train_steps(folder, config) if folder is not None else resume_steps(str(resume))
    result = follow(steps, quiet)
    print_result(
        result,
        as_json,
        {
            TrainResult: show_training,
            MotionTrainResult: show_motion_training,
            ForecastTrainResult: show_forecast_training,
            SceneTrainResult: show_scene_training,
        },
    )
