"""The network that tells scene boundaries: frames compared with those around, and a core."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidgru.nn.cells import make_cell
from vidgru.nn.encoders import FrameEncoder
from vidgru.nn.unroll import unroll

WIDTHS = (12, 24, 32, 48)
EMBEDDED = 48  # values of a frame that are compared
AROUND = 8  # steps before and after a frame that are looked at
ACROSS = (2, 3, 4, 6, 8, 12, 16)  # frames before and after a boundary here, compared
WITHIN = (2, 4, 8, 16)  # frames on one side of it, compared
HALFWAY = (1, 2, 4, 8, 16)  # frames before and after, of which a mixture is the mean
LIGHT = (4, 8, 16)  # frames before and after, whose light is compared
LAGS = tuple(sorted({1, *(2 * k - 1 for k in ACROSS), *WITHIN}))
LATE = 16  # frames after one that are needed to tell of it
BACK = WITHIN[-1] + 1  # frames before it
BINS = 8  # of each colour in a histogram
COARSE = 12  # cells a side of the pictures that are subtracted from each other
METRICS = 4
OUTPUTS = 6  # logits: boundary here, within a transition, and four kinds
TOKEN = 96
LOOK = 16
DROPOUT = 0.2
COMPARED = METRICS * (2 * AROUND + 1 + len(ACROSS) + 2 * len(WITHIN)) + len(HALFWAY) + 2 + 4 * len(LIGHT)


class Seen(NamedTuple):
    """What is kept of frames (B, T, ...), to be compared with later ones."""

    features: Tensor  # (B, T, 2 WIDTHS[-1])
    embedded: Tensor  # (B, T, EMBEDDED), of length one
    colours: Tensor  # (B, T, BINS ** 3), of length one
    coarse: Tensor  # (B, T, 3 COARSE ** 2)
    structure: Tensor  # (B, T, 3 COARSE ** 2), without mean, of length one

    def since(self, start: int) -> "Seen":
        """Return the frames from a number on."""
        return Seen(*(part[:, start:] for part in self))


def join(parts: Sequence[Seen]) -> Seen:
    return Seen(*(torch.cat(part, dim=1) for part in zip(*parts, strict=True)))


def moved(part: Tensor, shift: int) -> Tensor:
    """Return frames (B, T, ...) so many steps later, or earlier; the last and first are repeated."""
    steps = part.shape[1]
    shift = max(-steps, min(shift, steps))
    if shift == 0:
        return part
    if shift > 0:
        end = part[:, -1:].expand(-1, shift, *part.shape[2:])
        return torch.cat([part[:, shift:], end], dim=1)
    end = part[:, :1].expand(-1, -shift, *part.shape[2:])
    return torch.cat([end, part[:, : steps + shift]], dim=1)


class SceneNetwork(nn.Module):
    def __init__(self, size: int, hidden: int) -> None:
        super().__init__()
        self.size, self.hidden = size, hidden
        self.encoder = FrameEncoder(3, WIDTHS)
        self.embed = nn.Linear(self.encoder.features, EMBEDDED)
        self.norm = nn.LayerNorm(self.encoder.features)
        self.dropout = nn.Dropout(DROPOUT)
        self.shrink = nn.Linear(self.encoder.features, LOOK)
        self.enter = nn.Sequential(
            nn.Linear(COMPARED + LOOK, TOKEN), nn.ReLU(), nn.Linear(TOKEN, TOKEN), nn.ReLU()
        )
        self.core = make_cell("gru", TOKEN, hidden, "blend", 1)
        self.back = make_cell("gru", TOKEN, hidden, "blend", 1)
        self.early = nn.Linear(hidden + TOKEN, OUTPUTS)
        self.both = nn.Linear(2 * hidden + TOKEN, OUTPUTS)

    def encode(self, pixels: Tensor) -> Tensor:
        """pixels uint8 (B, T, S, S, 3)."""
        frames = pixels.flatten(0, 1).movedim(-1, 1).float().mul_(1 / 255).sub_(0.45).mul_(4)
        return self.encoder(frames).unflatten(0, pixels.shape[:2])

    def see(self, pixels: Tensor, features: Tensor | None = None) -> Seen:
        """pixels uint8 (B, T, S, S, 3)."""
        batch, steps = pixels.shape[:2]
        features = (self.encode(pixels) if features is None else features).flatten(0, 1)
        planes = pixels.flatten(0, 1).movedim(-1, 1)  # (N, 3, S, S)
        levels = planes.float().mul_(1 / 255)
        embedded = functional.normalize(self.embed(features), dim=-1)
        index = (planes.int() * BINS) >> 8
        index = ((index[:, 0] * BINS + index[:, 1]) * BINS + index[:, 2]).flatten(1).long()
        count = levels.new_zeros(len(levels), BINS**3)
        count.scatter_add_(1, index, levels.new_ones(1).expand(index.shape))
        colours = functional.normalize(count.sqrt(), dim=-1)
        coarse = functional.adaptive_avg_pool2d(levels, COARSE)
        flat = coarse - coarse.mean((-2, -1), keepdim=True)
        structure = functional.normalize(flat.flatten(1), dim=-1, eps=0.3)
        parts = (features, embedded, colours, coarse.flatten(1), structure)
        return Seen(*(part.unflatten(0, (batch, steps)) for part in parts))

    def compare(self, seen: Seen) -> Tensor:
        apart = {}
        for lag in LAGS:
            far = Seen(*(moved(part, -lag) for part in seen))
            cosines = [
                ((a * b).sum(-1)).clamp(max=1)
                for a, b in ((seen.embedded, far.embedded), (seen.colours, far.colours), (seen.structure, far.structure))
            ]
            coarse = (seen.coarse - far.coarse).abs().mean(-1)
            rows = [(1 + 100 * (1 - cosine)).log() for cosine in cosines]
            apart[lag] = torch.stack([*rows, (1 + 100 * coarse).log()], dim=-1) / 2
        columns = [moved(apart[1], shift) for shift in range(-AROUND, AROUND + 1)]
        columns += [moved(apart[2 * k - 1], k - 1) for k in ACROSS]
        columns += [moved(apart[k], -1) for k in WITHIN]
        columns += [moved(apart[k], k) for k in WITHIN]
        numbers_of = []
        for k in HALFWAY:
            before, after = moved(seen.coarse, -k), moved(seen.coarse, k)
            bent = (seen.coarse - (before + after) / 2).norm(dim=-1)
            numbers_of.append(2 * bent / ((after - before).norm(dim=-1) + 0.1))
        light = torch.stack([seen.coarse.mean(-1), 3 * seen.coarse.std(-1)], dim=-1)
        columns.append(light)
        for k in LIGHT:
            columns += [10 * (moved(light, -k) - light), 10 * (moved(light, k) - light)]
        return torch.cat([*columns, torch.stack(numbers_of, dim=-1)], dim=-1)

    def tokens(self, seen: Seen) -> Tensor:
        look = self.shrink(self.dropout(self.norm(seen.features)))
        return self.enter(torch.cat([self.compare(seen), look], dim=-1))

    def decide(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        ahead, _ = unroll(self.core, tokens)
        back, _ = unroll(self.back, tokens.flip(1))
        both = torch.cat([ahead, back.flip(1), tokens], dim=-1)
        return self.tell_early(ahead, tokens), self.both(both)

    def tell_early(self, ahead: Tensor, tokens: Tensor) -> Tensor:
        return self.early(torch.cat([ahead, tokens], dim=-1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        return self.decide(self.tokens(self.see(pixels)))
