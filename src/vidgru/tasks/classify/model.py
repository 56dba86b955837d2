"""Classify videos with a trained model."""

import logging
import math
from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor

from vidgru.core.address import is_live
from vidgru.core.errors import ModelError, VideoError
from vidgru.core.options import python_names
from vidgru.core.results import Failure, OnProgress, Progress, run_to_end
from vidgru.data.augment import straight_view, warp
from vidgru.data.results import counted
from vidgru.engine.device import prepare_inference
from vidgru.engine.inference import ReadingProgress, VideoModel, each
from vidgru.engine.model_config import ModelConfig
from vidgru.engine.model_file import newest_run
from vidgru.engine.run_folder import RUNS
from vidgru.nn.inputs import normalise
from vidgru.tasks.classify.calibration import choose_threshold, min_answers
from vidgru.tasks.classify.classes import Classify
from vidgru.tasks.classify.live import watch
from vidgru.tasks.classify.model_file import LoadedModel, load_model
from vidgru.tasks.classify.options import AnswerConfig
from vidgru.tasks.classify.results import Prediction
from vidgru.tasks.classify.segments import Running, Segmenter, Smoothing
from vidgru.tasks.classify.sliding import (
    RunningWindows,
    SlidingWindows,
    WindowOutput,
    window_spans,
)
from vidgru.tasks.classify.timeline import Moment, Timeline
from vidgru.video.cuts import mark_cuts
from vidgru.video.read import Frame, Image, Source
from vidgru.video.sample import read_ahead, sample_frames

if TYPE_CHECKING:
    from vidgru.tasks.classify.explain.explain import Question
    from vidgru.tasks.classify.explain.results import Explanation

log = logging.getLogger("vidgru")

Result = TypeVar("Result")
Steps = Generator[Progress, None, Result]

GRID = 0.25  # seconds between windows of a timeline, approximately
CHUNK = 64  # frames that go through the network together,
CHUNK_PIXELS = 1 << 19  # or fewer where a model needs large pictures


class Model(VideoModel[Prediction]):
    """A trained classifier; `vidgru.load` opens it."""

    def __init__(
        self, loaded: LoadedModel, device: torch.device, max_error: float | None = None
    ) -> None:
        self.path, self.spec, self.metrics = loaded.path, loaded.spec, loaded.metrics
        self.network = loaded.network.to(device)
        self.device = device
        self._most = max(1, min(CHUNK, CHUNK_PIXELS // loaded.spec.size**2))
        self.task = Classify(loaded.spec.labels)
        self.confidence, self.max_error = loaded.confidence, max_error
        self.temperature = loaded.confidence.temperature
        self.threshold = None if max_error is None else threshold_for(loaded, max_error)

    @torch.inference_mode()
    def steps(self, source: Source) -> Steps[Prediction]:
        """Predict the class of a video, image, folder of images or Frames, by all its windows.

        Frames are read once, in order, in constant memory. It is `unsure` when the confidence is
        below the threshold for the requested `max_error`. Raises VideoError.
        """
        spec, reading = self.spec, ReadingProgress(source, self.spec.fps)
        windows = SlidingWindows(self.network, spec.frames)
        found: list[WindowOutput] = []
        for chunk in read_ahead(self._sampled(source, reading), self._most):
            found += windows.push(self._normalised([frame.rgb for frame in chunk]))
            yield reading.progress(len(chunk))
        found += windows.finish()
        outputs = self._sound(torch.stack([window.output for window in found]))
        times = [(window.start / spec.fps, window.end / spec.fps) for window in found]
        prediction = self.task.decode(str(source), outputs, times, reading.frames, self.temperature)
        return self._judged(prediction)

    def stream(self, source: Source) -> Iterator[Moment]:
        """Yield what a video or folder of images shows at each sampled frame, by those before it.

        Memory stays constant, however long it runs. A live source (the str "camera:0",
        "rtsp://...", "http://...") gives LiveMoments, see `watch`. Raises VideoError, OptionError.
        """
        if isinstance(source, str) and is_live(source):
            return watch(self, source)
        return self.follow(self._sampled(source))

    @torch.inference_mode()
    def follow(self, frames: Iterable[Frame]) -> Iterator[Moment]:
        """Yield the prediction for each frame of a stream, together with those just before it.

        Frames come at the rate of `spec.fps`, rgb uint8 (H, W, 3) with sides of `spec.side` pixels.
        Labels are smoothed as those of a timeline are, by what there was up to then.
        """
        windows, spec = RunningWindows(self.network, self.spec.frames), self.spec
        smoothing = self._smoothing()
        running = Running(smoothing, len(spec.labels), spec.fps, spec.frames)
        for frame in frames:
            outputs, count = windows.push(self._normalised([frame.rgb]))
            shares = self.task.probabilities(self._sound(outputs[None]), self.temperature).tolist()
            said = windows.frame.cpu().double().numpy(), outputs.cpu().double().softmax(0).numpy()
            state = running.push(*said)
            yield Moment(
                frame.time,
                count / spec.fps,
                spec.labels,
                tuple(shares),
                self.threshold,
                state == len(spec.labels),
                None if state == len(spec.labels) else spec.labels[state],
            )

    def timeline(
        self,
        source: Source,
        *,
        min_seconds: float | None = None,
        progress: OnProgress | None = None,
    ) -> Timeline:
        """Return what a video shows when, as `timeline_steps` finds it out."""
        with python_names():
            return run_to_end(self.timeline_steps(source, min_seconds), progress)

    @torch.inference_mode()
    def timeline_steps(self, source: Source, min_seconds: float | None = None) -> Steps[Timeline]:
        """Find out what a video or folder of images shows when, yielding Progress.

        A window begins about every quarter of a second, and anew where a new shot begins.
        Segments are `unsure` like whole videos, by the threshold for the requested `max_error`;
        none is shorter than `min_seconds`, unless the video is. Frames are read once, in order, in
        constant memory. Raises VideoError.
        """
        spec, times = self.spec, array("d")
        reading = ReadingProgress(source, spec.fps, times)
        # A power of two, so that the side encoder can skip frames.
        stride = min(2 ** max(round(math.log2(GRID * spec.fps)), 0), max(1, spec.frames // 2))
        segmenter = Segmenter(spec.labels, spec.fps, spec.frames, self._smoothing(min_seconds))
        windows = SlidingWindows(self.network, spec.frames, stride, each=True)

        def add(found: Sequence[WindowOutput]) -> None:
            for window in found:
                outputs = self._sound(window.output).double().numpy()
                segmenter.add(window.start, window.end, outputs)

        def end_shot() -> None:
            add(windows.finish())
            segmenter.end_shot(windows.pushed)

        for chunk in read_ahead(mark_cuts(self._sampled(source, reading)), self._most):
            for images, new in _shots(chunk):
                if new and windows.pushed:
                    end_shot()
                    windows = SlidingWindows(self.network, spec.frames, stride, each=True)
                add(windows.push(self._normalised(images)))
            yield reading.progress(len(chunk))
        end_shot()
        segments = tuple(segmenter.finish())
        return Timeline(str(source), spec.labels, segments, reading.frames, reading.seconds, times)

    def explain(
        self,
        source: Source,
        *,
        label: str | None = None,
        against: str | None = None,
        method: str = "gradient",
        progress: OnProgress | None = None,
    ) -> "Explanation":
        """Return which frames and places a prediction comes from, as `explain_steps` finds it."""
        with python_names():
            return run_to_end(self.explain_steps(source, label, against, method), progress)

    def explain_steps(
        self,
        source: Source,
        label: str | None = None,
        against: str | None = None,
        method: str = "gradient",
    ) -> Steps["Explanation"]:
        """Explain the prediction for a video, folder of images or Frames, yielding Progress.

        label: the class to explain, by default the predicted one; against: the class that it is
        compared with, by default all others. `method` "occlusion" hides each part in turn, which
        is slow. A video may have some 2,000 sampled frames. Raises VideoError, OptionError, and
        ModelError for a model of --encoder rows.
        """
        from vidgru.tasks.classify.explain.explain import ask

        question = ask(self.spec, self.path, label, against, method)
        views = yield from self.views_steps(source)
        return (yield from self.explain_views(str(source), views, question))

    def views_steps(self, source: Source) -> Steps[Image]:
        """Return what the network gets of all frames, uint8 (N, size, size, 3); raises VideoError.

        A video may have some 2,000 sampled frames.
        """
        from vidgru.tasks.classify.explain.explain import max_frames

        reading, most = ReadingProgress(source, self.spec.fps), max_frames(self.spec.size)
        views = list[Image]()
        for chunk in read_ahead(self._sampled(source, reading), self._most):
            views.append(self._views([frame.rgb for frame in chunk]))
            yield reading.progress(len(chunk))
            if reading.frames > most:
                raise VideoError(
                    f"{source} is longer than {most / self.spec.fps:.0f} s, the most that can be "
                    "explained at once: cut out the part in question."
                )
        return np.concatenate(views)

    def explain_views(
        self, source: str, views: Image, question: "Question"
    ) -> Steps["Explanation"]:
        """Explain the prediction for `views_steps` of a source, yielding Progress."""
        from vidgru.tasks.classify.explain.explain import explain_frames

        spec = self.spec
        spans = window_spans(len(views), spec.frames)
        times = [(start / spec.fps, end / spec.fps) for start, end in spans]

        def decode(outputs: Tensor) -> Prediction:
            sound = self._sound(outputs)
            decoded = self.task.decode(source, sound, times, len(views), self.temperature)
            return self._judged(decoded)

        return (yield from explain_frames(self.network, spec, views, question, decode))

    def _smoothing(self, min_seconds: float | None = None) -> Smoothing:
        spec, threshold = self.spec, self.threshold
        if self.max_error is not None and threshold is None:
            threshold = math.inf
        bout = None if spec.bout is None else spec.bout * spec.fps / spec.frames
        return Smoothing.of(self.confidence, len(spec.labels), bout, threshold, min_seconds)

    def _sampled(self, source: Source, reading: "ReadingProgress | None" = None) -> Iterator[Frame]:
        size = self.spec.side, self.spec.side
        opened = reading.begin if reading else lambda video: None
        return sample_frames(source, self.spec.fps, size=size, opened=opened)

    def _normalised(self, chunk: Sequence[Image]) -> Tensor:
        return normalise(torch.from_numpy(self._views(chunk)).to(self.device))

    def _views(self, chunk: Sequence[Image]) -> Image:
        return warp(np.stack(chunk), straight_view(), self.spec.size)

    def _sound(self, outputs: Tensor) -> Tensor:
        # Each weight by itself may be finite, yet too large.
        if not torch.isfinite(outputs).all():
            raise ModelError(f"{self.path} is damaged: its answers are not finite numbers.")
        return outputs.cpu()

    def _judged(self, prediction: Prediction) -> Prediction:
        """Return a prediction, `unsure` where its confidence is below the threshold."""
        if self.max_error is None:
            return prediction
        unsure = self.threshold is None or prediction.confidence < self.threshold
        return replace(prediction, threshold=self.threshold, unsure=unsure)


def _shots(chunk: Sequence[tuple[Frame, bool]]) -> Iterator[tuple[list[Image], bool]]:
    """Yield the pictures of each shot in a chunk, and whether the shot begins with them."""
    begins = [n for n, (_, new) in enumerate(chunk) if new and n]
    for start, end in pairwise([0, *begins, len(chunk)]):
        yield [frame.rgb for frame, _ in chunk[start:end]], chunk[start][1]


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


def threshold_for(model: LoadedModel, max_error: float) -> float | None:
    """Return the confidence that predictions need for an error of at most `max_error`.

    None when there is none; a warning then gives the reason.
    """
    answers = model.confidence.answers
    threshold = choose_threshold([c for c, _ in answers], [r for _, r in answers], max_error)
    if threshold is None:
        minimum, wanted = min_answers(max_error), f"{100 * max_error:.3g} %"
        if not answers:
            reason = f"{model.path} keeps no predictions of validation clips (unfinished training?)"
        elif len(answers) < minimum:
            reason = f"Only {counted(len(answers), 'validation clip')}; a {wanted} limit needs at "
            reason += f"least {minimum}, all correct"
        else:
            wrong = sum(not right for _, right in answers)
            reason = (
                f"{wrong} of {counted(len(answers), 'validation clip')} are wrong, too many of "
            )
            reason += f"them with high confidence for a {wanted} limit"
        log.warning("%s. So every answer is 'unsure'.", reason)
    return threshold


def find_model(config: ModelConfig, task: str | None = "classify") -> Path:
    """Return the model that a config names, or the newest run of a task in ./runs.

    Raises ModelError.
    """
    return newest_run(RUNS, task) if config.model is None else Path(config.model)


def predict_each(
    model: Model,
    sources: Sequence[Path | Failure],
    *,
    timeline: bool = False,
    min_seconds: float | None = None,
) -> Iterator[Progress | Prediction | Timeline | Failure]:
    """Yield a prediction for each source, or the Failure with its error.

    With `timeline`, a prediction is a Timeline. Progress within the source comes before it.
    """
    if timeline:
        return each(sources, partial(model.timeline_steps, min_seconds=min_seconds))
    return each(sources, model.steps)
