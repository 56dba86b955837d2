"""Follow each thing that moves: its place, its velocity, and its path ahead, by measured flow.

Positions and velocities are complex numbers, x + y i, in pixels of the source.
"""

import cmath
import dataclasses
import math
from collections import deque

import numpy as np

from vidgru.tasks.motion.camera import Similarity, View, fit_camera, heading
from vidgru.tasks.motion.regions import (
    SMALLEST,
    Part,
    RestFlow,
    as_complex,
    find_parts,
    measure_part,
)
from vidgru.tasks.motion.results import AHEAD, MotionField, MovingThing
from vidgru.tasks.motion.tracks import (
    GONE,
    Track,
    belongs,
    cell_costs,
    distance_from_lost,
    is_same,
    least,
)

SLOW = 0.03  # widths/s: slower flow of a cell, apart from the camera's, belongs to no thing,
SLACK = 0.2  # nor does what is slower than this share of the camera's speed there,
LAGS, LAGGING = 0.7, 0.5  # or this one, if it goes against the camera's flow by that cosine,
NOISE = 2.5  # and this number of times the median of the picture,
FAINT = 0.012  # the same for a thing that is known
CARRIED = 0.4  # or whose flow is, with a moving camera: plain areas show none
CROWDED = 0.5  # of the picture that moves apart from the camera: no single thing can be followed
COASTS = 0.5  # seconds for which a thing continues unseen, in fields that show nothing clearly
SETTLED = 0.3  # seconds that a thing is followed before it counts as one
ROUGH = 0.2  # of its size, by which its place may be off
TRAVELLED = 0.5  # of the path that its flow promises, and
FARTHEST_STILL = 0.02  # widths, or half its own size if that is less: what goes no farther is none
HARDLY = 0.2  # of its usual area: less shows nothing of it
STAYS = 1.0  # seconds for which a thing that is not seen to move is taken to stay there
KEPT = 2.0  # seconds for which a thing keeps its id unseen
NEW_KEPT = 2.5  # fields for which what is no thing yet may be unseen
CANDIDATES = 64  # things that are followed at once, the largest first
CAMERA_FIELDS = 5  # of the last, most of which show the camera moving


class Tracker:
    """Takes the motion fields of a video in order, and adds the things that move in each.

    width, height: of the source's pictures, in pixels; rate: fields/s. Memory stays constant, and
    the same fields give the same things. Across a cut no thing is followed.
    """

    def __init__(self, width: int, height: int, rate: float) -> None:
        self.width, self.height, self.step = width, height, 1 / rate
        self._tracks: list[Track] = []
        self._ids = 0
        self._time = -math.inf
        self._moves: deque[bool] = deque(maxlen=CAMERA_FIELDS)
        self._camera: Similarity | None = None  # as it moved last

    def next(self, field: MotionField) -> MotionField:
        """Return the field with its `things`, by id."""
        if field.time - self._time > 1.5 * self.step:
            self._tracks.clear()
            self._moves.clear()
            self._camera = None
        self._time = field.time
        flow = self._apart(field)
        for track in self._tracks:
            self._move(track, flow)
        self._follow(flow)
        self._begin(flow)
        self._tracks = [track for track in self._tracks if self._stays(track)]
        things = [self._thing(t) for t in self._tracks if t.id and self._time - t.seen_at <= STAYS]
        return dataclasses.replace(field, things=tuple(sorted(things, key=lambda t: t.id)))

    def _move(self, track: Track, flow: RestFlow) -> None:
        """Move a track to where it is expected now."""
        unseen = self._time - track.seen_at
        # Not seen for longer, in fields that would show it, it has stopped.
        longest = max(GONE if flow.clear else COASTS, 1.5 * self.step)  # in the last field, it was
        track.stopped = unseen > longest and not self._leaves(track)
        if track.stopped:
            track.move(track.carried * self.step)
            return
        track.move(track.path(self.step))
        track.velocity *= cmath.exp(1j * track.turn * self.step)

    def _leaves(self, track: Track) -> bool:
        """Return whether a track is on its way out of the picture."""
        way = track.velocity + track.carried
        return (
            (track.low.real < 0 and way.real < 0) or (track.high.real > self.width and way.real > 0)
            or (track.low.imag < 0 and way.imag < 0)
            or (track.high.imag > self.height and way.imag > 0)
        )  # fmt: skip

    def _apart(self, field: MotionField) -> RestFlow:
        """Return the measured flow without the camera's."""
        grid, side = len(field.moving), len(field.flow)
        now = field.velocity[:1].astype(np.float64).reshape(1, grid**2, 2)
        sure = field.spread[:1].astype(np.float64).reshape(1, grid**2)
        moved, moves = fit_camera(View.of(grid, self.width, self.height), now, sure)
        self._moves.append(bool(moves[0]))
        if moves[0]:
            self._camera = moved
        camera = np.zeros((side, side), complex)
        panned = self._camera is not None and np.mean(self._moves) > 0.5
        if self._camera is not None and panned:
            view = View.of(side, self.width, self.height)
            camera = as_complex(view.flow(self._camera)[0]).reshape(side, side)
        seen = as_complex(field.flow.astype(np.float64))
        rest, carried = seen - camera, np.abs(camera)
        # At first it may not be clear whether the camera moves, and so what moves apart from it.
        clear = bool(panned or not moves[0] or len(self._moves) == CAMERA_FIELDS)
        # Plain areas lag behind the camera; what moves otherwise is clearer.
        lags = (rest * camera.conjugate()).real < -LAGS * np.abs(rest) * carried
        least = np.where(lags, LAGGING, SLACK) * carried
        least += NOISE * float(np.median(np.abs(rest)))
        speed = np.where(np.abs(seen) >= CARRIED * carried, np.abs(rest) - least, 0)
        if panned:  # new contents come in at the border, and their flow is not known
            speed[[0, -1]] = speed[:, [0, -1]] = 0
        there, faint = (speed > slow * self.width for slow in (SLOW, FAINT))
        # Else it is noise, or a camera's motion that was not recognised.
        clear = clear and bool(there.mean() <= CROWDED)
        return RestFlow(rest, camera, there & clear, faint & clear, clear, self.width, self.height)

    def _follow(self, flow: RestFlow) -> None:
        """Give cells to the tracks that expect them, and measure the tracks by these."""
        rows, columns = np.nonzero(flow.faint)
        if not len(rows) or not self._tracks:
            return
        rest = flow.rest[rows, columns]
        costs = np.stack([cell_costs(track, flow, rows, columns, rest) for track in self._tracks])
        best = costs.argmin(0)
        for number, track in enumerate(self._tracks):
            own = (best == number) & np.isfinite(costs[number])
            if not track.id:
                own &= flow.there[rows, columns]
            if not own.any():
                continue
            mask = np.zeros_like(flow.there)
            mask[rows[own], columns[own]] = True
            part = measure_part(flow, mask)
            if part.area < HARDLY * track.area:
                continue
            track.update(part, flow, self._time, self.step)
            flow.there[mask] = flow.faint[mask] = False

    def _begin(self, flow: RestFlow) -> None:
        """Begin to follow what no track expected; what has gone on long enough is a thing."""
        parts = [measure_part(flow, mask) for mask in find_parts(flow)]
        seen = [track for track in self._tracks if track.seen_at == self._time]
        parts = [p for p in parts if p.area >= SMALLEST and not self._joined(p, seen)]
        for part in sorted(parts, key=lambda p: -p.area)[: CANDIDATES - len(self._tracks)]:
            track = Track(part.low, part.high, part.area, self._time, self._time)
            track.start = track.centre
            track.update(part, flow, self._time, self.step)
            self._tracks.append(track)
        for track in self._tracks:
            if not track.id and self._is_thing(track):
                self._name(track)

    def _joined(self, part: Part, tracks: list[Track]) -> bool:
        """Let the first track that a part belongs to have it; return whether there is one."""
        for track in tracks:
            if belongs(part, track):
                track.low = least(track.low, part.low)
                track.high = -least(-track.high, -part.high)
                return True
        return False

    def _is_thing(self, track: Track) -> bool:
        """Return whether a track has gone where its flow pointed, for long enough."""
        # With a moving camera, flow apart from its is less certain.
        needed = SETTLED * (2 if track.carried else 1)
        if self._time - track.born < needed - 1e-6 or track.seen_at < self._time:
            return False
        gone, promised = track.measured - track.start, abs(track.promised)
        rough = ROUGH * abs(track.size)
        own = track.promised - track.carried * (self._time - track.born)
        least = min(FARTHEST_STILL * self.width, max(abs(track.size) / 4, self.width / 64))
        along = (gone * track.promised.conjugate()).real / max(promised, 1e-9)
        return abs(own) >= least and along >= TRAVELLED * promised - rough

    def _name(self, track: Track) -> None:
        """Give a thing the id of the lost one that it is, or a new one."""
        lost = [t for t in self._tracks if t.id and self._time - t.seen_at > self.step / 2]
        found = [(distance_from_lost(track, old, self.step), old) for old in lost]
        found = [(far, old) for far, old in found if far <= 1]
        if found:
            _, old = min(found, key=lambda one: (one[0], one[1].id))
            track.id, track.first_seen = old.id, old.first_seen
            old.id = 0
            old.seen_at = -math.inf
            return
        self._ids += 1
        track.id = self._ids

    def _stays(self, track: Track) -> bool:
        unseen = self._time - track.seen_at
        if unseen > (KEPT if track.id else NEW_KEPT * self.step):
            return False
        out = (
            track.high.real < 0 or track.high.imag < 0
            or track.low.real > self.width or track.low.imag > self.height
        )  # fmt: skip
        return not (unseen and out) and not any(is_same(track, t) for t in self._tracks)

    def _thing(self, track: Track) -> MovingThing:
        if track.stopped:
            track = dataclasses.replace(track, velocity=0j)
        low, high = track.low, track.high
        box = (
            max(low.real, 0.0), max(low.imag, 0.0),
            min(high.real, self.width), min(high.imag, self.height),
        )  # fmt: skip
        places = [track.centre, track.velocity + track.carried]
        places += [track.centre + track.path(seconds) for seconds in AHEAD]
        middle, velocity, *ahead = ((place.real, place.imag) for place in places)
        return MovingThing(
            track.id,
            self._time,
            track.first_seen,
            track.seen_at,
            box,
            heading(track.velocity.real, track.velocity.imag, self.width),
            math.degrees(track.turn),
            middle,
            velocity,
            tuple(ahead),
        )
