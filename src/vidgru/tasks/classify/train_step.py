"""The train step of a classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Unpack

import numpy as np
import torch
from torch import Tensor

from vidgru.data.augment import VIEW, Augmentation, random_light, random_views, warp
from vidgru.data.cache import Segments
from vidgru.engine.distributed import all_reduce, part, rank, world
from vidgru.engine.looks import Features
from vidgru.engine.looks_views import nearest_view
from vidgru.engine.train_step import Settings, TrainStep
from vidgru.nn.choices import LOOKS
from vidgru.nn.inputs import normalise
from vidgru.tasks.classify.build import AnyNetwork
from vidgru.tasks.classify.classes import Classify
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.tasks.classify.windows import clip_outputs, looks_at, window_at


@dataclass(frozen=True)
class Examples:
    """Decoded clips and their classes: `segments` as in `data.cache`, `targets` int64 (N,).

    looks: of each clip (segments, views, n, F), of a picture encoder if there is one.
    """

    segments: Sequence[Segments]
    targets: Tensor
    looks: Sequence[Features] | None = None

    def some(self, places: Sequence[int]) -> "Examples":
        """Return some of the clips."""
        looks = None if self.looks is None else [self.looks[k] for k in places]
        return Examples([self.segments[k] for k in places], self.targets[list(places)], looks)


class Window(NamedTuple):
    """A window of a clip, with the view to take: its number, its segment and its first frame."""

    clip: int
    segment: int
    start: int


class ClassifyTrainStep(TrainStep):
    """Train a classifier; see `TrainStep`."""

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
        # Share of mirrored clips and largest rotation, by class.
        self.mirrored = torch.full((task.outputs,), augmentation.flip)
        self.turns = torch.full((task.outputs,), float(augmentation.rotation))

    def step(self, done: float) -> float:
        """Train on one batch when the share `done` of the training is over; return the loss."""
        frames, targets, looks = self._draw()
        return self.learn(frames, targets, done, looks)

    def learn(
        self, frames: Tensor, targets: Tensor, done: float, looks: Tensor | None = None
    ) -> float:
        """Take one step on normalised frames (b, T, 3, S, S) and targets (B,); return the loss.

        looks: (b, ceil(T / 4), F), of a picture encoder if there is one. The frames are of this
        process's own part of the batch; alone, that is all of it.
        """
        self._begin(done)
        own = targets[part(len(targets))]
        loss = self.task.loss(self._outputs(frames, looks), own, self.weights)
        if world() > 1:
            loss = loss * self.task.share(own, targets, self.weights)
        return self._follow(loss)

    def _outputs(self, frames: Tensor, looks: Tensor | None) -> Tensor:
        # Only convolutions gain from half precision; recurrent kernels lose.
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            main, side = self.network.encode(frames, looks)
        return self.network.decide(main, side)

    def _draw(self) -> tuple[Tensor, Tensor, Tensor | None]:
        chosen = self._choose()
        windows = [self._window(k) for k in chosen]
        targets = self.examples.targets[chosen]
        views = random_views(self.augmentation, self.turns[targets], self.generator)
        straight = ~self.mirrored[targets] & (views[:, :, :2].det() < 0)
        views[straight, :, 0] *= -1
        light = random_light(len(chosen), self.augmentation, self.generator)
        own = part(len(chosen))
        frames, looks = self._seen(self.examples, windows[own], views[own])  # (b, T, 3, S, S)
        factor, offset = light[own].to(self.device).view(-1, 2, 1, 1, 1, 1).unbind(1)
        return frames.mul_(factor).add_(offset), targets.to(self.device), looks

    def _window(self, clip: int) -> Window:
        """Return a window at a random place of a clip, where its looks are known if it has any."""
        segments = self.examples.segments[clip]
        segment = self._below(len(segments))
        every = 1 if self.examples.looks is None else self.spec.looks_every
        places = max(len(segments[segment]) - self.spec.frames, 0) // every + 1
        return Window(clip, segment, every * self._below(places))

    def _seen(
        self, examples: Examples, windows: Sequence[Window], views: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return normalised frames (b, T, 3, S, S) of views (b, 2, 3) of windows, and looks."""
        spec, looks = self.spec, None
        if examples.looks is not None:
            rows = [
                looks_at(_as_seen(examples.looks[clip][segment], view), start, spec)
                for (clip, segment, start), view in zip(windows, views, strict=True)
            ]
            looks = torch.from_numpy(np.stack(rows)).to(self.device)
        if spec.input == LOOKS:  # the frames do not matter
            return torch.zeros(len(windows), spec.frames, 3, 1, 1, device=self.device), looks
        pixels = [
            warp(window_at(examples.segments[clip][segment], start, spec), view, spec.size)
            for (clip, segment, start), view in zip(windows, views, strict=True)
        ]
        return normalise(torch.from_numpy(np.stack(pixels)).to(self.device)), looks

    @torch.inference_mode()
    def look(self, examples: Examples, seen: Sequence[tuple[Window, Tensor]]) -> Tensor:
        """Return the last outputs (N, K) for N windows of clips, and the views to take."""
        self.network.eval()
        outputs = torch.zeros(len(seen), self.task.outputs)
        own = range(rank(), len(seen), world())
        for first in range(0, len(own), self.batch_size):
            numbers = own[first : first + self.batch_size]
            windows = [seen[number][0] for number in numbers]
            views = torch.stack([seen[number][1] for number in numbers])
            found = self._outputs(*self._seen(examples, windows, views))
            outputs[list(numbers)] = found[:, -1].float().cpu()
        return all_reduce(outputs)

    def clip_outputs(self, examples: Examples) -> list[Tensor]:
        """Return the outputs (windows, K) of whole clips, exactly as in `predict`."""
        count = len(examples.segments)
        own = {
            number: clip_outputs(
                self.network,
                examples.segments[number],
                self.spec,
                None if examples.looks is None else examples.looks[number],
            )
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
        """Return everything needed to resume, as tensors and numbers."""
        found = {"mirrored": self.mirrored.clone(), "turns": self.turns.clone()}
        return {**super().state_dict(), **found}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state, as `TrainStep` does."""
        super().load_state_dict(state)
        self.mirrored, self.turns = state["mirrored"].clone(), state["turns"].clone()

    def _sane(self, state: dict[str, Any]) -> bool:
        limit = self.augmentation.rotation
        return bool(0 <= state["turns"].min() <= state["turns"].max() <= limit)


def _as_seen(looks: Features, view: Tensor) -> Features:
    """Return the features (n, F) of those fixed views (views, n, F) that is most like a view."""
    # Clips that are not learned from have only the first, the whole picture.
    number = nearest_view(view.numpy(), VIEW) if len(looks) > 1 else 0
    return looks[number]  # type: ignore[no-any-return]
