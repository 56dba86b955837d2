"""Train a network on a folder of clips, or go on where a training was broken off."""

import contextlib
import shutil
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

from vidgru.address import refuse_live
from vidgru.data.cache import Sampling
from vidgru.data.folder import Clip
from vidgru.data.gather import choose_sampling, gather, read_clips
from vidgru.engine.begin import Beginning, Encoders, read_encoders
from vidgru.engine.checkpoint import CHECKPOINT_NAME, MODEL_NAME
from vidgru.engine.device import choose_device
from vidgru.engine.distributed import in_turn, is_main, text_from_main, together, world
from vidgru.engine.run import RUNS, begin_run, create_run, go_on_with, run_before_restart
from vidgru.errors import OptionError
from vidgru.forecast_scores import ForecastTrainResult
from vidgru.motion_scores import MotionTrainResult
from vidgru.results import Progress, TrainResult, run_to_end
from vidgru.scene_scores import SceneTrainResult
from vidgru.spec import FORECAST_SIZE, stored_side
from vidgru.train_config import TrainConfig
from vidgru.verbs.folds import fold_steps
from vidgru.verbs.learn import chosen, learn_steps
from vidgru.verbs.learn_forecast import forecast_settings, learn_forecast_steps
from vidgru.verbs.learn_motion import (
    gather_motion,
    learn_motion_steps,
    motion_beginning,
    motion_settings,
)
from vidgru.verbs.learn_scenes import learn_scenes_steps, scenes_beginning, scenes_settings

Begin = Beginning | Encoders | None
Learned = TrainResult | MotionTrainResult | ForecastTrainResult | SceneTrainResult
Steps = Generator[Progress, None, Learned]


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
    refuse_live(folder)
    folder = Path(folder)
    if before := text_from_main(lambda: str(run_before_restart(folder, config) or "")):
        return (yield from resume_steps(before))
    begin = _begin(config)
    clips = read_clips(folder, config)
    sampling = _sampling(clips, config, begin)
    settings = _settings(config, sampling, begin)
    if isinstance(begin, Encoders):
        begin.check(settings["input"])
    run = Path(text_from_main(lambda: str(create_run(folder, config.out))))
    with begin_run(run, folder, config, settings):
        try:
            if isinstance(begin, Encoders):
                begin.keep(run)
            return (yield from _learn(folder, clips, config, sampling, begin, run, began))
        finally:
            if is_main() and not any(
                any(run.glob(f"**/{name}")) for name in (CHECKPOINT_NAME, MODEL_NAME)
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
    refuse_live(run)
    run = Path(run)
    with go_on_with(run) as (folder, config):
        check_processes(config)
        begin = _begin(config, run)
        clips = read_clips(folder, config)
        sampling = _sampling(clips, config, begin)
        return (yield from _learn(folder, clips, config, sampling, begin, run, began))


def _begin(config: TrainConfig, run: Path | None = None) -> Begin:
    """Return what a training, or a `run` that was begun already, begins with; None: at random."""
    if config.task == "motion":
        return motion_beginning(config)
    return scenes_beginning(config) if config.task == "scenes" else read_encoders(config, run)


def _settings(config: TrainConfig, sampling: Sampling, begin: Begin) -> dict[str, Any]:
    """Return the settings that a config may leave open."""
    if config.task == "forecast":
        return forecast_settings(config, sampling)
    if isinstance(begin, Beginning):
        settings = motion_settings if config.task == "motion" else scenes_settings
        return settings(begin, sampling)
    return chosen(config, sampling)


def _sampling(clips: list[Clip], config: TrainConfig, begin: Begin) -> Sampling:
    # Motion and forecasts are of whole pictures; the others see views cut out of larger ones.
    if config.task == "forecast":
        return choose_sampling(clips, config, config.size or FORECAST_SIZE)
    if isinstance(begin, Beginning):
        side = begin.size if config.task == "motion" else stored_side(begin.size)
    else:
        side = stored_side(config.side)
    return choose_sampling(clips, config, side)


def _learn(
    folder: Path,
    clips: list[Clip],
    config: TrainConfig,
    sampling: Sampling,
    begin: Begin,
    run: Path,
    began: float,
) -> Steps:
    if isinstance(begin, Beginning) and config.task == "motion":
        seen, flows = yield from in_turn(lambda: gather_motion(clips, sampling, config, folder))
        return (yield from learn_motion_steps(config, seen, flows, sampling, begin, run, began))
    if world() > 1 and config.folds is None:
        config = replace(config, folds=1)  # folds are for one process
    data = yield from in_turn(lambda: gather(clips, sampling, config, folder))
    if isinstance(begin, Beginning):
        return (yield from learn_scenes_steps(config, data, sampling, begin, run, began))
    if config.task == "forecast":
        return (yield from learn_forecast_steps(config, data, sampling, run, began))
    if data.folds is None:
        steps = learn_steps(config, data, sampling, run, began, encoders=begin)
        return (yield from steps)
    config = replace(config, folds=data.folds)
    return (yield from fold_steps(config, data, sampling, run, began, begin))


def check_processes(config: TrainConfig) -> None:
    """Raise OptionError when a config is not for this machine or this many processes."""
    choose_device(config.device)
    if config.cross_validated and world() > 1:
        raise OptionError("--folds trains in one process: leave out torchrun.")
    if config.batch_size < world():
        raise OptionError(
            f"--batch-size {config.batch_size} is too small for {world()} processes: each needs at "
            "least one clip of a batch."
        )


def train(folder: str | Path, config: TrainConfig) -> Learned:
    """Train on a folder of clips and return what came of it; see `train_steps`."""
    return run_to_end(train_steps(folder, config))


def resume(run: str | Path) -> Learned:
    """Go on with a training and return what came of it; see `resume_steps`."""
    return run_to_end(resume_steps(run))
