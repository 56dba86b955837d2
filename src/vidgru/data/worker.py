"""A process that decodes clips into the cache, a child of `data.pool`; and the common loop."""

import json
import math
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vidgru.core.errors import OutputError, VidgruError
from vidgru.data.cache import Sampling, decode_clip, store

BEAT = 1.0  # seconds

Line = dict[str, Any]
Beat = Callable[[], None]


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

    def beat() -> None:
        nonlocal last
        if time.monotonic() - last > BEAT:
            last = time.monotonic()
            say("")

    while True:
        say(json.dumps(answer(json.loads(requests.get()), beat)))


def decode(request: Line, beat: Beat) -> Line:
    """Decode and store one clip; return nothing, or the error message."""
    path = Path(request["path"])
    beat()
    try:
        segments, info = decode_clip(
            path, Sampling(**request["sampling"]), request["start"], request["end"]
        )
        store(request["key"], path, segments, info, Path(request["folder"]))
    except OutputError as error:
        return {"error": str(error), "fatal": True}
    except VidgruError as error:
        return {"error": str(error)}
    except Exception as error:  # whatever fails in one file, the next one comes
        return {"error": f"Cannot read {path}: {type(error).__name__}: {error}"}
    return {}


def main() -> None:
    """Serve until standard input ends."""
    serve(decode)


if __name__ == "__main__":
    main()
