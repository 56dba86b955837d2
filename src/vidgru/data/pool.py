"""Child processes that do jobs for this one: one JSON request a line in, one JSON reply a line out.

Separate processes, because a decoder that crashes or hangs on an untrusted file must cost only
that file; separate programs, because multiprocessing would import the caller's script again.
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from vidgru.core.errors import ProcessError
from vidgru.core.threads import ThreadPool

AHEAD = 16  # jobs a child that may wait for a worker, or finished ones for their turn
SIGN = " "  # begins a line that is no reply, but a sign of life with an object; or it is empty
# Several processes whose matrix products wait for threads hinder each other.
ALONE = {"OPENBLAS_NUM_THREADS": "1"}
DEATHS = 2  # of children over one job, until the job is blamed

Job = TypeVar("Job")
Line = dict[str, Any]


class Child(subprocess.Popen[str]):
    """A child; begun: whether it has replied at all, hung: whether it was silent for too long."""

    begun = hung = False

    def give_up(self) -> None:
        """End a child that hangs."""
        self.hung = True
        self.kill()


def program(module: str) -> list[str]:
    """Return the command that runs a module of vidgru as a child."""
    # Python files in the current folder may be untrusted and must not be imported.
    return [sys.executable, "-P", "-m", module]


def cores() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Pool:
    """`count` child processes, started at once; one that crashes or hangs is replaced.

    command: of a child that runs `data.worker.serve`; seconds: the timeout of a silent child;
    heard: called with what comes with its signs of life, from several threads. Leaving the block
    ends them; they end by themselves when this process is killed.

    A job whose child dies is retried once with a fresh one: memory may have run out, or somebody
    killed it. One that makes a child hang is not: waiting as long again would not help. Raises
    ProcessError when children end before their first line, which no job can be blamed for.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        seconds: float,
        heard: Callable[[Line], object] = lambda line: None,
    ) -> None:
        self.command, self.seconds, self.ahead = list(command), seconds, 0
        self.heard = heard
        self._lock, self._closed = threading.Lock(), False
        self._children: set[Child] = set()
        self._idle: queue.SimpleQueue[Child | None] = queue.SimpleQueue()
        self._threads = ThreadPool(1)
        self.grow(count)

    def grow(self, count: int) -> None:
        """Use `count` children from now on, at least as many as before; none may be busy."""
        self._threads.shutdown()
        self._threads, self.ahead = ThreadPool(count), AHEAD * count
        try:
            for _ in range(len(self._children), count):
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
        """End all children, even busy ones."""
        with self._lock:
            self._closed = True
            for child in self._children:
                child.kill()
        self._threads.shutdown(cancel_futures=True)
        for child in list(self._children):
            self._end(child)

    def submit(self, request: Line) -> Future[Line | None]:
        """Return what will be a child's reply, None when children crashed or hung on it."""
        return self._threads.submit(self._ask, request)

    def ask(self, request: Line) -> Line:
        """Return a child's reply. Raises ProcessError when there is none."""
        reply = self.submit(request).result()
        if reply is None:
            raise ProcessError("A process that reads videos crashed or hung.")
        return reply

    def replies(
        self, jobs: Iterable[tuple[Job, Line | None]], *, in_order: bool = False
    ) -> Iterator[tuple[Job, Line | None]]:
        """Yield each job with the reply to its request, None when children crashed or hung on it.

        They come as they are ready, or in the order of the jobs. A job without a request keeps its
        place and has no reply either. Jobs are taken only as fast as keeps every child busy.
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
            child = Child(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="ascii",
                start_new_session=True,
                env={**ALONE, **os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            )
            self._children.add(child)
        return child

    def _end(self, child: Child) -> None:
        """End a child, even a busy one."""
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            # What remains in the buffer of a pipe without a reader is lost.
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()
        with self._lock:
            self._children.discard(child)

    def _ask(self, request: Line | None) -> Line | None:
        if request is None:
            return None
        child, reply, deaths, again = self._idle.get(), None, 0, False
        try:
            if child is not None and child.poll() is not None:  # it was killed while idle
                self._end(child)
                child = None
            while reply is None and deaths < DEATHS:
                child = child or self._start()
                reply = self._talk(child, request)
                if reply is None:
                    if again and not child.begun:
                        raise ProcessError(self._why(child))
                    deaths += DEATHS if child.begun and child.hung else child.begun
                    self._end(child)
                    child, again = None, True
        finally:
            if child is not None and reply is None:
                self._end(child)
            self._idle.put(None if reply is None else child)
        return reply

    def _why(self, child: Child) -> str:
        """Return the error message for a child that did not start."""
        child.kill()
        status = child.wait()
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        if child.hung:
            how = f"nothing said for {self.seconds:g} s"
        return (
            f"A process that reads videos ended before it began ({how}). Where memory is short, "
            "free some or start fewer processes."
        )

    def _talk(self, child: Child, request: Line) -> Line | None:
        if child.stdin is None or child.stdout is None:
            raise RuntimeError("A child process has no pipes.")
        try:
            child.stdin.write(json.dumps(request) + "\n")
            child.stdin.flush()
            line = SIGN
            while line.startswith((SIGN, "\n")):
                if line.strip():
                    self.heard(json.loads(line))
                late = threading.Timer(self.seconds, child.give_up)
                late.start()
                try:
                    line = child.stdout.readline()
                finally:
                    late.cancel()
                child.begun = child.begun or bool(line)
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
