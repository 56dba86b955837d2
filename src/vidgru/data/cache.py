"""Clips decoded once: small frames at a fixed rate, kept on disk and mapped into memory.

A file's key is the clip's content with the sampling settings, so moved clips are found again and
changed ones are decoded anew. The file is an .npy with the clip's info appended, as JSON, so that
neither ever exists without the other.
"""

import errno
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import time
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vidgru.core.errors import OutputError, VideoError
from vidgru.video.info import VideoInfo
from vidgru.video.read import Frame, Image, image_files, open_video
from vidgru.video.sample import even_rate, sample_frames, sample_parts

VERSION = 7  # raise it when the same settings would give other pixels or info
SMALL = 1 << 16  # bytes; a system maps some 65,000 files at most, and images may be more
MAX_FRAMES = 512  # of one clip: 14 MB at 96x96
MAX_BYTES = 8 << 30  # of all clips; the least recently used are removed first

MAX_INFO = 1 << 20  # bytes of JSON
STALE = 86_400.0  # seconds after which nobody writes a file any more
HERE = "\0"  # in stored warnings, for the clip's path: it may have moved

Segments = NDArray[np.uint8]
Span = tuple[float | None, float | None]


@dataclass(frozen=True)
class Sampling:
    """How clips are stored: frames/s, side of the square picture, frames of one window.

    even: whether each clip's own rate is divided by an integer to come close to `fps`.
    """

    fps: float
    side: int
    window: int
    even: bool = False

    def rate(self, fps: float) -> float:
        """Return the frames/s of a clip whose source has `fps`."""
        return even_rate(fps, self.fps) if self.even else self.fps


def cache_folder() -> Path:
    """Return $VIDGRU_CACHE, or the user's cache folder; raises OutputError where there is none."""
    if given := os.environ.get("VIDGRU_CACHE"):
        return Path(given)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vidgru"
    except RuntimeError as error:  # in a container, a user may have no name and no HOME
        raise OutputError(
            "Cannot keep decoded frames: this user has no home folder. Set VIDGRU_CACHE to a"
            " folder that may be written."
        ) from error


def cache_key(
    path: Path,
    sampling: Sampling,
    start: float | None = None,
    end: float | None = None,
    content: bytes | None = None,
) -> str:
    """Return hashes of the clip's content with its time span, and of the settings.

    `content` is the file's `content_hash` if already known.
    """
    digest = hashlib.blake2b(json.dumps([start or 0.0, end]).encode(), digest_size=20)
    digest.update(content_hash(path) if content is None else content)
    settings = json.dumps([VERSION, asdict(sampling)]).encode()
    return f"{digest.hexdigest()}-{hashlib.blake2b(settings, digest_size=8).hexdigest()}"


def content_of(key: str) -> str:
    """Return the part of a cache key that identifies the content, whatever the settings."""
    return key.partition("-")[0]


def content_hash(path: Path) -> bytes:
    """Return a hash of a file, or of all pictures in a folder; raises OSError."""
    digest = hashlib.blake2b(digest_size=20)
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "not a regular file")  # opening a pipe would block for ever
    extra = [path / "frames.csv"] if (path / "frames.csv").is_file() else []
    for file in [*image_files(path), *extra] if path.is_dir() else [path]:
        digest.update(file.name.encode(errors="surrogateescape") if path.is_dir() else b"")
        if path != file and not file.is_file():
            continue  # a pipe beside pictures, which is no picture either
        with open(file, "rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.digest()


class _Thinned:
    """The frames of a clip as they come, thinned to evenly spread segments where there are many."""

    def __init__(self, sampling: Sampling) -> None:
        self._length = 2 * sampling.window
        self._every, self._count = 1, 0
        self._kept: list[list[Image]] = []

    def add(self, rgb: Image) -> None:
        """Take the next frame."""
        segment, place = divmod(self._count, self._length)
        self._count += 1
        if segment % self._every:
            return
        if place == 0:
            if len(self._kept) * self._length >= MAX_FRAMES:
                self._kept, self._every = self._kept[::2], self._every * 2
                if segment % self._every:
                    return
            self._kept.append([])
        self._kept[-1].append(rgb)

    def finish(
        self, path: Path, start: float | None, end: float | None, known: VideoInfo
    ) -> tuple[Segments, VideoInfo]:
        """Return the segments, and what is known of the clip; raises VideoError for no frame."""
        if not self._kept:
            span = f"from {start or 0.0:g} s to {'its end' if end is None else f'{end:g} s'}"
            raise VideoError(f"Cannot read {path} {span}: no frame there.")
        if start is not None or end is not None:
            # What the file declares is of all of it.
            covered = min(end or math.inf, known.seconds) - (start or 0.0)
            known = replace(known, declared=None, seconds=max(covered, 1 / known.fps))
        if self._every == 1:
            return np.stack([[rgb for part in self._kept for rgb in part]]), known
        return np.stack([part for part in self._kept if len(part) == self._length]), known


def decode_clip(
    path: Path,
    sampling: Sampling,
    start: float | None = None,
    end: float | None = None,
    beat: Callable[[], None] = lambda: None,
) -> tuple[Segments, VideoInfo]:
    """Return frames uint8 (segments, frames, side, side, 3) of a clip, and its VideoInfo.

    start and end, in seconds, cut a part out. A short clip is one segment. A clip of more than
    MAX_FRAMES frames is thinned to evenly spread segments of two windows each, so that memory and
    disk stay bounded. `beat` is called with each frame.
    """
    info: list[VideoInfo] = []
    size, thinned = (sampling.side, sampling.side), _Thinned(sampling)
    with open_video(path) as video:
        fps = sampling.rate(video.fps)
    for frame in sample_frames(
        path, fps, size=size, start=start or 0.0, end=end, report=info.append
    ):
        beat()
        thinned.add(frame.rgb)
    return thinned.finish(path, start, end, info[0])


def decode_parts(
    path: Path, sampling: Sampling, parts: Sequence[Span], beat: Callable[[], None]
) -> Iterator[tuple[int, tuple[Segments, VideoInfo] | VideoError]]:
    """Yield what `decode_clip` returns or raises for parts (start, end) of a video, with numbers.

    The video is read once, however many there are; what ends that is raised, a VideoError mostly,
    and of the parts that are not done by then nothing is known. `beat` is called with each frame.
    """
    size = (sampling.side, sampling.side)
    with open_video(path) as video:
        fps = sampling.rate(video.fps)
    begun: dict[int, _Thinned] = {}
    cuts = [(start or 0.0, end) for start, end in parts]
    for number, item in sample_parts(path, fps, cuts, size=size):
        beat()
        if isinstance(item, Frame):
            begun.setdefault(number, _Thinned(sampling)).add(item.rgb)
            continue
        try:
            thinned = begun.pop(number, None) or _Thinned(sampling)
            yield number, thinned.finish(path, *parts[number], item)
        except VideoError as error:
            yield number, error


def store(key: str, path: Path, segments: Segments, info: VideoInfo, folder: Path) -> None:
    """Write a clip's segments and info under a key; readers see the old file or the new one."""
    info_json = json.dumps(_moved(info, str(path), HERE).to_dict())
    write_entry(key, segments, folder, "decoded frames", info_json.encode("ascii"))


def write_entry(key: str, values: NDArray[Any], folder: Path, kind: str, more: bytes = b"") -> None:
    """Write an array under a key, and bytes behind it; readers see the old file or the new one.

    kind: of values, for messages. Raises OutputError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, values, allow_pickle=False)
                file.write(more)
            os.replace(name, folder / f"{key}.npy")
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise OutputError(
            f"Cannot write the cache of {kind} in {folder}: {error.strerror or error}. "
            "Set VIDGRU_CACHE to a folder with free space."
        ) from error


def load(
    key: str, path: Path, sampling: Sampling, folder: Path
) -> tuple[Segments, VideoInfo] | None:
    """Return the stored segments and info of the clip at `path`, or None if absent or damaged.

    Segments are mapped from disk, unless small. Raises OutputError when the system maps no more
    files.
    """
    stored = folder / f"{key}.npy"
    try:
        with open(stored, "rb") as file:
            shape, fortran, dtype, start, length = _header(file)
            end = start + math.prod(shape)
            if min(shape) < 1 or not 0 < length - end <= MAX_INFO:
                return None
            file.seek(end)
            info = VideoInfo.from_dict(json.loads(file.read()))
        if fortran or dtype != np.uint8 or shape[2:] != (sampling.side, sampling.side, 3):
            return None
    except Exception:  # a damaged header fails in many ways
        return None
    if (content := _content(stored, length)) is None:
        return None
    return content[start:end].reshape(shape), _moved(info, HERE, str(path))


def load_numbers(path: Path, shape: tuple[int, ...], kind: type[Any]) -> NDArray[Any] | None:
    """Return a stored array of a shape and kind of number, or None if absent or damaged.

    All its numbers are finite. It is mapped from disk, unless small. Raises OutputError as `load`.
    """
    dtype = np.dtype(kind)
    try:
        with open(path, "rb") as file:
            *header, start, length = _header(file)
    except Exception:  # a damaged header fails in many ways
        return None
    if (*header, length) != (shape, False, dtype, start + dtype.itemsize * math.prod(shape)):
        return None
    if (content := _content(path, length)) is None:
        return None
    numbers: NDArray[Any] = content[start:].view(dtype).reshape(shape)
    return numbers if np.isfinite(numbers).all() else None


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any], int, int]:
    """Return shape, order and type of a stored array, where it starts, and the file's length."""
    if npy.read_magic(file) != (1, 0):
        raise ValueError("not as it is written here")
    header = npy.read_array_header_1_0(file)
    return *header, file.tell(), os.fstat(file.fileno()).st_size


def _content(path: Path, length: int) -> NDArray[np.uint8] | None:
    """Return a stored file's bytes, read-only, or None if it is gone or shorter by now.

    Only for a length that the header agrees with: reading a mapped file beyond its end would kill
    the process.
    """
    try:
        content = np.fromfile(path, np.uint8) if length <= SMALL else map_file(path, length)
    except OSError:
        return None
    if content is None or len(content) != length:
        return None
    with suppress(OSError):  # another process may have removed it, or own it
        os.utime(path)  # marks it as recently used
    content.flags.writeable = False
    return content


def _moved(info: VideoInfo, old: str, new: str) -> VideoInfo:
    """Return info whose sentences name another path."""
    warnings = tuple(text.replace(old, new) for text in info.warnings)
    return replace(info, warnings=warnings, notes=tuple(t.replace(old, new) for t in info.notes))


def map_file(path: Path, length: int) -> NDArray[np.uint8] | None:
    """Return a stored file's bytes, mapped from disk, or None if it is gone; raises OutputError."""
    try:
        return _map(path, length)
    except RuntimeError as error:
        if not path.exists():
            return None
        raise OutputError(
            f"Cannot map one more decoded clip into memory ({path}): train on fewer clips, or "
            "raise the system's limit (vm.max_map_count on Linux)."
        ) from error


def _map(path: Path, length: int) -> NDArray[np.uint8]:
    import torch  # here, since decoding processes do without it

    # Not np.load, whose mapping keeps a file descriptor, of which there are often only 1024.
    # As bytes, since torch refuses a str that is not UTF-8.
    name: Any = os.fsencode(path)
    mapped = torch.from_file(name, shared=False, size=length, dtype=torch.uint8)
    return mapped.numpy()


def trim(folder: Path, limit: int = MAX_BYTES) -> None:
    """Remove the least recently used files until the rest fits into `limit` bytes.

    And what processes that were killed left half written, a day later.
    """
    for path in folder.glob("*.part"):
        with suppress(OSError):  # another process may have removed it, or own it
            if path.stat().st_mtime < time() - STALE:
                path.unlink()
    found: list[tuple[float, int, Path]] = []
    for path in folder.glob("*.npy"):
        with suppress(OSError):  # another process may have removed it
            known = path.stat()
            found.append((known.st_mtime, known.st_size, path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= limit:
            return
        with suppress(OSError):  # or own it
            path.unlink(missing_ok=True)
            total -= size
