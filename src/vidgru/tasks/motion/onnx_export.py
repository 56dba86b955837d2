"""A model of motion as an ONNX graph of one step: frame, flow and state in, fields out."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vidgru.engine.onnx_export import OnnxStep
from vidgru.engine.onnx_file import Arrays
from vidgru.engine.onnx_torch import step_of
from vidgru.nn.inputs import normalise
from vidgru.tasks.motion.flow import FlowMeter, cell_means
from vidgru.tasks.motion.model_file import LoadedMotion
from vidgru.tasks.motion.network import MotionNetwork, MotionState
from vidgru.tasks.motion.spec import FINE
from vidgru.video.read import Image


class _Step(nn.Module):
    def __init__(self, network: MotionNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, frame: Tensor, flow: Tensor, rate: Tensor, steps: Tensor, previous: Tensor, h: Tensor
    ) -> tuple[Tensor, ...]:
        """Return fields (1, OUTPUTS, grid, grid), and the state.

        frame: uint8 (S, S, 3); flow: (S / FINE, S / FINE, 2); rate: (1,); steps: int64 (1,).
        """
        pixels = normalise(frame)[None]
        # Before the first frame nothing is known, which counts as unchanged.
        before = torch.where((steps == 0).view(1, 1, 1, 1), pixels, previous)
        fields, state = self.network.step(pixels, flow[None], rate, MotionState(before, (h,)))
        return fields, steps + 1, state.frame, state.core[0]


def onnx_step(loaded: LoadedMotion) -> OnnxStep:
    """Return a model of motion as a graph of one step; OpenCV measures the flow, as `measure`."""
    spec, network = loaded.spec, loaded.network
    fine, rate = spec.size // FINE, torch.tensor([float(spec.fps)])
    inputs = {
        "frame": torch.zeros(spec.size, spec.size, 3, dtype=torch.uint8),
        "flow": torch.zeros(fine, fine, 2),
        "rate": rate,
    }
    state = {
        "steps": torch.zeros(1, dtype=torch.int64),
        "previous": torch.zeros(1, 3, spec.size, spec.size),
        "hidden": network.core.initial_state(1)[0],
    }

    def flows(images: Sequence[Image]) -> list[NDArray[np.float32]]:
        meter = FlowMeter(spec.fps)
        return [cell_means(meter.next(image)) for image in images]

    def given(images: Sequence[Image]) -> Iterator[Arrays]:
        for image, flow in zip(images, flows(images), strict=True):
            yield {"frame": image, "flow": flow, "rate": rate.numpy()}

    @torch.inference_mode()
    def reference(images: Sequence[Image]) -> NDArray[np.float32]:
        clip = normalise(torch.from_numpy(np.stack(images)))[None]
        flow = torch.from_numpy(np.stack(flows(images)))[None]
        fields: NDArray[np.float32] = network(clip, flow, rate)[0].numpy()
        return fields

    make = step_of(_Step(network), inputs, state, ["fields"])
    return OnnxStep(make, {"spec": asdict(spec)}, spec.fps, spec.size, given, "fields", reference)
