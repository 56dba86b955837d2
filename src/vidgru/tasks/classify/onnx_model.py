"""A classifier that onnxruntime computes, frame by frame; imports no torch."""

import math
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidgru.core.errors import ModelError
from vidgru.engine.looks import Features, LooksEncoder
from vidgru.engine.onnx_file import OnnxFile
from vidgru.tasks.classify.classifier import (
    Classifier,
    Logits,
    RunningLogits,
    Stream,
    WindowLogits,
    Windows,
)
from vidgru.tasks.classify.header import read_confidence, read_spec
from vidgru.tasks.classify.looks_file import open_looks
from vidgru.tasks.classify.options import AnswerConfig
from vidgru.tasks.classify.spec import SIDE_EVERY, ModelSpec, stride_of
from vidgru.video.read import Image


class OnnxModel(Classifier):
    """A classifier from an .onnx file of `vidgru export`; it predicts what torch would.

    path: of the model file that it stands for, if that is another one.
    """

    def __init__(
        self,
        file: OnnxFile,
        max_error: float | None = None,
        path: Path | None = None,
        looks: str | Path | None = None,
    ) -> None:
        AnswerConfig(max_error=max_error)  # checks it
        try:
            spec = read_spec(file.header)
            confidence = read_confidence(file.header)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ModelError(f"{file.path} is damaged: its description cannot be read.") from error
        if spec is None or not _matches(file, spec):
            raise ModelError(f"{file.path} is damaged: its description makes no sense.")
        super().__init__(path or file.path, spec, {}, confidence, max_error)
        self.file = file
        self.looks = open_looks(spec, self.path, looks)

    def windows(self, stride: int | None = None, *, each: bool = False) -> Windows:
        """Return windows of onnxruntime, see `Classifier`."""
        return OnnxWindows(self.file, self.spec, stride, each=each, looks=self.looks)

    def running(self) -> Stream:
        """Return what reads a stream frame by frame."""
        return OnnxStream(self.file, self.spec, self.looks)


def _matches(file: OnnxFile, spec: ModelSpec) -> bool:
    """Return whether a graph takes the frames of a spec, and has its states and probabilities."""
    given: dict[str, Any] = {"frame": (np.uint8, (spec.side, spec.side, 3))}
    if spec.looks:
        given["looks"] = (np.float32, (1, spec.looks_features))
    frames = all(file.inputs.get(name) == kind for name, kind in given.items())
    states = {*file.states(), *given} == {*file.inputs}
    outputs = {"probabilities", "logits"} <= {*file.outputs}
    return frames and states and outputs and len(spec.labels) > 1


class _OpenWindows:
    """Windows that begin every `stride` frames, and read each frame together in one step."""

    def __init__(self, file: OnnxFile, spec: ModelSpec, stride: int | None = None) -> None:
        self._file, self._labels, self.window = file, len(spec.labels), spec.frames
        self.stride = stride or stride_of(spec.frames)
        self._state, self._fresh = file.zeros(0), file.zeros(1)
        self._rows = [name for name in self._state if file.by_row(name)]
        self._grid = math.gcd(self.stride, SIDE_EVERY)
        # Between the frames that the picture encoder sees, the graph does not look at its features.
        self._none = np.zeros((1, spec.looks_features), np.float32) if spec.looks else None
        self.starts: deque[int] = deque()  # of those that are not complete, oldest first
        self.pushed = 0

    def due(self, count: int) -> range:
        """Return which of the next `count` frames a picture encoder is to see."""
        return range(-self.pushed % self._grid, count, self._grid)

    def push(self, image: Image, looks: Features | None = None) -> tuple[list[int], Logits]:
        """Add a picture; return the starts of its windows, and their logits (windows, K).

        looks: (F,), of the picture encoder for it, where it is `due`.
        """
        given: dict[str, NDArray[Any]] = {"frame": image}
        if self._none is not None:
            given["looks"] = self._none if looks is None else looks[None]
        if self.pushed % self.stride == 0:
            self.starts.append(self.pushed)
            for name in self._rows:
                self._state[name] = np.concatenate([self._state[name], self._fresh[name]])
        found, self._state = self._file.step(given, self._state)
        self.pushed += 1
        starts, logits = list(self.starts), found["logits"]
        if logits.shape != (len(starts), self._labels):
            raise ModelError(f"{self._file.path} is damaged: its answers have another shape.")
        if starts[0] + self.window == self.pushed:
            self.starts.popleft()
            for name in self._rows:
                self._state[name] = self._state[name][1:]
        return starts, logits


class OnnxWindows:
    """See `Windows`; the windows and their logits are those of `sliding.SlidingWindows`."""

    def __init__(
        self,
        file: OnnxFile,
        spec: ModelSpec,
        stride: int | None = None,
        *,
        each: bool = False,
        looks: LooksEncoder | None = None,
    ) -> None:
        self._open = _OpenWindows(file, spec, stride)
        self._each, self._looks = each, looks
        self._logits: dict[int, list[Logits]] = {}  # by the windows' starts

    @property
    def pushed(self) -> int:
        """Number of frames so far."""
        return self._open.pushed

    def push(self, images: Sequence[Image], large: Sequence[Image] = ()) -> list[WindowLogits]:
        """Add pictures; return the windows that they complete."""
        due = [large[number] for number in self._open.due(len(large))]
        return self.push_seen(images, self._looks.encode(due) if self._looks and due else None)

    def push_seen(self, images: Sequence[Image], looks: Features | None) -> list[WindowLogits]:
        """Add pictures, with the features (n, F) for those that the picture encoder is to see."""
        due, found = self._open.due(len(images)), []
        for number, image in enumerate(images):
            own = None
            if looks is not None and number in due:
                own = looks[due.index(number)]
            starts, logits = self._open.push(image, own)
            for start, row in zip(starts, logits, strict=True):
                kept = self._logits.setdefault(start, [])
                if not self._each:
                    kept.clear()
                kept.append(row)
            if starts[0] + self._open.window == self.pushed:
                found.append(self._taken(starts[0]))
        return found

    def finish(self) -> list[WindowLogits]:
        """Return a shorter window of the remaining frames, if long enough or the only ones."""
        if not self._open.starts:
            return []
        start, window = self._open.starts[0], self._open.window
        covered = self.pushed <= start - self._open.stride + window
        if start and (covered or 2 * (self.pushed - start) < window):
            return []
        return [self._taken(start)]

    def _taken(self, start: int) -> WindowLogits:
        logits = self._logits.pop(start)
        return WindowLogits(start, self.pushed, np.stack(logits) if self._each else logits[-1])


class OnnxStream:
    """See `Stream`; the numbers are those of `sliding.RunningWindows`."""

    def __init__(self, file: OnnxFile, spec: ModelSpec, looks: LooksEncoder | None = None) -> None:
        self._open, self._looks = _OpenWindows(file, spec), looks
        self._sums: dict[int, Logits] = {}  # of what frames say, by the windows' starts

    def push(self, image: Image, large: Image | None = None) -> RunningLogits:
        """Add one picture."""
        seen = None
        if self._looks is not None and large is not None and self._open.due(1):
            seen = self._looks.encode([large])[0]
        starts, logits = self._open.push(image, seen)
        counts = self._open.pushed - np.array(starts, np.float32)
        sums: Logits = logits * counts[:, None]
        frames = [row - self._sums.get(start, 0) for start, row in zip(starts, sums, strict=True)]
        self._sums = dict(zip(starts, sums, strict=True))
        used = self._open.pushed - starts[0]
        return RunningLogits(logits[0], used, np.mean(frames, axis=0, dtype=np.float32))
