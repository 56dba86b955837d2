"""True times out of the time stamps of a file, some of which may be wrong, equal or missing."""

import math
from collections import deque
from statistics import median

SOFT_SECONDS, SOFT_GAPS = 1.0, 8.0  # a longer gap between two frames is looked at twice
# What a gap must exceed to be a jump of the clock, in seconds and in usual gaps. A transport stream
# has a clock that starts anew where recordings are joined, and is never silent for long.
JOINED_SECONDS, OWN_SECONDS, JUMP_GAPS = 5.0, 600.0, 20.0
STUCK = 3  # stamps in a row that lie behind: the clock was set back by a little
SANE = 1e9  # seconds; OpenCV gives -10^14 for a stamp that is missing


def sane(stamp: float | None) -> float | None:
    """Return a time stamp, or None for what is none."""
    return stamp if stamp is not None and abs(stamp) < SANE else None


class Clock:
    """Rising times in seconds since the first frame, out of stamps in seconds.

    One bad stamp does not move the times after it. A jump, either way, is bridged by one frame's
    time and counted in `jumps`; `jumped` is the first one's time and length. `period` is the usual
    gap between frames, `joined` whether the format lets recordings with different clocks be joined.
    """

    def __init__(self, period: float, *, joined: bool) -> None:
        self.jumps = 0
        self.jumped = (0.0, 0.0)
        self._declared, self._joined = period, joined
        self._offset, self._time = 0.0, 0.0
        self._raw: float | None = None
        self._rose = False  # whether stamps differ at all
        self._behind = 0
        self._gaps: deque[float] = deque(maxlen=31)
        self._longest = 0.0
        self._first = True

    @property
    def _period(self) -> float:
        return median(self._gaps) if len(self._gaps) >= 3 else self._declared

    def plain(self, stamp: float | None) -> bool:
        """Return whether a stamp simply goes on, so that the one after it need not be known."""
        if self._first or stamp is None:
            return self._first
        gap = stamp - self._offset - self._time
        return gap > 0 and (gap <= SOFT_SECONDS or gap <= SOFT_GAPS * self._period)

    def time(self, stamp: float | None, after: float | None = None) -> float:
        """Return the next frame's time; `after` is the stamp of the frame behind it, if known.

        It is needed only where `plain` says so.
        """
        if self._first:
            self._first, self._raw = False, stamp
            self._offset = stamp or 0.0
            return 0.0
        time = self._placed(stamp, after)
        if stamp is not None:
            self._rose |= self._raw is not None and stamp > self._raw
            self._raw = stamp
        gap = time - self._time
        self._gaps.append(gap)
        self._longest = max(self._longest, gap)
        self._time = time
        return time

    def _placed(self, stamp: float | None, after: float | None) -> float:
        if stamp is not None and self.plain(stamp):
            self._behind = 0
            return stamp - self._offset
        period = self._period
        soft = max(SOFT_SECONDS, SOFT_GAPS * period)
        # When the frame behind this one comes, if the clock goes on as it did.
        then = math.inf if after is None else after - self._offset - self._time
        if stamp is None:
            return self._time + (then / 2 if 0 < then < 2 * period else period)
        gap = stamp - self._offset - self._time
        if 0 < then <= soft and not 0 < gap < then:
            return self._time + then / 2  # a bad stamp, or that of the frame before again
        if gap > 0:
            least = JOINED_SECONDS if self._joined else OWN_SECONDS
            jumps = gap > max(least, JUMP_GAPS * max(self._longest, self._declared))
            return self._bridge(stamp, gap) if jumps else self._time + gap
        rises = self._raw is not None and stamp > self._raw
        self._behind = self._behind + 1 if rises else 0
        goes_on = after is not None and after > stamp
        least = 2 * period if self._joined else soft
        if goes_on and then <= 0 and (gap < -least or self._behind >= STUCK):
            return self._bridge(stamp, gap)
        # A file may have no stamps at all, or none for its last frames.
        return self._time + (period / 4 if goes_on and self._rose else period)

    def _bridge(self, stamp: float, gap: float) -> float:
        time = self._time + self._period
        if self.jumps == 0:
            self.jumped = (self._time, gap)
        self.jumps += 1
        self._behind = 0
        self._offset = stamp - time
        return time
