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
    models = sorted(folder.glob(f"*/{MODEL_NAME}"), key=lambda path: -path.stat().st_mtime_ns)
    for path in models:
        if task is None or _task_of(path) in (None, task):
            return path.parent
    option = f" --task {task}" if noun != "trained model" else ""
    raise ModelError(
        f"No {noun} in {folder.absolute()}: give --model, or train one first "
        f"with `vidgru train FOLDER{option}`."
    )


def _task_of(path: Path) -> str | None:
    """Return the task of a model file; None where it is damaged, which opening it reports."""
    try:
        with safe_open(path, framework="numpy") as file:
            return str(json.loads(file.metadata()["vidgru"])["spec"]["task"])
    except (SafetensorError, OSError, ValueError, TypeError, LookupError, RecursionError):
        return None
