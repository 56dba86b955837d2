"""`vidgru evaluate`: measure a model on clips that it was not trained on."""

from typing import Any

import click

from vidgru.engine.model_config import ModelConfig
from vidgru.tasks.registry import PACKAGES, about, find_task
from vidgru.terminal.options import given, json_option, quiet_option, report_model, task_options


@click.command("evaluate")
@click.argument("folder")
@task_options([about(name).evaluate_config for name in PACKAGES])
@json_option
@quiet_option
@click.pass_context
def command(
    context: click.Context, /, folder: str, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Measure a model on FOLDER/<class>/<clip>.

    If FOLDER has parts, FOLDER/test/<class>/<clip> is used, or else FOLDER/val. Clips that the
    model was trained on are left out, even if they were moved or renamed. The result is also
    written as a web page, report.html in the run folder. Models of other tasks use all videos below
    FOLDER, need no classes and write no page; for scenes, the videos are joined. `--model motion`
    and `--model scenes` measure the models that come with vidgru.
    """
    chosen = given(context, options)
    from vidgru.commands.evaluate import evaluate_steps
    from vidgru.engine.newest_run import RUNS, newest_run
    from vidgru.terminal.progress import follow
    from vidgru.terminal.tables import print_result

    if chosen.get("model") is None:
        path = newest_run(RUNS)
        report_model(path, ModelConfig(), quiet)
        chosen["model"] = str(path)
    result = follow(evaluate_steps(folder, chosen), quiet)
    print_result(result, as_json, find_task(result.task).show)
