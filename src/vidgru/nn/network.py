"""The network: frame encoders, recurrent core, task head; a clip at once or frame by frame."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vidgru.nn.cells import State, make_cell
from vidgru.nn.encoders import FrameEncoder
from vidgru.nn.inputs import DIFFERENCE_GAIN, changes
from vidgru.nn.unroll import trace, unroll

MAIN_WIDTHS = (16, 32, 64, 128)
SIDE_WIDTHS = (12, 24, 48, 96)
# Looks change slowly: beside the differences, the picture itself is read on every fourth frame.
SIDE_EVERY = 4
FEATURE_DROPOUT = 0.4
HIDDEN = 128


@dataclass(frozen=True)
class NetworkConfig:
    """What shapes a network: names as in `TrainConfig`, numbers of outputs and hidden values.

    size: side of the pictures in pixels, of which only the network of rows takes notice.
    """

    input: str
    core: str
    outputs: int
    hidden: int = HIDDEN
    gated_update: str = "blend"
    size: int = 64


class StreamState(NamedTuple):
    """All that a network remembers between two frames of a stream."""

    previous: Tensor  # (B, 3, H, W), the last frame
    change: Tensor  # (B, 3, H, W), how it differed from the one before
    side: Tensor  # (B, side features), of the last frame that the side encoder saw
    core: State
    total: Tensor  # (B, hidden), sum of the core's outputs so far
    steps: int


class Network(nn.Module):
    """Frames in, outputs after every frame: the mean of the core's outputs so far, made linear.

    `forward(clip)` and repeated `step(frame, state)` give the same numbers.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.main = FrameEncoder(3 if config.input == "rgb" else 6, MAIN_WIDTHS)
        self.side = FrameEncoder(3, SIDE_WIDTHS) if config.input == "both" else None
        features = self.main.features + (self.side.features if self.side else 0)
        self.norm = nn.LayerNorm(features)
        self.dropout = nn.Dropout(FEATURE_DROPOUT)
        self.core = make_cell(config.core, features, config.hidden, config.gated_update)
        self.head = nn.Linear(config.hidden, config.outputs)

    def encode(self, clip: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return main features (B, T, D) and side features (B, ceil(T / 4), E) of normalised clips.

        clip: float (B, T, 3, H, W). The first frame counts as unchanged.
        """
        shown = clip if self.config.input == "rgb" else changes(clip)
        main = self.main(shown.flatten(0, 1)).unflatten(0, clip.shape[:2])
        if self.side is None:
            return main, None
        seen = clip[:, ::SIDE_EVERY]
        return main, self.side(seen.flatten(0, 1)).unflatten(0, seen.shape[:2])

    def _join(self, main: Tensor, side: Tensor | None) -> Tensor:
        """Return what the core reads (B, T, D + E)."""
        if side is not None:
            held = side.repeat_interleave(SIDE_EVERY, dim=1)[:, : main.shape[1]]
            main = torch.cat([main, held], dim=2)
        return self.dropout(self.norm(main))  # type: ignore[no-any-return]

    def decide(self, main: Tensor, side: Tensor | None) -> Tensor:
        """Return outputs after every frame (B, T, outputs) from the features of `encode`."""
        ys, _ = unroll(self.core, self._join(main, side))  # (B, T, hidden)
        counts = torch.arange(1, ys.shape[1] + 1, device=ys.device, dtype=ys.dtype)
        means = ys.cumsum(1) / counts.view(1, -1, 1)
        return self.head(means)  # type: ignore[no-any-return]

    def forward(self, clip: Tensor) -> Tensor:
        """Return outputs after every frame (B, T, outputs) for clip (B, T, 3, H, W)."""
        return self.decide(*self.encode(clip))

    @torch.no_grad()
    def trace(self, clip: Tensor) -> dict[str, Tensor]:
        """Return the core's gates and states after every frame, each (B, T, hidden).

        clip: (B, T, 3, H, W), normalised. Names as in `Cell.gates`, and "hidden" (and "cell"). The
        network must be in eval mode.
        """
        return trace(self.core, self._join(*self.encode(clip)))

    def step(self, frame: Tensor, state: StreamState | None = None) -> tuple[Tensor, StreamState]:
        """Return outputs (B, outputs) after one more frame (B, 3, H, W), and the state to go on."""
        steps = 0 if state is None else state.steps
        previous = frame if state is None else state.previous
        before = torch.zeros_like(frame) if state is None else state.change
        change = (frame - previous) * DIFFERENCE_GAIN
        shown = frame if self.config.input == "rgb" else torch.cat([change, before], dim=1)
        features = self.main(shown)
        side = features[:, :0] if state is None else state.side
        if self.side is not None:
            if steps % SIDE_EVERY == 0:
                side = self.side(frame)
            features = torch.cat([features, side], dim=1)
        core = self.core.initial_state(frame.shape[0]) if state is None else state.core
        y, core = self.core(self.dropout(self.norm(features)), core)
        total = y if state is None else state.total + y
        outputs = self.head(total / (steps + 1))
        return outputs, StreamState(frame, change, side, core, total, steps + 1)
