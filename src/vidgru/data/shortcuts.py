"""Measure how well things that should not matter, such as the picture's shape, tell the classes.

Each cue alone predicts the class by kernel ridge regression, cross-validated by group. With the
kernel K and folds fixed, predictions are linear in the targets: scores = H Y, so that H is computed
once and shuffled labels cost one matrix product.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vidgru.data.cache import Segments
from vidgru.data.folder import Clip
from vidgru.data.results import Shortcut
from vidgru.data.thumbnails import thumbnails
from vidgru.video.info import VideoInfo

FOLDS = 5
MAX_CLIPS = 800  # more tell little more, and cost the third power
MIN_CLIPS = 3  # of a class
PERMUTATIONS = 200
GAIN = 0.15  # share of the way from chance to certainty that makes a shortcut
WIDTH = 0.2  # standard deviations of a number that count as near
RIDGE = 1.0
SIDE = 12  # of the picture that stands for the first frame

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]


def find_shortcuts(
    clips: Sequence[Clip], info: Mapping[Clip, VideoInfo], frames: Mapping[Clip, Segments]
) -> tuple[Shortcut, ...]:
    """Return how well each cue alone tells the classes, as balanced accuracy against chance.

    Clips of one group are never on both sides. A cue is `found` when it gains 0.15 of what lies
    between chance and certainty, and none of 200 shuffles of the labels does as well: within
    groups, or of whole groups where each has one class. Classes of less than three clips are left
    out. The same clips always give the same answer.
    """
    sizes = Counter(clip.label for clip in clips)
    clips = [clip for clip in clips if sizes[clip.label] >= MIN_CLIPS]
    chosen = np.random.default_rng(0).permutation(len(clips))[:MAX_CLIPS]
    clips = [clips[place] for place in sorted(chosen.tolist())]
    names = sorted({clip.label for clip in clips})
    labels = np.array([names.index(clip.label) for clip in clips], np.int64)
    units = _units(clips)
    chance = 1 / max(len(names), 1)
    found = []
    for cue, kernel in _kernels(clips, info, frames) if len(names) > 1 else ():
        accuracy, luck = _measure(kernel, labels, units, len(names))
        gain = accuracy > max(luck) and accuracy >= chance + GAIN * (1 - chance)
        found.append(Shortcut(cue, accuracy, chance, bool(gain)))
    return tuple(found)


def _kernels(
    clips: Sequence[Clip], info: Mapping[Clip, VideoInfo], frames: Mapping[Clip, Segments]
) -> Iterator[tuple[str, Matrix]]:
    """Yield each cue with how alike clips are by it (N, N), from 0 to 1."""
    known = [info[clip] for clip in clips]
    some = [frames[clip][0] for clip in clips]
    yield "picture size", _near([math.log(max(f.width * f.height, 1)) for f in known])
    yield "aspect ratio", _near([math.log(max(f.width, 1) / max(f.height, 1)) for f in known])
    yield "duration", _near([math.log(f.seconds) for f in known])
    yield "frame rate", _near([math.log(f.fps) for f in known])
    codecs = np.array([f.codec for f in known])
    yield "codec", (codecs[:, None] == codecs).astype(float)
    middles = [part[:: max(1, len(part) // 4), ::2, ::2] for part in some]
    yield "brightness", _near([float(part.mean()) for part in middles])
    first = np.stack([thumbnails(part[0], SIDE).ravel() for part in some]).astype(float)
    if any(frames[clip].shape[:2] != (1, 1) for clip in clips):
        yield "first frame", _near_pictures(first)  # of single images that is all there is


def _near(values: Sequence[float]) -> Matrix:
    column = np.array(values)
    spread = max(float(column.std()), 1e-9)
    # What differs by less than rounding is the same.
    near: Matrix = np.exp(-(((column[:, None] - column) / (WIDTH * max(spread, 1e-3))) ** 2) / 2)
    return near


def _near_pictures(pictures: Matrix) -> Matrix:
    pictures = pictures - pictures.mean(0)
    squares = (pictures**2).sum(1)
    far = np.maximum(squares[:, None] + squares - 2 * pictures @ pictures.T, 0)
    near: Matrix = np.exp(-far / max(float(np.median(far)), 1e-9))
    return near


def _units(clips: Sequence[Clip]) -> Labels:
    """Return the number of each clip's group; a clip without one is its own."""
    seen: dict[str, int] = {}
    keys = [clip.name if clip.group is None else f"group {clip.group}" for clip in clips]
    return np.array([seen.setdefault(key, len(seen)) for key in keys], np.int64)


def _measure(
    kernel: Matrix, labels: Labels, units: Labels, classes: int
) -> tuple[float, list[float]]:
    """Return the balanced accuracy, and those after each shuffle of the labels."""
    folds = _folds(labels, units)
    if kernel.min() > 1 - 1e-9 or len(set(folds.tolist())) < 2:
        return 1 / classes, [1.0]
    scores = np.zeros_like(kernel)
    for fold in range(FOLDS):
        held, known = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        if len(held):
            inner = kernel[np.ix_(known, known)] + RIDGE * np.eye(len(known))
            scores[np.ix_(held, known)] = np.linalg.solve(inner, kernel[np.ix_(known, held)]).T
    shuffles = [labels, *_shuffled(labels, units)]
    # A class's few clips must weigh as much as another's many.
    sizes = [np.maximum(np.bincount(each, minlength=classes), 1) for each in shuffles]
    targets = [np.eye(classes)[each] / size for each, size in zip(shuffles, sizes, strict=True)]
    answers = (scores @ np.concatenate(targets, axis=1)).reshape(len(labels), -1, classes)
    right = np.stack(shuffles) == answers.argmax(2).T
    values = [
        float((np.bincount(each, hits, minlength=classes) / size).mean())
        for each, hits, size in zip(shuffles, right, sizes, strict=True)
    ]
    return values[0], values[1:]


def _folds(labels: Labels, units: Labels) -> Labels:
    """Return each clip's fold: all of a unit in one, and of each class about as many in each."""
    members = defaultdict(list)
    for place, unit in enumerate(units.tolist()):
        members[unit].append(place)
    counts = np.zeros((FOLDS, int(labels.max()) + 1))
    folds = np.empty_like(labels)
    order = np.random.default_rng(0).permutation(len(members)).tolist()
    for unit in sorted(order, key=lambda unit: -len(members[unit])):
        own = np.bincount(labels[members[unit]], minlength=counts.shape[1])
        # Where the unit's classes are fewest so far.
        fold = int(np.lexsort((counts.sum(1), counts @ own))[0])
        counts[fold] += own
        folds[members[unit]] = fold
    return folds


def _shuffled(labels: Labels, units: Labels) -> Iterator[Labels]:
    random = np.random.default_rng(0)
    first = np.unique(units, return_index=True)[1]
    whole = bool((labels == labels[first][units]).all())
    blocks = [np.flatnonzero(units == unit) for unit in range(len(first))]
    for _ in range(PERMUTATIONS):
        if whole:
            yield random.permutation(labels[first])[units]
        else:
            shuffled = labels.copy()
            for block in blocks:
                shuffled[block] = random.permutation(labels[block])
            yield shuffled
