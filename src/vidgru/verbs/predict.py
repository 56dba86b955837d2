"""Tell what happens in videos with a trained model."""

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from vidgru.config import AnswerConfig
from vidgru.data.views import cut, straight_view
from vidgru.engine.checkpoint import LoadedModel, load_model, newest_run
from vidgru.engine.device import choose_device, prepare
from vidgru.engine.run import RUNS
from vidgru.errors import ModelError, OptionError, VideoError
from vidgru.nn.inputs import normalise
from vidgru.nn.sliding import RunningWindows, SlidingWindows, WindowOutput
from vidgru.results import Failure, Prediction
from vidgru.tasks.calibrate import choose_threshold, fewest_answers
from vidgru.tasks.classify import Classify
from vidgru.timeline import Moment, Segment
from vidgru.verbs.live import watch
from vidgru.video.find import find_files
from vidgru.video.live import is_live, masked
from vidgru.video.read import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Frame, Image, image_files
from vidgru.video.sample import sample_frames

log = logging.getLogger("vidgru")

Said = TypeVar("Said", Prediction, Moment, Segment)

CHUNK = 32  # frames that go through the network together,
CHUNK_PIXELS = CHUNK * 128 * 128  # or fewer where a model wants large pictures


class Model:
    """A trained model, ready to answer; `vidgru.load` makes it."""

    def __init__(
        self, loaded: LoadedModel, device: torch.device, max_error: float | None = None
    ) -> None:
        self.path, self.spec, self.metrics = loaded.path, loaded.spec, loaded.metrics
        self.network = loaded.network.to(device)
        self.device = device
        self.task = Classify(loaded.spec.labels)
        self.temperature, self.max_error = loaded.confidence.temperature, max_error
        self.threshold = None if max_error is None else threshold_for(loaded, max_error)

    @torch.inference_mode()
    def predict(self, source: str | Path) -> Prediction:
        """Return what a video, image or folder of images shows, as the mean over its windows.

        Frames are read once, in order, in constant memory. It is `unsure` when the confidence is
        below the threshold for the `max_error` that was asked for. Raises VideoError.
        """
        spec = self.spec
        windows = SlidingWindows(self.network, spec.frames)
        found: list[WindowOutput] = []
        frames = self._sampled(source)
        count, most = 0, max(1, min(CHUNK, CHUNK_PIXELS // spec.size**2))
        while chunk := [frame.rgb for frame in islice(frames, most)]:
            count += len(chunk)
            found += windows.push(self._normalised(chunk))
        found += windows.finish()
        outputs = self._sound(torch.stack([window.output for window in found]))
        times = [(window.start / spec.fps, window.end / spec.fps) for window in found]
        said = self.task.decode(str(source), outputs, times, count, self.temperature)
        return self._judged(said)

    def stream(self, source: str | Path) -> Iterator[Moment]:
        """Yield what a video or folder of images shows at each sampled frame, by those before it.

        Memory stays constant, however long it goes on. A live source (the str "camera:0",
        "rtsp://...", "http://...") gives LiveMoments, see `watch`. Raises VideoError, OptionError.
        """
        if isinstance(source, str) and is_live(source):
            return watch(self, source)
        return self.follow(self._sampled(source))

    @torch.inference_mode()
    def follow(self, frames: Iterable[Frame]) -> Iterator[Moment]:
        """Yield what each of a stream's frames shows, together with those just before it.

        Frames come at the rate of `spec.fps`, rgb uint8 (H, W, 3) with sides of `spec.side` pixels.
        """
        windows = RunningWindows(self.network, self.spec.frames)
        for frame in frames:
            outputs, count = windows.push(self._normalised([frame.rgb]))
            shares = self.task.probabilities(self._sound(outputs[None]), self.temperature).tolist()
            seconds = count / self.spec.fps
            yield self._judged(Moment(frame.time, seconds, self.spec.labels, tuple(shares)))

    def _sampled(self, source: str | Path) -> Iterator[Frame]:
        if isinstance(source, str) and is_live(source):
            raise OptionError(f"{masked(source)} is live, without an end: use stream.")
        return sample_frames(source, self.spec.fps, size=(self.spec.side, self.spec.side))

    def _normalised(self, chunk: Sequence[Image]) -> Tensor:
        pixels = torch.from_numpy(cut(np.stack(chunk), straight_view(), self.spec.size))
        return normalise(pixels.to(self.device))

    def _sound(self, outputs: Tensor) -> Tensor:
        # Each weight by itself may be finite, yet too large.
        if not torch.isfinite(outputs).all():
            raise ModelError(f"{self.path} is damaged: its answers are not finite numbers.")
        return outputs.cpu()

    def _judged(self, said: Said) -> Said:
        """Return what was said, `unsure` where its confidence is below the threshold."""
        if self.max_error is None:
            return said
        unsure = self.threshold is None or said.confidence < self.threshold
        return replace(said, threshold=self.threshold, unsure=unsure)


def load(
    path: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    max_error: float | None = None,
) -> Model:
    """Open a run folder or model file; raises ModelError or OptionError.

    `threads` sets how many torch uses in this process; left out, that stays as it is. `max_error`
    makes answers `unsure` that are not confident enough to keep to this share of wrong ones.
    """
    AnswerConfig(max_error=max_error)  # checks it
    chosen = choose_device(device)
    prepare(threads or torch.get_num_threads())
    return Model(load_model(Path(path)), chosen, max_error)


def threshold_for(model: LoadedModel, max_error: float) -> float | None:
    """Return the confidence that answers need for an error of at most `max_error`.

    None when there is none; a warning then says why.
    """
    answers = model.confidence.answers
    threshold = choose_threshold([c for c, _ in answers], [r for _, r in answers], max_error)
    if threshold is None:
        fewest, wanted = fewest_answers(max_error), f"{100 * max_error:.3g} %"
        if not answers:
            reason = "it keeps none, as when its training was not finished"
        elif len(answers) < fewest:
            reason = f"they are {len(answers)}, and that takes {fewest} at least, all right"
        else:
            wrong = sum(not right for _, right in answers)
            reason = f"{wrong} of {len(answers)} are wrong, and too many of the surest ones"
        log.warning(
            "The validation answers of %s cannot vouch for an error of at most %s: %s. So every "
            "answer is unsure.",
            model.path,
            wanted,
            reason,
        )
    return threshold


def find_model(config: AnswerConfig) -> Path:
    """Return the model that a config names, or the newest run in ./runs. Raises ModelError."""
    return newest_run(RUNS) if config.model is None else Path(config.model)


def find_sources(sources: Sequence[str | Path], *, images: bool = False) -> list[Path | Failure]:
    """Return the videos that sources stand for, and a Failure for each that holds none.

    A folder stands for the videos inside it at any depth, or else for the images in it as one
    sequence. With `images`, each image inside it at any depth is a source of its own, like a video.
    """
    suffixes = VIDEO_SUFFIXES | IMAGE_SUFFIXES if images else VIDEO_SUFFIXES
    found: list[Path | Failure] = []
    for source in map(Path, sources):
        if not os.path.isdir(source):
            found.append(source)
            continue
        files, failures = find_files(source, suffixes)
        found += [*failures, *files]
        if not files and not failures:
            empty = f"Cannot read {source}: the folder holds neither videos nor images."
            found.append(source if image_files(source) else Failure(str(source), empty))
    return found


def predict_each(model: Model, sources: Sequence[Path | Failure]) -> Iterator[Prediction | Failure]:
    """Yield an answer for each source, or the Failure that says why there is none."""
    for source in sources:
        if isinstance(source, Failure):
            yield source
            continue
        try:
            yield model.predict(source)
        except VideoError as error:
            yield Failure(str(source), str(error))
