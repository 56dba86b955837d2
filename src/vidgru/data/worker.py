"""A process that decodes clips into the cache, a child of `data.pool`; and the common loop."""

import json
import math
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from vidgru.core.errors import OutputError, VideoError, VidgruError
from vidgru.data.cache import Sampling, decode_clip, decode_parts, store
from vidgru.data.pool import SIGN

BEAT = 1.0  # seconds

Line = dict[str, Any]


class Beat(Protocol):
    """What gives the parent a sign of life."""

    def __call__(self, sign: Line | None = None) -> None:
        """Give a sign of life, with an object that the parent may want to hear of."""


def serve(answer: Callable[[Line, Beat], Line]) -> None:
    """Answer requests, a JSON object a line, until standard input ends.

    `answer` gets each with a function to call when it is ready to begin, and now and then, as a
    sign of life. A process that ends before the first call does not count against the job.
    """
    import cv2

    # The pool of workers is the parallelism.
    cv2.setNumThreads(1)
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    # Output of libraries must not mix with the replies.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)

    def say(line: str) -> None:
        replies.write(line + "\n")
        replies.flush()

    def listen() -> None:
        for line in sys.stdin:
            requests.put(line)
        os._exit(0)  # the parent is gone, and nobody waits for this job

    threading.Thread(target=listen, daemon=True).start()
    last = -math.inf

    def beat(sign: Line | None = None) -> None:
        nonlocal last
        if time.monotonic() - last > BEAT:
            last = time.monotonic()
            say("" if sign is None else SIGN + json.dumps(sign))

    while True:
        say(json.dumps(answer(json.loads(requests.get()), beat)))


def decode(request: Line, beat: Beat) -> Line:
    """Decode and store one clip; return nothing, or the error message."""
    path = Path(request["path"])
    beat()
    try:
        segments, info = decode_clip(
            path, Sampling(**request["sampling"]), request["start"], request["end"], beat
        )
        store(request["key"], path, segments, info, Path(request["folder"]))
    except OutputError as error:
        return {"error": str(error), "fatal": True}
    except VidgruError as error:
        return {"error": str(error)}
    except Exception as error:  # whatever fails in one file, the next one comes
        return {"error": f"Cannot read {path}: {type(error).__name__}: {error}"}
    return {}


def decode_several(request: Line, beat: Beat) -> Line:
    """Decode and store parts of one video; return an answer for each, as `decode` has it."""
    path, folder = Path(request["path"]), Path(request["folder"])
    sampling, parts = Sampling(**request["sampling"]), request["parts"]
    answers: dict[int, Line] = {}
    beat()
    # What is wrong with a part is found out below; so are those behind an error.
    with suppress(Exception):
        spans = [(start, end) for start, end, _ in parts]
        for number, found in decode_parts(path, sampling, spans, beat):
            if isinstance(found, VideoError):
                answers[number] = {"error": str(found)}
                continue
            store(parts[number][2], path, *found, folder)
            answers[number] = {}
    for number, (start, end, key) in enumerate(parts):
        if number not in answers:
            answers[number] = decode({**request, "start": start, "end": end, "key": key}, beat)
    return {"answers": [answers[number] for number in range(len(parts))]}


def answer(request: Line, beat: Beat) -> Line:
    """Decode one clip, or several parts of one video."""
    return (decode_several if "parts" in request else decode)(request, beat)


def main() -> None:
    """Serve until standard input ends."""
    serve(answer)


if __name__ == "__main__":
    main()
