"""Read video files with OpenCV, which is correct for ordinary ones."""

import os
from pathlib import Path

import cv2
import numpy as np

from vidgru.core.errors import VideoError
from vidgru.video import source
from vidgru.video.file import VideoFile, sane_fps
from vidgru.video.source import Image
from vidgru.video.streams import StreamInfo, why_unreadable

SLOW, FAST = 0.5, 240.0  # frames/s that OpenCV reports correctly
UNLIKE = 12.0  # levels of 255, mean over tiny pictures; the same picture differs by less than 3


class OpenCVFile(VideoFile):
    """A video file that OpenCV decodes; raises VideoError where it cannot open it."""

    def __init__(self, path: Path, known: StreamInfo | None = None) -> None:
        threads = source.decoder_threads
        options = [] if threads is None else [cv2.CAP_PROP_N_THREADS, threads]
        # An absolute path and a fixed backend: a name like `http:x` or `img_%02d.png` stays a name.
        self.capture = cv2.VideoCapture(os.path.abspath(path), cv2.CAP_FFMPEG, options)
        if not self.capture.isOpened():
            why = why_unreadable(path)
            raise VideoError(
                f"Cannot read {path}: not a video that can be opened{why and f': {why}'}."
            )
        # Its default changed between OpenCV versions.
        self.capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
        fps = self.capture.get(cv2.CAP_PROP_FPS)
        usual = fps if SLOW <= fps <= FAST else None
        rate = sane_fps(usual, known.rate if known is not None else None, fps)
        declared = self.capture.get(cv2.CAP_PROP_FRAME_COUNT)
        # OpenCV computes it from the declared seconds and rate.
        frames = declared if usual else declared * rate / (fps or 1)
        if known is not None and known.seconds and not known.frames:
            frames = min(frames, known.seconds * rate)  # not those before it, or of longer sound
        super().__init__(path, rate, known, frames)
        self.width = int(self.capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        self.height = int(self.capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        self.check_size()
        self.rotation = int(self.capture.get(cv2.CAP_PROP_ORIENTATION_META))
        code = (int(self.capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF).to_bytes(4, "little")
        self.codec = "".join(chr(c) for c in code if 32 < c < 127).lower() or "unknown"
        self._grabbed = False  # whether `differs` already read the first frame

    def differs(self) -> str:
        """Return how the first frame differs from the one that libav shows, or ""."""
        if self.known is None or self.known.first_frame is None:
            return ""
        self._grabbed = self._advance()
        if not self._grabbed:
            return "OpenCV decodes no frame of it"
        try:
            size = self.known.first_frame.shape[1::-1]
            own = cv2.resize(self._picture(), size, interpolation=cv2.INTER_AREA).astype(int)
        except (VideoError, cv2.error):
            return "OpenCV gives no picture of it"
        far = float(np.abs(own - self.known.first_frame).mean())
        return "OpenCV shows other pictures" if far > UNLIKE else ""

    def _advance(self) -> bool:
        if self._grabbed:
            self._grabbed = False
            return True
        return self.capture.grab()

    def _stamp(self) -> float | None:
        return self.capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def _picture(self) -> Image:
        good, image = self.capture.retrieve()
        if not good or image is None:
            raise VideoError(f"Cannot read {self.source}: frame {self.frames_read} is damaged.")
        return image  # type: ignore[return-value]

    def close(self) -> None:
        """Close the file."""
        self.capture.release()
