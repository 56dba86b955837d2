"""Explain the outputs of a network for frames: windows one after another, averaged where they meet.

Windows are those of a prediction, and so is their average.
"""

from collections.abc import Callable, Generator
from itertools import groupby
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from vidgru.core.results import Progress
from vidgru.tasks.classify.explain.gates import gate_curves
from vidgru.tasks.classify.explain.occlusion import occlusion_maps
from vidgru.tasks.classify.explain.relevance import Forward, forward, odds, relevance_maps
from vidgru.tasks.classify.network import Network
from vidgru.tasks.classify.sliding import SlidingWindows, window_spans

KEPT = 512  # frames of which all passes are kept, for the class to explain
TOGETHER = 128  # frames whose windows are computed together
SMOOTH_TIME, SMOOTH_SPACE = 1.0, 0.8  # standard deviations, in frames and in places of the maps

Frames = Callable[[int, int], Tensor]
Choose = Callable[[Tensor], int]


class Analysis(NamedTuple):
    """What frames come to.

    outputs: (windows, K); label: number of the explained class; contributions: (N, K); maps:
    (N, h, w), smoothed, none below 0; strength: of each encoder's relevance; gates: (N,) by name,
    and KEPT_MAPS (N, h, w) of a core of maps;
    state: (hidden,), the mean of the core's outputs.
    """

    outputs: Tensor
    label: int
    contributions: Tensor
    maps: Tensor
    strength: Tensor
    gates: dict[str, Tensor]
    state: Tensor


def analyse(
    network: Network,
    frames: Frames,
    count: int,
    window: int,
    choose: Choose,
    against: int | None,
    occlude: bool,
) -> Generator[Progress, None, Analysis]:
    """Explain `count` frames, yielding Progress; `frames(start, end)` gives normalised ones.

    `choose` returns the number of the class to explain, for outputs (windows, K).
    """
    spans = window_spans(count, window)
    together = max(1, TOGETHER // window)
    batches = [
        list(group)[first : first + together]
        for _, same in groupby(spans, key=lambda span: span[1] - span[0])
        for group in [list(same)]
        for first in range(0, len(group), together)
    ]
    passes: list[Forward] = []
    if count <= KEPT:
        passes = [forward(network, _clips(frames, batch)) for batch in batches]
        label = choose(torch.cat([passed.contributions.sum(1) for passed in passes]))
    else:
        sliding = SlidingWindows(network, window)
        found = [
            output
            for start in range(0, count, TOGETHER)
            for output in sliding.push(frames(start, min(start + TOGETHER, count)))
        ]
        label = choose(torch.stack([one.output for one in [*found, *sliding.finish()]]).clone())
    sums = _Sums(count, len(spans))
    for number, batch in enumerate(batches):
        clips = _clips(frames, batch)
        passed = passes[number] if passes else forward(network, clips)
        logits = passed.contributions.sum(1)
        direction = odds(logits, label, against)
        maps, strength = relevance_maps(network, passed, direction)
        if occlude:
            hidden = []
            for (start, _), clip, one in zip(batch, clips, direction, strict=True):
                parts: list[Tensor] = []
                for part in occlusion_maps(network, clip, one):
                    parts.append(part)
                    yield Progress("explaining", start + sum(map(len, parts)), count)
                hidden.append(torch.cat(parts))
            maps = torch.stack(hidden)
        sums.add(batch, passed, maps, strength, gate_curves(network, passed.read))
        yield Progress("explaining", batch[-1][1], count)
    return sums.result(label)


def _clips(frames: Frames, spans: list[tuple[int, int]]) -> Tensor:
    return torch.stack([frames(*span) for span in spans])


class _Sums:
    """Sums of what windows come to, frame by frame."""

    def __init__(self, count: int, windows: int) -> None:
        self.count, self.windows = count, windows
        self.outputs: list[Tensor] = []
        self.states: list[Tensor] = []
        self.parts: dict[str, Tensor] = {}
        self.covered = torch.zeros(count)
        self.strength = torch.zeros(())

    def add(
        self,
        spans: list[tuple[int, int]],
        passed: Forward,
        maps: Tensor,
        strength: Tensor,
        gates: dict[str, Tensor],
    ) -> None:
        """Add windows: maps (B, T, h, w), gates (B, T) by name."""
        contributions = passed.contributions
        self.outputs += contributions.sum(1).cpu()
        self.states += passed.state.cpu()
        self.strength = self.strength + strength.cpu()
        for name, values in {"logits": contributions, "maps": maps, **gates}.items():
            if name not in self.parts:
                self.parts[name] = torch.zeros(self.count, *values.shape[2:])
            for (start, end), one in zip(spans, values.cpu(), strict=True):
                self.parts[name][start:end] += one
        for start, end in spans:
            self.covered[start:end] += 1

    def result(self, label: int) -> Analysis:
        """Return the averages; frames that no window covers have no part in the answer."""
        logits, maps = self.parts.pop("logits"), self.parts.pop("maps")
        covered = self.covered.clamp_min(1)
        gates = {
            name: sums / covered.view(-1, *[1] * (sums.ndim - 1))
            for name, sums in self.parts.items()
        }
        smooth = smoothed(maps / self.windows).clamp_min(0)
        states, outputs = torch.stack(self.states).mean(0), torch.stack(self.outputs)
        return Analysis(outputs, label, logits / self.windows, smooth, self.strength, gates, states)


def smoothed(maps: Tensor) -> Tensor:
    """Return maps (N, h, w) smoothed over time and space by Gaussians."""
    for dim, sigma in ((0, SMOOTH_TIME), (1, SMOOTH_SPACE), (2, SMOOTH_SPACE)):
        maps = _smoothed_along(maps, dim, sigma)
    return maps


def _smoothed_along(maps: Tensor, dim: int, sigma: float) -> Tensor:
    reach = round(3 * sigma)
    offsets = torch.arange(-reach, reach + 1)
    kernel = torch.exp(-(offsets.float() ** 2) / (2 * sigma**2))
    along = maps.movedim(dim, -1)
    shape = along.shape
    # Zeros outside, and the part of the kernel inside counts as the whole.
    rows = along.reshape(-1, 1, shape[-1])
    weights = functional.conv1d(torch.ones(1, 1, shape[-1]), kernel.view(1, 1, -1), padding=reach)
    smooth = functional.conv1d(rows, kernel.view(1, 1, -1), padding=reach) / weights
    return smooth.reshape(shape).movedim(-1, dim)
