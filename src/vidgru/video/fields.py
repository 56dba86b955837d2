"""Build whole pictures from the two fields of interlaced frames, where these differ."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av.error
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray

COMBED = 0.002  # share of pixels that stick out of those above and below, both ways
STICKS_OUT = 15  # levels of 255
SMALLEST = 8  # pixels, of a side; smaller pictures have no usable fields


class Deinterlacer:
    """Takes frames in order and returns as many, some of them later.

    A frame that is not interlaced, or whose fields show the same moment, is returned as it is. Time
    stamps stay in ticks of the stream.
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._like: tuple[int, int, str] | None = None
        self._originals: deque[VideoFrame] = deque()

    def push(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        """Take one frame; yield those that are ready."""
        like = (frame.width, frame.height, frame.format.name)
        if like != self._like:
            yield from self.flush()
            self._like, self._graph = like, None
            if min(frame.width, frame.height) >= SMALLEST:
                self._graph = self._build(frame)
        if self._graph is None:
            yield frame
            return
        self._originals.append(frame)
        self._graph.vpush(frame)
        yield from self._ready(self._graph)

    def flush(self) -> Iterator[VideoFrame]:
        """Yield all frames that are still buffered."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._ready(self._graph)
        yield from self._originals
        self._originals.clear()
        self._graph = self._like = None

    def _build(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        graph.link_nodes(
            graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format,
                time_base=frame.time_base or Fraction(1, 1000),
            ),
            graph.add("bwdif", "mode=send_frame:deint=interlaced"),
            graph.add("buffersink"),
        ).configure()  # fmt: skip
        return graph

    def _ready(self, graph: Graph) -> Iterator[VideoFrame]:
        while True:
            try:
                made = graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            original = self._originals.popleft()
            if original.interlaced_frame and combed(original):
                made.pts = original.pts
                yield made
            else:
                yield original


def combed(frame: VideoFrame) -> bool:
    """Return whether the two fields of a frame show two moments."""
    component, plane = frame.format.components[0], frame.planes[0]
    deep = component.bits > 8
    lines: NDArray[Any] = np.frombuffer(memoryview(plane), np.uint16 if deep else np.uint8)
    step = plane.line_size // lines.itemsize
    # Every other column is enough.
    grey = lines.reshape(-1, step)[: frame.height, : frame.width : 2]
    grey = (grey >> max(component.bits - 8, 0)).astype(np.int16)
    above, below = grey[1:-1] - grey[:-2], grey[1:-1] - grey[2:]
    sticks = (np.minimum(above, below) > STICKS_OUT) | (np.maximum(above, below) < -STICKS_OUT)
    sticks &= np.abs(above - below) < STICKS_OUT
    return float(sticks.mean()) > COMBED
