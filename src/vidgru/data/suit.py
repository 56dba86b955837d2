"""Choose a frame rate and window length that suit the clips."""

from collections.abc import Sequence

import numpy as np

FRAMES = 16
USUAL_FPS = 12.5
FEWEST = 4


def suit(
    rates: Sequence[float], seconds: Sequence[float], fps: float | None, frames: int | None
) -> tuple[float, int]:
    """Return (frames/s, frames of a window) for clips of these frame rates and lengths.

    About 12.5 frames/s, as a whole part of the usual rate so that frames lie evenly; faster where
    clips are so short that a window would not fill; never faster than all but the slowest tenth of
    the clips, since held frames look like standing still. Values that are given stay.
    """
    wanted = frames or FRAMES
    if fps is None:
        usual = float(np.median(rates))
        length = float(np.median(seconds))
        every = max(1, round(usual / USUAL_FPS))
        if length * usual / every < wanted:
            every = max(1, int(length * usual / wanted + 1e-6))
        fps = min(usual / every, float(np.quantile(rates, 0.1)))
    if frames is None:
        fill = int(float(np.quantile(seconds, 0.1)) * fps + 1e-6)
        frames = max(FEWEST, min(FRAMES, fill))
    return fps, frames
