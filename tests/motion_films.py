"""Pictures that move at a known rate, and what is measured of them."""

from pathlib import Path

import cv2
import numpy as np
from helpers import write_clip
from numpy.typing import NDArray

from vidgru.tasks.motion.flow_cache import measure
from vidgru.tasks.motion.footage import Footage


def texture(side: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return a smooth random picture, rgb uint8 (side, side, 3)."""
    rough = np.random.default_rng(seed).integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
    return cv2.resize(rough, (side, side), interpolation=cv2.INTER_CUBIC)


def shifting(count: int, dx: float, dy: float, side: int = 64, seed: int = 0) -> NDArray[np.uint8]:
    """Return a picture that moves by so many pixels a frame, uint8 (count, side, side, 3)."""
    large = texture(4 * side, seed)
    start = 1.5 * side
    return np.stack(
        [
            cv2.getRectSubPix(
                large, (side, side), (start + side / 2 - dx * t, start + side / 2 - dy * t)
            )
            for t in range(count)
        ]
    )


def film(path: Path, dx: float, dy: float, seed: int, count: int = 30) -> Path:
    return write_clip(path, shifting(count, dx, dy, seed=seed)[:, :48], 10)


def measured(frames: np.ndarray, width: int = 100, height: int = 100) -> Footage:
    """Return a clip at 10 frames/s as footage whose motion is known from measuring it."""
    fields = measure(frames[None], 10.0, height / width)[0].astype(np.float32)
    velocity = fields[..., :2]
    return Footage(frames, velocity, fields[..., 2], velocity, 10.0, width, height)
