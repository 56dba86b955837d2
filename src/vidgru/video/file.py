"""Base of all readers of video files: times, bridged gaps, and warnings at the end."""

import math
from abc import abstractmethod
from pathlib import Path

from vidgru.core.errors import VideoError
from vidgru.video.clock import Clock, sane
from vidgru.video.info import CLOCK_JUMPS, ENOUGH, NO_START
from vidgru.video.source import MAX_PIXELS, Image, Video
from vidgru.video.streams import StreamInfo

# After a damaged spot the decoder often recovers within a few packets.
GRABS_AFTER_FAILURE = 16
SLOWEST, FASTEST = 1e-5, 1e5  # frames/s; rates beyond are ignored
DEFAULT_FPS = 25.0
WRAPS = 2**33 / 90_000  # seconds after which the clock of a transport stream wraps around


def sane_fps(*rates: float | None) -> float:
    """Return the first plausible rate, in frames/s."""
    good = (rate for rate in rates if rate and math.isfinite(rate) and SLOWEST <= rate <= FASTEST)
    return next(good, DEFAULT_FPS)


class VideoFile(Video):
    """A video file; a subclass moves from frame to frame and returns raw stamps and pixels.

    `known` is what `look` found out about the file, if anything.
    """

    def __init__(self, path: Path, fps: float, known: StreamInfo | None, frames: float) -> None:
        super().__init__(str(path), fps)
        self.known = known
        self._clock = Clock(1 / fps, joined=known is not None and known.joined)
        self._frames = frames if 0 < frames < 1e9 else 0.0  # as declared
        self._first_stamp: float | None = None
        self._kept: Image | None = None  # the current frame, where the decoder is one ahead
        self._next: float | None = None  # stamp of the next frame, if already grabbed
        self._ahead = self._ended = False

    @abstractmethod
    def _advance(self) -> bool:
        """Move to the next frame; return whether there is one. Errors count as the end."""

    @abstractmethod
    def _stamp(self) -> float | None:
        """Return the frame's stamp in seconds since the stream's start, if any."""

    @abstractmethod
    def _picture(self) -> Image:
        """Return the current frame as shown; raises VideoError."""

    def check_size(self) -> None:
        """Raise VideoError for pictures that are implausibly large."""
        if self.width * self.height > MAX_PIXELS:
            raise VideoError(
                f"Cannot read {self.source}: "
                f"frames of {self.width}x{self.height} pixels are too large."
            )

    @property
    def seconds(self) -> float | None:
        """How long the film is, as the file declares it."""
        seconds = self._frames / self.fps
        return seconds if 0 < seconds < 1e7 else None

    def grab(self) -> float | None:
        """Move to the next frame; return its time in seconds, or None at the end."""
        if self._ahead:
            self._ahead, self._kept, stamp = False, None, self._next
        elif self._ended or not (self._advance() or self._past_damage()):
            self._at_end()
            return None
        else:
            self._kept, stamp = None, sane(self._stamp())
        if self.frames_read == 0:
            self._first_stamp = stamp
        if self._clock.plain(stamp):
            return self._count(self._clock.time(stamp))
        # Only the next stamp shows whether this odd one is right.
        self._kept = self._picture().copy()
        if self._advance() or self._past_damage():
            self._ahead, self._next = True, sane(self._stamp())
        else:
            self._ended = True
        return self._count(self._clock.time(stamp, self._next if self._ahead else None))

    def _bgr(self) -> Image:
        return self._picture() if self._kept is None else self._kept

    def _past_damage(self) -> bool:
        if self.frames_read == 0:
            return False
        for _ in range(GRABS_AFTER_FAILURE):
            if self._advance():
                if not self.warnings:  # a file may have thousands of damaged spots
                    self.warnings.append(
                        f"{self.source} is damaged after {self._time:.2f} s: frames are missing."
                    )
                return True
        return False

    def _at_end(self) -> None:
        self._ended = True
        if self.frames_read == 0:
            raise VideoError(
                f"Cannot read {self.source}: it opens, but no frame can be decoded (codec "
                f"{self.codec}). Convert it, for example to H.264."
            )
        self._warn_of_jumps()
        if self.known is not None and not self.known.whole_start:
            lost = f" ({self._first_stamp:.2f} s)" if self._first_stamp else ""
            self.warnings.append(f"{self.source} {NO_START}: the start{lost} cannot be decoded.")
        elif self._clock.jumps == 0:
            self._warn_of_early_end()

    def _warn_of_jumps(self) -> None:
        clock = self._clock
        if clock.jumps:
            at, gap = clock.jumped
            if self.known is not None and self.known.joined:  # where libav undoes the wrap-around
                gap = (gap + WRAPS / 2) % WRAPS - WRAPS / 2
            more = f" and {clock.jumps - 1} more times" if clock.jumps > 1 else ""
            self.warnings.append(
                f"{self.source}: {CLOCK_JUMPS} {gap:+.2f} s at {at:.2f} s{more}; "
                "the frames follow each other without a gap."
            )

    def _warn_of_early_end(self) -> None:
        if self._frames:
            self._declared = round(self._frames)
        if self.known is not None and 0 < self.known.frames <= self.frames_read:
            return  # its last frame is shown for long
        seconds = self.seconds
        end = self._time + 1 / self.fps
        if seconds and end < min(0.9 * seconds, seconds - ENOUGH):
            self.warnings.append(
                f"{self.source} ends early: it declares {seconds:.2f} s, "
                f"but frames can be read only up to {self._time:.2f} s."
            )
