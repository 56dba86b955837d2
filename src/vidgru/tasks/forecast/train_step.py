"""The train step of forecasting, and its evaluation on whole clips."""

from collections.abc import Iterator, Sequence
from typing import Unpack

import numpy as np
import torch
from torch import Tensor

from vidgru.data.augment import Frames
from vidgru.engine.distributed import all_reduce, part, rank, world
from vidgru.engine.train_step import Settings, TrainStep
from vidgru.tasks.forecast.metrics import MetricAccumulator, loss
from vidgru.tasks.forecast.network import KNOWN, ForecastNetwork
from vidgru.tasks.forecast.scores import ForecastScores
from vidgru.tasks.forecast.spec import FORECAST_SIZE, ForecastSpec

# Share of the training in which true frames are fed in ever less often, and then never.
TEACHER_FORCING_SHARE = 0.6
WITHIN = 0.5  # weight in the loss of context frames, each forecast from the true ones before it
# Share of the training in which they are. To the end was worse on films of people; that was before
# EVEN kept such trainings from learning only to copy, and was not measured again.
WITHIN_SHARE = 0.4
# Weight in the loss of the squared logits by which copies of the last frame are blended. Where a
# frame is nearly the last one, they would grow until no gradient passes, and only copying is left.
EVEN = 1e-4
EVAL_BATCH = 32  # windows that are forecast together, of the default size
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in a shade of grey (Rec. 601)


class ForecastTrainStep(TrainStep):
    """Train a forecasting model on continuous pieces of videos; see `TrainStep`.

    Windows lie anywhere in the pieces, of which each comes once before any comes again; half of
    them are mirrored. Forecast frames are fed back, or at first sometimes the true ones
    (scheduled sampling, Bengio et al. 2015, linear). Context frames are forecast, too.
    """

    def __init__(
        self,
        network: ForecastNetwork,
        pieces: Sequence[Frames],
        spec: ForecastSpec,
        **settings: Unpack[Settings],
    ) -> None:
        super().__init__(network, len(pieces), **settings)
        self.network, self.pieces, self.spec = network, pieces, spec

    def step(self, done: float) -> float:
        """Train on one batch when the share `done` of the training is over; return the loss."""
        clip = self._draw()
        often = max(0.0, 1 - done / TEACHER_FORCING_SHARE)
        draws = torch.rand(self.batch_size, self.spec.ahead, generator=self.generator)
        own = part(self.batch_size)
        shown = (draws < often)[own].to(self.device)
        self._begin(done)
        context, true = clip[:, : self.spec.frames], clip[:, self.spec.frames :]
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            predicted, within, logits = self.network.learn(
                context, self.spec.ahead, true, shown, context=done < WITHIN_SHARE
            )
        total = loss(predicted.float(), true) + EVEN * logits
        if within.shape[1]:
            total = total + WITHIN * loss(within.float(), context[:, KNOWN:])
        return self._follow(len(clip) / self.batch_size * total)

    def _draw(self) -> Tensor:
        """Return this process's own part of a batch: frames (b, T, C, S, S) from 0 to 1."""
        pieces = [self.pieces[number] for number in self._choose()]
        places = torch.rand(len(pieces), generator=self.generator).tolist()
        mirrored = torch.rand(len(pieces), generator=self.generator) < 0.5
        own, steps = part(len(pieces)), self.spec.window
        frames = []
        for number in range(own.start, own.stop):
            piece = pieces[number]
            start = int(places[number] * (len(piece) - steps + 1))
            window = piece[start : start + steps]
            frames.append(window[:, :, ::-1] if mirrored[number] else window)
        return as_clip(np.stack(frames), self.spec.channels).to(self.device)

    def measure(self, pieces: Sequence[Frames], fps: float, most: int) -> ForecastScores | None:
        """Return the scores of the network on `most` windows of pieces at most, evenly spread.

        fps: of the pieces. Several processes divide the windows. None without any window.
        """
        self.network.eval()
        places = list(windows(pieces, self.spec))
        places = places[:: -(-len(places) // most) or 1]
        accumulator = MetricAccumulator(self.spec.ahead)
        add_windows(accumulator, self.network, pieces, places[rank() :: world()], self.spec)
        for sums in accumulator.sums.values():
            all_reduce(sums)
        return accumulator.scores(fps)


def as_clip(frames: Frames, channels: int) -> Tensor:
    """Return floats from 0 to 1 (B, T, C, H, W) of uint8 (B, T, H, W, 3)."""
    clip = torch.from_numpy(frames).movedim(-1, -3)
    if channels == 3:
        return clip.contiguous().float() / 255
    grey = torch.zeros(clip[:, :, :1].shape)
    for channel, share in enumerate(LUMA):
        grey += clip[:, :, channel : channel + 1].float() * share
    return grey / 255


def windows(pieces: Sequence[Frames], spec: ForecastSpec) -> Iterator[tuple[int, int]]:
    """Yield (piece, first frame) of consecutive windows in pieces."""
    for number, piece in enumerate(pieces):
        for start in range(0, len(piece) - spec.window + 1, spec.window):
            yield number, start


def eval_batch(spec: ForecastSpec) -> int:
    """Return how many windows are forecast together: fewer where pictures are large."""
    return max(1, EVAL_BATCH * FORECAST_SIZE**2 // spec.size**2)


@torch.inference_mode()
def add_windows(
    accumulator: MetricAccumulator,
    network: ForecastNetwork,
    pieces: Sequence[Frames],
    places: Sequence[tuple[int, int]],
    spec: ForecastSpec,
) -> None:
    """Forecast windows of pieces with a network in eval mode, and add its errors."""
    device = next(network.parameters()).device
    together = eval_batch(spec)
    for first in range(0, len(places), together):
        some = places[first : first + together]
        frames = np.stack([pieces[number][at : at + spec.window] for number, at in some])
        clip = as_clip(frames, spec.channels)
        context, true = clip[:, : spec.frames], clip[:, spec.frames :]
        accumulator.add(context, network(context.to(device), spec.ahead).cpu(), true)
