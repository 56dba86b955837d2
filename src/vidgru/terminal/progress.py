"""Progress on stderr: bars in a terminal, elsewhere a plain line a minute."""

import math
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from vidgru.core.results import Progress
from vidgru.core.text import clock, printable

Result = TypeVar("Result")
BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
EVERY = 60.0  # seconds between lines, in whatever stages they are


class _Due:
    """When the next line is due. Never, until a command has started."""

    time = math.inf


def start_lines() -> None:
    """Begin to count the time up to the first line of a command."""
    _Due.time = time.monotonic() + EVERY


class _Lines:
    """What a job draws on without a terminal: a line a minute, or nothing if it is to be quiet.

    tqdm takes longer to import than a clip to read.
    """

    def __init__(
        self,
        quiet: bool,
        items: Iterable[Any],
        *,
        desc: str = "",
        total: float | None = None,
        initial: float = 0,
        unit: str = "",
        **options: object,
    ) -> None:
        self.quiet, self.items = quiet, items
        self.n, self.desc, self.total, self.unit, self.note = initial, desc, total, unit, ""
        self.began: tuple[float, float] | None = None  # time and n of the round's first update

    def __iter__(self) -> Iterator[Any]:
        for item in self.items:
            yield item
            self.update(1)

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *error: object) -> None: ...

    def close(self) -> None: ...

    def set_postfix_str(self, note: str, refresh: bool = False) -> None:
        self.note = note

    def set_description(self, text: str) -> None:
        self.desc = text

    def update(self, more: float) -> None:
        self.n += more
        now = time.monotonic()
        if self.began is None or more < 0:  # some stages have several rounds
            self.began = now, self.n
        if now >= _Due.time and not self.quiet:
            _Due.time = now + EVERY
            print(printable(self._line(now, *self.began)), file=sys.stderr, flush=True)

    def _line(self, now: float, began: float, first: float) -> str:
        """Return the stage, how much is done, the time left if known, and the note."""
        parts = [f"{self.n:g}{self.unit}"]
        if self.total:
            parts = [f"{100 * min(self.n / self.total, 1):.0f} %"]
            if first < self.n < self.total:
                left = (now - began) * (self.total - self.n) / (self.n - first)
                parts.append(f"{clock(left, 0)} left")
        if self.note:
            parts.append(self.note)
        return f"{self.desc}: {', '.join(parts)}" if self.desc else ", ".join(parts)


def bar(quiet: bool, items: Iterable[Any] | None = None, **options: Any) -> Any:
    """Return tqdm's bar over items; where stderr is no terminal, one that prints lines instead."""
    if quiet or not sys.stderr.isatty():
        return _Lines(quiet, items or (), **options)
    from tqdm import tqdm

    return tqdm(items, **options)


def room() -> AbstractContextManager[None]:
    """Return a context within which any bar on the screen makes room for what is printed."""
    if "tqdm" not in sys.modules:
        return nullcontext()
    cleared: AbstractContextManager[None] = sys.modules["tqdm"].tqdm.external_write_mode()
    return cleared


def follow(steps: Generator[Progress, None, Result], quiet: bool) -> Result:
    """Run a job to its end with one bar a stage, and return its result."""
    drawn: Any = None
    stage = ""
    try:
        while True:
            try:
                progress = next(steps)
            except StopIteration as end:
                result: Result = end.value
                return result
            if drawn is None or progress.stage != stage:
                if drawn is not None:
                    drawn.close()
                stage = progress.stage
                drawn = bar(
                    quiet,
                    desc=printable(stage),  # perhaps the name of a file
                    total=progress.total,
                    bar_format=f"{{desc}}: {BAR}",
                    dynamic_ncols=True,
                )
            drawn.total = progress.total
            drawn.set_postfix_str(printable(progress.note), refresh=False)
            drawn.update(progress.done - drawn.n)
    except KeyboardInterrupt as interrupt:
        # If it came while the bar was drawn, the job must get it, to report how to resume.
        steps.throw(interrupt)
        raise
    finally:
        if drawn is not None:
            drawn.close()
