"""Explain a prediction for frames."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidgru.core.errors import ModelError, OptionError
from vidgru.core.results import Progress
from vidgru.data.augment import Frames
from vidgru.nn.inputs import normalise
from vidgru.tasks.classify.build import AnyNetwork
from vidgru.tasks.classify.explain.analyse import analyse
from vidgru.tasks.classify.explain.gates import KEPT_MAPS
from vidgru.tasks.classify.explain.nearest import ClipIndex
from vidgru.tasks.classify.explain.options import METHODS, ExplainConfig
from vidgru.tasks.classify.explain.results import Explanation, HeldStill
from vidgru.tasks.classify.network import Network
from vidgru.tasks.classify.results import Prediction
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.tasks.classify.windows import view_outputs

MAX_FRAMES = 2048  # of one video: minutes, not hours
MAX_BYTES = 1 << 28  # of its pictures
RELEVANT = 0.1  # share of frames, and of the picture, that is held still

Decode = Callable[[Tensor], Prediction]


class Question(NamedTuple):
    """What is to be explained: a class (None: the predicted one), against which, by which method.

    Classes are numbers; start and end, in seconds, cut out a stretch of the video.
    """

    label: int | None
    against: int | None
    method: str
    start: float = 0.0
    end: float | None = None


def ask(
    spec: ModelSpec,
    path: Path,
    label: str | None = None,
    against: str | None = None,
    method: str = METHODS[0],
    start: float | None = None,
    end: float | None = None,
) -> Question:
    """Return what is to be explained; raises OptionError, ModelError."""
    if spec.encoder == "rows":
        raise ModelError(
            f"{path} reads rows of pixels: only a model of --encoder cnn can be explained."
        )
    if spec.looks:
        raise ModelError(
            f"{path} uses a picture encoder, whose share of a prediction cannot be explained: "
            "explain a model that was trained without --looks."
        )
    config = ExplainConfig(label=label, against=against, method=method, start=start, end=end)
    if label is not None and label == against:
        raise OptionError(f"--against {against!r} is the explained class: give another one.")
    begin = config.start or 0.0
    return Question(_number(spec, path, label), _number(spec, path, against), method, begin, end)


def _number(spec: ModelSpec, path: Path, label: str | None) -> int | None:
    if label is None:
        return None
    if label not in spec.labels:
        known = ", ".join(map(repr, spec.labels[:10]))
        more = ", ..." if len(spec.labels) > 10 else ""
        raise OptionError(f"{path} does not know the class {label!r}. It knows {known}{more}.")
    return spec.labels.index(label)


def max_frames(side: int) -> int:
    """Return how many frames of a side can be explained together."""
    return min(MAX_FRAMES, MAX_BYTES // (3 * side**2))


def explain_frames(
    network: AnyNetwork,
    spec: ModelSpec,
    pixels: Frames,
    question: Question,
    decode: Decode,
    index: ClipIndex | None = None,
) -> Generator[Progress, None, Explanation]:
    """Explain the prediction for views of frames uint8 (N, size, size, 3), yielding Progress.

    `decode` gives the prediction for outputs (windows, K). Raises OptionError.
    """
    if not isinstance(network, Network):
        raise ModelError("Only a model of --encoder cnn can be explained.")
    device = next(network.parameters()).device

    def frames(start: int, end: int) -> Tensor:
        return normalise(torch.from_numpy(pixels[start:end]).to(device))

    def choose(outputs: Tensor) -> int:
        if question.label is not None:
            return question.label
        shares = decode(outputs.cpu()).probabilities
        return shares.index(max(shares))

    occlude = question.method == "occlusion"
    found = yield from analyse(
        network, frames, len(pixels), spec.frames, choose, question.against, occlude
    )
    if found.label == question.against:
        raise OptionError(
            f"--against {spec.labels[found.label]!r} is the predicted class: choose which to "
            "explain, too."
        )
    prediction = decode(found.outputs)
    maps = found.maps.numpy()
    strength, kept = found.strength.tolist(), found.gates.pop(KEPT_MAPS, None)
    relevance = maps.sum((1, 2))

    def share(pixels: Frames) -> float:
        return decode(view_outputs(network, [pixels], spec.frames)).probabilities[found.label]

    return Explanation(
        source=prediction.source,
        label=spec.labels[found.label],
        against=None if question.against is None else spec.labels[question.against],
        method=question.method,
        prediction=prediction,
        logits=tuple(found.contributions.sum(0).tolist()),
        bias=tuple(network.head.bias.detach().cpu().tolist()),
        seconds=tuple(question.start + n / spec.fps for n in range(len(pixels))),
        contributions=tuple(map(tuple, found.contributions.tolist())),
        relevance=tuple((relevance / max(relevance.sum(), 1e-12)).tolist()),
        pictures=strength[1] / max(sum(strength), 1e-12) if len(strength) > 1 else None,
        gates={name: tuple(values.tolist()) for name, values in found.gates.items()},
        held_still=HeldStill(
            whole=prediction.probabilities[found.label],
            frames=share(hold_frames(pixels, most_relevant(relevance))),
            area=share(hold_area(pixels, most_relevant(maps.sum(0)))),
        ),
        nearest=() if index is None else index.nearest(found.state),
        maps=(maps / max(float(maps.max()), 1e-12)).astype(np.float32),
        kept_maps=None if kept is None else kept.numpy().astype(np.float32),
    )


def most_relevant(relevance: NDArray[np.float32], share: float = RELEVANT) -> NDArray[np.bool_]:
    """Return which share of frames (N,) or of places (h, w) is most relevant, at least one."""
    order = np.argsort(-relevance, axis=None, kind="stable")
    chosen = np.zeros(relevance.size, bool)
    chosen[order[: max(1, round(share * relevance.size))]] = True
    return chosen.reshape(relevance.shape)


def hold_frames(pixels: Frames, held: NDArray[np.bool_]) -> Frames:
    """Return frames (N, H, W, 3) in which those that are `held` (N,) repeat the last one before.

    At the beginning they repeat the next one.
    """
    kept = np.flatnonzero(~held)
    if not len(kept):
        return pixels[:1].repeat(len(pixels), axis=0)
    before = np.searchsorted(kept, np.arange(len(pixels)), "right") - 1
    found: Frames = pixels[kept[before.clip(0)]]
    return found


def hold_area(pixels: Frames, held: NDArray[np.bool_]) -> Frames:
    """Return frames (N, H, W, 3) with the places of a grid `held` (h, w) as in the first frame."""
    side = pixels.shape[1]
    rows, columns = (np.arange(side) * n // side for n in held.shape)
    mask = held[rows[:, None], columns][None, :, :, None]
    held_still: Frames = np.where(mask, pixels[:1], pixels)
    return held_still
