"""The training clips that a video looks like to a model, by the states of its core."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor

from vidgru.core.files import write_bytes
from vidgru.data.augment import straight_view, warp
from vidgru.data.cache import Segments
from vidgru.data.dataset import Dataset
from vidgru.nn.inputs import normalise
from vidgru.tasks.classify.build import AnyNetwork
from vidgru.tasks.classify.explain.relevance import core_outputs
from vidgru.tasks.classify.explain.results import Neighbour
from vidgru.tasks.classify.network import Network
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.video.read import shrink
from vidgru.video.write import encode_image

log = logging.getLogger("vidgru")

INDEX_NAME = "training_clips.safetensors"
MAX_CLIPS = 500  # spread evenly over the training clips: the file stays below 3 MB
NEAREST = 6
SIDE, QUALITY = 112, 70  # longer side in pixels of a clip's picture


@dataclass(frozen=True)
class ClipIndex:
    """Training clips: names, labels, states (N, values) of the core, and a JPEG of each."""

    clips: tuple[str, ...]
    labels: tuple[str, ...]
    states: NDArray[np.float32]
    pictures: tuple[bytes, ...]

    def nearest(self, state: Tensor) -> tuple[Neighbour, ...]:
        """Return the clips whose states (values,) are most similar, the most similar first.

        Similarity is the cosine between what states have beyond the mean of all clips.
        """
        mean = self.states.mean(0)
        rows = np.concatenate([self.states, state.cpu().numpy()[None]]) - mean
        rows /= np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)
        alike = rows[:-1] @ rows[-1]
        return tuple(
            Neighbour(self.clips[n], self.labels[n], float(alike[n]), self.pictures[n])
            for n in np.argsort(-alike, kind="stable")[:NEAREST]
        )


def write_index(run: Path, network: AnyNetwork, spec: ModelSpec, data: Dataset) -> None:
    """Write the index of the training clips into a run folder; raises OutputError.

    Of a network that cannot be explained there is none.
    """
    if not isinstance(network, Network) or network.looks is not None:
        return
    clips = data.parts["train"]
    few = min(MAX_CLIPS, len(clips))
    chosen = [clips[n * len(clips) // few] for n in range(few)]
    states, pictures = [], []
    network.eval()
    for clip in chosen:
        frames, info = _middle(data.frames[clip], spec.frames), data.info[clip]
        states.append(_state(network, spec, frames))
        scale = SIDE / max(info.width, info.height)
        size = max(round(scale * info.width), 1), max(round(scale * info.height), 1)
        jpeg = encode_image(shrink(frames[len(frames) // 2], size), ".jpg", QUALITY)
        pictures.append(np.frombuffer(jpeg, np.uint8))
    content = {
        "weights": _fingerprint(network),
        "clips": [clip.name for clip in chosen],
        "labels": [clip.label for clip in chosen],
    }
    tensors: dict[str, NDArray[Any]] = {
        "states": np.stack(states),
        "pictures": np.concatenate(pictures),
        "lengths": np.array([len(picture) for picture in pictures], np.int64),
    }
    write_bytes(run / INDEX_NAME, save(tensors, metadata={"vidgru": json.dumps(content)}))


def _middle(segments: Segments, window: int) -> NDArray[np.uint8]:
    """Return the window in the middle of a stored clip, uint8 (T, S, S, 3); a short clip whole."""
    part = segments[len(segments) // 2]
    start = max(len(part) - window, 0) // 2
    return np.asarray(part[start : start + window])


@torch.inference_mode()
def _state(network: Network, spec: ModelSpec, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean of the core's outputs (values,) for a window of stored frames."""
    device = next(network.parameters()).device
    views = normalise(torch.from_numpy(warp(frames, straight_view(), spec.size)).to(device))
    ys = core_outputs(network, network.join(*network.encode(views[None])))
    state: NDArray[np.float32] = ys.mean(1)[0].float().cpu().numpy()
    return state


def _fingerprint(network: Network) -> str:
    """Return a hash of weights that every training changes."""
    weight = network.head.weight.detach().cpu().contiguous().numpy()
    return hashlib.blake2b(weight.tobytes(), digest_size=16).hexdigest()


def read_index(model: Path, network: AnyNetwork) -> ClipIndex | None:
    """Return the index beside a model file; None, with a warning, where none fits the model."""
    path = model.parent / INDEX_NAME
    if not path.is_file():
        log.warning(
            "The nearest training clips are not shown: there is no %s, which `vidgru train` now "
            "writes.",
            path,
        )
        return None
    try:
        index, fingerprint = _read(path)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, RecursionError):
        log.warning("The nearest training clips are not shown: %s is damaged.", path)
        return None
    if (
        not isinstance(network, Network)
        or fingerprint != _fingerprint(network)
        or index.states.shape[1] != network.head.in_features
    ):
        log.warning("The nearest training clips are not shown: %s is of another model.", path)
        return None
    return index


def _read(path: Path) -> tuple[ClipIndex, str]:
    """Return an untrusted index, and the hash of the weights that it is of."""
    with safe_open(path, framework="numpy") as file:
        content = json.loads(file.metadata()["vidgru"])
        states, pictures, lengths = (
            file.get_tensor(name) for name in ("states", "pictures", "lengths")
        )
    clips, labels = _texts(content["clips"]), _texts(content["labels"])
    kinds = [(one.dtype, one.ndim) for one in (states, pictures, lengths)]
    if kinds != [(np.float32, 2), (np.uint8, 1), (np.int64, 1)]:
        raise ValueError("kinds")
    if not 0 < len(states) == len(clips) == len(labels) == len(lengths) <= MAX_CLIPS:
        raise ValueError("counts")
    if (
        not states.shape[1]
        or not np.isfinite(states).all()
        or lengths.min() < 0
        or lengths.sum() != len(pictures)
    ):
        raise ValueError("values")
    ends = np.cumsum(lengths)
    parts = tuple(
        pictures[end - length : end].tobytes() for end, length in zip(ends, lengths, strict=True)
    )
    return ClipIndex(clips, labels, states, parts), str(content["weights"])


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("texts")
    return tuple(map(str, values))
