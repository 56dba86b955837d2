"""The network: frame encoders, recurrent core, task head; a clip at once or frame by frame."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vidgru.nn.cells import State, make_cell
from vidgru.nn.choices import MAP_CORE, map_side
from vidgru.nn.encoders import MAIN_WIDTHS, SIDE_WIDTHS, FrameEncoder, pool
from vidgru.nn.inputs import DIFFERENCE_GAIN, changes
from vidgru.nn.unroll import trace, unroll
from vidgru.tasks.classify.spec import SIDE_EVERY

FEATURE_DROPOUT = 0.4
HIDDEN = 128
MAP_HIDDEN = 64  # of convgru: mean and maximum of its maps are as many values as others have


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a network: names as in `TrainConfig`, numbers of outputs and hidden values.

    size: side of the pictures in pixels, which matters only for rows and maps.
    """

    input: str
    core: str
    outputs: int
    hidden: int = HIDDEN
    gated_update: str = "blend"
    size: int = 64


class StreamState(NamedTuple):
    """All state of a network between two frames of a stream."""

    previous: Tensor  # (B, 3, H, W), the last frame
    change: Tensor  # (B, 3, H, W), its difference from the one before
    side: Tensor  # (B, side features[, h, w]), of the last frame of the side encoder
    core: State
    total: Tensor  # (B, hidden or 2 hidden), sum of the core's outputs so far, pooled
    steps: int


class Network(nn.Module):
    """Frames in, logits after every frame: a linear head on the mean of the core's outputs so far.

    `forward(clip)` and repeated `step(frame, state)` give the same numbers. With the core `convgru`
    features are maps (..., D, h, w), and so are the core's outputs; the head reads their mean and
    maximum over space.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config, self.maps = config, config.core == MAP_CORE
        channels = 3 if config.input == "rgb" else 6
        self.main = FrameEncoder(channels, MAIN_WIDTHS, not self.maps)
        side = FrameEncoder(3, SIDE_WIDTHS, not self.maps) if config.input == "both" else None
        self.side = side
        features = self.main.features + (side.features if side else 0)
        # Over a whole frame, maps too: at each place separately, it would amplify static background
        # to the level of moving objects.
        self.norm = nn.GroupNorm(1, features) if self.maps else nn.LayerNorm(features)
        self.dropout = nn.Dropout(FEATURE_DROPOUT)
        self.core = make_cell(
            config.core, features, config.hidden, config.gated_update, map_side(config.size)
        )
        self.head = nn.Linear((2 if self.maps else 1) * config.hidden, config.outputs)

    def encode(self, clip: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return main features (B, T, D) and side features (B, ceil(T / 4), E) of normalised clips.

        clip: float (B, T, 3, H, W). The first frame counts as unchanged. Maps also have (h, w).
        """
        shown = clip if self.config.input == "rgb" else changes(clip)
        main = self.main(shown.flatten(0, 1)).unflatten(0, clip.shape[:2])
        if self.side is None:
            return main, None
        frames = clip[:, ::SIDE_EVERY]
        return main, self.side(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])

    def join(self, main: Tensor, side: Tensor | None) -> Tensor:
        """Return the core's input (B, T, D + E[, h, w])."""
        if side is not None:
            held = side.repeat_interleave(SIDE_EVERY, dim=1)[:, : main.shape[1]]
            main = torch.cat([main, held], dim=2)
        return self._ready(main.flatten(0, 1)).view(main.shape)

    def _ready(self, features: Tensor) -> Tensor:
        """Return features of frames (N, D + E[, h, w]) normalised for the core."""
        features = self.norm(features)  # (N, D + E[, h, w])
        if not self.maps:
            return self.dropout(features)  # type: ignore[no-any-return]
        # Whole channels: the neighbours of a dropped value in a map would reveal it.
        kept: Tensor = self.dropout(features.new_ones(*features.shape[:2], 1, 1))
        return kept * features

    def pooled(self, ys: Tensor) -> Tensor:
        """Return what the head reads (..., values) of the core's outputs."""
        return pool(ys) if self.maps else ys

    def decide(self, main: Tensor, side: Tensor | None) -> Tensor:
        """Return outputs after every frame (B, T, outputs) from the features of `encode`."""
        ys, _ = unroll(self.core, self.join(main, side))  # (B, T, hidden[, h, w])
        ys = self.pooled(ys)
        counts = torch.arange(1, ys.shape[1] + 1, device=ys.device, dtype=ys.dtype)
        means = ys.cumsum(1) / counts.view(1, -1, 1)
        return self.head(means)  # type: ignore[no-any-return]

    def forward(self, clip: Tensor) -> Tensor:
        """Return outputs after every frame (B, T, outputs) for clip (B, T, 3, H, W)."""
        return self.decide(*self.encode(clip))

    @torch.no_grad()
    def trace(self, clip: Tensor) -> dict[str, Tensor]:
        """Return the core's gates and states after every frame, each (B, T, hidden[, h, w]).

        clip: (B, T, 3, H, W), normalised. Names as in `Cell.gates`, and "hidden" (and "cell"). The
        network must be in eval mode.
        """
        return trace(self.core, self.join(*self.encode(clip)))

    def step(self, frame: Tensor, state: StreamState | None = None) -> tuple[Tensor, StreamState]:
        """Return outputs (B, outputs) after one more frame (B, 3, H, W), and the next state."""
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
        y, core = self.core(self._ready(features), core)
        y = self.pooled(y)
        total = y if state is None else state.total + y
        outputs = self.head(total / (steps + 1))
        return outputs, StreamState(frame, change, side, core, total, steps + 1)
