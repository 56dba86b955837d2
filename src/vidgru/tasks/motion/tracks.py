"""A thing that is followed: its box, its velocity, how it turns, and what belongs to it.

Positions and velocities are complex numbers, x + y i, in pixels of the source.
"""

import cmath
import dataclasses
import math
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidgru.tasks.motion.regions import Map, Part, RestFlow, at_border

NEAR = 1.5  # cells around the expected box that belong to a thing
PARTLY = 0.6  # of its usual area: less is seen of a covered thing, and does not move its box
MEMORY = 0.6  # seconds of velocities that show how it turns
GONE = 0.2  # seconds after which an unseen thing is lost
STEADY = 0.002  # rad**2: variance of directions that is assumed, for a turn at rest
FASTEST_TURN = 6.0  # rad/s
SLOWEST, FASTEST = 0.7, 2.5  # of the speed of a thing's flow, its own
GAINED = 0.3  # of the way to the gain that is measured
FOLLOWED = 0.5  # of the difference between the expected and the measured place
TOGETHER = 0.3  # of the speed of a thing, by which that of its parts may be off,
SIMILAR = 0.2  # cosine of the angle between flow that belongs to a thing and what is expected,
FASTER = 2.0  # and how much faster it may be, beyond
SLOWLY = 0.03  # widths/s: where a thing hardly moves, as in the middle of a wheel
SPUN = 0.5  # of the difference between the expected and the measured spin
APART = 0.05  # and of the larger one's size, by which they may be apart


class Seen(NamedTuple):
    """The flow of a thing at a time, apart from the camera."""

    time: float
    velocity: complex


@dataclasses.dataclass
class Track:
    """A thing, or what may become one."""

    low: complex  # corners of its whole box
    high: complex
    area: float
    born: float
    first_seen: float  # before it was lost, if it was
    id: int = 0  # none before it is known to be a thing
    seen_at: float = 0.0
    start: complex = 0j
    measured: complex = 0j  # centre as measured last
    promised: complex = 0j  # path by its flow
    turn: float = 0.0  # rad/s
    velocity: complex = 0j  # apart from the camera
    spin: float = 0.0  # rad/s, about its middle
    carried: complex = 0j  # by the camera
    stopped: bool = False
    gain: float = 1.0  # its speed for that of its flow, which is less in small things
    history: deque[Seen] = dataclasses.field(default_factory=deque)
    # Times, places as measured and as promised, where all of it could be seen.
    places: deque[tuple[float, complex, complex]] = dataclasses.field(default_factory=deque)

    @property
    def centre(self) -> complex:
        """The middle of its box."""
        return (self.low + self.high) / 2

    @property
    def size(self) -> complex:
        """Width and height of its box."""
        return self.high - self.low

    def path(self, seconds: float) -> complex:
        """Return how far it goes in some seconds if it continues to turn."""
        bend = self.turn * seconds
        # The mean of a turning unit vector.
        mean = cmath.exp(0.5j * bend) * np.sinc(bend / (2 * math.pi))
        return (self.velocity * mean + self.carried) * seconds

    def move(self, way: complex) -> None:
        """Move its box."""
        self.low, self.high = self.low + way, self.high + way

    def update(self, part: Part, flow: RestFlow, time: float, step: float) -> None:
        """Bring it to what is measured of it at a time, `step` seconds after the time before."""
        since, self.seen_at = self.seen_at, time
        low, high = _whole(part, self, flow)
        cut = at_border(part, flow)
        covered = part.area < PARTLY * self.area and self.id and not cut
        if not covered:
            share = 1.0 if time - since > GONE else FOLLOWED
            self.low += share * (low - self.low)
            self.high += share * (high - self.high)
            self.area += 0.3 * (part.area - self.area)
        else:
            self.area *= 0.95  # or a thing that became smaller would stay covered
        self.measured = part.centre
        self.spin += (SPUN if self.history else 1.0) * (part.spin - self.spin)
        x, y = flow.cells(self.centre)
        at = min(max(int(y), 0), flow.side - 1), min(max(int(x), 0), flow.side - 1)
        self.carried = complex(flow.camera[at])
        self.promised += (part.velocity + self.carried) * step
        off = self.centre - part.centre  # where only some of it is seen
        self.history.append(Seen(time - step / 2, part.velocity + 1j * part.spin * off))
        while len(self.history) > 1 and self.history[0].time < time - MEMORY:
            self.history.popleft()
        velocity, self.turn = _turning(self.history, time)
        if not covered and not cut:
            self.places.append((time, self.measured, self.promised))
        while self.places and self.places[0][0] < time - MEMORY:
            self.places.popleft()
        self.gain += GAINED * (_gain(self.places, flow) - self.gain)
        self.velocity = self.gain * velocity


def cell_costs(
    track: Track,
    flow: RestFlow,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    rest: NDArray[np.complex128],
) -> Map:
    """Return how badly cells fit what a track expects, inf where they are none of it."""
    left, top = flow.cells(track.low)
    right, bottom = flow.cells(track.high)
    across = np.maximum(np.maximum(left - columns - 0.5, columns + 0.5 - right), 0)
    down = np.maximum(np.maximum(top - rows - 0.5, rows + 0.5 - bottom), 0)
    off = np.hypot(across, down)
    expected = track.velocity + 1j * track.spin * (flow.places(rows, columns) - track.centre)
    speed, usual = np.abs(rest), np.abs(expected)
    cosine = (rest * expected.conjugate()).real / np.maximum(speed * usual, 1e-9)
    apart = np.abs(rest - expected) / np.maximum(np.maximum(speed, usual), 1e-9)
    slow = SLOWLY * flow.width
    alike = (cosine >= SIMILAR) | (speed + usual <= slow)
    matches = (off <= NEAR) & alike & (speed <= FASTER * usual + slow)
    return np.where(matches, off + apart + (0 if track.id else 0.5), np.inf)


def _whole(part: Part, track: Track, flow: RestFlow) -> tuple[complex, complex]:
    """Return the corners of a thing that the picture's border may cut, by its known size."""
    cell = complex(flow.width, flow.height) / flow.side
    x = _uncut(part.low.real, part.high.real, track.size.real, flow.width, cell.real)
    y = _uncut(part.low.imag, part.high.imag, track.size.imag, flow.height, cell.imag)
    return complex(x[0], y[0]), complex(x[1], y[1])


def _uncut(low: float, high: float, size: float, end: int, cell: float) -> tuple[float, float]:
    if low < cell and high <= end - cell:
        return min(low, high - size), high
    if high > end - cell and low >= cell:
        return low, max(high, low + size)
    return low, high


def _gain(places: deque[tuple[float, complex, complex]], flow: RestFlow) -> float:
    """Return how much farther a thing went than its flow promised, near 1 for short ways."""
    if len(places) < 3:
        return 1.0
    times = np.array([time for time, _, _ in places])
    times = times - times.mean()
    # Slopes of lines through all places: two places alone are too rough.
    gone, promised = (
        complex(times @ np.array([place[n] for place in places]) / (times @ times))
        * float(np.ptp(times)) for n in (1, 2)
    )  # fmt: skip
    cell = abs(complex(flow.width, flow.height)) / flow.side
    along = (gone * promised.conjugate()).real
    gain = (along + cell**2) / (abs(promised) ** 2 + cell**2)
    return min(max(gain, SLOWEST), FASTEST)


def _turning(history: deque[Seen], time: float) -> tuple[complex, float]:
    """Return the velocity at a time, and how it turns, by the last velocities."""
    times = np.array([seen.time for seen in history]) - time
    ways = np.array([seen.velocity for seen in history])
    weight = np.abs(ways) ** 2 * np.exp(times / MEMORY)
    weight = weight / max(weight.sum(), 1e-12)
    angles = np.unwrap(np.angle(ways))
    middle = float(weight @ times)
    square = float(weight @ (times - middle) ** 2)
    turn = 0.0
    if len(times) > 2 and square:
        slope = float(weight @ ((times - middle) * angles)) / square
        noise = float(weight @ (angles - weight @ angles - slope * (times - middle)) ** 2)
        # A turn that is no clearer than the noise of directions is none.
        clear = slope**2 * square
        turn = slope * clear / (clear + STEADY / len(times) + noise / len(times))
        turn = min(max(turn, -FASTEST_TURN), FASTEST_TURN)
    recent = np.exp(times / (0.4 * MEMORY))
    velocity = complex((recent / recent.sum()) @ (ways * np.exp(-1j * turn * times)))
    return velocity, turn


def distance_from_lost(new: Track, old: Track, step: float) -> float:
    """Return how far a new thing began from the way of a lost one, 1 for at most its size."""
    unseen = new.born - old.seen_at
    if unseen < -4 * step:
        return math.inf
    small, large = sorted([abs(new.size), abs(old.size)])
    if small < 0.4 * large:
        return math.inf
    # Lost, it has stopped, or continued behind something; or anything between.
    begun = old.centre
    end = begun + old.velocity * max(unseen - GONE, 0)
    way = end - begun
    share = 0.0
    if abs(way):
        share = ((new.start - begun) * way.conjugate()).real / abs(way) ** 2
    near = begun + min(max(share, 0.0), 1.0) * way
    return abs(new.start - near) / (0.75 * abs(old.size) + 1e-9)


def belongs(part: Part | Track, track: Track) -> bool:
    """Return whether a part moves with a thing and lies in it or near: plain areas show no flow."""
    fast = max(abs(part.velocity), abs(track.velocity))
    if abs(part.velocity - track.velocity) > TOGETHER * fast:
        return False
    gap = least(0j, _overlap(part, track))
    reach = APART * max(abs(part.high - part.low), abs(track.size))
    return abs(gap) <= reach


def _overlap(part: Part | Track, track: Track) -> complex:
    """Return how far two boxes overlap across and down; negative for gaps."""
    return least(part.high, track.high) + least(-part.low, -track.low)


def is_same(track: Track, other: Track) -> bool:
    """Return whether a track follows a part of what an older one does."""
    if other is track or other.seen_at < track.seen_at:
        return False
    if (not other.id, other.born, other.id) >= (not track.id, track.born, track.id):
        return False
    return belongs(track, other)


def least(a: complex, b: complex) -> complex:
    """Return the smaller parts of two numbers."""
    return complex(min(a.real, b.real), min(a.imag, b.imag))
