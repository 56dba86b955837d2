"""Write frames of videos and image folders as image files, with a table of their times."""

import io
import os
import re
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from vidgru.core.address import check_path
from vidgru.core.errors import OutputError, VideoError
from vidgru.core.files import begin_table, check_folder, only_writer, write_bytes
from vidgru.core.results import Failure
from vidgru.core.threads import ThreadPool
from vidgru.core.torchrun import process_rank, shard, shared_name, world_size
from vidgru.data.pool import cores
from vidgru.tools.extract.choose import choose_frames
from vidgru.tools.extract.options import ExtractConfig
from vidgru.tools.extract.results import ExtractedFrame
from vidgru.video.find import Sources, find_sources, listed, place
from vidgru.video.read import Video
from vidgru.video.write import JPEG_SIDE, write_image

TABLE = "frames.csv"
TABLES = re.compile(r"frames(-\d+-of-\d+)?\.csv")  # of a process under torchrun
FRAME_FILE = re.compile(r"\d{7,}_\d{6,}\.\d{3}s\.(jpg|png)")
WORKERS = min(4, cores())
WAITING_BYTES = 1 << 28  # of pixels that wait to be encoded


@dataclass(frozen=True)
class _Job:
    source: Path
    folder: Path  # relative to the output folder


def extract(
    sources: Sources, out: str | Path, config: ExtractConfig
) -> Generator[ExtractedFrame | Failure, None, None]:
    """Write frames into the folder `out` and yield each when its file is complete.

    A source is a video, an image, a folder of images, or a folder to search for videos; a
    single path is one, too. One source is written straight into `out`; several into a
    folder each. frames.csv in `out`, and in each of these folders, lists files,
    sources, source frame indices and seconds; it is written at the end, also after an
    interruption. A source that cannot be read gives a Failure after its frames, and the next one
    follows. Under torchrun, each process has its share of the sources, and lists them in a
    frames-<number>-of-<count>.csv of its own in `out`. Raises OutputError when a file cannot be
    written, another process extracts to `out`, or `out` holds frames already and the config does
    not set `overwrite`.
    """
    sources = listed(sources)
    for path in (*sources, out):
        check_path(path)
    out = Path(out)
    jobs = list(_jobs([Path(source) for source in sources]))
    check_folder(out)
    # The processes of torchrun share the folder, each with a table of its own.
    with nullcontext() if world_size() > 1 else only_writer(out):
        _check_output(out, [job for job in jobs if isinstance(job, _Job)], config.overwrite)
        yield from _extract_each(jobs, out, config)


def _extract_each(
    jobs: list[_Job | Failure], out: Path, config: ExtractConfig
) -> Iterator[ExtractedFrame | Failure]:
    # A single source belongs to one process only.
    alone = len(jobs) == 1 and isinstance(jobs[0], _Job) and jobs[0].folder == Path()
    table = TABLE if alone else shared_name("frames", ".csv")
    if world_size() > 1:
        from vidgru.engine.distributed import exchange

        exchange("")  # the check must not find files of the other processes
    written: list[ExtractedFrame] = []
    try:
        with ThreadPool(WORKERS) as pool:
            for job in shard(jobs):
                if isinstance(job, Failure):
                    yield job
                else:
                    yield from _extract_one(job, out, config, pool, written)
        if config.overwrite and written and process_rank() == 0:
            _remove_other_tables(out, table)
    finally:
        _write_table(out / table, written)


def _jobs(sources: list[Path]) -> Iterator[_Job | Failure]:
    taken: set[str] = set()
    for source in sources:
        for found in find_sources([source], sequences=False):
            if isinstance(found, Failure):
                yield found
            elif found != source:  # inside it
                yield _Job(found, place(found.relative_to(source), taken, avoid=TABLES))
            elif len(sources) == 1:
                yield _Job(source, Path())
            else:
                name = os.path.basename(os.path.abspath(source))
                keep = os.path.isdir(source)
                yield _Job(source, place(Path(name), taken, keep, avoid=TABLES))


def _check_output(out: Path, jobs: list[_Job], overwrite: bool) -> None:
    folders = {os.path.realpath(out / job.folder) for job in jobs}
    for job in jobs:
        check_folder(out / job.folder)
        source = os.path.realpath(job.source)
        # A picture of an earlier extraction would be removed with all others there.
        own = FRAME_FILE.fullmatch(os.path.basename(source)) is not None
        if source in folders or (own and os.path.dirname(source) in folders):
            raise OutputError(
                f"{job.source} cannot be read and written at once: choose another -o."
            )
    for folder in [] if overwrite else sorted({out, *(out / job.folder for job in jobs)}):
        found = _files(folder, TABLES) or _files(folder, FRAME_FILE)
        if found:
            raise OutputError(f"{found[0]} exists. Choose another folder, or give --overwrite.")


def _files(folder: Path, name: re.Pattern[str]) -> list[Path]:
    if not os.path.isdir(folder):  # folder.is_dir() fails on too long a name
        return []
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise OutputError(f"Cannot read {folder}: {error.strerror or error}.") from error
    return [folder / each for each in names if name.fullmatch(each)]


def _extract_one(
    job: _Job,
    out: Path,
    config: ExtractConfig,
    pool: ThreadPool,
    written: list[ExtractedFrame],
) -> Iterator[ExtractedFrame | Failure]:
    folder, source, first = out / job.folder, str(job.source), len(written)
    waiting: deque[tuple[Future[None], ExtractedFrame]] = deque()

    def finish_oldest() -> ExtractedFrame:
        waiting[0][0].result()
        written.append(waiting.popleft()[1])
        return written[-1]

    failure = None
    try:
        try:
            read: list[Video] = []
            for frame in choose_frames(job.source, config, read.append):
                if config.format == "jpg" and max(frame.rgb.shape) > JPEG_SIDE:
                    raise VideoError(
                        f"Frames of {source} are too large for jpg: give --format png, or --size."
                    )
                while len(waiting) > min(2 * WORKERS, WAITING_BYTES // frame.rgb.nbytes):
                    yield finish_oldest()
                file = folder / f"{frame.index:07d}_{frame.time:010.3f}s.{config.format}"
                time = round(frame.time, 6)
                item = ExtractedFrame(
                    file, source, frame.index, time, read[-1].reader, read[-1].why
                )
                waiting.append((pool.submit(write_image, file, frame.rgb, config.quality), item))
        except VideoError as error:
            failure = Failure(source, str(error))
        while waiting:
            yield finish_oldest()
    finally:
        # What was finished before an interruption belongs in the table.
        written += [item for future, item in waiting if future.exception() is None]
        if job.folder != Path():
            _write_table(folder / TABLE, written[first:])
    if failure is None and len(written) == first:
        last = "the end" if config.end is None else f"{config.end:g} s"
        failure = Failure(
            source,
            f"Nothing to extract from {source}: no frame from {config.start or 0:g} s to {last}.",
        )
    if failure:
        yield failure
    elif config.overwrite:
        _remove_old(folder, written[first:])


def _remove_old(folder: Path, kept: list[ExtractedFrame]) -> None:
    """Remove an earlier extraction's frames, which would contradict the table."""
    names = {item.file.name for item in kept}
    for file in _files(folder, FRAME_FILE):
        if file.name not in names:
            file.unlink(missing_ok=True)


def _remove_other_tables(out: Path, own: str) -> None:
    """Remove the tables of an earlier extraction by another number of processes."""
    for file in _files(out, TABLES):
        if re.sub(r"-\d+-", "-", file.name) != re.sub(r"-\d+-", "-", own):
            file.unlink(missing_ok=True)


def _write_table(path: Path, frames: list[ExtractedFrame]) -> None:
    if not frames:
        return
    text = io.StringIO()
    add = begin_table(text, ("file", "source", "index", "seconds"))
    for item in frames:
        file = item.file.relative_to(path.parent).as_posix()
        add((file, item.source, f"{item.index}", f"{item.seconds:.6f}"))
    write_bytes(path, text.getvalue().encode("utf-8", "surrogateescape"))
