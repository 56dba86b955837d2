"""Frames of a source by number, exact to the frame: an index of all frames, and readers of them."""

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from time import sleep

import cv2
from av.video.frame import VideoFrame

from vidgru.core.errors import VideoError
from vidgru.video.clock import Clock, sane
from vidgru.video.file import VideoFile
from vidgru.video.pictures import Pictures
from vidgru.video.read import open_video
from vidgru.video.seekable_file import SeekableFile
from vidgru.video.source import Image, fitted, shrink
from vidgru.video.streams import ERRORS, StreamInfo, look, open_container

COMPARED = 48  # frames whose stamps are compared with those of the packets
NEAR = 8  # frames ahead that are decoded rather than sought
MARGIN = 16  # frames before the wanted one that are decoded whole, and kept for steps back
KEPT_BYTES = 48 << 20  # of decoded frames
STEP = 500  # packets or frames between looks at whether the index is still wanted
PAUSE = 0.003  # seconds
QUALITY = 85  # of JPEG


class FrameIndex:
    """The times of all frames of a source, as every reader gives them, and how to reach each.

    times: seconds since the first frame, as far as the index is `read`; complete: whether these are
    all; in_order: whether frames can be reached only from the start on. Raises VideoError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.times = array("d")
        self.stamps = array("q")  # of the frames, in ticks of the stream
        self.keys = array("q")  # stamps of frames at which decoding can begin
        self.complete = False
        self.urgent = 0  # frames that somebody waits for; readers that look ahead let them pass
        self.known: StreamInfo | None = None
        with open_video(path) as video:
            video.grab()
            video.retrieve()
            info = video.info()
            self.fps, self.width, self.height = info.fps, info.width, info.height
            self.declared = video.seconds
            self.pictures = isinstance(video, Pictures) and path.is_dir()
            if isinstance(video, Pictures) and self.pictures:
                self.times = array("d", video.all_times())
                self.complete = True
            if isinstance(video, VideoFile):
                self.known = look(path)
        known = self.known
        self.in_order = not self.pictures
        if known is not None:
            self.in_order = not (known.decodes and known.whole_start)

    @property
    def seconds(self) -> float:
        """When the last frame ends: it is taken to last as long as others on average."""
        if not self.times:
            return 0.0
        between = len(self.times) - 1
        return self.times[-1] + (self.times[-1] / between if between else 1 / self.fps)

    def key_before(self, number: int) -> int:
        """Return the number of the last key frame up to a frame; the frame's own where unknown."""
        if not self.keys or not 0 <= number < len(self.stamps) or self.in_order:
            return number
        key = bisect_right(self.keys, self.stamps[number]) - 1
        return bisect_left(self.stamps, self.keys[key]) if key >= 0 else number

    def read(self) -> Iterator[None]:
        """Read the index to its end, yielding now and then; raises VideoError."""
        if not self.complete and self.known is not None and not self.in_order:
            yield from self._read_packets()
        if not self.complete:
            self.in_order = True
            yield from self._read_frames()

    def _read_frames(self) -> Iterator[None]:
        with open_video(self.path) as video:
            times = array("d")
            while (time := video.grab()) is not None:
                times.append(time)
                if len(times) > len(self.times):
                    self.times = times
                if len(times) % STEP == 0:
                    yield
        self.times, self.complete = times, True

    def _read_packets(self) -> Iterator[None]:
        """Read the stamps of packets, without decoding; stops where they give no order."""
        known = self.known
        if known is None:
            raise RuntimeError("There is no stream to index.")
        clock = Clock(1 / self.fps, joined=known.joined)
        waiting: list[int] = []
        before: int | None = None
        last_key: int | None = None
        try:
            with open_container(self.path) as container:
                stream = container.streams[known.stream]
                for number, packet in enumerate(container.demux(stream)):
                    if not packet.size:
                        continue
                    if packet.pts is None or (
                        None not in (before, packet.dts) and packet.dts < before  # type: ignore[operator]
                    ):
                        return
                    before = packet.dts if packet.dts is not None else before
                    if packet.is_keyframe:
                        # What comes after a key frame may still be shown before it.
                        if last_key is not None:
                            waiting = self._publish(waiting, last_key, clock)
                            if self.in_order:
                                return
                        last_key = packet.pts
                        self.keys.append(packet.pts)
                    if not packet.is_discard:
                        waiting.append(packet.pts)
                    if number % STEP == 0:
                        yield
        except ERRORS:
            return
        left = self._publish(waiting, None, clock)
        if not left and not self.in_order and self.times:
            self.complete = True

    def _publish(self, waiting: list[int], until: int | None, clock: Clock) -> list[int]:
        """Add the frames whose stamps lie before `until`; return the others."""
        known = self.known
        if known is None:
            raise RuntimeError("There is no stream to index.")
        waiting.sort()
        ready = [stamp for stamp in waiting if until is None or stamp < until]
        first, held = not self.stamps, len(ready)
        if first and until is not None and held < COMPARED:
            return waiting
        for place, stamp in enumerate(ready):
            if self.stamps and stamp <= self.stamps[-1]:
                self.in_order = True  # two frames with one stamp
                return waiting
            seconds = sane(stamp * known.tick - known.start)
            after: float | None = None
            if not clock.plain(seconds):
                following = ready[place + 1] if place + 1 < len(ready) else None
                if following is None and until is not None:
                    held = place  # the next stamp shows whether this one is right
                    break
                after = None if following is None else following * known.tick - known.start
            self.stamps.append(stamp)
            self.times.append(clock.time(seconds, after))
        if first and self.stamps and not self._holds():
            self.in_order = True
        return waiting[held:]

    def _holds(self) -> bool:
        """Return whether the first frames that are decoded have the stamps of the packets."""
        with ExitStack() as stack:
            reader = stack.enter_context(_Closing(open_frames(self)))
            if not isinstance(reader, _SeekingFile):
                return False
            return reader.first_stamps(COMPARED) == list(self.stamps[:COMPARED])


class FrameReader(ABC):
    """Gives frames of an indexed source by number, quickest in order."""

    def __init__(self, index: FrameIndex) -> None:
        self.index, self.in_order = index, index.in_order
        self.ahead = False  # whether nobody waits for its frames
        self.stop = Event()  # set where the frame is not wanted any more

    def wanted(self) -> None:
        """Let readers pass that are more urgent; raise VideoError where nothing is wanted."""
        while self.ahead and self.index.urgent and not self.stop.is_set():
            sleep(PAUSE)
        if self.stop.is_set():
            raise VideoError(f"Nobody waits for frames of {self.index.path}.")

    @abstractmethod
    def image(self, number: int) -> Image:
        """Return a frame as it is shown, bgr uint8 (H, W, 3); raises VideoError."""

    def distance(self, number: int) -> int:
        """Return about how many frames have to be decoded for a frame."""
        return 0

    @abstractmethod
    def close(self) -> None:
        """Release the source."""

    def jpeg(self, number: int, longest: int) -> bytes:
        """Return a frame as a JPEG file whose longer side has at most so many pixels."""
        image = self.image(number)
        height, width = image.shape[:2]
        if max(width, height) > longest:
            image = shrink(image, fitted(longest, width, height))
        good, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        if not good:
            raise VideoError(f"Cannot show frame {number} of {self.index.path}.")
        return data.tobytes()

    def damaged(self, number: int) -> VideoError:
        """Return the error for a frame that cannot be decoded."""
        return VideoError(f"Cannot read {self.index.path}: frame {number} is damaged.")


class _Closing:
    def __init__(self, reader: FrameReader) -> None:
        self.reader = reader

    def __enter__(self) -> FrameReader:
        return self.reader

    def __exit__(self, *error: object) -> None:
        self.reader.close()


def open_frames(index: FrameIndex) -> FrameReader:
    """Open a reader of frames by number; raises VideoError."""
    if index.pictures:
        return _PictureReader(index)
    return _InOrder(index) if index.in_order else _SeekingFile(index)


class _InOrder(FrameReader):
    """Reads from the start on, and again from there for an earlier frame."""

    def __init__(self, index: FrameIndex) -> None:
        super().__init__(index)
        self._opened = ExitStack()
        self._video = self._opened.enter_context(open_video(index.path))

    def image(self, number: int) -> Image:
        if self._video.frames_read > number + 1:
            self._opened.close()
            self._video = self._opened.enter_context(open_video(self.index.path))
        while self._video.frames_read <= number:
            self.wanted()
            if self._video.grab() is None:
                raise self.damaged(number)
        return cv2.cvtColor(self._video.retrieve(), cv2.COLOR_RGB2BGR)  # type: ignore[return-value]

    def distance(self, number: int) -> int:
        ahead = number + 1 - self._video.frames_read
        return ahead if ahead >= 0 else number + 1

    def close(self) -> None:
        self._opened.close()


class _PictureReader(FrameReader):
    """Reads a picture of a folder by its number."""

    def __init__(self, index: FrameIndex) -> None:
        super().__init__(index)
        self._opened = ExitStack()
        video = self._opened.enter_context(open_video(index.path))
        if not isinstance(video, Pictures):
            raise VideoError(f"Cannot read {index.path}: it changed while it was open.")
        self._video = video

    def image(self, number: int) -> Image:
        return cv2.cvtColor(self._video.picture(number), cv2.COLOR_RGB2BGR)  # type: ignore[return-value]

    def close(self) -> None:
        self._opened.close()


class _SeekingFile(FrameReader):
    """Decodes from the key frame before the wanted frame, which it knows by its stamp."""

    def __init__(self, index: FrameIndex) -> None:
        super().__init__(index)
        if index.known is None:
            raise VideoError(f"Cannot read {index.path}: it changed while it was open.")
        self._file = SeekableFile(index.path, index.known, "frames are read by number")
        pixels = max(self._file.width * self._file.height * 3 // 2, 1)
        self._recent: deque[VideoFrame] = deque(maxlen=min(max(KEPT_BYTES // pixels, 2), MARGIN))
        self._last: int | None = None  # the number of the last frame that came
        self._slow: _InOrder | None = None  # for frames that seeking does not reach

    def first_stamps(self, count: int) -> list[int | None]:
        """Return the stamps of the first frames, as they are decoded."""
        stamps: list[int | None] = []
        while len(stamps) < count and (frame := self._file.next_frame()) is not None:
            stamps.append(frame.pts)
        self._last = None
        return stamps

    def image(self, number: int) -> Image:
        stamp = self.index.stamps[number]
        frame = next((one for one in self._recent if one.pts == stamp), None)
        if frame is None and (frame := self._decode(number, stamp)) is None:
            self._slow = self._slow or _InOrder(self.index)
            self._slow.ahead, self._slow.stop = self.ahead, self.stop
            return self._slow.image(number)
        return self._file.shown(frame)

    def distance(self, number: int) -> int:
        stamp, last = self.index.stamps[number], self._last
        if any(one.pts == stamp for one in self._recent):
            return 0
        from_key = number - self.index.key_before(number) + 1
        return from_key if last is None or last >= number else min(number - last, from_key)

    def _decode(self, number: int, stamp: int) -> VideoFrame | None:
        """Return a frame, or None where it cannot be found by its stamp."""
        key = bisect_right(self.index.keys, stamp) - 1
        whole = self.index.stamps[max(number - MARGIN, 0)]
        last = self._last
        behind = last is None or last >= number
        back = 1  # key frames; twice as many each time, or a lost frame would cost their square
        if last is not None and key >= 0 and number > last + NEAR:
            behind = behind or self.index.keys[key] > self.index.stamps[last]
        if behind:
            self._seek(key)
        while True:
            try:
                self.wanted()
            except VideoError:
                stamps = [one.pts for one in self._recent if one.pts is not None]
                self._last = bisect_left(self.index.stamps, stamps[-1]) if stamps else None
                raise
            frame = self._file.next_frame(whole)
            if frame is not None and frame.pts is not None and frame.pts < stamp:
                self._recent.append(frame)
            elif frame is not None and frame.pts == stamp:
                self._recent.append(frame)
                self._last = number
                return frame
            else:  # decoding began too late, or the frame is lost
                self._last = None
                if key < 0:
                    return None
                key = max(key - back, 0) if key else -1
                back *= 2
                self._seek(key)

    def _seek(self, key: int) -> None:
        self._recent.clear()
        first = min(self.index.keys[0], self.index.stamps[0]) if self.index.keys else 0
        self._file.seek(self.index.keys[key] if key >= 0 else first - (1 << 20), key >= 0)

    def close(self) -> None:
        self._recent.clear()
        self._file.close()
        if self._slow is not None:
            self._slow.close()
