"""One source after another, whatever is done with them."""

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from vidgru.errors import VideoError
from vidgru.results import Failure

Step = TypeVar("Step")
Result = TypeVar("Result")


def each(
    sources: Sequence[Path | Failure], steps: Callable[[Path], Generator[Step, None, Result]]
) -> Iterator[Step | Result | Failure]:
    """Yield the steps and the result of each source, or the Failure that says why it has none."""
    for source in sources:
        if isinstance(source, Failure):
            yield source
            continue
        try:
            yield (yield from steps(source))
        except VideoError as error:
            yield Failure(str(source), str(error))
