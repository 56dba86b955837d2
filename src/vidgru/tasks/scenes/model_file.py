"""Reads files of models that find scenes."""

from pathlib import Path
from typing import Any

from vidgru.engine.model_file import SHIPPED, Loaded, are_whole, is_number
from vidgru.nn.choices import CORE, MAP_SIZES
from vidgru.tasks.registry import load
from vidgru.tasks.scenes.network import HISTOGRAMS, SceneNetwork
from vidgru.tasks.scenes.spec import MIN_SCENE_FRAMES, SceneSpec

SHIPPED_SCENES = SHIPPED / "scenes.safetensors"

LoadedScenes = Loaded[SceneNetwork, SceneSpec]


def load_scenes(path: Path) -> LoadedScenes:
    """Read the file or run folder of a model that finds scenes; raises ModelError."""
    found: LoadedScenes = load(path, "scenes")
    return found


def read_spec(content: dict[str, Any]) -> SceneSpec | None:
    """Return a stranger's description of such a model, None where it makes no sense."""
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
