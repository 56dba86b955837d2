"""Scene boundaries: what is learned of them, and how they are read from a network's outputs."""

from collections import deque
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from vidgru.scenes import KINDS, Boundary

BOUNDARY, INSIDE, KIND = 0, 1, 2  # places of the outputs: one logit each, then one of each kind
RARE = 5.0  # weight of frames with a boundary, of which there are few
WITHIN, WHICH = 0.3, 0.2  # weights in the loss: within a transition, and of which kind
NEAR = 4  # frames: of boundaries so near to each other, the surest counts
LONGEST = 100  # frames on either side of a boundary that a transition may last


def loss(
    told: Tensor,
    boundary: Tensor,
    inside: Tensor,
    kind: Tensor,
    counts: tuple[int, int] | None = None,
) -> Tensor:
    """Return how far outputs (B, T, 6) are off, mean over all frames.

    boundary, inside: chances (B, T) from 0 to 1; kind: numbers (B, T) of KINDS, -1 where there is
    no transition. counts: frames of the whole batch, of which these may be a part, and how many of
    them are within a transition; else those of these.
    """
    frames, known = counts or (kind.numel(), int((kind >= 0).sum()))
    weight = torch.where(boundary > 0.5, RARE, 1.0)
    chance = functional.binary_cross_entropy_with_logits
    here = chance(told[..., BOUNDARY], boundary, weight, reduction="sum")
    within = chance(told[..., INSIDE], inside, reduction="sum")
    logits = told[..., KIND:].flatten(0, 1)
    which = functional.cross_entropy(logits, kind.flatten(), ignore_index=-1, reduction="sum")
    return (here + WITHIN * within) / frames + WHICH * which / max(known, 1)


class Reader:
    """Reads boundaries from outputs that come frame by frame, in constant memory.

    A boundary is the surest frame of those within NEAR, if it is sure enough; within one gradual
    transition, there is but one. It is told as soon as the transition is seen to end. No scene is
    shorter than NEAR + 1 frames.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._rows: deque[list[float]] = deque()  # chances of the last frames
        self._first = 0  # frame number of the first of them
        self._pending: int | None = None
        self._last = 1  # first frame that the next transition may lie in

    @property
    def _end(self) -> int:
        return self._first + len(self._rows)

    def push(self, outputs: Tensor) -> list[Boundary]:
        """Take outputs (T, 6) of the next frames; return the boundaries that are now known."""
        chances = torch.cat(
            [outputs[:, :KIND].sigmoid(), outputs[:, KIND:].softmax(-1)], dim=-1
        ).tolist()
        found: list[Boundary] = []
        for row in chances:
            self._rows.append(row)
            found += self._look(self._end - 1 - NEAR)
            while len(self._rows) > 2 * (LONGEST + NEAR):
                self._rows.popleft()
                self._first += 1
        return found

    def finish(self) -> list[Boundary]:
        """Return the boundaries that are left when no more frames come."""
        return self._tell()

    def _look(self, frame: int) -> Iterator[Boundary]:
        """Take notice of a frame as a boundary, if it is one."""
        if frame < 0:
            return
        if self._pending is not None and self._over(self._pending, frame):
            yield from self._tell()
        if frame <= NEAR or not self._peak(frame):
            return
        if self._pending is None or self._chance(frame) > self._chance(self._pending):
            self._pending = frame

    def _row(self, frame: int) -> Sequence[float]:
        return self._rows[frame - self._first]

    def _chance(self, frame: int) -> float:
        return self._row(frame)[BOUNDARY]

    def _peak(self, frame: int) -> bool:
        here = self._chance(frame)
        before = range(max(self._first, frame - NEAR), frame)
        after = range(frame + 1, min(self._end, frame + NEAR + 1))
        return (
            here >= self.threshold
            and all(self._chance(other) < here for other in before)
            and all(self._chance(other) <= here for other in after)
        )

    def _over(self, begin: int, frame: int) -> bool:
        """Return whether a transition with a boundary at `begin` is over by a frame."""
        if frame - begin >= LONGEST or self._kind(begin) == 0:
            return True
        return any(self._row(between)[INSIDE] < 0.5 for between in range(begin + 1, frame + 1))

    def _kind(self, frame: int) -> int:
        kinds = self._row(frame)[KIND:]
        return max(range(len(kinds)), key=kinds.__getitem__)

    def _tell(self) -> list[Boundary]:
        if self._pending is None:
            return []
        frame, self._pending = self._pending, None
        kind = KINDS[self._kind(frame)]
        start = end = frame
        if kind != "cut":
            while start > max(self._last, self._first) and self._row(start - 1)[INSIDE] >= 0.5:
                start -= 1
            while end < self._end and self._row(end)[INSIDE] >= 0.5 and end - frame < LONGEST:
                end += 1
        if end - start < 2:
            kind, start, end = "cut", frame, frame
        confidence = round(self._chance(frame), 4)
        middle = (start + end) // 2
        self._last = max(end, middle + 1)
        return [Boundary(middle, kind, confidence, start, end)]
