"""Train a model of motion on clips that are split already."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

from vidgru.config import MAP_CORE
from vidgru.data.cache import Sampling
from vidgru.data.flow import Flow, flow_steps
from vidgru.data.folder import Clip
from vidgru.data.gather import Gathered, gather
from vidgru.engine.begin import Beginning, begin_with
from vidgru.engine.checkpoint import SHIPPED_MOTION, load_motion
from vidgru.engine.device import prepare_training
from vidgru.engine.motion_training import MotionTraining, Steps
from vidgru.nn.build import build
from vidgru.nn.motion import MotionNetwork
from vidgru.results import Progress
from vidgru.spec import MOTION_HIDDEN, MOTION_SIZE, MotionSpec
from vidgru.train_config import TrainConfig


def motion_beginning(config: TrainConfig) -> Beginning:
    """Return the model that comes with vidgru, if there is one of the wanted size.

    Raises ModelError when it is damaged.
    """
    shipped = load_motion(SHIPPED_MOTION) if SHIPPED_MOTION.is_file() else None
    return begin_with(shipped, config.size, Beginning(MOTION_SIZE, MOTION_HIDDEN))


def motion_settings(begin: Beginning, sampling: Sampling) -> dict[str, Any]:
    """Return the settings that a config may leave open."""
    return {
        "core": MAP_CORE,
        "hidden": begin.hidden,
        "fps": sampling.fps,
        "frames": sampling.window,
        "size": begin.size,
    }


def gather_motion(
    clips: list[Clip], sampling: Sampling, config: TrainConfig, folder: Path
) -> Generator[Progress, None, tuple[Gathered, dict[Clip, Flow]]]:
    """Decode and split clips as `gather` does, and measure the motion in them."""
    data = yield from gather(clips, sampling, config, folder)
    return data, (yield from flow_steps(data, sampling))


def learn_motion_steps(
    config: TrainConfig,
    data: Gathered,
    flows: dict[Clip, Flow],
    sampling: Sampling,
    begin: Beginning,
    run: Path,
    began: float,
) -> Steps:
    """Train on clips whose motion is measured already, from the run's checkpoint on if any."""
    device = prepare_training(config.device, config.threads, config.seed)
    spec = MotionSpec(task=config.task, **motion_settings(begin, sampling))
    network: MotionNetwork = build(spec)
    begin.load_into(network)
    training = MotionTraining(config, data, flows, network, spec, run, device, began, begin.words)
    return (yield from training.steps())
