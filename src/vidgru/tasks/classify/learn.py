"""Train one network on clips that are decoded and split already."""

from statistics import median
from typing import Any

from vidgru.data.cache import Sampling
from vidgru.data.dataset import Dataset
from vidgru.engine.device import prepare_training
from vidgru.engine.initial_weights import InitialWeights
from vidgru.engine.trainer import TrainRun
from vidgru.nn.choices import AUTO, CORE, LOOKS, MAP_CORE
from vidgru.tasks.classify.build import build
from vidgru.tasks.classify.looks import looks_settings
from vidgru.tasks.classify.network import HIDDEN, MAP_HIDDEN
from vidgru.tasks.classify.options import ABOUT, ClassifyTrainConfig
from vidgru.tasks.classify.segments import DEFAULT_WINDOWS
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.tasks.classify.training import ClassifyTrainer, Steps, Validated

Run = TrainRun[ClassifyTrainConfig, InitialWeights]


def learn_steps(run: Run, data: Dataset, known: Validated | None = None) -> Steps:
    """Train on clips that are decoded and split already, from the run's checkpoint if any.

    `known` holds the scores of the model where no clip is held out.
    """
    return (yield from trainer_of(run, data, known).steps())


def trainer_of(run: Run, data: Dataset, known: Validated | None = None) -> ClassifyTrainer:
    """Return a training of a new network, which is seeded now."""
    device = prepare_training(run.config.device, run.config.threads, run.config.seed)
    spec = spec_of(run, data)
    network = build(spec)
    run.start.load_into(network)
    return ClassifyTrainer(run, data, network, spec, device, known)


def spec_of(run: Run, data: Dataset) -> ModelSpec:
    """Return the spec of the network that is to be trained."""
    config = run.config
    return ModelSpec(
        task=ABOUT.name,
        labels=data.labels,
        hidden=MAP_HIDDEN if config.core == MAP_CORE else HIDDEN,
        encoder=config.encoder,
        gated_update=config.gated_update,
        bout=bout_of(data, run.sampling),
        **looks_settings(data),
        **settings_of(config, run.sampling),
    )


def bout_of(data: Dataset, sampling: Sampling) -> float | None:
    """Return how many seconds a label lasts: the median of segments that annotations cut out.

    Without any, it is that of whole clips, which may have been cut longer than what they show
    lasts, and so it is at most what is usual. None where each frame is read by itself.
    """
    clips = data.parts["train"]
    if lengths := [clip.end - (clip.start or 0.0) for clip in clips if clip.end is not None]:
        return median(lengths)
    if sampling.window == 1:
        return None
    usual = DEFAULT_WINDOWS * sampling.window / sampling.fps
    typical = median(data.info[clip].seconds for clip in clips)
    return min(max(typical, 1 / sampling.fps), usual)


def settings_of(config: ClassifyTrainConfig, sampling: Sampling) -> dict[str, Any]:
    """Return the settings that a config may leave open."""
    still = "rgb" if config.looks is None else LOOKS
    chosen = None if config.input == AUTO else config.input  # by the clips, once they are read
    input_ = chosen or (still if sampling.window == 1 else "both")
    return {
        "core": config.core or CORE,
        "size": config.side,
        "input": input_,
        "fps": sampling.fps,
        "frames": sampling.window,
    }
