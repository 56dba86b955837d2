"""Opens a classifier: with onnxruntime where a proven file is, else with torch."""

import logging
import os
import shutil
from pathlib import Path

from vidgru.core.errors import ModelError, OptionError
from vidgru.engine.newest_run import MODEL_NAME
from vidgru.engine.onnx_file import ONNX_NAME, OnnxFile, has_runtime, hash_of, is_onnx
from vidgru.tasks.classify.classifier import Classifier
from vidgru.tasks.classify.onnx_model import OnnxModel
from vidgru.tasks.classify.options import ABOUT
from vidgru.tasks.registry import PACKAGES, about

log = logging.getLogger("vidgru")


def open_classifier(
    path: Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    max_error: float | None = None,
    torch: bool = False,
    looks: str | None = None,
) -> Classifier:
    """Open a run folder, a model file or an .onnx file; with `torch`, no .onnx file.

    A run folder may hold an .onnx file of its model, which starts sooner. looks: the picture
    encoder of a model that has one, if it is not where it was. Raises ModelError, OptionError.
    """
    if is_onnx(path):
        if torch:
            raise OptionError(f"--torch cannot read {path}: give the run folder.")
        if device not in ("auto", "cpu"):
            raise OptionError(f"{path} is computed by the CPU: leave out --device {device}.")
        exported = OnnxFile(path, threads or 1)
        if exported.task in PACKAGES and exported.task != ABOUT.name:
            raise ModelError(f"{path} {about(exported.task).use}, which reads no .onnx file.")
        return OnnxModel(exported, max_error, looks=looks)
    if not torch and (file := _proven(path, device, threads or 1)):
        return OnnxModel(file, max_error, path / MODEL_NAME, looks)
    from vidgru.tasks.classify.model import load

    return load(path, device=device, threads=threads, max_error=max_error, looks=looks)


def _proven(run: Path, device: str, threads: int) -> OnnxFile | None:
    """Return the .onnx file in a run folder, if it is of the model there and may be used."""
    path, model = run / ONNX_NAME, run / MODEL_NAME
    if not (os.path.isdir(run) and os.path.isfile(path) and os.path.isfile(model)):
        return None
    if device not in ("auto", "cpu") or (device == "auto" and _has_gpu()) or not has_runtime():
        return None
    try:
        if path.stat().st_mtime_ns < model.stat().st_mtime_ns:
            return None
        file = OnnxFile(path, threads)
        same = file.header.get("source") == hash_of(model) and "int8" not in file.header
        return file if same else None
    except (OSError, ModelError, OptionError) as error:
        log.warning("%s Torch computes the model instead.", error)
        return None


def _has_gpu() -> bool:
    """Return whether torch might find a GPU of NVIDIA, without importing torch."""
    return os.path.exists("/dev/nvidia0") or shutil.which("nvidia-smi") is not None
