"""Things that are followed through motion fields whose truth is known."""

import math
from collections.abc import Iterable

import numpy as np
import pytest
from motion_fields import HEIGHT, RATE, WIDTH, Path, fields, scene, shape, straight
from motion_models import Known

from vidgru.tasks.motion.regions import RestFlow, measure_part
from vidgru.tasks.motion.results import AHEAD, FrameThings, MotionField, MovingThing
from vidgru.tasks.motion.tracking import Tracker

Frames = list[tuple[MovingThing, ...]]


def circle(x: float, y: float, radius: float, turn: float) -> Path:
    def way(t: float) -> tuple[float, float, float, float]:
        cos, sin = math.cos(turn * t), math.sin(turn * t)
        speed = radius * turn
        return x + radius * cos, y + radius * sin, -speed * sin, speed * cos

    return way


def stopping(start: float, end: float, x: float, y: float, speed: float) -> Path:
    """Return a path to the right that rests from `start` to `end`."""

    def way(t: float) -> tuple[float, float, float, float]:
        gone = min(t, start) + max(t - end, 0)
        return x + speed * gone, y, 0.0 if start < t <= end else speed, 0.0

    return way


def follow(seen: Iterable[MotionField], rate: float = RATE) -> Frames:
    tracker = Tracker(WIDTH, HEIGHT, rate)
    return [tracker.next(field).things or () for field in seen]


def ids(frames: Frames) -> set[int]:
    return {thing.id for things in frames for thing in things}


def test_one_thing() -> None:
    way = straight(300, 300, 250, 60)
    frames = follow(fields([way], 2.4))
    assert ids(frames) == {1}
    for number, things in enumerate(frames):
        time = (number + 1) / RATE
        if time < 0.5:
            continue
        (thing,) = things
        x, y, vx, vy = way(time)
        assert thing.time == thing.last_seen == pytest.approx(time)
        assert thing.first_seen == pytest.approx(1 / RATE)
        assert thing.middle == pytest.approx((x, y), abs=15)
        left, top, right, bottom = thing.box
        assert (right - left, bottom - top) == pytest.approx((200, 160), rel=0.2)
        assert thing.heading.speed == pytest.approx(math.hypot(vx, vy), rel=0.1)
        assert thing.heading.degrees == pytest.approx(90 + math.degrees(math.atan2(vy, vx)), abs=3)
        for place, seconds in zip(thing.ahead, AHEAD, strict=True):
            expected = x + vx * seconds, y + vy * seconds
            assert place == pytest.approx(expected, abs=20 + 30 * seconds)


@pytest.mark.parametrize(("rate", "speed"), [(4, 200), (2, 150), (0.5, 45)])
def test_few_fields_a_second_say_how_fast_it_is(rate: float, speed: float) -> None:
    way = straight(150, 300, speed, 0)
    times = [number / rate for number in range(1, 11)]
    frames = follow((scene([shape(way, time)], time=time) for time in times), rate)
    (thing,) = frames[-1]
    assert thing.time == thing.last_seen
    assert thing.heading.speed == pytest.approx(speed, rel=0.1)
    assert thing.ahead[1] == pytest.approx(way(times[-1] + 0.5)[:2], abs=15)


def test_a_turning_thing_is_predicted_on_its_circle() -> None:
    way = circle(640, 360, 180, 2.0)
    errors, straight_on = [], []
    for number, things in enumerate(follow(fields([way], 3))):
        time = (number + 1) / RATE
        if time < 1:
            continue
        (thing,) = things
        x, y, _, _ = way(time + 0.5)
        ahead = thing.ahead[AHEAD.index(0.5)]
        errors.append(math.hypot(ahead[0] - x, ahead[1] - y))
        went = [m + 0.5 * v for m, v in zip(thing.middle, thing.velocity, strict=True)]
        straight_on.append(math.hypot(went[0] - x, went[1] - y))
        assert thing.turn == pytest.approx(math.degrees(2.0), rel=0.25)
    assert np.mean(errors) < 0.5 * np.mean(straight_on)


@pytest.mark.parametrize("spin", [-3.0, 2.0])
def test_a_thing_that_spins_is_one(spin: float) -> None:
    way = straight(300, 300, 150, 60)
    seen = []
    for number in range(1, 30):
        thing = shape(way, number / RATE, 240, 240)._replace(spin=spin)
        seen.append(scene([thing], time=number / RATE))
    frames = follow(seen)
    assert ids(frames) == {1}
    for field, things in zip(seen[8:], frames[8:], strict=True):
        (thing,) = things
        x, y, vx, vy = way(field.time)
        assert thing.box == pytest.approx((x - 120, y - 120, x + 120, y + 120), abs=25)
        assert thing.velocity == pytest.approx((vx, vy), abs=35)


def test_what_grows_evenly_fills_its_cells() -> None:
    y, x = np.mgrid[:32, :32] + 0.5
    mask = (abs(x - 16) < 4) & (abs(y - 16) < 4)
    rest = np.where(mask, 10 * (x - 16) + 10j * (y - 16), 0)  # whose mean is exactly none
    part = measure_part(RestFlow(rest, 0 * rest, mask, mask, True, 320, 320), mask)
    assert (part.low, part.high, part.area) == (120 + 120j, 200 + 200j, 64)
    assert (abs(part.velocity), part.spin) == pytest.approx((0, 0), abs=1e-9)


def test_things_that_cross_without_touching_keep_their_ids() -> None:
    # Their columns cross, and each other's height; they pass 80 pixels from each other.
    ways = straight(250, 230, 300, 0), straight(1000, 470, -300, 0)
    frames = follow(fields(ways, 2.4))
    assert ids(frames) == {1, 2}
    by_height = [{round(t.middle[1] / 240): t.id for t in things} for things in frames[6:]]
    assert all(found == by_height[0] and len(found) == 2 for found in by_height)


def test_a_thing_that_leaves_ends() -> None:
    way = straight(900, 360, 300, 0)  # its left edge leaves at 1.6 s
    frames = follow(fields([way], 3))
    assert ids(frames) == {1}
    assert len(frames[round(1.0 * RATE)]) == 1
    assert [len(things) for things in frames[round(2.1 * RATE) :]] == [0] * len(
        frames[round(2.1 * RATE) :]
    )
    boxes = [thing.box for things in frames for thing in things]
    assert all(0 <= x <= WIDTH for box in boxes for x in box[::2])
    assert all(0 <= y <= HEIGHT for box in boxes for y in box[1::2])


@pytest.mark.parametrize("rest", [0.4, 0.9])
def test_a_thing_that_stops_and_goes_on_keeps_its_id(rest: float) -> None:
    way = stopping(1, 1 + rest, 300, 360, 250)
    frames = follow(fields([way], 3))
    assert ids(frames) == {1}
    assert all(len(things) == 1 for things in frames[6:])
    (resting,) = frames[round((1 + rest) * RATE) - 2]
    assert resting.last_seen == pytest.approx(1, abs=0.09)
    assert resting.middle[0] == pytest.approx(550, abs=80)
    if rest > 0.5:
        assert resting.heading.speed == 0
        assert resting.ahead[1] == resting.middle


def test_what_stays_at_rest_is_no_longer_told() -> None:
    frames = follow(fields([stopping(1, 9, 300, 360, 250)], 3))
    assert len(frames[round(1.5 * RATE)]) == 1
    assert frames[round(2.4 * RATE) :] == [()] * len(frames[round(2.4 * RATE) :])


@pytest.mark.parametrize(
    "camera",
    [{}, {"pan": (300, 0)}, {"pan": (-60, 100)}, {"zoom": 1.3}, {"turn": 20}],
    ids=str,
)
def test_no_thing_moves(camera: dict[str, object]) -> None:
    assert ids(follow(fields([], 3, **camera))) == set()


def test_a_pan_that_begins_gives_no_things() -> None:
    still = [scene(time=n / RATE) for n in range(1, 13)]
    panning = [scene(time=n / RATE, pan=(250, 0)) for n in range(13, 38)]
    assert ids(follow(still + panning)) == set()


def test_noise_is_no_thing() -> None:
    rng = np.random.default_rng(0)
    seen = []
    for field in fields([], 3):
        noise = rng.normal(0, 20, field.flow.shape).astype(np.float32)
        seen.append(MotionField(field.time, field.velocity, field.spread, field.moving, noise))
    assert ids(follow(seen)) == set()


def test_with_a_panning_camera_a_thing_is_followed_in_the_picture() -> None:
    way = straight(300, 400, 150, 0)  # in the picture, whose contents go left
    frames = follow(fields([way], 2.4, pan=(200, 0)))
    assert ids(frames) == {1}
    for number, things in enumerate(frames[12:], 12):
        (thing,) = things
        x, y, _, _ = way((number + 1) / RATE)
        assert thing.middle == pytest.approx((x, y), abs=25)
        assert thing.velocity == pytest.approx((150, 0), abs=30)  # camera included,
        assert thing.heading.speed == pytest.approx(350, rel=0.1)  # and apart from it
        assert thing.ahead[1][0] == pytest.approx(x + 75, abs=30)


def test_no_thing_is_followed_across_a_gap() -> None:
    way = straight(300, 300, 100, 0)
    seen = fields([way], 4)
    frames = follow(seen[:20] + seen[25:])
    assert ids(frames[:20]) == {1}
    assert ids(frames[20:]) == {2}


def test_seconds_and_frames_of_a_source(tmp_path: object, clip: object) -> None:
    way = straight(300, 300, 200, 0)
    seen = fields([way], 2)
    model = Known(seen, len(seen) + 1)
    motion = model.analyse(clip, things=True)  # type: ignore[arg-type]
    first, second = motion.seconds
    assert first.things is not None
    assert second.things is not None
    assert [thing.id for thing in first.things] == [thing.id for thing in second.things] == [1]
    assert second.things[0].time == pytest.approx(24 / RATE)
    assert second.things[0].first_seen == first.things[0].first_seen
    frames = [item for item in model.steps(clip, things=True) if isinstance(item, FrameThings)]  # type: ignore[arg-type]
    assert [frame.time for frame in frames] == [field.time for field in seen]
    assert frames[-1].things == second.things
    told = [field.things for field in model.fields(clip, things=True)]  # type: ignore[arg-type]
    assert told == [frame.things for frame in frames]
    assert [second.things for second in model.analyse(clip).seconds] == [None, None]  # type: ignore[arg-type]


def test_memory_stays_constant() -> None:
    tracker = Tracker(WIDTH, HEIGHT, RATE)
    rng = np.random.default_rng(1)
    for number in range(1, 400):
        flow = np.zeros((32, 32, 2), np.float32)
        for row, column in rng.integers(0, 30, (12, 2)):
            flow[row : row + 2, column : column + 2] = rng.normal(0, 200, 2)
        field = scene(time=number / RATE)
        tracker.next(MotionField(field.time, field.velocity, field.spread, field.moving, flow))
        assert len(tracker._tracks) <= 64
        assert all(len(t.history) <= 10 and len(t.places) <= 10 for t in tracker._tracks)
