"""`vidgru evaluate`: tell how good a model is on clips that it did not learn from."""

import sys
from dataclasses import replace
from typing import Any

import click

from vidgru.cli.options import config_options, json_option, quiet_option
from vidgru.cli.text import printable
from vidgru.config import EvaluateConfig


@click.command("evaluate")
@click.argument("folder")
@config_options(EvaluateConfig)
@json_option
@quiet_option
def command(folder: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Tell how good a model is on FOLDER/<class>/<clip>.

    Of a folder with parts, it takes FOLDER/test/<class>/<clip>, or else FOLDER/val. Clips that the
    model learned from are left out, wherever they lie now. What it finds is also written as a web
    page, report.html in the run folder. Other models take all videos below FOLDER, ask for no
    classes, and write no page; one that finds scenes joins them.
    """
    config = EvaluateConfig(**options)
    from vidgru.cli.forecast_scores import show_forecast_evaluation
    from vidgru.cli.motion_scores import show_motion_evaluation
    from vidgru.cli.progress import follow
    from vidgru.cli.render import show_evaluation
    from vidgru.cli.scene_scores import show_scene_evaluation
    from vidgru.cli.tables import print_result
    from vidgru.findings import Evaluation
    from vidgru.forecast_scores import ForecastEvaluation
    from vidgru.motion_scores import MotionEvaluation
    from vidgru.scene_scores import SceneEvaluation
    from vidgru.verbs.evaluate import evaluate_steps
    from vidgru.verbs.predict import find_model

    if config.model is None:
        config = replace(config, model=str(find_model(config, None)))
        if not quiet:
            print(f"Model: {printable(str(config.model))}", file=sys.stderr)
    result = follow(evaluate_steps(folder, config), quiet)
    print_result(
        result,
        as_json,
        {
            Evaluation: show_evaluation,
            MotionEvaluation: show_motion_evaluation,
            ForecastEvaluation: show_forecast_evaluation,
            SceneEvaluation: show_scene_evaluation,
        },
    )
