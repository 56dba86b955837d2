"""How good `motion`, `forecast` and `scenes` are: one run, one table for the docs.

    python benchmarks/video_tasks.py [PART...] [--seeds N,N,...] [--scenes N] [--things N]
                                     [--footage FOLDER]... [--shots FOLDER]... [--trim N]
                                     [--digits DIGITS.npz] [--minutes N]

Parts: motion, forecast, scenes; left out, all whose data are given. Each is measured as by
motion.py, digits.py and scenes.py, whose texts say how, once for each seed; a row gives the mean
over the seeds and, in brackets, the lowest and the highest. `motion` is also measured on every
folder of filmed `--footage`, and by following things; `scenes` joins clips of a single shot each
below every folder of `--shots`, also for PySceneDetect and TransNetV2 where these are installed;
`forecast` trains for some minutes for each seed, on moving digits. Below the table: seeds, CPU
time, and the load of the machine before and after, as trainings for some minutes learn less on a
busy one.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import mean

import digits
import motion
import scenes
import torch

import vidgru
from vidgru.core.results import run_to_end
from vidgru.tasks.motion.evaluation import evaluate_motion_steps
from vidgru.tasks.motion.model_file import SHIPPED_MOTION, load_motion

CLIPS = 34  # that are joined to a video
VIDEOS = 3000  # of digits, to train on
OTHERS = find_spec("scenedetect") is not None

Figure = tuple[str, float]


def motion_figures(given: argparse.Namespace, seed: int) -> Iterator[Figure]:
    """Measure the model of motion that comes with vidgru on generated scenes, and on footage."""
    model = vidgru.load("motion", threads=1)
    with tempfile.TemporaryDirectory() as folder:
        yield from motion.by_cells(model, Path(folder), seed, given.scenes)
        yield from motion.by_seconds(model, Path(folder), seed, given.scenes)
        yield from motion.by_things(model, Path(folder), seed, given.things)
    for footage in given.footage:
        yield from on_footage(footage)


@cache
def on_footage(folder: Path) -> tuple[Figure, ...]:
    """Measure the same model on filmed videos, which no seed changes."""
    figures: list[Figure] = []
    steps = evaluate_motion_steps(folder, load_motion(SHIPPED_MOTION), torch.device("cpu"))
    for field in run_to_end(steps).scores.fields:
        if field.seconds:
            which = f"{folder.name}, +{field.seconds:g} s"
            figures += [
                (f"{which}: error / that of the best baseline", field.ratio or 0),
                (f"{which}: CRPS / error of the best baseline", field.crps_ratio or 0),
                (f"{which}: share of what moves where it is sure", field.sure or 0),
                (f"{which}: error / that of the best baseline, there", field.sure_ratio or 0),
            ]
    return tuple(figures)


def forecast_figures(given: argparse.Namespace, seed: int) -> Iterator[Figure]:
    """Train on moving digits, and measure on others."""
    with tempfile.TemporaryDirectory() as folder:
        _, predicted = digits.learn(
            given.digits, Path(folder), given.minutes, VIDEOS, "--seed", seed, "--quiet"
        )
    means = predicted["scores"]["mean"]
    after = f"digits, after {given.minutes:g} minutes"
    for name in ("mse", "mae", "ssim", "psnr"):
        yield f"{after}: {name.upper()}", means["model"][name]
    yield f"{after}: MSE / that of the last frame", means["model"]["mse"] / means["copy"]["mse"]


def scenes_figures(given: argparse.Namespace, seed: int) -> Iterator[Figure]:
    """Measure the model of scenes that comes with vidgru, and PySceneDetect, on joined shots."""
    model = vidgru.load("scenes", threads=1)
    for folder in given.shots:
        for kind, over in scenes.JOINS.items():
            rows, _ = scenes.measured(folder, model, over, given.trim, [seed], CLIPS, others=OTHERS)
            for name, scores in rows.items():
                for score in scores.tolerances:
                    what = f"F1 to {score.tolerance} frames"
                    yield f"{folder.name}, {kind}, {name}: {what}", score.f1 or 0


PARTS: dict[str, Callable[[argparse.Namespace, int], Iterator[Figure]]] = {
    "motion": motion_figures,
    "forecast": forecast_figures,
    "scenes": scenes_figures,
}


def chosen(given: argparse.Namespace) -> list[str]:
    """Return the parts to measure; exits where one lacks its data."""
    needed = {"motion": True, "forecast": given.digits, "scenes": given.shots}
    for part in given.parts:
        if not needed[part]:
            option = "--digits DIGITS.npz" if part == "forecast" else "--shots FOLDER"
            sys.exit(f"{part} needs {option}.")
    return given.parts or [part for part in PARTS if needed[part]]


def cell(figures: list[float]) -> str:
    """Return figures of several seeds as a cell of the table."""
    if min(figures) == max(figures):
        return f"{figures[0]:.3f}"
    return f"{mean(figures):.3f} ({min(figures):.3f} to {max(figures):.3f})"


def load() -> str:
    """Return the load of the machine in the last minute."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def main() -> None:
    """Measure the chosen parts and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", choices=PARTS, metavar="PART")
    parser.add_argument("--seeds", default="2026")
    parser.add_argument("--scenes", type=int, default=40, help="generated ones, of each kind")
    parser.add_argument("--things", type=int, default=12, help="scenes with things to follow")
    parser.add_argument("--footage", type=Path, action="append", default=[])
    parser.add_argument("--shots", type=Path, action="append", default=[])
    parser.add_argument("--trim", type=int, default=0, help="frames left out at ends of shots")
    parser.add_argument("--digits", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")]
    parts, before, begun = chosen(given), load(), os.times()
    print("| task | what | measured |\n|---|---|---|")
    for part in parts:
        figures: dict[str, list[float]] = {}
        for seed in seeds:
            for what, figure in PARTS[part](given, seed):
                figures.setdefault(what, []).append(figure)
        for what, values in figures.items():
            print(f"| {part} | {what} | {cell(values)} |", flush=True)
    spent = sum(os.times()[:4]) - sum(begun[:4])
    print(
        f"\n{time.strftime('%Y-%m-%d')}, seeds {given.seeds}, "
        f"{given.scenes} scenes, {given.things} with things; {spent:.0f} s of CPU time; "
        f"load of {os.cpu_count()} cores: {before} before, {load()} after."
    )


if __name__ == "__main__":
    main()
