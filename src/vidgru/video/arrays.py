"""Frames in memory as a source: arrays that a program has already."""

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from vidgru.core.errors import VideoError
from vidgru.video.source import MAX_PIXELS, Frame, Image, Video


@dataclass(frozen=True, eq=False, repr=False)
class Frames:
    """Frames in memory, as a source for any model: rgb uint8 (T, H, W, 3), at fps frames/s.

    name: what results and messages call them. Raises VideoError for another type or shape.
    """

    rgb: Image
    fps: float
    name: str = "frames in memory"

    def __post_init__(self) -> None:
        rgb = self.rgb
        if not isinstance(self.name, str):
            kind = type(self.name).__name__
            raise VideoError(f"Cannot read frames in memory: their name is a text, not {kind}.")
        if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8 or rgb.ndim != 4:
            raise VideoError(f"Cannot read {self.name}: give rgb as a numpy array of uint8.")
        if rgb.shape[-1] != 3 or not rgb.size or rgb[0].size > 3 * MAX_PIXELS:
            raise VideoError(
                f"Cannot read {self.name}: rgb is (frames, height, width, 3), not {rgb.shape}."
            )
        # Times would be as coarse as a numpy number of few bits, and results no plain values.
        fps = self.fps.item() if isinstance(self.fps, np.number) else self.fps
        if not isinstance(fps, int | float) or not 0 < fps < 1e5:
            wanted = "a number above 0 and below 100000"
            raise VideoError(f"Cannot read {self.name}: fps is {self.fps}, not {wanted}.")
        object.__setattr__(self, "fps", float(fps))

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        frames, height, width, _ = self.rgb.shape
        return f"Frames({frames} of {width}x{height}, {self.fps:g} frames/s, {self.name!r})"


def check_streamed(frame: Frame, side: int, large: int = 0) -> None:
    """Raise VideoError for a frame of a program's own stream whose pictures have a wrong form.

    They are rgb uint8 (side, side, 3); also its `large` one, of another side, where one is wanted.
    """
    for name, wanted in (("rgb", side), ("large", large)):
        picture: Any = getattr(frame, name, None)
        is_array = isinstance(picture, np.ndarray)
        shape = (wanted, wanted, 3)
        if not wanted or (is_array and picture.dtype == np.uint8 and picture.shape == shape):
            continue
        given = f"{picture.dtype} {picture.shape}" if is_array else type(picture).__name__
        found = f"its {name} is {given}" if hasattr(frame, name) else f"{type(frame).__name__}"
        raise VideoError(f"Cannot read a frame of a stream: {found}, not {name} uint8 {shape}.")


Source: TypeAlias = str | Path | Frames


class ArrayVideo(Video):
    """Frames in memory, as what a file is read by."""

    def __init__(self, frames: Frames) -> None:
        super().__init__(frames.name, frames.fps)
        self.codec = "memory"
        self._frames, self._numbers = frames.rgb, count()
        self.height, self.width = frames.rgb.shape[1:3]

    @property
    def seconds(self) -> float:
        """How long the frames last."""
        return len(self._frames) / self.fps

    def grab(self) -> float | None:
        """Move to the next frame; return its time in seconds, or None at the end."""
        number = next(self._numbers)
        return self._count(number / self.fps) if number < len(self._frames) else None

    def _bgr(self) -> Image:
        return np.ascontiguousarray(self._frames[self.frames_read - 1, :, :, ::-1])
