"""Scene boundaries: their loss, and how they are decoded from a network's outputs."""

from collections import deque
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from vidgru.tasks.scenes.results import KINDS, Boundary

BOUNDARY, INSIDE, KIND = 0, 1, 2  # indices of the outputs: one logit each, then one of each kind
RARE = 5.0  # weight of frames with a boundary, of which there are few
WITHIN, WHICH = 0.3, 0.2  # weights in the loss: within a transition, and of which kind
NEAR = 3  # frames: of boundaries so near to each other, the most confident counts
CLEAR = 8
LONGEST = 100  # frames on either side of a boundary that a transition may last
# Share of the threshold from which a dissolve counts. A network is less confident about the place
# of the boundary in a slow transition, and passers-by look like cuts and wipes, not dissolves.
DISSOLVE = 0.75


def loss(
    predicted: Tensor,
    boundary: Tensor,
    inside: Tensor,
    kind: Tensor,
    counts: tuple[int, int] | None = None,
) -> Tensor:
    """Return the loss of outputs (B, T, 6), mean over all frames.

    boundary, inside: chances (B, T) from 0 to 1; kind: numbers (B, T) of KINDS, -1 where there is
    no transition. counts: frames of the whole batch, of which these may be a part, and how many of
    them are within a transition; else those of these.
    """
    frames, known = counts or (kind.numel(), int((kind >= 0).sum()))
    weight = torch.where(boundary > 0.5, RARE, 1.0)
    chance = functional.binary_cross_entropy_with_logits
    here = chance(predicted[..., BOUNDARY], boundary, weight, reduction="sum")
    within = chance(predicted[..., INSIDE], inside, reduction="sum")
    logits = predicted[..., KIND:].flatten(0, 1)
    which = functional.cross_entropy(logits, kind.flatten(), ignore_index=-1, reduction="sum")
    return (here + WITHIN * within) / frames + WHICH * which / max(known, 1)


def is_detectable(boundary: Boundary, frames: int) -> bool:
    """Return whether the first and the last scene of a video of `frames` are clearly visible."""
    return boundary.start >= CLEAR and boundary.end <= frames - CLEAR


class Reader:
    """Decodes boundaries from outputs that come frame by frame, in constant memory.

    A boundary is the most confident frame of those within NEAR, if it is confident enough, for a
    dissolve a little less; within one gradual transition, there is only one. A scene is clearly
    visible for CLEAR frames, at least: of a cut and a gradual transition that leave less, the cut
    counts, and of two gradual ones, the first. So are the first and the last one. Boundaries are
    reported as soon as no later output can change them.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._rows: deque[list[float]] = deque()  # chances of the last frames
        self._first = 0  # frame number of the first of them
        self._pending: int | None = None
        self._clear = 0  # where the last transition ended, or else the video began

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
        """Return the remaining boundaries when no more frames come."""
        return self._report()

    def _look(self, frame: int) -> Iterator[Boundary]:
        """Consider a frame as a boundary, if it is one."""
        if frame < 0:
            return
        if self._pending is not None and self._done(self._pending, frame):
            yield from self._report()
        if frame < CLEAR or not self._peak(frame):
            return
        before = self._pending
        if before is None:
            self._pending = frame
        elif self._together(before, frame):
            if self._chance(frame) > self._chance(before):
                self._pending = frame
        elif self._kind(frame) == 0:  # too soon after the other has ended
            if self._kind(before) == 0:
                yield from self._report()
            self._pending = frame

    def _done(self, begin: int, frame: int) -> bool:
        """Return whether nothing from a frame on can change the boundary at `begin`."""
        if self._kind(begin) == 0:
            return frame - begin >= CLEAR - NEAR
        if frame - begin >= LONGEST + CLEAR:
            return True
        return not self._together(begin, max(begin, frame - CLEAR))

    def _together(self, begin: int, frame: int) -> bool:
        """Return whether all from `begin` to a frame is one transition."""
        return all(self._row(n)[INSIDE] >= 0.5 for n in range(begin + 1, frame + 1))

    def _row(self, frame: int) -> Sequence[float]:
        return self._rows[frame - self._first]

    def _chance(self, frame: int) -> float:
        return self._row(frame)[BOUNDARY]

    def _enough(self, kind: str) -> float:
        return self.threshold * (DISSOLVE if kind == "dissolve" else 1)

    def _peak(self, frame: int) -> bool:
        here = self._chance(frame)
        before = range(max(self._first, frame - NEAR), frame)
        after = range(frame + 1, min(self._end, frame + NEAR + 1))
        return (
            here >= self._enough(KINDS[self._kind(frame)])
            and all(self._chance(other) < here for other in before)
            and all(self._chance(other) <= here for other in after)
        )

    def _kind(self, frame: int) -> int:
        kinds = self._row(frame)[KIND:]
        return max(range(len(kinds)), key=kinds.__getitem__)

    def _report(self) -> list[Boundary]:
        if self._pending is None:
            return []
        frame, self._pending = self._pending, None
        kind = KINDS[self._kind(frame)]
        start = end = frame
        if kind != "cut":
            while start > max(self._clear, self._first) and self._row(start - 1)[INSIDE] >= 0.5:
                start -= 1
            while end < self._end and self._row(end)[INSIDE] >= 0.5 and end - frame < LONGEST:
                end += 1
        if end - start < 2:
            kind, start, end = "cut", frame, frame
        if (start < self._clear + CLEAR and kind != "cut") or self._end < end + CLEAR:
            return []
        if self._chance(frame) < self._enough(kind):
            return []
        self._clear = end
        return [Boundary((start + end) // 2, kind, round(self._chance(frame), 4), start, end)]
