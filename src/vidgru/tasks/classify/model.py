"""A classifier that torch computes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidgru.data.augment import straight_view, warp
from vidgru.engine.device import prepare_inference
from vidgru.nn.inputs import normalise
from vidgru.tasks.classify.classifier import (
    Classifier,
    RunningLogits,
    Stream,
    WindowLogits,
    Windows,
)
from vidgru.tasks.classify.model_file import LoadedModel, load_model
from vidgru.tasks.classify.options import AnswerConfig
from vidgru.tasks.classify.sliding import RunningWindows, SlidingWindows, WindowOutput
from vidgru.video.read import Image


class Model(Classifier):
    """A trained classifier; `vidgru.load` opens it."""

    def __init__(
        self, loaded: LoadedModel, device: torch.device, max_error: float | None = None
    ) -> None:
        super().__init__(loaded.path, loaded.spec, loaded.metrics, loaded.confidence, max_error)
        self.network, self.device = loaded.network.to(device), device

    def windows(self, stride: int | None = None, *, each: bool = False) -> Windows:
        """Return windows of torch, see `Classifier`."""
        return _Windows(self, SlidingWindows(self.network, self.spec.frames, stride, each=each))

    def running(self) -> Stream:
        """Return what reads a stream frame by frame."""
        return _Stream(self, RunningWindows(self.network, self.spec.frames))

    def normalised(self, images: Sequence[Image]) -> Tensor:
        """Return the network's input (N, 3, H, W) from stored pictures."""
        pixels = torch.from_numpy(warp(np.stack(images), straight_view(), self.spec.size))
        return normalise(pixels.to(self.device))


class _Windows:
    """See `Windows`."""

    def __init__(self, model: Model, windows: SlidingWindows) -> None:
        self._model, self._windows = model, windows

    @property
    def pushed(self) -> int:
        return self._windows.pushed

    def push(self, images: Sequence[Image]) -> list[WindowLogits]:
        return [_plain(window) for window in self._windows.push(self._model.normalised(images))]

    def finish(self) -> list[WindowLogits]:
        return [_plain(window) for window in self._windows.finish()]


class _Stream:
    """See `Stream`."""

    def __init__(self, model: Model, windows: RunningWindows) -> None:
        self._model, self._windows = model, windows

    def push(self, image: Image) -> RunningLogits:
        logits, count = self._windows.push(self._model.normalised([image]))
        return RunningLogits(logits.cpu().numpy(), count, self._windows.frame.cpu().numpy())


def _plain(window: WindowOutput) -> WindowLogits:
    return WindowLogits(window.start, window.end, window.output.cpu().numpy())


def load(
    path: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    max_error: float | None = None,
) -> Model:
    """Open a run folder or model file; raises ModelError or OptionError.

    `threads` sets how many torch uses in this process; left out, that is unchanged. `max_error`
    makes predictions `unsure` whose confidence is too low for this share of errors.
    """
    AnswerConfig(max_error=max_error)  # checks it
    chosen = prepare_inference(device, threads)
    return Model(load_model(Path(path)), chosen, max_error)
