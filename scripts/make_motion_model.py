"""Make the model of motion that comes with vidgru, from generated videos only.

    python scripts/make_motion_model.py [--scenes 2500] [--steps 4500] [--seed 2] [--out FILE]

Takes some 6 GB of disk in a temporary folder, and three quarters of an hour on two cores. The
recipe, the seed and the scores on other scenes are written into the file. The same seed gives
the same scenes anywhere; the weights are equal bit for bit on the same machine with as many
threads, and equally good elsewhere.
"""

import argparse
import math
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import torch
from drawn_scenes import make_scene, render

from vidgru.engine.device import prepare
from vidgru.engine.model_file import save_model
from vidgru.nn.choices import MAP_CORE
from vidgru.tasks.motion.flow import FlowMeter, cell_means, moving_share
from vidgru.tasks.motion.footage import Footage
from vidgru.tasks.motion.model_file import SHIPPED_MOTION
from vidgru.tasks.motion.network import REFERENCE_FPS, MotionNetwork
from vidgru.tasks.motion.spec import FINE, MOTION_HIDDEN, MOTION_SIZE, MotionSpec
from vidgru.tasks.motion.train_step import MotionTrainStep
from vidgru.tasks.motion.training import fit_spread

FRAMES = 40
SLOWEST, FASTEST = 8.0, 19.0  # frames/s
NOISE = 3.0  # grey levels at most
HELD = 100  # scenes that are not trained on


def footage(seed: int, number: int) -> Footage:
    """Return one generated scene as footage."""
    rng = np.random.default_rng([seed, number])
    rate = math.exp(rng.uniform(math.log(SLOWEST), math.log(FASTEST)))
    scene = make_scene(rng, FRAMES / rate)
    # Downscaled videos look like this.
    shot = render(scene, rate, FRAMES, (MOTION_SIZE, MOTION_SIZE), fine=2)
    noise = rng.normal(0, NOISE * rng.random() ** 2, shot.frames.shape)
    frames = (shot.frames + noise).clip(0, 255).astype(np.uint8)
    meter = FlowMeter(rate)
    measured = np.stack([cell_means(meter.next(frame)) for frame in frames])
    velocity = np.stack([cell_means(field) for field in shot.velocity])
    moving = np.stack([moving_share(field, scene.aspect) for field in shot.velocity])
    width = 1000
    return Footage(frames, velocity, moving, measured, rate, width, round(width * scene.aspect))


class Kept(Sequence[Footage]):
    """Footage in files, mapped into memory."""

    def __init__(self, folder: Path, count: int) -> None:
        side = MOTION_SIZE // FINE
        self.frames = np.lib.format.open_memmap(
            folder / "frames.npy", "w+", np.uint8, (count, FRAMES, MOTION_SIZE, MOTION_SIZE, 3)
        )
        self.fields = np.lib.format.open_memmap(
            folder / "fields.npy", "w+", np.float16, (count, FRAMES, side, side, 5)
        )
        self.info = np.zeros((count, 3))

    def __len__(self) -> int:
        """Return how many scenes there are."""
        return len(self.info)

    def put(self, number: int, piece: Footage) -> None:
        """Store one scene."""
        self.frames[number] = piece.frames
        parts = piece.velocity, piece.measured, piece.moving[..., None]
        self.fields[number] = np.concatenate(parts, axis=-1)
        self.info[number] = piece.rate, piece.width, piece.height

    def __getitem__(self, number: int) -> Footage:  # type: ignore[override]
        """Return one scene."""
        fields = self.fields[number].astype(np.float32)
        rate, width, height = self.info[number].tolist()
        return Footage(
            self.frames[number], fields[..., :2], fields[..., 4], fields[..., 2:4],
            rate, int(width), int(height),
        )  # fmt: skip


def _one(order: tuple[int, int]) -> Footage:
    cv2.setNumThreads(1)
    return footage(*order)


def keep(folder: Path, seed: int, count: int) -> Kept:
    """Return `count` scenes, generated into a folder."""
    folder.mkdir()
    kept = Kept(folder, count)
    with ProcessPoolExecutor() as pool:
        orders = ((seed, number) for number in range(count))
        for number, piece in enumerate(pool.map(_one, orders, chunksize=8)):
            kept.put(number, piece)
    return kept


def main() -> None:
    """Generate, train, measure, write."""
    parser = argparse.ArgumentParser(description="Make the model of motion that vidgru ships.")
    parser.add_argument("--scenes", type=int, default=2500)
    parser.add_argument("--steps", type=int, default=4500)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--out", type=Path, default=SHIPPED_MOTION)
    given = parser.parse_args()
    prepare(None)
    torch.manual_seed(given.seed)
    spec = MotionSpec("motion", MAP_CORE, MOTION_HIDDEN, REFERENCE_FPS, given.frames, MOTION_SIZE)
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        scenes = keep(Path(folder) / "learned", given.seed, given.scenes)
        held = keep(Path(folder) / "held", given.seed + 1, HELD)
        print(f"{given.scenes + HELD} scenes in {time.monotonic() - began:.0f} s", flush=True)
        trainer = MotionTrainStep(
            MotionNetwork(MOTION_SIZE, MOTION_HIDDEN),
            scenes,
            spec,
            batch_size=given.batch_size,
            lr=given.lr,
            seed=given.seed,
            device=torch.device("cpu"),
        )
        loss = 0.0
        for step in range(given.steps):
            loss = 0.98 * loss + 0.02 * trainer.step(step / given.steps)
            if (step + 1) % 250 == 0 or step + 1 == given.steps:
                print(f"{step + 1} loss {loss:.3f} {time.monotonic() - began:.0f} s", flush=True)
            if (step + 1) % 1000 == 0:
                print(trainer.measure(held).to_dict(), flush=True)
        scores = fit_spread(trainer.network, lambda: trainer.measure(held)).to_dict()
    recipe = {
        "script": Path(__file__).name,
        **{k: v for k, v in vars(given).items() if k != "out"},
    }
    given.out.parent.mkdir(exist_ok=True)
    weights = trainer.network.state_dict()
    save_model(given.out, weights, spec, {"recipe": recipe, "validation": scores})
    print(f"{given.out}: {given.out.stat().st_size} bytes, {scores}")


if __name__ == "__main__":
    main()
