"""A process that takes the steps of a run's trainings, a child of `data.pool`."""

import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from vidgru.core.errors import VidgruError
from vidgru.core.results import Progress
from vidgru.data.dataset import Dataset, read_clips
from vidgru.data.worker import Beat, Line, serve
from vidgru.engine.run_folder import read_run
from vidgru.engine.trainer import TrainRun
from vidgru.tasks.classify.folds import trainings
from vidgru.tasks.classify.learn import Run, trainer_of
from vidgru.tasks.classify.task import TASK
from vidgru.tasks.registry import train_config

Result = TypeVar("Result")


def _opened(path: Path, beat: Beat) -> list[tuple[Run, Dataset]]:
    """Return the trainings of a run that has begun, as the process that began it has them."""

    def result_of(steps: Generator[Progress, None, Result]) -> Result:
        try:
            while True:
                next(steps)
                beat()
        except StopIteration as end:
            found: Result = end.value
            return found

    folder, config = read_run(path, train_config)
    start, clips = TASK.start(config, path), read_clips(folder, config)
    sampling = TASK.sampling(clips, config, start)
    beat()
    data = result_of(TASK.prepare(clips, sampling, config, folder))
    run, data, _ = result_of(
        TASK.settled(TrainRun(config, sampling, start, path, time.monotonic()), data)
    )
    return trainings(run, data)


def _answer(opened: list[tuple[Run, Dataset]], request: Line, beat: Beat) -> Line:
    """Take the steps of one training; return nothing, or the error message."""
    number = request["number"]
    beat()
    try:
        if not opened:
            opened += _opened(Path(request["run"]), beat)
        run, data = opened[number]
        config = replace(run.config, threads=request["threads"])
        run = replace(run, config=config, began=time.monotonic())
        for progress in trainer_of(run, data).learn():
            own = progress.stage == run.stage  # rather than what comes before
            beat({"number": number, "share": own * progress.done / max(progress.total, 1)})
    except VidgruError as error:
        return {"error": str(error)}
    return {}


def main() -> None:
    """Serve until standard input ends."""
    opened: list[tuple[Run, Dataset]] = []
    serve(lambda request, beat: _answer(opened, request, beat))


if __name__ == "__main__":
    main()
