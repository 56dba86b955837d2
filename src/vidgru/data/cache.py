"""Clips decoded once: small frames at a fixed rate, kept on disk and mapped into memory.

A file's key is the clip's content with the sampling settings, so moved clips are found again and
changed ones are not mistaken for the old.
"""

import hashlib
import json
import math
import os
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vidgru.errors import OutputError
from vidgru.video.read import Image, image_files
from vidgru.video.sample import sample_frames

VERSION = 2  # raise it when the same settings would give other pixels
SMALL = 1 << 16  # bytes; a system maps some 65,000 files at most, and images may be more
MAX_FRAMES = 512  # of one clip: 14 MB at 96x96
MAX_BYTES = 8 << 30  # of all clips; the least recently used go first

Segments = NDArray[np.uint8]


@dataclass(frozen=True)
class Sampling:
    """How clips are stored: frames/s, side of the square picture, frames of one window."""

    fps: float
    side: int
    window: int


def cache_folder() -> Path:
    """Return $VIDGRU_CACHE, or the user's cache folder."""
    if given := os.environ.get("VIDGRU_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vidgru"


def cache_key(path: Path, sampling: Sampling) -> str:
    """Return hashes of the clip's content (of all pictures, for a folder) and of the settings."""
    settings = json.dumps([VERSION, asdict(sampling)]).encode()
    digest = hashlib.blake2b(digest_size=20)
    extra = [path / "frames.csv"] if (path / "frames.csv").is_file() else []
    for file in [*image_files(path), *extra] if path.is_dir() else [path]:
        digest.update(file.name.encode(errors="surrogateescape") if path.is_dir() else b"")
        with open(file, "rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return f"{digest.hexdigest()}-{hashlib.blake2b(settings, digest_size=8).hexdigest()}"


def content_of(key: str) -> str:
    """Return the part of a cache key that tells the content, whatever the settings."""
    return key.partition("-")[0]


def decode_clip(path: Path, sampling: Sampling) -> tuple[Segments, list[str]]:
    """Return frames uint8 (segments, frames, side, side, 3) of a clip, and what was wrong with it.

    A short clip is one segment. A clip of more than MAX_FRAMES frames is thinned to evenly spread
    segments of two windows each, so that memory and disk stay bounded.
    """
    length = 2 * sampling.window
    every, kept = 1, list[list[Image]]()
    warnings: list[str] = []
    size = (sampling.side, sampling.side)
    for number, frame in enumerate(
        sample_frames(path, sampling.fps, size=size, warn=warnings.append)
    ):
        segment, place = divmod(number, length)
        if segment % every:
            continue
        if place == 0:
            if len(kept) * length >= MAX_FRAMES:
                kept, every = kept[::2], every * 2
                if segment % every:
                    continue
            kept.append([])
        kept[-1].append(frame.rgb)
    if every == 1:
        return np.stack([[rgb for part in kept for rgb in part]]), warnings
    return np.stack([part for part in kept if len(part) == length]), warnings


def store(key: str, segments: Segments, folder: Path) -> None:
    """Write segments under a key; readers see the old file or the new one, never half."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, segments, allow_pickle=False)
            os.replace(name, folder / f"{key}.npy")
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise OutputError(
            f"Cannot write the cache of decoded frames in {folder}: {error.strerror or error}. "
            "Set VIDGRU_CACHE to a folder with free space."
        ) from error


def load(key: str, sampling: Sampling, folder: Path) -> Segments | None:
    """Return the stored segments, or None when absent or not whole.

    They are mapped from disk, unless small. Raises OutputError when the system maps no more files.
    """
    path = folder / f"{key}.npy"
    try:
        with open(path, "rb") as file:
            if npy.read_magic(file) != (1, 0):
                return None
            shape, fortran, dtype = npy.read_array_header_1_0(file)
            start, length = file.tell(), os.fstat(file.fileno()).st_size
        if fortran or dtype != np.uint8 or shape[2:] != (sampling.side, sampling.side, 3):
            return None
        # Reading a mapped file behind its end would kill the process.
        if min(shape) < 1 or start + math.prod(shape) != length:
            return None
        small = np.fromfile(path, np.uint8) if length <= SMALL else None
    except Exception:  # a damaged header fails in many ways
        return None
    try:
        content = _map(path, length) if small is None else small
    except RuntimeError as error:
        if not path.exists():
            return None
        raise OutputError(
            f"Cannot map one more decoded clip into memory ({path}): train on fewer clips, or "
            "raise the system's limit (vm.max_map_count on Linux)."
        ) from error
    segments: Segments = content[start:].reshape(shape)
    segments.flags.writeable = False
    with suppress(OSError):  # another process may have removed it, or own it
        os.utime(path)  # marks it as recently used
    return segments


def _map(path: Path, length: int) -> NDArray[np.uint8]:
    import torch  # here, since decoding processes do without it

    # Not np.load, whose mapping keeps a file descriptor, of which there are often only 1024.
    # As bytes, since torch refuses a str that is not UTF-8.
    name: Any = os.fsencode(path)
    mapped = torch.from_file(name, shared=False, size=length, dtype=torch.uint8)
    return mapped.numpy()


def trim(folder: Path, limit: int = MAX_BYTES) -> None:
    """Remove the least recently used files until the rest fits into `limit` bytes."""
    found = sorted((p.stat().st_mtime, p.stat().st_size, p) for p in folder.glob("*.npy"))
    total = sum(size for _, size, _ in found)
    for _, size, path in found:
        if total <= limit:
            return
        path.unlink(missing_ok=True)
        total -= size
