"""Make the tables that convert PQ and HLG colours to standard ones: src/vidgru/video/hdr_*.png.

    python scripts/make_hdr_tables.py

Libswscale's own conversion, which OpenCV uses, computes its table for seconds at every opening of
a file; here that is done once. A table has SIDE values of red, green and blue each, from 0 to 255:
red and green down, blue across.
"""

from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorTrc, VideoReformatter

from vidgru.video.hdr import SIDE

TRANSFERS = {"pq": ColorTrc.SMPTE2084, "hlg": ColorTrc.ARIB_STD_B67}


def main() -> None:
    """Write both tables."""
    steps = np.linspace(0, 65535, SIDE).round().astype(np.uint16)
    colours = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    for name, transfer in TRANSFERS.items():
        frame = av.VideoFrame.from_ndarray(colours.reshape(SIDE * SIDE, SIDE, 3), format="rgb48le")
        frame.color_trc, frame.color_primaries = transfer, ColorPrimaries.BT2020
        frame.colorspace, frame.color_range = 0, 2  # RGB, full
        shown = VideoReformatter().reformat(
            frame, format="bgr24", dst_color_trc=ColorTrc.BT709,
            dst_color_primaries=ColorPrimaries.BT709,
        )  # fmt: skip
        path = Path(__file__).parents[1] / "src" / "vidgru" / "video" / f"hdr_{name}.png"
        cv2.imwrite(str(path), shown.to_ndarray())
        print(path, path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
