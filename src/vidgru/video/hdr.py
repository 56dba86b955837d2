"""Show HDR films in standard colours, as libswscale does, but from a precomputed table."""

import tempfile
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

from vidgru.core.errors import VideoError
from vidgru.video.source import Image

SIDE = 33  # of the tables; scripts/make_hdr_tables.py makes them


class ToneMapper:
    """Converts frames of "PQ" or "HLG" films to bgr uint8 (H, W, 3)."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._graph: Graph | None = None
        self._like: tuple[int, int, int, int, str] | None = None

    def shown(self, frame: VideoFrame, size: tuple[int, int] | None = None) -> Image:
        """Return a frame's picture, first resized to (width, height) if given."""
        width, height = size or (frame.width, frame.height)
        like = (frame.width, frame.height, width, height, frame.format.name)
        if self._graph is None or like != self._like:
            self._graph, self._like = self._build(frame, width, height), like
        self._graph.vpush(frame)
        green, blue, red = (_eight_bits(plane) for plane in self._graph.vpull().planes)
        return cv2.merge([blue, green, red])  # type: ignore[return-value]

    def _build(self, frame: VideoFrame, width: int, height: int) -> Graph:
        graph = Graph()
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "table.cube"  # the filter reads it at once
            table.write_text(_cube(self._kind))
            graph.link_nodes(
                graph.add_buffer(
                    width=frame.width, height=frame.height, format=frame.format,
                    time_base=Fraction(1, 1000),
                ),
                graph.add("scale", f"{width}:{height}:flags=area+accurate_rnd:out_range=pc"),
                graph.add("format", "gbrp16le"),
                graph.add("lut3d", file=str(table), interp="tetrahedral"),
                graph.add("buffersink"),
            ).configure()  # fmt: skip
        return graph


def _eight_bits(plane: VideoPlane) -> Image:
    """Return a 16-bit plane as uint8 (H, W), in half the time of a filter."""
    lines = np.frombuffer(memoryview(plane), np.uint16).reshape(plane.height, -1)
    return cv2.convertScaleAbs(lines[:, : plane.width], alpha=1 / 257)  # type: ignore[return-value]


def _cube(kind: str) -> str:
    path = Path(__file__).with_name(f"hdr_{kind.lower()}.png")
    table = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if table is None:
        raise VideoError(f"Cannot read {path}: reinstall vidgru.")
    # In such a file red varies fastest, blue slowest.
    colours = table[..., ::-1].reshape(SIDE, SIDE, SIDE, 3).transpose(2, 1, 0, 3).reshape(-1, 3)
    rows = "\n".join(f"{r / 255:.5f} {g / 255:.5f} {b / 255:.5f}" for r, g, b in colours.tolist())
    return f"LUT_3D_SIZE {SIDE}\n{rows}\n"
