"""The forecasting network: encoders, two recurrences over maps, the next frame."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vidgru.nn.cells import ConvGRUCell, State
from vidgru.nn.convolution import Conv2d, ConvTranspose2d
from vidgru.nn.encoders import MAIN_WIDTHS, SIDE_WIDTHS, FrameEncoder
from vidgru.nn.inputs import MEAN, STD, changes
from vidgru.tasks.forecast.matching import MATCHES, displacements, matches
from vidgru.tasks.forecast.spec import FORECAST_CELL

WAYS = 2  # copies of the last frame, each moved in its own way; one more is not moved
# At first the copy that is not moved shows most, the painted frame least, and the moved copies are
# near: what a network gets wrong everywhere, it learns to leave out for good.
STILL_LOGIT, PAINT_LOGIT, NEAR = 1.0, -2.0, 0.1  # initial logits; deviation of fields, in cells
DETAIL = 8  # maps at full size that determine which copy shows where
MATCH_GAIN = 4.0  # a probability among dozens is small
KNOWN = 2  # frames before any in which motion shows
TRACE, AROUND = 0.5 / 255, 9  # half a grey level; pixels
PART = 16  # frames that are read together, but in training
FINE, COARSE = 3, 5  # layers of the encoders whose maps are read, at a quarter and an eighth


class ForecastState(NamedTuple):
    """All state of a forecasting network between two frames, observed or forecast."""

    frame: Tensor  # (B, C, S, S), the last one
    change: Tensor  # (B, 3, S, S), its difference from the one before
    fine: State
    coarse: State


class ForecastNetwork(nn.Module):
    """Frames in; after each, the next frame, blended from moved copies of the last one.

    Pixels are floats from 0 to 1, frames (B, C, S, S) with one or three channels. The next frame is
    a blend of the last one, of copies of it, each moved by its own field (Finn et al. 2016, section
    3), and of a newly painted one. Where each part of a frame came from is matched without weights
    (`matches`), which is quicker than to learn that, too. Before each update, states move along
    with what they are about, as in TrajGRU (Shi et al. 2017, section 3.3), which learns where to.
    `forward(clip, ahead)` gives the same numbers as repeated `observe(frame, state)` and then
    repeated `predict(state)` and `observe` of its result.
    """

    grid: Tensor

    def __init__(self, size: int, hidden: int, channels: int) -> None:
        super().__init__()
        self.size, self.hidden, self.channels = size, hidden, channels
        coarse = hidden * 3 // 2
        # The same as in a classifier, which can start from the weights learned here.
        self.main = FrameEncoder(6, MAIN_WIDTHS)
        self.side = FrameEncoder(3, SIDE_WIDTHS)
        context = [main + side for main, side in zip(MAIN_WIDTHS, SIDE_WIDTHS, strict=True)]
        self.fine = ConvGRUCell(context[1] + MATCHES, hidden, size // FORECAST_CELL)
        self.down = _convolve(hidden, coarse, 2)
        self.coarse = ConvGRUCell(
            coarse + context[2] + context[3], coarse, size // (2 * FORECAST_CELL)
        )
        self.up = ConvTranspose2d(coarse, hidden, 4, stride=2, padding=1)
        self.mix = _convolve(2 * hidden, hidden)
        self.move = Conv2d(hidden, 2 * WAYS, 3, padding=1)
        self.grow = ConvTranspose2d(hidden, hidden // 2, 4, stride=2, padding=1)
        self.show = Conv2d(hidden // 2, 4 * (DETAIL + channels), 3, padding=1)
        shares = Conv2d(16, WAYS + 2, 3, padding=1)
        with torch.no_grad():
            shares.bias[0] += STILL_LOGIT  # type: ignore[index]
            shares.bias[-1] += PAINT_LOGIT  # type: ignore[index]
        self.choose = nn.Sequential(
            Conv2d(DETAIL + (WAYS + 1) * channels, 16, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            shares,
        )
        # At first the copies are close to the original, but distinct.
        nn.init.zeros_(self.move.weight)
        nn.init.normal_(self.move.bias, std=NEAR)  # type: ignore[arg-type]
        # Not torch.linspace: for a model on the meta device, that imports a second's worth of code.
        middles = ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32)
        places = np.stack(np.meshgrid(middles, middles, indexing="xy"))  # x, then y: (2, S, S)
        self.register_buffer("grid", torch.from_numpy(places), persistent=False)

    def initial_state(self, frame: Tensor) -> ForecastState:
        """Return the state before the first frame (B, C, S, S), as if observed before."""
        batch = frame.shape[0]
        still = frame.new_zeros(batch, 3, *frame.shape[2:])
        return ForecastState(
            frame, still, self.fine.initial_state(batch), self.coarse.initial_state(batch)
        )

    def read(self, clip: Tensor, state: ForecastState | None = None) -> ForecastState:
        """Return the state after the frames of a clip (B, T, C, S, S)."""
        return _state([part[:, -1] for part in _tensors(self._read(clip, state))])

    def _read(self, clip: Tensor, state: ForecastState | None) -> ForecastState:
        """Return the states after each frame of a clip, all of them (B, T, ...)."""
        if state is None:
            state = self.initial_state(clip[:, 0])
        steps = clip.shape[1]
        shown = (clip.expand(-1, -1, 3, -1, -1) - MEAN) / STD
        before = (state.frame.expand(-1, 3, -1, -1) - MEAN) / STD
        moved = changes(torch.cat([before[:, None], shown], dim=1))[:, 1:]
        if steps:
            moved[:, 0, 3:] = state.change
        fine, coarse = self._look(moved.flatten(0, 1), shown.flatten(0, 1))
        previous = torch.cat([state.frame[:, None], clip[:, :-1]], dim=1)
        matched = matches(previous.flatten(0, 1), clip.flatten(0, 1))
        shifts = displacements(matched) * (2 / self.size)
        fine = torch.cat([fine, MATCH_GAIN * matched.to(fine.dtype)], dim=1)
        fines = self._recur(self.fine, fine, state.fine, shifts)
        coarse = torch.cat([self.down(fines.flatten(0, 1)), coarse], dim=1)
        coarses = self._recur(self.coarse, coarse, state.coarse, functional.avg_pool2d(shifts, 2))
        return ForecastState(clip, moved[:, :, :3], (fines,), (coarses,))

    def _recur(self, cell: ConvGRUCell, xs: Tensor, state: State, shifts: Tensor) -> Tensor:
        """Return the states of a cell (B, T, hidden, h, w), each moved before it is updated.

        xs: (B T, input, h, w). shifts: from frame to frame, to the right and down (B T, 2, h, w);
        the width of a picture is 2.
        """
        (h,) = state
        steps = xs.shape[0] // h.shape[0]
        places = functional.avg_pool2d(self.grid, self.size // cell.side)
        sources = (places - shifts).permute(0, 2, 3, 1)
        states = []
        for x, at in zip(
            torch.unflatten(cell.from_input(xs), 0, (-1, steps)).unbind(1),
            torch.unflatten(sources, 0, (-1, steps)).unbind(1),
            strict=True,
        ):
            h = functional.grid_sample(h.float(), at, padding_mode="border", align_corners=False)
            (h,) = cell.update(x, h.to(x.dtype))
            states.append(h)
        return torch.stack(states, dim=1)

    def _look(self, moved: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Return the input of the recurrences from frames (N, 6, S, S) and (N, 3, S, S)."""
        fines, coarses = [], []
        for encoder, frames in ((self.main, moved), (self.side, shown)):
            maps = frames.contiguous(memory_format=torch.channels_last)
            maps = encoder.layers[:FINE](maps)
            fines.append(maps)
            maps = encoder.layers[FINE:COARSE](maps)
            far = functional.interpolate(encoder.layers[COARSE:](maps), maps.shape[2:])
            coarses += [maps, far]
        return torch.cat(fines, dim=1), torch.cat(coarses, dim=1)

    def observe(self, frame: Tensor, state: ForecastState | None = None) -> ForecastState:
        """Return the state after one more frame (B, C, S, S), observed or forecast."""
        return self.read(frame[:, None], state)

    def predict(self, state: ForecastState) -> Tensor:
        """Return the next frame (B, C, S, S)."""
        return self._blend(state)[0]

    def _blend(self, state: ForecastState) -> tuple[Tensor, Tensor]:
        """Return the next frame, and the logits by which its parts are blended."""
        fine, coarse = state.fine[0], state.coarse[0]
        known = self.mix(torch.cat([fine, functional.leaky_relu(self.up(coarse), 0.1)], dim=1))
        detail = self.show(functional.leaky_relu(self.grow(known), 0.1))
        shown = functional.pixel_shuffle(detail, 2)
        detail, paint = shown[:, :DETAIL], shown[:, DETAIL:].float().sigmoid()
        # In cells; a picture, from -1 to 1, is size / FORECAST_CELL cells wide.
        ways = self.move(known).float() * (2 * FORECAST_CELL / self.size)
        ways = functional.interpolate(ways, scale_factor=FORECAST_CELL, mode="bilinear")
        batch = state.frame.shape[0]
        at = (ways.reshape(batch * WAYS, 2, *ways.shape[2:]) + self.grid).permute(0, 2, 3, 1)
        frame = state.frame.float()
        moved = functional.grid_sample(
            frame.repeat_interleave(WAYS, 0), at, padding_mode="border", align_corners=False
        )
        # Without a field, static parts stay sharp.
        copies = torch.cat([frame, moved.view(batch, -1, *frame.shape[2:])], dim=1)
        logits = self.choose(torch.cat([detail, copies.to(detail.dtype)], dim=1)).float()
        share = logits.softmax(1)[:, :, None]  # (B, WAYS + 2, 1, S, S)
        copies = copies.view(batch, WAYS + 1, *frame.shape[1:])
        blend: Tensor = (share[:, :-1] * copies).sum(1) + share[:, -1] * paint
        # In training, what is not shown would have no gradient.
        return (blend if self.training else without_traces(frame, blend)), logits

    def forward(self, clip: Tensor, ahead: int) -> Tensor:
        """Return the `ahead` frames (B, ahead, C, S, S) after a clip (B, T, C, S, S).

        Each is forecast from the previous forecasts.
        """
        state = None
        for start in range(0, clip.shape[1], PART):
            state = self.read(clip[:, start : start + PART], state)
        if state is None:
            raise ValueError("A clip without frames.")
        return self._continue(state, ahead)[0]

    def learn(
        self, clip: Tensor, ahead: int, truth: Tensor, shown: Tensor, *, context: bool = True
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the `ahead` frames after a clip, the clip's own from frame KNOWN on, and a size.

        Where `shown`, bool (B, ahead), is set, the next frame is forecast from the frame of `truth`
        (B, ahead, C, S, S) instead of the forecast one. The clip's own, (B, T - KNOWN, C, S, S),
        are each forecast from the frames before it; without `context`, there are none of these. The
        size is the mean square of the logits by which all these are blended.
        """
        states = self._read(clip, None)
        within, own = clip[:, KNOWN:] if context else clip[:, :0], []
        if within.shape[1]:
            before = [part[:, KNOWN - 1 : -1].flatten(0, 1) for part in _tensors(states)]
            frames, logits = self._blend(_state(before))
            within = frames.view(within.shape)
            own.append(logits.square().mean())
        last = _state([part[:, -1] for part in _tensors(states)])
        predicted, sizes = self._continue(last, ahead, truth, shown)
        return predicted, within, torch.stack(own + sizes).mean()

    def _continue(
        self,
        state: ForecastState,
        ahead: int,
        truth: Tensor | None = None,
        shown: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the `ahead` frames (B, ahead, C, S, S) after a state, and sizes; see `learn`."""
        predicted, sizes = list[Tensor](), list[Tensor]()
        # In training, too, norms use the statistics of context frames, as in prediction.
        self.main.eval()
        self.side.eval()
        for step in range(ahead):
            if step:
                frame = predicted[-1]
                if truth is not None and shown is not None:
                    real = shown[:, step - 1].view(-1, 1, 1, 1)
                    frame = torch.where(real, truth[:, step - 1], frame)
                state = self.observe(frame, state)
            frame, logits = self._blend(state)
            predicted.append(frame)
            sizes.append(logits.square().mean())
        self.main.train(self.training)
        self.side.train(self.training)
        return torch.stack(predicted, dim=1), sizes

    def step(
        self, frame: Tensor, state: ForecastState | None = None
    ) -> tuple[Tensor, ForecastState]:
        """Return the next frame, and the state, after one more frame (B, C, S, S)."""
        state = self.observe(frame, state)
        return self.predict(state), state


def without_traces(frame: Tensor, after: Tensor) -> Tensor:
    """Return the next frame without changes too small to be shown: there it equals `frame`.

    frame, after: pixels from 0 to 1, (B, C, S, S). A change d is multiplied by max(0, 1 - TRACE^2 /
    mean d^2), like James and Stein's estimator (1961, its positive part). The mean is over windows
    of AROUND pixels, in the channel that changes most.
    """
    change = after - frame
    around = functional.avg_pool2d(
        change.square(), AROUND, 1, AROUND // 2, count_include_pad=False
    ).amax(1, keepdim=True)
    return frame + change * (1 - TRACE**2 / around.clamp_min(TRACE**2))


def _tensors(state: ForecastState) -> tuple[Tensor, ...]:
    return state.frame, state.change, *state.fine, *state.coarse


def _state(tensors: Sequence[Tensor]) -> ForecastState:
    frame, change, fine, coarse = tensors
    return ForecastState(frame, change, (fine,), (coarse,))


def _convolve(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a 3x3 convolution with a norm that also works for a single frame."""
    return nn.Sequential(
        Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.GroupNorm(4, outputs),
        nn.LeakyReLU(0.1, inplace=True),
    )
