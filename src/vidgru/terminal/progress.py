"""Progress bars on stderr, shown only in a terminal."""

import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from vidgru.core.results import Progress

Result = TypeVar("Result")
BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


class _NoBar:
    """What a job draws on without a terminal. tqdm takes longer to import than a clip to read."""

    n = 0

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __enter__(self) -> "_NoBar":
        return self

    def __exit__(self, *error: object) -> None: ...

    def _draw(self, *what: object, **how: object) -> None: ...

    update = set_postfix_str = set_description = close = _draw


def bar(quiet: bool, items: Iterable[Any] | None = None, **options: Any) -> Any:
    """Return tqdm's bar over items, or one that is never drawn where stderr is no terminal."""
    if quiet or not sys.stderr.isatty():
        return _NoBar(items or ())
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
                    desc=stage,
                    total=progress.total,
                    bar_format=f"{{desc}}: {BAR}",
                    dynamic_ncols=True,
                )
            drawn.total = progress.total
            drawn.set_postfix_str(progress.note, refresh=False)
            drawn.update(progress.done - drawn.n)
    except KeyboardInterrupt as interrupt:
        # If it came while the bar was drawn, the job must get it, to report how to resume.
        steps.throw(interrupt)
        raise
    finally:
        if drawn is not None:
            drawn.close()
