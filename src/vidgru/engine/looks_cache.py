"""Features of a picture encoder for whole clips, computed once and kept beside decoded frames."""

import hashlib
import json
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vidgru.core.errors import DataError, ModelError, OptionError, OutputError
from vidgru.core.results import Progress
from vidgru.data.cache import (
    Sampling,
    Segments,
    cache_folder,
    content_of,
    load_numbers,
    trim,
    write_entry,
)
from vidgru.data.decode import crashed
from vidgru.data.folder import Clip
from vidgru.data.pool import Pool, cores, program
from vidgru.engine.looks import Features, Looks

VERSION = 1  # raise it when the same settings would give other features
SECONDS_PER_CLIP = 600.0
WORKER = program("vidgru.engine.looks_worker")


@dataclass(frozen=True)
class LooksClip:
    """A clip whose features are wanted: its cache key, its stored frames, and how many views."""

    clip: Clip
    key: str
    segments: Segments
    views: int


def features_steps(
    path: Path, looks: Looks, clips: Sequence[LooksClip], sampling: Sampling, every: int
) -> Generator[Progress, None, dict[Clip, Features]]:
    """Return features (segments, views, ceil(frames / every), F) of clips, yielding Progress.

    path: of the encoder; sampling: of the stored frames, of which the encoder gets every
    `every`th one at its own size, read from the video. Raises DataError for a clip that can no
    longer be read, ModelError, OptionError, OutputError.
    """
    folder, sampling = cache_folder(), replace(sampling, side=looks.side)
    found: dict[Clip, Features] = {}
    missing: dict[object, list[LooksClip]] = {}  # by video, which is read once
    for one in clips:
        stored = _load(folder, one, looks, sampling, every)
        if stored is not None:
            found[one.clip] = stored
        else:
            whole = one.clip.start is None and one.clip.end is None
            missing.setdefault((one.clip if whole else one.clip.path, one.views), []).append(one)
    known = len(found)
    yield Progress("picture encoder", known, len(clips), f"{known} from the cache")
    if not missing:
        return found
    common = {
        "encoder": str(path.absolute()),
        "mean": looks.mean,
        "std": looks.std,
        "sampling": asdict(sampling),
        "every": every,
        "folder": str(folder.absolute()),
    }
    jobs = [(job, {**common, **_request(job, looks, sampling, every)}) for job in missing.values()]
    with Pool(WORKER, min(len(jobs), cores()), SECONDS_PER_CLIP) as pool:
        for job, reply in pool.replies(jobs):
            _check(job, reply)
            for one in job:
                stored = _load(folder, one, looks, sampling, every)
                if stored is None:
                    raise DataError(f"{one.clip.path} has changed since it was read: start again.")
                found[one.clip] = stored
            yield Progress("picture encoder", len(found), len(clips), f"{known} from the cache")
    trim(folder)
    return found


def _request(
    job: Sequence[LooksClip], looks: Looks, sampling: Sampling, every: int
) -> dict[str, Any]:
    parts = [(c.clip.start, c.clip.end, _key(c, looks, sampling, every)) for c in job]
    return {"path": str(job[0].clip.path.absolute()), "parts": parts, "views": job[0].views}


def _check(job: Sequence[LooksClip], reply: dict[str, Any] | None) -> None:
    """Raise the error in a reply."""
    if reply is None:
        raise DataError(crashed(job[0].clip.path))
    kinds = {kind.__name__: kind for kind in (ModelError, OptionError, OutputError)}
    if "error" in reply:
        raise kinds.get(reply.get("kind", ""), DataError)(reply["error"])


def _key(one: LooksClip, looks: Looks, sampling: Sampling, every: int) -> str:
    """Return a hash of the clip's content, and one of all that its features depend on."""
    settings = [VERSION, looks.digest, looks.mean, looks.std, asdict(sampling), every, one.views]
    text = json.dumps(settings).encode()
    return f"{content_of(one.key)}-{hashlib.blake2b(text, digest_size=8).hexdigest()}"


def store(key: str, features: Features, folder: Path) -> None:
    """Write features under a key; readers see the old file or the new one."""
    write_entry(key, features, folder, "features")


def _load(
    folder: Path, one: LooksClip, looks: Looks, sampling: Sampling, every: int
) -> Features | None:
    """Return stored features, or None if they are absent or damaged."""
    stored = folder / f"{_key(one, looks, sampling, every)}.npy"
    segments, length = one.segments.shape[:2]
    return load_numbers(
        stored, (segments, one.views, -(-length // every), looks.features), np.float32
    )
