"""Model files and checkpoints. Both are safe to open if untrusted: no pickled code runs."""

import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import Field, asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from vidgru.core.errors import ModelError, OutputError
from vidgru.core.files import replacing, write_bytes
from vidgru.engine.distributed import from_main
from vidgru.engine.newest_run import MODEL_NAME, newest_runs
from vidgru.engine.onnx_file import ONNX_NAME, is_onnx

CHECKPOINT_NAME = "last.ckpt"
VERSION = 4
OLDEST = 3  # oldest readable version; `renamed` of a network maps its names
SHIPPED = Path(__file__).parents[1] / "models"  # models of the package

Value = TypeVar("Value")
Net = TypeVar("Net")
Spec = TypeVar("Spec")


class AnySpec(Protocol):
    """The content of a model file other than its weights: a dataclass that names its task."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def task(self) -> str:
        """The task's name."""


@dataclass(frozen=True)
class Loaded(Generic[Net, Spec]):
    """A network in eval mode with the content of its model file."""

    path: Path
    network: Net
    spec: Spec
    metrics: dict[str, Any]


class Kind(Protocol):
    """How to read the models of a task."""

    def read_spec(self, content: dict[str, Any]) -> Any:
        """Return the spec in a header, None where it is invalid.

        The header is untrusted; raises ValueError, TypeError or KeyError.
        """

    def network(self, spec: Any) -> nn.Module:
        """Return a new network with random weights."""

    def loaded(
        self, path: Path, network: Any, spec: Any, content: dict[str, Any]
    ) -> Loaded[Any, Any]:
        """Return a network with the content of its model file."""


def save_model(
    path: Path,
    weights: dict[str, torch.Tensor],
    spec: AnySpec,
    metrics: dict[str, Any],
    **more: Any,
) -> None:
    """Write a model file: weights, and everything else, with `more`, as JSON in its metadata."""
    content = {"spec": asdict(spec), **more, "metrics": metrics}
    header = json.dumps({"version": VERSION, **content})
    # One key only: safetensors writes several in an order that varies from run to run.
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_bytes(path, save(tensors, metadata={"vidgru": header}))


def read_model(path: Path, kind_of: Callable[[str], Kind]) -> Loaded[Any, Any]:
    """Read a model file or a run folder of any task; raises ModelError for an invalid one.

    `kind_of` returns the Kind for a task's name, or raises ValueError.
    """
    if is_onnx(path):
        raise ModelError(f"{path} is an ONNX file, which only `vidgru predict` reads.")
    # Not path.is_dir(), which fails on too long a name.
    folder = path if os.path.isdir(path) else None
    if folder is not None:
        path = folder / MODEL_NAME
    if not os.path.isfile(path):
        runs = newest_runs(folder) if folder is not None else []
        if runs:
            raise ModelError(
                f"{folder} holds runs and is none itself: give one, such as {runs[0]}."
            )
        exported = path.with_name(ONNX_NAME)
        other = f", or for `vidgru predict` {exported}" if os.path.isfile(exported) else ""
        raise ModelError(
            f"No model at {path}: give a run folder or a model file of `vidgru train`{other}."
        )
    check_readable(path, "the model")
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get("vidgru")
            if header is None:
                raise ModelError(f"{path} is not a model of vidgru.")
            kind, spec, content = _read_header(path, header, kind_of)
            # Without memory: a spec may require far more than there is.
            with torch.device("meta"):
                network = kind.network(spec)
            wanted = network.state_dict()
            stored = current_names(network, {name: name for name in file.keys()})  # noqa: SIM118
            shapes = {new: tuple(file.get_slice(old).get_shape()) for new, old in stored.items()}
            if shapes != {name: tuple(tensor.shape) for name, tensor in wanted.items()}:
                raise ModelError(
                    f"{path} is damaged, or of another version of vidgru: its weights do not fit "
                    "its description. Train it anew."
                )
            weights = {name: file.get_tensor(stored[name]) for name in wanted}
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(
            f"Cannot read the model {path}: it is damaged, cut short or no model."
        ) from error
    for name, tensor in weights.items():
        if tensor.dtype != wanted[name].dtype or not torch.isfinite(tensor).all():
            raise ModelError(f"{path} is damaged: its weights are not finite numbers.")
    network = kind.network(spec)
    network.load_state_dict(weights)
    network.eval()
    return kind.loaded(path, network, spec, content)


def check_readable(path: Path, noun: str) -> None:
    """Raise ModelError for a file that the system does not let us open.

    safetensors raises the same for it as for a file that is not there.
    """
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise ModelError(f"Cannot read {noun} {path}: {error.strerror or error}.") from error


def current_names(network: nn.Module, weights: dict[str, Value]) -> dict[str, Value]:
    """Return weights by their current names, where a file may have older ones.

    The `renamed` of a network maps names of modules in version 3 to the current ones.
    """
    renamed: dict[str, str] = getattr(network, "renamed", {})
    split = ((name.partition("."), value) for name, value in weights.items())
    found = ((f"{renamed.get(head, head)}{dot}{rest}", value) for (head, dot, rest), value in split)
    return type(weights)(found)


def _read_header(
    path: Path, header: str, kind_of: Callable[[str], Kind]
) -> tuple[Kind, Any, dict[str, Any]]:
    """Return the task, the spec and the rest of an untrusted header."""
    try:
        content = json.loads(header)
        version = content["version"]
        if type(version) is not int:
            raise TypeError("version")
        if not OLDEST <= version <= VERSION:
            raise ModelError(
                f"{path} was written by another version of vidgru (format {version}, not "
                f"{OLDEST} to {VERSION})."
            )
        kind, metrics = kind_of(content["spec"]["task"]), content["metrics"]
        spec = kind.read_spec(content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: its description cannot be read.") from error
    if spec is None or not isinstance(metrics, dict):
        raise ModelError(f"{path} is damaged: its description makes no sense.")
    return kind, spec, content


def shipped(path: Path, subject: str) -> Path:
    """Return the path of a shipped model; raises ModelError where it is missing."""
    if not path.is_file():
        raise ModelError(
            f"This vidgru comes without its model of {subject}: reinstall vidgru, or give --model."
        )
    return path


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write everything that is needed to resume training, as plain tensors and numbers."""
    with replacing(path) as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:
            raise OutputError(f"Cannot write {path}: {error}.") from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote; raises ModelError."""
    try:
        data = from_main(path.read_bytes)
    except OSError as error:
        why = error.strerror or error
        raise ModelError(f"Cannot read the checkpoint {path}: {why}.") from error
    try:
        content = io.BytesIO(data)
        # A compressed file may expand without limit; we never write compressed ones.
        with zipfile.ZipFile(content) as archive:
            if sum(item.file_size for item in archive.infolist()) > len(content.getbuffer()):
                raise ValueError("packed")
        content.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid files are refused below
            state = torch.load(content, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises a different kind for each defect
        raise ModelError(f"Cannot read the checkpoint {path}: it is damaged.") from error
    if not isinstance(state, dict):
        raise ModelError(f"Cannot read the checkpoint {path}: it is not one of vidgru.")
    return state
