"""Finds a task by its name. Imports little by itself: `vidgru --help` needs it."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidgru.core.address import check_path
from vidgru.core.errors import ModelError, OptionError
from vidgru.core.options import make

if TYPE_CHECKING:
    from vidgru.tasks.contract import About, AnyTask

# A task is a package, see `tasks.contract`, and one line here. The first one is the default.
PACKAGES = {
    "classify": "vidgru.tasks.classify",
    "motion": "vidgru.tasks.motion",
    "forecast": "vidgru.tasks.forecast",
    "scenes": "vidgru.tasks.scenes",
}


def command_of(name: str) -> tuple[str, str, str]:
    """Return the command of a task, the module that has it, and its line in `vidgru --help`."""
    package = importlib.import_module(PACKAGES[name])
    return package.COMMAND, f"{PACKAGES[name]}.cli", package.SUMMARY


def about(name: str) -> About:
    """Return how the command line describes a task; raises ValueError for an unknown one."""
    found: About = _module(name, "options").ABOUT
    return found


def find_task(name: str) -> AnyTask:
    """Return the task of a name; raises ValueError for an unknown one."""
    found: AnyTask = _module(name, "task").TASK
    return found


def _module(name: str, role: str) -> Any:
    if name not in PACKAGES:
        raise ValueError(f"There is no task {name!r}.")
    return importlib.import_module(f"{PACKAGES[name]}.{role}")


def load(path: Path, name: str | None = None) -> Any:
    """Read a model file or a run folder, of any task or of one.

    Raises ModelError for an invalid model, or one of another task.
    """
    from vidgru.engine.model_file import read_model

    loaded = read_model(path, find_task)
    if name not in (None, loaded.spec.task):
        raise ModelError(f"{loaded.path} {about(loaded.spec.task).use}.")
    return loaded


def is_shipped(path: str | Path) -> bool:
    """Return whether a model is named by its task, and no file or run folder has that name."""
    from vidgru.engine.newest_run import MODEL_NAME

    named = isinstance(path, str) and path in PACKAGES
    return named and not any(own.is_file() for own in (Path(path), Path(path, MODEL_NAME)))


def locate(path: str | Path) -> Path:
    """Return the path of a model, by a task's name that of the one that is shipped.

    A file or run folder of that name comes first. Raises ModelError.
    """
    if not is_shipped(path):
        return Path(path)
    path = str(path)
    from vidgru.engine.model_file import shipped

    own = find_task(path).shipped
    if own is None:
        raise ModelError(
            f"vidgru comes without a model for {path}: give a run folder or a model file."
        )
    return shipped(own, path)


def open_model(
    path: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    max_error: float | None = None,
    looks: str | Path | None = None,
) -> Any:
    """Open a run folder, model file or .onnx file, or by a task's name the one that is shipped.

    `threads`: how many torch and OpenCV use in this process; None leaves that. `max_error` and
    `looks` are for classifiers. Raises ModelError, OptionError.
    """
    from vidgru.engine.device import prepare_inference
    from vidgru.engine.model_config import ModelConfig
    from vidgru.engine.onnx_file import OnnxFile, is_onnx

    check_path(path)
    ModelConfig(device=device, threads=1 if threads is None else threads)
    found = locate(path)
    if is_onnx(found):
        if device not in ("auto", "cpu"):
            raise OptionError(f"{found} is computed by the CPU: leave out --device {device}.")
        file = OnnxFile(found, threads or 1)
        return find_task(file.task).open_onnx(file, max_error, looks)
    chosen = prepare_inference(device, threads)
    loaded = load(found)
    task = find_task(loaded.spec.task)
    if max_error is None and looks is None:
        return task.open(loaded, chosen)
    return task.open_with(loaded, chosen, max_error, looks)


def train_config(options: dict[str, Any], preset: str | None = None) -> Any:
    """Return the config of a training from options by name, with or without `task`.

    They replace those of a preset. Raises OptionError, also for an option or a preset of another
    task.
    """
    name = options.get("task", default_task())
    if not isinstance(name, str) or name not in PACKAGES:
        raise OptionError(f"Invalid --task {name!r}. Choose one of: {', '.join(PACKAGES)}.")
    settings = _preset(about(name), preset)
    if options.get("minutes") is not None:
        settings.pop("epochs", None)
    return _config(about(name), "train_config", {**settings, **options}, f"--task {name}")


def evaluate_config(name: str, options: dict[str, Any]) -> Any:
    """Return the config of evaluating a task's model from options by name.

    Raises OptionError, as `train_config` does.
    """
    return _config(about(name), "evaluate_config", options, about(name).noun)


def default_task() -> str:
    """Return the name of the default task."""
    return next(iter(PACKAGES))


def presets() -> dict[str, About]:
    """Return the names of all presets, and the task of each."""
    return {preset: task for task in map(about, PACKAGES) for preset in task.presets}


def options_of(kind: str) -> dict[str, list[About]]:
    """Return all options of the tasks' configs of a kind, and which tasks use each."""
    found: dict[str, list[About]] = {}
    for task in map(about, PACKAGES):
        config = getattr(task, kind)
        for item in dataclasses.fields(config):
            if item.name not in config.unused:
                found.setdefault(item.name, []).append(task)
    return found


def _preset(task: About, preset: str | None) -> dict[str, Any]:
    if preset is None:
        return {}
    if not isinstance(preset, str) or preset not in presets():
        raise OptionError(f"Invalid --preset {preset!r}. Choose one of: {', '.join(presets())}.")
    if preset not in task.presets:
        _refuse("--preset", presets()[preset], f"--task {task.name}")
    return dict(task.presets[preset])


def _config(task: About, kind: str, options: dict[str, Any], without: str) -> Any:
    users, own = options_of(kind), dict(options)
    for name, value in options.items():
        if name in users and task not in users[name]:
            other = users[name][0]
            fields = dataclasses.fields(getattr(other, kind))
            if value != next(item.default for item in fields if item.name == name):
                _refuse("--" + name.replace("_", "-"), other, without)
            del own[name]
    return make(getattr(task, kind), own)


def _refuse(option: str, other: About, without: str) -> None:
    """Raise OptionError for an option that only another task has."""
    if other.name == default_task():
        raise OptionError(f"{option} is for {other.subject} only: leave it out with {without}.")
    raise OptionError(f"{option} is for {other.subject}: add --task {other.name}, or leave it out.")
