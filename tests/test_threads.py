"""The thread pool that may end at any moment."""

import subprocess
import sys
from threading import Event

import pytest

from vidgru.core.threads import ThreadPool

# What the garbage collector does when it closes a forgotten generator while a thread is started.
CLOSES_UNDER_THE_LOCK = """
import threading
from vidgru.video.sample import read_ahead

chunks = read_ahead(iter(range(100)), 4)
assert next(chunks) == [0, 1, 2, 3]
lock = getattr(threading, "_shutdown_locks_lock", None) or threading.Lock()
with lock:
    chunks.close()
print("closed")
"""


def test_a_pool_that_ends_while_a_thread_is_being_started_does_not_wait_for_ever() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLOSES_UNDER_THE_LOCK], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "closed\n", "")


def test_the_end_of_a_pool_waits_for_the_jobs_that_it_has() -> None:
    go_on, ended = Event(), []
    with ThreadPool(1) as pool:
        running = pool.submit(lambda: (go_on.wait(300), ended.append("first")))
        pool.submit(ended.append, "second")
        assert not running.done()
        go_on.set()
    assert ended == ["first", "second"]


def test_jobs_that_have_not_begun_can_be_cancelled() -> None:
    begun, go_on = Event(), Event()
    pool = ThreadPool(1)
    running = pool.submit(lambda: (begun.set(), go_on.wait(300)))
    waiting = pool.submit(int, "1")
    begun.wait(300)
    pool.shutdown(wait=False, cancel_futures=True)
    go_on.set()
    pool.shutdown()
    assert running.done()
    assert waiting.cancelled()


def test_an_error_of_a_job_is_that_of_its_future() -> None:
    with ThreadPool(1) as pool:
        failed = pool.submit(int, "one")
    with pytest.raises(ValueError, match="one"):
        failed.result()
