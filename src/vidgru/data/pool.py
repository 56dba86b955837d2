"""Child processes that do jobs for this one: one JSON request a line in, one JSON reply a line out.

Separate processes, because a decoder that crashes or hangs on a stranger's file must cost only that
file; programs of their own, because multiprocessing would import the caller's script again.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

AHEAD = 16  # jobs a child that may wait for their turn, or done for that of their reply

Job = TypeVar("Job")
Line = dict[str, Any]
Child = subprocess.Popen[str]


def program(module: str) -> list[str]:
    """Return the command that runs a module of vidgru as a child."""
    # Python files in the current folder, which may be a stranger's, are not to be imported.
    return [sys.executable, "-P", "-m", module]


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Pool:
    """So many child processes, started at once; one that crashes or hangs is replaced.

    command: of a child, that serves as `data.worker.serve` does; seconds: for which it may be
    silent over a job. Leaving the block ends them; they end by themselves when this process is
    killed.
    """

    def __init__(self, command: Sequence[str], count: int, seconds: float) -> None:
        self.command, self.seconds, self.ahead = list(command), seconds, AHEAD * count
        self._lock, self._closed = threading.Lock(), False
        self._children: set[Child] = set()
        self._idle: queue.SimpleQueue[Child | None] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(count)
        try:
            for _ in range(count):
                self._idle.put(self._start())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all children, whatever they are doing."""
        with self._lock:
            self._closed = True
            for child in self._children:
                child.kill()
        self._threads.shutdown(cancel_futures=True)
        for child in list(self._children):
            self._end(child)

    def ask(self, request: Line) -> Line | None:
        """Return a child's reply, or None when it crashed or hung."""
        return self._threads.submit(self._ask, request).result()

    def replies(
        self, jobs: Iterable[tuple[Job, Line | None]], *, in_order: bool = False
    ) -> Iterator[tuple[Job, Line | None]]:
        """Yield each job with the reply to its request, None when a child crashed or hung on it.

        They come as they are ready, or in the order of the jobs. A job without a request keeps its
        place and has no reply either. Only so many jobs are taken that no child is idle for long.
        """
        waiting: dict[Future[Line | None], Job] = {}
        for job, request in jobs:
            waiting[self._threads.submit(self._ask, request)] = job
            while len(waiting) >= self.ahead:
                yield _take(waiting, in_order)
        while waiting:
            yield _take(waiting, in_order)

    def _start(self) -> Child:
        home = str(Path(__file__).parents[2])
        paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
        with self._lock:
            if self._closed:
                raise RuntimeError("The pool is closed.")
            # Its own session: Ctrl-C goes to the parent, which ends it.
            child = subprocess.Popen(  # noqa: S603
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="ascii",
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            )
            self._children.add(child)
        return child

    def _end(self, child: Child) -> None:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            # What stands in the buffer of a pipe that nobody reads any more is lost.
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()
        with self._lock:
            self._children.discard(child)

    def _ask(self, request: Line | None) -> Line | None:
        if request is None:
            return None
        child, reply = self._idle.get(), None
        try:
            child = child or self._start()
            reply = self._talk(child, request)
        finally:
            if child is not None and reply is None:
                self._end(child)
            self._idle.put(None if reply is None else child)
        return reply

    def _talk(self, child: Child, request: Line) -> Line | None:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("A child process has no pipes.")
        try:
            child.stdin.write(json.dumps(request) + "\n")
            child.stdin.flush()
            line = "\n"
            while line == "\n":  # the child says that it is still at it
                late = threading.Timer(self.seconds, child.kill)
                late.start()
                try:
                    line = child.stdout.readline()
                finally:
                    late.cancel()
            reply = json.loads(line)
        except (BrokenPipeError, ValueError):
            return None
        return reply if isinstance(reply, dict) else None


def _take(waiting: dict[Future[Line | None], Job], in_order: bool) -> tuple[Job, Line | None]:
    first = next(iter(waiting))
    if not in_order:
        done = wait(waiting, return_when=FIRST_COMPLETED).done
        first = next(future for future in waiting if future in done)
    reply = first.result()
    return waiting.pop(first), reply
