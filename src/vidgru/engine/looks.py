"""Picture encoders of others as ONNX files: opened without torch, believed in nothing, and run."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidgru.core.errors import ModelError, OptionError
from vidgru.engine.onnx_file import EXTERNAL, EXTRA, has_runtime, runtime

MAX_BYTES = 1 << 30
MIN_SIDE, DEFAULT_SIDE, MAX_SIDE = 16, 224, 1024  # of pictures, in pixels
MAX_FEATURES = 8192
MIN_STD = 1e-6  # of pixels from 0 to 1
LARGEST = 5.0  # of means and standard deviations of pixels from 0 to 1
OVERRULE = "Give --looks-mean and --looks-std"
BATCH = 16  # pictures that are encoded together

# Mean and standard deviation of pixels from 0 to 1, by the names of what encoders learned from.
PRESETS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "inception": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
}
DEFAULT_PRESET = "imagenet"
# Keys of mean and standard deviation in an encoder's metadata.
KEYS = (("mean", "std"), ("image_mean", "image_std"))

Features = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Colour = tuple[float, ...]


@dataclass(frozen=True)
class Looks:
    """A picture encoder, as a model file names it.

    digest: SHA-256 of its file; name: of that file; features: of a picture; side: of the square
    pictures that it reads, in pixels; mean, std: of their pixels from 0 to 1, by colour.
    """

    digest: str
    name: str
    features: int
    side: int
    mean: Colour
    std: Colour


def parse_colour(name: str, given: str | None, place: int) -> Colour | None:
    """Return the three numbers of an option: of a preset, or given ones. Raises OptionError.

    place: 0 for means, 1 for standard deviations.
    """
    if given is None or given in PRESETS:
        return None if given is None else PRESETS[given][place]
    try:
        values = tuple(float(part) for part in given.split(","))
    except ValueError:
        values = ()
    low = MIN_STD if place else -1e3
    if len(values) != 3 or not all(low <= value <= 1e3 for value in values):
        kind = "positive numbers" if place else "numbers"
        raise OptionError(
            f"Invalid {name} {given!r}. Give three {kind} for pixels from 0 to 1, as in "
            f"0.5,0.5,0.5, or one of: {', '.join(PRESETS)}."
        )
    return values


class LooksEncoder:
    """An opened encoder: pictures in, features out; `looks` describes it.

    mean, std: three numbers each, which replace those of the file's metadata. Raises ModelError for
    a file that is no encoder of pictures, OptionError where onnxruntime is not installed.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 1,
        *,
        mean: Colour | None = None,
        std: Colour | None = None,
    ) -> None:
        if not has_runtime():
            raise OptionError(f"{path} needs onnxruntime, which is not installed: {EXTRA}")
        data = _read(path)
        self.path = path
        self._session = _session(path, data, threads)
        self._input, self._channels_first, side, fixed = self._read_input()
        if mean is None or std is None:
            known_mean, known_std = self._read_colours()
            mean, std = mean or known_mean, std or known_std
        self._batch = fixed or BATCH
        self._fixed = bool(fixed)
        self.looks = Looks(hashlib.sha256(data).hexdigest(), path.name, 0, side, mean, std)
        self._output = self._choose_output()
        features = self.encode(self._probes()).shape[1]
        self.looks = Looks(self.looks.digest, path.name, features, side, mean, std)

    def _refuse(self, why: str) -> ModelError:
        return ModelError(
            f"{self.path} is no encoder of pictures that can be used: {why.rstrip('.')}."
        )

    def _read_input(self) -> tuple[str, bool, int, int]:
        """Return the input's name, if channels come first, the side, and the batch if fixed."""
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise self._refuse(f"it has {len(inputs)} inputs, and pictures are one")
        shape = list(inputs[0].shape)
        if inputs[0].type != "tensor(float)" or len(shape) != 4:
            raise self._refuse(
                f"its input is a {inputs[0].type} with {len(shape)} axes, not a float one with four"
            )
        sizes = [size if isinstance(size, int) else 0 for size in shape]  # 0: free
        if sizes[1] != 3 and sizes[3] != 3:
            raise self._refuse("its input names no axis of three colours")
        first = sizes[1] == 3
        sides = sizes[2:] if first else sizes[1:3]
        if len({size for size in sides if size}) > 1:
            raise self._refuse(
                f"it reads pictures of {sides[1]}x{sides[0]} pixels, not square ones"
            )
        side = max(sides) or DEFAULT_SIDE
        if not MIN_SIDE <= side <= MAX_SIDE or sizes[0] > 1024:
            raise self._refuse(
                f"it reads {max(sizes[0], 1)} pictures of {side} pixels, and {MIN_SIDE} to "
                f"{MAX_SIDE} pixels are possible"
            )
        return inputs[0].name, first, side, sizes[0]

    def _read_colours(self) -> tuple[Colour, Colour]:
        """Return mean and standard deviation by the metadata, or the usual ones."""
        found: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map
        for keys in KEYS:
            if not any(key in found for key in keys):
                continue
            if missing := [key for key in keys if key not in found]:
                raise self._refuse(f"its metadata has no {missing[0]!r}. {OVERRULE}")
            try:
                mean, std = (_numbers(found[key]) for key in keys)
            except (ValueError, TypeError, RecursionError) as error:
                raise self._refuse(
                    f"its metadata {keys[0]!r} and {keys[1]!r} are not three numbers each. "
                    f"{OVERRULE}"
                ) from error
            if max(*mean, *std) > LARGEST:
                raise self._refuse(
                    f"its metadata {keys[0]!r} and {keys[1]!r} are not of pixels from 0 to 1. "
                    f"{OVERRULE}"
                )
            if min(std) < MIN_STD:
                raise self._refuse(
                    f"the numbers of its metadata {keys[1]!r} are not positive. {OVERRULE}"
                )
            return mean, std
        return PRESETS[DEFAULT_PRESET]

    def _probes(self) -> list[Pixels]:
        """Return two pictures to try an encoder with."""
        side = self.looks.side
        ramp = np.linspace(0, 255, side).astype(np.uint8)
        rising: Pixels = np.repeat(np.repeat(ramp[None], side, 0)[:, :, None], 3, 2)
        return [np.zeros((side, side, 3), np.uint8), rising]

    def _choose_output(self) -> str:
        """Return the output that holds features: the first pooled one, or else of maps."""
        names: list[str] = [one.name for one in self._session.get_outputs()]
        given = self._given(self._probes()[: self._batch])
        try:
            values = self._session.run(names, {self._input: given})
        except Exception as error:
            if self._fixed:
                raise self._refuse("it cannot be computed") from error
            self._batch, self._fixed = 1, True  # some graphs name a free batch and have none
            try:
                values = self._session.run(names, {self._input: given[:1]})
            except Exception:
                raise self._refuse("it cannot be computed") from error
        ranks = {
            name: value.ndim
            for name, value in zip(names, values, strict=True)
            if isinstance(value, np.ndarray) and value.dtype == np.float32
        }
        for rank in (2, 4, 3):
            if rank in ranks.values():
                return next(name for name, own in ranks.items() if own == rank)
        raise self._refuse("no output is of floats with features, or maps of them, a picture")

    def _given(self, images: Sequence[Pixels]) -> Features:
        """Return the input for pictures uint8 (S, S, 3), as many as a batch has where fixed."""
        pixels = np.stack(images).astype(np.float32) * np.float32(1 / 255)  # (N, S, S, 3)
        mean, std = (np.array(one, np.float32) for one in (self.looks.mean, self.looks.std))
        pixels = (pixels - mean) / std
        if self._fixed and len(pixels) < self._batch:
            empty = np.zeros((self._batch - len(pixels), *pixels.shape[1:]), np.float32)
            pixels = np.concatenate([pixels, empty])
        return (
            np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) if self._channels_first else pixels
        )

    def encode(self, images: Sequence[Pixels]) -> Features:
        """Return features (N, F) of pictures uint8 (side, side, 3); raises ModelError.

        Maps (N, F, h, w), or (N, places, F), are averaged over space.
        """
        return np.concatenate([*self._encoded(images)])

    def _encoded(self, images: Sequence[Pixels]) -> Iterator[Features]:
        for start in range(0, len(images), self._batch):
            some = images[start : start + self._batch]
            given = self._given(some)
            try:
                (value,) = self._session.run([self._output], {self._input: given})
            except Exception as error:
                raise self._refuse("it cannot be computed") from error
            if value.ndim == 4:
                sides = value.shape[2:] if self._channels_first else value.shape[1:3]
                if sides[0] != sides[1]:  # of a square picture
                    raise self._refuse("its maps have their axes in another order than its input")
                value = value.mean((2, 3) if self._channels_first else (1, 2))
            elif value.ndim == 3:
                value = value.mean(1)
            wanted = self.looks.features or value.shape[-1]
            if value.ndim != 2 or len(value) != len(given) or value.shape[1] != wanted:
                raise self._refuse("its output has no row of features for each picture")
            if not 1 <= wanted <= MAX_FEATURES:
                raise self._refuse(f"it gives {wanted} features, not 1 to {MAX_FEATURES}")
            if not np.isfinite(value).all():
                raise self._refuse("its features are not finite numbers")
            yield np.ascontiguousarray(value[: len(some)], np.float32)


def _read(path: Path) -> bytes:
    """Return the content of a file; raises ModelError."""
    if not os.path.isfile(path):
        raise ModelError(f"No picture encoder at {path}: give an ONNX file.")
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise ModelError(f"{path} is too large for a picture encoder: over {MAX_BYTES} bytes.")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}.") from error


def _session(path: Path, data: bytes, threads: int) -> Any:
    onnxruntime = runtime()
    if data[4:8] == b"ORTM" or (EXTERNAL in data and _is_external(path, data)):
        raise ModelError(
            f"{path} keeps weights in other files: save it with all of them in one file."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # errors are raised, too
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of many types, without a common one
        raise ModelError(
            f"Cannot read the picture encoder {path}: it is no ONNX file, damaged, or needs "
            "operators that onnxruntime does not have."
        ) from error


def _is_external(path: Path, data: bytes) -> bool:
    """Return whether any weights lie in other files, wherever in a graph they are."""
    try:
        import onnx
        from onnx import external_data_helper
    except ImportError as error:
        raise OptionError(f"{path} can only be checked with onnx: {EXTRA}") from error
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:
        raise ModelError(f"Cannot read the picture encoder {path}: it is damaged.") from error
    return any(
        external_data_helper.uses_external_data(tensor) or tensor.external_data
        for tensor in _tensors(model)
    )


def _tensors(message: Any) -> Iterator[Any]:
    """Yield the tensors in a message of onnx, at any depth."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        repeated = hasattr(value, "__len__") and not hasattr(value, "ListFields")
        for part in value if repeated else [value]:
            yield from _tensors(part)


def _numbers(text: str) -> Colour:
    """Return three numbers in untrusted text; raises ValueError, TypeError."""
    text = text.strip()
    values = json.loads(text) if text.startswith("[") else text.split(",")
    found = tuple(float(value) for value in values)
    if len(found) != 3 or not all(abs(value) <= 1e3 for value in found):
        raise ValueError(text)
    return found
