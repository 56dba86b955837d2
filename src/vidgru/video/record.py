"""Write videos that browsers play: with an `ffmpeg` program if there is one, else OpenCV."""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import IO

import cv2
import numpy as np

from vidgru.core.errors import OptionError, OutputError
from vidgru.core.files import replacing
from vidgru.core.results import Failure
from vidgru.video.output_paths import plan_files
from vidgru.video.read import Image
from vidgru.video.remux import join
from vidgru.video.streams import ERRORS

log = logging.getLogger("vidgru")

# ruff: noqa: SIM905
# For each file type, encoders of an ffmpeg program, best first.
ENCODERS = {
    ".mp4": {
        "libx264": "-crf 20 -preset veryfast".split(),
        # It has no constant quality; this is a high rate for most sizes.
        "libopenh264": "-b:v 8M".split(),
    },
    ".webm": {
        "libvpx-vp9": "-crf 30 -b:v 0 -deadline realtime -cpu-used 6 -row-mt 1".split(),
    },
}
SUFFIXES = tuple(ENCODERS)
INSTALL = "Install ffmpeg; on Debian and Ubuntu: apt install ffmpeg"
# OpenCV's wheels write VP8, too, but from 720 lines on browsers guess its colours wrongly.
FOURCC = {".mp4": "vp09", ".webm": "VP90"}


class _Writer(ABC):
    """Takes the frames of one file."""

    @abstractmethod
    def write(self, rgb: Image) -> None:
        """Add one frame of the size given at the start."""

    @abstractmethod
    def finish(self) -> None:
        """Complete the file; raises OSError, or OutputError with the bare reason."""

    @abstractmethod
    def abandon(self) -> None:
        """Close an incomplete file."""


class _Piped(_Writer):
    def __init__(self, command: list[str]) -> None:
        # A file takes any amount; a pipe that nobody reads would block the program for ever.
        self.complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            # In a process group of its own, so that Ctrl-C reaches only vidgru.
            self.process = subprocess.Popen(  # noqa: S603
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self.complaints,
                process_group=0,
            )
        except BaseException:
            self.complaints.close()
            raise

    def write(self, rgb: Image) -> None:
        # Here rather than by ffmpeg: half the bytes, and it was 4 dB nearer to the picture.
        yuv = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
        try:
            self._pipe().write(yuv.data)
        except OSError:  # it ended
            raise OutputError(self._reason()) from None

    def _pipe(self) -> IO[bytes]:
        if self.process.stdin is None:
            raise RuntimeError("Popen was told to open a pipe.")
        return self.process.stdin

    def finish(self) -> None:
        with contextlib.suppress(OSError):  # its exit status decides
            self._pipe().close()
        if self.process.wait():
            raise OutputError(self._reason())

    def abandon(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        with contextlib.suppress(OSError):
            self._pipe().close()
        self.process.wait()
        self.complaints.close()

    def _reason(self) -> str:
        """Return why the program ended, quoting its own message if there is one."""
        with contextlib.suppress(OSError):
            self._pipe().close()
        code = self.process.wait()
        if code < 0:
            return f"ffmpeg was ended by {signal.Signals(-code).name}"
        self.complaints.seek(max(self.complaints.seek(0, os.SEEK_END) - 4000, 0))
        words = self.complaints.read().decode("utf-8", "replace").strip().splitlines()
        return f"ffmpeg says: {words[-1].rstrip('.')}" if words else f"ffmpeg ended with {code}"


class _Wheel(_Writer):
    def __init__(self, path: Path, size: tuple[int, int], fps: Fraction) -> None:
        self.path, self.count = path, 0
        code = cv2.VideoWriter.fourcc(*FOURCC[path.suffix.lower()])
        path.touch()  # raises the reason where it cannot be written
        with _quiet():
            self.writer = cv2.VideoWriter(
                os.path.abspath(path), cv2.CAP_FFMPEG, code, float(fps), size
            )
        if not self.writer.isOpened():
            raise OutputError(
                f"this OpenCV cannot encode {size[0]}x{size[1]} pixels in VP9; install ffmpeg"
            )

    def write(self, rgb: Image) -> None:
        self.writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        self.count += 1

    def finish(self) -> None:
        self.writer.release()
        # OpenCV does not report a full disk.
        capture, found = cv2.VideoCapture(os.path.abspath(self.path), cv2.CAP_FFMPEG), 0
        while capture.grab():
            found += 1
        capture.release()
        if found != self.count:
            raise OutputError(f"of {self.count} frames, the disk took {found}")

    def abandon(self) -> None:
        self.writer.release()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what OpenCV writes to stderr, bypassing Python, for every WebM file."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # there may be no stderr
            kept = os.dup(2)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, 2)
            with open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), 2)
        yield


@cache
def encoders(program: str) -> frozenset[str]:
    """Return the names of the encoders of an ffmpeg program; empty where it does not run."""
    try:
        done = subprocess.run(  # noqa: S603
            [program, "-nostdin", "-hide_banner", "-encoders"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return frozenset()
    lines = [line.split() for line in done.stdout.decode("utf-8", "replace").splitlines()]
    return frozenset(words[1] for words in lines if len(words) > 1)


def check_suffix(path: Path) -> None:
    """Raise OptionError unless a video can be written to a path of this name."""
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(
            f"Cannot write {path}: the name of the video must end with {' or '.join(SUFFIXES)}."
        )


def find_encoder(names: Iterable[str]) -> tuple[str, str] | None:
    """Return an ffmpeg program and the first of some encoders that it has; None without one."""
    program = shutil.which("ffmpeg")
    found = (name for name in names if program and name in encoders(program))
    return next(((str(program), name) for name in found), None)


def plan_videos(
    option: str,
    target: str | None,
    sources: Sequence[str | Path],
    found: Sequence[Path | Failure],
) -> dict[Path, Path]:
    """Return the video to write for each source, as `plan_files`; warn where that will be slow."""
    plan = plan_files(option, target, SUFFIXES, sources, found)
    for suffix in {path.suffix.lower() for path in plan.values()}:
        _check_encoder(suffix)
    return plan


def _check_encoder(suffix: str) -> tuple[str, str] | None:
    """Return what encodes a type of file, as `find_encoder`; warn, once, where there is none."""
    found = find_encoder(ENCODERS[suffix])
    if found is None:
        _miss(" or ".join(ENCODERS[suffix]))
    return found


@cache
def _miss(names: str) -> None:
    log.warning(
        "There is no ffmpeg program with %s, so OpenCV writes VP9, several times as slowly. %s",
        names,
        INSTALL,
    )


def _open(path: Path, size: tuple[int, int], fps: Fraction) -> _Writer:
    suffix = path.suffix.lower()
    found = _check_encoder(suffix)
    if found is None:
        return _Wheel(path, size, fps)
    program, encoder = found
    command = [program, "-nostdin", "-hide_banner", "-v", "error", "-xerror", "-y"]
    command += ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{size[0]}x{size[1]}"]
    command += ["-r", str(fps), "-i", "pipe:0"]
    command += ["-c:v", encoder, *ENCODERS[suffix][encoder], "-pix_fmt", "yuv420p"]
    # OpenCV's matrix is that of BT.601, at any size.
    command += ["-color_range", "tv", "-colorspace", "smpte170m", "-color_primaries", "smpte170m"]
    command += ["-color_trc", "smpte170m", "-movflags", "+faststart"]
    # The protocol keeps any name a plain name.
    return _Piped([*command, f"file:{os.path.abspath(path)}"])


class Recorder:
    """Takes rgb uint8 (H, W, 3) frames for a video; `open_recorder` makes it."""

    def __init__(self, writer: _Writer, size: tuple[int, int]) -> None:
        self._writer, self._size = writer, size

    def write(self, rgb: Image) -> None:
        """Add one frame."""
        width, height = self._size
        if rgb.shape != (height, width, 3):
            raise ValueError(f"A frame has the shape {rgb.shape}, not {(height, width, 3)}.")
        if width % 2 or height % 2:
            rgb = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        self._writer.write(rgb)


@contextlib.contextmanager
def open_recorder(
    path: Path, size: tuple[int, int], fps: Fraction, start: float = 0.0
) -> Iterator[Recorder]:
    """Write a video of `size` (width, height) and `fps` frames/s, complete when the block succeeds.

    The picture starts at `start`, in seconds; players show nothing before.
    .mp4 is H.264 and .webm is VP9 where an ffmpeg program can write that, else both are VP9 by
    OpenCV. Colours are stored at half the resolution, which takes even sides: an odd width or
    height is made even by showing the last column or row twice. A file of this name is replaced
    when the video is complete; until then, and when anything fails, it stays as it was. Raises
    OptionError for another suffix, and OutputError.
    """
    check_suffix(path)
    even = size[0] + size[0] % 2, size[1] + size[1] % 2
    with replacing(path) as temporary:
        try:
            with contextlib.ExitStack() as stack:
                writer = _open(temporary, even, fps)
                stack.callback(writer.abandon)
                yield Recorder(writer, size)
                writer.finish()
                if start:
                    _begin_later(temporary, start)
        except OutputError as error:
            raise OutputError(f"Cannot write {path}: {error}.") from None


def _begin_later(path: Path, seconds: float) -> None:
    with replacing(path) as moved:
        try:
            join(path, moved, later=seconds)
        except ERRORS as error:
            raise OutputError(f"its beginning cannot be moved: {error}") from error
