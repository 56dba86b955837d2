"""Decode many clips into the cache with a few worker processes, and hand out what is stored."""

import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from vidgru.data.cache import Sampling, Segments, cache_folder, cache_key, content_hash, load, trim
from vidgru.data.folder import Clip
from vidgru.errors import OutputError, VideoError
from vidgru.results import Failure
from vidgru.video.facts import Facts
from vidgru.video.read import natural_key

log = logging.getLogger("vidgru")

SECONDS_PER_CLIP = 600.0
WORKER = [sys.executable, "-m", "vidgru.data.worker"]


@dataclass(frozen=True)
class Decoded:
    """One clip's frames and facts, or the sentence that says why there are none.

    `key` is a hash of its content and of how it was sampled; empty where it could not be read.
    """

    clip: Clip
    segments: Segments | None
    facts: Facts | None = None
    key: str = ""
    error: str | None = None
    from_cache: bool = False


def decode_clips(
    clips: Sequence[Clip], sampling: Sampling, workers: int | None = None
) -> Iterator[Decoded]:
    """Yield every clip's frames as they become ready: from the cache, or else decoded into it.

    Raises OutputError when the cache cannot be written.
    """
    folder = cache_folder()
    jobs: queue.SimpleQueue[tuple[Clip, str]] = queue.SimpleQueue()
    missing = 0
    contents: dict[Path, bytes] = {}  # a list may cut many clips out of one long video
    for clip in clips:
        try:
            if clip.path not in contents:
                contents[clip.path] = content_hash(clip.path)
            key = cache_key(clip.path, sampling, clip.start, clip.end, contents[clip.path])
        except OSError as error:
            sentence = f"Cannot read {clip.path}: {error.strerror or error}."
            yield Decoded(clip, None, error=sentence)
            continue
        stored = load(key, clip.path, sampling, folder)
        if stored is not None:
            yield Decoded(clip, *stored, key, from_cache=True)
        else:
            jobs.put((clip, key))
            missing += 1
    count = min(missing, workers or os.cpu_count() or 1)
    done: queue.SimpleQueue[Decoded | BaseException] = queue.SimpleQueue()
    stop = threading.Event()
    pool = [_Worker(jobs, done, stop, sampling, folder) for _ in range(count)]
    try:
        for worker in pool:
            worker.start()
        for _ in range(missing):
            result = done.get()
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        stop.set()
        for worker in pool:
            worker.kill()
    if missing:
        trim(folder)


class _Worker(threading.Thread):
    """A thread that keeps one decoding process busy, and replaces it when it dies or hangs."""

    def __init__(
        self,
        jobs: "queue.SimpleQueue[tuple[Clip, str]]",
        done: "queue.SimpleQueue[Decoded | BaseException]",
        stop: threading.Event,
        sampling: Sampling,
        folder: Path,
    ) -> None:
        super().__init__(daemon=True)
        self.jobs, self.done, self.stop = jobs, done, stop
        self.sampling, self.folder = sampling, folder
        self.process: subprocess.Popen[str] | None = None

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                try:
                    clip, key = self.jobs.get_nowait()
                except queue.Empty:
                    break
                self.done.put(self._decode(clip, key))
        except BaseException as error:
            self.done.put(error)
        finally:
            self.kill()

    def kill(self) -> None:
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def _start(self) -> subprocess.Popen[str]:
        # Its own session: Ctrl-C goes to the parent, which ends it.
        return subprocess.Popen(  # noqa: S603
            WORKER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="ascii",
            start_new_session=True,
        )

    def _decode(self, clip: Clip, key: str) -> Decoded:
        self.process = process = self.process or self._start()
        request = {
            "path": str(clip.path.absolute()),
            "start": clip.start,
            "end": clip.end,
            "key": key,
            "folder": str(self.folder.absolute()),
            "sampling": asdict(self.sampling),
        }
        late = threading.Timer(SECONDS_PER_CLIP, process.kill)
        late.start()
        try:
            if process.stdin is None or process.stdout is None:
                raise VideoError("The decoding process has no pipes.")
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except (BrokenPipeError, ValueError):
            line = ""
        finally:
            late.cancel()
        if not line:
            self.kill()
            sentence = f"Cannot read {clip.path}: the decoder crashed or hung on it."
            return Decoded(clip, None, key=key, error=sentence)
        reply = json.loads(line)
        if reply.get("fatal"):
            raise OutputError(reply["error"])
        if "error" in reply:
            return Decoded(clip, None, key=key, error=reply["error"])
        stored = load(key, clip.path, self.sampling, self.folder)
        if stored is None:
            raise OutputError(
                f"The cache of decoded frames in {self.folder} lost a file just written."
            )
        return Decoded(clip, *stored, key)


@dataclass(frozen=True)
class Readings:
    """What is known of the clips that could be read, and why the others could not.

    keys: equal for clips of equal content.
    """

    frames: dict[Clip, Segments]
    facts: dict[Clip, Facts]
    keys: dict[Clip, str]
    skipped: tuple[Failure, ...]


def readings_of(results: Sequence[Decoded]) -> Readings:
    """Return decoded clips by what is known of them."""
    return Readings(
        {result.clip: result.segments for result in results if result.segments is not None},
        {result.clip: result.facts for result in results if result.facts is not None},
        {result.clip: result.key for result in results if result.facts is not None},
        tuple(Failure(str(r.clip.path), r.error) for r in results if r.error),
    )


def say_problems(results: Sequence[Decoded]) -> None:
    """Warn of what is wrong with clips, and of those that could not be read."""
    for result in results:
        for warning in result.facts.warnings if result.facts else ():
            log.warning("%s", warning)
        if result.error:
            log.warning("Skipped: %s", result.error)


def in_order(results: Sequence[Decoded]) -> list[Decoded]:
    """Return results in the natural order of their clips' names, whatever order they came in."""
    return sorted(results, key=lambda result: natural_key(result.clip.name))
