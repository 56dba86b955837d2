"""What vidgru costs against the least that the same work can cost, in one table.

    python benchmarks/speed.py [PART...] [--clip FILE] [--model RUN] [--runs N]

Parts: help, answer, decoding, extract, step, training. What is compared is measured in turns;
ratios are medians, CPU seconds those of all threads. Left out, the clip is 10 s of 1080p H.264 by
ffmpeg, and the classifier learns sample_videos for an epoch.
"""

import argparse
import csv
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import cv2
import numpy as np
import torch
from shared import READ, Cost, cost, draw_clip, run_vidgru

from vidgru.commands.train import train_steps
from vidgru.data.augment import AUGMENTATIONS
from vidgru.nn.choices import CORE
from vidgru.tasks.classify.backend import open_classifier
from vidgru.tasks.classify.build import build
from vidgru.tasks.classify.classes import Classify
from vidgru.tasks.classify.network import HIDDEN
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.tasks.classify.train_step import ClassifyTrainStep, Examples

SAMPLES = Path(__file__).parents[1] / "sample_videos"
IMPORTS = "import click, cv2, numpy, rich.console, rich.table, safetensors.torch, torch, tqdm"
WRITE = """if 1:
    import csv, sys
    import cv2
    capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)
    with open(sys.argv[2] + "/frames.csv", newline="", encoding="utf-8") as table:
        wanted = {int(row["index"]): row["file"] for row in csv.DictReader(table)}
    index = 0
    while (found := capture.read())[0]:
        if index in wanted:
            cv2.imwrite(f"{sys.argv[3]}/{wanted[index]}", found[1])
        index += 1
"""
BLOCK = 20  # training steps


class Place(NamedTuple):
    """What the parts share: a folder for their files, a clip, a run folder, and how many turns."""

    folder: Path
    clip: Path
    run: Path
    runs: int


Row = tuple[str, str]  # what was measured, and what came out


def python(*words: object) -> Cost:
    """Run Python with some words to its end."""
    return cost(sys.executable, *map(str, words))


vidgru = partial(python, "-m", "vidgru")


def in_turns(runs: int, **commands: Callable[[], Cost]) -> dict[str, list[Cost]]:
    """Run some commands in turns, after each ran once to warm the caches of files."""
    for command in commands.values():
        command()
    turns = [{name: command() for name, command in commands.items()} for _ in range(runs)]
    return {name: [turn[name] for turn in turns] for name in commands}


def help_(place: Place) -> Iterator[Row]:
    """Measure `vidgru --help`."""
    found = in_turns(place.runs, help=partial(vidgru, "--help"))["help"]
    yield "`vidgru --help`, whole process", f"{median(c.wall for c in found):.2f} s"


def answer(place: Place) -> Iterator[Row]:
    """Measure the prediction of one short clip."""
    clip = next((SAMPLES / "test").glob("*/*.avi"))
    words = ("predict", clip, "--model", place.run, "-q")
    torchs = partial(vidgru, *words, "--torch")
    found = in_turns(place.runs, onnx=partial(vidgru, *words), torch=torchs)
    onnx, with_torch = (median(cost.wall for cost in found[name]) for name in ("onnx", "torch"))
    yield "`predict` of a short clip, whole process", f"{onnx:.2f} s; with torch {with_torch:.2f} s"


def decoding(place: Place) -> Iterator[Row]:
    """Compare the commands that read every frame with decoding alone, both beyond imports."""
    torchs = ("--model", place.run, "--torch")
    for verb, model in (("predict", torchs), ("motion", ()), ("scenes", ())):
        found = in_turns(
            place.runs,
            ours=partial(vidgru, verb, place.clip, *model, "--json", "-q"),
            imports=partial(python, "-c", IMPORTS),
            read=partial(python, "-c", READ, place.clip),
            cv2=partial(python, "-c", "import cv2"),
        )
        turns = list(zip(*found.values(), strict=True))
        cpu, wall = (
            median((o[at] - i[at]) / (r[at] - c[at]) for o, i, r, c in turns) for at in (0, 1)
        )
        yield (
            f"`{verb}` of the clip, beyond imports",
            f"{cpu:.2f} x the CPU time of decoding it alone ({wall:.2f} x the wall time)",
        )


def extract(place: Place) -> Iterator[Row]:
    """Compare `vidgru extract` with reading every frame and writing the same images."""
    out, plain = place.folder / "out", place.folder / "plain"
    plain.mkdir()
    words = ("extract", place.clip, "-o", out, "--fps", 5, "--format", "png", "--overwrite", "-q")
    theirs = partial(python, "-c", WRITE, place.clip, out, plain)
    found = in_turns(place.runs, ours=partial(vidgru, *words), theirs=theirs)
    with open(out / "frames.csv", newline="", encoding="utf-8") as table:
        names = [row["file"] for row in csv.DictReader(table)]
    for name in names:
        one, other = (np.asarray(cv2.imread(str(at / name))) for at in (out, plain))
        if one.ndim != 3 or not np.array_equal(one, other):
            sys.exit(f"{name} is not what sequential decoding gives.")
    ratio = median(a.cpu / b.cpu for a, b in zip(*found.values(), strict=True))
    yield (
        "`extract --fps 5 --format png` of the clip",
        f"{ratio:.2f} x the CPU time of reading all and writing the same {len(names)} images",
    )


def step(place: Place) -> Iterator[Row]:
    """Compare one step of a stream of the exported model with torch's, in one thread."""
    torch.set_num_threads(1)
    int8 = place.folder / "int8.onnx"
    run_vidgru("export", place.run, "--int8", "--out", int8, "-q")
    models = {
        "torch": open_classifier(place.run, torch=True, threads=1),
        "onnx": open_classifier(place.run / "model.onnx"),
        "int8": open_classifier(int8),
    }
    side = models["torch"].spec.side
    shape = (36, side, side, 3)
    pictures = list(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))

    def milliseconds(name: str) -> float:
        stream = models[name].running()
        for picture in pictures[:12]:  # until two windows are open
            stream.push(picture)
        begun = time.process_time()
        for picture in pictures[12:]:
            stream.push(picture)
        return (time.process_time() - begun) / len(pictures[12:]) * 1000

    turns = [{name: milliseconds(name) for name in models} for _ in range(4 * place.runs)][1:]
    theirs = median(turn["torch"] for turn in turns)
    for name, what in (("onnx", "exported"), ("int8", "exported with `--int8`")):
        ratio = median(turn[name] / turn["torch"] for turn in turns)
        ours = median(turn[name] for turn in turns)
        yield (
            f"one step of a stream, one thread, {what}",
            f"{ratio:.2f} x torch's ({ours:.2f} against {theirs:.2f} ms)",
        )


def training(place: Place) -> Iterator[Row]:
    """Compare a training's steps, with all around them, with as many bare ones on one batch."""
    # Half of one of default length: how often it validates depends on that.
    config = ClassifyTrainConfig(frames=16, device="cpu", out=str(place.folder / "again"))
    labels = tuple("abcdefgh")
    spec = ModelSpec("classify", labels, "both", CORE, HIDDEN, 10.0, 16, config.side)
    bare = ClassifyTrainStep(
        build(spec),
        Classify(labels),
        Examples([], torch.arange(len(labels))),
        spec,
        batch_size=config.batch_size,
        lr=config.lr,
        seed=0,
        augmentation=AUGMENTATIONS["light"],
        device=torch.device("cpu"),
    )
    batch = torch.randn(config.batch_size, 16, 3, config.side, config.side)
    targets = torch.arange(config.batch_size) % len(labels)
    ours, theirs = list[float](), list[float]()
    begun, since = 0.0, 0
    for progress in train_steps(SAMPLES, config):
        if progress.stage != "training":
            continue
        if 2 * progress.done > progress.total:
            break
        if begun and progress.done - since > BLOCK:
            ours.append((time.perf_counter() - begun) / BLOCK)
            start = time.perf_counter()
            for _ in range(BLOCK):
                bare.learn(batch, targets, 0.5)
            theirs.append((time.perf_counter() - start) / BLOCK)
        elif begun:
            continue
        begun, since = time.perf_counter(), progress.done - 1  # the first step warms up
    # Means: not every block validates or saves.
    yield (
        "a training step, with augmenting, validating and saving",
        f"{sum(ours) / sum(theirs):.2f} x the bare step "
        f"({1000 * mean(ours):.0f} against {1000 * mean(theirs):.0f} ms)",
    )


PARTS: dict[str, Callable[[Place], Iterator[Row]]] = {
    "help": help_,
    "answer": answer,
    "decoding": decoding,
    "extract": extract,
    "step": step,
    "training": training,
}


def main() -> None:
    """Measure the chosen parts and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--model", type=Path, help="run folder of a classifier")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    if not {*(parts := given.parts or list(PARTS))} <= {*PARTS}:
        parser.error(f"parts are: {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run, clip = given.model or folder / "run", given.clip
        if given.model is None and {"answer", "decoding", "step"} & {*parts}:
            run_vidgru("train", SAMPLES, "--epochs", 1, "--out", run, "-q")
        if clip is None and {"decoding", "extract"} & {*parts}:
            clip = draw_clip(folder / "clip.mp4")
        print("| what | measured |\n|---|---|")
        for part in parts:
            for what, found in PARTS[part](Place(folder, clip or Path(), run, given.runs)):
                print(f"| {what} | {found} |", flush=True)


if __name__ == "__main__":
    main()
