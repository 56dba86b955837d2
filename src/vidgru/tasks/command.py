"""The command of a task that needs only a source and a model."""

from pathlib import Path
from typing import Any

import click

from vidgru.engine.model_config import ModelConfig
from vidgru.tasks.contract import About
from vidgru.tasks.registry import command_of
from vidgru.terminal.options import (
    config_options,
    json_option,
    quiet_option,
    report_model,
    source_arguments,
)


def make_command(about: About) -> click.Command:
    """Return a command that predicts for each source with a model of a task."""
    verb, _, summary = command_of(about.name)

    @click.command(verb, help=summary)
    @source_arguments
    @config_options(ModelConfig)
    @json_option
    @quiet_option
    def command(sources: tuple[str, ...], as_json: bool, quiet: bool, **options: Any) -> None:
        config = ModelConfig(**options)
        from vidgru.engine.device import prepare_inference
        from vidgru.engine.inference import each
        from vidgru.engine.newest_run import RUNS, newest_run
        from vidgru.tasks.registry import find_task, load
        from vidgru.terminal.source_loop import Output, print_sources
        from vidgru.video.find import find_videos

        task, found = find_task(about.name), find_videos(sources)
        device = prepare_inference(config.device, config.threads)
        path = newest_run(RUNS, about.name, about.noun) if config.model is None else config.model
        report_model(Path(path), config, quiet)
        model = task.open(load(Path(path), about.name), device)
        kind = task.answer
        output = Output(as_json=as_json, json_types=(kind,), show={kind: task.show})
        interrupted = "{done} of {total} sources were finished."
        steps = each(found, model.steps)
        if print_sources(steps, len(found), output, quiet=quiet, interrupted=interrupted):
            click.get_current_context().exit(1)

    return command
