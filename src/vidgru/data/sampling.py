"""Choose a frame rate and window length that suit the clips."""

from collections.abc import Sequence

import numpy as np

from vidgru.core.errors import VideoError
from vidgru.data.folder import Clip
from vidgru.video.read import open_video

FRAMES = 16
DEFAULT_FPS = 12.5
MIN_FRAMES = 4
PROBED_CLIPS = 64


def choose_fps_and_window(
    rates: Sequence[float], seconds: Sequence[float], fps: float | None, frames: int | None
) -> tuple[float, int]:
    """Return (frames/s, frames of a window) for clips of these frame rates and lengths.

    About 12.5 frames/s, as a whole part of the usual rate so that frames lie evenly; faster where
    clips are so short that a window would not fill; never faster than all but the slowest tenth of
    the clips, since held frames look like standing still. Values that are given stay.
    """
    wanted = frames or FRAMES
    if fps is None:
        typical = float(np.median(rates))
        length = float(np.median(seconds))
        every = max(1, round(typical / DEFAULT_FPS))
        if length * typical / every < wanted:
            every = max(1, int(length * typical / wanted + 1e-6))
        fps = min(typical / every, float(np.quantile(rates, 0.1)))
    if frames is None:
        fill = int(float(np.quantile(seconds, 0.1)) * fps + 1e-6)
        frames = max(MIN_FRAMES, min(FRAMES, fill))
    return fps, frames


def probe(clips: list[Clip]) -> tuple[list[float], list[float]]:
    """Return frame rates, and lengths in seconds, of some of the clips."""
    rates, seconds = [], []
    for clip in clips[:: -(-len(clips) // PROBED_CLIPS)]:
        try:
            with open_video(clip.path) as video:
                whole = video.seconds
                if clip.end is not None:
                    whole = min(whole or clip.end, clip.end)
                if whole is not None:
                    rates.append(video.fps)
                    seconds.append(max(whole - (clip.start or 0.0), 1 / video.fps))
        except VideoError:
            continue  # decoding will name it
    return rates or [25.0], seconds or [2.0]
