"""What `vidgru label` runs in a process of its own: a training, and suggestions for videos.

Reads one JSON object from stdin, and ends when that is closed; writes JSON lines to stdout.
"""

import json
import os
import sys
from threading import Lock, Thread
from time import monotonic
from typing import Any

from vidgru.commands.train import train
from vidgru.core.errors import ModelError, VidgruError
from vidgru.core.results import Progress
from vidgru.tasks.registry import open_model, train_config

EVERY = 0.2  # seconds between lines about progress


class _Lines:
    """Writes JSON lines."""

    def __init__(self) -> None:
        self._lock, self._next, self._stage = Lock(), 0.0, ""

    def write(self, kind: str, **values: Any) -> None:
        with self._lock:
            print(json.dumps({"kind": kind, **values}), flush=True)

    def progress(self, progress: Progress) -> None:
        now = monotonic()
        if now >= self._next or progress.stage != self._stage:
            self._next, self._stage = now + EVERY, progress.stage
            done, total = progress.done, progress.total
            self.write("progress", stage=progress.stage, done=done, total=total)


def _end_with_stdin() -> None:
    """End this process when the one that started it is gone."""
    sys.stdin.read()
    os._exit(1)


def _train(job: dict[str, Any], lines: _Lines) -> None:
    config = train_config({**job["options"], "out": job["out"]}, None)
    result = train(job["list"], config, lines.progress)
    scores = result.validation
    lines.write(
        "trained",
        run=str(result.run),
        accuracy=scores.accuracy,
        interval=result.interval,
        clips=sum(scores.count.values()),
        folds=len(result.folds),
    )


def _suggest(job: dict[str, Any], lines: _Lines) -> None:
    model = open_model(job["model"])
    if not hasattr(model, "timeline"):
        raise ModelError(f"{job['model']} is no classifier: it cannot suggest labels.")
    for video, path in job["videos"]:
        try:
            timeline = model.timeline(path, progress=lines.progress)
        except VidgruError as error:
            lines.write("skipped", video=video, sentence=str(error))
            continue
        found = [[s.start, s.end, s.likeliest, s.confidence] for s in timeline.segments]
        lines.write("suggested", video=video, segments=found)


def main() -> None:
    """Do a job; the last line has the kind `done` or `failed`."""
    job, lines = json.loads(sys.stdin.readline()), _Lines()
    Thread(target=_end_with_stdin, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(3)  # the page goes first
    try:
        if "list" in job:
            _train(job, lines)
        else:
            _suggest(job, lines)
    except (VidgruError, OSError, MemoryError) as error:
        lines.write("failed", sentence=str(error) or "Out of memory.")
        os._exit(1)
    lines.write("done")
    os._exit(0)  # not waiting for stdin


if __name__ == "__main__":
    main()
