"""The run folder: what one training leaves on disk."""

import csv
import io
import itertools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vidgru.errors import OutputError
from vidgru.files import write_bytes

RUNS = Path("runs")


def create_run(folder: Path, out: str | None, kind: str = "") -> Path:
    """Make and return a new run folder: `out`, or runs/<folder><kind>-<number>.

    Raises OutputError.
    """
    try:
        if out is not None:
            run = Path(out)
            if blocked := [path for path in run.parents if path.exists() and not path.is_dir()]:
                raise OutputError(f"Cannot make the run folder {run}: {blocked[0]} is a file.")
            run.parent.mkdir(parents=True, exist_ok=True)
            if run.is_dir() and not any(run.iterdir()):
                return run
            run.mkdir()
            return run
        name = re.sub(r"[^\w.-]+", "_", folder.resolve().name) or "run"
        RUNS.mkdir(exist_ok=True)
        # mkdir is what keeps two trainings at once apart.
        for number in itertools.count(1):
            run = RUNS / f"{name}{kind}-{number}"
            if not run.exists():
                run.mkdir()
                return run
    except FileExistsError:
        raise OutputError(f"{run} exists already: give another --out, or remove it.") from None
    except OSError as error:
        raise OutputError(f"Cannot make the run folder {run}: {error.strerror}.") from error
    raise OutputError("No free run number.")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write readable JSON; raises OutputError."""
    write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of the same keys as CSV; raises OutputError."""
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_bytes(path, text.getvalue().encode("utf-8", "surrogateescape"))


def read_numbers(path: Path) -> list[dict[str, float]]:
    """Return the rows of a table of numbers, as `write_table` wrote it."""
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]
