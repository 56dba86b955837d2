"""Motion models of random weights, and one that says what it is told."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from motion_fields import Thing, scene

from vidgru import MotionField
from vidgru.engine.inference import ReadingProgress
from vidgru.tasks.motion.model import MotionModel, Probe
from vidgru.tasks.motion.model_file import LoadedMotion
from vidgru.tasks.motion.network import MotionNetwork
from vidgru.tasks.motion.spec import MotionSpec

SPEC = MotionSpec("motion", "convgru", 8, 12.5, 8, 32)


def network() -> MotionNetwork:
    """Return a network of random weights that tells pictures apart."""
    torch.manual_seed(0)
    made = MotionNetwork(SPEC.size, SPEC.hidden)
    for _ in range(20):  # batch norms that know what pictures look like
        clip, flow = torch.randn(2, 6, 3, SPEC.size, SPEC.size), torch.randn(2, 6, 8, 8, 2)
        made.train()(clip, flow, torch.tensor([12.5, 10.0]))
    for part in made.head.parameters():
        part.data *= 4
    torch.nn.init.normal_(made.tell.weight, std=0.3)  # a new network tells nothing of its own
    return made.eval()


def loaded() -> LoadedMotion:
    return LoadedMotion(Path("motion.safetensors"), network(), SPEC, {})


class Known(MotionModel):
    """Says what it is told of a video of 1280x720 at 12.5 frames/s."""

    def __init__(self, fields: list[MotionField], frames: int) -> None:
        super().__init__(loaded(), torch.device("cpu"))
        self.spec = replace(SPEC, size=128)
        self.known, self.count = fields, frames

    def probe(self, source: str | Path) -> Probe:
        super().probe(source)
        return Probe(1280, 720, 12.5)

    def _read(self, source: Any, probe: Any, reading: ReadingProgress, tell: Any = None) -> Any:
        reading.frames += self.count
        yield self.known[:7]
        yield self.known[7:]


def driving(seconds: float, *object_motion: Thing, **camera: Any) -> list[MotionField]:
    count = round(12.5 * seconds)
    return [scene(object_motion, time=n / 12.5, **camera) for n in range(1, count)]
