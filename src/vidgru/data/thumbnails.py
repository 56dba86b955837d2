"""Small pictures of stored frames, for comparing clips."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vidgru.data.cache import Segments

Array = NDArray[np.float32]


def thumbnails(frames: Segments, side: int) -> Array:
    """Return rgb pictures (..., side, side, 3) of uint8 (..., height, width, 3), from 0 to 255."""
    rows, columns = (_pool(length, side) for length in frames.shape[-3:-1])
    across = columns @ frames.astype(np.float32)
    small: Array = np.einsum("rh,...hcx->...rcx", rows, across, optimize=True)
    return small


def grey(frames: Segments, side: int) -> Array:
    """Return grey pictures (..., side, side) of uint8 (..., height, width, 3), from 0 to 255."""
    height, width = frames.shape[-3:-1]
    rows = np.ascontiguousarray(frames).reshape(-1, width, 3)
    luma = cv2.cvtColor(rows, cv2.COLOR_RGB2GRAY).reshape(frames.shape[:-1]).astype(np.float32)
    small: Array = _pool(height, side) @ (luma @ _pool(width, side).T)
    return small


def _pool(length: int, side: int) -> Array:
    """Return the matrix (side, length) that averages `length` pixels into `side` cells."""
    edges = np.linspace(0, length, side + 1)[:, None]
    covered: Array = np.clip(np.arange(1, length + 1) - edges, 0, 1).astype(np.float32)
    cells: Array = covered[:-1] - covered[1:]
    cells /= cells.sum(1, keepdims=True)
    return cells
