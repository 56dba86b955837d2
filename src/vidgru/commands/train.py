"""Train a network on a folder of clips, or resume an interrupted training."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidgru.core.address import check_path
from vidgru.core.errors import ModelError, OptionError, OutputError
from vidgru.core.results import OnProgress, run_to_end
from vidgru.data.dataset import read_clips
from vidgru.data.folder import Clip
from vidgru.engine.device import choose_device
from vidgru.engine.distributed import is_main, main_first, process_group, text_from_main, world
from vidgru.engine.model_file import CHECKPOINT_NAME
from vidgru.engine.newest_run import MODEL_NAME
from vidgru.engine.onnx_file import ONNX_NAME, has_runtime
from vidgru.engine.run_folder import (
    begin_run,
    check_run,
    create_run,
    discard_run,
    farewell,
    folders_there,
    resume_run,
    run_before_restart,
)
from vidgru.engine.train_config import TrainConfig
from vidgru.engine.trainer import TrainRun
from vidgru.tasks.contract import AnyTask, Steps
from vidgru.tasks.registry import find_task, load, train_config

log = logging.getLogger("vidgru")


@process_group
def train_steps(folder: str | Path, config: TrainConfig) -> Steps:
    """Train, yielding Progress and returning the result of the task.

    Raises DataError, OptionError or OutputError. The run folder is created only when the data can
    be trained on. An interrupted training keeps the best model so far, and all that `resume_steps`
    needs. Several processes, as torchrun starts them, train together; when it restarts them, they
    resume their run.
    """
    began, task = time.monotonic(), find_task(config.task)
    check_processes(config)
    check_path(folder)
    folder = Path(folder)
    if before := text_from_main(lambda: _before(folder, config)):
        return (yield from resume_steps(before))
    with _farewell():
        start = task.start(config)
        clips = read_clips(folder, config)
        sampling = task.sampling(clips, config, start)
        settings = task.settings(config, sampling, start)
        start.check(settings)
    kept = folders_there(config.out)
    run = Path(text_from_main(lambda: str(create_run(folder, config.out))))
    with _farewell(run), begin_run(run, folder, config, settings):
        try:
            start.save_copy(run)
            training = TrainRun(config, sampling, start, run, began)
            result = yield from _learn(folder, clips, training)
        finally:
            if is_main() and not any(
                any(run.glob(f"**/{name}")) for name in (CHECKPOINT_NAME, MODEL_NAME)
            ):
                discard_run(run, kept)
        _write_onnx(run, task)
        return result


def _before(folder: Path, config: TrainConfig) -> str:
    """Return the run to resume after a restart, or ""; raises OutputError."""
    run = run_before_restart(folder, config)
    if run is None:
        check_run(folder, config.out)
    return str(run or "")


@contextmanager
def _farewell(run: Path | None = None, resumed: bool = False) -> Iterator[None]:
    """Report on Ctrl-C what is kept, where the training itself has not done so."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if str(interrupt):
            raise
        raise KeyboardInterrupt(farewell(run, resumed)) from interrupt


@process_group
def resume_steps(run: str | Path) -> Steps:
    """Resume an interrupted training; the result is the same to the bit as without interruption.

    The clips must be unchanged. Raises ModelError when there is nothing to resume, DataError when
    the clips have changed, OutputError when another process trains there.
    """
    began = time.monotonic()
    check_path(run)
    run = Path(run)
    with _farewell(run, True), resume_run(run, train_config) as (folder, config):
        check_processes(config)
        task = find_task(config.task)
        start = task.start(config, run)
        clips = read_clips(folder, config)
        sampling = task.sampling(clips, config, start)
        result = yield from _learn(folder, clips, TrainRun(config, sampling, start, run, began))
        _write_onnx(run, task)
        return result


def _learn(folder: Path, clips: list[Clip], run: TrainRun[Any, Any]) -> Steps:
    task = find_task(run.config.task)
    prepare = task.prepare
    data = yield from main_first(lambda: prepare(clips, run.sampling, run.config, folder))
    return (yield from task.learn(run, data))


def _write_onnx(run: Path, task: AnyTask) -> None:
    """Write the .onnx file of a finished run, if its command can use it and the extra is there."""
    if not (task.predicts_onnx and is_main() and has_runtime(export=True)):
        return
    from vidgru.engine.onnx_export import write_onnx

    try:
        model = load(run)
        write_onnx(task.onnx_step(model), model.path, run / ONNX_NAME)
    except (ModelError, OptionError, OutputError) as error:
        log.warning("%s", error)


def check_processes(config: TrainConfig) -> None:
    """Raise OptionError when a config does not fit this machine or this many processes."""
    choose_device(config.device)
    if config.cross_validated and world() > 1:
        raise OptionError("--folds trains in one process: leave out torchrun.")
    if config.batch_size < world():
        raise OptionError(
            f"--batch-size {config.batch_size} is too small for {world()} processes: each needs at "
            "least one clip of a batch."
        )


def train(folder: str | Path, config: TrainConfig, progress: OnProgress | None = None) -> Any:
    """Train on a folder of clips and return what came of it; see `train_steps`."""
    return run_to_end(train_steps(folder, config), progress)


def resume(run: str | Path, progress: OnProgress | None = None) -> Any:
    """Resume a training and return what came of it; see `resume_steps`."""
    return run_to_end(resume_steps(run), progress)
