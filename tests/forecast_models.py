"""Forecast models of random weights, and what they forecast."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vidgru.tasks.forecast.model import ForecastModel
from vidgru.tasks.forecast.model_file import LoadedForecast
from vidgru.tasks.forecast.network import ForecastNetwork
from vidgru.tasks.forecast.spec import ForecastSpec

Frames = NDArray[np.uint8]
SPEC = ForecastSpec("forecast", "convgru", 8, 10.0, 4, 3, 32, 3)
SIZE = SPEC.size
FILES = [
    "filmstrip.png", "forecast.mp4", "frame_001.png", "frame_002.png", "frame_003.png", "frames.csv"
]  # fmt: skip


def network(channels: int = 3) -> ForecastNetwork:
    """Return a network of random weights."""
    torch.manual_seed(0)
    return ForecastNetwork(SIZE, SPEC.hidden, channels).eval()


def make_model(channels: int = 3, **changes: Any) -> ForecastModel:
    spec = replace(SPEC, channels=channels, **changes)
    loaded = LoadedForecast(Path("model.safetensors"), network(channels), spec, {})
    return ForecastModel(loaded, torch.device("cpu"))


def direct(frames: Frames, ahead: int, channels: int = 3) -> NDArray[np.float32]:
    """Return what the network itself forecasts (K, S, S, C) after rgb uint8 (T, S, S, 3)."""
    clip = torch.from_numpy(frames).permute(0, 3, 1, 2)[None].float() / 255
    if channels == 1:
        clip = (clip * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(2, keepdim=True)
    with torch.inference_mode():
        return network(channels)(clip, ahead)[0].permute(0, 2, 3, 1).numpy()


def read_png(path: Path) -> Frames:
    return cv2.imread(str(path))[..., ::-1]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
