"""Draw a figure from the side that walks, hops or limps: for benchmarks/made_sets.py."""

import cmath
import math
from collections.abc import Callable
from itertools import pairwise

import cv2
from made_things import Image, Vector
from numpy.random import Generator

# Of both feet: when in the stride it comes down, and the share of the stride that it stands; then
# where in the stride the body is fastest, and by which share of its speed.
GAITS = {
    "walk": ((0.0, 0.6), (0.5, 0.6), (0.0, 0.0)),
    "hop": ((0.0, 0.42), (0.02, 0.42), (0.71, 0.5)),
    "limp": ((0.0, 0.42), (0.34, 0.76), (0.22, 0.35)),
}


def figure(
    rng: Generator,
    gait: str,
    heading: int,
    size: tuple[int, int],
    seconds: float,
    colours: list[list[float]],
) -> Callable[[Image, float, Vector], None]:
    """Return what draws the figure into a picture at a time in seconds, moved by the vector.

    It is half way across a picture of that width and height, in pixels, half way through the
    seconds, and goes right for heading 1, left for -1; the feet that carry it stand still. The
    picture may be larger by a factor. Colours are those of its shirt, trousers and skin.
    """
    tall, period = rng.uniform(0.5, 0.66) * size[1], rng.uniform(0.55, 0.85)
    leg, trunk, head = tall * rng.uniform([0.47, 0.3, 0.07], [0.52, 0.34, 0.09])
    weight, stride, dip = [tall, leg, leg] * rng.uniform([0.07, 0.95, 0.14], [0.11, 1.3, 0.22])
    middle, floor = size * rng.uniform([0.42, 0.84], [0.58, 0.94])
    lift, jump = [leg, tall] * rng.uniform([0.1, 0.12], [0.18, 0.2])
    phase, swing, elbow, lean = rng.uniform([0.0, 0.35, 0.2, 0.0], [1.0, 0.65, 0.9, 0.12])
    shirt, trousers, skin = colours
    dip *= 1.0 + 0.6 * (gait == "limp")
    bend = {"walk": 0.0, "hop": 0.28, "limp": 0.5}[gait]
    lifts = {"walk": (lift, lift), "hop": (jump, jump), "limp": (0.1 * lift, lift)}[gait]
    *steps, (fastest, surge) = GAITS[gait]
    stands, far = steps[0][1], int(rng.integers(2))

    # Points are complex numbers, in pixels: forward, and above the floor.
    def along(strides: float) -> float:
        wave = math.sin(2 * math.pi * (strides - fastest)) / (2 * math.pi)
        return float(stride * (strides + surge * wave))

    def foot(strides: float, lands: float, stands: float, lift: float) -> complex:
        landed = math.floor(strides - lands) + lands
        here, there = (along(landed + after + stands / 2) for after in (0, 1))
        done = max(0.0, (strides - landed - stands) / (1 - stands))
        across = done**2 * (3 - 2 * done)
        return complex(here + (there - here) * across, lift * math.sin(math.pi * done))

    half_way = along(phase + seconds / 2 / period)

    def draw(picture: Image, time: float, camera: Vector) -> None:
        scale, strides = picture.shape[1] / size[0], phase + time / period
        load = math.sin(math.pi * min(1.0, strides % 1 / stands))
        flight = math.sin(math.pi * max(0.0, (strides % 1 - stands) / (1 - stands)))
        bob = -0.03 * leg * math.cos(4 * math.pi * strides)
        rise = {"walk": bob, "hop": jump * flight - dip * load, "limp": -dip * load}[gait]
        hip = complex(along(strides), 0.95 * leg + rise)
        upright = cmath.rect(1, math.pi / 2 - lean - bend * load)
        chest = hip + trunk * upright

        def at(point: complex) -> tuple[int, int]:
            x = middle + heading * (point.real - half_way) + camera[0]
            y = floor - point.imag + camera[1]
            return round(16 * scale * x), round(16 * scale * y)  # sixteenths: shift=4

        def limb(colour: list[float], dim: float, thick: float, *points: complex) -> None:
            paint = [dim * value for value in colour]
            for one, other in pairwise(at(point) for point in points):
                cv2.line(picture, one, other, paint, round(scale * thick), shift=4)

        def side(number: int, dim: float) -> None:
            gap = foot(strides, *steps[number], lifts[number]) - hip
            gap *= min(1.0, 0.995 * leg / abs(gap))
            knee = hip + gap / 2 + 0.5j * gap * math.sqrt((leg / abs(gap)) ** 2 - 1)
            limb(trousers, dim, weight, hip, knee, hip + gap, hip + gap + 0.16 * leg)
            angle = swing * math.cos(2 * math.pi * (strides - steps[number][0] + 0.5))
            bow = chest + cmath.rect(0.55 * trunk, angle - math.pi / 2)
            hand = bow + cmath.rect(0.55 * trunk, angle + elbow - math.pi / 2)
            limb(shirt, 0.9 * dim, 0.8 * weight, chest, bow, hand)

        side(far, 0.75)
        limb(shirt, 1.0, 1.8 * weight, hip, chest)
        face = at(chest + 1.6 * head * upright)
        cv2.circle(picture, face, round(16 * scale * head), skin, -1, shift=4)
        side(1 - far, 1.0)

    return draw
