"""The network: frame encoders, recurrent core, task head; a clip at once or frame by frame."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vidgru.nn.cells import State, make_cell
from vidgru.nn.choices import LOOKS, MAP_CORE, map_side
from vidgru.nn.encoders import MAIN_WIDTHS, SIDE_WIDTHS, FrameEncoder, pool
from vidgru.nn.inputs import DIFFERENCE_GAIN, changes
from vidgru.nn.unroll import trace, unroll
from vidgru.tasks.classify.spec import SIDE_EVERY

FEATURE_DROPOUT = 0.4
LOOKS_WIDTH = 96  # values that are made of a picture encoder's features
LOOKS_DROPOUT = 0.3
LOOKS_ABSENT = 0.5  # share of the training clips whose looks are not shown, beside changes
HIDDEN = 128
MAP_HIDDEN = 64  # of convgru: mean and maximum of its maps are as many values as others have


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a network: names as in `TrainConfig`, numbers of outputs and hidden values.

    size: side of the pictures in pixels, which matters only for rows and maps; looks: number of
    features of a picture encoder, which takes the place of the network's own for frames, 0 where
    there is none.
    """

    input: str
    core: str
    outputs: int
    hidden: int = HIDDEN
    gated_update: str = "blend"
    size: int = 64
    looks: int = 0


class NoEncoder(FrameEncoder):
    """Takes the place of an encoder where a network sees nothing by itself."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.pooled, self.features, self.layers = True, 0, nn.Sequential()

    def forward(self, frames: Tensor) -> Tensor:
        """Return no features (N, 0) of frames (N, ...)."""
        return frames.new_zeros(len(frames), 0)


class LooksProjection(nn.Module):
    """Reduces the features of a picture encoder to fewer, which few clips can teach.

    In training, a share `absent` of the clips comes without any (ModDrop, Neverova et al. 2016).
    Looks alone explain most training clips: a network that always had them would learn little from
    changes.
    """

    def __init__(self, inputs: int, absent: float, features: int = LOOKS_WIDTH) -> None:
        super().__init__()
        self.norm, self.dropout = nn.LayerNorm(inputs), nn.Dropout(LOOKS_DROPOUT)
        self.linear, self.features = nn.Linear(inputs, features), features
        self.absent = nn.Dropout(absent)

    def forward(self, looks: Tensor) -> Tensor:
        """Return values (B, ..., features) for features (B, ..., inputs) of a picture encoder."""
        found: Tensor = self.linear(self.dropout(self.norm(looks)))
        if not self.training:
            return found
        # Of whole clips, and not raised: each value is what it is in a prediction.
        kept: Tensor = self.absent(looks.new_ones(len(looks), *(1,) * (looks.ndim - 1)))
        return found * (kept > 0)


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

    `forward(clip)` and repeated `step(frame, state)` give the same numbers; with `config.looks`,
    both also take features of a picture encoder for every fourth frame. With the core `convgru`
    features are maps (..., D, h, w), and so are the core's outputs; the head reads their mean and
    maximum over space.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config, self.maps = config, config.core == MAP_CORE
        channels = 3 if config.input == "rgb" else 6
        looks_alone = config.input == LOOKS
        self.main = (
            NoEncoder() if looks_alone else FrameEncoder(channels, MAIN_WIDTHS, not self.maps)
        )
        self.side: FrameEncoder | None = None
        self.looks: LooksProjection | None = None
        if config.looks:
            self.looks = LooksProjection(config.looks, 0.0 if looks_alone else LOOKS_ABSENT)
        elif config.input == "both":
            self.side = FrameEncoder(3, SIDE_WIDTHS, not self.maps)
        held = self.looks or self.side
        features = self.main.features + (held.features if held else 0)
        # Over a whole frame, maps too: at each place separately, it would amplify static background
        # to the level of moving objects.
        self.norm = nn.GroupNorm(1, features) if self.maps else nn.LayerNorm(features)
        self.dropout = nn.Dropout(FEATURE_DROPOUT)
        self.core = make_cell(
            config.core, features, config.hidden, config.gated_update, map_side(config.size)
        )
        self.head = nn.Linear((2 if self.maps else 1) * config.hidden, config.outputs)

    def encode(self, clip: Tensor, looks: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return main features (B, T, D) and side features (B, ceil(T / 4), E) of normalised clips.

        clip: float (B, T, 3, H, W); looks: (B, ceil(T / 4), F), of a picture encoder. The first
        frame counts as unchanged. Maps also have (h, w).
        """
        shown = changes(clip) if self.sees_changes else clip
        main = self.main(shown.flatten(0, 1)).unflatten(0, clip.shape[:2])
        if self.looks is not None:
            return main, self.looks(looks)
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

    def forward(self, clip: Tensor, looks: Tensor | None = None) -> Tensor:
        """Return outputs after every frame (B, T, outputs) for clip (B, T, 3, H, W)."""
        return self.decide(*self.encode(clip, looks))

    @property
    def sees_changes(self) -> bool:
        """Whether the main encoder gets changes between frames."""
        return self.config.input in ("diff", "both")

    @torch.no_grad()
    def trace(self, clip: Tensor) -> dict[str, Tensor]:
        """Return the core's gates and states after every frame, each (B, T, hidden[, h, w]).

        clip: (B, T, 3, H, W), normalised. Names as in `Cell.gates`, and "hidden" (and "cell"). The
        network must be in eval mode.
        """
        return trace(self.core, self.join(*self.encode(clip)))

    def step(
        self, frame: Tensor, state: StreamState | None = None, looks: Tensor | None = None
    ) -> tuple[Tensor, StreamState]:
        """Return outputs (B, outputs) after one more frame (B, 3, H, W), and the next state.

        looks: (B, F), of a picture encoder, needed every fourth frame from the first one on.
        """
        steps = 0 if state is None else state.steps
        previous = frame if state is None else state.previous
        before = torch.zeros_like(frame) if state is None else state.change
        change = (frame - previous) * DIFFERENCE_GAIN
        shown = torch.cat([change, before], dim=1) if self.sees_changes else frame
        features = self.main(shown)
        side = features[:, :0] if state is None else state.side
        if self.looks is not None or self.side is not None:
            if steps % SIDE_EVERY == 0:
                side = self.side(frame) if self.side is not None else self.looks(looks)  # type: ignore[misc]
            features = torch.cat([features, side], dim=1)
        core = self.core.initial_state(frame.shape[0]) if state is None else state.core
        y, core = self.core(self._ready(features), core)
        y = self.pooled(y)
        total = y if state is None else state.total + y
        outputs = self.head(total / (steps + 1))
        return outputs, StreamState(frame, change, side, core, total, steps + 1)
