"""Decode many clips into the cache with a few worker processes, and return what is stored."""

import logging
from collections.abc import Iterable, Iterator, Sequence
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
    content_of,
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

Item = tuple[Clip, str]  # and its key


@dataclass(frozen=True)
class Decoded:
    """One clip's frames and info, or the error message.

    `key` is a hash of its content and sampling, `video` that of the content of the whole video
    that it is cut from; both are empty where it could not be read.
    """

    clip: Clip
    segments: Segments | None
    info: VideoInfo | None = None
    key: str = ""
    error: str | None = None
    from_cache: bool = False
    video: str = ""


def decode_clips(
    clips: Sequence[Clip], sampling: Sampling, workers: int | None = None
) -> Iterator[Decoded]:
    """Yield every clip's frames as they become ready: from the cache, or else decoded into it.

    A video is read once, however many clips are cut out of it. Raises OutputError when the cache
    cannot be written, ProcessError when no worker can start.
    """
    contents: dict[Path, bytes] = {}  # a list may cut many clips from one long video
    for result in _decode(clips, sampling, contents, workers):
        content = contents.get(path := result.clip.path)
        video = "" if content is None else content_of(cache_key(path, sampling, content=content))
        yield replace(result, video=video)


def _decode(
    clips: Sequence[Clip], sampling: Sampling, contents: dict[Path, bytes], workers: int | None
) -> Iterator[Decoded]:
    """Yield them without `video`, and add the hash of each file that could be read."""
    folder = cache_folder()
    missing: list[Item] = []
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
    jobs = _by_video(missing)
    count = min(len(jobs), workers or cores())
    lost: list[Item] = []
    with Pool(WORKER, count, SECONDS_PER_CLIP) as pool:
        for job, reply in pool.replies((job, _request(job, sampling, folder)) for job in jobs):
            if len(job) > 1 and reply is None:
                lost += job  # each by itself, so that the bad part costs only itself
            else:
                answers = [reply] if len(job) == 1 or reply is None else _answers(reply, len(job))
                for item, answer in zip(job, answers, strict=True):
                    yield _decoded(*item, answer, sampling, folder)
        for (item,), reply in pool.replies(([i], _request([i], sampling, folder)) for i in lost):
            yield _decoded(*item, reply, sampling, folder)
    trim(folder)


def _by_video(items: Sequence[Item]) -> list[list[Item]]:
    """Return clips to decode together: all parts of a video, and each whole video by itself."""
    jobs: dict[object, list[Item]] = {}
    for item in items:
        clip = item[0]
        whole = clip.start is None and clip.end is None
        jobs.setdefault(clip if whole else clip.path, []).append(item)
    return list(jobs.values())


def _answers(reply: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Return the answer for each part of a video, which may be the same error for all."""
    answers: list[dict[str, Any]] = reply.get("answers") or [reply] * count
    return answers


def _request(job: Sequence[Item], sampling: Sampling, folder: Path) -> dict[str, Any]:
    clip, key = job[0]
    request: dict[str, Any] = {
        "path": str(clip.path.absolute()),
        "folder": str(folder.absolute()),
        "sampling": asdict(sampling),
    }
    if len(job) == 1:
        return {**request, "start": clip.start, "end": clip.end, "key": key}
    return {**request, "parts": [(clip.start, clip.end, key) for clip, key in job]}


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
    """Return the error message for a source that crashes every child process."""
    return f"Cannot read {source}: the decoder crashed or hung on it."


@dataclass(frozen=True)
class Readings:
    """The clips that could be read with their frames and info, and the failures.

    keys: equal for clips of equal content; videos: for clips that are cut from equal videos.
    """

    frames: dict[Clip, Segments]
    info: dict[Clip, VideoInfo]
    keys: dict[Clip, str]
    videos: dict[Clip, str]
    skipped: tuple[Failure, ...]


def readings_of(results: Sequence[Decoded]) -> Readings:
    """Return decoded clips as Readings."""
    return Readings(
        {result.clip: result.segments for result in results if result.segments is not None},
        {result.clip: result.info for result in results if result.info is not None},
        {result.clip: result.key for result in results if result.info is not None},
        {result.clip: result.video for result in results if result.info is not None},
        tuple(Failure(str(r.clip.path), r.error) for r in results if r.error),
    )


def say_problems(results: Sequence[Decoded]) -> None:
    """Log the problems of clips, and the clips that could not be read."""
    found = dict[str, None]()  # many clips may be cut from one video
    for result in results:
        found |= dict.fromkeys(result.info.sentences if result.info else ())
        found |= {f"Skipped: {result.error}": None} if result.error else {}
    for sentence in found:
        log.warning("%s", sentence)


def in_order(results: Sequence[Decoded]) -> list[Decoded]:
    """Return results in the natural order of their clips' names."""
    return sorted(results, key=lambda result: natural_key(result.clip.name))


ONE_FRAME = "{} has only one frame, and so no motion."


def too_short(clips: Iterable[Clip], frames: int) -> Iterator[Failure]:
    """Return failures for clips that have fewer frames than are needed."""
    for clip in clips:
        yield Failure(str(clip.path), f"{clip.path} has fewer than {frames} frames.")


def without_stills(data: Readings) -> Readings:
    """Return clips of at least two frames; the others become failures."""
    single = {clip: None for clip, segments in data.frames.items() if segments.shape[1] < 2}
    left_out = tuple(Failure(str(clip.path), ONE_FRAME.format(clip.path)) for clip in single)
    for failure in left_out:
        log.warning("Skipped: %s", failure.error)
    return replace(
        data,
        frames={clip: known for clip, known in data.frames.items() if clip not in single},
        info={clip: known for clip, known in data.info.items() if clip not in single},
        keys={clip: known for clip, known in data.keys.items() if clip not in single},
        videos={clip: known for clip, known in data.videos.items() if clip not in single},
        skipped=(*data.skipped, *left_out),
    )
