"""What `vidgru label` runs in a process of its own: a training, and suggestions for videos.

Reads one JSON object from stdin, and ends when that is closed; writes JSON lines to stdout.
"""

import json
import os
import re
import sys
from threading import Lock, Thread
from time import monotonic
from typing import Any

from vidgru.commands.train import train
from vidgru.core.errors import ModelError, VidgruError
from vidgru.core.results import Progress
from vidgru.tasks.classify.results import ON_ALL, WITHOUT_VALIDATION
from vidgru.tasks.registry import open_model, train_config

EVERY = 0.2  # seconds between lines about progress
TOGETHER = re.compile(r"training \d+ models")
FOLD = re.compile(r"fold (\d+) of (\d+)")


class _Lines:
    """Writes JSON lines.

    A job has equal parts, one after another: part, of parts.
    """

    def __init__(self) -> None:
        self._lock, self._next, self._stage, self._share = Lock(), 0.0, "", 0.0
        self.part, self.parts = 0, 1

    def write(self, kind: str, **values: Any) -> None:
        with self._lock:
            print(json.dumps({"kind": kind, **values}), flush=True)

    def progress(self, progress: Progress, share: float | None = None) -> None:
        """Write the stage, and the share of the job that is done.

        share: of the part that is done, left out where that is not known.
        """
        now = monotonic()
        if share is not None:
            self._share = max(self._share, (self.part + min(share, 1.0)) / self.parts)
        if now >= self._next or progress.stage != self._stage:
            self._next, self._stage = now + EVERY, progress.stage
            self.write("progress", stage=progress.stage, share=self._share)

    def training(self, progress: Progress) -> None:
        """Write the progress of a training: what is measured, and then all clips."""
        stage, share = progress.stage, progress.done / max(progress.total, 1)
        if TOGETHER.fullmatch(stage):
            self.part, self.parts = 0, 1
        elif stage == WITHOUT_VALIDATION:
            self.part, self.parts = 0, 2
        elif match := FOLD.fullmatch(stage):
            self.part, self.parts = int(match[1]) - 1, int(match[2]) + 1
        elif stage == ON_ALL:
            self.part = self.parts - 1
        elif stage != "training":  # what comes before each of them
            return self.progress(progress)
        return self.progress(progress, share)

    def reading(self, progress: Progress) -> None:
        """Write the progress of reading a video, which is a part."""
        self.progress(progress, progress.done / max(progress.total, 1))


def _end_with_stdin() -> None:
    """End this process when the one that started it is gone."""
    sys.stdin.read()
    os._exit(1)


def _train(job: dict[str, Any], lines: _Lines) -> None:
    config = train_config({**job["options"], "out": job["out"]}, None)
    result = train(job["list"], config, lines.training)
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
    lines.parts = len(job["videos"])
    for lines.part, (video, path) in enumerate(job["videos"]):
        try:
            timeline = model.timeline(path, progress=lines.reading)
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
