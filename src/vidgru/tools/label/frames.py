"""Frames of many videos as JPEG, by number: bounded in memory, whatever is asked for."""

import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any

from vidgru.core.errors import VideoError
from vidgru.tools.label.activity import Activity, Track
from vidgru.video.seek import NEAR, FrameIndex, FrameReader, open_frames

log = logging.getLogger("vidgru")

SIZES = (160, 320, 640, 960, 1280, 1920)  # of the longer side, in pixels
CACHE_BYTES = 64 << 20
MAX_OPEN = 3  # decoders; one of 1920x1080 pixels takes some 60 MB
LETS_GO = 0.05  # seconds that a decoder which looks ahead is waited for
MAX_INDEXED = 16  # videos whose index is kept
MAX_BATCH = 240  # frames of one request
PATIENCE = 60.0  # seconds that a frame may have to wait for the index


@dataclass(eq=False)
class _Opened:
    """A video with its index, which is read in the background."""

    index: FrameIndex
    track: Track
    stop: Event = field(default_factory=Event)
    error: str = ""

    def read(self) -> None:
        try:
            for _ in self.index.read():
                if self.stop.is_set():
                    return
        except VideoError as error:
            self.error = str(error)


class _Place:
    """A decoder, which one thread at a time uses."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._reader: FrameReader | None = None

    def jpeg(
        self,
        index: FrameIndex,
        number: int,
        size: int,
        *,
        ahead: bool,
        stop: Event,
        other: "_Place | None" = None,
    ) -> bytes:
        """Return a frame; `other` changes places with this one where it is nearer to the frame."""
        with self.lock:
            distance = self.distance(index, number)
            # What looks ahead lets it go soon: the page asks for nothing else meanwhile.
            if other is not None and distance > NEAR and other.lock.acquire(timeout=LETS_GO):
                try:
                    if other.distance(index, number) < distance:
                        self._reader, other._reader = other._reader, self._reader
                finally:
                    other.lock.release()
            reader = self._reader
            if reader is None or not self._reads(index):
                self._close()
                reader = self._reader = open_frames(index)
            reader.ahead, reader.stop = ahead, stop
            return reader.jpeg(number, size)

    def distance(self, index: FrameIndex, number: int) -> int:
        """Return how many frames come before a frame in decoding; needs the lock."""
        if self._reader is None or not self._reads(index):
            return number - index.key_before(number) + 1
        return self._reader.distance(number)

    def _reads(self, index: FrameIndex) -> bool:
        reader = self._reader
        return reader is not None and reader.index is index and reader.in_order == index.in_order

    def close(self) -> None:
        with self.lock:
            self._close()

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None


class FrameSource:
    """Gives frames of numbered videos; every method may be called from several threads."""

    def __init__(self, videos: list[Path]) -> None:
        self.videos = videos
        self._lock = Lock()
        self._opened: OrderedDict[int, _Opened] = OrderedDict()
        self._places: OrderedDict[tuple[int, bool], _Place] = OrderedDict()
        self._pictures: OrderedDict[tuple[int, int, int], bytes] = OrderedDict()
        self._bytes = 0
        self._opening = [Lock() for _ in videos]
        self._activity = Activity()

    def open(self, video: int) -> _Opened:
        """Open a video, if it is not; raises VideoError."""
        with self._opening[video]:
            with self._lock:
                if (opened := self._opened.get(video)) is not None:
                    self._opened.move_to_end(video)
                    return opened
            index = FrameIndex(self.videos[video])
            opened = _Opened(index, Track(self.videos[video], index))
            Thread(target=opened.read, daemon=True).start()
            with self._lock:
                self._opened[video] = opened
                while len(self._opened) > MAX_INDEXED:
                    _, old = self._opened.popitem(last=False)
                    old.stop.set()
                    self._activity.forget(old.track)
            return opened

    def describe(self, video: int) -> dict[str, Any]:
        """Return what is known about a video; raises VideoError."""
        opened = self.open(video)
        index, track = opened.index, opened.track
        if index.complete:  # which comes first
            self._activity.ask(track)
        return {
            "fps": index.fps,
            "width": index.width,
            "height": index.height,
            "frames": len(index.times),
            "complete": index.complete,
            "slow": index.in_order,
            "seconds": index.seconds if index.complete else index.declared or index.seconds,
            "error": opened.error,
            "activity": {"fps": track.fps, "known": len(track.energy), "complete": track.complete},
        }

    def times(self, video: int, first: int) -> bytes:
        """Return the times of frames from a number on, as float64, as far as they are known."""
        return self.open(video).index.times[first:].tobytes()

    def energy(self, video: int, first: int) -> bytes:
        """Return how much moves from a sample on, as float32, as far as that is known."""
        return self.open(video).track.energy[first:].tobytes()

    def picture(
        self,
        video: int,
        number: int,
        size: int,
        *,
        ahead: bool = False,
        key: bool = False,
        stop: Event | None = None,
    ) -> bytes:
        """Return a frame as JPEG; raises VideoError.

        `ahead`: nobody waits for it; `key`: the key frame before it instead, which is quick to
        decode; `stop` is set where it is not wanted any more.
        """
        stop = stop or Event()
        opened = self.open(video)
        self._wait_for(opened, number, stop)
        index = opened.index
        number = index.key_before(number) if key else number
        place = video, number, size
        with self._lock:
            if (found := self._pictures.get(place)) is not None:
                self._pictures.move_to_end(place)
                return found
            index.urgent += not ahead
        try:
            decoder = self._place(video, ahead)
            other = None if ahead else self._places.get((video, True))
            data = decoder.jpeg(index, number, size, ahead=ahead, stop=stop, other=other)
        finally:
            with self._lock:
                index.urgent -= not ahead
        with self._lock:
            if place not in self._pictures:
                self._pictures[place] = data
                self._bytes += len(data)
            while self._bytes > CACHE_BYTES:
                self._bytes -= len(self._pictures.popitem(last=False)[1])
        return data

    def _wait_for(self, opened: _Opened, number: int, stop: Event) -> None:
        until = monotonic() + PATIENCE
        while not 0 <= number < len(opened.index.times):
            if opened.error:
                raise VideoError(opened.error)
            over = stop.is_set() or monotonic() > until
            if opened.index.complete or number < 0 or over:
                raise VideoError(f"{opened.index.path} has no frame {number}.")
            sleep(0.01)

    def _place(self, video: int, ahead: bool) -> _Place:
        """Return a decoder; each video has one to show frames, and one to look ahead."""
        with self._lock:
            place = self._places.setdefault((video, ahead), _Place())
            self._places.move_to_end((video, ahead))
            idle = [k for k, one in self._places.items() if k[0] != video and not one.lock.locked()]
            old = [self._places.pop(key) for key in idle[: max(len(self._places) - MAX_OPEN, 0)]]
        for one in old:
            one.close()
        return place

    def close(self) -> None:
        """Close all files."""
        with self._lock:
            places, opened = list(self._places.values()), list(self._opened.values())
            self._places.clear()
        for one in opened:
            one.stop.set()
        self._activity.close()
        for place in places:
            place.close()
