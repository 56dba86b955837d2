"""Draw relevance on frames."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from vidgru.tasks.classify.explain.results import Explanation
from vidgru.video.read import Frame, Image

Relevance = NDArray[np.float32]

# From no relevance to the most; no red and green that colour-blind people would confuse.
COLORS = np.array([(0, 0, 0), (150, 40, 0), (255, 130, 0), (255, 225, 70)], np.float32)
GREY = 0.65  # brightness of the picture below
FADED = 0.9  # opacity of the strongest colour


def stretched(relevance: Relevance, size: tuple[int, int], view: float) -> Relevance:
    """Return relevance (h, w) of the middle `view` of a picture of `size` (width, height), (H, W).

    Outside it is 0.
    """
    width, height = size
    inner = max(round(view * height), 1), max(round(view * width), 1)
    grid = torch.from_numpy(np.ascontiguousarray(relevance))[None, None]
    smooth = functional.interpolate(grid, inner, mode="bilinear")[0, 0].numpy()
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    whole = np.zeros((height, width), np.float32)
    whole[top : top + inner[0], left : left + inner[1]] = smooth
    return whole


def colored(relevance: Relevance) -> Relevance:
    """Return the colours (H, W, 3), 0 to 255, of relevance (H, W) from 0 to 1."""
    place = relevance.clip(0, 1) * (len(COLORS) - 1)
    low = np.minimum(place.astype(int), len(COLORS) - 2)
    share = (place - low)[..., None]
    found: Relevance = COLORS[low] * (1 - share) + COLORS[low + 1] * share
    return found


def with_heat(rgb: Image, relevance: Relevance, view: float) -> Image:
    """Return a grey copy of rgb uint8 (H, W, 3) with the colours of relevance (h, w) on it."""
    whole = stretched(relevance, (rgb.shape[1], rgb.shape[0]), view)
    grey = rgb.mean(2, keepdims=True) * GREY
    opacity = FADED * np.sqrt(whole.clip(0, 1))[..., None]
    drawn: Image = np.rint(grey * (1 - opacity) + colored(whole) * opacity).astype(np.uint8)
    return drawn


class HeatVideo:
    """Draws an explanation on the frames of its video."""

    def __init__(self, explanation: Explanation, fps: float) -> None:
        self.explanation, self.fps = explanation, fps

    def draw(self, frame: Frame) -> Image:
        """Return a frame with its relevance, between those of the sampled frames around it."""
        maps = self.explanation.maps
        place = min(
            max((frame.time - self.explanation.seconds[0]) * self.fps, 0.0), len(maps) - 1.0
        )
        low = int(place)
        high, share = min(low + 1, len(maps) - 1), np.float32(place - low)
        relevance = maps[low] * (1 - share) + maps[high] * share
        return with_heat(frame.rgb, relevance, self.explanation.view)
