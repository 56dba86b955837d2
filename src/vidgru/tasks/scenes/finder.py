"""Detect scene boundaries in any number of frames, in constant memory."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidgru.core.errors import ModelError
from vidgru.nn.unroll import unroll
from vidgru.tasks.scenes.evidence import EVIDENCE, evidence
from vidgru.tasks.scenes.network import (
    BACK,
    LATE,
    FrameFeatures,
    SceneNetwork,
    add_evidence,
    join,
)
from vidgru.tasks.scenes.reader import Reader
from vidgru.tasks.scenes.results import Boundary
from vidgru.video.read import Image

TOGETHER = 64  # frames that are encoded and decided together
AROUND = 32  # additional frames before and after those that the core reads


@contextmanager
def model_named(path: Path) -> Iterator[None]:
    """Raise ModelError with the model's file where outputs are not finite numbers."""
    try:
        yield
    except FloatingPointError as error:
        raise ModelError(f"{path} is damaged: its answers are not finite numbers.") from error


def _sound(outputs: Tensor) -> Tensor:
    # Each weight by itself may be finite, yet too large.
    if not torch.isfinite(outputs).all():
        raise FloatingPointError("The outputs are not finite numbers.")
    return outputs.cpu()


class TokenStream:
    """Push frames, get the core's input and the evidence for those that are far enough back.

    Both in a row: the same as `network.tokens` and `evidence` of all frames at once.
    """

    def __init__(self, network: SceneNetwork) -> None:
        self.network = network
        self._kept: FrameFeatures | None = None
        self._first = self._predicted = self._end = (
            0  # frame numbers: first kept, next to return, next
        )

    def push(self, pixels: Tensor) -> Tensor:
        """Take more frames uint8 (T, S, S, 3); return rows (1, t, TOKEN + 2), LATE frames late."""
        features = self.network.extract_features(pixels[None])
        self._kept = features if self._kept is None else join([self._kept, features])
        self._end += len(pixels)
        return self._predict(max(self._end - LATE, 0))

    def finish(self) -> Tensor:
        """Return the remaining rows when no more frames come."""
        return self._predict(self._end)

    def _predict(self, until: int) -> Tensor:
        if self._kept is None:
            raise ValueError("There are no frames.")
        rows = torch.cat([self.network.tokens(self._kept), evidence(self._kept.coarse)], dim=-1)
        rows = rows[:, self._predicted - self._first : until - self._first]
        self._predicted = max(until, self._predicted)
        drop = max(self._predicted - BACK - self._first, 0)
        self._kept, self._first = self._kept.since(drop), self._first + drop
        return rows


def _chunks(network: SceneNetwork, frames: Iterable[Image], most: int) -> Iterator[Tensor]:
    device = next(network.parameters()).device
    source = iter(frames)
    while chunk := list(islice(source, most)):
        yield torch.from_numpy(np.stack(chunk)).to(device)


@torch.inference_mode()
def predict(network: SceneNetwork, frames: Iterable[Image]) -> Iterator[Tensor]:
    """Yield outputs (T, 6) of frames uint8 (S, S, 3), from both directions.

    Each uses AROUND frames before and after, at least, as far as there are any. The network
    must be in eval mode. Raises FloatingPointError for outputs that are not finite.
    """
    stream = TokenStream(network)
    waiting: list[Tensor] = []
    before = 0  # how many of the waiting tokens are only context
    for chunk in _chunks(network, frames, TOGETHER):
        waiting.append(stream.push(chunk))
        tokens = torch.cat(waiting, dim=1)
        while tokens.shape[1] >= before + TOGETHER + AROUND:
            predicted = _both(network, tokens[:, : before + TOGETHER + AROUND])
            yield _sound(predicted[before : before + TOGETHER])
            drop = before + TOGETHER - AROUND
            tokens, before = tokens[:, drop:], AROUND
        waiting = [tokens]
    if waiting:
        tokens = torch.cat([*waiting, stream.finish()], dim=1)
        yield _sound(_both(network, tokens)[before:])


def _both(network: SceneNetwork, rows: Tensor) -> Tensor:
    tokens, shown = rows[..., :-EVIDENCE], rows[..., -EVIDENCE:]
    early, late = network.decide(tokens)
    return add_evidence((early + late) / 2, shown)[0]


def find(network: SceneNetwork, frames: Iterable[Image], threshold: float) -> Iterator[Boundary]:
    """Yield the boundaries among frames uint8 (S, S, 3), in order, from both directions."""
    reader = Reader(threshold)
    for outputs in predict(network, frames):
        yield from reader.push(outputs)
    yield from reader.finish()


class StreamingSceneDetector:
    """Push frames one by one, get the boundaries known by then, from past frames only.

    They come LATE frames after they are over. The network must be in eval mode.
    """

    def __init__(self, network: SceneNetwork, threshold: float) -> None:
        self._stream, self._reader = TokenStream(network), Reader(threshold)
        self._network, self._state = network, network.core.initial_state(1)

    @torch.inference_mode()
    def push(self, frame: Image) -> list[Boundary]:
        """Take one more frame, rgb uint8 (S, S, 3)."""
        (pixels,) = _chunks(self._network, [frame], 1)
        return self._reader.push(self.outputs(self._stream.push(pixels)))

    @torch.inference_mode()
    def finish(self) -> list[Boundary]:
        """Return the remaining boundaries when no more frames come."""
        return self._reader.push(self.outputs(self._stream.finish())) + self._reader.finish()

    def outputs(self, rows: Tensor) -> Tensor:
        """Return outputs (T, 6) of the next rows of TokenStream; raises FloatingPointError."""
        if rows.shape[1] == 0:
            return rows.new_zeros(0, 6)
        tokens, shown = rows[..., :-EVIDENCE], rows[..., -EVIDENCE:]
        ys, self._state = unroll(self._network.core, tokens, self._state)
        return _sound(add_evidence(self._network.predict_early(ys, tokens), shown)[0])


def watch(
    network: SceneNetwork, frames: Iterable[Image], threshold: float
) -> Iterator[tuple[int, Boundary | None]]:
    """Yield the number of frames so far, with each boundary known by then, or None."""
    detector, count = StreamingSceneDetector(network, threshold), 0
    for count, frame in enumerate(frames, 1):
        known: list[Boundary | None] = [*detector.push(frame)]
        yield from ((count, boundary) for boundary in known or [None])
    if count:
        for boundary in detector.finish():
            yield count, boundary
