"""Read video files with libav (PyAV), where OpenCV would read them wrongly."""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from vidgru.core.errors import VideoError
from vidgru.video import source
from vidgru.video.fields import Deinterlacer
from vidgru.video.file import GRABS_AFTER_FAILURE, VideoFile, sane_fps
from vidgru.video.hdr import ToneMapper
from vidgru.video.source import Image, fitted
from vidgru.video.streams import ERRORS, Orientation, StreamInfo, open_container


class LibavFile(VideoFile):
    """A video file that libav decodes and that is given as it is shown.

    Fields are made whole pictures where they differ, pixels square, and the display matrix applied.
    """

    known: StreamInfo

    def __init__(self, path: Path, known: StreamInfo, why: str) -> None:
        fps = sane_fps(known.rate)
        lasts = (known.seconds or 0.0) * fps
        declared = lasts if known.trimmed else known.frames or lasts
        super().__init__(path, fps, known, declared)
        self.reader, self.why = "pyav", why
        self.codec, self.rotation = known.codec, known.orientation.rotation
        self.width, self.height = known.shown
        self.check_size()
        self._fields: Deinterlacer | None = None
        self._waiting: deque[VideoFrame] = deque()
        self._frame: VideoFrame | None = None
        self._image: Image | None = None
        self._colours = VideoReformatter()
        self._tones = ToneMapper(known.hdr) if known.hdr else None
        self._opened = ExitStack()
        try:
            self._container: InputContainer = self._opened.enter_context(open_container(path))
            self._stream: VideoStream = self._container.streams[known.stream]  # type: ignore[assignment]
            context = self._stream.codec_context
            context.thread_type = "AUTO"
            context.thread_count = source.decoder_threads or 0
        except (*ERRORS, IndexError) as error:
            self._opened.close()
            raise VideoError(f"Cannot read {path}: it changed while it was opened.") from error
        self._packets: Iterator[Packet[VideoStream]] = self._container.demux(self._stream)
        self._flushed = False

    def _advance(self) -> bool:
        """Decode until there is a frame; one failure ends it, unless at the very end."""
        failures = 0
        while not self._waiting and not self._flushed and failures <= GRABS_AFTER_FAILURE:
            try:
                packet = next(self._packets, None)
                if packet is None or not packet.size:
                    self._flushed = True
                frames = self._stream.codec_context.decode(None if self._flushed else packet)
                self._waiting.extend(self._whole(frames))
            except ERRORS:
                failures += self.frames_read > 0
                self._damaged()
                if not self._flushed:
                    self._packets = self._container.demux(self._stream)
        if not self._waiting:
            return False
        self._frame, self._image = self._waiting.popleft(), None
        return True

    def _damaged(self) -> None:
        if self.frames_read and not self.warnings:
            self.warnings.append(
                f"{self.source} is damaged after {self._time:.2f} s: frames are missing."
            )

    def _whole(self, frames: list[VideoFrame]) -> Iterator[VideoFrame]:
        """Yield pictures whose fields belong together, in order; these may come later."""
        for frame in frames:
            if self._fields is None and frame.interlaced_frame:
                self._fields = Deinterlacer()
            if self._fields is None:
                yield frame
            else:
                yield from self._fields.push(frame)
        if self._flushed and self._fields is not None:
            yield from self._fields.flush()

    def _stamp(self) -> float | None:
        frame = self._frame
        if frame is None:
            return None
        first, second = frame.pts, frame.dts
        ticks = second if first is None or self.known.decode_stamps else first
        # Not the frame's own time base, which the last ones have not.
        return None if ticks is None else ticks * self.known.tick - self.known.start

    def _picture(self) -> Image:
        if self._frame is None:
            raise VideoError(f"Cannot read {self.source}: grab a frame first.")
        if self._image is None:
            try:
                image = self._bgr_of(self._frame)
            except ERRORS as error:
                raise self._damaged_frame() from error
            self._image = self._shown(image)
        return self._image

    def _bgr_of(self, frame: VideoFrame) -> Image:
        if self._tones is not None:
            return self._tones.shown(frame)
        return self._colours.reformat(frame, format="bgr24").to_ndarray()  # type: ignore[return-value]

    def _resized(self, size: tuple[int, int] | int | None) -> Image:
        frame, upright = self._frame, self.known.orientation == Orientation()
        if self._tones is None or size is None or frame is None or self._kept is not None:
            return super()._resized(size)
        small = fitted(size, self.width, self.height)
        if not upright or self.known.aspect != 1 or 2 * max(small) > max(frame.width, frame.height):
            return super()._resized(size)
        try:  # fewer pixels have colours to be worked out
            image = self._tones.shown(frame, small)
        except ERRORS as error:
            raise self._damaged_frame() from error
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]

    def _damaged_frame(self) -> VideoError:
        return VideoError(f"Cannot read {self.source}: frame {self.frames_read} is damaged.")

    def _shown(self, image: Image) -> Image:
        known = self.known
        if known.aspect != 1:
            height, width = image.shape[:2]
            wide = max(round(width * known.aspect), 1)
            how = cv2.INTER_CUBIC if wide > width else cv2.INTER_AREA
            image = cv2.resize(image, (wide, height), interpolation=how)  # type: ignore[assignment]
        return known.orientation.apply(image)

    def close(self) -> None:
        """Let go of the file."""
        self._waiting.clear()
        self._opened.close()
