"""How much moves in videos, and where scenes begin: read beside all else, one video at a time."""

import os
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from threading import Condition, Thread, get_native_id
from time import monotonic, sleep

import numpy as np

from vidgru.core.errors import VideoError
from vidgru.video.cuts import mark_cuts
from vidgru.video.read import Frame, open_video
from vidgru.video.sample import even_rate, sample_frames
from vidgru.video.seek import FrameIndex
from vidgru.video.source import fitted

RATE = 12.5  # frames/s that are compared
SIDE = 64  # pixels of the longer side
MAX_SAMPLES = 400_000  # of a video: nine hours
NICE = 10  # how far the page goes first
PAUSE = 0.01  # seconds
LEFT = 3.0  # seconds after which a video that nobody asks for gives way


class Track:
    """How much moves in a video, as far as it is known.

    fps: samples a second, 0 where the first one is yet to come; energy: float32, by how many grey
    levels pixels change from the sample before (root mean square), less than 0 where a scene
    begins; complete: whether these are all.
    """

    def __init__(self, path: Path, index: FrameIndex) -> None:
        self.path, self.index = path, index
        self.fps = 0.0
        self.energy = array("f")
        self.complete = False
        self.asked = monotonic()

    def read(self) -> Iterator[None]:
        """Read on from what is known, yielding at each frame; raises VideoError."""
        with open_video(self.path) as video:
            rate = even_rate(video.fps, RATE)
        # One size, also of a folder of pictures of many.
        size = fitted(SIDE, self.index.width, self.index.height)
        known, changes = len(self.energy), array("f")

        def compared() -> Iterator[Frame]:
            before = None
            for frame in sample_frames(self.path, rate, size=size, report=lambda info: None):
                grey = frame.rgb.mean(2, dtype=np.float32)
                change = 0.0
                if before is not None:
                    change = float(np.sqrt(np.mean((grey - before) ** 2)))
                changes.append(change)
                before = grey
                yield frame

        self.fps = rate
        for number, (_, new) in enumerate(mark_cuts(compared())):
            if number >= MAX_SAMPLES:
                break
            if number >= known:
                self.energy.append(-changes[number] if new and number else changes[number])
            yield
        self.complete = True


class Activity:
    """Reads tracks in a thread that lets all else pass: first the one that was asked for last."""

    def __init__(self) -> None:
        self._tracks: list[Track] = []
        self._changed = Condition()
        self._closed = False
        self._thread: Thread | None = None

    def ask(self, track: Track) -> None:
        """Have a track read, now or when others are."""
        track.asked = monotonic()
        if track.complete:
            return
        with self._changed:
            if track not in self._tracks:
                self._tracks.append(track)
            if self._thread is None:
                self._thread = Thread(target=self._run, daemon=True)
                self._thread.start()
            self._changed.notify()

    def forget(self, track: Track) -> None:
        """Read a track no further."""
        with self._changed:
            if track in self._tracks:
                self._tracks.remove(track)

    def close(self) -> None:
        """End the reading."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        if sys.platform == "linux":  # elsewhere, only a whole process can be nice
            os.setpriority(os.PRIO_PROCESS, get_native_id(), NICE)
        while (track := self._next()) is not None:
            try:
                for _ in track.read():
                    while track.index.urgent and not self._closed:
                        sleep(PAUSE)
                    if self._gives_way(track):
                        break
            except VideoError:  # opening it on the page says why
                track.complete = True
            if track.complete:
                self.forget(track)

    def _next(self) -> Track | None:
        with self._changed:
            while not self._tracks and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            return max(self._tracks, key=lambda track: track.asked)

    def _gives_way(self, track: Track) -> bool:
        with self._changed:
            if self._closed or track not in self._tracks:
                return True
            # Only to one that `_next` would choose: each new start reads again what is known.
            others = any(one.asked > track.asked for one in self._tracks)
        return others and monotonic() - track.asked > LEFT
