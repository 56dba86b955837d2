"""A process that decodes clips into the cache, a child of `data.pool`; and what all such do."""

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

    `answer` gets each with a function to call when it is ready to begin, and now and then, which
    says that the job goes on. What ends a process before its first call is not the job's fault.
    """
    import cv2

    # The pool of workers is the parallelism.
    cv2.setNumThreads(1)
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    # What a library prints must not come between the replies.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)

    def say(line: str) -> None:
        replies.write(line + "\n")
        replies.flush()

    def listen() -> None:
        for line in sys.stdin:
            requests.put(line)
        os._exit(0)  # whoever asked is gone, and nobody waits for this job

    threading.Thread(target=listen, daemon=True).start()
    said = -math.inf

    def beat() -> None:
        nonlocal said
        if time.monotonic() - said > BEAT:
            said = time.monotonic()
            say("")

    while True:
        say(json.dumps(answer(json.loads(requests.get()), beat)))


def decode(request: Line, beat: Beat) -> Line:
    """Decode and store one clip; return nothing, or the sentence that says why not."""
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
    except Exception as error:  # whatever a decoder does to one file, the next one comes
        return {"error": f"Cannot read {path}: {type(error).__name__}: {error}"}
    return {}


def main() -> None:
    """Serve until standard input ends."""
    serve(decode)


if __name__ == "__main__":
    main()
