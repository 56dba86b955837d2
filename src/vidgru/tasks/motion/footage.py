"""Clips with their motion, measured or known, for training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidgru.data.augment import Frames, warp
from vidgru.data.cache import Segments
from vidgru.tasks.motion.flow_cache import Flow
from vidgru.video.info import VideoInfo
from vidgru.video.sample import even_rate

Numbers = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Footage:
    """A continuous piece of a video, and its motion, which is unknown where shots begin.

    frames: uint8 (T, S, S, 3), the whole picture squashed; velocity: (T, F, F, 2), mean over each
    cell of a fine grid in widths/s to the right and heights/s down, from the frame before to this
    one; moving: (T, F, F), share of each cell that moves at `flow.MOVING` at least. Both are
    unknown, and unused, for the first frame, where `measured` is zero: the network's input, as
    from `flow.measure`, where the velocity may be known better. rate:
    frames/s; width, height: of the source in pixels.
    """

    frames: Frames
    velocity: Numbers
    moving: Numbers
    measured: Numbers
    rate: float
    width: int
    height: int

    @property
    def aspect(self) -> float:
        """Height of the source for a width of one."""
        return self.height / self.width


class Stored(Sequence[Footage]):
    """The footage of decoded clips: one for each of their segments, read when accessed."""

    def __init__(self, clips: Sequence[tuple[Segments, Flow, VideoInfo]], fps: float) -> None:
        self.fps = fps
        self._pieces = [
            (frames, flow, info)
            for segments, flows, info in clips
            for frames, flow in zip(segments, flows, strict=True)
        ]

    def __len__(self) -> int:
        """Return how many pieces there are."""
        return len(self._pieces)

    @overload
    def __getitem__(self, number: int) -> Footage: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Footage]: ...
    def __getitem__(self, number: int | slice) -> Footage | Sequence[Footage]:
        """Return one piece, or several."""
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        frames, flow, info = self._pieces[number]
        velocity, rate = flow[..., :2], even_rate(info.fps, self.fps)
        return Footage(frames, velocity, flow[..., 2], velocity, rate, info.width, info.height)


def seen_through(
    view: Tensor, frames: Frames, fields: Numbers, size: int
) -> tuple[Frames, Numbers]:
    """Return frames (T, size, size, 3), and fields (N, F, F, 5), as a view (2, 3) shows both.

    fields: as of `Footage`, over the same picture: velocity and measured velocity in shares of it,
    then what moves. At twice the size, objects move twice as fast.
    """
    shown = warp(fields, view, fields.shape[1])
    back = torch.linalg.inv(view[:, :2].double()).numpy().astype(np.float32)
    for first in (0, 2):
        shown[..., first : first + 2] = shown[..., first : first + 2] @ back.T
    return warp(frames, view, size), shown
