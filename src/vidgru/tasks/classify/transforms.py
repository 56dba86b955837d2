"""Decide by short trainings for which classes mirrored and strongly rotated clips are used.

A mirrored clip keeps its class: that is right for nearly all data, and breaks accidental
correlation of class and direction. It is wrong where the mirror images of one class are another's
clips, as with left and right. Such classes cannot be told apart with mirrored clips and can
without; and a network trained without takes the mirror images of each for the other. All of that
is measured by cross-validation in two halves: each half of the training clips is predicted by a
small network that was trained on the other half.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import mean

import torch
from torch import Tensor

from vidgru.core.results import Progress
from vidgru.data.augment import Augmentation, straight_view
from vidgru.engine.train_step import Settings
from vidgru.nn.choices import CORE
from vidgru.tasks.classify.build import AnyNetwork, build
from vidgru.tasks.classify.classes import Classify
from vidgru.tasks.classify.network import HIDDEN
from vidgru.tasks.classify.results import Confused
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.tasks.classify.train_step import ClassifyTrainStep, Examples, Window
from vidgru.video.read import natural_key

SIDE = 48
STEPS, STEPS_PER_CLASS, MAX_STEPS = 120, 12, 600  # of one network
MIN_STEPS = 60  # a network with fewer steps proves nothing
SHARE = 0.15  # of the steps of the training itself
CHECKED = 48  # clips of a class
SMALL_TURN = 8.0  # degrees, which change no class's meaning
# Shares of the clips of two classes, weighted equally: told apart with all transforms at most
# (certainly, to be measured again, and then), without at least, by so much more; classified as the
# other class when transformed. Measured on pairs that are each other's mirror images: up to 0.73,
# from 0.83, from 0.75; on pairs with an accidental direction: from 0.67, most from 0.75; on
# others: classified as the other one up to 0.53.
INSEPARABLE, DOUBTFUL, TOGETHER = 0.6, 0.8, 0.75
APART, GAIN, SWAPPED = 0.7, 0.2, 0.65
SURE = 1.5  # minimum gain in standard errors
# Words of which one names the mirror image of the other.
OPPOSITE = [
    set(words.split())
    for words in (
        "left right", "leftward rightward", "leftwards rightwards",
        "clockwise counterclockwise", "clockwise anticlockwise", "cw ccw",
        "links rechts", "gauche droite", "izquierda derecha", "sinistra destra",
    )
]  # fmt: skip
ABLE = 0.7  # share of other classes' clips that are told apart, on average

Checks = Generator[Progress, None, tuple[Confused, ...]]


@dataclass(frozen=True)
class Probe:
    """Data and settings of short trainings; `units` are those of the clips, see `data.split`.

    steps: those of each network, too few when nothing can be checked.
    """

    examples: Examples
    units: Sequence[str]
    spec: ModelSpec
    augmentation: Augmentation
    settings: Settings
    steps: int


def steps_to_check(classes: int, planned: int) -> int:
    """Return the steps of a network that checks transforms; 0: there would be too few."""
    wanted = min(max(STEPS, STEPS_PER_CLASS * classes), MAX_STEPS, int(SHARE * planned))
    return wanted if wanted >= MIN_STEPS else 0


def find_confused(probe: Probe, transform: str) -> Checks:
    """Return the pairs of classes that a transform ("mirror" or "turn") makes inseparable.

    Yields Progress. Uses torch's own generator, and restores its state.
    """
    before = torch.get_rng_state()
    targets, labels, spec = probe.examples.targets, probe.spec.labels, probe.spec
    size = min(SIDE, spec.size)
    spec = replace(spec, size=size, core=CORE, hidden=HIDDEN, gated_update="blend")
    probe = replace(probe, spec=spec)
    torch.manual_seed(probe.settings["seed"])
    halves = [(half, build(spec)) for half in _halves(probe)]
    pairs = list(combinations(range(len(labels)), 2))
    named = transform == "mirror" and any(mirror_names(*pair) for pair in combinations(labels, 2))
    early, late = slice(1), slice(1, None)
    without = yield from _predict(probe, transform, False, probe.steps, halves, early)
    later = {place for half, _ in halves[late] for place in half}
    rest = Counter(targets[_some(targets, sorted(later))].tolist())
    if named or any(_undecided(without, targets, pair, rest) for pair in pairs):
        without += yield from _predict(probe, transform, False, probe.steps, halves, late)
    shares = {pair: _separability(without[:, 0], targets, pair) for pair in pairs}
    apart = {
        pair: share
        for pair, share in shares.items()
        if share >= APART and _swapped(without[:, 1:].mean(1), targets, pair) >= SWAPPED
    }
    found, separable = [], set()
    # All classes: a network for two of them only learns where they were filmed. More steps
    # in doubtful cases: classes that are told apart late are not inseparable. The networks know
    # most of it already: from new ones the same took two and four times as many steps.
    for effort, limit in ((1, INSEPARABLE), (2, TOGETHER)) if apart else ():
        used = (yield from _predict(probe, transform, True, effort * probe.steps, halves)).mean(1)
        others = [_separability(used, targets, pair) for pair in pairs if pair not in apart]
        # A network that can hardly tell any classes apart proves nothing.
        if others and mean(others) < ABLE:
            apart = {}
            break
        together = {pair: _separability(used, targets, pair) for pair in apart}
        for pair, share in together.items():
            count = sum(int((targets == label).sum()) for label in pair)
            spread = math.sqrt((share * (1 - share) + apart[pair] * (1 - apart[pair])) / count)
            if share <= limit and apart[pair] - share >= max(GAIN, SURE * spread):
                first, second = (labels[label] for label in pair)
                found.append(Confused(transform, first, second, share, apart[pair]))
        separable |= {pair for pair, share in together.items() if share > DOUBTFUL}
        apart = {pair: apart[pair] for pair, share in together.items() if limit < share <= DOUBTFUL}
        if not apart:
            break
    if transform == "mirror":
        # What was not measured, names decide: networks of few clips separate left and right, if at
        # all, by where they were filmed, which proves nothing either way.
        known = {(pair.first, pair.second) for pair in found}
        for pair in sorted(set(pairs) - separable - set(apart)):
            names = labels[pair[0]], labels[pair[1]]
            if names not in known and mirror_names(*names):
                found.append(Confused(transform, *names, shares[pair], shares[pair]))
    torch.set_rng_state(before)
    return tuple(found)


def mirror_names(first: str, second: str) -> bool:
    """Return whether two names differ only by words such as left and right."""
    names = []
    for name in (first, second):
        name = re.sub(r"(counter|anti)[\W_]+(?=clockwise)", r"\1", name.casefold())
        names.append(re.findall(r"[^\W\d_]+|\d+", name))
    if len(names[0]) != len(names[1]) or names[0] == names[1]:
        return False
    return all(a == b or {a, b} in OPPOSITE for a, b in zip(*names, strict=True))


def _views(transform: str, augmentation: Augmentation) -> list[Tensor]:
    """Return the straight view, and its transformed ones."""
    if transform == "mirror":
        return [straight_view(), straight_view(mirrored=True)]
    turn = augmentation.rotation
    return [straight_view(), straight_view(turn), straight_view(-turn)]


def _predict(
    probe: Probe,
    transform: str,
    used: bool,
    steps: int,
    halves: Sequence[tuple[set[int], AnyNetwork]],
    which: slice = slice(None),
) -> Generator[Progress, None, Tensor]:
    """Train each network on the clips outside its half; return log-probabilities (N, views, K).

    A clip is predicted by the network of its half, if that is one of those to train. `used`:
    whether they learn with the transform.
    """
    examples = probe.examples
    augmentation = probe.augmentation
    if not used and transform == "mirror":
        augmentation = replace(augmentation, flip=False)
    elif not used:
        augmentation = replace(augmentation, rotation=min(SMALL_TURN, augmentation.rotation))
    views = _views(transform, probe.augmentation)
    answers = torch.zeros(len(examples.targets), len(views), len(probe.spec.labels))
    stage = "checking mirrored clips" if transform == "mirror" else "checking turned clips"
    for number, (half, network) in [*enumerate(halves)][which]:
        learn = [place for place in range(len(examples.targets)) if place not in half]
        torch.manual_seed(probe.settings["seed"])
        trainer = ClassifyTrainStep(
            network,
            Classify(probe.spec.labels),
            examples.some(learn),
            probe.spec,
            augmentation=augmentation,
            **probe.settings,
        )
        for step in range(steps):
            trainer.step(step / steps)
            yield Progress(stage, number * steps + step + 1, len(halves) * steps)
        compared = _some(examples.targets, sorted(half))
        windows = [_middle(examples, place, probe.spec) for place in compared]
        seen = [(window, view) for window in windows for view in views]
        outputs = trainer.look(examples, seen).log_softmax(1)
        answers[compared] = outputs.view(len(compared), len(views), -1)
    return answers


def _middle(examples: Examples, place: int, spec: ModelSpec) -> Window:
    """Return the window in the middle of a clip, at a frame whose looks are known if it has any."""
    segments, every = examples.segments[place], 1
    middle = len(segments) // 2
    if examples.looks is not None:
        every = spec.looks_every
    start = max(0, len(segments[middle]) - spec.frames) // 2
    return Window(place, middle, start // every * every)


def _halves(probe: Probe) -> list[set[int]]:
    """Return two sets of clips, whole units in each, and of each class about half.

    Units are divided in the order of their names: clips that were filmed in succession
    look alike, and a network should not recognise a clip by its place.
    """
    targets = probe.examples.targets.tolist()
    members = defaultdict(list)
    for place, unit in enumerate(probe.units):
        members[unit].append(place)
    every, seen = Counter(targets), Counter[int]()
    halves: list[set[int]] = [set(), set()]
    for unit in sorted(members, key=natural_key):
        own = Counter(targets[place] for place in members[unit])
        past = sum(n for label, n in own.items() if 2 * seen[label] + n > every[label])
        halves[2 * past > own.total()] |= set(members[unit])
        seen += own
    return [half for half in halves if half and len(half) < len(targets)]


def _some(targets: Tensor, places: Sequence[int]) -> list[int]:
    """Return at most 48 clips of each class."""
    taken, some = Counter[int](), []
    for place in places:
        label = int(targets[place])
        if taken[label] < CHECKED:
            taken[label] += 1
            some.append(place)
    return some


def _examined(answers: Tensor, targets: Tensor, label: int) -> Tensor:
    """Return the log-probabilities (n, K) of the examined clips of a class."""
    own = answers[targets == label]
    return own[own.abs().sum(1) > 0]


def _separability(answers: Tensor, targets: Tensor, pair: tuple[int, int]) -> float:
    """Return the share of two classes' clips that are told apart, from (N, K)."""
    return 1 - (_mistaken(answers, targets, *pair) + _mistaken(answers, targets, *pair[::-1])) / 2


def _swapped(answers: Tensor, targets: Tensor, pair: tuple[int, int]) -> float:
    """Return the share of clips that look like the other class, of the class with fewer of them."""
    return min(_mistaken(answers, targets, *order) for order in (pair, pair[::-1]))


def _undecided(answers: Tensor, targets: Tensor, pair: tuple[int, int], rest: Counter[int]) -> bool:
    """Return whether two classes can still be apart and swapped, whatever else is predicted.

    answers: (N, views, K); rest: number of clips of each class that are still to be predicted.
    """
    apart, swapped = 1.0, 1.0
    for own, other in (pair, pair[::-1]):
        seen = len(_examined(answers[:, 0], targets, own))
        share = seen / max(seen + rest[own], 1)
        apart -= share * _mistaken(answers[:, 0], targets, own, other) / 2
        mistaken = share * _mistaken(answers[:, 1:].mean(1), targets, own, other)
        swapped = min(swapped, mistaken + 1 - share)
    return apart >= APART and swapped >= SWAPPED


def _mistaken(answers: Tensor, targets: Tensor, own: int, other: int) -> float:
    """Return the share of a class's clips that look more like another's, 0 if none was examined.

    A clip that looks like both counts half.
    """
    rows = _examined(answers, targets, own)
    if not len(rows):
        return 0.0
    difference = rows[:, other] - rows[:, own]
    return float(((difference > 0).double() + 0.5 * (difference == 0).double()).mean())
