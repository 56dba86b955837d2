"""Temperature, calibration error, thresholds and measures, against references written apart."""

import math
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vidgru.tasks.classify.calibration import (
    calibrate,
    calibration_error,
    choose_temperature,
    clip_probabilities,
    confidence_of_others,
    fit_confidence,
    fit_temperature,
)
from vidgru.tasks.classify.classes import Classify
from vidgru.tasks.classify.metrics import (
    accuracy_interval,
    answered,
    effective_count,
    precision_and_f1,
    top_accuracies,
)
from vidgru.tasks.classify.probabilities import choose_threshold, min_answers, prediction_of
from vidgru.tasks.classify.results import Bin
from vidgru.tasks.classify.spec import COLDEST, HOTTEST, MAX_ANSWERS, Confidence

ANSWERS = st.lists(st.tuples(st.integers(0, 8).map(lambda n: n / 8), st.booleans()), max_size=40)


def drawn(count: int, temperature: float, seed: int = 0) -> tuple[list[Tensor], Tensor]:
    """Return outputs of clips of one window, and classes drawn from their probabilities."""
    generator = torch.Generator().manual_seed(seed)
    outputs = 3 * torch.randn(count, 1, 5, generator=generator)
    shares = (outputs[:, 0] / temperature).softmax(1)
    return list(outputs), torch.multinomial(shares, 1, generator=generator)[:, 0]


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_classes_were_drawn_with_is_found(temperature: float) -> None:
    outputs, targets = drawn(4000, temperature)
    assert fit_temperature(outputs, targets) == pytest.approx(temperature, rel=0.06)
    assert calibrate(outputs, targets, fit_temperature(outputs, targets)).ece < 0.03


@pytest.mark.parametrize("temperature", [0.4, 3.0])
def test_a_temperature_that_helps_is_used(temperature: float) -> None:
    outputs, targets = drawn(400, temperature)
    assert choose_temperature(outputs, targets) == fit_temperature(outputs, targets)


def test_a_temperature_that_makes_calibration_worse_is_not_used() -> None:
    worse, kept = 0, 0
    for seed in range(30):
        outputs, targets = drawn(8, 1.0, seed)
        chosen = choose_temperature(outputs, targets)
        assert chosen in (1.0, fit_temperature(outputs, targets))
        fitted = calibrate(outputs, targets, chosen)
        assert fitted.ece <= fitted.ece_before
        kept += chosen == 1.0
        held, true = drawn(2000, 1.0, 1000 + seed)
        worse += calibrate(held, true, chosen).ece > calibrate(held, true, 1.0).ece + 0.05
    assert kept > 15
    assert worse < 8
    assert choose_temperature([], targets[:0]) == 1.0
    assert choose_temperature(outputs[:1], targets[:1]) == 1.0


def test_the_temperature_has_the_lowest_loss() -> None:
    rng = np.random.default_rng(1)
    clips = [rng.normal(0, 4, (int(rng.integers(1, 6)), 3)) for _ in range(30)]
    targets = rng.integers(0, 3, 30)

    def loss(temperature: float) -> float:
        total, surest = 0.0, []
        for clip, target in zip(clips, targets, strict=True):
            powers = np.exp(clip - clip.max(1, keepdims=True))
            mean = (powers / powers.sum(1, keepdims=True)).mean(0) ** (1 / temperature)
            mean /= mean.sum()
            total -= math.log(mean[target])
            surest.append(mean.max())
        return total - float(np.mean(np.log(surest) + np.log1p(-np.array(surest))))

    found = fit_temperature([torch.tensor(clip) for clip in clips], torch.tensor(targets))
    assert COLDEST < found < HOTTEST
    others = np.geomspace(1, 20, 400)
    best = others[np.argmin([loss(t) for t in others])]
    assert found == pytest.approx(best, rel=0.01)
    assert loss(found) <= min(loss(t) for t in others) + 1e-9


@pytest.mark.parametrize(("clips", "right"), [(24, 24), (1, 1), (40, 39), (10, 7)])
def test_few_clips_do_not_make_it_sure(clips: int, right: int) -> None:
    """Clips that are all as sure ask for the confidence of the rule of succession."""
    outputs = [torch.tensor([[2.0, -1.0]])] * clips
    targets = torch.tensor([0] * right + [1] * (clips - right))
    temperature = fit_temperature(outputs, targets)
    assert float(clip_probabilities(outputs, temperature)[0, 0]) == pytest.approx(
        (right + 1) / (clips + 2), abs=1e-5
    )
    # So two outputs that are 3 apart are divided by:
    assert temperature == pytest.approx(3 / math.log((right + 1) / (clips - right + 1)), rel=1e-4)


def test_the_temperature_stays_within_bounds() -> None:
    sure = [torch.tensor([[30.0, -30.0]])] * 9
    assert fit_temperature(sure, torch.ones(9, dtype=torch.int64)) == pytest.approx(HOTTEST)
    barely = [torch.tensor([[1e-3, -1e-3]])] * 9
    assert fit_temperature(barely, torch.zeros(9, dtype=torch.int64)) == pytest.approx(COLDEST)
    assert fit_temperature([], torch.zeros(0, dtype=torch.int64)) == 1.0
    assert fit_confidence([], torch.zeros(0, dtype=torch.int64)) == Confidence()


def test_a_clip_is_the_scaled_mean_of_its_windows() -> None:
    outputs = torch.tensor([[4.0, 0.0, 1.0], [0.0, 2.0, -1.0]])
    shares = [np.exp(row) / np.exp(row).sum() for row in outputs.double().numpy() / 2.5]
    plain = [np.exp(row) / np.exp(row).sum() for row in outputs.double().numpy()]
    mean = np.mean(plain, axis=0) ** (1 / 2.5)
    mean /= mean.sum()
    assert clip_probabilities([outputs], 2.5)[0].numpy() == pytest.approx(mean, abs=1e-12)
    times = [(0.0, 1.0), (0.5, 1.5)]
    said = prediction_of("x", ("a", "b", "c"), outputs.numpy(), times, 20, 2.5)
    assert said.probabilities == pytest.approx(mean, abs=1e-12)
    for window, row in zip(said.windows, shares, strict=True):
        assert window.probabilities == pytest.approx(row, abs=1e-12)


def test_calibration_error_by_hand() -> None:
    confidence = torch.tensor([0.5, 0.41, 0.9, 1.0, 0.99, 0.6], dtype=torch.float64)
    right = torch.tensor([True, False, True, True, False, True])
    # Bins of a fifth: 0.5 and 0.41 and 0.6 in (0.4, 0.6], the others in (0.8, 1].
    error, bins = calibration_error(confidence, right, bins=5)
    low, high = abs(1.51 / 3 - 2 / 3), abs(2.89 / 3 - 2 / 3)
    assert error == pytest.approx((3 * low + 3 * high) / 6)
    assert [one.count for one in bins] == [0, 0, 3, 0, 3]
    assert bins[0] == Bin(0.0, 0.2, 0, None, None)
    assert bins[2] == Bin(0.4, 0.6, 3, pytest.approx(1.51 / 3), pytest.approx(2 / 3))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_calibration_error(answers: list[tuple[float, bool]]) -> None:
    sure, right = zip(*answers, strict=True)
    error, bins = calibration_error(torch.tensor(sure, dtype=torch.float64), torch.tensor(right))
    assert len(bins) == 15
    expected = 0.0
    for k, one in enumerate(bins):
        assert (one.low, one.high) == (k / 15, (k + 1) / 15)
        inside = [a for a in answers if one.low < a[0] <= one.high or (k == 0 and a[0] == 0)]
        assert one.count == len(inside)
        if inside:
            expected += abs(sum(c for c, _ in inside) - sum(r for _, r in inside)) / len(answers)
    assert error == pytest.approx(expected, abs=1e-9)
    assert sum(one.count for one in bins) == len(answers)


@given(ANSWERS, st.sampled_from([0.02, 0.05, 0.1, 0.25, 0.5, 0.9]))
def test_the_threshold_is_the_smallest_that_will_do(
    answers: list[tuple[float, bool]], max_error: float
) -> None:
    fitting = []
    for threshold in {c for c, _ in answers}:
        kept = [right for c, right in answers if c >= threshold]
        if (kept.count(False) + 0.5) / (len(kept) + 1) <= max_error:
            fitting.append(threshold)
    confidence, right = [c for c, _ in answers], [r for _, r in answers]
    assert choose_threshold(confidence, right, max_error) == min(fitting, default=None)


def test_thresholds_by_hand() -> None:
    sure = [0.5 + n / 100 for n in range(24)]
    assert choose_threshold(sure, [True] * 24, 0.05) == 0.5
    # One of 24 wrong is no error of 4 %; without the least sure ones there is none.
    assert choose_threshold(sure, [False] + [True] * 23, 0.05) == 0.51
    assert choose_threshold(sure, [*[True] * 4, False, *[True] * 19], 0.05) == 0.55
    assert choose_threshold(sure, [*[True] * 14, False, *[True] * 9], 0.05) == 0.65
    assert choose_threshold(sure, [*[True] * 15, False, *[True] * 8], 0.05) is None
    assert choose_threshold([0.9] * 24, [False] + [True] * 23, 0.05) is None
    assert choose_threshold([], [], 0.05) is None


@pytest.mark.parametrize("max_error", [3e-30, 1e-100, 1e-310, 5e-324])
def test_a_limit_that_no_number_of_clips_allows_ends(max_error: float) -> None:
    assert Fraction(1, 2) / (min_answers(max_error) + 1) <= Fraction(max_error)


@pytest.mark.parametrize("max_error", [0.001, 0.01, 0.03, 0.05, 1 / 3, 0.5, 0.99])
def test_how_many_answers_it_takes(max_error: float) -> None:
    minimum = min_answers(max_error)
    sure = [0.5] * minimum
    assert choose_threshold(sure, [True] * minimum, max_error) == 0.5
    if minimum > 1:
        assert choose_threshold(sure[1:], [True] * (minimum - 1), max_error) is None


@pytest.mark.parametrize("clips", [24, 60, 120])
@pytest.mark.parametrize("base", [0.03, 0.08, 0.15])
def test_thresholds_hold_on_new_clips(clips: int, base: float) -> None:
    """Label-smoothed confidence that separates right from wrong, and the best of eight epochs."""
    rng = np.random.default_rng(0)

    def draw(count: int, epochs: int) -> tuple[np.ndarray, np.ndarray]:
        chance = rng.beta(1 - base, base, count)
        sure = np.clip(0.5 + 0.42 * chance + rng.normal(0, 0.05, count), 0, 1)
        right = rng.random(count) < chance
        best = right
        for _ in range(epochs - 1):
            again = rng.random(count) < 0.3
            right = np.where(again, rng.random(count) < chance, right)
            best = right if right.sum() >= best.sum() else best
        return sure, best

    given, wrong = 0, 0
    for _ in range(150):
        threshold = choose_threshold(*(part.tolist() for part in draw(clips, 8)), 0.05)
        if threshold is not None:
            sure, right = draw(1000, 1)
            given += int((sure >= threshold).sum())
            wrong += int((~right[sure >= threshold]).sum())
    assert given > 0.2 * 150 * 1000
    assert wrong / given <= 0.05 + 0.02


def test_what_a_model_file_keeps() -> None:
    outputs, targets = drawn(5000, 2.0)
    many = fit_confidence(outputs, targets)
    few = fit_confidence(outputs[:50], targets[:50])
    assert many.temperature == fit_temperature(outputs, targets)
    assert (len(many.answers), len(few.answers)) == (MAX_ANSWERS, 50)
    shares = clip_probabilities(outputs[:50], few.temperature).numpy()
    ranked = sorted(range(50), key=lambda k: shares[k].max())
    for (sure, right), row in zip(few.answers, ranked, strict=True):
        assert 0 <= shares[row].max() - sure < 1e-6
        assert round(sure * 1e6) / 1e6 == sure
        assert right == (shares[row].argmax() == targets[row])
    assert list(many.answers) == sorted(many.answers)
    sure, right = zip(*many.answers, strict=True)
    every = clip_probabilities(outputs, many.temperature)
    assert np.mean(sure) == pytest.approx(float(every.amax(1).mean()), abs=1e-3)
    assert np.mean(right) == pytest.approx(
        float((every.argmax(1) == targets).double().mean()), abs=5e-3
    )
    # Evenly by rank: the middle of what is kept is the middle of all.
    assert np.median(sure) == pytest.approx(float(every.amax(1).median()), abs=1e-3)


@given(st.integers(1, 300), st.data())
def test_the_interval_is_where_the_score_test_agrees(clips: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, clips))
    low, high = accuracy_interval([True] * hits + [False] * (clips - hits))
    share = hits / clips
    assert 0 <= low <= share <= high + 1e-12 <= 1 + 1e-12
    for bound in (low, high):
        if 1e-9 < bound < 1 - 1e-9:
            off = (share - bound) / math.sqrt(bound * (1 - bound) / clips)
            assert abs(off) == pytest.approx(1.959963984540054, rel=1e-6)
    assert (low == pytest.approx(0, abs=1e-9)) == (hits == 0)
    assert (high == pytest.approx(1, abs=1e-9)) == (hits == clips)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=60))
def test_clips_of_a_group_count_as_fewer(clips: list[tuple[int, bool]]) -> None:
    groups, right = [str(g) for g, _ in clips], [r for _, r in clips]
    found = effective_count(right, groups)
    share, number = sum(right) / len(right), len(set(groups))
    assert number <= found <= len(right)
    if share in (0, 1):
        assert found == number
    elif number > 1:
        residuals: dict[str, float] = defaultdict(float)
        for group, good in zip(groups, right, strict=True):
            residuals[group] += (good - share) / len(right)
        variance = number / (number - 1) * sum(r * r for r in residuals.values())
        effect = variance / (share * (1 - share) / len(right))
        wanted = len(right) / effect if effect > 0 else math.inf
        assert found == pytest.approx(min(max(wanted, number), len(right)))
    low, high = accuracy_interval(right, groups)
    plain = accuracy_interval(right)
    assert high - low >= plain[1] - plain[0] - 1e-12


def test_groups_that_hang_together_and_groups_that_do_not() -> None:
    groups = [str(k // 10) for k in range(200)]
    process_group = [k // 10 % 4 != 0 for k in range(200)]
    assert effective_count(process_group, groups) == 20
    apart = [k % 10 != 0 for k in range(200)]
    assert effective_count(apart, groups) == 200
    chance = np.random.default_rng(0).random(20_000) < 0.7
    found = effective_count(chance.tolist(), [str(k // 4) for k in range(20_000)])
    assert found > 0.95 * 20_000
    assert effective_count(process_group, None) == 200
    assert effective_count([True, False], ["one", "one"]) == 1


def test_precision_f1_and_top() -> None:
    rng = np.random.default_rng(0)
    shares = torch.tensor(rng.dirichlet(np.ones(6), 50))
    shares[:, 4] = 0  # never the answer
    targets = torch.tensor(rng.integers(0, 4, 50))  # 4 and 5 never true
    scores = Classify("abcdef").scores(shares, targets)
    precision, f1 = precision_and_f1(scores)
    said = shares.argmax(1)
    for k, label in enumerate("abcdef"):
        hits = sum(s == t == k for s, t in zip(said.tolist(), targets.tolist(), strict=True))
        answers, true = said.tolist().count(k), targets.tolist().count(k)
        assert precision[label] == (hits / answers if answers else None)
        if label == "e":
            assert f1[label] is None
        elif hits == 0:
            assert f1[label] == 0
        else:
            p, r = hits / answers, hits / true
            assert f1[label] == pytest.approx(2 * p * r / (p + r))
    top = top_accuracies(shares, targets)
    assert list(top) == [1, 2, 3, 5]
    for k, value in top.items():
        inside = [
            int(t) in sorted(range(6), key=lambda c, row=row: -row[c])[:k]
            for row, t in zip(shares.tolist(), targets, strict=True)
        ]
        assert value == pytest.approx(np.mean(inside))
    assert list(top_accuracies(shares[:, :2], targets % 2)) == [1]
    assert list(top_accuracies(shares[:, :3], targets % 3)) == [1, 2]


def test_what_is_left_above_a_threshold() -> None:
    confidence = torch.tensor([0.5, 0.6, 0.7, 0.8], dtype=torch.float64)
    right = torch.tensor([False, True, False, True])
    left = answered(confidence, right, 0.6, 0.05)
    assert (left.answered, left.share, left.error) == (3, 0.75, pytest.approx(1 / 3))
    nothing = answered(confidence, right, None, 0.05)
    assert (nothing.answered, nothing.share, nothing.error) == (0, 0.0, None)
    assert answered(confidence, right, 0.9, 0.05).error is None


def test_each_fold_gets_what_the_others_fitted() -> None:
    one = Confidence(1.0, ((0.9, True),), 2.0)
    two = Confidence(4.0, ((0.5, False), (0.7, True)), None)
    three = Confidence(9.0, ((0.6, True),), 8.0)
    first, second, third = confidence_of_others([one, two, three])
    assert (first.temperature, first.windows) == (pytest.approx(6), pytest.approx(8))
    assert first.answers == ((0.5, False), (0.6, True), (0.7, True))
    assert (second.temperature, second.windows) == (pytest.approx(3), pytest.approx(4))
    assert third.answers == ((0.5, False), (0.7, True), (0.9, True))
    assert confidence_of_others([three]) == [Confidence()]
