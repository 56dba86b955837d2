"""What moves, from motion fields whose truth is known: dense velocities, averaged over cells."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from motion_fields import CAR, HEIGHT, WIDTH, Thing, scene

from vidgru.tasks.motion.results import AHEAD, MotionField, MotionSecond, Outcomes
from vidgru.tasks.motion.summary import summarise_second
from vidgru.tasks.motion.tables import COLUMNS, cells_of, row_of


def predicted(*fields: MotionField, width: int = WIDTH, height: int = HEIGHT) -> MotionSecond:
    return summarise_second(fields, width, height, 0.0, 1.0)[0]


def apart(a: float, b: float) -> float:
    """Return how far two bearings are apart, in degrees."""
    return abs((a - b + 180) % 360 - 180)


def test_where_it_is_not_sure() -> None:
    field = scene([CAR])
    chance = np.ones_like(field.spread)
    for when in range(1 + len(AHEAD)):
        sure = np.zeros(field.spread.shape, bool)
        sure[when] = True
        both = np.stack([field.velocity] * 2), np.stack([field.spread] * 2), chance
        second = predicted(dataclasses.replace(field, outcomes=Outcomes(*both, sure)))
        wanted = [when == place for place in range(1, 1 + len(AHEAD))]
        assert [ahead.sure for ahead in second.ahead] == wanted
        shown = row_of(second).split()[8:-1]
        assert shown == [word for known in wanted for word in (["E", "300"] if known else ["?"])]
        row = dict(zip(COLUMNS, cells_of("a.mp4", second), strict=True))
        assert [row[f"sure_{s:g}s"] for s in AHEAD] == [f"{known:d}" for known in wanted]
        assert [row[f"compass_{s:g}s"] for s in AHEAD] == ["E"] * 3  # the guess is there
    empty = dict(zip(COLUMNS, cells_of("a.mp4", predicted(scene())), strict=True))
    assert [empty[f"sure_{s:g}s"] for s in AHEAD] == [""] * 3


def test_nothing_moves() -> None:
    second = predicted(scene(), scene())
    assert (second.motion, second.objects, second.moving) == (None, None, 0)
    assert second.camera.words == "still"
    assert second.camera.to_dict() == {"words": "still", "pan": None, "zoom": 1, "turn": 0}
    assert [a.heading for a in second.ahead] == [None] * 3
    assert [a.centre for a in second.ahead] == [None] * 3


@pytest.mark.parametrize("spread", [5, 60, 300])
def test_noise_all_over_is_no_motion(spread: float) -> None:
    fields = [scene(noise=0.6 * spread, spread=spread, seed=n) for n in range(12)]
    second = predicted(*fields)
    assert second.camera.words == "still"
    assert second.moving < 0.35
    assert {predicted(field).camera.words for field in fields} == {"still"}
    wild = [scene(noise=200, spread=20, seed=n) for n in range(12)]  # it does not know better
    assert predicted(*wild).camera.words == "still"


@pytest.mark.parametrize(
    ("vx", "vy", "degrees", "compass"),
    [(0, -200, 0, "N"), (200, 0, 90, "E"), (0, 200, 180, "S"), (-200, 0, 270, "W"),
     (150, -150, 45, "NE"), (200, 20, 95.71, "E"), (-100, -10, 275.71, "W")],
)  # fmt: skip
def test_one_object_and_a_still_camera(vx: float, vy: float, degrees: float, compass: str) -> None:
    car = CAR._replace(vx=vx, vy=vy)
    second = predicted(*[scene([car]) for _ in range(4)])
    assert second.camera.words == "still"
    assert second.objects is not None
    assert second.motion == second.objects
    assert apart(second.objects.degrees, degrees) < 0.5
    assert second.objects.compass == compass
    assert second.objects.speed == pytest.approx(math.hypot(vx, vy), rel=0.01)
    assert second.objects.share == pytest.approx(math.hypot(vx, vy) / WIDTH, rel=0.01)
    # A corner of it that fills a sixth of its cell is too slow on average to be seen.
    assert second.moving == pytest.approx(0.25 * 0.3, rel=0.03 if math.hypot(vx, vy) > 150 else 0.1)
    for ahead, seconds in zip(second.ahead, AHEAD, strict=True):
        assert ahead.seconds == seconds
        assert ahead.heading is not None
        assert apart(ahead.heading.degrees, degrees) < 0.5
        assert ahead.heading.speed == pytest.approx(math.hypot(vx, vy), rel=0.02)
        assert ahead.centre == pytest.approx((0.325, 0.65), abs=0.02)
        assert ahead.spread == pytest.approx(10)


def test_an_object_smaller_than_a_cell() -> None:
    """Its cell's mean is slow; the moving share gives the speed of the object itself."""
    ball = Thing(0.52, 0.3, 0.56, 0.36, 0, 500)
    second = predicted(scene([ball], spread=5))
    assert second.objects is not None
    assert second.objects.speed == pytest.approx(500, rel=0.05)
    assert second.moving == pytest.approx(0.04 * 0.06, rel=0.2)


def test_an_object_that_fills_two_fifths() -> None:
    second = predicted(*[scene([Thing(0.3, 0.1, 0.8, 0.9, -400, 100)]) for _ in range(4)])
    assert second.camera.words == "still"
    assert second.objects is not None
    assert apart(second.objects.degrees, math.degrees(math.atan2(-400, -100))) < 0.5
    assert second.objects.speed == pytest.approx(math.hypot(400, 100), rel=0.02)
    assert second.moving == pytest.approx(0.4, rel=0.03)


def test_opposite_objects_do_not_cancel() -> None:
    left, right = Thing(0.1, 0.1, 0.4, 0.3, -200, 0), Thing(0.5, 0.6, 0.9, 0.9, 200, 0)
    second = predicted(scene([left, right]))
    assert second.camera.words == "still"
    assert second.objects is not None
    assert apart(second.objects.degrees, 90) < 0.5  # the larger one
    assert second.objects.speed == pytest.approx(200, rel=0.02)
    assert second.moving == pytest.approx(0.18, rel=0.03)


@pytest.mark.parametrize("width", [1280, 640, 405])
@pytest.mark.parametrize(
    ("pan", "zoom", "turn", "words"),
    [
        ((300, 0), 1, 0, "pans right"),
        ((-90, 0), 1, 0, "pans left"),
        ((0, -200), 1, 0, "pans up"),
        ((100, 100), 1, 0, "pans down and right"),
        ((0, 0), 1.5, 0, "zooms in"),
        ((0, 0), 0.8, 0, "zooms out"),
        ((0, 0), 1, 30, "turns clockwise"),
        ((0, 0), 1, -12, "turns counterclockwise"),
        ((-250, 0), 1.3, 0, "pans left, zooms in"),
        ((200, 0), 0.8, 20, "pans right, zooms out, turns clockwise"),
    ],
)
@pytest.mark.parametrize("object_motion", [[], [CAR], [CAR, Thing(0.6, 0.1, 0.8, 0.5, -150, 80)]],
                         ids=["empty", "one", "two"])  # fmt: skip
def test_the_camera(
    object_motion: list[Thing],
    pan: tuple[float, float],
    zoom: float,
    turn: float,
    words: str,
    width: int,
) -> None:
    fields = [scene(object_motion, pan=pan, zoom=zoom, turn=turn, width=width, noise=2, seed=n)
              for n in range(6)]  # fmt: skip
    second = predicted(*fields, width=width)
    camera = second.camera
    assert camera.words == words
    if pan != (0, 0):
        assert camera.pan is not None
        assert apart(camera.pan.degrees, math.degrees(math.atan2(pan[0], -pan[1]))) < 1.5
        assert camera.pan.speed == pytest.approx(math.hypot(*pan), rel=0.02)
        assert camera.pan.share == camera.pan.speed / width
    assert math.log(camera.zoom) == pytest.approx(math.log(zoom), rel=0.02)
    assert camera.turn == pytest.approx(turn, rel=0.02)
    if not object_motion:
        assert (second.objects, second.moving) == (None, 0)
        assert [ahead.heading for ahead in second.ahead] == [None] * 3


@pytest.mark.parametrize("pan", [(250, 0), (-120, 40)])
def test_an_object_before_a_panning_camera(pan: tuple[float, float]) -> None:
    """Objects are separated from the camera: a car that the camera follows stays in its place."""
    followed = CAR._replace(vx=0, vy=0)
    second = predicted(*[scene([followed], pan=pan) for _ in range(4)])
    assert second.objects is not None
    assert apart(second.objects.degrees, math.degrees(math.atan2(pan[0], -pan[1]))) < 1
    assert second.objects.speed == pytest.approx(math.hypot(*pan), rel=0.05)
    # Cells that it fills less than a half count as those behind it.
    assert 0.6 * 0.075 <= second.moving <= 0.075
    assert second.motion is not None  # what is seen: nearly all goes the other way
    assert apart(second.motion.degrees, math.degrees(math.atan2(-pan[0], pan[1]))) < 1
    assert second.motion.speed == pytest.approx(math.hypot(*pan), rel=0.02)


def test_three_objects_that_fill_a_pan() -> None:
    """Where hardly anything stands still, less than half of the picture may show the camera."""
    crowd = [Thing(0, 0.375, 0.375, 1, 0, 400), Thing(0.375, 0.375, 0.75, 1, -150, 300),
             Thing(0.75, 0.375, 1, 1, 0, -250)]  # fmt: skip
    camera = predicted(scene(crowd, pan=(-250, 0))).camera
    assert camera.words == "pans left"
    assert camera.pan is not None
    assert camera.pan.speed == pytest.approx(250, rel=0.02)


def test_sky_without_texture_does_not_stop_a_pan() -> None:
    """Where no motion is visible, the network shows that by its spread."""
    field = scene(pan=(300, 0))
    field.velocity[:, :5] = 0
    field.spread[:, :5] = 150
    camera = predicted(field, field).camera
    assert camera.words == "pans right"
    assert camera.pan is not None
    assert camera.pan.speed == pytest.approx(300, rel=0.01)


def test_a_camera_that_stops_and_one_that_shakes() -> None:
    fields = [scene(pan=(200 * (n % 2 * 2 - 1), 0)) for n in range(12)]
    second = predicted(*fields)
    assert second.camera.words == "still"  # in all
    assert second.objects is None  # and yet nothing else moved
    stopped = predicted(*[scene(pan=(200, 0))] * 4, *[scene()] * 8)
    assert stopped.camera.words == "still"


def test_a_tall_picture_is_measured_in_its_own_pixels() -> None:
    """Speeds are shares of the width, also where the picture is higher than wide."""
    second = predicted(scene([CAR], width=720, height=1280), width=720, height=1280)
    assert second.objects is not None
    assert second.objects.speed == pytest.approx(300, rel=0.01)
    assert second.objects.share == pytest.approx(300 / 720, rel=0.01)
    turned = predicted(scene(turn=25, width=720, height=1280), width=720, height=1280)
    assert turned.camera.turn == pytest.approx(25, rel=0.01)


def test_a_frame_that_misjudges_how_much_moves_does_not_make_the_future_fast() -> None:
    last = scene([CAR])
    last.moving[:] = 0
    for ahead in predicted(*[scene([CAR])] * 9, last).ahead:
        assert ahead.heading is not None
        assert 250 < ahead.heading.speed < 400


def test_the_mean_field_and_heat() -> None:
    left, right = scene([CAR]), scene([CAR._replace(vx=-100)])
    second, heat = summarise_second([left, right], WIDTH, HEIGHT, 0, 1)
    mean = (left.velocity[0] + right.velocity[0]) / 2
    assert np.array(second.field) == pytest.approx(mean, abs=0.006)
    total = np.hypot(*left.velocity[0].transpose(2, 0, 1)) * 4 / 3
    total[total < 100] = heat[total < 100]  # the slower object fills too little of two cells
    assert heat == pytest.approx(total, abs=0.01)
    assert heat.max() == pytest.approx(400)
    assert heat[0, 0] == 0


def test_turning_back_within_a_second_gives_the_longer_way() -> None:
    second = predicted(*[scene([CAR])] * 7, *[scene([CAR._replace(vx=-300)])] * 5)
    assert second.objects is not None
    assert second.objects.compass == "E"
    assert second.objects.speed == pytest.approx(300, rel=0.01)
    assert second.ahead[0].heading is not None
    assert second.ahead[0].heading.compass == "W"  # from the last frame on


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 4, 8, 16]), st.floats(0, 1e5),
       st.floats(1e-3, 1e5), st.integers(1, 4000), st.integers(1, 4000))  # fmt: skip
def test_any_field_gives_numbers(
    seed: int, grid: int, size: float, spread: float, width: int, height: int
) -> None:
    rng = np.random.default_rng(seed)
    fields = [
        MotionField(
            0.0,
            rng.normal(0, size, (4, grid, grid, 2)).astype(np.float32),
            (spread * rng.random((4, grid, grid)) + 1e-4).astype(np.float32),
            rng.random((grid, grid)).astype(np.float32),
            np.zeros((grid, grid, 2), np.float32),
        )
        for _ in range(3)
    ]
    second, heat = summarise_second(fields, width, height, 0, 1)
    assert np.isfinite(heat).all()
    assert 0 <= second.moving <= 1
    for heading in (second.motion, second.objects, second.camera.pan,
                    *(a.heading for a in second.ahead)):  # fmt: skip
        if heading is not None:
            assert 0 <= heading.degrees < 360
            assert 0 < heading.speed < math.inf
    assert 0 < second.camera.zoom < math.inf
    assert all(a.centre is None or 0 <= min(a.centre) <= max(a.centre) <= 1 for a in second.ahead)
