"""Where runs and their models lie, and the newest of them; imports no torch."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from vidgru.core.errors import ModelError

RUNS = Path("runs")
CONFIG_NAME = "config.json"
MODEL_NAME = "model.safetensors"


def newest_run(folder: Path, task: str | None = None, noun: str = "trained model") -> Path:
    """Return the run in a folder with the newest model, of one task or of any.

    Raises ModelError if there is none; `noun` names what is missing.
    """
    for run in newest_runs(folder):
        if task is None or _task_of(run / MODEL_NAME) in (None, task):
            return run
    option = f" --task {task}" if noun != "trained model" else ""
    raise ModelError(
        f"No {noun} in {folder.absolute()}: give --model, or train one first "
        f"with `vidgru train FOLDER{option}`."
    )


def newest_runs(folder: Path) -> list[Path]:
    """Return the runs in a folder that have a model, the newest first."""
    models = folder.glob(f"*/{MODEL_NAME}")
    return [path.parent for path in sorted(models, key=lambda path: -path.stat().st_mtime_ns)]


def _task_of(path: Path) -> str | None:
    """Return the task of a model file; None where it is damaged, which opening it reports."""
    try:
        with safe_open(path, framework="numpy") as file:
            return str(json.loads(file.metadata()["vidgru"])["spec"]["task"])
    except (SafetensorError, OSError, ValueError, TypeError, LookupError, RecursionError):
        return None
