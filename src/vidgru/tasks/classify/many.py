"""Predict many sources in several processes, with one model; without torch in this one."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vidgru.core.errors import ModelError, VidgruError
from vidgru.core.results import Failure
from vidgru.core.torchrun import shard, world_size
from vidgru.data.decode import crashed
from vidgru.data.pool import Pool, cores, program
from vidgru.tasks.classify.options import PredictConfig
from vidgru.tasks.classify.results import Prediction
from vidgru.tasks.classify.timeline import Timeline
from vidgru.video.find import find_sources
from vidgru.video.read import image_files

log = logging.getLogger("vidgru")

WORKER = program("vidgru.tasks.classify.worker")
SECONDS = 300.0  # without a frame
# Less is read sooner than another process starts, which takes about 2 s: small clips, and
# bytes of long videos at 5 to 10 MB/s.
WORTH, WORTH_BYTES = 8, 16 << 20

Answer = Prediction | Timeline | Failure


@dataclass(frozen=True)
class Many:
    """Sources, and the processes that predict them; `open_many` makes it.

    path: of the model file; model: a hash of its content; timeline: whether the results are
    timelines; found: the sources of this process, all or, under torchrun, its share.
    """

    path: Path
    model: str
    labels: tuple[str, ...]
    timeline: bool
    found: Sequence[Path | Failure]
    pool: Pool
    options: dict[str, Any]
    min_seconds: float | None

    def answers(self, sources: Sequence[Path | Failure]) -> Iterator[Answer]:
        """Yield a prediction for each source, or the Failure with its error, in order.

        Warnings are logged before the prediction they belong to. Raises ModelError, ProcessError.
        """
        jobs = ((source, self._request(source)) for source in sources)
        for source, reply in self.pool.replies(jobs, in_order=True):
            if isinstance(source, Failure):
                yield source
            elif reply is None:
                yield Failure(str(source), crashed(source))
            else:
                yield self._result(_checked(reply))

    def _request(self, source: Path | Failure) -> dict[str, Any] | None:
        if isinstance(source, Failure):
            return None
        return {
            "options": self.options,
            "timeline": self.timeline,
            "min_seconds": self.min_seconds,
            "source": str(source),
        }

    def _result(self, reply: dict[str, Any]) -> Answer:
        if reply["model"] != self.model:
            raise ModelError(f"{self.path} has changed since it was opened: start again.")
        result = reply["result"]
        if "error" in result:
            return Failure.from_dict(result)
        if self.timeline:
            return replace(Timeline.from_dict(result), times=reply["times"])
        return Prediction.from_dict(result)


def in_this_process(sources: Sequence[str | Path], config: PredictConfig) -> bool:
    """Return whether predicting needs no other process."""
    if config.out is not None or world_size() > 1:
        return False
    if config.workers == "1":
        return True
    # The model decides whether images are sources; this is the largest number.
    # Whoever predicts searches again, and says what is left out.
    found = find_sources(sources, images=not config.segments, unsaid=[])
    return _workers(found, config) == 1


def _workers(found: Sequence[Path | Failure], config: PredictConfig) -> int:
    """Return how many processes are worthwhile for the sources."""
    paths = [source for source in found if isinstance(source, Path)]
    count = min(int(config.workers), len(paths)) if config.workers != "auto" else 0
    if config.workers == "auto":
        here = int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if world_size() > 1 else 1
        worth = max(len(paths) // WORTH, sum(map(_size, paths)) // WORTH_BYTES)
        count = min(cores() // here, len(paths), worth)
    return max(1, count)


def _size(source: Path) -> int:
    """Return the bytes of a source, 0 where unknown."""
    with suppress(OSError, ValueError):
        files = image_files(source) if os.path.isdir(source) else [source]
        return sum(os.stat(file).st_size for file in files)
    return 0


@contextmanager
def open_many(sources: Sequence[str | Path], config: PredictConfig) -> Iterator[Many]:
    """Find sources and open a model in several processes, which end with the block.

    Raises ModelError, OptionError, ProcessError.
    """
    options: dict[str, Any] = {"model": config.model, **config.backend}
    found = shard(find_sources(sources))
    with Pool(WORKER, _workers(found, config), SECONDS) as pool:
        about = _checked(pool.ask({"options": options, "source": None}))
        # A timeline needs a folder of images as one sequence, whatever the model reads.
        if about["frames"] == 1 and not config.segments:
            found = shard(find_sources(sources, images=True, unsaid=[]))
            pool.grow(_workers(found, config))
        options["model"] = about["path"]
        labels = tuple(about["labels"])
        yield Many(
            Path(about["path"]),
            about["model"],
            labels,
            config.segments,
            found,
            pool,
            options,
            config.min_seconds,
        )


def _checked(reply: dict[str, Any]) -> dict[str, Any]:
    """Return a reply whose warnings have been logged; raise the error that it contains."""
    if "error" in reply:
        kinds = {kind.__name__: kind for kind in VidgruError.__subclasses__()}
        raise kinds[reply["kind"]](reply["error"])
    for warning in reply["warnings"]:
        log.warning("%s", warning)
    return reply
