"""Forecast frames at every frame of a stream, with states that never grow old."""

import torch
from torch import Tensor

from vidgru.tasks.forecast.network import ForecastNetwork, ForecastState


class RollingForecast:
    """Drives a forecasting network frame by frame, in constant memory.

    In training a state is `frames` old when it is told from; one that is carried on for ever grows
    into what was never learned. So two states go along, begun so many frames apart, and the older
    one tells: it has seen the last `frames` to 2 * `frames` frames, or all while there are fewer.
    """

    def __init__(self, network: ForecastNetwork, frames: int) -> None:
        self.network, self.frames = network, frames
        self._states: list[tuple[ForecastState, int]] = []  # older first, with their ages

    @torch.inference_mode()
    def push(self, frame: Tensor, ahead: int) -> tuple[Tensor, int]:
        """Take one more frame (B, C, S, S) and return those forecast (B, ahead, C, S, S).

        The second result is how many frames they are told from.
        """
        begun = [(self.network.observe(frame, state), age + 1) for state, age in self._states]
        if not self._states or self._states[-1][1] == self.frames:
            begun.append((self.network.observe(frame), 1))
        self._states = begun[-2:]
        state, age = self._states[0]
        predicted = [self.network.predict(state)]
        while len(predicted) < ahead:
            state = self.network.observe(predicted[-1], state)
            predicted.append(self.network.predict(state))
        return torch.stack(predicted, dim=1), age
