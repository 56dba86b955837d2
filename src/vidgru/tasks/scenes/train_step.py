"""The train step of scene detection, and its evaluation on joined shots."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple, Unpack

import numpy as np
import torch
from torch import Tensor

from vidgru.data.augment import Frames
from vidgru.engine.distributed import all_reduce, part, rank, world
from vidgru.engine.train_step import Settings, TrainStep
from vidgru.tasks.scenes.finder import TOGETHER, StreamingSceneDetector, TokenStream
from vidgru.tasks.scenes.metrics import count
from vidgru.tasks.scenes.network import SceneNetwork
from vidgru.tasks.scenes.reader import Reader, is_detectable, loss
from vidgru.tasks.scenes.results import Boundary
from vidgru.tasks.scenes.scores import COUNTS, TOLERANCES, SceneScores, scores_of
from vidgru.tasks.scenes.spec import SceneSpec
from vidgru.tasks.scenes.transitions import Joined, join_shots
from vidgru.video.read import Image

THRESHOLDS = tuple(round(0.05 * n, 2) for n in range(2, 19))
WIDEST = TOLERANCES[-1]
SEED = 77  # of those windows, whatever the training's

Families = Sequence[Sequence[Frames]]


class Measured(NamedTuple):
    """Scores of a network on joined shots, at the threshold that is best there or was given."""

    loss: float
    threshold: float
    scores: SceneScores


class SceneTrainStep(TrainStep):
    """Train on boundaries in windows that are joined from shots; see `TrainStep`.

    shots: families of shots that look alike, each of them one clip's. Each window is made from a
    seed of its own, so that it does not depend on threads or processes. The next batch is made
    while the network trains on this one.
    """

    def __init__(
        self,
        network: SceneNetwork,
        shots: Families,
        spec: SceneSpec,
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__(network, len(shots), **settings)
        self.network, self.shots, self.spec = network, shots, spec
        self._pool = ThreadPoolExecutor(torch.get_num_threads())
        self._coming: tuple[list[int], list[Future[Joined]]] = ([], [])

    def step(self, done: float) -> float:
        """Train on one batch when the share `done` of the training is over; return the loss."""
        frames, boundary, inside, kind = self._draw()
        known = torch.tensor([kind.numel(), (kind >= 0).sum()])
        number, number_known = all_reduce(known).tolist()
        counts = number, number_known
        self._begin(done)
        # Only convolutions gain from half precision; comparisons need float32.
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            features = self.network.encode(frames)
        extracted = self.network.extract_features(frames, features.float())
        early, late = self.network.decide(self.network.tokens(extracted))
        targets = boundary.to(self.device), inside.to(self.device), kind.to(self.device)
        losses = [
            loss(predicted, *targets, counts) for predicted in (early, late, (early + late) / 2)
        ]
        return self._follow(torch.stack(losses).sum())

    def _draw(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return this process's own part of a batch: frames (b, T, S, S, 3), and targets.

        The targets of each frame (b, T): boundary, inside and kind, as of `Joined`.
        """
        seeds = self._seeds(self.generator)
        windows = self._coming[1] if self._coming[0] == seeds else self._start(seeds)
        # A copy of the generator gives the next numbers without changing its state.
        ahead = torch.Generator()
        ahead.set_state(self.generator.get_state())
        coming = self._seeds(ahead)
        self._coming = coming, self._start(coming)
        frames, boundary, inside, kind = stacked([window.result() for window in windows])
        return frames.to(self.device), boundary, inside, kind

    def _seeds(self, generator: torch.Generator) -> list[int]:
        seeds = torch.randint(2**63 - 1, (self.batch_size,), generator=generator)
        return seeds[part(self.batch_size)].tolist()

    def _start(self, seeds: Sequence[int]) -> list[Future[Joined]]:
        return [self._pool.submit(self._join, self.shots, [seed]) for seed in seeds]

    def _join(self, shots: Families, seed: Sequence[int]) -> Joined:
        generator = np.random.default_rng(seed)
        return join_shots(generator, shots, self.spec.frames, self.spec.size)

    @torch.inference_mode()
    def measure(self, shots: Families, windows: int, threshold: float | None = None) -> Measured:
        """Return the scores of the network on a number of windows, always the same ones.

        Without a threshold, it is the one that gives the best F1 there. Several processes divide
        the windows.
        """
        self.network.eval()
        thresholds = THRESHOLDS if threshold is None else (threshold,)
        counts = torch.zeros(len(thresholds), len(TOLERANCES), len(COUNTS), dtype=torch.int64)
        losses = torch.zeros(1, dtype=torch.float64)
        numbers = range(rank(), windows, world())
        for first in range(0, len(numbers), self.batch_size):
            some = numbers[first : first + self.batch_size]
            joined = list(self._pool.map(lambda n: self._join(shots, (SEED, n)), some))
            frames, boundary, inside, kind = stacked(joined)
            early, both = (predicted.cpu() for predicted in self.network(frames.to(self.device)))
            for row, window in enumerate(joined):
                own = slice(row, row + 1)
                for predicted in (early, both):
                    losses += loss(predicted[own], boundary[own], inside[own], kind[own])
                for number, limit in enumerate(thresholds):
                    counts[number] += torch.tensor(_count(read(both[row], limit), window))
        loss_of_all = all_reduce(losses).item() / windows
        scores = [scores_of(rows) for rows in all_reduce(counts).tolist()]
        best = max(range(len(scores)), key=lambda n: (scores[n].f1, -abs(thresholds[n] - 0.5)))
        return Measured(loss_of_all, thresholds[best], scores[best])


def stacked(windows: Sequence[Joined]) -> list[Tensor]:
    """Return frames (B, T, S, S, 3), boundary, inside and kind (B, T) of windows."""
    names = ("frames", "boundary", "inside", "kind")
    return [torch.from_numpy(np.stack([getattr(w, name) for w in windows])) for name in names]


def _count(found: Sequence[Boundary], window: Joined) -> list[list[int]]:
    """Count as `count` does, without what lies too near to the ends of a window to detect."""
    predicted = [true for true in window.boundaries if is_detectable(true, len(window.frames))]
    # Detections of the others count neither as correct nor as false.
    others = [true for true in window.boundaries if true not in predicted]
    spans = [range(t.start - WIDEST, max(t.end, t.start + 1) + WIDEST) for t in others]
    return count([b for b in found if not any(b.frame in span for span in spans)], predicted)


def read(outputs: Tensor, threshold: float) -> list[Boundary]:
    """Return the boundaries in outputs (T, 6) of a whole video."""
    reader = Reader(threshold)
    return reader.push(outputs) + reader.finish()


@torch.inference_mode()
def find_ahead(
    network: SceneNetwork, frames: Iterable[Image], threshold: float
) -> Iterator[Boundary]:
    """Yield boundaries among frames uint8 (S, S, 3) as StreamingSceneDetector does, but faster."""
    detector, stream, reader = (
        StreamingSceneDetector(network, threshold),
        TokenStream(network),
        Reader(threshold),
    )
    device = next(network.parameters()).device
    source = iter(frames)
    while chunk := list(islice(source, TOGETHER)):
        rows = stream.push(torch.from_numpy(np.stack(chunk)).to(device))
        yield from reader.push(detector.outputs(rows))
    yield from reader.push(detector.outputs(stream.finish()))
    yield from reader.finish()
