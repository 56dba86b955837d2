"""Motion metrics: errors compared with baselines, and whether training was of use."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from motion_fields import alone

from vidgru.tasks.motion.crps import mixed_crps
from vidgru.tasks.motion.fields import MotionPrediction
from vidgru.tasks.motion.metrics import MetricAccumulator, baselines
from vidgru.tasks.motion.network import FIELDS
from vidgru.tasks.motion.results import AHEAD
from vidgru.tasks.motion.score_tables import show_motion_evaluation, show_motion_training
from vidgru.tasks.motion.scores import (
    EndpointErrors,
    FieldScores,
    MotionEvaluation,
    MotionScores,
    MotionTrainResult,
)

Run = MotionTrainResult


def field_of(values: list[float]) -> torch.Tensor:
    """Return a field that is the same all over, and moves right at these speeds (T, 2, 2, 5)."""
    field = torch.zeros(len(values), 2, 2, 5)
    field[..., 0] = field[..., 2] = torch.tensor(values)[:, None, None]
    return field


def predicted(fields: torch.Tensor, off: float, spread: float) -> MotionPrediction:
    velocity = fields[:, None, ..., :2].repeat(1, FIELDS, 1, 1, 1)
    velocity[..., 0] += off
    return alone(velocity, torch.full(velocity.shape[:-1], spread), torch.zeros(len(fields), 2, 2))


def test_steady_motion_is_what_persistence_guesses() -> None:
    accumulator, fields = MetricAccumulator(), field_of([0.0, *[0.3] * 29])
    accumulator.add(predicted(fields, 0.1, 0.2), fields, 10.0, 200, 100)
    found = accumulator.scores()
    assert found.pieces == 1
    for field, ahead in zip(found.fields, (0.0, *AHEAD), strict=True):
        # From 1 + 0.25 * 10 on, so that acceleration is known, to the end.
        last = math.floor(29 - ahead * 10 + 1e-6)
        assert field.cells == 4 * (last - 3)
        assert field.widths is not None
        assert field.pixels is not None
        assert field.widths.model == pytest.approx(0.1)
        assert field.widths.zero == pytest.approx(0.3)
        assert field.pixels.zero == pytest.approx(60)
        if ahead:
            assert field.widths.persistence == pytest.approx(0, abs=1e-6)
            assert field.widths.acceleration == pytest.approx(0, abs=1e-6)
        else:
            assert (field.widths.persistence, field.widths.acceleration) == (None, None)
        assert field.covered == 1
        # Less than the error: the spread knows that there is one.
        one = torch.ones(())
        expected = mixed_crps(torch.full((2,), 0.1), torch.full((2,), 0.2), 0 * one, one)
        assert field.crps == pytest.approx(float(expected), rel=1e-5)
        assert field.crps < 0.1
        assert field.spread == pytest.approx(0.5)
    assert found.error == pytest.approx(0.1)
    assert found.angle == pytest.approx(0, abs=0.05)
    assert found.speed == pytest.approx(1 / 3, abs=0.001)


def test_accelerated_motion_is_what_acceleration_guesses() -> None:
    fields = field_of([0.0, *(0.1 + 0.02 * t for t in range(29))])
    accumulator = MetricAccumulator()
    accumulator.add(predicted(fields, 0.0, 0.01), fields, 10.0, 100, 100)
    for field, ahead in list(zip(accumulator.scores().fields, (0.0, *AHEAD), strict=True))[1:]:
        assert field.widths is not None
        assert field.widths.acceleration == pytest.approx(0, abs=1e-6)
        assert field.widths.persistence == pytest.approx(0.02 * 10 * ahead)
        # The prediction for now is off as much as persistence is, and more than its spread.
        assert field.widths.model == pytest.approx(0.2 * ahead)
        assert field.ratio is not None
        assert field.covered == 0
    said = baselines(fields[..., :2].double(), 10.0)
    assert said[20, 3, 2, 0, 0, 0] == pytest.approx(0.1 + 0.02 * 24)


def test_down_counts_by_the_width() -> None:
    fields = torch.zeros(20, 2, 2, 5)
    fields[1:, ..., 1] = 0.4  # heights/s
    accumulator = MetricAccumulator()
    accumulator.add(predicted(torch.zeros_like(fields), 0.0, 0.1), fields, 10.0, 100, 50)
    found = accumulator.scores()
    assert found.fields[0].pixels is not None
    assert found.fields[0].pixels.model == pytest.approx(0.4 * 50)
    assert found.speed == pytest.approx(1, abs=0.001)
    accumulator = MetricAccumulator()
    right = fields.roll(-1, -1)  # as far to the right, in widths/s
    assert right[1, 0, 0].tolist() == pytest.approx([0.4, 0, 0, 0, 0])
    accumulator.add(predicted(right, 0.0, 0.1), fields, 10.0, 100, 50)
    assert accumulator.scores().angle == pytest.approx(90, abs=0.06)


def test_clips_too_short_to_tell() -> None:
    accumulator, fields = MetricAccumulator(), field_of([0.1, 0.1])
    accumulator.add(predicted(fields, 0, 0.1), fields, 10.0, 100, 100)
    found = accumulator.scores()
    assert found.error is None
    assert (found.angle, found.speed) == (None, None)
    assert {(field.cells, field.widths, field.ratio) for field in found.fields} == {(0, None, None)}


def test_where_it_is_sure() -> None:
    # Below, it moves left in the left half, of which the model knows nothing. In the right one it
    # moves right, then left from 20 on, as the model foresees. Above, nothing moves.
    fields = torch.zeros(40, 2, 2, 5)
    fields[:, 1, 0, 0] = -0.4
    fields[:, 1, 1, 0] = torch.tensor([0.4] * 20 + [-0.4] * 20)
    fields[..., 2] = fields[..., 0]
    velocity = torch.zeros(40, FIELDS, 2, 2, 2)
    velocity[:, :, 1, :, 0] = -0.4
    spread = torch.full(velocity.shape[:-1], 0.05)
    spread[:, :, 1, 0] = 3.0
    accumulator = MetricAccumulator()
    accumulator.add(alone(velocity, spread, torch.zeros(40, 2, 2)), fields, 10.0, 100, 100)
    field = accumulator.scores().fields[3]
    # From 4 to 29: what comes before and after has no quarter of a second before, or second after.
    assert field.moving == 2 * 26
    assert field.sure == pytest.approx(26 / 52)
    errors = field.sure_widths
    assert errors is not None
    # Below 10 it is off by 0.8: the turn comes more than a second later.
    assert errors.model == pytest.approx(0.8 * 6 / 26)
    assert (errors.zero, errors.persistence) == pytest.approx((0.4, 0.8 * 10 / 26))
    assert field.sure_ratio == pytest.approx(0.6)


def test_the_ratio_is_to_the_best_guess() -> None:
    errors = EndpointErrors(0.2, 0.5, 0.4, 0.8)
    found = FieldScores(0.5, 1, errors, errors, 0.5, 1.0, 0.1)
    assert (found.ratio, found.crps_ratio) == (0.5, 0.25)
    nothing = EndpointErrors(0.2, 0.0, 0.4, 0.8)
    found = FieldScores(0.5, 1, nothing, nothing, 0.5, 1.0, 0.1)
    assert (found.ratio, found.crps_ratio) == (None, None)


def of_errors(*rows: tuple[float, ...], now: tuple[float, float] = (0.1, 0.4)) -> MotionScores:
    """Return scores of errors now, and ahead by 0.25, 0.5 ... s; model and guesses in a row."""
    errors = [EndpointErrors(*now, None, None), *(EndpointErrors(*row) for row in rows)]
    fields = [
        FieldScores(seconds, 1, each, each, None, None, None)
        for seconds, each in zip((0.0, *AHEAD), errors, strict=False)
    ]
    return MotionScores(1, tuple(fields), None, None)


BETTER, WORSE = (0.1, 0.3, 0.2, 0.4), (0.3125, 0.4, 0.25, 0.5)
NOT_USEFUL = (
    "Not useful yet: its mean error ahead on {}, 31.25 % of the width per s, is not below that "
    "of persistence, 25 %. Train longer (--minutes or --epochs) or on more clips."
)


@pytest.mark.parametrize(
    ("scores", "useful", "sentence"),
    [
        (of_errors(BETTER, BETTER, BETTER), True, ""),
        (of_errors(BETTER, BETTER, BETTER, now=(0.5, 0.4)), True, ""),
        # The prediction for now does not make up for it, however good it is.
        (of_errors(WORSE, WORSE, WORSE, now=(0.0, 9.0)), False, NOT_USEFUL.format("clips")),
        # No better than the best is not better.
        (
            of_errors((0.2, 0.2, 0.3, 0.4)),
            False,
            "Not useful yet: its mean error ahead on clips, 20 % of the width per s, is not "
            "below that of zero motion, 20 %. Train",
        ),
        (
            of_errors(BETTER, BETTER, (0.5, 0.7, 0.6, 0.4)),
            True,
            "Useful up to +0.5 s only: elsewhere a baseline has an error",
        ),
        (
            of_errors((0.19, 0.3, 0.2, 0.4), WORSE, WORSE),
            False,
            "of persistence, 23.33 %, though it is up to +0.25 s. Train longer",
        ),
        # Of clips too short for any prediction ahead.
        (of_errors(now=(0.5, 0.4)), False, "Not useful yet: its mean error now on clips, 50 % of"),
        (of_errors(), True, ""),
        (
            MotionScores(1, (FieldScores(0.0, 0, None, None, None, None, None),), None, None),
            None,
            "",
        ),
    ],
)
def test_whether_it_is_useful(
    scores: MotionScores, useful: bool | None, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = MotionEvaluation(
        model=Path("m"), folder=Path("clips"), part="all", clips=1, scores=scores,
        trained_on=0, validated_on=0, skipped=(),
    )  # fmt: skip
    assert (scores.useful, found.to_dict()["useful"]) == (useful, useful)
    show_motion_evaluation(found)
    said = " ".join(capsys.readouterr().out.split())
    assert sentence in said
    assert sentence or "seful" not in said


def test_a_test_set_shows_whether_training_was_of_use(
    learned: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = of_errors(BETTER), of_errors(WORSE)
    for validation, test, sentence in (
        (good, bad, NOT_USEFUL.format("test clips")),
        (bad, None, NOT_USEFUL.format("validation clips")),
        (bad, good, ""),
    ):
        result = replace(learned, validation=validation, test=test)
        assert result.to_dict()["useful"] is (sentence == "")
        show_motion_training(result)
        said = " ".join(capsys.readouterr().out.split())
        assert sentence in said
        assert ("Not useful yet" in said) == bool(sentence)
