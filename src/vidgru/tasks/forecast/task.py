"""Forecast: the next frames."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vidgru.data.cache import Sampling
from vidgru.data.dataset import Dataset
from vidgru.data.folder import Clip
from vidgru.data.sampling import probe
from vidgru.engine.initial_weights import InitialWeights
from vidgru.engine.model_config import EvaluateConfig
from vidgru.engine.onnx_export import OnnxStep
from vidgru.engine.trainer import TrainRun
from vidgru.nn.choices import MAP_CORE
from vidgru.tasks.contract import Steps, Task
from vidgru.tasks.forecast import model_file
from vidgru.tasks.forecast.evaluation import evaluate_forecast_steps
from vidgru.tasks.forecast.model import ForecastModel
from vidgru.tasks.forecast.model_file import LoadedForecast
from vidgru.tasks.forecast.network import ForecastNetwork
from vidgru.tasks.forecast.options import ABOUT, ForecastTrainConfig
from vidgru.tasks.forecast.results import Forecast
from vidgru.tasks.forecast.scores import ForecastEvaluation, ForecastTrainResult
from vidgru.tasks.forecast.spec import (
    AHEAD,
    CONTEXT,
    FORECAST_HIDDEN,
    FORECAST_SIZE,
    ForecastSpec,
    forecast_frames,
)
from vidgru.tasks.forecast.training import ForecastTrainer
from vidgru.video.sample import FASTEST, even_rate

COLOURED, SPOT = 16, 0.002  # of 255, and of the picture: colour that grey clips may have

Run = TrainRun[ForecastTrainConfig, InitialWeights]


class ForecastTask(Task[ForecastTrainConfig, ForecastSpec, InitialWeights, Dataset]):
    """See `Task`."""

    about, answer = ABOUT, Forecast

    def read_spec(self, content: dict[str, Any]) -> ForecastSpec | None:
        """Return the spec of a file's header, None where it is invalid; raises as `Task`."""
        return model_file.read_spec(content)

    def network(self, spec: ForecastSpec) -> ForecastNetwork:
        """Return a new network with random weights."""
        return ForecastNetwork(spec.size, spec.hidden, spec.channels)

    def sampling(
        self, clips: list[Clip], config: ForecastTrainConfig, start: InitialWeights
    ) -> Sampling:
        """Return a sampling of every frame whose windows fit into all but the shortest clips."""
        side = config.size or FORECAST_SIZE
        rates, seconds = probe(clips)
        usual = float(np.median(rates))
        fps = config.fps or usual / max(1, math.ceil(usual / FASTEST - 1e-6))
        if config.frames is not None and config.ahead is not None:
            return Sampling(fps, side, config.frames + config.ahead, even=True)
        fill = int(float(np.quantile(seconds, 0.1)) * even_rate(usual, fps) + 1e-6)
        wanted = (config.frames or CONTEXT) + (config.ahead or AHEAD)
        minimum = 1 + (config.frames or config.ahead or 1)
        return Sampling(fps, side, max(minimum, min(wanted, fill)), even=True)

    def settings(
        self, config: ForecastTrainConfig, sampling: Sampling, start: InitialWeights
    ) -> dict[str, Any]:
        """Return the settings that a config may leave open."""
        frames, ahead = forecast_frames(config.frames, config.ahead, sampling.window)
        return {
            "core": MAP_CORE,
            "fps": sampling.fps,
            "frames": frames,
            "ahead": ahead,
            "size": config.size or FORECAST_SIZE,
        }

    def spec(self, run: Run, data: Dataset) -> ForecastSpec:
        """Return the spec of the network that is to be trained."""
        grey = is_grey(data) if run.config.grey is None else run.config.grey
        settings = self.settings(run.config, run.sampling, run.start)
        channels = 1 if grey else 3
        return ForecastSpec(ABOUT.name, hidden=FORECAST_HIDDEN, channels=channels, **settings)

    def trainer(
        self, run: Run, data: Dataset, spec: ForecastSpec, network: Any, device: torch.device
    ) -> ForecastTrainer:
        """Return the trainer of a network, which resumes from the run's checkpoint if any."""
        return ForecastTrainer(run, data, network, spec, device)

    def open(self, model: LoadedForecast, device: torch.device) -> ForecastModel:
        """Return a model that is ready to predict."""
        return ForecastModel(model, device)

    def onnx_step(self, model: LoadedForecast) -> OnnxStep:
        """Return a model as a graph of one step."""
        from vidgru.tasks.forecast.onnx_export import onnx_step

        return onnx_step(model)

    def evaluate(
        self, folder: Path, config: EvaluateConfig, model: LoadedForecast, device: torch.device
    ) -> Steps:
        """Measure a model on clips that it was not trained on."""
        return evaluate_forecast_steps(folder, model, device)

    def show(self, result: ForecastTrainResult | ForecastEvaluation) -> None:
        """Print the result of a training or an evaluation."""
        from vidgru.tasks.forecast.score_tables import show

        show(result)

    def encoders(self, model: LoadedForecast) -> str:
        """Return the --input of a classifier that matches a model's encoders."""
        return "both"


def is_grey(data: Dataset) -> bool:
    """Return whether three frames of each training clip are shades of grey."""
    for clip in data.parts["train"]:
        piece = data.frames[clip][len(data.frames[clip]) // 2]
        frames = piece[[0, len(piece) // 2, -1]]
        spread = np.ptp(frames, axis=-1).reshape(len(frames), -1)
        if (np.mean(spread > COLOURED, axis=1) > SPOT).any():
            return False
    return True


TASK = ForecastTask()
