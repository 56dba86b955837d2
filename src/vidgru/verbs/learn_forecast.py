"""Train a forecasting model on clips that are split already."""

from pathlib import Path
from typing import Any

import numpy as np

from vidgru.config import MAP_CORE
from vidgru.data.cache import Sampling
from vidgru.data.gather import Gathered
from vidgru.engine.device import prepare_training
from vidgru.engine.forecast_training import ForecastTraining, Steps
from vidgru.nn.build import build
from vidgru.spec import FORECAST_HIDDEN, FORECAST_SIZE, ForecastSpec, forecast_frames
from vidgru.train_config import TrainConfig

COLOURED, SPOT = 16, 0.002  # of 255, and of the picture: what grey clips may have of colour


def forecast_settings(config: TrainConfig, sampling: Sampling) -> dict[str, Any]:
    """Return the settings that a config may leave open."""
    frames, ahead = forecast_frames(config.frames, config.ahead, sampling.window)
    return {
        "core": MAP_CORE,
        "fps": sampling.fps,
        "frames": frames,
        "ahead": ahead,
        "size": config.size or FORECAST_SIZE,
    }


def learn_forecast_steps(
    config: TrainConfig, data: Gathered, sampling: Sampling, run: Path, began: float
) -> Steps:
    """Train on decoded clips, from the run's checkpoint on if any."""
    device = prepare_training(config.device, config.threads, config.seed)
    grey = is_grey(data) if config.grey is None else config.grey
    spec = ForecastSpec(
        task=config.task,
        hidden=FORECAST_HIDDEN,
        channels=1 if grey else 3,
        **forecast_settings(config, sampling),
    )
    training = ForecastTraining(config, data, build(spec), spec, run, device, began)
    return (yield from training.steps())


def is_grey(data: Gathered) -> bool:
    """Return whether three frames of each clip that is learned from are shades of grey."""
    for clip in data.parts["train"]:
        piece = data.frames[clip][len(data.frames[clip]) // 2]
        frames = piece[[0, len(piece) // 2, -1]]
        spread = np.ptp(frames, axis=-1).reshape(len(frames), -1)
        if (np.mean(spread > COLOURED, axis=1) > SPOT).any():
            return False
    return True
