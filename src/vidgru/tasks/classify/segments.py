"""Combine the outputs of windows to segments: the likeliest sequence of labels."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from vidgru.tasks.classify.calibration import TINY, scaled
from vidgru.tasks.classify.timeline import Segment

# Cost of a change of label, in nats. One window counts once, however many windows overlap: to stand
# between stretches of another label, one must be 4 nats likelier than it in total, which one or two
# confident windows reach and a flicker does not. Chosen on joined clips.
CHANGE = 2.0
CHANGE_AT_CUT = 0.1

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class _Begin:
    """The beginning of a segment in one of the sequences that are still possible."""

    frame: int
    state: int  # of the segment before
    before: "_Begin | None"
    total: Numbers  # shares (K,) times frames, of all that lies before


class Segmenter:
    """Add the outputs of windows, shot by shot, and get a video's segments at the end.

    At each time all windows count that cover it. The segments are those of the likeliest sequence
    of labels where a change has a cost (Viterbi 1967). With a `threshold`, `unsure` is one more
    label, the likelier the further all probabilities lie below it (inf: likelier than all).
    Boundaries lie on a grid of `stride` frames. Memory grows with the number of segments only.
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        fps: float,
        window: int,
        stride: int,
        temperature: float = 1.0,
        threshold: float | None = None,
    ) -> None:
        self.labels, self.fps, self.window, self.stride = labels, fps, window, stride
        self.temperature, self.threshold = temperature, threshold
        states = len(labels) + (threshold is not None)
        self._score: Numbers = np.zeros(states)
        self._total: Numbers = np.zeros(len(labels))
        self._begins: list[_Begin | None] = [None] * states
        self._frames = 0
        self._shot = 0  # first frame of the shot
        self._open: deque[list[Sequence[float]]] = deque()  # by stretches of `stride` frames

    def add(self, start: int, end: int, shares: Sequence[float]) -> None:
        """Add a window's probabilities (K,), without temperature; start, end: frames of the shot.

        Windows come in the order of their starts, which lie on the grid.
        """
        while self._open and self._frames < self._shot + start:
            self._push(self._open.popleft(), self.stride)
        while len(self._open) * self.stride < self._shot + end - self._frames:
            self._open.append([])
        for probabilities in self._open:
            probabilities.append(shares)

    def end_shot(self, frames: int) -> None:
        """End a shot of `frames` frames; a new one begins."""
        left = self._shot + frames - self._frames
        covering = self._open[-1]  # frames after the last window are treated like its end
        while left > 0:
            covering = self._open.popleft() if self._open else covering
            self._push(covering, min(self.stride, left))
            left -= self.stride
        self._open.clear()
        self._shot = self._frames

    def _push(self, covering: list[Sequence[float]], frames: int) -> None:
        """Advance by some frames, with the windows that cover them."""
        shares = np.mean(covering, axis=0)
        # The very first label is free.
        price = CHANGE_AT_CUT if self._frames == self._shot else CHANGE
        price = price if self._frames else 0.0
        best = int(self._score.argmax())
        change = self._score < self._score[best] - price
        if change.any():
            begin = _Begin(self._frames, best, self._begins[best], self._total)
            self._begins = [begin if c else b for c, b in zip(change, self._begins, strict=True)]
        self._score = np.maximum(self._score, self._score[best] - price)
        likely = scaled(torch.from_numpy(shares[None]), self.temperature)[0].numpy()
        worth = np.log(likely.clip(TINY))
        if self.threshold is not None:
            # As much above the likeliest label as the odds of the threshold are above its odds.
            lead = _log_odds(self.threshold) - _log_odds(likely.max())
            worth = np.append(worth, worth.max() + lead)
        self._score += worth * (frames / self.window)
        self._score -= self._score.max()  # or it would lose its digits in a long video
        self._total = self._total + shares * frames
        self._frames += frames

    def finish(self) -> list[Segment]:
        """Return the segments in order; each is `unsure` by the same rule as a whole clip."""
        state, end, total = int(self._score.argmax()), self._frames, self._total
        begin = self._begins[state]
        pieces = []
        while end:
            frame, since = (begin.frame, begin.total) if begin else (0, np.zeros_like(total))
            pieces.append((frame, end, total - since))
            if begin is None:
                break
            end, total, begin = frame, since, begin.before
        segments: list[tuple[Segment, Numbers]] = []
        for start, end, sums in reversed(pieces):
            segment = self._segment(start, end, sums)
            if (
                segments
                and (last := segments[-1][0]).label == segment.label
                and (last.unsure == segment.unsure)
            ):
                _, earlier = segments.pop()
                start, sums = round(last.start * self.fps), earlier + sums
                segment = replace(self._segment(start, end, sums), unsure=last.unsure)
            segments.append((segment, sums))
        return [segment for segment, _ in segments]

    def _segment(self, start: int, end: int, sums: Numbers) -> Segment:
        mean = torch.from_numpy(sums / (end - start))
        shares = tuple(scaled(mean[None], self.temperature)[0].tolist())
        unsure = self.threshold is not None and max(shares) < self.threshold
        times = start / self.fps, end / self.fps
        finite = None if self.threshold == math.inf else self.threshold
        return Segment(*times, self.labels, shares, finite, unsure)


def _log_odds(share: float) -> float:
    share = min(max(share, TINY), 1 - TINY)
    return math.log(share / (1 - share))
