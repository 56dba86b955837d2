"""Train one network on clips that are decoded and split already."""

from pathlib import Path
from typing import Any

from vidgru.config import CORE, MAP_CORE
from vidgru.data.cache import Sampling
from vidgru.data.gather import Gathered
from vidgru.engine.begin import Encoders
from vidgru.engine.device import prepare_training
from vidgru.engine.training import Judged, Steps, Training
from vidgru.nn.build import build
from vidgru.nn.network import HIDDEN, MAP_HIDDEN
from vidgru.spec import ModelSpec
from vidgru.tasks.classify import Classify
from vidgru.train_config import TrainConfig


def learn_steps(
    config: TrainConfig,
    data: Gathered,
    sampling: Sampling,
    run: Path,
    began: float,
    stage: str = "training",
    known: Judged | None = None,
    encoders: Encoders | None = None,
) -> Steps:
    """Train on clips that are decoded and split already, from the run's checkpoint on if any.

    `stage` names the work in its Progress. `known` says how good the model is where no clip is held
    out to tell. `encoders` are what a training without a checkpoint begins with; all else is
    random.
    """
    device = prepare_training(config.device, config.threads, config.seed)
    spec = ModelSpec(
        task=Classify.name,
        labels=data.labels,
        hidden=MAP_HIDDEN if config.core == MAP_CORE else HIDDEN,
        encoder=config.encoder,
        gated_update=config.gated_update,
        **chosen(config, sampling),
    )
    network = build(spec)
    if encoders is not None:
        encoders.enter(network)
    training = Training(config, data, network, spec, run, device, began, stage, known)
    return (yield from training.steps())


def chosen(config: TrainConfig, sampling: Sampling) -> dict[str, Any]:
    """Return the settings that a config may leave open."""
    seen = config.input or ("rgb" if sampling.window == 1 else "both")
    return {
        "core": config.core or CORE,
        "size": config.side,
        "input": seen,
        "fps": sampling.fps,
        "frames": sampling.window,
    }
