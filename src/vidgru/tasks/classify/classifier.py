"""Classify videos with a trained model, whatever computes its network; imports no torch."""

import logging
import math
from abc import abstractmethod
from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from vidgru.core.address import is_live
from vidgru.core.errors import ModelError
from vidgru.core.options import python_names
from vidgru.core.results import Failure, OnProgress, Progress, run_to_end
from vidgru.data.results import counted
from vidgru.engine.inference import ReadingProgress, VideoModel, each
from vidgru.engine.model_config import ModelConfig
from vidgru.engine.newest_run import RUNS, newest_run
from vidgru.tasks.classify.live import watch
from vidgru.tasks.classify.options import PredictConfig
from vidgru.tasks.classify.probabilities import (
    choose_threshold,
    clip_probabilities,
    min_answers,
    prediction_of,
    softmax,
)
from vidgru.tasks.classify.results import Prediction
from vidgru.tasks.classify.segments import Running, Segmenter, Smoothing
from vidgru.tasks.classify.spec import Confidence, ModelSpec
from vidgru.tasks.classify.timeline import Moment, Timeline
from vidgru.video.arrays import check_streamed
from vidgru.video.cuts import mark_cuts
from vidgru.video.read import Frame, Image, Source
from vidgru.video.sample import TOLERANCE, read_ahead, sample_frames

log = logging.getLogger("vidgru")

Result = TypeVar("Result")
Steps = Generator[Progress, None, Result]
Logits = NDArray[np.float32]

GRID = 0.25  # seconds between windows of a timeline, approximately
CHUNK = 64  # frames that go through the network together,
CHUNK_PIXELS = 1 << 19  # or fewer where a model needs large pictures


class WindowLogits(NamedTuple):
    """Logits (K,) after the frames start ... end - 1, or (end - start, K) after each of them."""

    start: int
    end: int
    logits: Logits


class Windows(Protocol):
    """Push stored pictures, get the logits of each complete window."""

    @property
    def pushed(self) -> int:
        """Number of frames so far."""

    def push(self, images: Sequence[Image], large: Sequence[Image] = ()) -> list[WindowLogits]:
        """Add pictures uint8 (side, side, 3); return the windows that they complete.

        large: the same ones for the picture encoder, if the model has one.
        """

    def finish(self) -> list[WindowLogits]:
        """Return a shorter window of the remaining frames, if long enough or the only ones."""


class RunningLogits(NamedTuple):
    """Logits (K,) after a frame of a stream, how many frames they use, and its own share."""

    logits: Logits
    used: int
    frame: Logits


class Stream(Protocol):
    """Push one stored picture uint8 (side, side, 3), get the logits for it and those before."""

    def push(self, image: Image, large: Image | None = None) -> RunningLogits:
        """Add one picture; large: the same one for the picture encoder, if the model has one."""


class Classifier(VideoModel[Prediction]):
    """A trained classifier; `windows` and `running` compute its network."""

    def __init__(
        self,
        path: Path,
        spec: ModelSpec,
        metrics: dict[str, Any],
        confidence: Confidence,
        max_error: float | None,
    ) -> None:
        self.path, self.spec, self.metrics = path, spec, metrics
        self.reads_pictures = spec.frames == 1
        self._most = max(1, min(CHUNK, CHUNK_PIXELS // max(spec.size, spec.looks_side) ** 2))
        self.confidence, self.max_error = confidence, max_error
        self.temperature = confidence.temperature
        self.threshold = None if max_error is None else threshold_for(path, confidence, max_error)

    @abstractmethod
    def windows(self, stride: int | None = None, *, each: bool = False) -> Windows:
        """Return windows that begin every `stride` frames, by default every `stride_of(window)`.

        With `each`, logits are those after each frame.
        """

    @abstractmethod
    def running(self) -> Stream:
        """Return what reads a stream frame by frame."""

    def steps(self, source: Source) -> Steps[Prediction]:
        """Predict the class of a video, image, folder of images or Frames, by all its windows.

        Frames are read once, in order, in constant memory. It is `unsure` when the confidence is
        below the threshold for the requested `max_error`. Raises VideoError.
        """
        spec, reading = self.spec, ReadingProgress(source, self.spec.fps)
        windows = self.windows()
        found: list[WindowLogits] = []
        for chunk in read_ahead(self._sampled(source, reading), self._most):
            found += windows.push(*_pictures(chunk))
            yield reading.progress(len(chunk))
        found += windows.finish()
        outputs = self._sound(np.stack([window.logits for window in found]))
        times = [(window.start / spec.fps, window.end / spec.fps) for window in found]
        prediction = prediction_of(
            str(source), spec.labels, outputs, times, reading.frames, self.temperature
        )
        return self._judged(prediction)

    def stream(self, source: Source) -> Iterator[Moment]:
        """Yield what a video or folder of images shows at each sampled frame, by those before it.

        Memory stays constant, however long it runs. A live source (the str "camera:0",
        "rtsp://...", "http://...") gives LiveMoments, see `watch`. Raises VideoError, OptionError.
        """
        if isinstance(source, str) and is_live(source):
            return watch(self, source)
        return self.follow(self._sampled(source))

    def follow(self, frames: Iterable[Frame]) -> Iterator[Moment]:
        """Yield the prediction for each frame of a stream, together with those just before it.

        Frames come at the rate of `spec.fps`, rgb uint8 (H, W, 3) with sides of `spec.side` pixels.
        Labels are smoothed as those of a timeline are, by what there was up to then. Raises
        VideoError for frames of another form.
        """
        stream, spec = self.running(), self.spec
        smoothing = self._smoothing()
        running = Running(smoothing, len(spec.labels), spec.fps, spec.frames)
        for frame in frames:
            check_streamed(frame, spec.side, spec.looks_side)
            found = stream.push(frame.rgb, frame.large)
            logits = self._sound(found.logits).astype(np.float64)
            shares = clip_probabilities(logits[None], self.temperature).tolist()
            state = running.push(found.frame.astype(np.float64), softmax(logits))
            yield Moment(
                frame.time,
                found.used / spec.fps,
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

    def timeline_steps(self, source: Source, min_seconds: float | None = None) -> Steps[Timeline]:
        """Find out what a video or folder of images shows when, yielding Progress.

        A window begins about every quarter of a second, and anew where a new shot begins.
        Segments are `unsure` like whole videos, by the threshold for the requested `max_error`;
        none is shorter than `min_seconds`, unless the video is, or ends within its last sample.
        Frames are read once, in order, in constant memory. Raises VideoError, OptionError.
        """
        PredictConfig(timeline=True, min_seconds=min_seconds)  # checks it
        spec, times = self.spec, array("d")
        reading = ReadingProgress(source, spec.fps, times)
        # A power of two, so that the side encoder can skip frames.
        stride = min(2 ** max(round(math.log2(GRID * spec.fps)), 0), max(1, spec.frames // 2))
        segmenter = Segmenter(spec.labels, spec.fps, spec.frames, self._smoothing(min_seconds))
        windows = self.windows(stride, each=True)

        def add(found: Sequence[WindowLogits]) -> None:
            for window in found:
                outputs = self._sound(window.logits).astype(np.float64)
                segmenter.add(window.start, window.end, outputs)

        def end_shot() -> None:
            add(windows.finish())
            segmenter.end_shot(windows.pushed)

        for chunk in read_ahead(mark_cuts(self._sampled(source, reading)), self._most):
            for frames, new in _shots(chunk):
                if new and windows.pushed:
                    end_shot()
                    windows = self.windows(stride, each=True)
                add(windows.push(*_pictures(frames)))
            yield reading.progress(len(chunk))
        end_shot()
        *segments, last = segmenter.finish()
        end = _end(times, reading.seconds)
        segments.append(replace(last, end=end))
        return Timeline(str(source), spec.labels, tuple(segments), reading.frames, end, times)

    def _smoothing(self, min_seconds: float | None = None) -> Smoothing:
        spec, threshold = self.spec, self.threshold
        if self.max_error is not None and threshold is None:
            threshold = math.inf
        bout = None if spec.bout is None else spec.bout * spec.fps / spec.frames
        return Smoothing.of(self.confidence, len(spec.labels), bout, threshold, min_seconds)

    def _sampled(
        self,
        source: Source,
        reading: "ReadingProgress | None" = None,
        start: float = 0.0,
        end: float | None = None,
    ) -> Iterator[Frame]:
        spec, opened = self.spec, reading.begin if reading else lambda video: None
        size, large = (spec.side, spec.side), spec.looks_size
        return sample_frames(
            source, spec.fps, size=size, large=large, start=start, end=end, opened=opened
        )

    def _sound(self, logits: Logits) -> Logits:
        # Each weight by itself may be finite, yet too large.
        if not np.isfinite(logits).all():
            raise ModelError(f"{self.path} is damaged: its answers are not finite numbers.")
        return logits

    def _judged(self, prediction: Prediction) -> Prediction:
        """Return a prediction, `unsure` where its confidence is below the threshold."""
        if self.max_error is None:
            return prediction
        unsure = self.threshold is None or prediction.confidence < self.threshold
        return replace(prediction, threshold=self.threshold, unsure=unsure)


def _end(times: Sequence[float], sampled: float) -> float:
    """Return when the last frame ends, by the times of all, in seconds, to a microsecond.

    sampled: when the last sample ends, which is later, but for a frame with a damaged time.
    """
    if len(times) < 2:
        return sampled
    # As long as the one before, like `sample_indices`.
    return min(max(round(2 * times[-1] - times[-2], 6), 2 * TOLERANCE), sampled)


def _shots(chunk: Sequence[tuple[Frame, bool]]) -> Iterator[tuple[list[Frame], bool]]:
    """Yield the frames of each shot in a chunk, and whether the shot begins with them."""
    begins = [n for n, (_, new) in enumerate(chunk) if new and n]
    for start, end in pairwise([0, *begins, len(chunk)]):
        yield [frame for frame, _ in chunk[start:end]], chunk[start][1]


def _pictures(frames: Sequence[Frame]) -> tuple[list[Image], list[Image]]:
    """Return the pictures of frames, and their large ones if they have any."""
    large = [frame.large for frame in frames if frame.large is not None]
    return [frame.rgb for frame in frames], large


def threshold_for(path: Path, confidence: Confidence, max_error: float) -> float | None:
    """Return the confidence that predictions need for an error of at most `max_error`.

    None when there is none; a warning then gives the reason.
    """
    answers = confidence.answers
    threshold = choose_threshold([c for c, _ in answers], [r for _, r in answers], max_error)
    if threshold is None:
        minimum, wanted = min_answers(max_error), f"{100 * max_error:.3g} %"
        if not answers:
            reason = f"{path} keeps no predictions of validation clips (unfinished training?)"
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
    model: Classifier,
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
