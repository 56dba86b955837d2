"""A classifier that torch computes."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from vidgru.core.errors import VideoError
from vidgru.core.options import python_names
from vidgru.core.results import OnProgress, run_to_end
from vidgru.data.augment import straight_view, warp
from vidgru.engine.device import prepare_inference
from vidgru.engine.inference import ReadingProgress
from vidgru.nn.inputs import normalise
from vidgru.tasks.classify.classifier import (
    Classifier,
    RunningLogits,
    Steps,
    Stream,
    WindowLogits,
    Windows,
)
from vidgru.tasks.classify.looks_file import open_looks
from vidgru.tasks.classify.model_file import LoadedModel, load_model
from vidgru.tasks.classify.options import AnswerConfig
from vidgru.tasks.classify.probabilities import prediction_of
from vidgru.tasks.classify.results import Prediction
from vidgru.tasks.classify.sliding import (
    RunningWindows,
    SlidingWindows,
    WindowOutput,
    window_spans,
)
from vidgru.video.read import Image, Source
from vidgru.video.sample import read_ahead

if TYPE_CHECKING:
    from vidgru.tasks.classify.explain.explain import Question
    from vidgru.tasks.classify.explain.nearest import ClipIndex
    from vidgru.tasks.classify.explain.results import Explanation


class Model(Classifier):
    """A trained classifier; `vidgru.load` opens it."""

    def __init__(
        self,
        loaded: LoadedModel,
        device: torch.device,
        max_error: float | None = None,
        looks: str | Path | None = None,
    ) -> None:
        super().__init__(loaded.path, loaded.spec, loaded.metrics, loaded.confidence, max_error)
        self.network, self.device = loaded.network.to(device), device
        self.looks = open_looks(loaded.spec, loaded.path, looks, torch.get_num_threads())

    def windows(self, stride: int | None = None, *, each: bool = False) -> Windows:
        """Return windows of torch, see `Classifier`."""
        return _Windows(self, SlidingWindows(self.network, self.spec.frames, stride, each=each))

    def running(self) -> Stream:
        """Return what reads a stream frame by frame."""
        return _Stream(self, RunningWindows(self.network, self.spec.frames))

    def normalised(self, images: Sequence[Image]) -> Tensor:
        """Return the network's input (N, 3, H, W) from stored pictures."""
        return normalise(torch.from_numpy(self._views(images)).to(self.device))

    def seen(self, images: Sequence[Image]) -> Tensor | None:
        """Return the features (n, F) of large pictures, None without a picture encoder."""
        if self.looks is None:
            return None
        if not images:
            return torch.zeros(0, self.spec.looks_features, device=self.device)
        return torch.from_numpy(self.looks.encode(images)).to(self.device)

    def _views(self, images: Sequence[Image]) -> Image:
        return warp(np.stack(images), straight_view(), self.spec.size)

    def explain(
        self,
        source: Source,
        *,
        label: str | None = None,
        against: str | None = None,
        method: str = "gradient",
        start: float | None = None,
        end: float | None = None,
        progress: OnProgress | None = None,
    ) -> "Explanation":
        """Return which frames and places a prediction comes from, as `explain_steps` finds it."""
        with python_names():
            steps = self.explain_steps(source, label, against, method, start, end)
            return run_to_end(steps, progress)

    def explain_steps(
        self,
        source: Source,
        label: str | None = None,
        against: str | None = None,
        method: str = "gradient",
        start: float | None = None,
        end: float | None = None,
    ) -> Steps["Explanation"]:
        """Explain the prediction for a video, folder of images or Frames, yielding Progress.

        label: the class to explain, by default the predicted one; against: the class that it is
        compared with, by default all others. `method` "occlusion" hides each part in turn, which
        is slow. start and end, in seconds, cut out a stretch, which may have some 2,000 sampled
        frames. Raises VideoError, OptionError, and ModelError for a model of --encoder rows.
        """
        from vidgru.tasks.classify.explain.explain import ask

        question = ask(self.spec, self.path, label, against, method, start, end)
        views = yield from self.views_steps(source, question.start, end)
        return (yield from self.explain_views(str(source), views, question, self._training_clips))

    @cached_property
    def _training_clips(self) -> "ClipIndex | None":
        from vidgru.tasks.classify.explain.nearest import read_index

        return read_index(self.path, self.network)

    def views_steps(
        self,
        source: Source,
        start: float = 0.0,
        end: float | None = None,
        advice: str = "give `vidgru explain` a --start and --end",
    ) -> Steps[Image]:
        """Return what the network gets of all frames, uint8 (N, size, size, 3); raises VideoError.

        There may be some 2,000 sampled frames from `start` to `end`, in seconds; `advice` says what
        to do where there are more.
        """
        from vidgru.tasks.classify.explain.explain import max_frames

        reading, most = ReadingProgress(source, self.spec.fps), max_frames(self.spec.size)
        views = list[Image]()
        for chunk in read_ahead(self._sampled(source, reading, start, end), self._most):
            views.append(self._views([frame.rgb for frame in chunk]))
            yield reading.progress(len(chunk))
            if reading.frames > most:
                raise VideoError(
                    f"{source} is longer than {most / self.spec.fps:.0f} s, the most that can be "
                    f"explained at once: {advice}."
                )
        if not views:
            raise VideoError(f"{source} shows nothing from {start:g} s on: it is shorter.")
        return np.concatenate(views)

    def explain_views(
        self, source: str, views: Image, question: "Question", index: "ClipIndex | None" = None
    ) -> Steps["Explanation"]:
        """Explain the prediction for `views_steps` of a source, yielding Progress.

        index: of the training clips, for the nearest ones.
        """
        from vidgru.tasks.classify.explain.explain import explain_frames

        spec = self.spec
        spans = window_spans(len(views), spec.frames)
        first = question.start
        times = [(first + start / spec.fps, first + end / spec.fps) for start, end in spans]

        def decode(outputs: Tensor) -> Prediction:
            logits = self._sound(outputs.cpu().numpy())
            labels = spec.labels
            found = prediction_of(source, labels, logits, times, len(views), self.temperature)
            return self._judged(found)

        return (yield from explain_frames(self.network, spec, views, question, decode, index))


class _Windows:
    """See `Windows`."""

    def __init__(self, model: Model, windows: SlidingWindows) -> None:
        self._model, self._windows = model, windows

    @property
    def pushed(self) -> int:
        return self._windows.pushed

    def push(self, images: Sequence[Image], large: Sequence[Image] = ()) -> list[WindowLogits]:
        due = self._windows.due(len(large))
        seen = self._model.seen([large[number] for number in due])
        found = self._windows.push(self._model.normalised(images), seen)
        return [_plain(window) for window in found]

    def finish(self) -> list[WindowLogits]:
        return [_plain(window) for window in self._windows.finish()]


class _Stream:
    """See `Stream`."""

    def __init__(self, model: Model, windows: RunningWindows) -> None:
        self._model, self._windows = model, windows

    def push(self, image: Image, large: Image | None = None) -> RunningLogits:
        seen = None
        if large is not None and self._windows.due:
            seen = self._model.seen([large])
        logits, count = self._windows.push(self._model.normalised([image]), seen)
        return RunningLogits(logits.cpu().numpy(), count, self._windows.frame.cpu().numpy())


def _plain(window: WindowOutput) -> WindowLogits:
    return WindowLogits(window.start, window.end, window.output.cpu().numpy())


def load(
    path: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    max_error: float | None = None,
    looks: str | Path | None = None,
) -> Model:
    """Open a run folder or model file; raises ModelError or OptionError.

    `threads`: how many torch and OpenCV use in this process; left out, unchanged. `max_error`
    makes predictions `unsure` whose confidence is too low for this share of errors. `looks` is the
    picture encoder of a model that has one, if it is not where it was when training.
    """
    AnswerConfig(max_error=max_error)  # checks it
    chosen = prepare_inference(device, threads)
    return Model(load_model(Path(path)), chosen, max_error, looks)
