"""The model that helps: trainings and suggestions, in a process beside the server."""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from threading import Lock, Thread
from time import monotonic
from typing import Any

from vidgru.core.errors import ProcessError, VidgruError
from vidgru.core.text import short
from vidgru.data.pool import cores
from vidgru.tools.label.doubts import Doubt, Suggestion, doubts
from vidgru.tools.label.rows import Row
from vidgru.tools.label.store import Conflict, Store
from vidgru.video.read import open_video

log = logging.getLogger("vidgru")

JOB = "vidgru.cli.label_job"
RUNS = Path("runs")
MAX_DOUBTFUL = 200
MAX_SUGGESTIONS = 5000  # of one video
MIN_SHARE = 0.02  # of a job, from which on it is known how long the rest takes


class Helper:
    """Trains on the labels, and suggests labels for all videos; one job at a time.

    `options` are those of the training. `version` grows with each video that has new suggestions.
    """

    def __init__(
        self, videos: Sequence[Path], store: Store, options: dict[str, Any] | None = None
    ) -> None:
        self.videos, self.store, self.options = videos, store, options or {}
        self.version = 0
        self.lengths: list[float | None] = [None] * len(videos)  # in seconds, as declared
        self._lock = Lock()
        self._found: dict[int, list[Suggestion]] = {}
        self._before: dict[int, list[Suggestion]] = {}  # of the model before
        self._process: subprocess.Popen[str] | None = None
        self._running = self._cancelled = self._closed = False
        self._stage, self._share, self._began = "", 0.0, 0.0
        self._error = ""
        self._results: list[dict[str, Any]] = []

    def start(self, model: str | None) -> None:
        """Find out how long the videos are, and suggest labels by a model, if there is one."""
        Thread(target=self._measure, daemon=True).start()
        if model is not None:
            self._begin(lambda: self._suggest(model))

    def _measure(self) -> None:
        for number, path in enumerate(self.videos):
            if self._closed:
                return
            try:
                with open_video(path) as video:
                    self.lengths[number] = video.seconds
            except VidgruError:
                continue  # opening it on the page says why
        self.version += 1

    def job(self) -> dict[str, Any]:
        """Return what is going on, and the accuracy of the last two trainings.

        share: of the job that is done, from 0 to 1; left: seconds, None while nobody can know.
        """
        left, share = None, self._share
        if self._running and share >= MIN_SHARE:
            left = (monotonic() - self._began) * (1 - share) / share
        return {
            "running": self._running,
            "stage": self._stage,
            "share": share,
            "left": left,
            "error": self._error,
            "results": self._results[-2:],
        }

    def suggestions(self, video: int) -> list[Suggestion]:
        """Return the suggestions for a video, in order."""
        return self._found.get(video, [])

    def doubtful(self, rows: Iterable[Row]) -> list[Doubt]:
        """Return where suggestions without a label are least sure, or two models disagree."""
        labelled: dict[int, list[Row]] = defaultdict(list)
        for row in rows:
            if row.video is not None:
                labelled[row.video].append(row)
        found: list[Doubt] = []
        for video, suggestions in list(self._found.items()):
            found += doubts(video, suggestions, self._before.get(video, []), labelled[video])
        return sorted(found, key=lambda one: one.sure)[:MAX_DOUBTFUL]

    def learn(self) -> None:
        """Train on what is labelled so far, then suggest; raises Conflict while a job runs."""
        self._begin(self._learn)

    def cancel(self) -> None:
        """End the job that runs, if any."""
        with self._lock:
            self._cancelled = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """End what runs in the background."""
        self._closed = True
        self.cancel()

    def _begin(self, work: Any) -> None:
        with self._lock:
            if self._running:
                raise Conflict("A training is running already.")
            self._running, self._cancelled, self._error = True, False, ""
            self._stage, self._share = "starting", 0.0

        def run() -> None:
            try:
                work()
            except VidgruError as error:
                self._error = "" if self._cancelled else str(error)
            except OSError as error:  # memory or the disk is full
                self._error = f"A process cannot be run: {error.strerror or error}."
            finally:
                self._running = False

        Thread(target=run, daemon=True).start()

    def _learn(self) -> None:
        rows = [row for row in self.store.rows if row.video is not None]
        minutes = self.store.seconds / 60
        run = _new_run(self.store.path)
        # The other half of the cores is for the page: threads that share one wait for each other.
        half = {"threads": max(1, cores() // 2)}
        options = {**half, **_grouping(rows), **self.options}
        job = {"list": str(self.store.path), "out": str(run), "options": options}
        trained: dict[str, Any] = {}

        def take(line: dict[str, Any]) -> None:
            if line["kind"] == "trained":
                trained.update(line, segments=len(rows), grouped="group_by" in options)
                trained["minutes"] = minutes

        try:
            self._run(job, take)
        except VidgruError:
            if not trained:
                shutil.rmtree(run, ignore_errors=True)
            raise
        self._results.append(trained)
        self._suggest(str(run))

    def _suggest(self, model: str) -> None:
        done = {row.video for row in self.store.rows}
        # Videos without any label come first.
        order = sorted(range(len(self.videos)), key=lambda number: number in done)
        job = {"model": model, "videos": [(n, str(self.videos[n])) for n in order]}

        def take(line: dict[str, Any]) -> None:
            if line["kind"] == "suggested":
                found, video = line["segments"][:MAX_SUGGESTIONS], line["video"]
                self._before[video] = self._found.get(video, [])
                self._found[video] = [(a, b, label, share) for a, b, label, share in found]
                self.version += 1
            elif line["kind"] == "skipped":
                log.warning("No suggestions: %s", line["sentence"])

        self._run(job, take)

    def _run(self, job: dict[str, Any], take: Any) -> None:
        """Run a job in a process of its own; raises ProcessError with what went wrong."""
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
            with self._lock:
                if self._cancelled:
                    raise ProcessError("It was cancelled.")
                self._share, self._began = 0.0, monotonic()
                process = self._process = subprocess.Popen(  # noqa: S603
                    [sys.executable, "-m", JOB], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=complaints, text=True, encoding="utf-8", process_group=0,
                )  # fmt: skip
            if process.stdin is None or process.stdout is None:
                raise ProcessError("The process has no pipes.")
            failed = "The process ended early."
            try:
                process.stdin.write(json.dumps(job) + "\n")
                process.stdin.flush()
                for text in process.stdout:
                    line = json.loads(text)
                    if line["kind"] == "progress":
                        self._stage, self._share = line["stage"], line["share"]
                    elif line["kind"] == "done":
                        failed = ""
                    elif line["kind"] == "failed":
                        failed = line["sentence"]
                    else:
                        take(line)
            except (OSError, ValueError) as error:
                failed = str(error)
            finally:
                with self._lock:
                    self._process = None
                process.kill()
                process.communicate()
            if failed:
                complaints.seek(0)
                for text in complaints.read(100_000).splitlines()[-20:]:
                    log.info("%s", short(text, 500))
                raise ProcessError(failed)


def _grouping(rows: Sequence[Row]) -> dict[str, str]:
    """Return the options that keep each video on one side of a split, where that is possible."""
    videos = defaultdict[str, set[int | None]](set)
    for row in rows:
        videos[row.label].add(row.video)
    several = all(len(found) > 1 for found in videos.values())
    return {"group_by": "path"} if videos and several else {}


def _new_run(source: Path) -> Path:
    """Make a run folder; if only its name were chosen, another training could take that."""
    for number in count(1):
        run = RUNS / f"{source.stem}-{number}"
        try:
            run.mkdir(parents=True)
        except FileExistsError:
            if not os.path.isdir(RUNS):
                raise ProcessError(f"Cannot make the run folder {run}: {RUNS} is a file.") from None
        except OSError as error:
            why = error.strerror or error
            raise ProcessError(f"Cannot make the run folder {run}: {why}.") from error
        else:
            break
    return run
