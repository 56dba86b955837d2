"""X3D-XS and MoViNet-A0, written from their papers, for peers.py; random initial weights.

X3D: Feichtenhofer 2020, table 3 with the expansion of XS. MoViNet: Kondratyuk et al. 2021, table of
A0, the base network without stream buffers. Input (B, 3, T, H, W), output (B, classes).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Triple = tuple[int, int, int]


def convolution(
    inputs: int, outputs: int, kernel: Triple, stride: Triple = (1, 1, 1), groups: int = 1
) -> nn.Sequential:
    """Return a convolution that keeps the size where the stride is 1, and its batch norm."""
    padding = kernel[0] // 2, kernel[1] // 2, kernel[2] // 2
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False),
        nn.BatchNorm3d(outputs),
    )


class SqueezeExcite(nn.Module):
    """Scale channels by what all places say together (Hu et al. 2018)."""

    def __init__(self, channels: int, inner: int, act: type[nn.Module]) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool3d(1),
            nn.Conv3d(channels, inner, 1),
            act(),
            nn.Conv3d(inner, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the same shape."""
        gates: Tensor = self.gate(x)
        return x * gates


class Bottleneck(nn.Module):
    """Widen, convolve each channel, narrow; with a residual path."""

    def __init__(
        self,
        inputs: int,
        inner: int,
        outputs: int,
        kernel: Triple,
        stride: Triple,
        squeeze: int | None,
        last_act: bool,
    ) -> None:
        super().__init__()
        act = nn.ReLU if last_act else nn.SiLU
        parts: list[nn.Module] = [convolution(inputs, inner, (1, 1, 1)), act()]
        parts.append(convolution(inner, inner, kernel, stride, groups=inner))
        gate = [] if squeeze is None else [SqueezeExcite(inner, squeeze, act)]
        parts += [*gate, nn.SiLU()] if last_act else [nn.SiLU(), *gate]
        parts.append(convolution(inner, outputs, (1, 1, 1)))
        self.main = nn.Sequential(*parts)
        self.short: nn.Module = nn.Identity()
        if inputs != outputs or stride != (1, 1, 1):
            self.short = convolution(inputs, outputs, (1, 1, 1), stride)
        self.act = nn.ReLU() if last_act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, outputs, T, H', W') of (B, inputs, T, H, W)."""
        y: Tensor = self.act(self.main(x) + self.short(x))
        return y


def rounded(channels: float, divisor: int = 8) -> int:
    """Return the nearest multiple of the divisor that is not below nine tenths of a width."""
    near = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return near + divisor if near < 0.9 * channels else near


def x3d_xs(classes: int) -> nn.Module:
    """Return X3D-XS; 3.8 million parameters with 400 classes."""
    layers: list[nn.Module] = [
        nn.Conv3d(3, 24, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False),
        convolution(24, 24, (5, 1, 1), groups=24),
        nn.ReLU(),
    ]
    width = 24
    for depth, outputs in ((3, 24), (5, 48), (11, 96), (7, 192)):
        inner = int(2.25 * outputs)
        for block in range(depth):
            stride = (1, 2, 2) if block == 0 else (1, 1, 1)
            squeeze = rounded(inner / 16) if block % 2 == 0 else None
            layers.append(
                Bottleneck(width, inner, outputs, (3, 3, 3), stride, squeeze, last_act=True)
            )
            width = outputs
    return nn.Sequential(
        *layers,
        convolution(192, 432, (1, 1, 1)),
        nn.ReLU(),
        nn.AdaptiveAvgPool3d(1),
        nn.Conv3d(432, 2048, 1, bias=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(2048, classes),
    )


Block = tuple[int, Sequence[int], Sequence[Triple], bool]
SMALL, WIDE, LONG = (1, 5, 5), (3, 3, 3), (5, 3, 3)
# Width, inner widths, kernels, and whether the first block halves the picture.
A0: tuple[Block, ...] = (
    (8, (24,), (SMALL,), True),
    (32, (80, 80, 80), (WIDE, WIDE, WIDE), True),
    (56, (184, 112, 184), (LONG, WIDE, WIDE), True),
    (56, (184, 184, 184, 184), (LONG, WIDE, WIDE, WIDE), False),
    (104, (384, 280, 280, 344), (LONG, SMALL, SMALL, SMALL), True),
)


def movinet_a0(classes: int) -> nn.Module:
    """Return MoViNet-A0 base; 3.1 million parameters with 600 classes."""
    layers: list[nn.Module] = [convolution(3, 8, (1, 3, 3), (1, 2, 2)), nn.SiLU()]
    width = 8
    for outputs, inners, kernels, halves in A0:
        for block, (inner, kernel) in enumerate(zip(inners, kernels, strict=True)):
            stride = (1, 2, 2) if halves and block == 0 else (1, 1, 1)
            squeeze = rounded(inner / 4)
            layers.append(
                Bottleneck(width, inner, outputs, kernel, stride, squeeze, last_act=False)
            )
            width = outputs
    return nn.Sequential(
        *layers,
        convolution(width, 480, (1, 1, 1)),
        nn.SiLU(),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(480, 2048),
        nn.SiLU(),
        nn.Dropout(0.2),
        nn.Linear(2048, classes),
    )


def parameters(network: nn.Module) -> int:
    """Return how many weights a network has."""
    return sum(weights.numel() for weights in network.parameters())


if __name__ == "__main__":
    for made in (x3d_xs(400), movinet_a0(600)):
        with torch.no_grad():
            shape = made.eval()(torch.zeros(1, 3, 4, 64, 64)).shape
        print(parameters(made), tuple(shape))
