"""Reads model files of forecasting models."""

from pathlib import Path
from typing import Any

from vidgru.core.values import are_whole, is_number
from vidgru.engine.model_file import Loaded
from vidgru.nn.choices import MAP_CORE, MAP_SIZES
from vidgru.tasks.forecast.network import ForecastNetwork
from vidgru.tasks.forecast.spec import FORECAST_HIDDENS, MAX_AHEAD, ForecastSpec
from vidgru.tasks.registry import load

LoadedForecast = Loaded[ForecastNetwork, ForecastSpec]


def load_forecast(path: Path) -> LoadedForecast:
    """Read the model file or run folder of a forecasting model; raises ModelError."""
    found: LoadedForecast = load(path, "forecast")
    return found


def read_spec(content: dict[str, Any]) -> ForecastSpec | None:
    """Return the spec in an untrusted header of such a model, None where it is invalid."""
    spec = ForecastSpec(**content["spec"])
    sound = (
        spec.core == MAP_CORE
        and are_whole(spec.hidden, spec.frames, spec.ahead, spec.size, spec.channels)
        and spec.hidden in FORECAST_HIDDENS
        and 1 <= spec.frames <= 512
        and 1 <= spec.ahead <= MAX_AHEAD
        and spec.size in MAP_SIZES
        and spec.channels in (1, 3)
        and is_number(spec.fps, 1e-12, 1000)
    )
    return spec if sound else None
