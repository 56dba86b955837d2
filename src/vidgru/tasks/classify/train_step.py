"""The training loop for classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor

from vidgru.data.augment import Augmentation, Frames, random_light, random_views, warp
from vidgru.data.cache import Segments
from vidgru.engine.distributed import all_reduce, part, rank, world
from vidgru.engine.train_step import Settings, TrainStep
from vidgru.nn.inputs import normalise
from vidgru.tasks.classify.build import AnyNetwork
from vidgru.tasks.classify.classes import Classify
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.tasks.classify.windows import clip_outputs, window_at


@dataclass(frozen=True)
class Examples:
    """Decoded clips and their classes: `segments` as in `data.cache`, `targets` int64 (N,)."""

    segments: Sequence[Segments]
    targets: Tensor


class ClassifyTrainStep(TrainStep):
    """Learn to tell classes; see `TrainStep`."""

    def __init__(
        self,
        network: AnyNetwork,
        task: Classify,
        examples: Examples,
        spec: ModelSpec,
        *,
        augmentation: Augmentation,
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__(network, len(examples.segments), **settings)
        self.network = network
        self.task, self.examples, self.spec = task, examples, spec
        self.augmentation = augmentation
        self.weights = task.weights(examples.targets).to(self.device)
        # Which classes are mirrored, and by how many degrees each is turned at most.
        self.mirrored = torch.full((task.outputs,), augmentation.flip)
        self.turns = torch.full((task.outputs,), float(augmentation.rotation))

    def step(self, done: float) -> float:
        """Learn from one batch when the share `done` of the training is over; return the loss."""
        frames, targets = self._draw()
        return self.learn(frames, targets, done)

    def learn(self, frames: Tensor, targets: Tensor, done: float) -> float:
        """Take one step on normalised frames (b, T, 3, S, S) and targets (B,); return the loss.

        The frames are of this process's own part of the batch; alone, that is all of it.
        """
        self._begin(done)
        own = targets[part(len(targets))]
        loss = self.task.loss(self._outputs(frames), own, self.weights)
        if world() > 1:
            loss = loss * self.task.share(own, targets, self.weights)
        return self._follow(loss)

    def _outputs(self, frames: Tensor) -> Tensor:
        # Only the convolutions gain from short numbers; recurrent kernels lose.
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            main, side = self.network.encode(frames)
        return self.network.decide(main, side)

    def _draw(self) -> tuple[Tensor, Tensor]:
        chosen = self._choose()
        windows = [self._window(self.examples.segments[k]) for k in chosen]
        targets = self.examples.targets[chosen]
        views = random_views(self.augmentation, self.turns[targets], self.generator)
        straight = ~self.mirrored[targets] & (views[:, :, :2].det() < 0)
        views[straight, :, 0] *= -1
        light = random_light(len(chosen), self.augmentation, self.generator)
        own = part(len(chosen))
        shown = zip(windows[own], views[own], strict=True)
        pixels = [warp(window, view, self.spec.size) for window, view in shown]
        frames = normalise(torch.from_numpy(np.stack(pixels)).to(self.device))  # (b, T, 3, S, S)
        factor, offset = light[own].to(self.device).view(-1, 2, 1, 1, 1, 1).unbind(1)
        return frames.mul_(factor).add_(offset), targets.to(self.device)

    def _window(self, segments: Segments) -> Frames:
        """Return a window at a random place (T, H, W, 3)."""
        segment = segments[self._below(len(segments))]
        return window_at(
            segment, self._below(max(len(segment) - self.spec.frames, 0) + 1), self.spec
        )

    @torch.inference_mode()
    def look(self, seen: Sequence[tuple[Segments, int, Tensor]]) -> Tensor:
        """Return the last outputs (N, K) for N segments, first frames and the views to take."""
        self.network.eval()
        outputs = torch.zeros(len(seen), self.task.outputs)
        own = range(rank(), len(seen), world())
        for first in range(0, len(own), self.batch_size):
            numbers = own[first : first + self.batch_size]
            pixels = [
                warp(window_at(segment, start, self.spec), view, self.spec.size)
                for segment, start, view in (seen[number] for number in numbers)
            ]
            frames = normalise(torch.from_numpy(np.stack(pixels)).to(self.device))
            outputs[list(numbers)] = self._outputs(frames)[:, -1].float().cpu()
        return all_reduce(outputs)

    def clip_outputs(self, examples: Examples) -> list[Tensor]:
        """Return the outputs (windows, K) of whole clips, just as `predict` takes them."""
        count = len(examples.segments)
        own = {
            number: clip_outputs(self.network, examples.segments[number], self.spec)
            for number in range(rank(), count, world())
        }
        lengths = torch.zeros(count, dtype=torch.int64)
        for number, outputs in own.items():
            lengths[number] = len(outputs)
        every = int(all_reduce(lengths).sum())
        found = torch.zeros(every, self.task.outputs)
        clips: list[Tensor] = list(torch.split(found, lengths.tolist()))
        for number, outputs in own.items():
            clips[number].copy_(outputs)
        all_reduce(found)
        return clips

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on, as tensors and numbers."""
        found = {"mirrored": self.mirrored.clone(), "turns": self.turns.clone()}
        return {**super().state_dict(), **found}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a state, as `TrainStep` does."""
        super().load_state_dict(state)
        self.mirrored, self.turns = state["mirrored"].clone(), state["turns"].clone()

    def _sane(self, state: dict[str, Any]) -> bool:
        limit = self.augmentation.rotation
        return bool(0 <= state["turns"].min() <= state["turns"].max() <= limit)
