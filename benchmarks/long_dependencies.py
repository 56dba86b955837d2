"""How many frames each recurrent core can remember: only the first frame shows the class.

    python benchmarks/long_dependencies.py [--lengths 8 16 ...] [--cores gru ...] [--out DIR]

A clip shows a bright blob that drifts over noise, bounces off the edges and changes its brightness.
In the first frame it is red, green, blue or yellow, which is the class; from the second on it is
white. The prediction is made from the core's output after the last frame alone. All cores start as
torch starts its own, train equally many steps on the same clips, and predict the same new ones.

Training clips grow from 2 frames to the full length over three quarters of the steps; with
--full-length they have it from the start, so that a core must also find the one frame that matters
among all the others. Accuracies are of clips of full length. They are printed, and written with
their plot as long_dependencies.json and long_dependencies.png.
"""

import argparse
import json
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidgru.engine.device import prepare
from vidgru.nn.cells import CELLS, Cell, GatedCell
from vidgru.nn.inputs import normalise
from vidgru.nn.unroll import unroll

CORES: dict[str, Callable[[int, int], Cell]] = {
    "rnn": CELLS["rnn"],
    "gru": CELLS["gru"],
    "lstm": CELLS["lstm"],
    "gated": CELLS["gated"],
    "gated-printed": partial(GatedCell, update="printed"),
}
# Red, green, blue and yellow.
COLOURS = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])
CLASSES, SIDE, FEATURES, HIDDEN = len(COLOURS), 16, 32, 64
BATCH, LEARNING_RATE, GRADIENT_NORM, TESTED = 16, 3e-3, 1.0, 256
SHORTEST, GROWING = 2, 0.75  # frames; share of the steps
Job = tuple[str, int, int]  # core, frames, seed


def draw_clips(count: int, frames: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return clips uint8 (count, frames, SIDE, SIDE, 3) and their classes (count,)."""

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, 1, 1, 1, generator=generator)

    def bumps(line: Tensor) -> Tensor:
        start, speed = uniform(0, 2), uniform(0.05, 0.2)
        bounced = 1 - ((start + speed * times) % 2 - 1).abs()  # 0 and 1 are where it turns back
        return torch.exp(-(line - 3 - (SIDE - 7) * bounced).square() / 6)

    labels = torch.randint(CLASSES, (count,), generator=generator)
    times, line = torch.arange(frames).view(-1, 1, 1), torch.arange(SIDE)
    waves = torch.sin(uniform(0, 2 * math.pi) + uniform(0.1, 0.5) * times)  # (B, T, 1, 1)
    blob = (125 + 45 * waves) * bumps(line.view(-1, 1)) * bumps(line)  # (B, T, SIDE, SIDE)
    clips = torch.randint(41, (*blob.shape, 3), generator=generator, dtype=torch.uint8)
    colour = torch.ones(count, frames, 1, 1, 3)
    colour[:, 0] = COLOURS[labels].view(-1, 1, 1, 3)
    return clips.add_((blob.unsqueeze(-1) * colour).to(torch.uint8)), labels


class Network(nn.Module):
    """A small convolution for each frame, the core, and a linear layer on its last output."""

    def __init__(self, core: str) -> None:
        super().__init__()
        # No batch norm: its statistics would be those of the uninformative frames.
        self.encoder = nn.Sequential(
            nn.Conv2d(3, FEATURES, 4, stride=4),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.LayerNorm(FEATURES),
        )
        self.head = nn.Linear(HIDDEN, CLASSES)
        # Last, so that with the same seed the other layers start alike whatever the core.
        self.core = CORES[core](FEATURES, HIDDEN)

    def forward(self, clips: Tensor) -> Tensor:
        """Return logits (B, CLASSES) for clips uint8 (B, T, SIDE, SIDE, 3)."""
        frames = normalise(clips).flatten(0, 1)  # (B * T, 3, SIDE, SIDE)
        ys, _ = unroll(self.core, self.encoder(frames).unflatten(0, clips.shape[:2]))
        return self.head(ys[:, -1])  # type: ignore[no-any-return]


def training_frames(frames: int, done: float) -> int:
    """Return how long training clips are when the share `done` of the training is over."""
    grown = math.pow(frames / SHORTEST, min(done / GROWING, 1.0))
    return round(SHORTEST * grown)


def accuracy(job: Job, steps: int, full_length: bool) -> float:
    """Return the accuracy on new clips after training for some steps."""
    core, frames, seed = job
    torch.manual_seed(seed)
    network = Network(core)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    generator = torch.Generator().manual_seed(seed)
    for step in range(steps):
        shown = frames if full_length else training_frames(frames, step / steps)
        clips, labels = draw_clips(BATCH, shown, generator)
        loss = functional.cross_entropy(network(clips), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
        optimizer.step()
    right = 0
    with torch.inference_mode():
        for _ in range(TESTED // BATCH):
            clips, labels = draw_clips(BATCH, frames, generator)
            right += int((network(clips).argmax(1) == labels).sum())
    return right / TESTED


def table(found: dict[Job, float], cores: Sequence[str], lengths: Sequence[int]) -> str:
    """Return a row a core and a column a length: mean, and lowest to highest over the seeds."""
    lines = ["core".ljust(16) + "".join(f"N = {frames}".rjust(16) for frames in lengths)]
    for core in cores:
        cells = (over_seeds(found, core, frames) for frames in lengths)
        texts = (f"{100 * mean(c):.0f} ({100 * min(c):.0f}-{100 * max(c):.0f})" for c in cells)
        lines.append(core.ljust(16) + "".join(text.rjust(16) for text in texts))
    chance = f"{100 / CLASSES:.0f}"
    return "\n".join([*lines, "chance".ljust(16) + chance.rjust(16) * len(lengths)])


def over_seeds(found: dict[Job, float], core: str, frames: int) -> list[float]:
    """Return the accuracies of all seeds."""
    return [value for job, value in found.items() if job[:2] == (core, frames)]


def plot(path: Path, found: dict[Job, float], cores: Sequence[str], lengths: Sequence[int]) -> None:
    """Draw accuracy against length: the mean as a line, lowest to highest as a band."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for number, (core, marker) in enumerate(zip(cores, "osD^v", strict=False)):
        cells = [[100 * value for value in over_seeds(found, core, n)] for n in lengths]
        # Slightly shifted, since many lie at 100 % together.
        places = [n * 2 ** (0.05 * (number - (len(cores) - 1) / 2)) for n in lengths]
        (line,) = axes.plot(places, [mean(c) for c in cells], marker=marker, label=core)
        band = [min(c) for c in cells], [max(c) for c in cells]
        axes.fill_between(places, *band, color=line.get_color(), alpha=0.12, linewidth=0)
    axes.axhline(100 / CLASSES, color="black", linestyle="--", linewidth=1, label="chance")
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [str(n) for n in lengths])
    axes.set(xlabel="frames in a clip (N)", ylabel="accuracy on new clips (%)")
    axes.set_ylim(0, 103)
    axes.grid(alpha=0.25)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path("long_dependencies"))
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lengths", type=int, nargs="+", default=[8, 16, 32, 64, 128, 256])
    parser.add_argument("--cores", nargs="+", choices=CORES, default=list(CORES))
    parser.add_argument("--full-length", action="store_true")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    found: dict[Job, float] = {}
    # Networks this small gain nothing from a second thread; two of them at once do. Short clips
    # first, so that an interrupted run still has results.
    with ProcessPoolExecutor(
        options.processes, get_context("spawn"), initializer=prepare, initargs=(1,)
    ) as pool:
        jobs = [
            (core, frames, seed)
            for frames, seed, core in product(options.lengths, range(options.seeds), options.cores)
        ]
        train = partial(accuracy, steps=options.steps, full_length=options.full_length)
        for job, value in zip(jobs, pool.map(train, jobs), strict=True):
            found[job] = value
            core, frames, seed = job
            print(f"N = {frames}, seed {seed}, {core}: {100 * value:.1f} %", flush=True)
    print("\nAccuracy in percent: mean (lowest-highest) over the seeds")
    print(table(found, options.cores, options.lengths))
    runs = [
        {"core": core, "frames": frames, "seed": seed, "accuracy": value}
        for (core, frames, seed), value in found.items()
    ]
    result = {
        "steps": options.steps,
        "batch": BATCH,
        "test_clips": TESTED,
        "full_length": options.full_length,
        "chance": 1 / CLASSES,
        "runs": runs,
    }
    (options.out / "long_dependencies.json").write_text(json.dumps(result, indent=2) + "\n")
    plot(options.out / "long_dependencies.png", found, options.cores, options.lengths)


if __name__ == "__main__":
    main()
