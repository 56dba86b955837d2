"""Small convolutional networks that turn one frame into one feature vector, or into maps."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from vidgru.nn.convolution import Conv2d


def convolve(inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return a 3x3 convolution with batch norm and ReLU."""
    return nn.Sequential(
        Conv2d(inputs, outputs, 3, stride=stride, padding=1, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class FrameEncoder(nn.Module):
    """Four 3x3 convolutions of stride 2, the last three each followed by a depthwise one.

    Maps pictures (N, channels, H, W) to features (N, 2 * widths[-1]): mean and maximum over space.
    Without `pooled` it returns the maps themselves, (N, widths[-1], map_side(H), map_side(W)).
    """

    def __init__(
        self, channels: int, widths: tuple[int, int, int, int], pooled: bool = True
    ) -> None:
        super().__init__()
        self.pooled = pooled
        layers = [convolve(channels, widths[0], stride=2)]
        for inputs, outputs in pairwise(widths):
            layers += [
                convolve(inputs, outputs, stride=2),
                convolve(outputs, outputs, 1, outputs),
            ]
        self.layers = nn.Sequential(*layers)
        self.features = 2 * widths[-1] if pooled else widths[-1]

    def forward(self, frames: Tensor) -> Tensor:
        """Return features (N, features), or maps (N, features, h, w)."""
        return self.finish(self.layers(frames.contiguous(memory_format=torch.channels_last)))

    def finish(self, maps: Tensor) -> Tensor:
        """Return what `forward` does, from the maps (N, C, h, w) of the last layer."""
        maps = maps.to(torch.promote_types(maps.dtype, torch.float32))
        return pool(maps) if self.pooled else maps


def pool(maps: Tensor) -> Tensor:
    """Return mean and maximum over space (..., 2 C) of maps (..., C, h, w)."""
    return torch.cat([maps.mean((-2, -1)), maps.amax((-2, -1))], dim=-1)


MAIN_WIDTHS = (16, 32, 64, 128)
SIDE_WIDTHS = (12, 24, 48, 96)
