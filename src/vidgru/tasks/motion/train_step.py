"""The train step of motion, and how a network follows whole clips."""

import math
from collections.abc import Sequence
from typing import Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidgru.data.augment import AUGMENTATIONS, random_light
from vidgru.engine.distributed import all_reduce, part, rank, world
from vidgru.engine.train_step import Settings, TrainStep
from vidgru.nn.inputs import normalise
from vidgru.tasks.motion.fields import (
    MotionPrediction,
    known_times,
    loss,
    read_outputs,
    targets,
)
from vidgru.tasks.motion.footage import Footage, seen_through
from vidgru.tasks.motion.metrics import MetricAccumulator
from vidgru.tasks.motion.network import MotionNetwork
from vidgru.tasks.motion.results import AHEAD
from vidgru.tasks.motion.scores import MotionScores
from vidgru.tasks.motion.spec import FINE, MotionSpec

CHUNK = 32  # frames that are encoded together
CLOSEST = 0.75  # minimum share of the picture's width and height in a training view
WHOLE = 0.5  # share of the windows that show the whole picture
LIGHT = AUGMENTATIONS["light"]


class MotionTrainStep(TrainStep):
    """Train on current and future motion in footage; see `TrainStep`.

    Windows lie anywhere in the footage, of which each piece comes once before any comes again. They
    show a part of the picture, mirrored half the time, with the motion of that part.
    """

    def __init__(
        self,
        network: MotionNetwork,
        footage: Sequence[Footage],
        spec: MotionSpec,
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__(network, len(footage), **settings)
        self.network, self.footage, self.spec = network, footage, spec

    def step(self, done: float) -> float:
        """Train on one batch when the share `done` of the training is over; return the loss."""
        frames, flow, fields, known, rate, aspect = self._draw()
        own = part(self.batch_size)
        counts = known.sum(), known[..., 0].sum()
        self._begin(done)
        predicted = self._predict(frames, flow, rate[own])
        wanted = targets(fields, rate[own], self.spec.frames).to(self.device)
        found = loss(
            predicted, wanted, known[own].to(self.device), aspect[own].to(self.device), counts
        )
        return self._follow(found)

    def _predict(self, frames: Tensor, flow: Tensor, rate: Tensor) -> MotionPrediction:
        # Only convolutions gain from half precision; recurrent kernels lose.
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            maps = self.network.encode(frames, flow)
        outputs, _ = self.network.decide(maps, rate.to(self.device))
        return read_outputs(outputs)

    def _draw(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return a batch: frames (b, T, 3, S, S), the flow in them (b, T, F, F, 2) and fields.

        Fields (b, N, grid, grid, 3) start with the frames and continue after them. These are of
        this process's own part. Of the whole batch: what is known (B, T, FIELDS), rate (B,) and
        aspect (B,).
        """
        pieces = [self.footage[number] for number in self._choose()]
        places = torch.rand(len(pieces), generator=self.generator).tolist()
        views = random_parts(len(pieces), self.generator)
        light = random_light(len(pieces), LIGHT, self.generator)
        steps, own = self.spec.frames, part(len(pieces))
        rate = torch.tensor([piece.rate for piece in pieces])
        aspect = torch.tensor([piece.aspect for piece in pieces])
        starts, lengths = [], []
        for piece, place in zip(pieces, places, strict=True):
            length = len(piece.frames)
            starts.append(int(place * (max(length - steps, 0) + 1)))
            # Fields after the window are not input, but targets.
            lengths.append(min(length - starts[-1], steps + math.ceil(AHEAD[-1] * piece.rate)))
        known = known_times(torch.tensor(lengths), rate, steps)
        longest = max(lengths[own])
        frames = np.empty((len(lengths[own]), steps, self.spec.size, self.spec.size, 3), np.uint8)
        fields = torch.zeros(len(frames), longest, self.spec.grid, self.spec.grid, 3)
        fine = self.spec.size // FINE
        flow = torch.zeros(len(frames), steps, fine, fine, 2)
        for row, number in enumerate(range(own.start, own.stop)):
            piece, start, length = pieces[number], starts[number], lengths[number]
            seen, shown = seen_through(
                views[number],
                piece.frames[start : start + min(length, steps)],
                fields_of(piece, start, start + length),
                self.spec.size,
            )
            frames[row, : len(seen)], frames[row, len(seen) :] = seen, seen[-1]
            # At the first frame of a window no motion is known.
            flow[row, 1 : len(seen)] = torch.from_numpy(shown[1 : len(seen), ..., 2:4])
            fields[row, :length] = pooled(shown[..., [0, 1, 4]], self.spec.grid)
        bright = normalise(torch.from_numpy(frames).to(self.device))
        factor, offset = light[own].to(self.device).view(-1, 2, 1, 1, 1, 1).unbind(1)
        seen_as = bright.mul_(factor).add_(offset)
        return seen_as, flow.to(self.device), fields, known, rate, aspect

    def measure(self, footage: Sequence[Footage], most: int | None = None) -> MotionScores:
        """Return the scores of the network on footage, of each piece's first `most` frames.

        Several processes divide the pieces.
        """
        self.network.eval()
        accumulator = MetricAccumulator()
        for number in range(rank(), len(footage), world()):
            add_clip(accumulator, self.network, footage[number], self.spec, most)
        for sums in accumulator.sums.values():
            all_reduce(sums)
        return accumulator.scores()


def random_parts(batch: int, generator: torch.Generator) -> Tensor:
    """Return views (B, 2, 3) of all or parts of a picture, half of them mirrored; see `warp`."""
    share = CLOSEST + (1 - CLOSEST) * torch.rand(batch, generator=generator)
    # What happens at the borders can only be learned where they are visible.
    share = torch.where(torch.rand(batch, generator=generator) < WHOLE, 1.0, share)
    mirror = torch.where(torch.rand(batch, generator=generator) < 0.5, -1.0, 1.0)
    views = torch.zeros(batch, 2, 3)
    views[:, 0, 0], views[:, 1, 1] = share * mirror, share
    # The part lies within the picture, which ranges from -1 to 1.
    room = (1 - share)[:, None]
    views[:, :, 2] = room * (2 * torch.rand(batch, 2, generator=generator) - 1)
    return views


def fields_of(piece: Footage, start: int, end: int) -> NDArray[np.float32]:
    """Return velocity, measured velocity and what moves in some frames, float32 (N, F, F, 5)."""
    shown = slice(start, end)
    parts = piece.velocity[shown], piece.measured[shown], piece.moving[shown, ..., None]
    return np.concatenate(parts, axis=-1, dtype=np.float32)


@torch.inference_mode()
def follow(network: MotionNetwork, piece: Footage, most: int | None = None) -> MotionPrediction:
    """Return the predictions of a network in eval mode for a piece's first frames, one by one."""
    device = next(network.parameters()).device
    rates = torch.tensor([piece.rate], device=device)
    frames, flow = piece.frames[:most], piece.measured[:most]
    before, state, found = None, None, []
    for start in range(0, len(frames), CHUNK):
        shown = slice(start, start + CHUNK)
        # Copies, since torch does not accept read-only arrays.
        clip = normalise(torch.from_numpy(np.array(frames[shown])).to(device))[None]
        moved = torch.from_numpy(np.array(flow[shown], np.float32)).to(device)[None]
        outputs, state = network.decide(network.encode(clip, moved, before), rates, state)
        before = clip[:, -1]
        found.append(outputs[0].cpu())
    return read_outputs(torch.cat(found))


def add_clip(
    accumulator: MetricAccumulator,
    network: MotionNetwork,
    piece: Footage,
    spec: MotionSpec,
    most: int | None = None,
) -> None:
    """Let a network in eval mode follow a piece of footage, and add its errors."""
    predicted = follow(network, piece, most)
    fields = pooled(fields_of(piece, 0, len(piece.frames[:most])), spec.grid)
    accumulator.add(predicted, fields, piece.rate, piece.width, piece.height)


def pooled(fields: NDArray[np.float32], grid: int) -> Tensor:
    """Return the means over cells of a coarser grid (N, grid, grid, C) of fields (N, F, F, C)."""
    count, side = fields.shape[:2]
    fine = side // grid
    known = torch.from_numpy(np.ascontiguousarray(fields))
    return known.view(count, grid, fine, grid, fine, -1).mean((2, 4))
