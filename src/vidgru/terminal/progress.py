"""Progress bars on stderr, shown only in a terminal."""

from collections.abc import Generator
from typing import TypeVar

from tqdm import tqdm

from vidgru.core.results import Progress
from vidgru.terminal.source_loop import BAR

Result = TypeVar("Result")


def follow(steps: Generator[Progress, None, Result], quiet: bool) -> Result:
    """Run a job to its end with one bar a stage, and return its result."""
    bar: tqdm[None] | None = None
    stage = ""
    try:
        while True:
            try:
                progress = next(steps)
            except StopIteration as end:
                result: Result = end.value
                return result
            if bar is None or progress.stage != stage:
                if bar is not None:
                    bar.close()
                stage = progress.stage
                # disable=None: no bar where stderr is not a terminal.
                bar = tqdm(
                    desc=stage,
                    total=progress.total,
                    bar_format=f"{{desc}}: {BAR}",
                    disable=quiet or None,
                    dynamic_ncols=True,
                )
            bar.total = progress.total
            bar.set_postfix_str(progress.note, refresh=False)
            bar.update(progress.done - bar.n)
    except KeyboardInterrupt as interrupt:
        # If it came while the bar was drawn, the job must get it, to report how to resume.
        steps.throw(interrupt)
        raise
    finally:
        if bar is not None:
            bar.close()
