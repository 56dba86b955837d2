"""Train several models of one run at once, each in a process of its own.

Small networks leave cores idle: two trainings at once take less time than one after the other.
"""

import logging
import math
from collections.abc import Generator
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path

from vidgru.core.errors import ProcessError
from vidgru.core.results import Progress
from vidgru.data.pool import Pool, cores, program
from vidgru.data.worker import Line
from vidgru.engine.device import choose_device
from vidgru.engine.distributed import world
from vidgru.tasks.classify.options import ClassifyTrainConfig

log = logging.getLogger("vidgru")

WORKER = program("vidgru.tasks.classify.train_worker")
AT_ONCE = 4  # a training takes half a gigabyte of memory
SECONDS = 900.0  # after which a silent process has hung; a step takes less
EVERY = 0.5  # seconds between reports of progress
SHARES = 1000  # of a training, in Progress


@dataclass(frozen=True)
class Sharing:
    """How many trainings share the cores, and the threads of each."""

    trainings: int
    threads: int


def sharing_of(config: ClassifyTrainConfig, count: int) -> Sharing | None:
    """Return how `count` trainings share the cores, None if they come one after the other.

    It depends on the options and the machine only, as do the bits of the weights.
    """
    threads = config.threads or cores()
    apart = config.minutes is not None or world() > 1 or choose_device(config.device).type != "cpu"
    if apart or threads < 2:
        return None
    rounds = math.ceil(count / min(count, threads, AT_ONCE))
    at_once = math.ceil(count / rounds)
    return Sharing(at_once, threads // at_once)


def steps_at_once(run: Path, count: int, sharing: Sharing) -> Generator[Progress, None, None]:
    """Take the steps of a run's trainings, each up to its last checkpoint.

    What a process leaves undone is left to the caller, who meets an error again. Logs a warning
    where one crashed or hung, as for lack of memory.
    """
    shares, crashed = [0.0] * count, False

    def heard(sign: Line) -> None:
        shares[sign["number"]] = sign["share"]

    try:
        with Pool(WORKER, sharing.trainings, SECONDS, heard) as pool:
            waiting = {
                pool.submit({"run": str(run), "number": n, "threads": sharing.threads}): n
                for n in range(count)
            }
            while waiting:
                for one in wait(waiting, timeout=EVERY).done:
                    number, failed = waiting.pop(one), one.result() is None
                    crashed = crashed or failed
                    shares[number] = 0.0 if failed else 1.0
                done, note = round(sum(shares) * SHARES), f"{sharing.trainings} at once"
                yield Progress(f"training {count} models", done, count * SHARES, note)
    except ProcessError:
        crashed = True
    if crashed:
        log.warning(
            "A process that trains crashed or hung, as where memory is short: what is left is "
            "trained one after the other. To train so from the start: --threads 1."
        )
