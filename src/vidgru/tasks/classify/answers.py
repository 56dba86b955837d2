"""A file of predictions, a JSON line a source, that can be resumed however its writing ended."""

import json
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from vidgru.core.errors import OptionError, OutputError
from vidgru.core.files import lock
from vidgru.core.results import Failure
from vidgru.core.torchrun import shared_name, world_size
from vidgru.tasks.classify.many import Answer, Many, open_many
from vidgru.tasks.classify.options import PredictConfig
from vidgru.tasks.classify.results import Written

log = logging.getLogger("vidgru")

BEGINNING = b'{"source": "'  # of every line
MAX_LINE_BYTES = 1 << 28  # bytes of a line

Line = dict[str, Any]


@dataclass
class AnswerCounts:
    """The counts of a file's lines, and their sources."""

    sources: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    unsure: int = 0
    failures: int = 0

    def add(self, line: Line) -> None:
        """Count one line."""
        self.sources[line["source"]] += 1
        self.failures += "error" in line
        self.unsure += line.get("unsure", False)
        if "label" in line and not line["unsure"]:
            self.labels[line["label"]] += 1


@dataclass
class Answers:
    """Predictions on their way into a file; iterate over it to get and write them.

    left: the sources without a line; there: number of lines there were before.
    """

    many: Many
    left: list[Path | Failure]
    there: int
    _out: str
    _settings: Line
    _counts: AnswerCounts
    _file: IO[bytes]

    def __iter__(self) -> Iterator[Answer]:
        """Yield each prediction, its line written. Raises OutputError, ModelError, ProcessError."""
        for answer in self.many.answers(self.left):
            line = {**answer.to_dict(), **self._settings}
            try:
                data = json.dumps(line).encode() + b"\n"
                while data:
                    data = data[self._file.write(data) :]
            except OSError as error:
                raise OutputError(
                    f"Cannot write {self._file.name}: {error.strerror or error}."
                ) from error
            self._counts.add(line)
            yield answer

    def written(self) -> Written:
        """Return the counts of the file; under torchrun, of all processes, when all are done."""
        counts, out = self._counts, Path(self._out)
        own: Line = {
            "labels": counts.labels,
            "unsure": counts.unsure,
            "failures": counts.failures,
            "sources": counts.sources.total(),
            "there": self.there,
        }
        found = [own]
        if world_size() > 1:
            from vidgru.engine.distributed import exchange

            found = [json.loads(text) for text in exchange(json.dumps(own))]
            out = out.with_name(f"{out.stem}-*-of-{world_size()}{out.suffix}")
        labels = sum((Counter(one["labels"]) for one in found), Counter[str]())
        names = ("unsure", "failures", "sources", "there")
        sums = {name: sum(one[name] for one in found) for name in names}
        return Written(out, dict(labels.most_common()), **sums)


@contextmanager
def open_answers(sources: Sequence[str | Path], config: PredictConfig) -> Iterator[Answers]:
    """Find sources, open a model in several processes, and a file for its predictions.

    Under torchrun, each process has its share of the sources and a file of its own. Raises
    OutputError when the file exists already or, resuming, has other content; OptionError
    when it is a folder; and as `open_many` does.
    """
    if config.out is None:
        raise OptionError("Give --out: under torchrun, each process writes its own predictions.")
    path, resume = _place(config.out), config.resume
    if world_size() > 1:
        from vidgru.engine.distributed import exchange, restarted

        resume = resume or restarted()
        exchange("")  # early, so that a process that was not started is noticed now
    if os.path.exists(path) and not resume:
        raise OutputError(f"{path} exists. Continue with --resume, or give another --out.")
    with open_many(sources, config) as many:
        settings = {
            "model": many.model,
            "max_error": config.max_error,
            "timeline": config.segments,
        }
        if config.min_seconds is not None:
            settings["min_seconds"] = config.min_seconds
        with _opened(path, settings, resume) as (file, counts):
            done = counts.sources.copy()
            if world_size() > 1:
                for other in _shares(Path(config.out)):
                    done += _read(other, settings)[0].sources if other != path else Counter()
                exchange("")  # from now on, all write
            left = [source for source in many.found if not _take(done, source)]
            there = counts.sources.total()
            try:
                yield Answers(many, left, there, config.out, settings, counts, file)
            except KeyboardInterrupt:
                have, total = counts.sources.total(), there + len(left)
                raise KeyboardInterrupt(
                    f"Interrupted. {have} of {total} sources are in {path}. Continue with --resume."
                ) from None


def _take(done: Counter[str], source: Path | Failure) -> bool:
    """Return whether a source is done, once for each time it is."""
    name = source.source if isinstance(source, Failure) else str(source)
    if not done[name]:
        return False
    done[name] -= 1
    return True


def _place(given: str) -> Path:
    """Return the file of this process; raises OutputError if another number of them wrote here."""
    out = Path(given)
    if given.endswith((os.sep, "/")) or os.path.isdir(out):
        raise OptionError(f"--out {given} is a folder: give a file.")
    for other in _shares(out, None) if world_size() > 1 else []:
        if other not in _shares(out):
            raise OutputError(
                f"{other} is of another number of processes, not {world_size()}: start as many as "
                "then, or give another --out."
            )
    return out.with_name(shared_name(out.stem, out.suffix))


def _shares(out: Path, count: int | None = 0) -> list[Path]:
    """Return the files of all processes, in order; with None, for any number of processes."""
    number = r"\d+" if count is None else str(world_size())
    name = re.compile(rf"{re.escape(out.stem)}-\d+-of-{number}{re.escape(out.suffix)}")
    if not out.parent.is_dir():
        return []
    return sorted(path for path in out.parent.iterdir() if name.fullmatch(path.name))


@contextmanager
def _opened(path: Path, settings: Line, resume: bool) -> Iterator[tuple[IO[bytes], AnswerCounts]]:
    """Open a file to append lines, with the AnswerCounts of the existing ones."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "ab" if resume else "xb", buffering=0)  # noqa: SIM115
    except OSError as error:
        raise OutputError(f"Cannot write {path}: {error.strerror or error}.") from error
    with file:
        if not lock(file):
            raise OutputError(f"Another process is writing {path}.")
        counts, length = _read(path, settings)
        file.truncate(length)
        yield file, counts


def _read(path: Path, settings: Line) -> tuple[AnswerCounts, int]:
    """Return the counts of a file's complete lines, and their length in bytes.

    An incomplete last line is left out. Raises OutputError for any other file.
    """
    counts, length = AnswerCounts(), 0
    try:
        with open(path, "rb") as file:
            while text := file.readline(MAX_LINE_BYTES):
                if not text.endswith(b"\n") and text[: len(BEGINNING)] == BEGINNING[: len(text)]:
                    if file.read(1):
                        raise ValueError("too long")
                    break
                counts.add(_checked(path, text, settings))
                length += len(text)
    except OSError as error:
        raise OutputError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        row = counts.sources.total() + 1
        raise OutputError(
            f"Cannot resume {path}: line {row} is not an answer of `vidgru predict`."
        ) from error
    return counts, length


def _checked(path: Path, text: bytes, settings: Line) -> Line:
    """Return a parsed line; raises ValueError if invalid, OutputError for other settings."""
    line: Line = json.loads(text)
    kinds: dict[str, Callable[[Any], bool]] = {
        "source": lambda value: isinstance(value, str),
        "label": lambda value: isinstance(value, str),
        "unsure": lambda value: isinstance(value, bool),
        "error": lambda value: isinstance(value, str),
        # Settings are shown where they differ: nothing long.
        "model": lambda value: isinstance(value, str) and len(value) <= 64,
        "max_error": lambda value: value is None or (isinstance(value, float) and 0 < value < 1),
        "timeline": lambda value: isinstance(value, bool),
        "min_seconds": lambda value: isinstance(value, float) and value > 0,
    }
    good = isinstance(line, dict) and {*settings, "source"} - {"min_seconds"} <= line.keys()
    good = good and text.startswith(BEGINNING) and text.endswith(b"\n")
    good = good and all(check(line[name]) for name, check in kinds.items() if name in line)
    if not good or ("label" in line) != ("unsure" in line):
        raise ValueError("no answer")
    # Most answers have no shortest bout, and say nothing of it.
    for name, value in ({"min_seconds": None} | settings).items():
        if line.get(name) != value:
            raise OutputError(
                f"Cannot resume {path}: it was written with {name} "
                f"{json.dumps(line.get(name))}, "
                f"not {json.dumps(value)}. Give another --out."
            )
    return line
