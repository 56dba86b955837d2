"""Fixtures that several test files use."""

import itertools
import logging
import os
import shutil
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
import torch
from helpers import make_folder, noise, write_clip
from numpy.typing import NDArray

from vidgru import TrainResult, train
from vidgru.cli.main import main

if TYPE_CHECKING:
    from playwright.sync_api import Page

CACHES = itertools.count()

# What a shell starts in the background ignores Ctrl-C, and so would all that tests start to send
# it to.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure() -> None:
    """Give each of several processes that test a core of its own, and so what they start.

    Threads that compute together wait for each other: on cores that others use, several times over.
    """
    # Of the processes that begin later.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    name, count = (os.environ.get(f"PYTEST_XDIST_WORKER{end}", "") for end in ("", "_COUNT"))
    if name and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) == int(count):
            os.sched_setaffinity(0, {cores[int(name.removeprefix("gw"))]})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a skipped test fail where everything that tests need is supposed to be there."""
    report = yield
    if report.skipped and os.environ.get("VIDGRU_TEST_SKIPS") == "fail":
        report.outcome, report.longrepr = "failed", str(report.longrepr)
    return report


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def vidgru(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Done]]:
    """Run the command line in this process: vidgru("extract", path, ...) -> (code, out, err)."""
    log, handler = logging.getLogger("vidgru"), signal.getsignal(signal.SIGTERM)

    def run(*args: object) -> Done:
        before = list(log.handlers)
        with pytest.raises(SystemExit) as stop:
            main([str(arg) for arg in args])
        log.handlers[:] = before
        return Done(int(stop.value.code or 0), *capsys.readouterr())

    with pytest.MonkeyPatch.context() as patch:
        # On a busy machine a test may take a minute, and would find a line of progress.
        patch.setattr("vidgru.terminal.progress.EVERY", 3600.0)
        yield run
    signal.signal(signal.SIGTERM, handler)


class Opened(NamedTuple):
    """An open page, its requests except for data of its own, and its console messages."""

    page: "Page"
    requests: list[str]
    complaints: list[str]


@pytest.fixture
def browser_options() -> list[str]:
    """Return further options of Chromium."""
    return []


@pytest.fixture
def browse(browser_options: list[str]) -> Iterator[Callable[..., Opened]]:
    """Open a file or an address of this machine in Chromium: browse(path, width, dark=False)."""
    programs = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    program = next(filter(None, programs), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright  # other tests need not wait for it

    milliseconds = 60_000  # that an answer may take on a busy machine

    def browse(path: Path | str, width: int, dark: bool = False) -> Opened:
        page = chromium.new_page(
            viewport={"width": width, "height": 800},
            is_mobile=width < 500,
            color_scheme="dark" if dark else "light",
        )
        page.set_default_timeout(milliseconds)
        opened = Opened(page, [], [])
        page.on("request", lambda request: opened.requests.append(request.url))
        page.on("console", lambda message: opened.complaints.append(message.text))
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        page.goto(path.as_uri() if isinstance(path, Path) else path)
        page.screenshot()  # some are requested only when they are drawn
        return opened

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=program,
            args=["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", *browser_options],
            timeout=milliseconds,
        ) as chromium,
    ):
        yield browse


@pytest.fixture
def frames() -> NDArray[np.uint8]:
    """Return 20 frames of noise, rgb uint8 (20, 24, 32, 3)."""
    return noise(20)


@pytest.fixture
def clip(tmp_path: Path, frames: NDArray[np.uint8]) -> Path:
    """Return a lossless clip of `frames` at 10 frames/s, 2 s long."""
    return write_clip(tmp_path / "clip.avi", frames, 10)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep decoded frames of a test apart from the user's and from other tests'."""
    # Not mktemp, which looks through the folders of all earlier tests.
    place = tmp_path_factory.getbasetemp() / "caches" / str(next(CACHES))
    monkeypatch.setenv("VIDGRU_CACHE", str(place))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Compute in one thread: two wait for each other wherever the machine has other work."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of twelve clips in two classes; tests must not change it."""
    return make_folder(tmp_path_factory.mktemp("data") / "squares")


@pytest.fixture(scope="session")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """Return what a short training on `data` made; tests must not change its run folder."""
    place = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGRU_CACHE", str(place / "cache"))
        return train(data, epochs=4, size=16, batch_size=4, threads=1, out=str(place / "run"))
