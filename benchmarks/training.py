"""How much of a training's time is the network's own arithmetic.

    python benchmarks/training.py FOLDER [--epochs N]

Trains twice on FOLDER through the library. The second time nothing may be decoded. The time of its
steps (reading, augmenting, validating and saving included) is set against as many bare steps
(forward, backward, update) on one batch in memory, taken in turns in the same process.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from vidgru.commands.train import train_steps
from vidgru.data.augment import AUGMENTATIONS
from vidgru.data.folder import read_folder
from vidgru.nn.choices import CORE
from vidgru.tasks.classify.build import build
from vidgru.tasks.classify.classes import Classify
from vidgru.tasks.classify.network import HIDDEN
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.tasks.classify.train_step import ClassifyTrainStep, Examples

BLOCK = 20


def timed_training(
    folder: Path, config: ClassifyTrainConfig, bare: Callable[[], float]
) -> tuple[list[float], list[float], str]:
    """Return seconds a step, of training and of `bare`, in turns; and what the reading said."""
    steps, note = train_steps(folder, config), ""
    ours: list[float] = []
    theirs: list[float] = []
    begun, since = 0.0, 0
    for progress in steps:
        if progress.stage == "reading clips":
            note = f"{progress.note} of {progress.total}"
        elif not begun:
            begun = time.perf_counter()  # after the first step, which warms up
        elif progress.done - since > BLOCK:
            ours.append((time.perf_counter() - begun) / BLOCK)
            start = time.perf_counter()
            for _ in range(BLOCK):
                bare()
            theirs.append((time.perf_counter() - start) / BLOCK)
            begun, since = time.perf_counter(), progress.done - 1
    return ours, theirs, note


def bare_step(config: ClassifyTrainConfig, frames: int, labels: int) -> Callable[[], float]:
    """Return a function that learns from one and the same batch in memory."""
    names = tuple(map(str, range(labels)))
    spec = ModelSpec("classify", names, "both", CORE, HIDDEN, 10.0, frames, config.side)
    trainer = ClassifyTrainStep(
        build(spec),
        Classify(names),
        Examples([], torch.arange(labels)),
        spec,
        batch_size=config.batch_size,
        lr=config.lr,
        seed=0,
        augmentation=AUGMENTATIONS["light"],
        device=torch.device("cpu"),
    )
    batch = torch.randn(config.batch_size, frames, 3, config.side, config.side)
    targets = torch.arange(config.batch_size) % labels
    return lambda: trainer.learn(batch, targets, 0.5)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=48)
    parser.add_argument("--frames", type=int, default=16)
    options = parser.parse_args()
    labels = len({clip.label for clip in read_folder(options.folder)})
    with tempfile.TemporaryDirectory() as place:
        for turn in ("first", "second"):
            config = ClassifyTrainConfig(
                epochs=options.epochs, frames=options.frames, device="cpu", out=f"{place}/{turn}"
            )
            ours, theirs, note = timed_training(
                options.folder, config, bare_step(config, options.frames, labels)
            )
            ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
            print(
                f"{turn} training: {note}; {1000 * median(ours):.1f} ms a step, bare steps "
                f"{1000 * median(theirs):.1f} ms; ratio {median(ratios):.2f} "
                f"(median of {len(ratios)} blocks of {BLOCK} steps)"
            )


if __name__ == "__main__":
    main()
