"""The network that sees motion: frame encoder, match with the frame before, recurrence, fields."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidgru.nn.cells import ConvGRUCell, State
from vidgru.nn.encoders import convolve
from vidgru.nn.unroll import unroll

HORIZONS = 4  # fields that are told: now, and three ahead
REACH = 4  # of the match, in steps of 8 pixels
PAIR, LOOK, MATCHED, MAPS = (12, 24, 32), 24, 48, 64


class MotionState(NamedTuple):
    """All that a motion network remembers between two frames of a stream."""

    frame: Tensor  # (B, 3, S, S), the last one
    core: State


class MotionNetwork(nn.Module):
    """Frames in; after each frame, motion fields now and ahead, for each cell of a coarse grid.

    Outputs (B, T, 3 HORIZONS + 1, grid, grid): x and y and log spread of each field, then how
    much of the cell moves; `tasks.motion` says in which units. `rate` (B,) is in frames/s.
    `forward(clip, rate)` and repeated `step(frame, rate, state)` give the same numbers.
    """

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.size, self.grid = size, size // 16
        first, second, third = PAIR
        # What changed from the frame before tells slow motion to a part of a pixel ...
        self.pair = nn.Sequential(
            convolve(6, first, 2), convolve(first, second, 2), convolve(second, third, 2)
        )
        # ... and where a piece of picture went tells fast motion.
        self.look = nn.Sequential(
            convolve(3, first, 2),
            convolve(first, LOOK, 2),
            nn.Conv2d(LOOK, LOOK, 3, stride=2, padding=1, bias=False),
        )
        self.scale = nn.Parameter(torch.tensor(4.0))
        shifts = (2 * REACH + 1) ** 2
        self.join = nn.Sequential(
            convolve(third + LOOK + shifts, MATCHED),
            convolve(MATCHED, MAPS, 2),
            convolve(MAPS, MAPS),
        )
        self.core = ConvGRUCell(MAPS + 3, hidden, self.grid)
        self.head = nn.Sequential(
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 3, padding=2, dilation=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, 3 * HORIZONS + 1, 1),
        )
        places = torch.linspace(-1, 1, self.grid)
        self.register_buffer(
            "places", torch.stack(torch.meshgrid(places, places, indexing="ij")), persistent=False
        )
        self.register_buffer("_near", _near(size // 8, REACH), persistent=False)

    def encode(self, clip: Tensor, before: Tensor | None = None) -> Tensor:
        """Return maps (B, T, MAPS, grid, grid) of normalised clips (B, T, 3, S, S).

        `before` (B, 3, S, S) is the frame before the first; left out, that counts as unchanged.
        """
        first = clip[:, :1] if before is None else before[:, None]
        frames = torch.cat([first, clip], dim=1)  # (B, T + 1, 3, S, S)
        batch, steps = clip.shape[:2]
        pairs = torch.cat([frames[:, 1:], 2 * (frames[:, 1:] - frames[:, :-1])], dim=2)
        pair = self.pair(pairs.flatten(0, 1))  # (B T, 32, S/8, S/8)
        looks = self.look(frames.flatten(0, 1)).unflatten(0, (batch, steps + 1))
        match = self._match(looks[:, 1:].flatten(0, 1), looks[:, :-1].flatten(0, 1))
        joined = torch.cat([pair, looks[:, 1:].flatten(0, 1), match], dim=1)
        return self.join(joined).unflatten(0, (batch, steps))  # type: ignore[no-any-return]

    def _match(self, now: Tensor, before: Tensor) -> Tensor:
        """Return (N, shifts, s, s): how alike each place is to those around it one frame before."""
        count, _, side, _ = now.shape
        a = functional.normalize(now.flatten(2).float(), dim=1)
        b = functional.normalize(before.flatten(2).float(), dim=1)
        alike = torch.bmm(a.transpose(1, 2), b) * self.scale  # (N, s s, s s)
        alike = functional.pad(alike, (0, 1))  # beyond the border: nothing alike
        near = self._near.expand(count, -1, -1)
        return alike.gather(2, near).transpose(1, 2).unflatten(2, (side, side)).to(now.dtype)

    def decide(
        self, maps: Tensor, rate: Tensor, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Return outputs (B, T, outputs, grid, grid) from the maps of `encode`, and the state."""
        batch, steps = maps.shape[:2]
        maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
        places = self.places.expand(batch, steps, -1, -1, -1)
        pace = torch.log2(rate.to(maps.dtype) / 12.5).view(batch, 1, 1, 1, 1)
        pace = pace.expand(-1, steps, 1, self.grid, self.grid)
        ys, state = unroll(self.core, torch.cat([maps, places, pace], dim=2), state)
        return self.head(ys.flatten(0, 1)).unflatten(0, (batch, steps)), state

    def forward(self, clip: Tensor, rate: Tensor) -> Tensor:
        """Return outputs (B, T, outputs, grid, grid) for clip (B, T, 3, S, S), rate (B,)."""
        return self.decide(self.encode(clip), rate)[0]

    def step(
        self, frame: Tensor, rate: Tensor, state: MotionState | None = None
    ) -> tuple[Tensor, MotionState]:
        """Return outputs (B, outputs, grid, grid) after one more frame (B, 3, S, S), and state."""
        before = None if state is None else state.frame
        maps = self.encode(frame[:, None], before)
        outputs, core = self.decide(maps, rate, None if state is None else state.core)
        return outputs[:, 0], MotionState(frame, core)


def _near(side: int, reach: int) -> Tensor:
    """Return int64 (side side, shifts): numbers of the places around each; side side outside."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    shifts = torch.arange(-reach, reach + 1)
    y = rows.flatten()[:, None, None] + shifts[:, None]
    x = columns.flatten()[:, None, None] + shifts
    inside = (y >= 0) & (y < side) & (x >= 0) & (x < side)
    return torch.where(inside, y * side + x, side * side).flatten(1)
