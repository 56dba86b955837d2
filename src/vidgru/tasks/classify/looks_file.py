"""Finds the picture encoder of a classifier, and opens it; imports no torch."""

import contextlib
import json
import os
from pathlib import Path

from vidgru.core.errors import ModelError, OptionError
from vidgru.engine.looks import LooksEncoder
from vidgru.engine.newest_run import CONFIG_NAME
from vidgru.engine.onnx_file import hash_of
from vidgru.tasks.classify.spec import ModelSpec

LOOKS_NAME = "looks.onnx"  # a copy in the run folder


def open_looks(
    spec: ModelSpec,
    model: Path,
    given: str | Path | None = None,
    threads: int = 1,
    *,
    option: bool = True,
) -> LooksEncoder | None:
    """Return the picture encoder of a model, None where it has none.

    `given`, or else in the model's run folder, or else where it was when training. option: whether
    it can be given. Raises ModelError where it is missing or another one, OptionError where a model
    needs none.
    """
    if not spec.looks:
        if given is not None:
            raise OptionError(f"{model} uses no picture encoder: leave out --looks.")
        return None
    path = _find(spec, model, given, option)
    encoder = LooksEncoder(path, threads, mean=spec.looks_mean, std=spec.looks_std)
    if (encoder.looks.features, encoder.looks.side) != (spec.looks_features, spec.looks_side):
        raise ModelError(f"{model} is damaged: its picture encoder {path} gives other features.")
    return encoder


def _find(spec: ModelSpec, model: Path, given: str | Path | None, option: bool) -> Path:
    if given is not None:
        path = Path(given)
        if os.path.isfile(path) and _hash(path) != spec.looks:
            raise ModelError(
                f"{path} is not the picture encoder that {model} was trained with "
                f"({spec.looks_name}, SHA-256 {spec.looks[:12]}...): give that one."
            )
        return path
    refused: ModelError | None = None
    for folder in (model.parent, model.parent.parent):  # folds have folders of their own
        for known in (folder / LOOKS_NAME, _noted(folder)):
            try:
                if known is not None and os.path.isfile(known) and _hash(known) == spec.looks:
                    return known
            except ModelError as error:  # there may be another copy
                refused = error
    if refused is not None:
        raise refused
    give = "give it with --looks FILE, or " if option else ""
    raise ModelError(
        f"{model} needs the picture encoder that it was trained with ({spec.looks_name}, SHA-256 "
        f"{spec.looks[:12]}...), and it is not where it was: {give}put it beside the model as "
        f"{LOOKS_NAME}."
    )


def _noted(run: Path) -> Path | None:
    """Return the path of the picture encoder in the settings of a run, if there are any."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        written = json.loads((run / CONFIG_NAME).read_text("utf-8", "surrogateescape"))
        return Path(written["looks"])
    return None


def _hash(path: Path) -> str:
    try:
        return hash_of(path)
    except OSError as error:
        why = error.strerror or error
        raise ModelError(f"Cannot read the picture encoder {path}: {why}.") from error
