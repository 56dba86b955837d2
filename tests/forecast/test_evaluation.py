"""Whether a training was of use, and `vidgru evaluate` with models of forecasts."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import Done
from forecast_clips import ball
from numpy.typing import NDArray

from vidgru import evaluate
from vidgru.core.errors import DataError, OptionError
from vidgru.core.results import Failure
from vidgru.tasks.forecast.model_file import load_forecast
from vidgru.tasks.forecast.score_tables import show_forecast_evaluation, show_forecast_training
from vidgru.tasks.forecast.scores import (
    ForecastEvaluation,
    ForecastScores,
    ForecastTrainResult,
    FrameErrors,
    HorizonScores,
)
from vidgru.terminal.results import figure

Vidgru = Callable[..., Done]
Run = ForecastTrainResult


# Whether it is of use.


def of_errors(*rows: tuple[float, float, float]) -> ForecastScores:
    """Return scores of MSEs of the model, a copy and a linear guess, a frame ahead in a row."""
    horizons = [
        HorizonScores(number, number / 10, *(FrameErrors(mse, 0, 0, 0) for mse in row))
        for number, row in enumerate(rows, 1)
    ]
    return ForecastScores(1, tuple(horizons))


BETTER, WORSE = (1.0, 2.0, 3.0), (3.125, 2.5, 4.0)
NOT_USEFUL = (
    "Not useful yet: its mean MSE on {}, 3.125, is not below that of the last frame repeated, 2.5. "
    "Train longer (--minutes or --epochs) or on more clips."
)


@pytest.mark.parametrize(
    ("scores", "useful", "sentence"),
    [
        (of_errors(BETTER, BETTER), True, ""),
        (of_errors(WORSE, WORSE), False, NOT_USEFUL.format("clips")),
        # No better than the best is not better.
        (
            of_errors((2000, 3000, 2000)),
            False,
            "Not useful yet: its mean MSE on clips, 2,000, is not below that of pixels "
            "changing on linearly, 2,000. Train",
        ),
        (
            of_errors(WORSE, BETTER, BETTER),
            True,
            "Useful from +2 on only: elsewhere a baseline has an MSE as low or lower.",
        ),
        (of_errors(BETTER, BETTER, (2.1, 2, 3)), True, "Useful up to +2 only: elsewhere"),
        (of_errors(BETTER, WORSE, BETTER, WORSE), True, "Useful at +1, +3 only: elsewhere"),
        (of_errors(WORSE, (0.1, 2, 3), WORSE), True, "Useful at +2 only: elsewhere"),
        (of_errors(WORSE, WORSE, BETTER), False, "repeated, 2.333, though it is from +3 on. Train"),
        (
            of_errors((2, 9, 1), (2, 1, 9)),
            True,
            "Useful on average, but at each step a baseline has an MSE as low or lower.",
        ),
    ],
)
def test_whether_it_is_useful(
    scores: ForecastScores, useful: bool, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ForecastEvaluation(
        model=Path("m"), folder=Path("clips"), part="all", clips=1, scores=scores,
        trained_on=0, validated_on=0, skipped=(),
    )  # fmt: skip
    assert (scores.useful, found.to_dict()["useful"]) == (useful, useful)
    show_forecast_evaluation(found)
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
        show_forecast_training(result)
        said = " ".join(capsys.readouterr().out.split())
        assert sentence in said
        assert ("Not useful yet" in said) == bool(sentence)


def test_figures_have_no_exponents() -> None:
    assert [figure(value) for value in (0.01234, 12.345, 999.96, 123456.7)] == [
        "0.01234", "12.35", "1000", "123,457"
    ]  # fmt: skip


# Evaluation.


def test_evaluating_on_what_was_not_learned(learned: Run, films: Path, vidgru: Vidgru) -> None:
    done = vidgru("evaluate", films, "--model", learned.run, "--json")
    found = json.loads(done.out)
    assert (found["clips"], found["trained_on"], found["validated_on"]) == (2, 8, 2)
    assert "Left out 8 of 10 clips" in done.err
    # The same clips, the same weights.
    for kind, mean in found["scores"]["mean"].items():
        wanted = asdict(learned.validation.mean(kind))
        assert mean == pytest.approx(wanted, rel=1e-4)


def test_evaluating_new_clips_by_hand(learned: Run, tmp_path: Path) -> None:
    path = ball(tmp_path / "new" / "one.avi", 99, 7)
    result = evaluate(path.parent, learned.run)
    frames = np.stack([frame for frame in read_frames(path)])[None]
    clip = torch.from_numpy(frames).permute(0, 1, 4, 2, 3) / 255
    with torch.no_grad():
        predicted = load_forecast(learned.run).network(clip[:, :4], 3)
    wanted = (predicted - clip[:, 4:]).square().sum((0, 2, 3, 4))
    found = [horizon.model.mse for horizon in result.scores.horizons]  # type: ignore[union-attr]
    assert found == pytest.approx(wanted.tolist(), rel=1e-4)


def read_frames(path: Path) -> list[NDArray[np.uint8]]:
    video, frames = cv2.VideoCapture(str(path)), []
    while (read := video.read())[0]:
        frames.append(np.asarray(read[1], np.uint8)[..., ::-1])
    return frames


def test_evaluating_with_options_for_classes(learned: Run, films: Path) -> None:
    with pytest.raises(OptionError) as caught:
        evaluate(films, learned.run, max_error=0.1)
    assert str(caught.value) == (
        "max_error is for classes only: leave it out with a forecasting model."
    )


def test_evaluating_clips_too_short(learned: Run, tmp_path: Path) -> None:
    short = ball(tmp_path / "short" / "one.avi", 99, 6)
    with pytest.raises(DataError) as caught:
        evaluate(tmp_path / "short", learned.run)
    assert str(caught.value) == (
        f"No clip in {tmp_path / 'short'} has the 7 frames that it takes to measure the model."
    )
    ball(tmp_path / "short" / "two.avi", 98)
    found = evaluate(tmp_path / "short", learned.run)
    assert found.skipped == (Failure(str(short), f"{short} has fewer than 7 frames."),)
