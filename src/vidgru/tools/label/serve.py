"""Serve the page on this machine, until Ctrl-C."""

import asyncio
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn

from vidgru.core.errors import DataError, OutputError, ProcessError
from vidgru.core.results import Failure
from vidgru.core.text import printable
from vidgru.tools.label.app import LabelApp
from vidgru.tools.label.frames import FrameSource
from vidgru.tools.label.guard import Guard
from vidgru.tools.label.helper import Helper
from vidgru.tools.label.options import LabelConfig
from vidgru.tools.label.store import Store

log = logging.getLogger("vidgru")

MAX_VIDEOS = 10_000
STARTS = 30.0  # seconds that the server may take to start


@contextmanager
def serving(
    videos: Sequence[Path | Failure],
    config: LabelConfig,
    options: dict[str, Any] | None = None,
) -> Iterator[str]:
    """Serve the page meanwhile; give the address that opens it, once.

    Only this machine reaches the server. `options` are those of trainings. Raises DataError where
    there is no video, or where the list cannot be read, and OutputError.
    """
    paths = _readable(videos)
    store = Store(Path(config.out), paths, config.class_names())
    frames, helper = FrameSource(paths), Helper(paths, store, options)
    app = LabelApp(_names(paths), frames, store, helper)
    with closing(_socket()) as listening:
        guard = Guard(app.routes(), listening.getsockname()[1])
        server = uvicorn.Server(
            uvicorn.Config(
                guard, log_config=None, log_level="critical", access_log=False, lifespan="off",
                server_header=False, h11_max_incomplete_event_size=16 << 10,
                timeout_graceful_shutdown=1, limit_concurrency=64, backlog=64,
            )
        )  # fmt: skip
        # Not its own `run`, which would take the signals of the whole program.
        thread = Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
        thread.start()
        helper.start(config.model)
        try:
            yield guard.address
        finally:
            helper.close()
            server.should_exit = True
            thread.join(STARTS)
            frames.close()
            if thread.is_alive():
                raise ProcessError("The server does not end.")


def _socket() -> socket.socket:
    try:
        listening = socket.create_server(("127.0.0.1", 0))
    except OSError as error:
        raise OutputError(f"Cannot serve a page on 127.0.0.1: {error.strerror}.") from error
    return listening


def _readable(videos: Sequence[Path | Failure]) -> list[Path]:
    """Return the videos that are there; warn of what is not. Raises DataError without any."""
    paths = []
    for video in videos:
        if isinstance(video, Failure):
            log.warning("%s", video.error)
        elif not os.path.exists(video):  # video.exists() fails on too long a name
            log.warning("Cannot read %s: no such file or folder.", video)
        else:
            paths.append(video)
    if not paths:
        raise DataError("There is no video to label.")
    if len(paths) > MAX_VIDEOS:
        raise DataError(f"These are {len(paths)} videos, more than {MAX_VIDEOS}: give fewer.")
    return paths


def _names(paths: Sequence[Path]) -> list[str]:
    """Return what the page calls videos: their paths, without the folders that all are in."""
    parts = [path.absolute().parts for path in paths]
    shared = 0
    while all(len(one) > shared + 1 and one[shared] == parts[0][shared] for one in parts):
        shared += 1
    return [printable("/".join(one[shared:])) for one in parts]
