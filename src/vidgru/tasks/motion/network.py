"""The motion network: frames and flow in, recurrence, fields now and ahead out."""

from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vidgru.nn.cells import ConvGRUCell, State
from vidgru.nn.convolution import Conv2d
from vidgru.nn.encoders import convolve
from vidgru.nn.inputs import DIFFERENCE_GAIN
from vidgru.nn.unroll import unroll
from vidgru.tasks.motion.results import AHEAD
from vidgru.tasks.motion.spec import CELL, FINE

FIELDS = 1 + len(AHEAD)
FIRST = 3 * FIELDS  # x, y and log spread of what may happen in each field
OUTPUTS = 2 * FIRST + FIELDS + 1  # how much moves, the same of what may happen instead, log odds
SECOND = FIRST + 1 + FIELDS + len(AHEAD)  # where that begins in the output layer
LIKELY = 2.0  # log odds before any training
SCALE = 0.2  # widths/s that the network reads as 1: a usual speed
FRAME_MAPS, MAPS = 24, 64
KNOWN = 2 + 3 * len(AHEAD)  # maps of the flow: as it is, and carried to each time ahead
MOVES = 0.05  # in units of SCALE
REFERENCE_FPS = 12.5  # frames/s that the network reads as 0


class MotionState(NamedTuple):
    """All state of a motion network between two frames of a stream."""

    frame: Tensor  # (B, 3, S, S), the last one
    core: State


class MotionNetwork(nn.Module):
    """Frames and the flow between them in; after each frame, motion fields now and ahead.

    Outputs (B, T, OUTPUTS, grid, grid); `tasks.motion` defines their units. `flow` is measured, in
    widths/s and heights/s: (B, T, S / FINE, S / FINE, 2). `rate` (B,) is in frames/s. The field
    now is the flow with a correction, which is zero before any training.
    `forward(clip, flow, rate)` and repeated `step(frame, flow, rate, state)` give the same numbers.
    """

    renamed: ClassVar = {"tell": "output"}
    places: Tensor

    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.size, self.grid = size, size // CELL
        # Appearance matters at half the resolution at which motion is measured.
        self.look = nn.Sequential(convolve(6, 16, 2), convolve(16, FRAME_MAPS, 2))
        self.flow = convolve(6, FRAME_MAPS)
        self.join = nn.Sequential(convolve(2 * FRAME_MAPS, MAPS, 2), convolve(MAPS, MAPS))
        self.core = ConvGRUCell(MAPS + 3 + KNOWN + 3, hidden, self.grid)
        self.head = nn.Sequential(
            Conv2d(hidden + 3, hidden, 3, padding=1),
            nn.ReLU(inplace=True),
            Conv2d(hidden, hidden, 3, padding=2, dilation=2),
            nn.ReLU(inplace=True),
        )
        self.output = Conv2d(hidden, OUTPUTS + FIELDS + len(AHEAD), 1)
        nn.init.zeros_(self.output.weight)
        with torch.no_grad():
            self.get_parameter("output.bias").zero_()[-FIELDS:] = LIKELY
        # Not torch.linspace: for a model on the meta device, that imports a second's worth of code.
        places = np.linspace(-1, 1, self.grid, dtype=np.float32)
        grid = np.stack(np.meshgrid(places, places, indexing="ij"))  # (2, grid, grid)
        self.register_buffer("places", torch.from_numpy(grid), persistent=False)

    def encode(self, clip: Tensor, flow: Tensor, before: Tensor | None = None) -> Tensor:
        """Return maps (B, T, MAPS + 3 + KNOWN, grid, grid) of normalised clips (B, T, 3, S, S).

        The last ones are of the flow. `before` (B, 3, S, S) is the frame before the first; left
        out, that counts as unchanged.
        """
        batch, steps = clip.shape[:2]
        small = _halved(clip)
        first = small[:, :1] if before is None else _halved(before[:, None])
        changes = (small - torch.cat([first, small[:, :-1]], dim=1)) * DIFFERENCE_GAIN
        look = self.look(torch.cat([small, changes], dim=2).flatten(0, 1))  # (B T, SEEN, S/8, S/8)
        moved = flow.flatten(0, 1).permute(0, 3, 1, 2) / SCALE  # (B T, 2, F, F)
        speed = moved.norm(dim=1, keepdim=True)
        fine = torch.cat([bend(moved), (speed > MOVES).to(moved.dtype)], dim=1)
        most = torch.cat([bend(speed), bend(moved)], dim=1)
        predicted = torch.cat(
            [functional.avg_pool2d(fine, 2), functional.max_pool2d(most, 2)], dim=1
        )
        maps = self.join(torch.cat([look, self.flow(predicted)], dim=1)).to(clip.dtype)
        coarse = functional.avg_pool2d(moved, CELL // FINE)  # (B T, 2, grid, grid)
        reading = torch.log1p(coarse.norm(dim=1, keepdim=True))
        # It enters the outputs unchanged, where half precision would show.
        with torch.autocast(moved.device.type, enabled=False):
            carried = [carry(moved, seconds, self.grid) for seconds in AHEAD]
        known = torch.cat([maps, bend(coarse), reading, coarse, *carried], dim=1)
        return known.view(batch, steps, *known.shape[1:])

    def decide(
        self, maps: Tensor, rate: Tensor, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Return outputs (B, T, OUTPUTS, grid, grid) from the maps of `encode`, and the state."""
        batch, steps = maps.shape[:2]
        reading = torch.log2(rate.to(maps.dtype) / REFERENCE_FPS).view(batch, 1, 1, 1, 1)
        known = torch.cat(
            [
                self.places.expand(batch, steps, -1, -1, -1),
                reading.expand(-1, steps, 1, self.grid, self.grid),
            ],
            dim=2,
        )
        ys, state = unroll(self.core, torch.cat([maps, known], dim=2), state)
        outputs = self.output(self.head(torch.cat([ys, known], dim=2).flatten(0, 1)))
        outputs, unmoved, comes, other = outputs.split(
            [FIRST + 1, FIELDS, len(AHEAD), FIRST + FIELDS], dim=1
        )
        flow = maps.flatten(0, 1)[:, -KNOWN:]
        now = flow[:, None, :2]  # (B T, 1, 2, grid, grid)
        carried = flow[:, 2:].reshape(-1, len(AHEAD), 3, self.grid, self.grid)[:, :, :2]
        unmoved, comes = 2 * unmoved.sigmoid()[:, :, None], comes.sigmoid()[:, :, None]
        here, ahead = unmoved[:, :1] * now, unmoved[:, 1:] / 2 * now + comes * carried
        predicted = outputs[:, :FIRST].reshape(-1, FIELDS, 3, self.grid, self.grid)
        vectors = predicted[:, :, :2] + torch.cat([here, ahead], dim=1)
        predicted = torch.cat([vectors, predicted[:, :, 2:]], dim=2).flatten(1, 2)
        outputs = torch.cat([predicted, outputs[:, FIRST:], other], dim=1)
        return outputs.view(batch, steps, *outputs.shape[1:]), state

    def forward(self, clip: Tensor, flow: Tensor, rate: Tensor) -> Tensor:
        """Return outputs (B, T, OUTPUTS, grid, grid) for a clip (B, T, 3, S, S)."""
        return self.decide(self.encode(clip, flow), rate)[0]

    def step(
        self, frame: Tensor, flow: Tensor, rate: Tensor, state: MotionState | None = None
    ) -> tuple[Tensor, MotionState]:
        """Return outputs (B, OUTPUTS, grid, grid) after one more frame (B, 3, S, S), and the state.

        flow: (B, S / FINE, S / FINE, 2).
        """
        before = None if state is None else state.frame
        maps = self.encode(frame[:, None], flow[:, None], before)
        outputs, core = self.decide(maps, rate, None if state is None else state.core)
        return outputs[:, 0], MotionState(frame, core)


def carry(moved: Tensor, seconds: float, grid: int) -> Tensor:
    """Return the flow carried along itself for some seconds: (N, 3, grid, grid).

    moved: (N, 2, F, F), in units of SCALE. Each fine cell takes its velocity to the cells that it
    will cover, by the covered share. The third map counts moving fine cells.
    """
    fine = moved.shape[-1]
    side = grid / fine  # of a fine cell, in cells
    middles = (torch.arange(fine, device=moved.device, dtype=moved.dtype) + 0.5) * side
    cells = torch.arange(grid, device=moved.device, dtype=moved.dtype) + 0.5
    way = moved * (seconds * SCALE * grid)
    x, y = middles + way[:, 0], middles[:, None] + way[:, 1]  # (N, F, F)
    over = [
        (((1 + side) / 2 - (at.flatten(1)[:, None] - cells[:, None]).abs()) / side).clamp(0, 1)
        for at in (y, x)
    ]  # (N, grid, F F), of each fine cell
    moves = (moved.norm(dim=1, keepdim=True) > MOVES).to(moved.dtype)
    taken = torch.cat([moved, moves], dim=1).flatten(2)  # (N, 3, F F)
    across = over[1][:, None] * taken[:, :, None]  # (N, 3, grid, F F)
    return side * side * torch.einsum("nyp,ncxp->ncyx", over[0], across)


def _halved(clip: Tensor) -> Tensor:
    """Return pictures (B, T, C, H / 2, W / 2) of (B, T, C, H, W)."""
    batch, steps, channels, height, width = clip.shape
    half = functional.avg_pool2d(clip.flatten(0, 1), 2)
    return half.view(batch, steps, channels, height // 2, width // 2)


def bend(values: Tensor) -> Tensor:
    """Return values with large ones compressed, so that slow motion counts relative to fast."""
    return values.sign() * torch.log1p(4 * values.abs()) / 1.6
