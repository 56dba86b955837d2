"""Options of forecasting frames."""

from dataclasses import dataclass
from typing import ClassVar

from vidgru.core.options import documented, option
from vidgru.engine.model_config import ModelConfig
from vidgru.engine.train_config import MapTrainConfig
from vidgru.tasks.contract import About
from vidgru.tasks.forecast.spec import AHEAD, CONTEXT, FORECAST_SIZE, MAX_AHEAD


@documented
@dataclass(frozen=True)
class ForecastTrainConfig(MapTrainConfig):
    """How `train` trains a forecasting model. None means: chosen from the data."""

    defaults: ClassVar = {
        "size": f"forecast: {FORECAST_SIZE}",
        "frames": f"forecast: {CONTEXT} of context, fewer for short clips",
        "fps": "forecast: that of the clips, at most 30",
        "batch_size": "forecast: 8",
    }
    min_frames: ClassVar = 1

    task: str = option("forecast", "What to train.", choices=("forecast",))
    # 480 steps of 8 learned more of moving digits than 240 of 16: a squared error of 140, not 154.
    batch_size: int = option(8, "Clips in a batch.", low=2, high=4096)
    ahead: int | None = option(
        None,
        f"Number of frames to forecast. Default: {AHEAD}, fewer for short clips.",
        low=1,
        high=MAX_AHEAD,
        metavar="N",
    )
    grey: bool | None = option(None, "Forecast grey frames. Default: if all clips are grey.")


@dataclass(frozen=True)
class ForecastConfig(ModelConfig):
    """What `forecast` forecasts for each video."""

    model: str | None = option(
        None,
        "Run folder or model file of `vidgru train --task forecast`. Default: the newest such run"
        " in ./runs.",
        metavar="RUN",
    )
    ahead: int | None = option(
        None,
        "Number of frames to forecast, at the model's frame rate. Default: as in its training.",
        low=1,
        high=MAX_AHEAD,
        metavar="N",
    )
    at: tuple[float, ...] = option(
        (),
        "Forecast the frames after this second; repeatable, for an error curve. Default: after the"
        " end.",
        low=0,
        metavar="SECONDS",
    )
    out: str | None = option(
        None,
        "Folder for the pictures, the video and the filmstrip. Default: <video>-forecast, in the"
        " current folder.",
        metavar="DIR",
    )
    overwrite: bool = option(False, "Replace an earlier forecast in that folder.")


ABOUT = About(
    name="forecast",
    noun="a forecasting model",
    use="forecasts frames: use `vidgru forecast`",
    subject="forecasts",
    train_config=ForecastTrainConfig,
)
