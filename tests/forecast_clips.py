"""Clips to learn to forecast, and random ones."""

from pathlib import Path

import cv2
import numpy as np
import torch
from helpers import write_clip


def clip_of(batch: int, frames: int, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.rand(batch, frames, channels, 32, 32, generator=generator)


def ball(path: Path, seed: int, count: int = 14, color: bool = True) -> Path:
    """Write a clip of a ball that crosses a still, smooth ground."""
    rng = np.random.default_rng(seed)
    rough = rng.integers(40, 120, (5, 5, 3 if color else 1), dtype=np.uint8)
    ground = cv2.resize(rough, (32, 32), interpolation=cv2.INTER_CUBIC).reshape(32, 32, -1)
    start, speed = rng.uniform(8, 24, 2), rng.choice([-2.0, 2.0], 2)
    frames = np.empty((count, 32, 32, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[:] = ground
        x, y = ((start + number * speed) % 32).astype(int).tolist()
        cv2.circle(frame, (x, y), 4, (250, 230 if color else 250, 80 if color else 250), -1)
    return write_clip(path, frames, 10)
