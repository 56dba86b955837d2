"""True times from the time stamps of a file, some of which may be wrong, equal or missing."""

import math
from collections import deque
from statistics import median

SOFT_SECONDS, SOFT_GAPS = 1.0, 8.0  # a longer gap between frames is checked with the next stamp
# What a gap must exceed to be a jump of the clock, in seconds and in usual gaps. The clock of a
# transport stream restarts where recordings are joined, and such a stream never pauses for long.
JOINED_SECONDS, OWN_SECONDS, JUMP_GAPS = 5.0, 600.0, 20.0
STUCK = 3  # successive stamps in the past: the clock was set back by a little
SANE = 1e9  # seconds; OpenCV gives -10^14 for a missing stamp


def sane(stamp: float | None) -> float | None:
    """Return a time stamp, or None for an impossible one."""
    return stamp if stamp is not None and abs(stamp) < SANE else None


class Clock:
    """Rising times in seconds since the first frame, from stamps in seconds.

    One bad stamp does not shift later times. A jump, either way, is bridged by one frame's
    time and counted in `jumps`; `jumped` is the first one's time and length. `period` is the usual
    gap between frames, `joined` whether the format allows joined recordings with different clocks.
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
        """Return whether a stamp continues as usual, so that the next one is not needed."""
        if self._first or stamp is None:
            return self._first
        gap = stamp - self._offset - self._time
        return gap > 0 and (gap <= SOFT_SECONDS or gap <= SOFT_GAPS * self._period)

    def time(self, stamp: float | None, after: float | None = None) -> float:
        """Return the next frame's time; `after` is the stamp of the following frame, if known.

        It is needed only where `plain` is False.
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
        # When the following frame comes, if the clock continues as before.
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
