"""Where a person's look helps most: suggestions that are unsure, or that two models dispute."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from vidgru.tools.label.rows import SHORTEST, Row, Span, gaps

MIN_OPEN = 0.1  # seconds without a label that a suggestion must have to be doubtful
EVEN = 0.5  # one of two models that disagree is right at most

Suggestion = tuple[float, float, str, float]  # start and end in seconds, label, confidence


class Doubt(NamedTuple):
    """A place without a label that is worth a look.

    start: seconds; sure: the chance at most that the suggested `label` is right; other: what the
    model before suggests there, "" where that agrees.
    """

    video: int
    start: float
    sure: float
    label: str
    other: str


def doubts(
    video: int, suggestions: Iterable[Suggestion], before: Sequence[Suggestion], rows: Iterable[Row]
) -> Iterator[Doubt]:
    """Yield a place of each suggestion that the rows of a video do not cover.

    before: the suggestions of the model before, in order.
    """
    own = sorted(rows, key=lambda row: row.span)
    labelled = _Spans([row.span for row in own])
    others = _Spans([(start, end) for start, end, _, _ in before])
    for start, end, label, confidence in suggestions:
        free = gaps(own[labelled.over((start, end))], video, (start, end))
        if sum(high - low for low, high in free) <= MIN_OPEN:
            continue
        disputed = [
            (min(high, until) - max(low, since), max(low, since), other)
            for since, until, other, _ in before[others.over((start, end))]
            if other != label
            for low, high in free
        ]
        # Where an event begins and ends, models differ by fractions of a second.
        seconds, place, other = max(disputed, default=(0.0, 0.0, ""))
        if seconds >= SHORTEST:
            yield Doubt(video, place, min(confidence, EVEN), label, other)
        else:
            yield Doubt(video, free[0][0], confidence, label, "")


class _Spans:
    """Spans of time in the order of their starts, of which few are looked at."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._starts = [start for start, _ in spans]
        self._ends = list(accumulate((end for _, end in spans), max))

    def over(self, span: Span) -> slice:
        """Return which of them may overlap with a span of time."""
        return slice(bisect_right(self._ends, span[0]), bisect_left(self._starts, span[1]))
