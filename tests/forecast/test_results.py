"""The mean over forecasts, and the filmstrip that shows one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from forecast_models import SIZE
from numpy.typing import NDArray

from vidgru.tasks.forecast.results import Forecast, ForecastFrame, mean_scores
from vidgru.tasks.forecast.scores import FrameErrors
from vidgru.tasks.forecast.strip import error_colors, film_strip

Frames = NDArray[np.uint8]


def frame_with(number: int, value: float | None) -> ForecastFrame:
    if value is None:
        return ForecastFrame(number, number / 10)
    found = [FrameErrors(value * k, 0, 0, value + k) for k in (1, 2, 3)]
    return ForecastFrame(number, number / 10, *found)


def test_the_mean_over_several_forecasts() -> None:
    long, other = [[frame_with(n, v * n) for n in (1, 2)] for v in (1, 3)]
    short = [frame_with(1, 100), frame_with(2, None)]
    none = [frame_with(1, None), frame_with(2, None)]
    scores = mean_scores([long, short, none, other], 10)
    assert scores is not None
    assert scores.windows == 2
    assert [(h.frame, h.seconds) for h in scores.horizons] == [(1, 0.1), (2, 0.2)]
    assert [h.model.mse for h in scores.horizons] == [2, 4]
    assert [h.linear.psnr for h in scores.horizons] == [5, 7]
    only = mean_scores([short, none], 10)
    assert only is not None
    assert [h.copy.mse for h in only.horizons] == [200]
    assert mean_scores([none], 10) is mean_scores([], 10) is None


def made_up(frames: int, ahead: int, ground_truth: int, channels: int = 3, **changes: Any) -> Forecast:
    """Return a forecast of plain frames: seen 0.2, forecast 0.6, came 0.5."""
    predicted = Forecast(
        source="x", at=(frames - 1) / 10, fps=10, width=SIZE, height=SIZE, model="m",
        context=tuple(n / 10 for n in range(frames)),
        frames=tuple(ForecastFrame(n, (frames - 1 + n) / 10) for n in range(1, ahead + 1)),
        shown=np.full((frames, SIZE, SIZE, channels), 0.2, np.float32),
        predicted=np.full((ahead, SIZE, SIZE, channels), 0.6, np.float32),
        ground_truth=np.full((ground_truth, SIZE, SIZE, channels), 0.5, np.float32),
    )  # fmt: skip
    return replace(predicted, **changes)


def count_cells(strip: Frames, color: Any, cell: int) -> float:
    return float((strip == np.array(color)).all(axis=-1).sum() / cell)


@pytest.mark.parametrize(
    ("frames", "ahead", "came", "cells"),
    [(4, 3, 3, (4, 3, 3)), (10, 10, 5, (4, 10, 5)), (1, 40, 0, (1, 10, 0)),
     (30, 19, 19, (4, 10, 10)), (2, 1, 1, (2, 1, 1)), (4, 30, 1, (4, 10, 1))],
)  # fmt: skip
def test_what_a_filmstrip_shows(
    frames: int, ahead: int, ground_truth: int, cells: tuple[int, int, int]
) -> None:
    strip, cell = film_strip(made_up(frames, ahead, ground_truth)), 128 * 128
    (error,) = error_colors(np.full((1, 1), 0.1))[0]
    found = [count_cells(strip, [level] * 3, cell) for level in (51, 153, 128)]
    # Letters hold a few pixels of any grey.
    assert found == pytest.approx(cells, abs=0.02)
    assert count_cells(strip, error, cell) == pytest.approx(cells[2], abs=0.02)
    rows = 3 if ground_truth else 1
    assert abs(strip.shape[0] - rows * 134) < 40
    outputs = [np.argwhere((strip == level).all(axis=-1)) for level in (51, 153)]
    assert outputs[0].max(axis=0)[1] < np.median(outputs[1], axis=0)[1]  # seen, then forecast
    column = strip[26::134, outputs[1].max(axis=0)[1] - 134 * (cells[1] - 1), 0]
    assert column.tolist() == ([128, 153, error[0]] if ground_truth else [153])


def test_the_columns_of_a_filmstrip() -> None:
    """Evenly picked, always with the last frame seen and the first and last ones forecast."""
    shown = np.linspace(0, 1, 12, dtype=np.float32)[:, None, None, None]
    predicted = np.linspace(0, 1, 30, dtype=np.float32)[:, None, None, None]
    ones = np.ones((1, SIZE, SIZE, 1), np.float32)
    strip = film_strip(made_up(12, 30, 0, 1, shown=shown * ones, predicted=predicted * ones))
    row = [int(v) for v in strip[strip.shape[0] // 2, :, 0]]
    runs = [v for n, v in enumerate(row[:-59]) if len(set(row[n : n + 60])) == 1]
    ground = 48
    levels = [v for n, v in enumerate(runs) if (n == 0 or runs[n - 1] != v) and v != ground]
    assert levels == [0, 93, 162, 255] + [
        round(255 * n / 29) for n in (0, 3, 6, 10, 13, 16, 19, 23, 26, 29)
    ]


@pytest.mark.parametrize(
    ("width", "height", "cell"),
    [(64, 64, (128, 128)), (1920, 1080, (171, 96)), (9, 16, (96, 171)), (5000, 1, (256, 64))],
)
def test_the_shape_of_a_filmstrip(width: int, height: int, cell: tuple[int, int]) -> None:
    strip = film_strip(made_up(1, 1, 0, width=width, height=height))
    ys, xs = np.nonzero((strip == 153).all(axis=-1))
    big = np.abs(np.array([np.ptp(xs) + 1, np.ptp(ys) + 1]) - cell)
    assert big.max() <= 1


def test_small_pictures_are_not_blurred() -> None:
    checks = (np.indices((1, SIZE, SIZE)).sum(axis=0) % 2).astype(np.float32)[..., None]
    strip = film_strip(made_up(1, 1, 0, 1, shown=checks, predicted=checks, width=20, height=20))
    row = strip[strip.shape[0] // 2, -134:-6, 0]
    assert (
        row.tolist() == (([0] * 4 + [255] * 4) * 16)[:128]
        or row.tolist() == (([255] * 4 + [0] * 4) * 16)[:128]
    )
