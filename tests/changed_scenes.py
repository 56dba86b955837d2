"""Pictures of a fixed camera, and of things put before it."""

from pathlib import Path

import cv2
import numpy as np
from helpers import write_images
from numpy.typing import NDArray

from vidgru import Box

Frames = NDArray[np.uint8]
WIDTH, HEIGHT = 160, 96
THING = Box(40, 30, 24, 16)
OTHER = Box(112, 60, 24, 16)


def still(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Return frames (T, H, W, 3) of a textured place where nothing happens."""
    rng = np.random.default_rng(seed)
    place = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH, 3)), (0, 0), 2.0)
    return np.repeat((110 + 60 * place)[None], count, 0).astype(np.float32)


def put(frames: NDArray[np.float32], box: Box, seed: int = 1) -> None:
    """Lay a checked thing into frames."""
    rng = np.random.default_rng(seed)
    checks = cv2.resize(rng.uniform(20, 230, (4, 6, 3)), (box.width, box.height))
    frames[:, box.y : box.y + box.height, box.x : box.x + box.width] = checks


def taken(frames: NDArray[np.float32], seed: int = 2) -> Frames:
    """Return frames as a camera takes them, with noise."""
    rng = np.random.default_rng(seed)
    return np.clip(frames + rng.normal(0, 2, frames.shape), 0, 255).astype(np.uint8)


def folder(path: Path, frames: Frames) -> Path:
    return write_images(path, frames, [f"{n:04d}.png" for n in range(len(frames))])
