"""Measure whether explanations mean something, on clips of two things of which one decides.

Draws the clips into FOLDER, trains a model with default flags (or takes --run), and prints for
clips that it predicts right: the pointing game by both methods, deletion of the most relevant tenth
against random ones and the most moving ones, the means of deletion and insertion curves, maps of
randomised weights, exact sums, and time.
"""

import argparse
import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import made_deciders
import numpy as np
import torch
from made_deciders import KINDS, Drawn, make
from numpy.typing import NDArray
from shared import run_vidgru

import vidgru
from vidgru.core.results import run_to_end
from vidgru.nn.inputs import normalise
from vidgru.tasks.classify.explain.explain import (
    RELEVANT,
    hold_area,
    hold_frames,
    most_relevant,
)
from vidgru.tasks.classify.explain.relevance import forward, odds, relevance_maps
from vidgru.tasks.classify.explain.results import Explanation
from vidgru.tasks.classify.model import Model
from vidgru.tasks.classify.network import Network
from vidgru.tasks.classify.probabilities import clip_probabilities
from vidgru.tasks.classify.sliding import window_spans
from vidgru.tasks.classify.windows import view_outputs

RANDOM = 10  # draws
STRANGERS = 5  # models of random weights
PARTS = ("pointing", "weights", "deletion")
SHARES = (0.05, 0.1, 0.2, 0.35, 0.5)  # of frames and of the picture, for the curves


def points(found: Explanation, drawn: Drawn) -> tuple[float, float]:
    """Return whether the highest place of all maps is on the decider, and how often a frame's is.

    The latter weights frames by relevance.
    """
    side = found.maps.shape[1]
    hits, weights, peaks = [], [], []
    for maps, seconds in zip(found.maps, found.seconds, strict=True):
        row, column = divmod(int(maps.argmax()), side)
        x, y = ((1 - found.view) / 2 + found.view * (n + 0.5) / side for n in (column, row))
        frame = min(round(seconds * made_deciders.FPS), len(drawn.frames) - 1)
        hits.append(drawn.hits(x, y, frame))
        weights.append(float(maps.sum()))
        peaks.append(float(maps.max()))
    share = float(np.average(hits, weights=weights)) if sum(weights) else 0.0
    return float(hits[int(np.argmax(peaks))]), share


def curves(model: Model, found: Explanation, views: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return confidences (frames or area, own, random or moving, deleted or inserted, shares).

    Deleted: with the first share by relevance, at random or by motion held still; inserted: with
    all but that share held still.
    """
    number = model.spec.labels.index(found.label)
    rng = np.random.default_rng(0)
    moves = np.abs(np.diff(views.astype(np.float32), axis=0, prepend=views[:1])).mean(3)
    side = found.maps.shape[1]
    cell = views.shape[1] // side
    places = moves.sum(0)[: cell * side, : cell * side].reshape(side, cell, side, cell)

    def confidences(
        change: Callable[..., NDArray[np.uint8]], relevance: NDArray[np.float32]
    ) -> list[list[float]]:
        chosen = [most_relevant(relevance, share) for share in SHARES]
        return [
            [confidence(change(views, held)) for held in every]
            for every in (chosen, [~one for one in chosen])
        ]

    def confidence(held: NDArray[np.uint8]) -> float:
        outputs = view_outputs(model.network, [held], model.spec.frames)
        shares = clip_probabilities(outputs.cpu().numpy(), model.temperature)
        return float(shares[number])

    rows = []
    for change, own, moving in (
        (hold_frames, np.array(found.relevance, np.float32), moves.sum((1, 2))),
        (hold_area, found.maps.sum(0), places.sum((1, 3))),
    ):
        chance = [rng.random(own.shape, np.float32) for _ in range(RANDOM)]
        at_random = np.mean([confidences(change, one) for one in chance], 0)
        rows.append([confidences(change, own), at_random, confidences(change, moving)])
    return np.array(rows)


def randomised(run: Path, seed: int) -> Model:
    """Return the model with new random weights."""
    model: Model = vidgru.load(run)
    torch.manual_seed(seed)
    for parameter in model.network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.kaiming_uniform_(parameter)
    return model


def signed(model: Model, views: NDArray[np.uint8], number: int) -> NDArray[np.float32]:
    """Return the relevance (N, h, w) for a class as it is computed, with sign, not smoothed."""
    network, clip, maps = model.network, normalise(torch.from_numpy(views)), []
    if not isinstance(network, Network):
        raise SystemExit(f"{model.path} reads rows: it cannot be explained")
    for start, end in window_spans(len(views), model.spec.frames):
        passed = forward(network, clip[None, start:end])
        direction = odds(passed.contributions.sum(1), number, None)
        maps.append(relevance_maps(network, passed, direction)[0][0].numpy())
    return np.concatenate(maps)


def alike(one: NDArray[np.float32], two: NDArray[np.float32], ranks: bool = True) -> float:
    """Return the correlation of maps, by ranks unless that is off."""
    rows = np.stack([one.ravel(), two.ravel()]).astype(np.float64)
    if ranks:
        rows = rows.argsort(1, kind="stable").argsort(1).astype(np.float64)
    rows -= rows.mean(1, keepdims=True)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return float(rows[0] @ rows[1])


def seconds_of(call: Callable[[], object]) -> float:
    """Return the least CPU time of three calls."""
    times = []
    for _ in range(3):
        begun = time.process_time()
        call()
        times.append(time.process_time() - begun)
    return min(times)


def pointing(run: Path, clips: dict[Path, tuple[str, Drawn]], slow: int) -> None:
    """Print the pointing game of a model; every `slow`-th clip is explained by occlusion, too."""
    model = vidgru.load(run)
    hits: dict[str, list[tuple[float, float]]] = {"gradient": [], "occlusion": []}
    chance = []
    for number, (path, (label, drawn)) in enumerate(clips.items()):
        found = model.explain(path)
        if found.label != label:
            continue
        chance.append(drawn.chance())
        hits["gradient"].append(points(found, drawn))
        if number % slow == 0:
            hits["occlusion"].append(points(model.explain(path, method="occlusion"), drawn))
    print(f"right: {len(chance)} of {len(clips)}; a point at random hits {np.mean(chance):.3f}")
    for method, both in hits.items():
        best, share = np.mean(both, 0)
        print(f"{method}: highest place {best:.3f}, relevance {share:.3f} of {len(both)} clips")


def weights(run: Path, clips: dict[Path, tuple[str, Drawn]]) -> None:
    """Print how alike maps are to those of random weights, and the latter to one another."""
    model = vidgru.load(run)
    strangers = [randomised(run, seed) for seed in range(1, STRANGERS + 1)]
    found: dict[str, list[tuple[float, ...]]] = {"the model and random": [], "two random": []}
    for path, (label, _) in clips.items():
        if model.predict(path).label != label:
            continue
        place = model.spec.labels.index(label)
        views = run_to_end(model.views_steps(path))
        raw = [signed(one, views, place) for one in (model, *strangers)]
        drawn = [one.explain(path, label=label).maps for one in (model, *strangers)]
        for n, other in combinations(range(len(raw)), 2):
            found["two random" if n else "the model and random"].append(
                (
                    alike(raw[n], raw[other]),
                    alike(np.abs(raw[n]), np.abs(raw[other])),
                    alike(drawn[n], drawn[other]),
                    alike(drawn[n], drawn[other], ranks=False),
                )
            )
    names = ("signed, by ranks", "without sign, by ranks", "drawn, by ranks", "drawn")
    for pair, rows in found.items():
        sizes = np.mean(np.abs(rows), 0)
        for name, mean, size in zip(names, np.mean(rows, 0), sizes, strict=True):
            print(f"correlation of maps, {pair}, {name}: {mean:.3f}, its size {size:.3f}")


def deletion(run: Path, clips: dict[Path, tuple[str, Drawn]]) -> None:
    """Print what holding relevant parts still does, whether sums are exact, and the time."""
    model = vidgru.load(run)
    held, whole, wrong = [], [], []
    ratios: list[float] = []
    for path, (label, _) in clips.items():
        found = model.explain(path)
        sums = np.sum(found.contributions, 0)
        views = run_to_end(model.views_steps(path))
        outputs = view_outputs(model.network, [views], model.spec.frames).mean(0)
        wrong.append(float(np.abs(sums - outputs.numpy()).max()))
        if found.label != label:
            continue
        held.append(curves(model, found, views))
        whole.append(found.held_still.whole)
        if len(ratios) < 10:
            predicting = seconds_of(lambda path=path: model.predict(path))  # type: ignore[misc]
            explaining = seconds_of(lambda path=path: model.explain(path))  # type: ignore[misc]
            ratios.append(explaining / predicting)
    print(f"right: {len(held)} of {len(clips)}; sums off by {max(wrong):.1e} at most")
    tenth = SHARES.index(RELEVANT)
    for name, part in zip(("frames", "area"), np.mean(held, 0), strict=True):
        for text, (own, at_random, moving) in (
            ("tenth held still: falls", np.mean(whole) - part[:, 0, tenth]),
            ("deletion curve:", part[:, 0].mean(1)),
            ("insertion curve:", part[:, 1].mean(1)),
        ):
            print(f"{name}, {text} {own:.3f}, random {at_random:.3f}, most moving {moving:.3f}")
    print(f"time: {np.median(ratios):.2f} x predict")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("kind", choices=[kind for kind in KINDS if kind != "mark"])
    parser.add_argument("--run", type=Path, help="a trained model, instead of training one")
    parser.add_argument("--clips", type=int, default=20, help="clips of each class to explain")
    parser.add_argument("--slow", type=int, default=3, help="explain one in so many by occlusion")
    parser.add_argument("--only", choices=PARTS, help="measure no more than that")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    run = options.run
    if run is None:
        folder = options.folder / options.kind
        make(folder / "train", options.kind, 40, options.seed)
        run = folder / "run"
        words = ("train", folder / "train", "--group-by", "none", "--folds", 1, "--out", run)
        run_vidgru(*words, "-q")
    clips = make(options.folder / options.kind / "new", options.kind, options.clips, 100)
    if options.only in (None, "pointing"):
        pointing(run, clips, options.slow)
    if options.only in (None, "weights"):
        weights(run, clips)
    if options.only in (None, "deletion"):
        deletion(run, clips)


if __name__ == "__main__":
    main()
