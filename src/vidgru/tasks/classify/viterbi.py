"""The likeliest sequence of states, where a change has a price and bouts a shortest length."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Bout:
    """A state that lasts from frame `start` to before frame `end`."""

    state: int
    start: int
    end: int


@dataclass(frozen=True)
class _Entry:
    """What bouts come to that begin at a frame: score (S,), the states before them, and sums."""

    frame: int
    score: Numbers
    before: Whole
    sums: Numbers


class Viterbi:
    """Add frames' evidence, get the bouts of the likeliest sequence (Viterbi 1967), as they come.

    price: nats that a change costs, half of it to and from the last state where `neutral`; times
    `at_cut` where a new shot begins. shortest: frames of a bout, unless there are less in all.
    Memory grows only while it is open what the likeliest sequence is.
    """

    def __init__(
        self,
        states: int,
        price: float,
        *,
        neutral: bool = False,
        at_cut: float = 0.05,
        shortest: int = 1,
    ) -> None:
        self.price, self.at_cut, self.shortest = price, at_cut, shortest
        self._states, self._neutral = states, neutral
        self._score: Numbers = np.full(states, -np.inf)  # of sequences that may end here
        self._sums: Numbers = np.zeros(states)
        self._begun: Whole = np.zeros(states, np.int64)
        self._entries: deque[_Entry] = deque()
        self._history: deque[tuple[Whole, Whole]] = deque()  # a frame's `_begun`, and `before`
        self._base = 0  # first frame of the history
        self._first = Bout(-1, 0, 0)  # the bout that is open there, state -1 if not known yet
        self.frames = 0

    @property
    def state(self) -> int:
        """The state that the likeliest sequence so far ends with."""
        return int((self._score if np.isfinite(self._score).any() else self._sums).argmax())

    def push(self, worth: Numbers, cut: bool = False) -> None:
        """Take the log-likelihood (S,) of the states at one more frame, which may begin a shot."""
        entry = self._enter(cut)
        self._entries.append(entry)
        self._history.append((self._begun, entry.before))
        self._score = self._score + worth
        self._sums = self._sums + worth
        if len(self._entries) == self.shortest:
            entry = self._entries.popleft()
            score = entry.score + self._sums - entry.sums
            better = score > self._score
            self._score = np.where(better, score, self._score)
            self._begun = np.where(better, entry.frame, self._begun)
        self.frames += 1

    def _enter(self, cut: bool) -> _Entry:
        """Return what bouts come to that begin at the next frame."""
        if self.frames == 0:  # the very first costs nothing
            nothing = np.zeros(self._states)
            return _Entry(0, nothing, np.full(self._states, -1), self._sums)
        price = self.price * (self.at_cut if cut else 1.0)
        ranked = self._score if not self._neutral else self._score[:-1]
        best = int(ranked.argmax())
        score = np.full(self._states, self._score[best] - price)
        before = np.full(self._states, best)
        if self._neutral:
            cheap = self._score[-1] - price / 2
            before[:-1] = np.where(cheap > score[:-1], self._states - 1, before[:-1])
            score[:-1] = np.maximum(score[:-1], cheap)
            score[-1] = self._score[best] - price / 2
        return _Entry(self.frames, score, before, self._sums)

    def settled(self) -> list[Bout]:
        """Return bouts that will not change any more, the last of which may still go on.

        They begin where those of the call before ended with one that went on.
        """
        # First: with a shortest bout longer than the video, each frame has an entry.
        if any(entry.frame == 0 for entry in self._entries):
            return []
        ends = {(self.frames, int(k)) for k in np.flatnonzero(np.isfinite(self._score))}
        for entry in self._entries:
            ends |= {(entry.frame, int(k)) for k in set(entry.before.tolist()) if k >= 0}
        if not ends:
            return []
        paths = [self._path(*end) for end in ends]
        same = paths[0]
        for path in paths[1:]:
            count = 0
            for a, b in zip(same, path, strict=False):
                if (a.state, a.start) != (b.state, b.start):
                    break
                count += 1
                if a.end != b.end:
                    same = [*same[: count - 1], Bout(a.state, a.start, min(a.end, b.end))]
                    break
            same = same[:count]
        return same

    def forget(self, first: Bout) -> None:
        """Drop what lies before the end of a settled bout, which goes on from there."""
        while self._base < first.end - 1:
            self._history.popleft()
            self._base += 1
        self._first = first

    def finish(self) -> list[Bout]:
        """Return all bouts that follow those before the one given to `forget`."""
        if not self.frames:
            return []
        if not np.isfinite(self._score).any():  # shorter than the shortest bout
            return [Bout(self.state, 0, self.frames)]
        return self._path(self.frames, self.state)

    def _path(self, end: int, state: int) -> list[Bout]:
        bouts = list[Bout]()
        begun = self._begun if end == self.frames else self._history[end - self._base][0]
        while True:
            start = int(begun[state])
            if start <= self._first.start and self._first.state >= 0:
                return [Bout(self._first.state, self._first.start, end), *reversed(bouts)]
            bouts.append(Bout(state, start, end))
            if start == 0:
                return bouts[::-1]
            begun, before = self._history[start - self._base]
            end, state = start, int(before[state])
