"""A forecasting model as an ONNX graph of one step: frame and state in, the next frame out."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vidgru.engine.onnx_export import OnnxStep
from vidgru.engine.onnx_file import Arrays, OnnxFile
from vidgru.engine.onnx_torch import step_of
from vidgru.tasks.forecast.model_file import LoadedForecast
from vidgru.tasks.forecast.network import ForecastNetwork, ForecastState
from vidgru.tasks.forecast.train_step import LUMA, as_clip
from vidgru.video.read import Image

CONTEXT, AHEAD = 17, 10  # frames of the further comparison


class _Step(nn.Module):
    def __init__(self, network: ForecastNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self,
        frame: Tensor,
        observed: Tensor,
        steps: Tensor,
        predicted: Tensor,
        previous: Tensor,
        change: Tensor,
        fine: Tensor,
        coarse: Tensor,
    ) -> tuple[Tensor, ...]:
        """Return the next frame (1, C, S, S) from 0 to 1, and the state.

        frame: uint8 (S, S, 3); observed: bool (1,), False where the frame forecast last is to be
        taken for it; steps: int64 (1,).
        """
        pixels = frame.permute(2, 0, 1)[None].float()
        if self.network.channels == 1:
            pixels = (pixels * torch.tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
        pixels = torch.where(observed.view(1, 1, 1, 1), pixels / 255, predicted)
        before = torch.where((steps == 0).view(1, 1, 1, 1), pixels, previous)
        known = ForecastState(before, change, (fine,), (coarse,))
        following, state = self.network.step(pixels, known)
        core = state.fine[0], state.coarse[0]
        # The copy, since one value cannot be two outputs.
        return following, steps + 1, following + 0, state.frame + 0, state.change, *core


def onnx_step(loaded: LoadedForecast) -> OnnxStep:
    """Return a forecasting model as a graph of one step."""
    spec, network = loaded.spec, loaded.network
    inputs = {
        "frame": torch.zeros(spec.size, spec.size, 3, dtype=torch.uint8),
        "observed": torch.ones(1, dtype=torch.bool),
    }
    nothing = torch.zeros(1, spec.channels, spec.size, spec.size)
    start = network.initial_state(nothing)
    state = {
        "steps": torch.zeros(1, dtype=torch.int64),
        "predicted": nothing,
        "previous": nothing.clone(),
        "change": start.change,
        "fine": start.fine[0],
        "coarse": start.coarse[0],
    }

    def given(images: Sequence[Image]) -> Iterator[Arrays]:
        return ({"frame": image, "observed": np.ones(1, bool)} for image in images)

    def clip(images: Sequence[Image]) -> Tensor:
        return as_clip(np.stack(images)[None], spec.channels)

    @torch.inference_mode()
    def reference(images: Sequence[Image]) -> NDArray[np.float32]:
        found, known = [], None
        for frame in clip(images).unbind(1):
            following, known = network.step(frame, known)
            found.append(following[0].numpy())
        return np.stack(found)

    @torch.inference_mode()
    def ahead(file: OnnxFile, images: Sequence[Image]) -> float:
        after, found = file.zeros(), []
        unknown = {"frame": np.zeros_like(images[0]), "observed": np.zeros(1, bool)}
        for one in [*given(images[:CONTEXT]), *[unknown] * (AHEAD - 1)]:
            results, after = file.step(one, after)
            found.append(results["following"])
        wanted = network(clip(images[:CONTEXT]), AHEAD)[0].numpy()
        return float(np.abs(np.concatenate(found[-AHEAD:]) - wanted).max())

    make = step_of(_Step(network), inputs, state, ["following"])
    return OnnxStep(
        make,
        {"spec": asdict(spec)},
        spec.fps,
        spec.size,
        given,
        "following",
        reference,
        others=((f"{AHEAD} frames ahead", ahead),),
    )
