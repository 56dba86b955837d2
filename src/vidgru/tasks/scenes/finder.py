"""Find scene boundaries in any number of frames, in constant memory."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidgru.core.errors import ModelError
from vidgru.nn.unroll import unroll
from vidgru.tasks.scenes.network import BACK, LATE, FrameFeatures, SceneNetwork, join
from vidgru.tasks.scenes.reader import Reader
from vidgru.tasks.scenes.results import Boundary
from vidgru.video.read import Image

TOGETHER = 64  # frames that are encoded together, and of which is told together
AROUND = 32  # frames before and after those that the core reads beside them


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
    """Push frames, get what the core reads of those that are far enough back.

    The same as `network.tokens` gives of all frames at once.
    """

    def __init__(self, network: SceneNetwork) -> None:
        self.network = network
        self._kept: FrameFeatures | None = None
        self._first = self._predicted = self._end = 0  # frame numbers: first kept, next to tell, next

    def push(self, pixels: Tensor) -> Tensor:
        """Take more frames uint8 (T, S, S, 3); return tokens (1, t, TOKEN), LATE frames late."""
        seen = self.network.extract_features(pixels[None])
        self._kept = seen if self._kept is None else join([self._kept, seen])
        self._end += len(pixels)
        return self._predict(max(self._end - LATE, 0))

    def finish(self) -> Tensor:
        """Return the tokens that are left when no more frames come."""
        return self._predict(self._end)

    def _predict(self, until: int) -> Tensor:
        if self._kept is None:
            raise ValueError("There are no frames.")
        tokens = self.network.tokens(self._kept)[:, self._predicted - self._first : until - self._first]
        self._predicted = max(until, self._predicted)
        drop = max(self._predicted - BACK - self._first, 0)
        self._kept, self._first = self._kept.since(drop), self._first + drop
        return tokens


def _chunks(network: SceneNetwork, frames: Iterable[Image], most: int) -> Iterator[Tensor]:
    device = next(network.parameters()).device
    source = iter(frames)
    while chunk := list(islice(source, most)):
        yield torch.from_numpy(np.stack(chunk)).to(device)


@torch.inference_mode()
def predict(network: SceneNetwork, frames: Iterable[Image]) -> Iterator[Tensor]:
    """Yield outputs (T, 6) of frames uint8 (S, S, 3), told in both directions.

    Each is told from AROUND frames before and after, at least, as far as there are any. The network
    must be in eval mode. Raises FloatingPointError for outputs that are not finite.
    """
    stream = TokenStream(network)
    waiting: list[Tensor] = []
    before = 0  # of the waiting tokens, how many are there to be looked back at
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


def _both(network: SceneNetwork, tokens: Tensor) -> Tensor:
    early, late = network.decide(tokens)
    return (early + late)[0] / 2


def find(network: SceneNetwork, frames: Iterable[Image], threshold: float) -> Iterator[Boundary]:
    """Yield the boundaries among frames uint8 (S, S, 3), in order, told in both directions."""
    reader = Reader(threshold)
    for outputs in predict(network, frames):
        yield from reader.push(outputs)
    yield from reader.finish()


class StreamingSceneDetector:
    """Push frames one by one, get the boundaries that are known by then, told forward only.

    They come LATE frames after they are seen to be over. The network must be in eval mode.
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
        """Return the boundaries that are left when no more frames come."""
        return self._reader.push(self.outputs(self._stream.finish())) + self._reader.finish()

    def outputs(self, tokens: Tensor) -> Tensor:
        """Return outputs (T, 6) of the next tokens (1, T, TOKEN); raises FloatingPointError."""
        if tokens.shape[1] == 0:
            return tokens.new_zeros(0, 6)
        ys, self._state = unroll(self._network.core, tokens, self._state)
        return _sound(self._network.predict_early(ys, tokens)[0])


def watch(
    network: SceneNetwork, frames: Iterable[Image], threshold: float
) -> Iterator[tuple[int, Boundary | None]]:
    """Yield how many frames there were, with each boundary that is known by then, or None."""
    detector, count = StreamingSceneDetector(network, threshold), 0
    for count, frame in enumerate(frames, 1):
        known: list[Boundary | None] = [*detector.push(frame)]
        yield from ((count, boundary) for boundary in known or [None])
    if count:
        for boundary in detector.finish():
            yield count, boundary
