"""Model files and checkpoints. Both are safe to open from a stranger: no pickled code runs."""

import io
import json
import os
import warnings
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from vidgru.config import CORE, CORES, ENCODERS, GATED_UPDATES, INPUTS, MAP_CORE
from vidgru.engine.distributed import from_main
from vidgru.errors import ModelError, OutputError, ProcessError
from vidgru.files import replacing, write_bytes
from vidgru.nn.build import AnyNetwork, build
from vidgru.nn.encoders import map_side
from vidgru.nn.forecast import ForecastNetwork
from vidgru.nn.motion import MotionNetwork
from vidgru.nn.scenes import HISTOGRAMS, SceneNetwork
from vidgru.spec import (
    FEWEST_SCENE_FRAMES,
    FORECAST_HIDDENS,
    MAP_SIZES,
    MOST_AHEAD,
    AnySpec,
    Confidence,
    ForecastSpec,
    ModelSpec,
    MotionSpec,
    SceneSpec,
)
from vidgru.tasks.calibrate import COLDEST, HOTTEST, MOST_ANSWERS

MODEL_NAME = "model.safetensors"
CHECKPOINT_NAME = "last.ckpt"
VERSION = 3
MOST_PLACES = 2**19  # of all maps of a window: 512 frames of 512 pixels a side
# The models that come with the package.
SHIPPED = Path(__file__).parents[1] / "models"
SHIPPED_MOTION, SHIPPED_SCENES = SHIPPED / "motion.safetensors", SHIPPED / "scenes.safetensors"


Net = TypeVar("Net")
Spec = TypeVar("Spec")


@dataclass(frozen=True)
class Loaded(Generic[Net, Spec]):
    """A network in eval mode with all that its file says of it."""

    path: Path
    network: Net
    spec: Spec
    metrics: dict[str, Any]


@dataclass(frozen=True)
class LoadedModel(Loaded[AnyNetwork, ModelSpec]):
    """A network that tells classes."""

    confidence: Confidence


class LoadedMotion(Loaded[MotionNetwork, MotionSpec]):
    """A network of motion."""


class LoadedForecast(Loaded[ForecastNetwork, ForecastSpec]):
    """A forecasting network."""


class LoadedScenes(Loaded[SceneNetwork, SceneSpec]):
    """A network that finds scenes."""


AnyLoaded = LoadedModel | LoadedMotion | LoadedForecast | LoadedScenes
Wanted = TypeVar("Wanted", LoadedModel, LoadedMotion, LoadedForecast, LoadedScenes)
# What models are for, and which verb they need.
USES: dict[type[AnyLoaded], str] = {
    LoadedModel: "tells classes: use `vidgru predict`",
    LoadedMotion: "is a model of motion: use `vidgru motion`",
    LoadedForecast: "foresees frames: use `vidgru forecast`",
    LoadedScenes: "finds scenes: use `vidgru scenes`",
}


def save_model(
    path: Path,
    weights: dict[str, torch.Tensor],
    spec: AnySpec,
    metrics: dict[str, Any],
    confidence: Confidence = Confidence(),  # noqa: B008
) -> None:
    """Write a model file: weights, and all the rest as JSON in its metadata."""
    content: dict[str, Any] = {"spec": asdict(spec)}
    if isinstance(spec, ModelSpec):
        content["confidence"] = asdict(confidence)
    content["metrics"] = metrics
    header = json.dumps({"version": VERSION, **content})
    # One key only: safetensors writes several in an order that changes from run to run.
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_bytes(path, save(tensors, metadata={"vidgru": header}))


def load_model(path: Path) -> LoadedModel:
    """Read the file or run folder of a model that tells classes.

    Raises ModelError for anything but a whole one.
    """
    return _load(path, LoadedModel)


def shipped(path: Path, subject: str) -> Path:
    """Return the path of a model that comes with vidgru; raises ModelError where it is missing."""
    if not path.is_file():
        raise ModelError(
            f"This vidgru comes without its model of {subject}: install it anew, or give --model."
        )
    return path


def load_motion(path: Path) -> LoadedMotion:
    """Read the file or run folder of a model of motion; raises ModelError."""
    return _load(path, LoadedMotion)


def load_forecast(path: Path) -> LoadedForecast:
    """Read the file or run folder of a forecasting model; raises ModelError."""
    return _load(path, LoadedForecast)


def load_scenes(path: Path) -> LoadedScenes:
    """Read the file or run folder of a model that finds scenes; raises ModelError."""
    return _load(path, LoadedScenes)


def _load(path: Path, wanted: type[Wanted]) -> Wanted:
    loaded = load_any(path)
    if not isinstance(loaded, wanted):
        raise ModelError(f"{loaded.path} {USES[type(loaded)]}.")
    return loaded


def load_any(path: Path) -> AnyLoaded:
    """Read a model file or a run folder; raises ModelError for anything but a whole model."""
    # Not path.is_dir(), which fails on too long a name.
    if os.path.isdir(path):
        path = path / MODEL_NAME
    if not os.path.isfile(path):
        raise ModelError(
            f"No model at {path}: give a run folder or a model file of `vidgru train`."
        )
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get("vidgru")
            if header is None:
                raise ModelError(f"{path} is not a model of vidgru.")
            spec, metrics, confidence = _read_header(path, header)
            # Without memory: a description may ask for far more than there is.
            with torch.device("meta"):
                wanted = build(spec).state_dict()
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            if shapes != {name: tuple(tensor.shape) for name, tensor in wanted.items()}:
                raise ModelError(f"{path} is damaged: its weights do not fit its description.")
            weights = {name: file.get_tensor(name) for name in wanted}
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"Cannot read the model {path}: it is damaged or cut short.") from error
    for name, tensor in weights.items():
        if tensor.dtype != wanted[name].dtype or not torch.isfinite(tensor).all():
            raise ModelError(f"{path} is damaged: its weights are not finite numbers.")
    network = build(spec)
    network.load_state_dict(weights)
    network.eval()
    if isinstance(spec, MotionSpec):
        return LoadedMotion(path, cast(MotionNetwork, network), spec, metrics)
    if isinstance(spec, ForecastSpec):
        return LoadedForecast(path, cast(ForecastNetwork, network), spec, metrics)
    if isinstance(spec, SceneSpec):
        return LoadedScenes(path, cast(SceneNetwork, network), spec, metrics)
    return LoadedModel(path, cast(AnyNetwork, network), spec, metrics, confidence)


def _read_header(path: Path, header: str) -> tuple[AnySpec, dict[str, Any], Confidence]:
    """Return what a header says, believing nothing: it may come from anyone."""
    spec: AnySpec
    confidence = Confidence()
    try:
        content = json.loads(header)
        version = content["version"]
        if type(version) is not int:
            raise TypeError("version")
        if version != VERSION:
            raise ModelError(
                f"{path} was written by another version of vidgru (format {version}, not "
                f"{VERSION})."
            )
        raw, metrics = content["spec"], content["metrics"]
        if raw["task"] == "motion":
            spec = MotionSpec(**raw)
            whole = isinstance(metrics, dict) and _is_motion(spec)
        elif raw["task"] == "forecast":
            spec = ForecastSpec(**raw)
            whole = isinstance(metrics, dict) and _is_forecast(spec)
        elif raw["task"] == "scenes":
            spec = SceneSpec(**{"histogram": "hard", **raw})
            whole = isinstance(metrics, dict) and _is_scenes(spec)
        else:
            sure = content["confidence"]
            labels = tuple(raw.pop("labels"))
            spec = ModelSpec(labels=labels, **raw)
            whole = isinstance(metrics, dict) and _tells_classes(spec) and _is_confidence(sure)
            answers = tuple((float(c), right) for c, right in sure["answers"])
            confidence = Confidence(sure["temperature"], answers)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path} is damaged: its description cannot be read.") from error
    if not whole:
        raise ModelError(f"{path} is damaged: its description makes no sense.")
    return spec, metrics, confidence


def _tells_classes(spec: ModelSpec) -> bool:
    """Return whether a stranger's description makes sense; raises TypeError or ValueError."""
    return (
        spec.task == "classify"
        and spec.input in INPUTS
        and spec.core in CORES
        and spec.encoder in ENCODERS
        and spec.gated_update in GATED_UPDATES
        and all(isinstance(label, str) for label in spec.labels)
        and 2 <= len(set(spec.labels)) == len(spec.labels) <= 100_000
        and all(type(n) is int for n in (spec.hidden, spec.frames, spec.size))
        and 1 <= spec.hidden <= 4096
        and (spec.encoder == "cnn" or spec.frames == 1)
        and ((spec.frames == 1 and spec.input == "rgb") or 4 <= spec.frames <= 4096)
        and 8 <= spec.size <= 1024
        and isinstance(spec.fps, int | float)
        and 1e-12 <= spec.fps <= 1000
        and (spec.core != MAP_CORE or _has_maps(spec))
    )


def _has_maps(spec: ModelSpec) -> bool:
    """Return whether a classifier may have maps: they take memory by frames, places and values."""
    places = spec.frames * map_side(spec.size) ** 2
    return spec.encoder == "cnn" and spec.hidden <= 256 and places <= MOST_PLACES


def _is_confidence(sure: Any) -> bool:
    return (
        _is_number(sure["temperature"], COLDEST, HOTTEST)
        and len(sure["answers"]) <= MOST_ANSWERS
        and all(_is_number(c, 0, 1) and type(right) is bool for c, right in sure["answers"])
    )


def _is_motion(spec: MotionSpec) -> bool:
    """Return whether a stranger's description of a motion model makes sense."""
    return (
        spec.core == MAP_CORE
        and all(type(n) is int for n in (spec.hidden, spec.frames, spec.size))
        and 1 <= spec.hidden <= 512
        and 2 <= spec.frames <= 512
        and spec.size in MAP_SIZES
        and _is_number(spec.fps, 1e-12, 1000)
    )


def _is_forecast(spec: ForecastSpec) -> bool:
    """Return whether a stranger's description of a forecasting model makes sense."""
    return (
        spec.core == MAP_CORE
        and all(type(n) is int for n in (spec.hidden, spec.frames, spec.ahead, spec.size))
        and spec.hidden in FORECAST_HIDDENS
        and 1 <= spec.frames <= 512
        and 1 <= spec.ahead <= MOST_AHEAD
        and spec.size in MAP_SIZES
        and type(spec.channels) is int
        and spec.channels in (1, 3)
        and _is_number(spec.fps, 1e-12, 1000)
    )


def _is_scenes(spec: SceneSpec) -> bool:
    """Return whether a stranger's description of a model that finds scenes makes sense."""
    return (
        spec.core == CORE
        and all(type(n) is int for n in (spec.hidden, spec.frames, spec.size))
        and 1 <= spec.hidden <= 1024
        and FEWEST_SCENE_FRAMES <= spec.frames <= 512
        and spec.size in MAP_SIZES
        and _is_number(spec.threshold, 1e-6, 1 - 1e-6)
        and spec.histogram in HISTOGRAMS
    )


def _is_number(value: Any, low: float, high: float) -> bool:
    return type(value) in (int, float) and low <= value <= high  # nan is not


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write all that is needed to go on training, as plain tensors and numbers."""
    with replacing(path) as temporary:
        try:
            torch.save(state, temporary)
        except RuntimeError as error:
            raise OutputError(f"Cannot write {path}: {error}.") from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote; raises ModelError."""
    try:
        content = io.BytesIO(from_main(path.read_bytes))
        # What unpacks to more than the file holds may be without end; we write nothing packed.
        with zipfile.ZipFile(content) as archive:
            if sum(item.file_size for item in archive.infolist()) > len(content.getbuffer()):
                raise ValueError("packed")
        content.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it finds strange; so do we, below
            state = torch.load(content, weights_only=True, map_location="cpu")
    except ProcessError:
        raise
    except Exception as error:  # torch raises a different kind for each way of being broken
        raise ModelError(f"Cannot read the checkpoint {path}: it is damaged.") from error
    if not isinstance(state, dict):
        raise ModelError(f"Cannot read the checkpoint {path}: it is not one of vidgru.")
    return state


def newest_run(folder: Path, task: str | None = None) -> Path:
    """Return the run in a folder whose model was written last, of one task or of any.

    Raises ModelError if there is none.
    """
    models = sorted(folder.glob(f"*/{MODEL_NAME}"), key=lambda path: -path.stat().st_mtime_ns)
    for path in models:
        if task is None or _task_of(path) in (None, task):
            return path.parent
    kinds = {"motion": " of motion", "forecast": " that foresees frames", "scenes": " of scenes"}
    kind = kinds.get(task or "", "")
    option = f" --task {task}" if kind else ""
    raise ModelError(
        f"No trained model{kind} in {folder.absolute()}: give --model, or train one first "
        f"with `vidgru train FOLDER{option}`."
    )


def _task_of(path: Path) -> str | None:
    """Return what a model file says it is for; None where it is damaged, which opening it tells."""
    try:
        with safe_open(path, framework="pt") as file:
            return str(json.loads(file.metadata()["vidgru"])["spec"]["task"])
    except (SafetensorError, OSError, ValueError, TypeError, LookupError, RecursionError):
        return None
