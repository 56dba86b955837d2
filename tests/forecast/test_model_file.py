"""Model files of forecasts, and models of something else."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import Done
from helpers import save_model

from vidgru import TrainResult
from vidgru.core.errors import ModelError
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.forecast.model_file import load_forecast
from vidgru.tasks.forecast.network import ForecastNetwork
from vidgru.tasks.forecast.scores import ForecastTrainResult
from vidgru.tasks.forecast.spec import ForecastSpec
from vidgru.tasks.registry import load as load_any

Vidgru = Callable[..., Done]
Run = ForecastTrainResult
SPEC = ForecastSpec("forecast", "convgru", 8, 10.0, 4, 3, 32, 3)


def network(channels: int = 3, size: int = 32) -> ForecastNetwork:
    torch.manual_seed(1)
    return ForecastNetwork(size, 8, channels).eval()


def test_a_model_for_something_else(
    learned: Run, trained: TrainResult, vidgru: Vidgru, data: Path
) -> None:
    with pytest.raises(ModelError) as caught:
        load_forecast(trained.model)
    assert str(caught.value) == f"{trained.model} is a classifier: use `vidgru predict`."
    with pytest.raises(ModelError) as caught:
        load_model(learned.model)
    assert str(caught.value) == f"{learned.model} forecasts frames: use `vidgru forecast`."
    done = vidgru("predict", next(data.rglob("*.avi")), "--model", learned.run)
    assert (done.code, done.out) == (1, "")
    assert "forecasts frames: use `vidgru forecast`" in done.err


@pytest.mark.parametrize(
    "change",
    [
        {"core": "gru"}, {"hidden": 12}, {"hidden": 8.0}, {"hidden": 1 << 20}, {"frames": 0},
        {"ahead": 0}, {"ahead": 10**9}, {"size": 33}, {"size": 1 << 20}, {"channels": 2},
        {"channels": True}, {"fps": 0}, {"fps": math.inf}, {"fps": "ten"},
    ],
)  # fmt: skip
def test_a_description_that_makes_no_sense(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "strange.safetensors"
    save_model(path, network().state_dict(), replace(SPEC, **change), {})  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="is damaged"):
        load_any(path)
