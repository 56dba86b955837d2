"""A thread pool that may end at any moment, even in the garbage collector."""

from collections.abc import Callable
from concurrent import futures
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")


class ThreadPool(futures.ThreadPoolExecutor):
    """As ThreadPoolExecutor, but its end waits for the jobs that run and joins no thread.

    The garbage collector may close a forgotten generator that owns a pool while another thread is
    being started, under a lock of `threading` that `Thread.join` takes, too: up to Python 3.12 the
    process would then wait for itself for ever.
    """

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self._unfinished: set[futures.Future[Any]] = set()

    def submit(
        self,
        fn: Callable[Arguments, Returned],
        /,
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> futures.Future[Returned]:
        """Schedule a call; return its future."""
        future = super().submit(fn, *args, **kwargs)
        self._unfinished.add(future)
        future.add_done_callback(self._unfinished.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs; with `wait`, return when the last one has ended."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        if wait:
            futures.wait(list(self._unfinished))
