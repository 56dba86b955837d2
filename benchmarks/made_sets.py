"""Draw small labelled sets of clips whose traps are known: for tests and for the panel.

    python benchmarks/made_sets.py OUTPUT [--set NAME]... [--seed N] [--clips N]

Writes OUTPUT/NAME/{train,test}/CLASS/clip_NN.mp4, the same bytes for the same seed:

gaits       figures that walk, hop or limp. Of two classes, chosen by the seed (0: walk and hop),
            all clips of train go one way, those of one class right and of the other left; the
            third class goes both ways, and so does every class in test
directions  things that move left or right or turn clockwise or counterclockwise
letters     E, F, G, L, R and S, which drift over clutter; their mirror images are no letters
places      a thing shakes at the left, right, top or bottom; others of its kind stay still

Size, rate, length, light, noise and camera (half of the clips have a moving one) are the same in
every class of a part, clip for clip, in another order: none of them tells the class.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise, permutations
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.float32]
Vector = NDArray[np.float64]
# Draws what happens into a picture, at a time in seconds; the vector is the camera's shift.
Draw = Callable[[Image, float, Vector], None]

SETS = {
    "gaits": ("walk", "hop", "limp"),
    "directions": ("left", "right", "clockwise", "counterclockwise"),
    "letters": ("E", "F", "G", "L", "R", "S"),
    "places": ("left", "right", "top", "bottom"),
}
PARTS = ("train", "test")
SCALE = 3  # pictures are drawn this much larger, then averaged down: smooth sub-pixel motion
MARGIN = 16  # pixels of ground around the picture, for a moving camera
HALF, REACH = 60, 48  # half the side of a thing's own canvas, and its radius on there
FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
)


@dataclass(frozen=True)
class Plan:
    """What is decided of a clip before it is drawn; heading is 1 to the right, -1 to the left."""

    label: str
    heading: int
    moving_camera: bool
    width: int
    height: int
    fps: int
    frames: int
    light: float  # mean of the ground, 0 to 255
    noise: float  # standard deviation of a pixel
    seed: tuple[int, ...]

    @property
    def seconds(self) -> float:
        """Return the time between the first frame and the last."""
        return (self.frames - 1) / self.fps


def plans(name: str, part: str, seed: int, clips: int) -> list[Plan]:
    """Return the plans of all clips of a part, class by class, as many of each."""
    source = (seed, list(SETS).index(name), PARTS.index(part))
    rng = np.random.default_rng(source)
    shared = []
    for index in range(clips):
        fps = int(rng.integers(15, 26))
        size = 2 * int(rng.integers(44, 53)), 2 * int(rng.integers(33, 40))
        length, light, noise = rng.uniform(1.2, 2.0), rng.uniform(75, 170), rng.uniform(1, 4)
        heading, moving = 1 - 2 * (index // 2 % 2), index % 2 == 1
        frames = round(length * fps)
        shared.append(Plan("", heading, moving, *size, fps, frames, light, noise, source))
    linked = {}
    if name == "gaits" and part == "train":
        right, left, _ = list(permutations(SETS[name]))[seed % 6]
        linked = {right: 1, left: -1}
    return [
        replace(
            shared[at],
            label=label,
            heading=linked.get(label, shared[at].heading),
            seed=(*source, number, index),
        )
        for number, label in enumerate(SETS[name])
        for index, at in enumerate(rng.permutation(clips))
    ]


def texture(rng: Generator, height: int, width: int, cells: int, contrast: float) -> Image:
    """Return smooth random blotches of colour around zero."""
    grid = rng.uniform(-contrast, contrast, (max(3, round(cells * height / width)), cells, 3))
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def scenery(rng: Generator, plan: Plan) -> Image:
    """Return the ground, larger than the picture by a margin, with things that stand on it."""
    wide, high = (SCALE * (side + 2 * MARGIN) for side in (plan.width, plan.height))
    ground = texture(rng, high, wide, int(rng.integers(6, 12)), 22)
    ground += texture(rng, high, wide, int(rng.integers(40, 70)), 14)
    ground += rng.uniform(-18, 18, 3).astype(np.float32)
    floor = int(rng.uniform(0.45, 0.7) * high)
    ground[floor:] += rng.uniform(-30, 30, 3).astype(np.float32)
    for _ in range(rng.integers(5, 10)):
        colour = rng.uniform(-60, 60, 3).tolist()
        x, y = (int(rng.uniform(0, side)) for side in (wide, high))
        a, b = (int(SCALE * rng.uniform(2, 12)) for _ in range(2))
        kind = rng.integers(3)
        if kind == 0:
            cv2.rectangle(ground, (x - a, y - b), (x + a, y + b), colour, -1)
        elif kind == 1:
            cv2.ellipse(ground, (x, y), (a, b), rng.uniform(0, 180), 0, 360, colour, -1)
        else:
            cv2.line(ground, (x, y), (x + 2 * a - 2 * b, y + 2 * b), colour, a // 3 + 1)
    return ground + np.float32(plan.light)


def seen_against(rng: Generator, light: float) -> list[float]:
    """Return a colour that stands out from a ground of that mean."""
    bright = light < 105 or (light < 140 and rng.uniform() < 0.5)
    mean = rng.uniform(light + 75, 245) if bright else rng.uniform(0, light - 75)
    return [float(value) for value in np.clip(mean + rng.uniform(-30, 30, 3), 0, 255)]


def thing(rng: Generator) -> tuple[Image, Image]:
    """Return the colours and the soft mask of a random blob in two far-apart colours."""
    around = np.linspace(0, 2 * math.pi, rng.choice([3, 4, 5, 6, 90, 90]), endpoint=False)
    radius = np.ones_like(around)
    for waves in (2, 3, 4):
        radius += rng.uniform(0.02, 0.18) * np.cos(waves * around + rng.uniform(0, 2 * math.pi))
    corners = np.stack([np.cos(around), np.sin(around)], axis=1) * (radius / radius.max())[:, None]
    mask = np.zeros((2 * HALF, 2 * HALF), np.float32)
    cv2.fillPoly(mask, [np.rint(corners * REACH + HALF).astype(np.int32)], 1.0)
    patches = texture(rng, *mask.shape, int(rng.integers(4, 6)), 100)[..., :1]
    share = 1 / (1 + np.exp((np.median(patches[mask > 0.5]) - patches) / 12))
    light, dark = rng.uniform(170, 250, 3), rng.uniform(5, 80, 3)
    colours = (share * light + (1 - share) * dark).astype(np.float32)
    return colours, np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.0), np.float32)[..., None]


def letter(rng: Generator, text: str, light: float) -> tuple[Image, Image]:
    """Return the colours and the soft mask of a letter in a random font and weight."""
    font, weight = FONTS[rng.integers(len(FONTS))], int(rng.integers(5, 13))
    (wide, high), _ = cv2.getTextSize(text, font, 1.0, 1)
    zoom = 2 * REACH * 0.8 / high
    mask = np.zeros((2 * HALF, 2 * HALF), np.float32)
    corner = round(HALF - wide * zoom / 2), round(HALF + high * zoom / 2)
    cv2.putText(mask, text, corner, font, zoom, 1.0, weight)
    colours = texture(rng, *mask.shape, 5, 25) + np.array(seen_against(rng, light), np.float32)
    return colours, np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.0), np.float32)[..., None]


def lay(picture: Image, what: tuple[Image, Image], at: Vector, size: float, angle: float) -> None:
    """Lay a thing of that radius in pixels, turned by an angle in radians, on the picture."""
    zoom = SCALE * size / REACH
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    matrix = np.column_stack([turn, SCALE * at - turn @ (HALF, HALF)])
    shape = picture.shape[1], picture.shape[0]
    colours = cv2.warpAffine(what[0], matrix, shape, borderMode=cv2.BORDER_REPLICATE)
    cover = cv2.warpAffine(what[1], matrix, shape)[..., None]
    picture += (colours - picture) * cover


def directions(rng: Generator, plan: Plan) -> Draw:
    """Draw a thing that moves or turns; what it does not do is frozen at a random moment."""
    what, size = thing(rng), rng.uniform(0.17, 0.3) * plan.height
    room = np.array([plan.width, plan.height])
    path = rng.uniform(0.35, 0.5)
    start, up = rng.uniform(0.2, 0.8 - path), rng.uniform(0.3, 0.7)
    begun, speed = rng.uniform(0, 2 * math.pi), math.radians(rng.uniform(90, 220))
    frozen = rng.uniform()

    def draw(picture: Image, time: float, camera: Vector) -> None:
        done = time / plan.seconds
        moved = {"left": 1 - done, "right": done}.get(plan.label, frozen)
        turned = {"clockwise": done, "counterclockwise": 1 - done}.get(plan.label, frozen)
        at = room * (start + moved * path, up)
        lay(picture, what, at + camera, size, begun + speed * plan.seconds * turned)

    return draw


def letters(rng: Generator, plan: Plan) -> Draw:
    """Draw a letter that drifts, trembles and grows or shrinks a little."""
    what, size = letter(rng, plan.label, plan.light), rng.uniform(0.26, 0.42) * plan.height
    middle = rng.uniform(0.4, 0.6, 2) * (plan.width, plan.height)
    drift, tremble = rng.uniform(-12, 12, 2), rng.uniform(0, 0.5)
    lean, growth = rng.normal(0, 0.1), rng.uniform(-0.2, 0.2)

    def draw(picture: Image, time: float, camera: Vector) -> None:
        since = time - plan.seconds / 2
        at = middle + drift * since + rng.normal(0, tremble, 2)
        lay(picture, what, at + camera, size * math.exp(growth * since), lean + 0.1 * since)

    return draw


def places(rng: Generator, plan: Plan) -> Draw:
    """Draw a thing that shakes in its place, and others that stay still in some of the others."""
    centres = {"left": (0.17, 0.5), "right": (0.83, 0.5), "top": (0.5, 0.2), "bottom": (0.5, 0.8)}
    things = {}
    for label, centre in centres.items():
        at = (centre + rng.uniform(-0.05, 0.05, 2)) * (plan.width, plan.height)
        found = thing(rng), at, rng.uniform(0.11, 0.17) * plan.height
        if rng.uniform() < 0.5 or label == plan.label:
            things[label] = found
    kind, beat, phase = rng.integers(3), rng.uniform(1.8, 3.5), rng.uniform(0, 2 * math.pi)
    reach = rng.uniform(3, 6)

    def draw(picture: Image, time: float, camera: Vector) -> None:
        swing = math.sin(2 * math.pi * beat * time + phase)
        for label, (what, at, size) in things.items():
            now = swing if label == plan.label else 0.0
            # It shakes sideways, bounces, or swings to and fro as it sways.
            shift = ((reach * now, 0.0), (0.0, -1.5 * reach * abs(now)), (reach * now / 2, 0.0))
            lay(picture, what, at + shift[kind] + camera, size, 0.6 * now if kind == 2 else 0.0)

    return draw


def gaits(rng: Generator, plan: Plan) -> Draw:
    """Draw a figure seen from the side whose feet stand still on the floor while they carry it."""
    tall = rng.uniform(0.5, 0.66) * plan.height
    leg, trunk, head = tall * rng.uniform([0.47, 0.3, 0.07], [0.52, 0.34, 0.09])
    weight, period = rng.uniform(0.07, 0.11) * tall, rng.uniform(0.55, 0.85)
    stride, phase = rng.uniform(0.95, 1.3) * leg, rng.uniform()
    floor = rng.uniform(0.84, 0.94) * plan.height
    middle = rng.uniform(0.42, 0.58) * plan.width
    lift, bob, arm_swing = leg * rng.uniform(0.1, 0.18), leg * 0.03, rng.uniform(0.35, 0.65)
    elbow, lean = rng.uniform(0.2, 0.9), rng.uniform(0.0, 0.12)
    dip, jump = leg * rng.uniform(0.16, 0.24), tall * rng.uniform(0.12, 0.2)
    shirt, trousers, skin = (seen_against(rng, plan.light) for _ in range(3))
    lame = int(rng.integers(2))
    # Of both feet: when in the stride it comes down, and the share of the stride that it stands.
    steps = {
        "walk": ((0.0, 0.6), (0.5, 0.6)),
        "hop": ((0.0, 0.42), (rng.uniform(0, 0.04), 0.42)),
        "limp": ((0.0, 0.42), (0.34, 0.76)),
    }[plan.label]
    # Where in the stride the body is fastest, and by how much.
    fastest, surge = {"walk": (0.0, 0.0), "hop": (0.71, 0.5), "limp": (0.22, 0.35)}[plan.label]

    def along(strides: float) -> float:
        wave = math.sin(2 * math.pi * (strides - fastest)) * surge / (2 * math.pi)
        return float(stride * (strides + wave))

    def foot(strides: float, lands: float, stands: float) -> tuple[float, float]:
        count = math.floor(strides - lands)
        done = strides - lands - count
        here, there = (along(count + k + lands + stands / 2) for k in (0, 1))
        if done < stands:
            return here, 0.0
        done = (done - stands) / (1 - stands)
        if plan.label == "hop":
            return here + (there - here) * done, jump * 4 * done * (1 - done)
        low = 0.4 if plan.label == "limp" and lands == 0 else 1.0
        across = done**2 * (3 - 2 * done)
        return here + (there - here) * across, low * lift * math.sin(math.pi * done)

    def height(done: float) -> tuple[float, float]:
        if plan.label == "walk":
            return -bob * math.cos(4 * math.pi * done), 0.0
        if plan.label == "limp":
            low = max(0.0, math.cos(math.pi * (done - 0.22) / 0.6)) ** 2 if done < 0.6 else 0.0
            return -dip * low, 0.3 * low
        if done < 0.42:
            return -dip * math.sin(math.pi * done / 0.42), 0.25 * math.sin(math.pi * done / 0.42)
        done = (done - 0.42) / 0.58
        return jump * 4 * done * (1 - done), 0.0

    def draw(picture: Image, time: float, camera: Vector) -> None:
        strides = phase + time / period
        half_way = along(phase + plan.seconds / 2 / period)
        rise, bend = height(strides % 1)
        hip = np.array([along(strides), 0.95 * leg + rise])
        chest = hip + trunk * np.array([math.sin(lean + bend), math.cos(lean + bend)])

        def at(point: Vector) -> tuple[int, int]:
            x = middle + plan.heading * (point[0] - half_way)
            found = 16 * SCALE * (np.array([x, floor - point[1]]) + camera)
            return round(found[0]), round(found[1])

        def limb(points: list[Vector], colour: list[float], thick: float, dim: float) -> None:
            paint = [dim * value for value in colour]
            for one, other in pairwise(points):
                cv2.line(picture, at(one), at(other), paint, round(SCALE * thick), shift=4)

        def side(number: int, dim: float) -> None:
            lands, stands = steps[number]
            ankle = np.array(foot(strides, lands, stands))
            gap = ankle - hip
            length = min(float(np.hypot(*gap)), 0.995 * leg)
            gap *= length / np.hypot(*gap)
            out = math.sqrt(leg**2 - length**2) / 2 / length
            knee = hip + gap / 2 + out * np.array([-gap[1], gap[0]])
            toe = hip + gap + np.array([0.16 * leg, 0.0])
            limb([hip, knee, hip + gap, toe], trousers, weight, dim)
            swing = arm_swing * math.cos(2 * math.pi * (strides - lands + 0.5))
            upper = np.array([math.sin(swing), -math.cos(swing)])
            lower = np.array([math.sin(swing + elbow), -math.cos(swing + elbow)])
            hand = chest + 0.55 * trunk * (upper + lower)
            limb([chest, chest + 0.55 * trunk * upper, hand], shirt, 0.8 * weight, 0.9 * dim)

        side(lame, 0.75)
        limb([hip, chest], shirt, 1.8 * weight, 1.0)
        top = chest + (head * 1.6) * np.array([math.sin(lean + bend), math.cos(lean + bend)])
        cv2.circle(picture, at(top), round(16 * SCALE * head), skin, -1, shift=4)
        side(1 - lame, 1.0)

    return draw


def render(plan: Plan) -> list[NDArray[np.uint8]]:
    """Return the bgr frames of a clip."""
    rng = np.random.default_rng(plan.seed)
    ground = scenery(rng, plan)
    name = list(SETS)[plan.seed[1]]
    draw = {"gaits": gaits, "directions": directions, "letters": letters, "places": places}[name](
        rng, plan
    )
    pan = rng.uniform(-6, 6, 2) * plan.moving_camera
    shake, beats = rng.uniform(0.3, 1.0, 2) * plan.moving_camera, rng.uniform(0.8, 1.8, 2)
    fade = rng.uniform(-0.08, 0.08)
    size = plan.width * SCALE, plan.height * SCALE
    frames = []
    for index in range(plan.frames):
        time = index / plan.fps
        since = time - plan.seconds / 2
        camera = pan * since + shake * np.sin(2 * math.pi * beats * time)
        shift = SCALE * (camera - MARGIN)
        moved = cv2.warpAffine(ground, np.column_stack([np.eye(2), shift]), size)
        picture = np.asarray(moved, np.float32)
        draw(picture, time, camera)
        small = cv2.resize(picture, (plan.width, plan.height), interpolation=cv2.INTER_AREA)
        noisy = small * (1 + fade * since) + rng.normal(0, plan.noise, small.shape)
        frames.append(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    return frames


def make(name: str, folder: Path, seed: int, clips: int = 24, test_clips: int = 16) -> None:
    """Write one set below the folder, so many clips of each class to learn from and to test."""
    for part, count in zip(PARTS, (clips, test_clips), strict=True):
        if (folder / part).exists():
            raise SystemExit(f"{folder / part} is there already")
        for plan in plans(name, part, seed, count):
            home = folder / part / plan.label
            home.mkdir(parents=True, exist_ok=True)
            path, codec = home / f"clip_{plan.seed[-1]:02d}.mp4", cv2.VideoWriter.fourcc(*"mp4v")
            size = plan.width, plan.height
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, plan.fps, size)
            if not writer.isOpened():
                raise SystemExit(f"this OpenCV cannot write mp4v into {path}")
            for frame in render(plan):
                writer.write(frame)
            writer.release()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Draw small sets of clips whose traps are known.")
    parser.add_argument("output", type=Path, metavar="OUTPUT")
    parser.add_argument("--set", action="append", choices=list(SETS), metavar="NAME")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", type=int, default=24, help="of each class to learn from")
    options = parser.parse_args()
    for name in options.set or SETS:
        make(name, options.output / name, options.seed, options.clips)
        print(options.output / name)


if __name__ == "__main__":
    main()
