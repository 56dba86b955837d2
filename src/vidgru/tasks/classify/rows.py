"""The article's image classifier: every picture by itself, a row of pixels at a time."""

import torch
from torch import Tensor, nn

from vidgru.nn.cells import make_cell
from vidgru.nn.inputs import MEAN, STD
from vidgru.nn.unroll import trace, unroll
from vidgru.tasks.classify.network import NetworkConfig

DENSE = (1024, 512)
DROPOUT = 0.5


class RowsNetwork(nn.Module):
    """Pictures in, logits for each: the core reads the rows, dense layers its last output.

    Frames of a clip are independent. The interface is that of `network.Network`.
    """

    side = looks = None
    sees_changes = False

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.core = make_cell(config.core, 3 * config.size, config.hidden, config.gated_update)
        layers: list[nn.Module] = []
        width = config.hidden
        for wider in DENSE:
            layers += [nn.Linear(width, wider), nn.ReLU(inplace=True), nn.Dropout(DROPOUT)]
            width = wider
        self.head = nn.Sequential(*layers, nn.Linear(width, config.outputs))

    def main(self, frames: Tensor) -> Tensor:
        """Return the rows (N, H, 3 W) of normalised pictures (N, 3, H, W), from 0 to 1 again.

        Each pixel's three colours are adjacent. Rows of zeros, as black ones now are, leave
        the core's state at rest, where those of -1.8 drove it into saturation.
        """
        return frames.permute(0, 2, 3, 1).flatten(2) * STD + MEAN

    def encode(self, clip: Tensor, looks: Tensor | None = None) -> tuple[Tensor, None]:
        """Return the rows (B, T, H, 3 W) of normalised clips (B, T, 3, H, W)."""
        return self.main(clip.flatten(0, 1)).view(*clip.shape[:2], clip.shape[3], -1), None

    def decide(self, main: Tensor, side: Tensor | None = None) -> Tensor:
        """Return outputs for every frame (B, T, outputs) from the rows of `encode`."""
        ys, _ = unroll(self.core, main.flatten(0, 1))  # (B T, H, hidden)
        outputs: Tensor = self.head(ys[:, -1])
        return outputs.view(*main.shape[:2], -1)

    def forward(self, clip: Tensor) -> Tensor:
        """Return outputs for every frame (B, T, outputs) for clip (B, T, 3, H, W)."""
        return self.decide(*self.encode(clip))

    def step(
        self, frame: Tensor, state: None = None, looks: Tensor | None = None
    ) -> tuple[Tensor, None]:
        """Return outputs (B, outputs) for a frame (B, 3, H, W); there is no state."""
        return self.decide(self.main(frame).unsqueeze(1)).squeeze(1), None

    @torch.no_grad()
    def trace(self, clip: Tensor) -> dict[str, Tensor]:
        """Return gates and states over rows, each (B T, H, hidden), for clip (B, T, 3, H, W)."""
        return trace(self.core, self.encode(clip)[0].flatten(0, 1))
