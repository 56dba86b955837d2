"""Decide by quick read-outs whether changes, looks or both classify clips best.

A read-out is a ridge regression on features of whole clips, cross-validated with the same groups as
folds are. Features of changes come from the encoders that come with vidgru, and training improves
on them more than on those of looks: on UT-Interaction both are 6 to 10 points better than changes
as read-outs, and 12 to 21 points worse once trained; on mice in a new cage looks alone are 13
points better, and both 7 worse once trained. So looks are used only where they alone are far better
than changes.
"""

import logging
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import fields, replace

import numpy as np
import torch
from numpy.typing import NDArray

from vidgru.core.errors import DataError
from vidgru.core.results import Progress
from vidgru.data.augment import straight_view, warp
from vidgru.data.cache import Segments
from vidgru.data.dataset import Dataset
from vidgru.data.folder import Clip
from vidgru.data.split import split_folds
from vidgru.engine.distributed import text_from_main
from vidgru.nn.choices import AUTO, LOOKS
from vidgru.nn.inputs import normalise
from vidgru.tasks.classify.encoders import read_shipped
from vidgru.tasks.classify.looks import LooksDataset
from vidgru.tasks.classify.network import Network, NetworkConfig
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.results import LooksChoice

log = logging.getLogger("vidgru")

Rows = NDArray[np.float64]
Numbers = NDArray[np.int64]
ReadOut = Callable[[Rows, Numbers, Rows], Numbers]

FOLDS = 4
MAX_CLIPS, MAX_FRAMES = 1000, 64  # that are looked at, of all and of a clip
PENALTIES = (0.01, 0.1, 1.0, 10.0)
ONE_GROUP = (
    "The training clips cannot be divided by group, so looks and changes are compared on clips of "
    "the same groups: that favours looks."
)
TOO_FEW = (
    "There are too few training clips to compare looks and changes: changes alone are trained on."
)
LEARNED = 0.15  # that training adds to the read-out of changes: .78 became .95 on UT-Interaction
BACKGROUND = 0.15  # by which looks are worse on other groups, from which on that is warned of


def choose_steps(
    data: LooksDataset, side: int, seed: int, asked: bool
) -> Generator[Progress, None, LooksChoice | None]:
    """Return the input that read-outs of the training clips choose, yielding Progress.

    side: of views, in pixels; asked: whether changes are compared, too; else only looks are
    measured. Where groups cannot be kept apart, clips are; None where they cannot, either.
    """
    clips = data.parts["train"]
    clips = clips[:: -(-len(clips) // MAX_CLIPS)]
    apart = {clip: str(number) for number, clip in enumerate(clips)}
    folds, mixed = _folds(clips, seed, data.units), _folds(clips, seed, apart)
    if asked and not folds:
        log.warning("%s", ONE_GROUP if mixed else TOO_FEW)
    if not (folds := folds or mixed):
        return None
    labels = np.array([data.labels.index(clip.label) for clip in clips])
    looks = np.stack([_looks_of(data.features[clip]) for clip in clips])
    alone = _cross_validated([looks], labels, folds)
    nearest = _balanced(_held_out(_nearest_mean, [looks], labels, folds), labels)
    shuffled = _cross_validated([looks], labels, mixed) if mixed else alone
    found = LooksChoice("both", alone, None, None, nearest, shuffled, len(folds))
    if not asked:
        return found
    network, rows = _shipped(), []
    for number, clip in enumerate(clips, 1):
        rows.append(_changes_of(network, data.frames[clip], side))
        yield Progress("comparing looks and changes", number, len(clips))
    changes = np.stack(rows)
    moving = _cross_validated([changes], labels, folds)
    both = _cross_validated([changes, looks], labels, folds)
    return replace(found, input=_best(alone, moving, both, len(clips)), changes=moving, both=both)


def choose_input(
    config: ClassifyTrainConfig, data: LooksDataset
) -> Generator[Progress, None, tuple[ClassifyTrainConfig, Dataset, LooksChoice | None]]:
    """Return config and clips for what read-outs choose where --input auto asks, and figures."""
    asked = config.input == AUTO
    choice = yield from choose_steps(data, config.side, config.seed, asked)
    if choice is not None and (sentence := background_warning(choice)):
        log.warning("%s", sentence)
    still = all(part.shape[1] == 1 for part in data.frames.values())
    if not asked:
        given = config.input or (LOOKS if still else "both")
        return config, data, None if choice is None else replace(choice, input=given)
    # Read-outs on other machines may differ in the last bits.
    used = text_from_main(lambda: "changes" if choice is None else choice.input)
    if used == "changes":
        own = {item.name: getattr(data, item.name) for item in fields(Dataset)}
        config = replace(
            config, input=None, looks=None, looks_mean=None, looks_std=None, pack=False
        )
        return config, Dataset(**own), choice
    return replace(config, input=None if used == "both" else used), data, choice


def _best(looks: float, changes: float, both: float, count: int) -> str:
    """Return what to train on: "changes", "looks" or "both"."""
    margin = math.sqrt(max(both * (1 - both), 0.01) / count)  # a standard error
    if looks <= changes + LEARNED + 2 * margin:
        return "changes"
    return "looks" if looks > both + margin else "both"


def background_warning(choice: LooksChoice) -> str:
    """Return what to say where looks only seem to classify, as they know places, else ""."""
    if choice.input == "changes" or choice.shuffled - choice.looks < BACKGROUND:
        return ""
    return (
        f"Looks alone classify {100 * choice.shuffled:.0f} % of clips if others of their group are "
        f"known, and {100 * choice.looks:.0f} % if none is: they may know places or persons rather "
        "than classes. Compare with a training without --looks on new groups."
    )


def _folds(clips: Sequence[Clip], seed: int, units: Mapping[Clip, str]) -> list[Numbers]:
    """Return the places of the clips that each fold holds out, none where that cannot be."""
    place = {clip: number for number, clip in enumerate(clips)}
    own = {clip: units[clip] for clip in clips}
    for count in range(FOLDS, 1, -1):
        try:
            folds = split_folds(clips, count, seed, own)
        except DataError:
            continue
        return [np.array([place[clip] for clip in held]) for _, held in folds]
    return []


def _looks_of(features: NDArray[np.float32]) -> Rows:
    """Return the mean and the spread of the whole picture's features over a clip's frames."""
    rows = features[:, 0].reshape(-1, features.shape[-1]).astype(np.float64)
    return np.concatenate([rows.mean(0), rows.std(0)])


def _shipped() -> Network:
    """Return a network with the encoders that come with vidgru."""
    network = Network(NetworkConfig("both", "gru", 2)).eval()
    weights = {n: v for n, v in read_shipped().items() if n.startswith(("main.", "side."))}
    network.load_state_dict({**network.state_dict(), **weights})
    return network


@torch.inference_mode()
def _changes_of(network: Network, segments: Segments, side: int) -> Rows:
    """Return mean and spread of a clip's features by a network's own encoders."""
    frames = segments[len(segments) // 2][:MAX_FRAMES]
    pixels = torch.from_numpy(warp(np.asarray(frames), straight_view(), side))
    main, seen = network.encode(normalise(pixels)[None])
    parts = [main[0].mean(0), main[0].std(0, correction=0)]
    parts += [] if seen is None else [seen[0].mean(0)]
    return torch.cat(parts).double().numpy()


def _cross_validated(blocks: Sequence[Rows], labels: Numbers, folds: Sequence[Numbers]) -> float:
    return _balanced(_held_out(_ridge, blocks, labels, folds), labels)


def _held_out(
    predict: ReadOut, blocks: Sequence[Rows], labels: Numbers, folds: Sequence[Numbers]
) -> Numbers:
    """Return the predicted class of each clip (N,), by those of the other folds."""
    found = np.zeros_like(labels)
    for held in folds:
        rest = np.setdiff1d(np.arange(len(labels)), held)
        learned, asked = [], []
        for rows in blocks:  # of the same weight, whatever their width
            mean, spread = rows[rest].mean(0), rows[rest].std(0)
            ready = (rows - mean) / np.where(spread > 1e-9, spread, 1) / math.sqrt(rows.shape[1])
            learned.append(ready[rest])
            asked.append(ready[held])
        found[held] = predict(np.hstack(learned), labels[rest], np.hstack(asked))
    return found


def _ridge(learned: Rows, labels: Numbers, asked: Rows) -> Numbers:
    """Return classes (n,) by ridge regression on classes, its penalty chosen by leaving one out."""
    classes = np.unique(labels)
    wanted = (labels[:, None] == classes).astype(np.float64)  # (N, K)
    number = np.searchsorted(classes, labels)
    weights, mean = 1 / wanted.sum(0)[number], wanted.mean(0)
    values, vectors = np.linalg.eigh(learned @ learned.T)
    values, turned = values.clip(0), vectors.T @ (wanted - mean)
    best, score = np.zeros_like(wanted), -1.0
    for penalty in PENALTIES:
        dual = vectors @ (turned / (values + penalty)[:, None])  # (N, K)
        diagonal = (vectors**2) @ (1 / (values + penalty))
        left_out = wanted - dual / diagonal[:, None]
        right = (left_out.argmax(1) == number) @ weights
        if right > score:
            best, score = dual, float(right)
    chosen: Numbers = (asked @ (learned.T @ best) + mean).argmax(1)
    return classes[chosen]


def _nearest_mean(learned: Rows, labels: Numbers, asked: Rows) -> Numbers:
    """Return classes (n,) of the nearest class mean, by the angle to it."""
    classes = np.unique(labels)
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)
            for rows in (learned, asked)]  # fmt: skip
    means = np.stack([unit[0][labels == one].mean(0) for one in classes])
    chosen: Numbers = (unit[1] @ means.T - (means**2).sum(1) / 2).argmax(1)
    return classes[chosen]


def _balanced(found: Numbers, labels: Numbers) -> float:
    return float(np.mean([(found[labels == one] == one).mean() for one in np.unique(labels)]))
