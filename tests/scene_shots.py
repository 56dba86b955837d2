"""Shots that slide, windows of them, boundaries, and a short training."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.tasks.scenes.results import Boundary
from vidgru.tasks.scenes.transitions import Joined, join_shots

Frames = NDArray[np.uint8]
SETTINGS: dict[str, Any] = {"size": 32, "frames": 64, "batch_size": 4, "threads": 1, "epochs": 1}


def shot(seed: int, count: int = 30, side: int = 32) -> Frames:
    """Return a smooth coloured picture that slides by a pixel a frame, (count, side, side, 3)."""
    rough = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    large = cv2.resize(rough, (side + count, side), interpolation=cv2.INTER_CUBIC)
    return np.stack([large[:, step : step + side] for step in range(count)])


def cut(frame: int) -> Boundary:
    return Boundary(frame, "cut", 1.0, frame, frame)


def gradual(start: int, end: int) -> Boundary:
    return Boundary((start + end) // 2, "dissolve", 1.0, start, end)


FAMILIES = [[shot(n, 40, 48)] for n in range(6)]


def window(seed: int, frames: int = 96) -> Joined:
    return join_shots(np.random.default_rng(seed), FAMILIES, frames, 32)
