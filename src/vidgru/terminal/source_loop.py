"""The loop of all commands over sources: print, keep, save, and count failures."""

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

from vidgru.core.files import begin_table, replacing
from vidgru.core.results import Failure, Progress
from vidgru.core.text import printable
from vidgru.terminal.progress import BAR, bar, room

IN_MEMORY = 1 << 20  # bytes of a table before it goes to a temporary file


@dataclass(frozen=True)
class CsvFile:
    """A table to write: its file or None, its columns, and the rows of an item by its class.

    The first column is the source; the last one is the error, which only a Failure has.
    """

    path: str | None = None
    columns: Sequence[str] = ()
    rows: Mapping[type, Callable[[Any], Iterable[list[str]]]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Output:
    """How the items of a command are printed and saved, by their class.

    show: prints an item for a person, unless `as_json`, which prints a JSON line for each item of
    the `json_types` instead. save: writes the files of an item, and returns whether that failed.
    A Failure always has a line on stderr, a JSON line and a row of the table.
    """

    as_json: bool = False
    json_types: tuple[type, ...] = ()
    show: Mapping[type, Callable[[Any], None]] = field(default_factory=dict)
    table: CsvFile = CsvFile()
    save: Mapping[type, Callable[[Any], bool]] = field(default_factory=dict)


def print_items(items: Iterable[Any], output: Output, quiet: bool = False) -> int:
    """Print, keep and save items as they come; return how many failed. Raises OutputError.

    quiet: does not report where the table was saved.
    """
    failures = 0
    table = output.table
    with _kept_rows(table.path, table.columns, quiet) as write:
        for item in items:
            if isinstance(item, Failure):
                write([item.source, *[""] * (len(table.columns) - 2), item.error])
            elif rows := table.rows.get(type(item)):
                for row in rows(item):
                    write(row)
            if output.as_json and type(item) in (Failure, *output.json_types):
                with room():
                    print(json.dumps(item.to_dict()))
            if isinstance(item, Failure):
                failures += 1
                _print_error(item)
            elif not output.as_json and (show := output.show.get(type(item))):
                with room():
                    show(item)
            if save := output.save.get(type(item)):
                failures += save(item)
    return failures


def print_sources(
    items: Iterable[Any],
    total: int,
    output: Output,
    *,
    quiet: bool,
    interrupted: str,
    parts: tuple[type, ...] = (),
) -> bool:
    """Like `print_items`, with a bar over all sources; return whether anything failed.

    Items of the classes `parts` are less than a whole source. On Ctrl-C, the sentence `interrupted`
    is raised with it: of {total} sources, {printed} were printed, and {done} were also saved.
    """
    printed = done = 0
    note = ""
    with bar(quiet, total=total, bar_format=BAR) as drawn:

        def counted() -> Iterator[Any]:
            nonlocal printed, done, note
            for item in items:
                share = 0.0
                if isinstance(item, Progress):
                    share = min(item.done / max(item.total, 1), 1)
                    note = f", {printable(item.note)}" if item.note else ""
                elif not isinstance(item, parts):
                    printed += 1
                if not isinstance(item, parts):
                    drawn.set_postfix_str(f"{printed}/{total} sources{note}", refresh=False)
                    drawn.update(printed + share - drawn.n)
                yield item
                done = printed  # the loop requests the next item when this one is done

        try:
            return print_items(counted(), output, quiet) > 0
        except KeyboardInterrupt:
            sentence = interrupted.format(printed=printed, done=done, total=total)
            raise KeyboardInterrupt(f"Interrupted. {sentence}") from None


def print_saved(results: Iterable[Path | Failure], quiet: bool) -> bool:
    """Report where files were saved and why others were not; return whether any was not."""
    failed = False
    for result in results:
        if isinstance(result, Failure):
            failed = True
            _print_error(result)
        elif not quiet:
            _note(f"Saved: {printable(str(result))}")
    return failed


def _print_error(failure: Failure) -> None:
    _note(f"Error: {printable(failure.error)}")


def _note(line: str) -> None:
    with room():
        print(line, file=sys.stderr)


@contextmanager
def _kept_rows(
    path: str | None, columns: Sequence[str], quiet: bool
) -> Iterator[Callable[[list[str]], Any]]:
    """Give a function that adds a row to a .csv file, which is written at the end in any case.

    Without a path, rows are discarded. Raises OutputError.
    """
    if path is None:
        yield lambda row: None
        return
    text: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
    with SpooledTemporaryFile(IN_MEMORY, "w+", **text) as kept:
        add = begin_table(kept, columns)
        try:
            yield add
        finally:
            kept.seek(0)
            with replacing(Path(path)) as temporary, open(temporary, "w", **text) as file:
                shutil.copyfileobj(kept, file)
            print_saved([Path(path)], quiet)
