"""Decode many clips into the cache with a few worker processes, and hand out what is stored."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vidgru.core.errors import OutputError
from vidgru.core.results import Failure
from vidgru.data.cache import (
    Sampling,
    Segments,
    cache_folder,
    cache_key,
    content_hash,
    load,
    trim,
)
from vidgru.data.folder import Clip
from vidgru.data.pool import Pool, cores, program
from vidgru.video.info import VideoInfo
from vidgru.video.read import natural_key

log = logging.getLogger("vidgru")

SECONDS_PER_CLIP = 600.0
WORKER = program("vidgru.data.worker")


@dataclass(frozen=True)
class Decoded:
    """One clip's frames and info, or the sentence that says why there are none.

    `key` is a hash of its content and of how it was sampled; empty where it could not be read.
    """

    clip: Clip
    segments: Segments | None
    info: VideoInfo | None = None
    key: str = ""
    error: str | None = None
    from_cache: bool = False


def decode_clips(
    clips: Sequence[Clip], sampling: Sampling, workers: int | None = None
) -> Iterator[Decoded]:
    """Yield every clip's frames as they become ready: from the cache, or else decoded into it.

    Raises OutputError when the cache cannot be written, ProcessError when no worker can start.
    """
    folder = cache_folder()
    missing: list[tuple[Clip, str]] = []
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
            missing.append((clip, key))
    if not missing:
        return
    count = min(len(missing), workers or cores())
    requests = ((item, _request(*item, sampling, folder)) for item in missing)
    with Pool(WORKER, count, SECONDS_PER_CLIP) as pool:
        for (clip, key), reply in pool.replies(requests):
            yield _decoded(clip, key, reply, sampling, folder)
    trim(folder)


def _request(clip: Clip, key: str, sampling: Sampling, folder: Path) -> dict[str, Any]:
    return {
        "path": str(clip.path.absolute()),
        "start": clip.start,
        "end": clip.end,
        "key": key,
        "folder": str(folder.absolute()),
        "sampling": asdict(sampling),
    }


def _decoded(
    clip: Clip, key: str, reply: dict[str, Any] | None, sampling: Sampling, folder: Path
) -> Decoded:
    if reply is None:
        return Decoded(clip, None, key=key, error=crashed(clip.path))
    if reply.get("fatal"):
        raise OutputError(reply["error"])
    if "error" in reply:
        return Decoded(clip, None, key=key, error=reply["error"])
    stored = load(key, clip.path, sampling, folder)
    if stored is None:
        raise OutputError(f"The cache of decoded frames in {folder} lost a file just written.")
    return Decoded(clip, *stored, key)


def crashed(source: str | Path) -> str:
    """Return what is said of a source that no child process survives."""
    return f"Cannot read {source}: the decoder crashed or hung on it."


@dataclass(frozen=True)
class Readings:
    """What is known of the clips that could be read, and why the others could not.

    keys: equal for clips of equal content.
    """

    frames: dict[Clip, Segments]
    info: dict[Clip, VideoInfo]
    keys: dict[Clip, str]
    skipped: tuple[Failure, ...]


def readings_of(results: Sequence[Decoded]) -> Readings:
    """Return decoded clips by what is known of them."""
    return Readings(
        {result.clip: result.segments for result in results if result.segments is not None},
        {result.clip: result.info for result in results if result.info is not None},
        {result.clip: result.key for result in results if result.info is not None},
        tuple(Failure(str(r.clip.path), r.error) for r in results if r.error),
    )


def say_problems(results: Sequence[Decoded]) -> None:
    """Warn of what is wrong with clips, and of those that could not be read."""
    for result in results:
        for sentence in result.info.sentences if result.info else ():
            log.warning("%s", sentence)
        if result.error:
            log.warning("Skipped: %s", result.error)


def in_order(results: Sequence[Decoded]) -> list[Decoded]:
    """Return results in the natural order of their clips' names, whatever order they came in."""
    return sorted(results, key=lambda result: natural_key(result.clip.name))


ONE_FRAME = "{} has only one frame, and so no motion."


def without_stills(data: Readings) -> Readings:
    """Return clips of at least two frames, and the others among those left out."""
    single = [clip for clip, segments in data.frames.items() if segments.shape[1] < 2]
    left_out = tuple(Failure(str(clip.path), ONE_FRAME.format(clip.path)) for clip in single)
    for failure in left_out:
        log.warning("Skipped: %s", failure.error)
    return replace(
        data,
        frames={clip: known for clip, known in data.frames.items() if clip not in single},
        info={clip: known for clip, known in data.info.items() if clip not in single},
        keys={clip: known for clip, known in data.keys.items() if clip not in single},
        skipped=(*data.skipped, *left_out),
    )
