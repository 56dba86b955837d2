"""How accurate trainings of 15 seconds to 2 minutes are: vidgru and others, from random weights.

    python benchmarks/peers.py DATA... [--seconds 15,30,60,120] [--folds 2] [--out DIR]

The sets, and the clips held out in each fold, are those of panel.py. Each method learns from the
same clips for the same time, once they are decoded, and answers for the same held-out clips:

- vidgru, its default training, with --minutes; `METHOD:OPTION=VALUE,...` in
  --methods adds options, as in `vidgru:init=none`;
- X3D-XS (4 frames of 160x160) and MoViNet-A0 (up to 50 frames of 172x172 at 5/s), by their papers,
  written again in peer_networks.py: AdamW, the learning rate falling to zero at the end of the
  time, random crops, batches of 8;
- the nearest neighbour on 16 frames of 16x16, mean removed;
- a linear read-out of histograms of optical flow (8 directions by 2 speeds, 4x4 places).

The last two take as long as they take. Seconds are those of one core that the process was computing
(its CPU time), so that other work on the machine does not matter; one thread computes. A row is
printed as JSON when it is there; an interrupted run resumes in DIR.
"""

import argparse
import itertools
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from panel_sets import lists_of
from peer_networks import movinet_a0, x3d_xs
from torch.nn.functional import cross_entropy

import vidgru
from vidgru.commands import train
from vidgru.data.folder import Clip
from vidgru.data.sources import read_source
from vidgru.engine import trainer
from vidgru.video.read import open_video

Images = NDArray[np.uint8]
# Network, frames at most, frames/s or None for evenly over the clip, and side of the picture.
NETWORKS: dict[str, tuple[Callable[[int], torch.nn.Module], int, float | None, int]] = {
    "x3d-xs": (x3d_xs, 4, None, 160),
    "movinet-a0": (movinet_a0, 50, 5.0, 172),
}
CLASSICAL = ("nearest", "flow")
METHODS = ("vidgru", *NETWORKS, *CLASSICAL)
BATCH, LR, CROP = 8, 1e-3, 0.85


def decode(clip: Clip, frames: int, fps: float | None, side: int) -> Images:
    """Return frames evenly over a clip as squares, rgb (T, side, side, 3)."""
    with open_video(clip.path) as video:
        rate = video.fps or 25.0
        start, end = clip.start or 0.0, math.inf if clip.end is None else clip.end
        kept = [
            cv2.resize(frame.rgb, (side, side), interpolation=cv2.INTER_AREA)
            for number, frame in enumerate(video)
            if start <= number / rate < end
        ]
    count = frames if fps is None else min(frames, max(8, round(len(kept) / rate * fps)))
    return np.stack([kept[at] for at in np.linspace(0, len(kept) - 1, count).astype(int)])


def balanced(truth: Sequence[int], answers: Sequence[int]) -> float:
    """Return the mean recall of the classes that occur."""
    pairs = list(zip(truth, answers, strict=True))
    return mean(mean(a == t for t, a in pairs if t == c) for c in sorted({*truth}))


def view(clip: Images, random: np.random.Generator | None) -> torch.Tensor:
    """Return a clip as the network reads it: (3, T, side, side), in training a random crop."""
    side = clip.shape[1]
    crop = round(side * (1 if random is None else random.uniform(CROP, 1)))
    y, x = (0, 0) if random is None else random.integers(0, side - crop + 1, 2)
    part = clip[:, y : y + crop, x : x + crop]
    if crop != side:
        part = np.stack([cv2.resize(frame, (side, side)) for frame in part])
    pixels = torch.from_numpy(part.astype(np.float32) / 127.5 - 1)
    return pixels.permute(3, 0, 1, 2)  # (3, T, side, side)


def train_network(
    name: str, learn: list[Clip], test: list[Clip], labels: list[str], seconds: float, seed: int
) -> list[int]:
    """Return the answers of a network of `peer_networks` after so much time."""
    build, frames, fps, side = NETWORKS[name]
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = build(len(labels))
    optimizer = torch.optim.AdamW(network.parameters(), LR, weight_decay=0.01)
    clips = [decode(clip, frames, fps, side) for clip in learn]
    targets = torch.tensor([labels.index(clip.label) for clip in learn])
    order: list[int] = []
    began = time.process_time()
    while (done := (time.process_time() - began) / seconds) < 1:
        batch: list[int] = []
        while len(batch) < min(BATCH, len(clips)):
            order = order or random.permutation(len(clips)).tolist()
            batch.append(order.pop())
        shortest = min(len(clips[n]) for n in batch)
        views = torch.stack([view(clips[n], random)[:, :shortest] for n in batch])
        for group in optimizer.param_groups:
            group["lr"] = LR * min(1, done / 0.05 + 0.05) * 0.5 * (1 + math.cos(math.pi * done))
        optimizer.zero_grad()
        cross_entropy(network(views), targets[batch], label_smoothing=0.1).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    network.eval()
    with torch.no_grad():
        held = (view(decode(clip, frames, fps, side), None)[None] for clip in test)
        return [int(network(clip).argmax()) for clip in held]


def nearest(learn: list[Clip], test: list[Clip], labels: list[str]) -> list[int]:
    """Return the labels of the nearest clips."""

    def centred(clip: Clip) -> NDArray[np.float64]:
        frames = decode(clip, 16, None, 16).astype(np.float64).ravel()
        vector: NDArray[np.float64] = frames - frames.mean()
        return vector

    known = np.stack([centred(clip) for clip in learn])
    found = [int(((known - centred(clip)) ** 2).sum(1).argmin()) for clip in test]
    return [labels.index(learn[n].label) for n in found]


def histogram(clip: Clip) -> NDArray[np.float64]:
    """Return how often what speed and direction occurs where; Farneback's optical flow."""
    frames = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in decode(clip, 32, 10.0, 96)]
    found = np.zeros((4, 4, 8, 2))
    for before, after in itertools.pairwise(frames):
        flow = cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 15, 3, 5, 1.2, 0)  # type: ignore[call-overload]
        speed, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1])
        y, x = np.indices(speed.shape) * 4 // 96
        turn = np.minimum((angle * (8 / (2 * np.pi))).astype(int), 7)
        np.add.at(found, (y, x, turn, (speed > 2).astype(int)), speed)
    return np.sqrt(found / max(1, len(frames) - 1)).ravel()


def flow(learn: list[Clip], test: list[Clip], labels: list[str]) -> list[int]:
    """Return the answers of a linear classifier of flow histograms (ridge regression)."""
    rows = np.stack([histogram(clip) for clip in learn])
    middle, scale = rows.mean(0), rows.std(0) + 1e-6
    inputs = np.c_[(rows - middle) / scale, np.ones(len(rows))]
    wanted = np.eye(len(labels))[[labels.index(clip.label) for clip in learn]]
    # As many equations as clips; the penalty is the mean of a row's square.
    kernel = inputs @ inputs.T
    dual = np.linalg.solve(kernel + np.eye(len(kernel)) * np.trace(kernel) / len(kernel), wanted)
    tested = np.stack([histogram(clip) for clip in test])
    outputs = np.c_[(tested - middle) / scale, np.ones(len(tested))] @ inputs.T @ dual
    return [int(n) for n in outputs.argmax(1)]


def train_vidgru(source: Path, seconds: float, seed: int, options: dict[str, str]) -> float:
    """Return the balanced accuracy of the default training on the test clips."""
    clock = SimpleNamespace(
        monotonic=time.process_time, perf_counter=time.process_time, time=time.time
    )
    # The only difference: its clock is that of this process, as for the others.
    for module in (trainer, train):
        module.time = clock  # type: ignore[attr-defined]
    with tempfile.TemporaryDirectory() as place:
        os.environ["VIDGRU_CACHE"] = f"{place}/cache"
        vidgru.check(source)  # decodes all clips
        more: dict[str, Any] = {name: json.loads(value) for name, value in options.items()}
        how = {"minutes": seconds / 60, "seed": seed, "threads": 1, "folds": 1, **more}
        result = vidgru.train(source, out=f"{place}/run", progress=None, **how)
    found: float = result.test.balanced
    return found


def measure(source: Path, method: str, seconds: float, seed: int) -> dict[str, Any]:
    """Return the figures of one method in one fold."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    began = time.process_time()
    name, _, options = method.partition(":")
    if name == "vidgru":
        words = dict(option.split("=", 1) for option in options.split(",") if option)
        score = train_vidgru(source, seconds, seed, words)
    else:
        clips = read_source(source)
        learn = [clip for clip in clips if clip.part != "test"]
        test = [clip for clip in clips if clip.part == "test"]
        labels = sorted({clip.label for clip in learn})
        if name in NETWORKS:
            answers = train_network(name, learn, test, labels, seconds, seed)
        else:
            answers = (nearest if name == "nearest" else flow)(learn, test, labels)
        score = balanced([labels.index(clip.label) for clip in test], answers)
    spent = time.process_time() - began
    return {"balanced": round(score, 4), "spent": round(spent, 1)}


def main() -> None:
    """Measure all methods on all sets, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--seconds", default="15,30,60,120")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--out", type=Path, default=Path("peers"))
    args = parser.parse_args()
    times = [float(text) for text in args.seconds.split(",")]
    rows: list[dict[str, Any]] = []
    for folder in args.data:
        for source in lists_of(folder.name, folder, args.folds, args.out):
            for method in args.methods:
                for seconds in [0.0] if method in CLASSICAL else times:
                    what = {"fold": source.stem, "method": method, "seconds": seconds}
                    kept = args.out / f"{source.stem} {method} {seconds:g} {args.seed}.json"
                    if not kept.exists():
                        found = measure(source, method, seconds, args.seed)
                        kept.write_text(json.dumps({**what, **found}))
                    rows.append(json.loads(kept.read_text()))
                    print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    sets = sorted({row["fold"].rpartition("-")[0] for row in rows})
    print(f"{'method':24}{'seconds':>8}" + "".join(f"{name:>17}" for name in sets))
    for method, seconds in dict.fromkeys((row["method"], row["seconds"]) for row in rows):
        same = [row for row in rows if (row["method"], row["seconds"]) == (method, seconds)]
        cells = [
            mean(r["balanced"] for r in same if r["fold"].rpartition("-")[0] == name)
            for name in sets
        ]
        shown = seconds or mean(row["spent"] for row in same)
        print(f"{method:24}{shown:8.0f}" + "".join(f"{cell:17.3f}" for cell in cells))


if __name__ == "__main__":
    main()
