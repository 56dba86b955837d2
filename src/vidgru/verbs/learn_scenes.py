"""Train a model that finds scenes on clips that are split already."""

from pathlib import Path
from typing import Any

from vidgru.config import CORE
from vidgru.data.cache import Sampling
from vidgru.data.gather import Gathered
from vidgru.engine.begin import Beginning, begin_with
from vidgru.engine.checkpoint import SHIPPED_SCENES, load_scenes
from vidgru.engine.device import prepare_training
from vidgru.engine.scene_training import SceneTraining, Steps
from vidgru.nn.build import build
from vidgru.spec import SCENE_HIDDEN, SCENE_SIZE, SceneSpec
from vidgru.train_config import TrainConfig

UNDECIDED = 0.5  # threshold before one was chosen


def scenes_beginning(config: TrainConfig) -> Beginning:
    """Return the model that comes with vidgru, if there is one of the wanted size.

    Raises ModelError when it is damaged.
    """
    shipped = load_scenes(SHIPPED_SCENES) if SHIPPED_SCENES.is_file() else None
    return begin_with(shipped, config.size, Beginning(SCENE_SIZE, SCENE_HIDDEN))


def scenes_settings(begin: Beginning, sampling: Sampling) -> dict[str, Any]:
    """Return the settings that a config may leave open."""
    sizes = {"hidden": begin.hidden, "frames": sampling.window, "size": begin.size}
    return {"core": CORE, **sizes, "histogram": SceneSpec.histogram}


def learn_scenes_steps(
    config: TrainConfig,
    data: Gathered,
    sampling: Sampling,
    begin: Beginning,
    run: Path,
    began: float,
) -> Steps:
    """Train on decoded clips, from the run's checkpoint on if any."""
    device = prepare_training(config.device, config.threads, config.seed)
    settings = scenes_settings(begin, sampling)
    spec = SceneSpec(task=config.task, threshold=UNDECIDED, **settings)
    network = build(spec)
    begin.load_into(network)
    training = SceneTraining(config, data, network, spec, run, device, began, begin.words)
    return (yield from training.steps())
