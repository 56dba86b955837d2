"""Train a network on a folder of labelled clips, or go on where a training was broken off."""

import contextlib
import shutil
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeVar

import torch

from vidgru.config import ModelSpec, TrainConfig, stored_side
from vidgru.data.cache import Sampling
from vidgru.data.gather import Gathered, choose_sampling, gather, read_clips
from vidgru.engine.checkpoint import CHECKPOINT_NAME, MODEL_NAME
from vidgru.engine.device import choose_device, prepare
from vidgru.engine.distributed import (
    agree,
    in_turn,
    is_main,
    text_from_main,
    together,
    world,
)
from vidgru.engine.run import RUNS, begin_run, create_run, go_on_with, run_before_restart
from vidgru.engine.training import Steps, Training
from vidgru.errors import OptionError
from vidgru.nn.network import HIDDEN
from vidgru.results import Progress, TrainResult
from vidgru.tasks.classify import Classify

Result = TypeVar("Result")


@together
def train_steps(folder: str | Path, config: TrainConfig) -> Steps:
    """Train, yielding Progress all along and returning the TrainResult.

    Raises DataError, OptionError or OutputError. The run folder appears only when the data can be
    learned from. When the training is broken off it keeps the best model so far, and all that
    `resume_steps` needs. Several processes, as torchrun starts them, train together; started once
    more by it, they go on with their run.
    """
    began = time.monotonic()
    check_processes(config)
    folder = Path(folder)
    if before := text_from_main(lambda: str(run_before_restart(folder, config) or "")):
        return (yield from resume_steps(before))
    clips = read_clips(folder, config)
    sampling = choose_sampling(clips, config, stored_side(config.size))
    run = Path(text_from_main(lambda: str(create_run(folder, config.out))))
    with begin_run(run, folder, config, chosen(config, sampling)):
        try:
            data = yield from in_turn(lambda: gather(clips, sampling, config))
            return (yield from learn_steps(config, data, sampling, run, began))
        finally:
            if is_main() and not any(
                (run / name).exists() for name in (CHECKPOINT_NAME, MODEL_NAME)
            ):
                shutil.rmtree(run)
                with contextlib.suppress(OSError):
                    RUNS.rmdir()  # only if nothing else is in it


@together
def resume_steps(run: str | Path) -> Steps:
    """Go on with a training that was broken off, to the same bits as if it had not been.

    The clips must still be those that it began with. Raises ModelError when there is nothing to go
    on with, DataError when the clips have changed, OutputError when another process trains there.
    """
    began = time.monotonic()
    run = Path(run)
    with go_on_with(run) as (folder, config):
        check_processes(config)
        clips = read_clips(folder, config)
        sampling = choose_sampling(clips, config, stored_side(config.size))
        data = yield from in_turn(lambda: gather(clips, sampling, config))
        return (yield from learn_steps(config, data, sampling, run, began))


def learn_steps(
    config: TrainConfig,
    data: Gathered,
    sampling: Sampling,
    run: Path,
    began: float,
    stage: str = "training",
) -> Steps:
    """Train on clips that are decoded and split already, from the run's checkpoint on if any.

    `stage` names the work in its Progress.
    """
    device = choose_device(config.device)
    prepare(config.threads)
    torch.manual_seed(config.seed)
    spec = ModelSpec(
        task=Classify.name,
        labels=data.labels,
        core=config.core,
        hidden=HIDDEN,
        size=config.size,
        encoder=config.encoder,
        gated_update=config.gated_update,
        **chosen(config, sampling),
    )
    training = Training(config, data, spec, run, device, began, stage)
    if agree((run / CHECKPOINT_NAME).exists()):
        training.go_on()
    return (yield from training.steps())


def check_processes(config: TrainConfig) -> None:
    """Raise OptionError when a config is not for this machine or this many processes."""
    choose_device(config.device)
    if config.batch_size < world():
        raise OptionError(
            f"--batch-size {config.batch_size} is too small for {world()} processes: each needs at "
            "least one clip of a batch."
        )


def chosen(config: TrainConfig, sampling: Sampling) -> dict[str, Any]:
    """Return the settings that a config may leave open."""
    seen = config.input or ("rgb" if sampling.window == 1 else "both")
    return {"input": seen, "fps": sampling.fps, "frames": sampling.window}


def train(folder: str | Path, config: TrainConfig) -> TrainResult:
    """Train on a folder of labelled clips and return what came of it; see `train_steps`."""
    return run_to_end(train_steps(folder, config))


def resume(run: str | Path) -> TrainResult:
    """Go on with a training and return what came of it; see `resume_steps`."""
    return run_to_end(resume_steps(run))


def run_to_end(steps: Generator[Progress, None, Result]) -> Result:
    """Return the result of a job whose progress nobody looks at."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
