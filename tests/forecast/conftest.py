"""Fixtures of models and trainings of forecasts."""

from pathlib import Path

import pytest
from forecast_clips import ball
from forecast_models import SIZE, SPEC, make_model, network
from helpers import noise, save_model, write_clip

from vidgru import train
from vidgru.tasks.forecast.model import ForecastModel
from vidgru.tasks.forecast.scores import ForecastTrainResult

Run = ForecastTrainResult


@pytest.fixture
def model() -> ForecastModel:
    return make_model()


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "model" / "forecast.safetensors"
    save_model(path, network().state_dict(), SPEC, {})
    return path


@pytest.fixture
def square(tmp_path: Path) -> Path:
    """Return a lossless clip of 12 frames of the model's own size, at its rate."""
    return write_clip(tmp_path / "square.avi", noise(12, SIZE, SIZE), 10)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of ten clips at two depths; not to be changed."""
    root = tmp_path_factory.mktemp("films") / "films"
    for number in range(10):
        ball(root / ("a" if number % 2 else "") / f"{number}.avi", number)
    return root


@pytest.fixture(scope="session")
def learned(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return what a short training made; tests must not change its run folder."""
    place = tmp_path_factory.mktemp("learned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGRU_CACHE", str(place / "cache"))
        return train(
            films, task="forecast", size=32, frames=4, ahead=3, batch_size=4, threads=1, epochs=30,
            out=str(place / "run"),
        )  # fmt: skip
