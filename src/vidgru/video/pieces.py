"""Cut a video into pieces of whole frames: copied where that is exact, else encoded again."""

import logging
import os
import shutil
import subprocess
import tempfile
from array import array
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from time import monotonic

import numpy as np

from vidgru.core.errors import VideoError
from vidgru.video.file_clock import FileClock, file_clock
from vidgru.video.read import VIDEO_SUFFIXES, open_video
from vidgru.video.record import INSTALL, find_encoder, open_recorder
from vidgru.video.remux import LONGEST_PACKET, Sound, join, longest_packet, open_sounds
from vidgru.video.streams import ERRORS

log = logging.getLogger("vidgru")

STUCK = 120.0  # seconds without output after which a program is ended
KEPT_SUFFIXES = (".mp4", ".mov", ".m4v")  # others become Matroska, which holds nearly everything
OWN_SUFFIX = ".mp4"  # of the files that vidgru itself encodes
SUFFIXES = (*KEPT_SUFFIXES, ".mkv")
ENCODERS = {"libx264": ("-crf", "18", "-preset", "veryfast"), "mpeg4": ("-q:v", "2")}
# Kinds of pixels that they store: that which loses least is taken.
KINDS = {
    "libx264": "yuv420p|yuv422p|yuv444p|yuv420p10le|yuv422p10le|yuv444p10le",
    "mpeg4": "yuv420p",
}
MIN_FPS, MAX_FPS = 1, 240  # frames/s of the files that vidgru itself encodes
# The protocol keeps any name a plain name, and a file that names others from reading a network.
INPUT = ("-protocol_whitelist", "file", "-i")
# For short packets of sound: a lossless format where the container supports it.
SHORT_PACKETS = {
    False: ("-c:a", "aac", "-ar", "48000"),
    True: ("-c:a", "flac", "-frame_size", "256"),
}
TICK = "1/60000"  # of uneven times, in seconds; MPEG-4 has no finer one that fits milliseconds
QUIET = ("-nostdin", "-hide_banner", "-v", "error", "-y")

Span = tuple[int, int]  # first frame, and the one after the last


@dataclass(frozen=True)
class Piece:
    """A file with a span of frames, and its method: "copied", "encoded" or "silent"."""

    path: Path
    made: str


@dataclass(frozen=True)
class _Part:
    """A file that holds the frames of some pieces, in order."""

    path: Path
    spans: tuple[Span, ...]
    copied: bool

    @property
    def counts(self) -> list[int]:
        return [end - start for start, end in self.spans]


def cut_video(
    source: Path,
    spans: Sequence[Span],
    times: Sequence[float],
    fps: float,
    place: Callable[[int], Path],
    *,
    variable: bool = False,
) -> Generator[int, None, list[Piece]]:
    """Write each span of a source's frames as `place(index)`, with a suffix added.

    The spans are contiguous and cover all frames; `times` are the seconds at which they begin and
    the last one ends, `fps` is their rate, `variable` whether they come unevenly. With an ffmpeg
    program, pieces between key frames are copied and others encoded again, with their sound, in
    .mp4, .mov, .m4v or .mkv; each is read back and its frames counted. Where that does not give
    exactly the frames, and without the program, vidgru writes an .mp4 without sound at an even
    rate, and warns of that unless the source is a folder of images. Yields the number of frames
    written so far, now and then.
    Raises VideoError, OutputError.
    """
    folder = place(0).parent
    folder.mkdir(parents=True, exist_ok=True)
    made: dict[int, Piece] = {}
    reason = "there is no ffmpeg program that can encode it"
    found = find_encoder(ENCODERS)
    pictures = source.suffix.lower() not in VIDEO_SUFFIXES and source.is_dir()
    if found is not None and not pictures:
        suffix = source.suffix.lower()
        suffix = suffix if suffix in KEPT_SUFFIXES else ".mkv"
        with (
            tempfile.TemporaryDirectory(prefix=".", dir=folder) as scratch,
            ExitStack() as stack,
        ):
            clock = file_clock(source)
            work = _Work(*found, suffix, Path(scratch), clock, variable)
            sounds = yield from work.sounds(source, stack)
            done = 0
            for part in (yield from work.copied(source, spans)):
                files, why = yield from work.split(part)
                reason = why or reason
                for number, file in enumerate(files, spans.index(part.spans[0])):
                    path = place(number).with_name(place(number).name + suffix)
                    span = times[number], times[number + 1]
                    whole = yield from work.joined(file, sounds, span)
                    os.replace(whole or file, path)
                    how = "copied" if part.copied and len(files) == 1 else "encoded"
                    made[number] = Piece(path, how if whole else "silent")
                done += sum(part.counts)
                yield done
    if lost := sum(piece.made == "silent" for piece in made.values()):
        log.warning(
            "%s: %d of %d pieces are written without their sound, which cannot be copied.",
            source, lost, len(spans),
        )  # fmt: skip
    left = {n: span for n, span in enumerate(spans) if n not in made}
    if left and not pictures:
        log.warning(
            "%s: %d of %d pieces are written without sound and at an even rate: %s.",
            source, len(left), len(spans), reason,
        )  # fmt: skip
    paths = {n: place(n).with_name(place(n).name + OWN_SUFFIX) for n in left}
    yield from _write_own(source, [(*span, paths[n]) for n, span in left.items()], fps)
    made |= {n: Piece(path, "silent") for n, path in paths.items()}
    return [made[n] for n in range(len(spans))]


def warn_without_encoder() -> None:
    """Warn where there is no ffmpeg program that can write pieces."""
    if find_encoder(ENCODERS) is None:
        log.warning(
            "There is no ffmpeg program with %s, so all pieces are encoded by OpenCV: slowly, "
            "without sound and at an even rate. %s",
            " or ".join(ENCODERS),
            INSTALL,
        )


class _Work:
    """Cuts files with an ffmpeg program, in a temporary folder."""

    def __init__(
        self,
        program: str,
        encoder: str,
        suffix: str,
        folder: Path,
        clock: FileClock,
        variable: bool = False,
    ) -> None:
        self.program, self.encoder, self.suffix, self.folder = program, encoder, suffix, folder
        self.clock, self.variable = clock, variable
        self.count = 0
        self.source: Path | None = None  # None for intermediate files

    def sounds(self, source: Path, stack: ExitStack) -> Generator[int, None, list[Sound]]:
        """Return the sound streams of a source, in packets short enough to be cut."""
        self.source = source
        try:
            if longest_packet(source) <= LONGEST_PACKET:
                return open_sounds(source, stack)
            short = self.folder / f"sound{self.suffix if self.suffix in KEPT_SUFFIXES else '.mka'}"
            command = [self.program, *QUIET, *INPUT, f"file:{os.path.abspath(source)}"]
            command += ["-map", "0:a", *SHORT_PACKETS[short.suffix == ".mka"], "-copyts"]
            command += ["-avoid_negative_ts", "disabled", short.name]
            failed = yield from _run(command, self.folder)
            if failed is None:
                return open_sounds(short, stack)
        except ERRORS as error:
            failed = str(error)
        log.warning("%s: pieces are written without their sound: %s.", source, failed)
        return []

    def joined(
        self, file: Path, sounds: Sequence[Sound], span: tuple[float, float]
    ) -> Generator[int, None, Path | None]:
        """Return a file with the sound of a time span in seconds; None if that fails."""
        if not sounds:
            return file
        whole = file.with_name(f"whole{self.suffix}")
        begin = self.clock.origin + self.clock.start
        try:
            join(file, whole, sounds=sounds, span=(begin + span[0], begin + span[1]))
        except ERRORS:
            return None
        frames = yield from _frames_of(file)
        return whole if (yield from _frames_of(whole)) == frames else None

    def copied(self, source: Path, spans: Sequence[Span]) -> Generator[int, None, list[_Part]]:
        """Return files cut at key frames only; the source itself where there is nothing to cut."""
        whole = _Part(source, tuple(spans), False)
        keys = yield from self._key_frames(source, spans[-1][1])
        begins = [n for n, (start, _) in enumerate(spans) if start in keys]
        if begins[:1] != [0] or (len(begins) == 1 and len(spans) > 1):
            return [whole]
        parts = [tuple(spans[a:b]) for a, b in pairwise([*begins, len(spans)])]
        counts = [part[-1][1] - part[0][0] for part in parts]
        files, _ = yield from self._segments(source, counts, ["-c:v", "copy"])
        if not files:
            return [whole]
        return [_Part(file, part, True) for file, part in zip(files, parts, strict=True)]

    def split(self, part: _Part) -> Generator[int, None, tuple[list[Path], str | None]]:
        """Return a file for each span of a part, or why that failed."""
        if part.copied and len(part.spans) == 1:
            return [part.path], None
        starts = list(accumulate(part.counts))[:-1]
        # Most store colours at half the resolution, which requires even sides.
        kinds = KINDS[self.encoder]
        options = ["-vf", f"scale=ceil(iw/2)*2:ceil(ih/2)*2,format={kinds}"]
        options += ["-c:v", self.encoder, *ENCODERS[self.encoder], "-vsync", "passthrough"]
        if self.variable:  # otherwise times would be rounded to the usual frame rate
            options += ["-enc_time_base", TICK]
        if starts:
            forced = "+".join(f"eq(n,{start})" for start in starts)
            options += ["-force_key_frames", f"expr:{forced}"]
        return (yield from self._segments(part.path, part.counts, options))

    def _segments(
        self, source: Path, counts: Sequence[int], options: Sequence[str]
    ) -> Generator[int, None, tuple[list[Path], str | None]]:
        """Cut a file into segments of these numbers of frames; return them, or the failure."""
        self.count += 1
        # Relative to the folder, whose name may contain a percent sign.
        name = f"{self.count}-%06d{self.suffix}"
        starts = ",".join(map(str, list(accumulate(counts))[:-1])) or str(sum(counts))
        command = [self.program, *QUIET, *INPUT, f"file:{os.path.abspath(source)}"]
        known = source == self.source and self.clock.stream is not None
        film = f"0:{self.clock.stream}" if known else "0:v:0"
        command += ["-map", film, *options, "-metadata", "timecode=", "-metadata:s", "timecode="]
        # Otherwise pictures would be delayed as far as B-frames are reordered.
        command += ["-avoid_negative_ts", "disabled", "-f", "segment"]
        command += ["-segment_frames", starts, "-reset_timestamps", "1", name]
        failed = yield from _run(command, self.folder)
        if failed is not None:
            return [], failed
        files = [self.folder / (name % number) for number in range(len(counts))]
        for file, count in zip(files, counts, strict=True):
            if (yield from _frames_of(file)) != count:
                return [], "what ffmpeg makes of it are not its frames"
        return files, None

    def _key_frames(self, source: Path, frames: int) -> Generator[int, None, set[int]]:
        """Return the frames at which a file can be cut, none where that is uncertain."""
        program = shutil.which("ffprobe")
        if program is None:
            return set()
        film = "v:0" if self.clock.stream is None else str(self.clock.stream)
        command = [program, "-v", "error", "-select_streams", film, "-show_entries"]
        command += ["packet=pts,flags", "-of", "csv=p=0", *INPUT, f"file:{os.path.abspath(source)}"]
        table = self.folder / "packets.csv"
        if (yield from _run(command, self.folder, table)) is not None:
            return set()
        times, keys = array("q"), array("b")
        with open(table, encoding="ascii", errors="replace") as file:
            for line in file:
                time, _, flags = line.strip().partition(",")
                if not line.strip():  # some formats end with an empty line
                    continue
                if not time.lstrip("-").isdecimal():
                    return set()
                times.append(int(time))
                keys.append("K" in flags)
        if len(times) != frames:
            return set()
        # Packets come in decoding order. No frame before a cut may be shown after it, nor the
        # other way round.
        shown = np.array(times)
        whole = shown == np.maximum.accumulate(shown)
        whole &= shown == np.minimum.accumulate(shown[::-1])[::-1]
        return {int(n) for n in np.flatnonzero(whole & (np.array(keys) > 0))}


def _run(
    command: list[str], folder: Path, out: Path | None = None
) -> Generator[int, None, str | None]:
    """Run a program that writes into a folder, yielding meanwhile; return its failure, or None.

    It is ended when it writes nothing for long, and with the generator.
    """
    with (
        tempfile.TemporaryFile() as complaints,
        open(out if out is not None else os.devnull, "wb") as output,
    ):
        try:
            # In a process group of its own, so that Ctrl-C reaches only vidgru.
            process = subprocess.Popen(  # noqa: S603
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=complaints,
                process_group=0,
            )  # fmt: skip
        except OSError as error:  # for example too many cuts for a command line
            return f"ffmpeg does not run: {error.strerror}"
        try:
            size, since = -1, monotonic()
            while process.poll() is None:
                try:
                    process.wait(0.1)
                except subprocess.TimeoutExpired:
                    yield 0
                now = sum(entry.stat().st_size for entry in os.scandir(folder))
                if now != size:
                    size, since = now, monotonic()
                elif monotonic() - since > STUCK:
                    return f"ffmpeg wrote nothing for {STUCK:.0f} s"
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode == 0:
            return None
        complaints.seek(max(complaints.seek(0, os.SEEK_END) - 4000, 0))
        words = complaints.read().decode("utf-8", "replace").strip().splitlines()
        return f"ffmpeg says: {words[-1].rstrip('.')}" if words else "ffmpeg fails"


def _frames_of(path: Path) -> Generator[int, None, int]:
    """Return the number of frames that can be read from a file."""
    try:
        with open_video(path) as video:
            while video.grab() is not None:
                if video.frames_read % 100 == 0:
                    yield 0
            return video.frames_read
    except VideoError:
        return 0


def _write_own(source: Path, pieces: Sequence[tuple[int, int, Path]], fps: float) -> Iterator[int]:
    """Write pieces in one pass over the frames of a source, in the size of the first frame."""
    if not pieces:
        return
    rate = Fraction(min(max(fps, MIN_FPS), MAX_FPS)).limit_denominator(1001)
    with open_video(source) as video:
        size: tuple[int, int] | None = None

        def step() -> None:
            nonlocal size
            if video.grab() is None:
                raise VideoError(f"{source} has changed: it ends before frame {pieces[-1][1] - 1}.")
            if size is None:
                size = video.retrieve().shape[1::-1]

        for start, end, path in pieces:
            while video.frames_read <= start:
                step()
            if size is None:
                raise RuntimeError("A piece begins before the first frame.")
            with open_recorder(path, size, rate) as recorder:
                recorder.write(video.retrieve(size))
                while video.frames_read < end:
                    step()
                    recorder.write(video.retrieve(size))
                    yield video.frames_read
