"""Draw small labelled sets of clips whose traps are known: for tests and for the panel.

    python benchmarks/made_sets.py OUTPUT [--set NAME]... [--seed N] [--clips N]

Writes OUTPUT/NAME/{train,test}/CLASS/clip_NN.mp4, the same bytes for the same seed:

gaits       figures that walk, hop or limp. Of two classes, chosen by the seed (0: walk and hop),
            all clips of train go one way, those of one class right and of the other left; the
            third class goes both ways, and so does every class in test
directions  objects that move left or right or turn clockwise or counterclockwise
letters     E, F, G, L, R and S, which drift over clutter; their mirror images are no letters
places      an object shakes at the left, right, top or bottom; others of its kind may stand still

Size, rate, length, light, noise and camera (half of the clips have a moving one) are the same in
every class of a part, clip for clip, in another order: none of them predicts the class.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
from figures import GAITS, figure
from made_things import SCALE, Image, Vector, blob, lay, letter, seen_against, texture
from numpy.random import Generator
from numpy.typing import NDArray

# Draws the content into a picture, at a time in seconds; the vector is the camera's shift.
Draw = Callable[[Image, float, Vector], None]

PARTS = ("train", "test")
MARGIN = 16  # pixels of ground around the picture, for a moving camera
CENTRES = {"left": (0.17, 0.5), "right": (0.83, 0.5), "top": (0.5, 0.2), "bottom": (0.5, 0.8)}


@dataclass(frozen=True)
class Plan:
    """What is fixed about a clip before it is drawn; heading is 1 to the right, -1 to the left."""

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
    """Return the plans of a part, class by class, `clips` of each."""
    source, classes = (seed, list(SETS).index(name), PARTS.index(part)), SETS[name][0]
    rng = np.random.default_rng(source)
    shared = []
    for index in range(clips):
        heading, moving = 1 - 2 * (index // 2 % 2), index % 2 == 1
        size = 2 * int(rng.integers(44, 53)), 2 * int(rng.integers(33, 40))
        fps, light, noise = int(rng.integers(15, 26)), rng.uniform(75, 170), rng.uniform(1, 4)
        frames = round(rng.uniform(1.2, 2.0) * fps)
        shared.append(Plan("", heading, moving, *size, fps, frames, light, noise, source))
    linked = {}
    if name == "gaits" and part == "train":
        right, left, _ = list(permutations(classes))[seed % 6]
        linked = {right: 1, left: -1}
    found = []
    for number, label in enumerate(classes):
        for index, at in enumerate(rng.permutation(clips)):
            heading, own = linked.get(label, shared[at].heading), (*source, number, index)
            found.append(replace(shared[at], label=label, heading=heading, seed=own))
    return found


def scenery(rng: Generator, plan: Plan) -> Image:
    """Return the ground, larger than the picture by a margin, with objects that stand on it."""
    wide, high = (SCALE * (side + 2 * MARGIN) for side in (plan.width, plan.height))
    ground = texture(rng, high, wide, int(rng.integers(6, 12)), 25)
    ground += texture(rng, high, wide, int(rng.integers(40, 70)), 16)
    for top in (0, int(rng.uniform(0.45, 0.7) * high)):  # a wall, and a floor before it
        ground[top:] += rng.uniform(-20, 20, 3).astype(np.float32)
    for _ in range(rng.integers(5, 10)):
        colour = (rng.uniform(-50, 50) + rng.uniform(-30, 30, 3)).tolist()
        x, y = int(rng.uniform(0, wide)), int(rng.uniform(0, high))
        a, b = (int(SCALE * side) for side in rng.uniform(2, 12, 2))
        match int(rng.integers(3)):
            case 0:
                cv2.rectangle(ground, (x - a, y - b), (x + a, y + b), colour, -1)
            case 1:
                cv2.ellipse(ground, (x, y), (a, b), rng.uniform(0, 180), 0, 360, colour, -1)
            case _:
                cv2.line(ground, (x, y), (x + 2 * a - 2 * b, y + 2 * b), colour, a // 3 + 1)
    return ground + np.float32(plan.light)


def directions(rng: Generator, plan: Plan) -> Draw:
    """Draw an object that moves or turns; what it does not do is frozen at a random moment."""
    thing, size, path = blob(rng), rng.uniform(0.17, 0.3) * plan.height, rng.uniform(0.35, 0.5)
    left, top, frozen = rng.uniform(0.2, 0.8 - path), rng.uniform(0.3, 0.7), rng.uniform()
    begun, turn = rng.uniform(0, 2 * math.pi), math.radians(rng.uniform(90, 220)) * plan.seconds

    def draw(picture: Image, time: float, camera: Vector) -> None:
        done = time / plan.seconds
        moved = {"left": 1 - done, "right": done}.get(plan.label, frozen)
        turned = {"clockwise": done, "counterclockwise": 1 - done}.get(plan.label, frozen)
        at = np.array([(left + path * moved) * plan.width, top * plan.height])
        lay(picture, thing, at + camera, size, begun + turn * turned)

    return draw


def letters(rng: Generator, plan: Plan) -> Draw:
    """Draw a letter that drifts, trembles, leans, and grows or shrinks a little."""
    thing, size = letter(rng, plan.label, plan.light), rng.uniform(0.25, 0.38) * plan.height
    middle, drift = rng.uniform(0.4, 0.6, 2) * (plan.width, plan.height), rng.uniform(-10, 10, 2)
    tremble, growth = rng.uniform(0, 0.5), rng.uniform(-0.2, 0.2)
    lean, tilt = rng.normal(0, 0.1), rng.normal(0, 0.08)

    def draw(picture: Image, time: float, camera: Vector) -> None:
        since = time - plan.seconds / 2
        at = middle + drift * since + rng.normal(0, tremble, 2)
        lay(picture, thing, at + camera, size * math.exp(growth * since), lean + tilt * since)

    return draw


def places(rng: Generator, plan: Plan) -> Draw:
    """Draw an object that shakes in its place, and others that stay still in some other places."""
    things = []
    for label, centre in CENTRES.items():
        at = (centre + rng.uniform(-0.05, 0.05, 2)) * (plan.width, plan.height)
        thing, size, there = blob(rng), rng.uniform(0.12, 0.18) * plan.height, rng.uniform() < 0.5
        if there or label == plan.label:
            things.append((thing, at, size, label == plan.label))
    beat, phase = rng.uniform(1.8, 3.5), rng.uniform(0, 2 * math.pi)
    kind, reach = rng.integers(3), rng.uniform(4, 7)

    def draw(picture: Image, time: float, camera: Vector) -> None:
        for thing, at, size, shakes in things:
            now = shakes * math.sin(2 * math.pi * beat * time + phase)
            # It shakes sideways, bounces, or swings to and fro.
            shift = ((reach * now, 0.0), (0.0, reach * (1 - 2 * abs(now)) * shakes), (0.0, 0.0))
            lay(picture, thing, at + shift[kind] + camera, size, 0.9 * now * (kind == 2))

    return draw


def gaits(rng: Generator, plan: Plan) -> Draw:
    """Draw a figure that crosses the picture."""
    colours = [seen_against(rng, plan.light) for _ in range(3)]
    size = plan.width, plan.height
    return figure(rng, plan.label, plan.heading, size, plan.seconds, colours)


SETS: dict[str, tuple[tuple[str, ...], Callable[[Generator, Plan], Draw]]] = {
    "gaits": (tuple(GAITS), gaits),
    "directions": (("left", "right", "clockwise", "counterclockwise"), directions),
    "letters": (tuple("EFGLRS"), letters),
    "places": (tuple(CENTRES), places),
}


def render(name: str, plan: Plan) -> list[NDArray[np.uint8]]:
    """Return the bgr frames of a clip."""
    rng = np.random.default_rng(plan.seed)
    ground, draw = scenery(rng, plan), SETS[name][1](rng, plan)
    pan = plan.moving_camera * rng.uniform(-6, 6, 2)  # pixels a second
    shake = plan.moving_camera * rng.uniform(0.3, 1.0, 2)
    beats, fade = rng.uniform(0.8, 1.8, 2), rng.uniform(-0.08, 0.08)
    frames = []
    for index in range(plan.frames):
        time, since = index / plan.fps, index / plan.fps - plan.seconds / 2
        camera = pan * since + shake * np.sin(2 * math.pi * beats * time)
        shift = np.column_stack([np.eye(2), SCALE * (camera - MARGIN)])
        moved = cv2.warpAffine(ground, shift, (plan.width * SCALE, plan.height * SCALE))
        picture = np.asarray(moved, np.float32)
        draw(picture, time, camera)
        small = cv2.resize(picture, (plan.width, plan.height), interpolation=cv2.INTER_AREA)
        noisy = small * (1 + fade * since) + rng.normal(0, plan.noise, small.shape)
        frames.append(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    return frames


def make(name: str, folder: Path, seed: int, clips: int = 32, test_clips: int = 16) -> None:
    """Write one set below the folder, as many training and test clips of each class as given."""
    for part, count in zip(PARTS, (clips, test_clips), strict=True):
        if (folder / part).exists():
            raise SystemExit(f"{folder / part} is there already")
        for plan in plans(name, part, seed, count):
            path = folder / part / plan.label / f"clip_{plan.seed[-1]:02d}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            codec, size = cv2.VideoWriter.fourcc(*"mp4v"), (plan.width, plan.height)
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, plan.fps, size)
            if not writer.isOpened():
                raise SystemExit(f"this OpenCV cannot write mp4v into {path}")
            for frame in render(name, plan):
                writer.write(frame)
            writer.release()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Draw small sets of clips whose traps are known.")
    parser.add_argument("output", type=Path, metavar="OUTPUT")
    parser.add_argument("--set", action="append", choices=SETS, help="all of them unless given")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", type=int, default=32, help="of each class to learn from")
    options = parser.parse_args()
    if options.seed < 0 or options.clips < 1:
        parser.error("the seed is 0 or more, and the clips are 1 or more")
    for name in options.set or SETS:
        make(name, options.output / name, options.seed, options.clips)
        print(options.output / name)


if __name__ == "__main__":
    main()
