"""Which classes are trained on mirrored and turned clips, decided on held-out clips."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import made_sets
import numpy as np
import pytest
import torch

from vidgru.core.results import run_to_end
from vidgru.data.augment import AUGMENTATIONS
from vidgru.tasks.classify import transforms
from vidgru.tasks.classify.build import build
from vidgru.tasks.classify.classes import Classify
from vidgru.tasks.classify.results import Confused
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.tasks.classify.train_step import ClassifyTrainStep, Examples, Window
from vidgru.tasks.classify.transforms import Probe, find_confused, steps_to_check

LABELS = ("a", "b", "c")
Answer = Callable[[int, bool, bool, int], list[float]]


def probe(labels: tuple[str, ...], clips: int, **changes: object) -> Probe:
    """Return a probe of so many clips a class, each of one colour, its number."""
    count = clips * len(labels)
    segments = [np.full((1, 6, 24, 24, 3), number, np.uint8) for number in range(count)]
    spec = ModelSpec(
        task="classify", labels=labels, core="gru", hidden=128, encoder="cnn", size=24,
        input="both", fps=10.0, frames=6, gated_update="blend",
    )  # fmt: skip
    found = Probe(
        Examples(segments, torch.arange(len(labels)).repeat_interleave(clips)),
        [str(number) for number in range(count)],
        spec,
        AUGMENTATIONS["light"],
        {"batch_size": 2, "lr": 1e-2, "seed": 0, "device": torch.device("cpu")},
        1,
    )
    return replace(found, **changes)


def answering(monkeypatch: pytest.MonkeyPatch, clips: int, answer: Answer) -> list[set[int]]:
    """Let networks answer so: class, mirrored?, trained mirrored?, clip. Return training clips.

    A clip that a network predicts must not be one that it was trained on.
    """
    learned: list[set[int]] = []

    def step(self: ClassifyTrainStep, done: float) -> float:
        return 0.0

    def look(
        self: ClassifyTrainStep, examples: Examples, seen: list[tuple[Window, torch.Tensor]]
    ) -> torch.Tensor:
        own = {int(segments[0, 0, 0, 0, 0]) for segments in self.examples.segments}
        learned.append(own)
        rows = []
        for window, view in seen:
            number = int(examples.segments[window.clip][window.segment][0, 0, 0, 0])
            assert number not in own
            transformed = bool(view[:, :2].det() < 0) or abs(float(view[0, 1])) > 0.3
            flips = self.augmentation.flip and self.augmentation.rotation <= 40
            rows.append(answer(number // clips, transformed, flips, number))
        return torch.tensor(rows)

    monkeypatch.setattr(ClassifyTrainStep, "step", step)
    monkeypatch.setattr(ClassifyTrainStep, "look", look)
    return learned


def one_hot(label: int) -> list[float]:
    return [5.0 if label == k else 0.0 for k in range(3)]


def mirror_images(label: int, mirrored: bool, used: bool, number: int) -> list[float]:
    """Answer as for a and b that are each other's mirror images."""
    if label == 2:
        return one_hot(2)
    if used:
        return [1.0, 1.0, 0.0]
    return one_hot(1 - label if mirrored else label)


def test_mirror_images_of_each_other_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    learned = answering(monkeypatch, 12, mirror_images)
    found = run_to_end(find_confused(probe(LABELS, 12), "mirror"))
    assert found == (Confused("mirror", "a", "b", 0.5, 1.0),)
    # One half of each class, in the order of their names, then the other.
    late = {number for number in range(36) if number % 12 >= 6}
    assert learned == [late, set(range(36)) - late] * 2


def chance_link(label: int, mirrored: bool, used: bool, number: int) -> list[float]:
    """Answer as for a that goes right in all clips and b that goes left, told apart otherwise."""
    if used:
        return one_hot(label if number % 5 else (label + 1) % 3)
    return one_hot(1 - label if mirrored and label < 2 else label)


def hard(label: int, mirrored: bool, used: bool, number: int) -> list[float]:
    """Answer as for a and b that mirroring makes harder, whose mirror images are nobody's."""
    if label < 2 and used:
        return [1.0, 1.0, 0.0]
    return one_hot(label)


def hopeless(label: int, mirrored: bool, used: bool, number: int) -> list[float]:
    """Answer as for a and b that nothing can tell apart."""
    return [1.0, 1.0, 0.0] if label < 2 else one_hot(2)


@pytest.mark.parametrize("answer", [chance_link, hard, hopeless])
def test_others_keep_their_mirrored_clips(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    answering(monkeypatch, 12, answer)
    assert run_to_end(find_confused(probe(LABELS, 12), "mirror")) == ()


@pytest.mark.parametrize(
    ("answer", "found"),
    [(hopeless, [(0.5, 0.5)]), (hard, [(1.0, 1.0)]), (mirror_images, [(0.5, 1.0)]),
     (chance_link, [])],
)  # fmt: skip
def test_names_decide_only_what_clips_do_not_show(
    answer: Answer, found: list[tuple[float, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, 12, answer)
    labels = ("turn left", "Turn_right", "c")
    pairs = run_to_end(find_confused(probe(labels, 12), "mirror"))
    assert pairs == tuple(Confused("mirror", *labels[:2], *shares) for shares in found)
    assert [pair.by_name for pair in pairs] == [answer in (hopeless, hard)] * len(pairs)


@pytest.mark.parametrize(
    ("first", "second", "mirrored"),
    [("left", "right", True), ("turn_left2", "Turn RIGHT 2", True), ("links", "Rechts", True),
     ("clockwise", "counter-clockwise", True), ("left", "left", False), ("left", "up", False),
     ("turn_left2", "turn_right3", False), ("left hand", "right foot", False),
     ("left", "on the right", False), ("copyright", "copyleft", False), ("", "left", False)],
)  # fmt: skip
def test_names_of_mirror_images(first: str, second: str, mirrored: bool) -> None:
    assert transforms.mirror_names(first, second) == mirrored
    assert transforms.mirror_names(second, first) == mirrored


def test_nothing_more_is_trained_where_all_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    learned = answering(monkeypatch, 12, lambda label, *_: one_hot(label))
    assert run_to_end(find_confused(probe(LABELS, 12), "mirror")) == ()
    assert len(learned) == 1


def test_a_difference_that_may_be_chance_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(label: int, mirrored: bool, used: bool, number: int) -> list[float]:
        """Answer so that with mirrored clips three of ten are predicted as the other class."""
        if used and label < 2:
            return one_hot(1 - label if number % 10 < 3 else label)
        return mirror_images(label, mirrored, False, number)

    answering(monkeypatch, 10, answer)  # 0.7 of 20 clips, for 1.0
    assert len(run_to_end(find_confused(probe(LABELS, 10), "mirror"))) == 1

    def seldom(label: int, mirrored: bool, used: bool, number: int) -> list[float]:
        """Answer as for mirror images; one of each is wrong without mirrored clips, too."""
        wrong = not used and number in (0, 4)
        return one_hot(1 - label) if wrong else mirror_images(label, mirrored, used, number)

    answering(monkeypatch, 4, seldom)  # 0.5 of 8 clips, for 0.75
    assert run_to_end(find_confused(probe(LABELS, 4), "mirror")) == ()
    named = run_to_end(find_confused(probe(("left", "right", "c"), 4), "mirror"))
    assert named == (Confused("mirror", "left", "right", 0.75, 0.75),)


@pytest.mark.parametrize(("later", "found"), [(4, 0), (6, 1)])
def test_doubtful_pairs_are_checked_again(
    later: int, found: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of twenty clips, seven are predicted as the other class, then four (told apart) or six."""
    asked = []

    def look(
        self: ClassifyTrainStep, examples: Examples, seen: list[tuple[Window, torch.Tensor]]
    ) -> torch.Tensor:
        asked.append(self.steps)
        wrong = 7 if len(asked) <= 4 else later
        rows = []
        for window, view in seen:
            segment = examples.segments[window.clip][window.segment]
            label, number = divmod(int(segment[0, 0, 0, 0]), 20)
            answer = mirror_images(label, bool(view[:, :2].det() < 0), False, 0)
            if self.augmentation.flip and label < 2:
                answer = one_hot(1 - label if number < wrong else label)
            rows.append(answer)
        return torch.tensor(rows)

    def step(self: ClassifyTrainStep, done: float) -> float:
        self.steps += 1
        return 0.0

    monkeypatch.setattr(ClassifyTrainStep, "step", step)
    monkeypatch.setattr(ClassifyTrainStep, "look", look)
    assert len(run_to_end(find_confused(probe(LABELS, 20, steps=3), "mirror"))) == found
    assert asked == [3, 3, 3, 3, 6, 6]


def test_networks_that_tell_nothing_apart_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(label: int, mirrored: bool, used: bool, number: int) -> list[float]:
        return [1.0, 1.0, 1.0] if used else mirror_images(label, mirrored, used, number)

    answering(monkeypatch, 12, answer)
    assert run_to_end(find_confused(probe(LABELS, 12), "mirror")) == ()
    named = ("left", "right", "c")
    found = run_to_end(find_confused(probe(named, 12), "mirror"))
    assert found == (Confused("mirror", "left", "right", 1.0, 1.0),)  # by their names


def test_clips_of_one_unit_are_never_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    learned = answering(monkeypatch, 12, mirror_images)
    units = [str(number % 12 // 3) for number in range(36)]
    run_to_end(find_confused(probe(LABELS, 12, units=units), "mirror"))
    for own in learned:
        taken = {units[number] for number in own}
        assert taken in ({"0", "1"}, {"2", "3"})
        assert len(own) == 18


def test_far_turned_clips_are_checked_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def look(
        self: ClassifyTrainStep, examples: Examples, asked: list[tuple[Window, torch.Tensor]]
    ) -> torch.Tensor:
        seen.append(self.augmentation.rotation)
        far = [abs(float(view[0, 1])) > 0.3 for _, view in asked]
        labels = [int(examples.segments[w.clip][0][0, 0, 0, 0]) // 12 for w, _ in asked]
        return torch.tensor(
            [
                mirror_images(label, turned, self.augmentation.rotation > 8, 0)
                for label, turned in zip(labels, far, strict=True)
            ]
        )

    monkeypatch.setattr(ClassifyTrainStep, "step", lambda self, done: 0.0)
    monkeypatch.setattr(ClassifyTrainStep, "look", look)
    strong = probe(LABELS, 12, augmentation=AUGMENTATIONS["strong"])
    found = run_to_end(find_confused(strong, "turn"))
    assert found == (Confused("turn", "a", "b", 0.5, 1.0),)
    assert seen == [8, 8, 40, 40]


def test_the_same_seed_decides_alike_and_leaves_torch_as_it_was() -> None:
    small = probe(("a", "b"), 4, steps=2)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    answers = []
    for _ in range(2):
        networks = [(half, build(small.spec)) for half in transforms._halves(small)]
        answers.append(run_to_end(transforms._predict(small, "mirror", True, 2, networks)))
        torch.manual_seed(3)
    assert torch.equal(*answers)
    torch.set_rng_state(before)
    run_to_end(find_confused(small, "mirror"))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_short_training_is_not_held_up() -> None:
    assert steps_to_check(6, 800) == 120
    assert steps_to_check(6, 300) == 0
    assert steps_to_check(20, 5000) == 240
    assert steps_to_check(100, 9000) == 600
    assert steps_to_check(6, 600) == 90


def test_left_and_right_are_found_in_drawn_clips(tmp_path: Path) -> None:
    """A real one: places at the left and at the right are mirror images, top and bottom are not."""
    labels, segments, targets = ("bottom", "left", "right"), [], []
    for plan in made_sets.plans("places", "train", 0, 10):
        if plan.label in labels:
            frames = np.stack(made_sets.render("places", plan)[:16])
            small = np.stack([frame[::3, ::4] for frame in frames])[:, :24, :24]
            segments.append(np.ascontiguousarray(small)[None])
            targets.append(labels.index(plan.label))
    count = len(targets)
    asked = probe(labels, 1, steps=30)
    asked = replace(
        asked,
        examples=Examples(segments, torch.tensor(targets)),
        units=[str(number) for number in range(count)],
        spec=replace(asked.spec, size=24, frames=12),
        settings={**asked.settings, "batch_size": 16, "lr": 3e-3},
    )
    found = run_to_end(find_confused(asked, "mirror"))
    assert [(pair.first, pair.second) for pair in found] == [("left", "right")]


def test_classify_knows_its_smallest_loss() -> None:
    from vidgru.tasks.classify.classes import smallest_loss

    task = Classify(LABELS)
    targets = torch.tensor([0, 1, 2])
    smoothed = torch.full((3, 3), 0.1 / 3) + 0.9 * torch.eye(3)
    weights = task.weights(targets)
    best = float(task.loss(smoothed.log()[:, None].double(), targets, weights.double()))
    assert smallest_loss(3) == pytest.approx(best, abs=1e-6)
    assert smallest_loss(2) == pytest.approx(0.19852, abs=1e-5)


def test_the_second_half_is_predicted_only_where_it_can_change_what_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answers(swapped: int) -> Answer:
        def answer(label: int, mirrored: bool, used: bool, number: int) -> list[float]:
            return mirror_images(label, mirrored and number % 12 < swapped, used, number)

        return answer

    # Of 12 clips 8 must look like the other class: 2 of the first 6, and all of the rest.
    for swapped, halves in ((0, 1), (1, 1), (2, 2)):
        learned = answering(monkeypatch, 12, answers(swapped))
        progress = list(find_confused(probe(LABELS, 12), "mirror"))
        assert len(learned) == len(progress) == halves
        assert progress[-1].total == 2


def test_what_is_found_is_the_same_as_by_both_halves_always(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learned, found = list[int](), list[tuple[Confused, ...]]()
    for seed in range(40):

        def answer(
            label: int, mirrored: bool, used: bool, number: int, seed: int = seed
        ) -> list[float]:
            random = np.random.default_rng([seed, number, mirrored])
            wrong = random.random() < (0.3 + 0.02 * seed if mirrored else 0.1)
            return mirror_images(label, wrong, used, number)

        for always in (False, True):
            with monkeypatch.context() as patch:
                if always:
                    patch.setattr(transforms, "_undecided", lambda *_: True)
                networks = answering(patch, 12, answer)
                found.append(run_to_end(find_confused(probe(LABELS, 12), "mirror")))
                learned.append(len(networks))
    assert found[::2] == found[1::2]
    assert {len(pairs) for pairs in found} == {0, 1}
    assert learned.count(1) > 5
