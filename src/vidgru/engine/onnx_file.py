"""ONNX files of one step: opened without torch, believed in nothing, and run."""

import hashlib
import importlib.util
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidgru.core.errors import ModelError, OptionError

ONNX_NAME, INT8_NAME = "model.onnx", "model-int8.onnx"
FORMAT = 1
KEY = "vidgru"  # of the header in the metadata
NEXT = "next_"  # before the name of a state, as an output
EXTERNAL = b"location"  # the key of weights that lie in another file
MAX_BYTES = 1 << 30
MAX_STATE = 1 << 24  # numbers of a state, for each window
EXTRA = "pip install onnx onnxruntime onnxscript"
KINDS: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(int64)": np.int64,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}

Arrays = dict[str, NDArray[Any]]


def has_runtime(*, export: bool = False) -> bool:
    """Return whether the packages are here that run ONNX files, or also those that write them."""
    names = ("onnxruntime", "onnx") if export else ("onnxruntime",)
    return all(importlib.util.find_spec(name) is not None for name in names)


def runtime() -> Any:
    """Return the module onnxruntime, its reports to its makers off; raises OptionError without it.

    They are on where it comes from PyPI, and name the machine and the path of the program.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise OptionError(f"onnxruntime does not load: {error}. See {EXTRA}") from error
    return onnxruntime


def is_onnx(path: str | Path) -> bool:
    """Return whether a path is that of an ONNX file, by its name."""
    return str(path).lower().endswith(".onnx")


def header_text(header: Mapping[str, Any]) -> str:
    """Return a header as JSON in which EXTERNAL does not occur, so that it can be searched for."""
    word = EXTERNAL.decode()
    return json.dumps(header).replace(word, f"\\u{ord(word[0]):04x}{word[1:]}")


def hash_of(path: Path) -> str:
    """Return the hash of a file's content; raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class OnnxFile:
    """An opened file: its `header`, and steps of its graph.

    Raises ModelError for a file that is not one of vidgru's, or is damaged; OptionError where
    onnxruntime is not installed.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        if not has_runtime():
            raise OptionError(f"{path} needs onnxruntime, which is not installed: {EXTRA}")
        if not os.path.isfile(path):
            raise ModelError(f"No model at {path}: give an .onnx file of `vidgru export`.")
        try:
            if os.path.getsize(path) > MAX_BYTES:
                raise ModelError(f"{path} is larger than any model of vidgru: {MAX_BYTES} bytes.")
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"Cannot read {path}: {error.strerror or error}.") from error
        self.path, self.digest = path, hashlib.sha256(data).hexdigest()
        self._open(data, threads)

    def _open(self, data: bytes, threads: int) -> None:
        onnxruntime = runtime()
        # In the wire format every string is one run of bytes; its own header escapes this word.
        if EXTERNAL in data or data[4:8] == b"ORTM":
            raise ModelError(f"{self.path} is not a model of vidgru: it refers to other files.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4  # errors are raised, too
        try:
            self._session = onnxruntime.InferenceSession(
                data, options, providers=["CPUExecutionProvider"]
            )
            text = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        except Exception as error:  # of many types, without a common one
            raise ModelError(f"Cannot read the model {self.path}: it is damaged.") from error
        if text is None:
            raise ModelError(f"{self.path} is not a model of vidgru.")
        try:
            self.header = json.loads(text)
            if self.header["format"] != FORMAT:
                raise ModelError(f"{self.path} was written by another version of vidgru.")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ModelError(f"{self.path} is damaged: its description cannot be read.") from error
        self.outputs = [one.name for one in self._session.get_outputs()]
        try:
            self.inputs = {
                one.name: (KINDS[one.type], tuple(one.shape)) for one in self._session.get_inputs()
            }
        except (KeyError, TypeError) as error:
            raise ModelError(f"{self.path} is damaged: its inputs are unknown.") from error

    @property
    def task(self) -> str:
        """The name of the task; raises ModelError."""
        try:
            return str(self.header["spec"]["task"])
        except (TypeError, KeyError) as error:
            raise ModelError(f"{self.path} is damaged: it names no task.") from error

    def states(self) -> list[str]:
        """Return the names of the inputs that are state."""
        return [name[len(NEXT) :] for name in self.outputs if name.startswith(NEXT)]

    def zeros(self, rows: int = 1) -> Arrays:
        """Return the state before the first frame, with so many rows where their number is free."""
        state = {}
        for name in self.states():
            kind, shape = self.inputs[name]
            sides = [size if isinstance(size, int) else rows for size in shape]
            if math.prod(sides) > MAX_STATE:
                raise ModelError(f"{self.path} is damaged: its state is too large.")
            state[name] = np.zeros(sides, kind)
        return state

    def by_row(self, name: str) -> bool:
        """Return whether a state has a row for each of any number of windows."""
        shape = self.inputs[name][1]
        return bool(shape) and not isinstance(shape[0], int)

    def step(self, given: Arrays, state: Arrays) -> tuple[Arrays, Arrays]:
        """Return the results for one frame, and the next state. Raises ModelError."""
        try:
            values = self._session.run(None, {**given, **state})
        except Exception as error:
            raise ModelError(f"{self.path} is damaged: it cannot be computed.") from error
        if not all(isinstance(one, np.ndarray) and one.dtype.kind in "fiu" for one in values):
            raise ModelError(f"{self.path} is damaged: its answers are not numbers.")
        found = dict(zip(self.outputs, values, strict=True))
        after = {name: found.pop(NEXT + name) for name in state}
        for name, value in state.items():
            if (after[name].shape, after[name].dtype) != (value.shape, value.dtype):
                raise ModelError(f"{self.path} is damaged: its state takes another shape.")
        return found, after
