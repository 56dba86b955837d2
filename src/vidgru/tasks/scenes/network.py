"""The scene network: frames compared with their neighbours, and a core."""

import itertools
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidgru.nn.cells import make_cell
from vidgru.nn.encoders import FrameEncoder
from vidgru.nn.inputs import normalise
from vidgru.nn.unroll import unroll
from vidgru.tasks.scenes.evidence import evidence
from vidgru.tasks.scenes.results import KINDS

WIDTHS = (12, 24, 32, 48)  # of the encoder
EMBEDDED = 48  # values of a frame's features that are compared
BINS = 8  # of each colour in a histogram
HISTOGRAMS = ("soft", "hard")
COARSE = 12  # cells a side of the pictures whose pixels are compared
FINE = 24  # cells a side of those in grey, where a slow pan is no mixture
# Frames are compared with the one before, for each of so many frames on either side ...
AROUND = 8
# ... as many before a boundary as after it, if it were here (the last of the old scene
# and the first of the new one are two such); within either side; and with the mean of both sides,
# which a frame of a dissolve equals. Last, the brightness and contrast of frames: fades.
ACROSS = (2, 3, 4, 6, 8, 12, 16)
WITHIN = (2, 4, 8, 16)
HALFWAY = (1, 2, 4, 8, 16)
LIGHT = (4, 8, 16)
LAGS = sorted({1, *(2 * k - 1 for k in ACROSS), *WITHIN})
BACK, LATE = WITHIN[-1] + 1, WITHIN[-1]  # frames before and after one that it is compared with
METRICS = 4  # ways to compare two frames
COMPARED = (
    METRICS * (2 * AROUND + 1 + len(ACROSS) + 2 * len(WITHIN))
    + 2 * len(HALFWAY)
    + 2 * (1 + 2 * len(LIGHT))
)
LOOK = 16  # values for the appearance of the frame itself
TOKEN = 96  # values of a frame that the core reads
OUTPUTS = 2 + len(KINDS)  # logits: a boundary is here, within a transition, and its kinds
DROPOUT = 0.2
GAIN = 100.0  # of distances from 0 to 1, before their logarithm


class FrameFeatures(NamedTuple):
    """Features of frames, for comparing them with others."""

    features: Tensor  # (B, T, 2 * WIDTHS[-1])
    embedded: Tensor  # (B, T, EMBEDDED), of length one
    colours: Tensor  # (B, T, BINS ** 3), root of the histogram, of length one
    coarse: Tensor  # (B, T, 3 * COARSE ** 2), from 0 to 1
    structure: Tensor  # (B, T, 3 * COARSE ** 2), without the mean, of length one
    fine: Tensor  # (B, T, FINE ** 2), from 0 to 1

    def since(self, start: int) -> "FrameFeatures":
        """Return the frames from an index on."""
        return FrameFeatures(*(part[:, start:] for part in self))


def join(parts: Sequence[FrameFeatures]) -> FrameFeatures:
    """Return the frames of all parts, in order."""
    return FrameFeatures(*(torch.cat(part, dim=1) for part in zip(*parts, strict=True)))


def moved(part: Tensor, shift: int) -> Tensor:
    """Return (B, T, ...) where each frame has the value of `shift` frames later, or earlier.

    Beyond the ends, the last or first frame is repeated.
    """
    steps = part.shape[1]
    shift = max(-steps, min(shift, steps))
    end = part[:, -1:] if shift > 0 else part[:, :1]
    end = end.expand(-1, abs(shift), *part.shape[2:])
    if shift > 0:
        return torch.cat([part[:, shift:], end], dim=1)
    return torch.cat([end, part[:, : steps + shift]], dim=1) if shift else part


def hard_histogram(planes: Tensor) -> Tensor:
    """Return how many pixels of uint8 (N, 3, P) are of each colour (N, BINS ** 3)."""
    bins = (planes.long() * BINS) >> 8
    bins = (bins[:, 0] * BINS + bins[:, 1]) * BINS + bins[:, 2]
    counts = torch.zeros(len(bins), BINS**3, device=bins.device)
    return counts.scatter_add_(1, bins, counts.new_ones(1).expand(bins.shape))


def soft_histogram(planes: Tensor) -> Tensor:
    """Return how many pixels of uint8 (N, 3, P) are of each colour (N, BINS ** 3).

    BINS levels of each channel, from 0 to 255, are counted; a value between two counts for both,
    by its distance. So no slow fade jumps from bin to bin, and dark pictures differ, too.
    """
    place = planes.float() * ((BINS - 1) / 255)
    low = place.long().clamp_(max=BINS - 2)
    above = place - low
    shares = torch.stack([1 - above, above])  # (2, N, 3, P)
    first = (low[:, 0] * BINS + low[:, 1]) * BINS + low[:, 2]
    counts = torch.zeros(len(planes), BINS**3, device=planes.device)
    for r, g, b in itertools.product((0, 1), repeat=3):
        weight = shares[r, :, 0] * shares[g, :, 1] * shares[b, :, 2]
        counts.scatter_add_(1, first + ((r * BINS + g) * BINS + b), weight)
    return counts


class SceneNetwork(nn.Module):
    """Frames in; for each, the chance that a scene begins with it, computed twice.

    The core's input for a frame, its token, compares it with frames up to BACK before and LATE
    after it. One core runs forward from the first frame, and its outputs are LATE frames late: that
    is all a stream needs. Another one runs backward from the last frame; files use both. Pixels are
    uint8 (B, T, S, S, 3).
    """

    renamed: ClassVar = {"enter": "to_token"}

    def __init__(self, size: int, hidden: int, histogram: str = "soft") -> None:
        super().__init__()
        self.size, self.hidden, self.histogram = size, hidden, histogram
        self.encoder = FrameEncoder(3, WIDTHS)
        self.embed = nn.Linear(self.encoder.features, EMBEDDED)
        self.norm = nn.LayerNorm(self.encoder.features)
        self.dropout = nn.Dropout(DROPOUT)
        self.shrink = nn.Linear(self.encoder.features, LOOK)
        self.to_token = nn.Sequential(
            nn.Linear(COMPARED + LOOK, TOKEN),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(TOKEN, TOKEN),
            nn.ReLU(),
        )
        self.core = make_cell("gru", TOKEN, hidden, "blend")
        self.back = make_cell("gru", TOKEN, hidden, "blend")
        self.early = nn.Linear(hidden + TOKEN, OUTPUTS)
        self.late = nn.Linear(hidden + TOKEN, OUTPUTS)

    def encode(self, pixels: Tensor) -> Tensor:
        """Return features (B, T, 2 * WIDTHS[-1]), the only part that low precision does not harm.

        Everything after it depends on small differences.
        """
        features: Tensor = self.encoder(normalise(pixels.flatten(0, 1)))
        return features.view(*pixels.shape[:2], -1)

    def extract_features(self, pixels: Tensor, features: Tensor | None = None) -> FrameFeatures:
        """Return the features of frames for comparison; the encoder's may be known."""
        shape = pixels.shape[:2]
        features = (self.encode(pixels) if features is None else features).flatten(0, 1)
        embedded = functional.normalize(self.embed(features), dim=-1)
        planes = pixels.flatten(0, 1).movedim(-1, 1)  # (N, 3, S, S)
        count = soft_histogram if self.histogram == "soft" else hard_histogram
        colours = functional.normalize(count(planes.flatten(2)).sqrt(), dim=-1)
        levels = planes.float().mul_(1 / 255)
        fine = functional.adaptive_avg_pool2d(levels.mean(1), FINE).flatten(1)
        coarse = functional.adaptive_avg_pool2d(levels, COARSE)
        flat = (coarse - coarse.mean((-2, -1), keepdim=True)).flatten(1)
        structure = functional.normalize(flat, dim=-1, eps=0.3)  # of plain pictures, none
        parts = (features, embedded, colours, coarse.flatten(1), structure, fine)
        return FrameFeatures(*(part.view(*shape, -1) for part in parts))

    def compare(self, frames: FrameFeatures) -> Tensor:
        """Return the differences of each frame from those around it (B, T, COMPARED)."""
        apart = {lag: _apart(frames, lag) for lag in LAGS}  # (B, T, METRICS) each
        columns = [moved(apart[1], shift) for shift in range(-AROUND, AROUND + 1)]
        columns += [moved(apart[2 * k - 1], k - 1) for k in ACROSS]
        columns += [moved(apart[k], -1) for k in WITHIN]
        columns += [moved(apart[k], k) for k in WITHIN]
        light = torch.stack([frames.fine.mean(-1), 3 * frames.fine.std(-1)], dim=-1)
        columns.append(light)
        for k in LIGHT:
            columns += [10 * (moved(light, -k) - light), 10 * (moved(light, k) - light)]
        columns += [_bent(part, k) for part in (frames.coarse, frames.fine) for k in HALFWAY]
        return torch.cat(columns, dim=-1)

    def tokens(self, frames: FrameFeatures) -> Tensor:
        """Return the cores' input (B, T, TOKEN)."""
        look = self.shrink(self.dropout(self.norm(frames.features)))
        return self.to_token(torch.cat([self.compare(frames), look], dim=-1))  # type: ignore[no-any-return]

    def predict_early(self, ahead: Tensor, tokens: Tensor) -> Tensor:
        """Return outputs (B, T, OUTPUTS) from the forward core (B, T, hidden), and tokens."""
        return self.early(torch.cat([ahead, tokens], dim=-1))  # type: ignore[no-any-return]

    def decide(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs (B, T, OUTPUTS) of the forward core, and of the backward core.

        The bidirectional output is their mean: two with different inputs err less.
        """
        ahead, _ = unroll(self.core, tokens)
        back, _ = unroll(self.back, tokens.flip(1))
        return self.predict_early(ahead, tokens), self.late(
            torch.cat([back.flip(1), tokens], dim=-1)
        )

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return outputs (B, T, OUTPUTS) of the forward core, and bidirectional ones."""
        frames = self.extract_features(pixels)
        early, late = self.decide(self.tokens(frames))
        shown = evidence(frames.coarse)
        return add_evidence(early, shown), add_evidence((early + late) / 2, shown)


def add_evidence(outputs: Tensor, shown: Tensor) -> Tensor:
    """Return outputs (B, T, OUTPUTS) with what `evidence` (B, T, 2) adds to them."""
    return outputs + functional.pad(shown, (0, OUTPUTS - shown.shape[-1]))


def _apart(frames: FrameFeatures, lag: int) -> Tensor:
    """Return the distances of frames from those `lag` before (B, T, METRICS), as logarithms."""
    far = FrameFeatures(*(moved(part, -lag) for part in frames))
    alike = [
        (one * other).sum(-1)
        for one, other in (
            (frames.embedded, far.embedded),
            (frames.colours, far.colours),
            (frames.structure, far.structure),
        )
    ]
    distances = [*(1 - cosine.clamp(max=1) for cosine in alike)]
    distances.append((frames.coarse - far.coarse).abs().mean(-1))
    return torch.stack(distances, dim=-1).mul(GAIN).log1p() / 2


def _bent(part: Tensor, span: int) -> Tensor:
    """Return the distance of frames from the mean of those `span` before and after (B, T, 1).

    In shares of half the distance between those two.
    """
    before, after = moved(part, -span), moved(part, span)
    bent = torch.linalg.vector_norm(2 * part - before - after, dim=-1, keepdim=True)
    wide: Tensor = torch.linalg.vector_norm(after - before, dim=-1, keepdim=True)
    return bent / (wide + 0.1)  # type: ignore[no-any-return]
