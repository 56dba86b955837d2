"""What a model looks at in many videos, and whether it decides by a place at the border."""

from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidgru.core.errors import DataError, VideoError
from vidgru.core.results import Failure, Progress, run_to_end
from vidgru.data.augment import Frames
from vidgru.tasks.classify.explain.explain import ask
from vidgru.tasks.classify.explain.results import (
    ClassSummary,
    Explanation,
    RegionSummary,
    Summary,
)
from vidgru.tasks.classify.windows import view_outputs

if TYPE_CHECKING:
    from vidgru.tasks.classify.model import Model

MAX_VIDEOS = 48  # whose border places are exchanged
DONORS = 2  # of other classes, for each of them
MIN_SWAPS = 8  # below which nothing is concluded
DECIDES = 0.5  # share of videos whose answer follows a place, beyond chance
BORDER = 1 / 8

Box = tuple[float, float, float, float]  # left, top, right, bottom as shares
CORNERS: dict[str, Box] = {
    "upper left corner": (0, 0, 0.25, 0.25),
    "upper right corner": (0.75, 0, 1, 0.25),
    "lower left corner": (0, 0.75, 0.25, 1),
    "lower right corner": (0.75, 0.75, 1, 1),
}
PLACES: dict[str, Box] = {
    **CORNERS,
    "middle of the upper edge": (0.25, 0, 0.75, 0.2),
    "middle of the lower edge": (0.25, 0.8, 0.75, 1),
    "middle of the left edge": (0, 0.25, 0.2, 0.75),
    "middle of the right edge": (0.8, 0.25, 1, 0.75),
}

Predict = Callable[[Frames], str]


def summary_steps(
    model: "Model", sources: Sequence[Path | Failure]
) -> Generator[Progress, None, tuple[Summary, list[Failure]]]:
    """Explain all sources, yielding Progress; return the summary, and what could not be read.

    Raises DataError when that is all.
    """
    adding, failures = Summarizer(model.spec.labels, model.spec.frames), list[Failure]()
    question = ask(model.spec, model.path)
    for number, source in enumerate(sources):
        yield Progress("explaining", number, len(sources))
        try:
            if isinstance(source, Failure):
                raise VideoError(source.error)
            views = run_to_end(model.views_steps(source, advice="cut it, or leave it out"))
        except VideoError as error:
            failures.append(Failure(str(source), str(error)))
            continue
        found = run_to_end(model.explain_views(str(source), views, question))
        adding.add(found, views)

    def predict(views: Frames) -> str:
        outputs = view_outputs(model.network, [views], model.spec.frames)
        return model.spec.labels[int(outputs[0].argmax())]

    if len(failures) == len(sources):
        raise DataError(f"No video can be read. The first problem: {failures[0].error}")
    return (yield from adding.steps(predict)), failures


class Example(NamedTuple):
    """The beginning of a video: as many views as a window has, uint8 (T, S, S, 3), and its label.

    label: the predicted one.
    """

    views: Frames
    label: str


class Summarizer:
    """Adds up the explanations of many videos, in constant memory."""

    def __init__(self, labels: Sequence[str], window: int) -> None:
        self.labels, self.window = labels, window
        self._found: dict[str, list[tuple[NDArray[np.float32], float, float]]] = defaultdict(list)
        self._examples: list[Example] = []
        self._added = 0
        self._rng = np.random.default_rng(0)

    def add(self, found: Explanation, views: Frames) -> None:
        """Add an explanation of the predicted class."""
        first = [share for time, share in zip(found.seconds, found.relevance, strict=True)
                 if time < 1]  # fmt: skip
        shown = min(1 / (found.step * len(found.seconds)), 1)
        mean = found.maps.mean(0)
        self._found[found.label].append((mean / max(mean.sum(), 1e-12), sum(first), shown))
        example = Example(_fitted(views, self.window), found.label)
        self._added += 1
        # Any of the videos is kept with the same chance.
        if len(self._examples) < MAX_VIDEOS:
            self._examples.append(example)
        elif (place := int(self._rng.integers(self._added))) < MAX_VIDEOS:
            self._examples[place] = example

    def steps(self, predict: Predict) -> Generator[Progress, None, Summary]:
        """Exchange places at the border between videos, and return the summary.

        `predict` gives the label of views (T, S, S, 3).
        """
        classes = tuple(
            _class_summary(label, self._found[label])
            for label in self.labels
            if label in self._found
        )
        places = yield from self._exchange(predict)
        findings = tuple(
            f"The {one.place} decides for {one.label!r}: {100 * one.follows:.0f} % of the videos "
            f"of other classes are predicted as it once they have that place of a video of it."
            for one in places
            if one.decides
        )
        return Summary(classes, places, findings)

    def _exchange(self, predict: Predict) -> Generator[Progress, None, tuple[RegionSummary, ...]]:
        swaps = list(self._swaps())
        done, found = 0, []
        for place, box in PLACES.items():
            follows: dict[str, list[bool]] = defaultdict(list)
            changed: list[bool] = []
            for receiver, donor in swaps:
                said = predict(with_place(receiver.views, donor.views, box))
                if receiver.label == donor.label:
                    changed.append(said != receiver.label)
                else:
                    follows[donor.label].append(said == donor.label)
                done += 1
                yield Progress("exchanging places", done, len(swaps) * len(PLACES))
            by_chance = float(np.mean(changed)) if changed else 0.0
            for label, hits in follows.items():
                share = float(np.mean(hits))
                decides = len(hits) >= MIN_SWAPS and share - by_chance >= DECIDES
                found.append(RegionSummary(place, label, share, by_chance, len(hits), decides))
        return tuple(found)

    def _swaps(self) -> Generator[tuple[Example, Example], None, None]:
        """Yield pairs of videos: each with some of other classes and with one of its own."""
        for receiver in self._examples:
            others = [one for one in self._examples if one.label != receiver.label]
            own = [
                one for one in self._examples if one.label == receiver.label and one is not receiver
            ]
            for donors, count in ((others, DONORS), (own, 1)):
                for n in self._rng.permutation(len(donors))[:count]:
                    yield receiver, donors[n]


def _fitted(views: Frames, window: int) -> Frames:
    """Return as many views as a window has; the last one of a short video repeats."""
    some = views[:window]
    missing = some[-1:].repeat(window - len(some), axis=0)
    fitted: Frames = np.concatenate([some, missing])
    return fitted


def with_place(views: Frames, other: Frames, box: Box) -> Frames:
    """Return views (T, S, S, 3) with a place as in another video."""
    side = views.shape[1]
    left, top, right, bottom = (round(share * side) for share in box)
    mixed = views.copy()
    mixed[:, top:bottom, left:right] = other[:, top:bottom, left:right]
    return mixed


def _class_summary(
    label: str, found: Sequence[tuple[NDArray[np.float32], float, float]]
) -> ClassSummary:
    mean: NDArray[np.float32] = np.mean([one for one, _, _ in found], 0, dtype=np.float32)
    inner = share_in(mean, (BORDER, BORDER, 1 - BORDER, 1 - BORDER))
    return ClassSummary(
        label,
        len(found),
        1 - inner,
        {name: share_in(mean, box) for name, box in CORNERS.items()},
        float(np.mean([first for _, first, _ in found])),
        float(np.mean([shown for _, _, shown in found])),
        mean / max(float(mean.max()), 1e-12),
    )


def share_in(relevance: NDArray[np.float32], box: Box) -> float:
    """Return the share of relevance (h, w) in a box; places on its edge count in part."""
    left, top, right, bottom = box
    rows, columns = relevance.shape

    def inside(low: float, high: float, count: int) -> NDArray[np.float64]:
        places = np.arange(count, dtype=float)
        covered = np.clip(high * count - places, 0, 1) - np.clip(low * count - places, 0, 1)
        return np.asarray(covered, float)

    part = inside(top, bottom, rows) @ relevance @ inside(left, right, columns)
    return float(part / max(relevance.sum(), 1e-12))
