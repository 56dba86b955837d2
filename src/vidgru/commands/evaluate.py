"""Measure a model on clips that it was not trained on."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from vidgru.core.address import check_path
from vidgru.core.options import check_names
from vidgru.core.results import OnProgress, run_to_end
from vidgru.engine.device import choose_device, prepare
from vidgru.engine.model_config import ModelConfig
from vidgru.engine.newest_run import RUNS, newest_run
from vidgru.tasks.contract import Steps
from vidgru.tasks.registry import evaluate_config, find_task, load, locate, options_of


def evaluate_steps(folder: str | Path, options: dict[str, Any]) -> Steps:
    """Evaluate with options by name, yielding Progress and returning the evaluation of the task.

    Raises ModelError, DataError when nothing is left to evaluate on, OptionError, OutputError.
    """
    names = [item.name for item in fields(ModelConfig)]
    check_names(options, options_of("evaluate_config"))
    given = ModelConfig(**{name: options[name] for name in names if name in options})
    check_path(folder)
    device = choose_device(given.device)
    prepare(given.threads)
    model = load(newest_run(RUNS) if given.model is None else locate(given.model))
    task = find_task(model.spec.task)
    config = evaluate_config(model.spec.task, options)
    return (yield from task.evaluate(Path(folder), config, model, device))


def evaluate(
    folder: str | Path, options: dict[str, Any], progress: OnProgress | None = None
) -> Any:
    """Evaluate a model on a folder of clips; see `evaluate_steps`."""
    return run_to_end(evaluate_steps(folder, options), progress)
