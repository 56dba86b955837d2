"""A process that decodes clips into the cache: one JSON request a line in, one reply a line out.

A separate process, because a decoder that crashes or hangs on a stranger's file must cost only that
file; and a program of its own, because multiprocessing would import the caller's script again.
"""

import json
import sys
from pathlib import Path
from typing import Any

from vidgru.data.cache import Sampling, decode_clip, store
from vidgru.errors import OutputError, VidgruError


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Decode and store one clip; return nothing, or the sentence that says why not."""
    path = Path(request["path"])
    try:
        segments, facts = decode_clip(
            path, Sampling(**request["sampling"]), request["start"], request["end"]
        )
        store(request["key"], path, segments, facts, Path(request["folder"]))
    except OutputError as error:
        return {"error": str(error), "fatal": True}
    except VidgruError as error:
        return {"error": str(error)}
    except Exception as error:  # whatever a decoder does to one file, the next one comes
        return {"error": f"Cannot read {path}: {type(error).__name__}: {error}"}
    return {}


def main() -> None:
    """Serve until standard input ends."""
    import cv2

    # The pool of workers is the parallelism.
    cv2.setNumThreads(1)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
