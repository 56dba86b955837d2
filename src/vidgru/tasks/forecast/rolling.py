"""Forecast at every frame of a stream, with states of bounded age."""

import torch
from torch import Tensor

from vidgru.tasks.forecast.network import ForecastNetwork, ForecastState


class RollingForecast:
    """Drives a forecasting network frame by frame, in constant memory.

    In training a state has read `frames` frames when it forecasts; one that is carried on for ever
    drifts to values that never occurred there. So two states run in parallel, started `frames`
    apart, and the older one forecasts: it has read the last `frames` to 2 * `frames` frames, or all
    while there are fewer.
    """

    def __init__(self, network: ForecastNetwork, frames: int) -> None:
        self.network, self.frames = network, frames
        self._states: list[tuple[ForecastState, int]] = []  # older first, with their ages

    @torch.inference_mode()
    def push(self, frame: Tensor, ahead: int) -> tuple[Tensor, int]:
        """Take one more frame (B, C, S, S) and return the forecast (B, ahead, C, S, S).

        The second result is the number of frames in its context.
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
