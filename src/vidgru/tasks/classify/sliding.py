"""Overlapping windows over any number of frames, each frame encoded once, in constant memory."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vidgru.nn.inputs import changes
from vidgru.tasks.classify.build import AnyNetwork
from vidgru.tasks.classify.spec import SIDE_EVERY, stride_of

BATCH = 8  # frames: batches are multiples of it
TOGETHER = 2**24  # values of the windows that are computed at once: 64 MB


def window_spans(frames: int, window: int) -> list[tuple[int, int]]:
    """Return the start and end of all windows over so many frames, as `SlidingWindows` has them."""
    stride = stride_of(window)
    spans = [(n, n + window) for n in range(0, frames - window + 1, stride)]
    start = len(spans) * stride
    covered = bool(spans) and spans[-1][1] >= frames
    if not spans or not (covered or 2 * (frames - start) < window):
        spans.append((start, frames))
    return spans


@dataclass(frozen=True)
class WindowOutput:
    """The network's output (outputs,) after the frames start ... end - 1, or after each of them.

    In the latter case it is (end - start, outputs).
    """

    start: int
    end: int
    output: Tensor


class SlidingWindows:
    """Push normalised frames (N, 3, H, W), get the network's output for each complete window.

    A window begins every `stride` frames, by default every `stride_of(window)`. Its output equals
    `network(frames[start:end])[-1]`: windows start afresh and only share the encoders' work; only
    the second frame of each is encoded once more, as it looks when nothing lies before the first.
    With `each`, outputs are those after each frame. The network must be in eval mode. One with
    `looks` also needs the features of a picture encoder for the frames that are `due`.
    """

    def __init__(
        self, network: AnyNetwork, window: int, stride: int | None = None, *, each: bool = False
    ) -> None:
        self.network, self.window, self._each = network, window, each
        self.stride = stride or stride_of(window)
        self._grid = math.gcd(self.stride, SIDE_EVERY)  # frames between those for the side encoder
        self._moves = network.sees_changes
        self._start = 0  # of the next window
        self._end = 0  # frames pushed so far
        self._base = 0  # frame number of the first kept feature, a multiple of the grid
        self._last: Tensor | None = None  # up to two frames that the next changes need
        self._main: list[Tensor] = []
        self._side: list[Tensor] = []
        # Windows know nothing before their first frame, so the features of their first two differ.
        self._first: Tensor | None = None
        self._second: dict[int, Tensor] = {}

    @property
    def pushed(self) -> int:
        """Number of frames so far."""
        return self._end

    def due(self, count: int) -> range:
        """Return which of the next `count` frames a picture encoder is to see."""
        return range(-self._end % self._grid, count, self._grid)

    @torch.inference_mode()
    def push(self, frames: Tensor, looks: Tensor | None = None) -> list[WindowOutput]:
        """Add frames; return the windows that they complete.

        looks: (n, F), of a picture encoder for those of the frames that are `due`.
        """
        if self._moves:
            self._encode_changes(frames)
        else:
            self._main += _encoded(self.network.main, frames)
        if self.network.looks is not None:
            self._side += self.network.looks(looks)
        elif self.network.side is not None:
            seen = frames[-self._end % self._grid :: self._grid]
            self._side += _encoded(self.network.side, seen)
        self._end += len(frames)
        spans = []
        while self._start + self.window <= self._end:
            spans.append((self._start, self._start + self.window))
            self._start += self.stride
        values = max(1, self._main[0].numel()) if spans else 1
        few = max(1, TOGETHER // (self.window * values))
        outputs = [
            output
            for first in range(0, len(spans), few)
            for output in self._decide(spans[first : first + few])
        ]
        self._forget()
        return outputs

    @torch.inference_mode()
    def finish(self) -> list[WindowOutput]:
        """Return a shorter window of the remaining frames, if long enough or the only ones."""
        left = self._end - self._start
        covered = self._end - (self._start - self.stride + self.window) <= 0
        if self._start and (covered or 2 * left < self.window):
            return []
        return self._decide([(self._start, self._end)])

    def _encode_changes(self, frames: Tensor) -> None:
        if self._last is None:
            self._last = frames[:1]
            self._first = self.network.main(torch.zeros_like(frames[:1]).repeat(1, 2, 1, 1))[0]
        known = torch.cat([self._last, frames])
        shown = changes(known[None])[0, len(self._last) :]
        # Frames after a window's first are encoded once more, without the change before.
        seconds = [n for n in range(len(frames)) if (self._end + n - 1) % self.stride == 0]
        alone = shown[seconds].clone()
        alone[:, alone.shape[1] // 2 :] = 0
        encoded = _encoded(self.network.main, torch.cat([shown, alone]))
        self._main += encoded[: len(frames)]
        for n, feature in zip(seconds, encoded[len(frames) :], strict=True):
            self._second[self._end + n] = feature
        self._last = known[-2:]

    def _decide(self, spans: list[tuple[int, int]]) -> list[WindowOutput]:
        if not spans:
            return []
        mains, sides = [], []
        for start, end in spans:
            main = self._main[start - self._base : end - self._base]
            if self._first is not None:
                main[0] = self._first
                main[1:2] = [self._second[start + 1]] if len(main) > 1 else []
            mains.append(torch.stack(main))
            low, high = (start - self._base) // self._grid, -((self._base - end) // self._grid)
            seen = self._side[low : high : SIDE_EVERY // self._grid]
            sides += [torch.stack(seen)] if seen else []
        outputs = self.network.decide(torch.stack(mains), torch.stack(sides) if sides else None)
        # A copy, or the outputs after every frame would live as long as those after the last.
        kept = outputs if self._each else outputs[:, -1].clone()
        return [WindowOutput(*span, output) for span, output in zip(spans, kept, strict=True)]

    def _forget(self) -> None:
        """Drop features that no coming window needs."""
        drop = self._start - self._base
        del self._main[:drop], self._side[: drop // self._grid]
        self._base = self._start
        self._second = {n: kept for n, kept in self._second.items() if n > self._start}


def _encoded(encoder: Callable[[Tensor], Tensor], frames: Tensor) -> Tensor:
    """Return features of frames (N, C, H, W), encoded as one of a few batch sizes.

    For each new size oneDNN makes and keeps kernels of its own: tens of megabytes in a long video.
    """
    empty = -len(frames) % BATCH
    if empty:
        frames = torch.cat([frames, frames.new_zeros(empty, *frames.shape[1:])])
    return encoder(frames)[: len(frames) - empty] if len(frames) else frames


class RunningWindows:
    """Push one normalised frame (1, 3, H, W), get the output for it and those before.

    Windows begin as those of `SlidingWindows` do, and each is driven frame by frame, so that both
    say the same of a complete window. The answer is the oldest one's: but for the first frames, it
    rests on half a window to a whole one. frame: what the last frame alone adds to outputs
    (outputs,), which are means over frames, on average over windows. The network must be in eval
    mode.
    """

    def __init__(self, network: AnyNetwork, window: int) -> None:
        self.network, self.window, self.stride = network, window, stride_of(window)
        self._grid = math.gcd(self.stride, SIDE_EVERY)
        self._pushed = 0
        # First frame, state and sum of what frames say, oldest first.
        self._open: deque[tuple[int, Any, Tensor]] = deque()
        self.frame = torch.zeros(network.config.outputs)

    @property
    def due(self) -> bool:
        """Whether a picture encoder is to see the next frame."""
        return self._pushed % self._grid == 0

    @torch.inference_mode()
    def push(self, frame: Tensor, looks: Tensor | None = None) -> tuple[Tensor, int]:
        """Add one frame; return outputs (outputs,) and the number of frames they use.

        looks: (1, F), of a picture encoder for it where it is `due`.
        """
        if self._pushed % self.stride == 0:
            self._open.append((self._pushed, None, torch.zeros(())))
        self._pushed += 1
        outputs, frames = [], []
        for _ in range(len(self._open)):
            start, state, before = self._open.popleft()
            output, state = self.network.step(frame, state, looks)
            outputs.append((output[0], self._pushed - start))
            total = output[0] * (self._pushed - start)
            frames.append(total - before.to(total.device))
            if self._pushed < start + self.window:
                self._open.append((start, state, total))
        self.frame = torch.stack(frames).mean(0)
        return outputs[0]
