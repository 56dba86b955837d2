"""Reads model files of scene detectors."""

from pathlib import Path
from typing import Any

from vidgru.core.values import are_whole, is_number
from vidgru.engine.model_file import SHIPPED, Loaded
from vidgru.nn.choices import CORE, MAP_SIZES
from vidgru.tasks.registry import load
from vidgru.tasks.scenes.network import HISTOGRAMS, SceneNetwork
from vidgru.tasks.scenes.spec import MIN_SCENE_FRAMES, SceneSpec

SHIPPED_SCENES = SHIPPED / "scenes.safetensors"

LoadedScenes = Loaded[SceneNetwork, SceneSpec]


def load_scenes(path: Path) -> LoadedScenes:
    """Read the model file or run folder of a scene detector; raises ModelError."""
    found: LoadedScenes = load(path, "scenes")
    return found


def read_spec(content: dict[str, Any]) -> SceneSpec | None:
    """Return the spec in an untrusted header of such a model, None where it is invalid."""
    spec = SceneSpec(**{"histogram": "hard", **content["spec"]})
    sound = (
        spec.core == CORE
        and are_whole(spec.hidden, spec.frames, spec.size)
        and 1 <= spec.hidden <= 1024
        and MIN_SCENE_FRAMES <= spec.frames <= 512
        and spec.size in MAP_SIZES
        and is_number(spec.threshold, 1e-6, 1 - 1e-6)
        and spec.histogram in HISTOGRAMS
    )
    return spec if sound else None
