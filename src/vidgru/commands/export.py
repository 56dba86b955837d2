"""Export a model of any task as an ONNX file."""

import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidgru.commands.export_config import ExportConfig
from vidgru.core.errors import DataError, OptionError, OutputError
from vidgru.core.files import check_file, check_folder, write_bytes
from vidgru.engine.device import prepare_inference
from vidgru.engine.newest_run import MODEL_NAME
from vidgru.engine.onnx_file import EXTRA, INT8_NAME, ONNX_NAME, OnnxFile, has_runtime, is_onnx
from vidgru.engine.run_folder import FIRST_FOLD, NO_DATA, data_of
from vidgru.tasks.contract import AnyTask
from vidgru.tasks.registry import find_task, is_shipped, load, locate

if TYPE_CHECKING:
    from vidgru.engine.onnx_export import ExportResult, Measure

PROGRAM, PAGE = "classify.py", "classify.html"  # in a folder of its own
# How those that an export wrote are known.
MARKS = {
    PROGRAM: b'"""Classify a video with model.onnx',
    PAGE: b"<title>Classify videos</title>",
}


def export(model: str, config: ExportConfig) -> "ExportResult":
    """Write the ONNX file of a run folder, a model file, or a shipped model by its task's name.

    Raises ModelError, also where the file would give other numbers; OptionError, OutputError.
    """
    if not has_runtime(export=True):
        raise OptionError(f"`vidgru export` needs onnx and onnxruntime: {EXTRA}")
    from vidgru.engine.onnx_export import write_onnx
    from vidgru.engine.onnx_page import page, read_runtime

    runtime = read_runtime(config.ort_web)
    prepare_inference("cpu", 1)
    loaded = load(locate(model))
    task, out = find_task(loaded.spec.task), _place(model, loaded.path, config)
    if config.standalone is not None and task.standalone is None:
        raise OptionError(f"--standalone is for classifiers: this one {task.about.use}.")
    measure = _measure(task, loaded) if config.int8 else None
    step = task.onnx_step(loaded)
    beside = task.write_beside(loaded, out, config.standalone is not None)
    result = replace(write_onnx(step, loaded.path, out, measure), beside=beside)
    if config.standalone is not None and task.standalone is not None:
        write_bytes(out.with_name(PROGRAM), task.standalone.read_bytes())
        shown = page(task.standalone.with_suffix(".html"), OnnxFile(out), runtime)
        write_bytes(out.with_name(PAGE), shown)
        result = replace(result, alone=(out.with_name(PROGRAM), out.with_name(PAGE)))
    return result


def _measure(task: AnyTask, model: Any) -> "tuple[Measure, int]":
    """Return what measures accuracy on clips that a model did not learn from; raises DataError."""
    try:
        part, folder, _ = data_of(model.path.parent)
    except NO_DATA:
        part, folder = "train", model.path.parent
    if part == "train":
        run = model.path.parent
        other = run / FIRST_FOLD
        advice = f", such as {shlex.quote(str(other))}" if other.is_dir() else ""
        raise DataError(
            f"--int8 needs clips that the model did not learn from, and {run} names none: export "
            f"the run folder of a training that held some out{advice}."
        )
    return task.measure_onnx(model, folder)


def _check_own(path: Path, mark: bytes) -> None:
    """Raise OutputError for a file that no export wrote."""
    if not os.path.lexists(path):
        return
    try:
        with open(path, "rb") as file:
            own = mark in file.read(2000)
    except OSError:
        own = False
    if not own:
        raise OutputError(f"{path} is no file of `vidgru export`: give another folder.")


def _place(model: str, path: Path, config: ExportConfig) -> Path:
    """Return which file to write for the model at a path; raises OptionError, OutputError."""
    if config.standalone is not None:
        check_folder(Path(config.standalone))
        for name, mark in MARKS.items():
            _check_own(Path(config.standalone) / name, mark)
        return Path(config.standalone) / ONNX_NAME
    name = INT8_NAME if config.int8 else ONNX_NAME
    if path.name != MODEL_NAME:
        name = f"{path.stem}-int8.onnx" if config.int8 else f"{path.stem}.onnx"
    # A model that comes with vidgru lies among its sources.
    folder = Path() if is_shipped(model) else path.parent
    out = folder / name if config.out is None else Path(config.out)
    if not is_onnx(out):
        raise OptionError(f"Cannot write {out}: the name must end with .onnx.")
    check_file(out)
    return out
