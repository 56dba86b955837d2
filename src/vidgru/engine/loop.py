"""The training loop for classes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor

from vidgru.data.cache import Segments
from vidgru.data.views import Augmentation, Frames, cut, random_light, random_views, straight_view
from vidgru.engine.distributed import part, rank, total, world
from vidgru.engine.learner import Learner, Settings
from vidgru.engine.windows import VALIDATION_WINDOWS, clip_outputs, spread, window_at
from vidgru.nn.build import AnyNetwork
from vidgru.nn.inputs import normalise
from vidgru.results import Scores
from vidgru.spec import ModelSpec
from vidgru.tasks.classify import Classify

PROBED, FEWEST_PROBED, ALL_PROBED = 16, 8, 512  # clips of one class, and of all together
KNOWN, SURE, DOUBTFUL = 0.6, 0.5, 0.2  # shares of a class's clips, or of its mirror images
SMALL_TURN = 8.0  # degrees, that change no class's meaning
NEXT_TURN = 1.5  # times what a class is turned by already
RECOGNISED = 0.75  # share of a class's clips, turned further


@dataclass(frozen=True)
class Examples:
    """Decoded clips and their classes: `segments` as in `data.cache`, `targets` int64 (N,)."""

    segments: Sequence[Segments]
    targets: Tensor


class Trainer(Learner):
    """Learn to tell classes; see `Learner`."""

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
        # The class of each class's mirror image; -1 while not known, and then none is trained on.
        self.images = torch.full((task.outputs,), -1)
        # The degrees by which clips of each class may be turned without looking like another's.
        self.turns = torch.full((task.outputs,), min(SMALL_TURN, augmentation.rotation))

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
        images = self.images[targets]
        # What may become another class's clip must bear turning as that one does, too.
        turns = self.turns[torch.where(images >= 0, images, targets)].minimum(self.turns[targets])
        views = random_views(self.augmentation, turns, self.generator)
        mirrored = views[:, :, :2].det() < 0
        views[mirrored & (images < 0), :, 0] *= -1
        targets = torch.where(mirrored & (images >= 0), images, targets)
        light = random_light(len(chosen), self.augmentation, self.generator)
        own = part(len(chosen))
        shown = zip(windows[own], views[own], strict=True)
        pixels = [cut(window, view, self.spec.size) for window, view in shown]
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
    def validate(self, examples: Examples) -> Scores:
        """Return how well the network tells clips apart by at most four windows of each.

        Much faster than `clip_outputs`, since windows of many clips go through the network together
        and in the precision of training.
        """
        windows = list(self.validation_windows(examples))
        outputs = self._look([(segment, start, straight_view()) for _, segment, start in windows])
        owners = torch.tensor([owner for owner, _, _ in windows])
        probabilities = torch.stack(
            [self.task.probabilities(outputs[owners == k]) for k in range(len(examples.segments))]
        )
        return self.task.scores(probabilities, examples.targets)

    def validation_windows(self, examples: Examples) -> Iterator[tuple[int, Segments, int]]:
        """Yield the windows that `validate` looks at: clip number, segment, first frame."""
        for owner, segments in enumerate(examples.segments):
            for segment in segments[:: -(-len(segments) // VALIDATION_WINDOWS)]:
                for start in spread(len(segment), self.spec.frames, len(segments)):
                    yield owner, segment, start

    def _look(self, seen: Sequence[tuple[Segments, int, Tensor]]) -> Tensor:
        """Return the last outputs (N, K) for N segments, first frames and the views to take."""
        self.network.eval()
        outputs = torch.zeros(len(seen), self.task.outputs)
        own = range(rank(), len(seen), world())
        for first in range(0, len(own), self.batch_size):
            numbers = own[first : first + self.batch_size]
            pixels = [
                cut(window_at(segment, start, self.spec), view, self.spec.size)
                for segment, start, view in (seen[number] for number in numbers)
            ]
            frames = normalise(torch.from_numpy(np.stack(pixels)).to(self.device))
            outputs[list(numbers)] = self._outputs(frames)[:, -1].float().cpu()
        return total(outputs)

    @cached_property
    def _probes(self) -> list[tuple[int, Segments, int]]:
        """The windows that `learn_transforms` looks at: class, segment, first frame."""
        most = min(PROBED, max(FEWEST_PROBED, ALL_PROBED // self.task.outputs))
        taken: Counter[int] = Counter()
        probes = []
        for segments, target in zip(
            self.examples.segments, self.examples.targets.tolist(), strict=True
        ):
            if taken[target] < most:
                taken[target] += 1
                middle = segments[len(segments) // 2]
                probes.append((target, middle, max(0, len(middle) - self.spec.frames) // 2))
        return probes

    @property
    def unclear(self) -> bool:
        """Whether there are transforms that are asked for and might still be found harmless."""
        return any(self._open)

    @property
    def _open(self) -> tuple[bool, bool]:
        """Whether mirroring, and turning, is asked for and not decided for all classes."""
        mirrors = self.augmentation.flip and bool((self.images < 0).any())
        return mirrors, bool((self.turns < self.augmentation.rotation).any())

    @property
    def next_looks(self) -> int:
        """Clips that `learn_transforms` would look at, at most."""
        mirrors, turns = self._open
        return len(self._probes) * (1 + mirrors + 2 * turns)

    @torch.inference_mode()
    def learn_transforms(self) -> int:
        """Find out from training clips which transforms keep a class, and use these from now on.

        Returns how many clips were looked at.

        Mirroring: where a class's mirror images look to the network like another's clips, and that
        one's images like its own, the two swap, as `left` and `right` do. Where they look like its
        own, they keep the class. A class whose clips are not known well enough yet, or whose mirror
        images look like nothing known, as those of most letters do, is left for later.

        Turning: a class is turned further, step by step, as long as the network, which has learned
        it less turned, still recognises it turned either way.
        """
        looks, labels = 0, range(self.task.outputs)

        def answers(views: dict[int, Tensor]) -> Tensor:
            """Return the share of each class's clips, in its view, that look like each class."""
            nonlocal looks
            shares = torch.zeros(self.task.outputs, self.task.outputs)
            shown = [probe for probe in self._probes if probe[0] in views]
            looks += len(shown)
            outputs = self._look([(segment, start, views[t]) for t, segment, start in shown])
            for (target, _, _), answer in zip(shown, outputs.argmax(1).tolist(), strict=True):
                shares[target, answer] += 1
            return shares / shares.sum(1, keepdim=True).clamp_min(1)

        known = answers(dict.fromkeys(labels, straight_view())).diagonal() >= KNOWN
        if self._open[0] and known.any():
            self._learn_mirroring(known, answers(dict.fromkeys(labels, straight_view(0.0, True))))
        limit = self.augmentation.rotation
        further = {
            label: min(NEXT_TURN * turn, limit)
            for label, turn in enumerate(self.turns.tolist())
            if turn < limit and known[label]
        }
        if further:
            left, right = (
                answers({label: straight_view(sign * turn) for label, turn in further.items()})
                for sign in (-1, 1)
            )
            for label, turn in further.items():
                if min(left[label, label], right[label, label]) >= RECOGNISED:
                    self.turns[label] = turn
        return looks

    def _learn_mirroring(self, known: Tensor, swapped: Tensor) -> None:
        """Decide about classes that are `known` (K,), by what their mirror images look like (K, K).

        A row of `swapped` gives the shares of one class's mirror images that look like each class.
        """
        for label in (known & (self.images < 0)).nonzero().flatten().tolist():
            mutual = torch.minimum(swapped[label], swapped[:, label])
            mutual[label] = 0
            other = int(mutual.argmax())
            # Of two classes, only one can have more than half of the images of a third.
            if mutual[other] > SURE:
                if known[other] and self.images[other] in (-1, other):
                    self.images[label], self.images[other] = other, label
            elif mutual[other] < DOUBTFUL and swapped[label, label] >= SURE:
                self.images[label] = label

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
        every = int(total(lengths).sum())
        found = torch.zeros(every, self.task.outputs)
        clips: list[Tensor] = list(torch.split(found, lengths.tolist()))
        for number, outputs in own.items():
            clips[number].copy_(outputs)
        total(found)
        return clips

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to go on, as tensors and numbers."""
        found = {"images": self.images.clone(), "turns": self.turns.clone()}
        return {**super().state_dict(), **found}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a state, as `Learner` does."""
        super().load_state_dict(state)
        self.images, self.turns = state["images"].clone(), state["turns"].clone()

    def _sane(self, state: dict[str, Any]) -> bool:
        return bool(
            -1 <= state["images"].min() <= state["images"].max() < self.task.outputs
            and 0 <= state["turns"].min() <= state["turns"].max() <= self.augmentation.rotation
        )
