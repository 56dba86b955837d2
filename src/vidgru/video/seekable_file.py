"""A video file whose frames are decoded from any key frame on."""

from av.video.frame import VideoFrame

from vidgru.core.errors import VideoError
from vidgru.video.libav_file import LibavFile
from vidgru.video.source import Image
from vidgru.video.streams import ERRORS

# Codecs of which frames that no other one needs can be left out.
SKIPPING = frozenset({"h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"})
FAILURES = 16  # packets that cannot be decoded, until a frame counts as damaged


class SeekableFile(LibavFile):
    """A file whose frames come from where it was sought."""

    _key = False  # whether packets before a key frame are left out

    def seek(self, stamp: int, key: bool) -> None:
        """Move to the key frame at or before a stamp; `key`: begin with a key frame."""
        self._waiting.clear()
        self._fields, self._flushed, self._key = None, False, key
        try:
            self._container.seek(stamp, stream=self._stream)
            self._stream.codec_context.flush_buffers()
        except ERRORS as error:
            raise VideoError(f"Cannot seek in {self.source}.") from error
        self._packets = self._container.demux(self._stream)

    def next_frame(self, whole: int | None = None) -> VideoFrame | None:
        """Return the next frame, None at the end.

        Before the stamp `whole`, frames that no other one needs are left out.
        """
        failures, context = 0, self._stream.codec_context
        while not self._waiting and not self._flushed and failures <= FAILURES:
            try:
                packet = next(self._packets, None)
                if packet is None or not packet.size:
                    self._flushed, packet = True, None
                elif self._key and not packet.is_keyframe:
                    continue
                else:
                    self._key = False
                    far = whole is not None and packet.pts is not None and packet.pts < whole
                    far = far and self.codec in SKIPPING
                    context.skip_frame = "NONREF" if far else "DEFAULT"
                self._waiting.extend(self._whole(context.decode(packet)))
            except ERRORS:
                failures += 1
        return self._waiting.popleft() if self._waiting else None

    def shown(self, frame: VideoFrame) -> Image:
        """Return a frame as it is shown, bgr uint8 (H, W, 3); raises VideoError."""
        self._frame, self._image = frame, None
        return self._picture()
