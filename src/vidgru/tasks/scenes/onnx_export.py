"""A scene detector as an ONNX graph of one step: frame and state in, chances and state out."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vidgru.engine.onnx_export import OnnxStep
from vidgru.engine.onnx_file import Arrays
from vidgru.engine.onnx_torch import step_of
from vidgru.tasks.scenes.model_file import LoadedScenes
from vidgru.tasks.scenes.network import BACK, LATE, FrameFeatures, SceneNetwork
from vidgru.tasks.scenes.reader import KIND
from vidgru.video.read import Image

FPS = 25.0  # frames/s of the pictures to compare; the network reads all frames of a source
NAMES = ("features", "embedded", "colours", "coarse", "structure", "fine")


class _Step(nn.Module):
    def __init__(self, network: SceneNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, frame: Tensor, steps: Tensor, hidden: Tensor, *kept: Tensor
    ) -> tuple[Tensor, ...]:
        """Return chances (1, 6) of the frame LATE frames ago, and the state.

        frame: uint8 (S, S, 3); steps: int64 (1,); kept: features of the last BACK + LATE + 1
        frames, the newest last.
        """
        new = self.network.extract_features(frame[None, None])
        first = (steps == 0).view(1, 1, 1)
        # Before the first frame, it counts as having been there.
        parts = [
            torch.where(first, one.expand_as(old), torch.cat([old[:, 1:], one], dim=1))
            for one, old in zip(new, kept, strict=True)
        ]
        tokens = self.network.tokens(FrameFeatures(*parts))[:, BACK]
        y, (after,) = self.network.core(tokens, (hidden,))
        after = torch.where((steps >= LATE).view(1, 1), after, hidden)
        outputs = self.network.predict_early(y, tokens)
        return _chances(outputs), steps + 1, after, *parts


def _chances(outputs: Tensor) -> Tensor:
    """Return the chances of a boundary, of being within a transition, and of its kinds (T, 6)."""
    return torch.cat([outputs[:, :KIND].sigmoid(), outputs[:, KIND:].softmax(-1)], dim=-1)


def onnx_step(loaded: LoadedScenes) -> OnnxStep:
    """Return the forward core of a scene detector, the one for streams, as a graph of one step."""
    spec, network = loaded.spec, loaded.network
    inputs = {"frame": torch.zeros(spec.size, spec.size, 3, dtype=torch.uint8)}
    with torch.inference_mode():
        known = network.extract_features(inputs["frame"][None, None])
    state = {
        "steps": torch.zeros(1, dtype=torch.int64),
        "hidden": torch.zeros(1, spec.hidden),
        **{
            name: torch.zeros(1, BACK + LATE + 1, part.shape[-1])
            for name, part in zip(NAMES, known, strict=True)
        },
    }

    def given(images: Sequence[Image]) -> Iterator[Arrays]:
        return ({"frame": image} for image in images)

    @torch.inference_mode()
    def reference(images: Sequence[Image]) -> NDArray[np.float32]:
        # The answer for a frame comes LATE frames after it.
        outputs = network(torch.from_numpy(np.stack(images))[None])[0][0, : len(images) - LATE]
        found: NDArray[np.float32] = _chances(outputs).numpy()
        return found

    make = step_of(_Step(network), inputs, state, ["chances"])
    header = {"spec": asdict(spec), "threshold": spec.threshold, "late": LATE}
    return OnnxStep(make, header, FPS, spec.size, given, "chances", reference, late=LATE)
