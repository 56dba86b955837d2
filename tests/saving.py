"""A made-up timeline to draw on videos, and ways to look at what was saved."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vidgru.tasks.classify.timeline import Segment, Timeline
from vidgru.video.info import VideoInfo
from vidgru.video.read import open_video

LABELS = ("left", "right", "up")
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg is installed")
both = pytest.mark.parametrize("way", [pytest.param("ffmpeg", marks=needs_ffmpeg), "wheel"])


def segment(start: float, end: float, label: int, sure: float = 0.8, **more: bool) -> Segment:
    shares = [(1 - sure) / 2] * 3
    shares[label] = sure
    return Segment(start, end, LABELS, tuple(shares), **more)


def timeline(seconds: float) -> Timeline:
    """Left for a quarter, unsure for a quarter, then up."""
    quarter, half = seconds / 4, seconds / 2
    parts = (
        segment(0, quarter, 0),
        segment(quarter, half, 1, unsure=True),
        segment(half, seconds, 2),
    )
    return Timeline("clip", LABELS, parts, 10, seconds)


def read(path: Path) -> tuple[list[NDArray[np.uint8]], VideoInfo]:
    with open_video(path) as video:
        return [frame.rgb for frame in video], video.info()


def left_in(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())
