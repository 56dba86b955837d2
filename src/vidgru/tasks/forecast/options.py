"""What can be set where frames are forecast."""

from dataclasses import dataclass
from typing import ClassVar

from vidgru.core.options import option
from vidgru.engine.model_config import ModelConfig
from vidgru.engine.train_config import MapTrainConfig
from vidgru.tasks.contract import About
from vidgru.tasks.forecast.spec import AHEAD, CONTEXT, FORECAST_SIZE, MAX_AHEAD


@dataclass(frozen=True)
class ForecastTrainConfig(MapTrainConfig):
    """How `train` learns to forecast frames. None means: chosen from the data."""

    defaults: ClassVar = {
        "size": f"to forecast {FORECAST_SIZE}",
        "frames": f"to forecast {CONTEXT} that are seen, or fewer where clips are short",
        "fps": "to forecast their own up to 30",
    }
    min_frames: ClassVar = 1

    task: str = option("forecast", "What to learn.", choices=("forecast",))
    ahead: int | None = option(
        None,
        f"Frames to learn to forecast. Default: {AHEAD}, or fewer where clips are short.",
        low=1,
        high=MAX_AHEAD,
        metavar="N",
    )
    grey: bool | None = option(
        None, "Forecast shades of grey. Default: where all clips are grey already."
    )


@dataclass(frozen=True)
class ForecastConfig(ModelConfig):
    """What `forecast` forecasts of each video."""

    model: str | None = option(
        None,
        "Run folder or model file of `vidgru train --task forecast`. Default: the newest such run"
        " in ./runs.",
        metavar="RUN",
    )
    ahead: int | None = option(
        None,
        "Frames to forecast, at the rate that the model learned. Default: as many as it learned to.",
        low=1,
        high=MAX_AHEAD,
        metavar="N",
    )
    at: tuple[float, ...] = option(
        (),
        "Forecast what comes after this second; give several for an error curve. Default: what comes"
        " after the end.",
        low=0,
        metavar="SECONDS",
    )
    out: str | None = option(
        None,
        "Folder for the pictures, the video and the filmstrip. Default: <video>-forecast, in the"
        " current folder.",
        metavar="DIR",
    )
    overwrite: bool = option(False, "Write over an earlier forecast in that folder.")


ABOUT = About(
    name="forecast",
    learns="to forecast frames",
    command="forecast",
    summary="Forecast the frames that come next in videos.",
    noun="a forecasting model",
    use="forecasts frames: use `vidgru forecast`",
    subject="forecasts",
    train_config=ForecastTrainConfig,
)
