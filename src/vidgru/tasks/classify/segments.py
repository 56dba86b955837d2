"""Combine the outputs of windows to segments: the likeliest sequence of labels."""

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vidgru.tasks.classify.probabilities import TINY, scaled, softmax
from vidgru.tasks.classify.spec import Confidence
from vidgru.tasks.classify.timeline import Segment
from vidgru.tasks.classify.viterbi import Bout, Viterbi

# Neighbouring windows are no independent witnesses: a change must be so many times as likely as
# calibrated windows say. Chosen on joined clips and on drawn videos of short events.
DEPENDENCE = 1.75
DEFAULT_WINDOWS = 3.0  # windows that a label lasts, where nothing is known of it
MIN_WINDOWS, MIN_ODDS = 1.75, 2.0  # below, flickers become events
SMOOTHED = 0.7  # temperature of windows that undoes label smoothing, where none was fitted
NEVER = -1e3  # nats
SETTLE = 256  # frames between looks at what is settled
LONGEST = 2.0**53  # frames: more than any video has, and no float that may be infinite

Numbers = NDArray[np.float64]


def price_of_change(labels: int, windows: float | None = None) -> float:
    """Return what a change of label costs, in nats that windows say when they are calibrated.

    `windows` is how many of them a label lasts on average: at the end of each, the chance of a
    change is one in so many. The price is the odds that a label stays and does not change to a
    certain one of the others, raised to a power, as windows are not independent.
    """
    odds = (max(windows or DEFAULT_WINDOWS, MIN_WINDOWS) - 1) * (labels - 1)
    return DEPENDENCE * math.log(max(odds, MIN_ODDS))


@dataclass(frozen=True)
class Smoothing:
    """How windows' answers become bouts of labels.

    price: of a change; temperature: of clips; windows: temperature of windows; threshold: below
    which answers are unsure, inf: all are; shortest: seconds of a bout.
    """

    price: float
    temperature: float = 1.0
    windows: float = 1.0
    threshold: float | None = None
    shortest: float = 0.0

    @classmethod
    def of(
        cls,
        confidence: Confidence,
        labels: int,
        bout: float | None,
        threshold: float | None,
        shortest: float | None,
    ) -> "Smoothing":
        """Return what a model says of itself, which may be old; bout: windows that it lasts."""
        heat = confidence.temperature
        usual = SMOOTHED if heat == 1 else heat
        price = price_of_change(labels, bout)
        return cls(price, heat, confidence.windows or usual, threshold, shortest or 0.0)

    def viterbi(self, labels: int, fps: float) -> Viterbi:
        """Return what finds the likeliest sequence of labels, and of `unsure` as the last one."""
        neutral = self.threshold is not None
        shortest = max(1, math.ceil(min(self.shortest * fps, LONGEST) - 1e-6))
        return Viterbi(labels + neutral, self.price, neutral=neutral, shortest=shortest)

    def worth(self, logits: Numbers, shares: Numbers, window: int) -> tuple[Numbers, bool]:
        """Return what a frame says for each label (K,), and whether windows around it are sure.

        logits: of the frame; shares: of windows. A window's frames together count as one.
        """
        scale = logits / self.windows
        peak = scale.max()
        worth = (scale - peak - np.log(np.exp(scale - peak).sum())) / window
        if self.threshold is None:
            return worth, True
        likeliest = float(scaled(shares, self.temperature).max())
        sure = likeliest >= self.threshold
        # As much above the likeliest label as the odds of the threshold are above its odds.
        lead = (_log_odds(self.threshold) - _log_odds(likeliest)) / window
        return np.append(worth, NEVER if sure else worth.max() + lead), sure


@dataclass(frozen=True)
class _Row:
    """What windows say of a frame: logits (K,), the same by windows that just began, and shares."""

    logits: Numbers
    early: Numbers
    shares: Numbers
    sure: bool


@dataclass
class _Sums:
    """What the frames of a bout say up to frame `done`: shares (K,) times frames, and logits."""

    done: int
    shares: Numbers
    logits: Numbers
    sure: bool = False


class Segmenter:
    """Add the outputs of windows, shot by shot, and get a video's segments at the end.

    A window's output is the mean of what its frames say, so a frame's evidence is the mean of what
    it says in all windows that cover it. The segments are those of the likeliest sequence of
    labels, see `Viterbi`. A network remembers what it saw, and is slow to notice an end: each
    boundary then moves to where evidence, mostly of windows that have just begun, passes from one
    side's level to the other's. With a threshold, `unsure` is one more label, but never where
    windows are sure. Memory grows with the number of segments only.
    """

    def __init__(
        self, labels: tuple[str, ...], fps: float, window: int, smoothing: Smoothing
    ) -> None:
        self.labels, self.fps, self.window, self.smoothing = labels, fps, window, smoothing
        self.viterbi = smoothing.viterbi(len(labels), fps)
        self._zero: Numbers = np.zeros(len(labels))
        self._open: deque[list[Numbers]] = deque()  # sums over windows, of frames to come
        self._last: _Row | None = None
        self._shot = 0  # first frame of the shot
        self._cuts: deque[int] = deque()
        self._rows: deque[_Row] = deque()
        self._base = 0  # frame of the first row
        self._bouts: list[tuple[Bout, _Sums]] = []  # the last one goes on

    def add(self, start: int, end: int, outputs: Numbers) -> None:
        """Take a window's outputs after each of its frames (T, K); start, end: frames of the shot.

        Windows come in the order of their starts.
        """
        while self._open and self.viterbi.frames < self._shot + start:
            self._push()
        count = np.arange(1, end - start + 1)[:, None]
        logits = np.diff(outputs * count, axis=0, prepend=0)
        young = 1 - (count - 1) / (end - start)
        shares = softmax(outputs[-1])
        while len(self._open) < self._shot + end - self.viterbi.frames:
            self._open.append([self._zero, self._zero, self._zero, np.zeros(2)])
        first = self._shot + start - self.viterbi.frames
        for n, weight in enumerate(young[:, 0]):
            sums = self._open[first + n]
            sums[0] = sums[0] + logits[n]
            sums[1] = sums[1] + weight * logits[n]
            sums[2] = sums[2] + shares
            sums[3] = sums[3] + (1, weight)

    def end_shot(self, frames: int) -> None:
        """Take note that the shot has so many frames and a new one begins."""
        while self.viterbi.frames < self._shot + frames:
            self._push()
        self._open.clear()
        self._shot = self.viterbi.frames
        self._cuts.append(self._shot)

    def _push(self) -> None:
        """Go on by one frame."""
        at, row = self.viterbi.frames, self._last
        if self._open:
            logits, early, shares, (count, weight) = self._open.popleft()
            logits, shares = logits / count, shares / count
            worth, sure = self.smoothing.worth(logits, shares, self.window)
            row = _Row(logits, early / weight, shares, sure)
            self._worth = worth
        if row is None:
            raise ValueError("No window covers the first frame.")
        # What lies behind the last window is taken to be like its end.
        self._last = row
        self._rows.append(row)
        self.viterbi.push(self._worth, at == self._shot)
        if self.viterbi.frames % SETTLE == 0:
            self._settle(self.viterbi.settled())

    def _settle(self, bouts: list[Bout], final: bool = False) -> None:
        """Take over bouts that will not change any more; the last one may go on unless `final`."""
        margin = 0 if final else 2 * self.window
        while len(bouts) > 1 and bouts[-1].end - bouts[-1].start < margin:
            bouts = bouts[:-1]
        if not bouts:
            return
        if self._bouts:
            before, sums = self._bouts[-1]
            self._bouts[-1] = replace(before, end=bouts[0].end), sums
        else:
            self._bouts.append((bouts[0], _Sums(bouts[0].start, self._zero, self._zero)))
        for bout in bouts[1:]:
            bout = self._after(bout)
            self._bouts.append((bout, _Sums(bout.start, self._zero, self._zero)))
        last, sums = self._bouts[-1]
        if final:
            self._sum(last, sums, last.end, True)
            return
        self.viterbi.forget(bouts[-1])
        # Rows that later boundaries and blocks need.
        self._sum(last, sums, last.end - 3 * self.window, False)
        keep = max(min(sums.done, last.end - 3 * self.window), 0)
        while self._base < keep:
            self._rows.popleft()
            self._base += 1
        while self._cuts and self._cuts[0] < last.start:
            self._cuts.popleft()

    def _after(self, bout: Bout) -> Bout:
        """Return a bout with its start where the evidence changes; end the one before there."""
        before, sums = self._bouts[-1]
        at = self._boundary(before, bout)
        before, bout = replace(before, end=at), replace(bout, start=at)
        self._sum(before, sums, at, True)
        self._bouts[-1] = before, sums
        return bout

    def _boundary(self, before: Bout, after: Bout) -> int:
        """Return the frame at which one bout ends and the next begins."""
        at, reach, known = after.start, 2 * self.window, len(self.labels)
        shortest = self.viterbi.shortest
        low = max(at - self.window, (before.start + at) // 2, before.start + shortest)
        high = min(at + self.window, (at + after.end) // 2, after.end - shortest)
        if at in self._cuts or low >= high or known in (before.state, after.state):
            return at
        first = max(before.start, at - reach, self._base)
        rows = [self._rows[n - self._base] for n in range(first, min(after.end, at + reach))]
        rise = np.array([row.early[after.state] - row.early[before.state] for row in rows])
        here, there = np.median(rise[: at - first]), np.median(rise[at - first :])
        if there <= here:
            return at
        cuts = [cut for cut in self._cuts if low < cut <= high]
        low = max([low, *(cut for cut in cuts if cut <= at)])
        high = min([high, *(cut for cut in cuts if cut > at)])
        rise = rise[low - first : high - first]
        cost = np.abs(rise - here) - np.abs(rise - there)
        return low + int(np.append(0, np.cumsum(cost)).argmin())

    def _sum(self, bout: Bout, sums: _Sums, end: int, final: bool) -> None:
        """Add up what frames say, in blocks as long as a window, as of a clip of their own."""
        while sums.done < end:
            length = min(self.window, end - sums.done)
            if length < self.window and not final:
                return
            first = sums.done - self._base
            rows = [self._rows[n] for n in range(first, first + length)]
            logits = np.sum([row.logits for row in rows], axis=0)
            likely = softmax(logits / length)
            sums.shares = sums.shares + length * likely
            sums.logits = sums.logits + logits
            sums.sure |= any(row.sure for row in rows)
            sums.done += length

    def finish(self) -> list[Segment]:
        """Return the segments, one after the other; each is judged like a clip of its own."""
        self._settle(self.viterbi.finish(), final=True)
        segments: list[tuple[Segment, Bout, _Sums]] = []
        for bout, sums in self._bouts:
            segment = self._segment(bout, sums)
            if segments and _alike(segments[-1][0], segment):
                _, before, earlier = segments.pop()
                bout = replace(before, end=bout.end)
                sure = earlier.sure or sums.sure
                both = earlier.shares + sums.shares, earlier.logits + sums.logits
                sums = _Sums(sums.done, *both, sure)
                segment = replace(self._segment(bout, sums), unsure=segment.unsure)
            segments.append((segment, bout, sums))
        return [segment for segment, _, _ in segments]

    def _segment(self, bout: Bout, sums: _Sums) -> Segment:
        length, smoothing = bout.end - bout.start, self.smoothing
        mean = sums.shares / length
        if int(mean.argmax()) != bout.state < len(self.labels):
            mean = softmax(sums.logits / length)
        shares = tuple(scaled(mean, smoothing.temperature).tolist())
        limit = smoothing.threshold
        doubtful = limit is not None and max(shares) < limit
        unsure = bout.state == len(self.labels) or (doubtful and not sums.sure)
        times = bout.start / self.fps, bout.end / self.fps
        finite = None if limit == math.inf else limit
        return Segment(*times, self.labels, shares, finite, unsure)


class Running:
    """Smooth a stream's labels by the same rule, by what there was up to each frame."""

    def __init__(self, smoothing: Smoothing, labels: int, fps: float, window: int) -> None:
        self.smoothing, self.window = smoothing, window
        self.viterbi = smoothing.viterbi(labels, fps)

    def push(self, logits: Numbers, shares: Numbers) -> int:
        """Return the label's number, that of labels for `unsure`; see `Smoothing.worth`."""
        self.viterbi.push(self.smoothing.worth(logits, shares, self.window)[0])
        if self.viterbi.frames % SETTLE == 0 and (bouts := self.viterbi.settled()):
            self.viterbi.forget(bouts[-1])
        return self.viterbi.state


def _alike(a: Segment, b: Segment) -> bool:
    return a.label == b.label and a.unsure == b.unsure


def _log_odds(share: float) -> float:
    share = min(max(share, TINY), 1 - TINY)
    return math.log(share / (1 - share))
