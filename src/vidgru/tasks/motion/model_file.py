"""Reads model files of motion."""

from pathlib import Path
from typing import Any

from vidgru.core.values import are_whole, is_number
from vidgru.engine.model_file import SHIPPED, Loaded
from vidgru.nn.choices import MAP_CORE, MAP_SIZES
from vidgru.tasks.motion.network import MotionNetwork
from vidgru.tasks.motion.spec import MotionSpec
from vidgru.tasks.registry import load

SHIPPED_MOTION = SHIPPED / "motion.safetensors"

LoadedMotion = Loaded[MotionNetwork, MotionSpec]


def load_motion(path: Path) -> LoadedMotion:
    """Read the model file or run folder of a model of motion; raises ModelError."""
    found: LoadedMotion = load(path, "motion")
    return found


def read_spec(content: dict[str, Any]) -> MotionSpec | None:
    """Return the spec in an untrusted header of a motion model, None where it is invalid."""
    spec = MotionSpec(**content["spec"])
    sound = (
        spec.core == MAP_CORE
        and are_whole(spec.hidden, spec.frames, spec.size)
        and 1 <= spec.hidden <= 512
        and 2 <= spec.frames <= 512
        and spec.size in MAP_SIZES
        and is_number(spec.fps, 1e-12, 1000)
    )
    return spec if sound else None
