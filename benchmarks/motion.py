"""How well the model of motion that comes with vidgru detects and predicts.

    python benchmarks/motion.py [--seed N] [--scenes N] [--things]

Generates videos of seeds that the model was not trained on, writes them as files at
several sizes and rates, lets the model read those and compares with the true motion: of each moving
cell, the angle and speed now; on scenes whose shapes bounce or turn, the error half a second
ahead, compared with that of persistence, which knows the true motion now. Then the same by whole
seconds, as `vidgru motion` prints them, for scenes with a single shape or only a moving camera.
"""

import argparse
import math
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import vidgru
from vidgru.tasks.motion.flow import FlowMeter, cell_means
from vidgru.tasks.motion.model import MotionModel
from vidgru.tasks.motion.results import AHEAD, MotionField
from vidgru.video.record import open_recorder
from vidgru.video.sample import sample_frames

sys.path.append(str(Path(__file__).parents[1] / "scripts"))
from drawn_scenes import Scene, Shot, make_scene, render
from motion_things import follow, total

SIZES = (320, 426)  # widths
RATES = (24.0, 25.0, 30.0, 12.5)  # frames/s
SECONDS = 3.0
SETTLED = 0.5  # seconds that a state has to settle
SLOW = 0.03  # widths/s: slower motion has no clear direction
GRID = 8

Numbers = NDArray[np.float64]
Figure = tuple[str, float]  # what was measured, and what came out


class Video(NamedTuple):
    """A scene as a file, and its true motion."""

    path: Path
    scene: Scene
    shot: Shot
    fps: float


def videos(folder: Path, seed: int, count: int, **wanted: object) -> Iterator[Video]:
    """Write generated scenes as files, one after the other."""
    for number in range(count):
        rng = np.random.default_rng([seed, number, 12345])
        scene = make_scene(rng, SECONDS, **wanted)  # type: ignore[arg-type]
        fps, width = RATES[number % len(RATES)], int(rng.choice(SIZES))
        height = round(width * scene.aspect / 2) * 2
        shot = render(scene, fps, round(SECONDS * fps), (width, height))
        path = folder / f"{number}.mp4"
        with open_recorder(path, (width, height), Fraction(fps)) as recorder:
            for frame in shot.frames:
                recorder.write(frame)
        yield Video(path, scene, shot, fps)
        path.unlink()


def cells(field: NDArray[np.float32]) -> Numbers:
    """Return the means (GRID, GRID, 2) over cells of a field (H, W, 2), in pixels/s."""
    height, width = field.shape[:2]
    rows = np.arange(GRID) * height // GRID
    columns = np.arange(GRID) * width // GRID
    sums = np.add.reduceat(np.add.reduceat(field.astype(np.float64), rows, 0), columns, 1)
    tall, wide = np.diff([*rows, height]), np.diff([*columns, width])
    means: Numbers = sums / (tall[:, None, None] * wide[None, :, None]) * [width, height]
    return means


def truth(video: Video, time: float) -> Numbers | None:
    """Return the true mean motion of cells (GRID, GRID, 2) at a time, in pixels/s."""
    number = round(time * video.fps)
    return cells(video.shot.velocity[number]) if 1 <= number < len(video.shot.frames) else None


def angle(a: Numbers, b: Numbers) -> Numbers:
    """Return the angles (...) between vectors (..., 2), in degrees."""
    cross = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    angles: Numbers = np.degrees(np.abs(np.arctan2(cross, (a * b).sum(-1))))
    return angles


class MotionPrediction(NamedTuple):
    """A field that the model predicts at a frame, and the flow measured there (GRID, GRID, 2)."""

    field: MotionField
    flow: Numbers


def predicted(model: MotionModel, video: Video) -> Iterator[MotionPrediction]:
    """Yield the predictions for a video once the state has settled."""
    rate, side = model.probe(video.path).rate, model.spec.size
    height, width = video.shot.frames.shape[1:3]
    meter, flows = FlowMeter(rate), {}
    for frame in sample_frames(video.path, rate, size=(side, side)):
        fine = cell_means(meter.next(frame.rgb))
        flows[frame.time] = cells(fine) / len(fine) * [width, height]
    for field in model.fields(video.path):
        if field.time >= SETTLED:
            yield MotionPrediction(field, flows[field.time])


def by_cells(model: MotionModel, folder: Path, seed: int, count: int) -> Iterator[Figure]:
    """Yield the errors of fields: of all scenes now, of bouncing and turning shapes ahead."""
    angles: dict[str, list[Numbers]] = {"model": [], "flow alone": []}
    speeds: dict[str, list[Numbers]] = {"model": [], "flow alone": []}
    for video in videos(folder, seed, count):
        width = video.shot.frames.shape[2]
        for field, flow in predicted(model, video):
            known = truth(video, field.time)
            if known is None:
                continue
            length = np.linalg.norm(known, axis=-1)
            moves = length > SLOW * width
            for name, velocity in zip(angles, (field.velocity[0].astype(float), flow), strict=True):
                angles[name].append(angle(velocity, known)[moves])
                off = np.abs(np.linalg.norm(velocity, axis=-1) - length) / np.maximum(length, 1e-9)
                speeds[name].append(off[moves])
    for name in angles:
        which = f"cells that move now, {name}: median"
        yield f"{which} angle error, degrees", float(np.median(np.concatenate(angles[name])))
        off = np.concatenate(speeds[name])
        yield f"{which} speed error, %", 100 * float(np.median(off))
    place = AHEAD.index(0.5) + 1
    errors: dict[str, list[float]] = {
        name: [] for name in ("model", "persistence", "persistence of the true field", "zero")
    }
    for video in videos(folder, seed + 1, count, kinds=("bouncing", "turning"), camera="still"):
        for field, flow in predicted(model, video):
            now, then = (truth(video, field.time + ahead) for ahead in (0, AHEAD[1]))
            if now is None or then is None:
                continue
            baselines = field.velocity[place].astype(float), flow, now, np.zeros_like(now)
            for name, baseline in zip(errors, baselines, strict=True):
                errors[name].append(float(np.linalg.norm(baseline - then, axis=-1).mean()))
    means = {name: float(np.mean(values)) for name, values in errors.items()}
    which = "+0.5 s, bouncing and turning: "
    yield f"{which}mean error, px/s", means["model"]
    for name, mean in means.items():
        if name != "model":
            yield f"{which}error of the model / of {name}", means["model"] / mean


def by_seconds(model: MotionModel, folder: Path, seed: int, count: int) -> Iterator[Figure]:
    """Yield the errors of direction and speed of whole seconds, for simple scenes."""
    for name, wanted in (
        ("one shape, still camera", {"camera": "still", "kinds": ("constant",), "most": 1}),
        ("panning camera", {"camera": "pan", "most": 0}),
    ):
        angles, speeds = [], []
        for video in videos(folder, seed + 2, count, **wanted):
            height, width = video.shot.frames.shape[1:3]
            for second in model.analyse(video.path).seconds:
                frames = slice(round(second.start * video.fps) + 1, round(second.end * video.fps))
                flat = (video.shot.velocity[frames] * [width, height]).reshape(-1, 2)
                length = np.linalg.norm(flat, axis=1)
                moving = flat[length > SLOW * width]
                # A shape that is hardly in the picture has no direction.
                if len(moving) < 0.01 * len(flat):
                    continue
                if second.motion is None:
                    angles.append(180.0)
                    speeds.append(1.0)
                    continue
                mean = moving.mean(0)
                bearing = math.radians(second.motion.degrees)
                direction = np.array([math.sin(bearing), -math.cos(bearing)])
                angles.append(float(angle(direction, mean)))
                speeds.append(abs(second.motion.speed / float(np.linalg.norm(mean)) - 1))
        yield f"seconds, {name}: median angle error, degrees", float(np.median(angles))
        yield f"seconds, {name}: median speed error, %", 100 * float(np.median(speeds))


SCENES_OF_THINGS: dict[str, dict[str, object]] = {
    "turning, still camera": {"kinds": ("turning",), "camera": "still"},
    "turning, any camera": {"kinds": ("turning",)},
    "all motions, any camera": {},
    "no things, moving camera": {"camera": "pan", "most": 0},
}


def by_things(model: MotionModel, folder: Path, seed: int, count: int) -> Iterator[Figure]:
    """Yield how well each thing is followed, and where it is predicted to be."""
    for name, wanted in SCENES_OF_THINGS.items():
        scores = [
            follow(
                video.scene,
                model.fields(video.path, things=True),
                video.shot.frames.shape[2],
                SECONDS,
            )
            for video in videos(folder, seed + 3, count, **wanted)
        ]
        for what, figure in total(scores):
            yield f"things, {name}: {what}", figure


def main() -> None:
    """Run the chosen measurement."""
    parser = argparse.ArgumentParser(description="Measure the model of motion.")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--model", help="Left out, the one that comes with vidgru.")
    parser.add_argument("--things", action="store_true", help="Only how things are followed.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = vidgru.load(given.model or "motion")
        for measure in (by_things,) if given.things else (by_cells, by_seconds):
            for what, figure in measure(model, Path(folder), given.seed, given.scenes):
                print(f"{what}: {figure:.3f}", flush=True)


if __name__ == "__main__":
    main()
