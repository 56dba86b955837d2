"""Common parts of all tables."""

import json
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vidgru.core.results import ToDict
from vidgru.core.text import printable


def open_console() -> Console:
    """Return the console for tables."""
    console = Console(highlight=False)
    # Without a terminal there is no width, and lines stay whole.
    return console if console.is_terminal else Console(highlight=False, width=200)


def fits_width(console: Console, table: Table) -> bool:
    """Return whether a table is no wider than the console, with all its cells whole."""
    whole = console.options.update(max_width=10_000)
    return console.measure(table, options=whole).maximum <= console.width


def shown(text: str) -> Text:
    """Return untrusted text, safe for a table."""
    return Text(printable(text), overflow="fold")


def percent(value: float | None) -> str:
    """Return a share in percent, with one decimal."""
    return "-" if value is None else f"{100 * value:.1f} %"


def points(share: float) -> str:
    """Return a difference of shares in percentage points."""
    number = f"{100 * share:.1f}".removesuffix(".0")
    return f"{number} point{'' if number == '1' else 's'}"


def print_result(result: Any, as_json: bool, show: Callable[[Any], None]) -> None:
    """Print the one result of a command: as JSON, or as `show` does."""
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    else:
        show(result)


def print_plain(result: ToDict) -> None:
    """Print the plain values of a result, one a line."""
    for name, value in result.to_dict().items():
        print(printable(f"{name}: {value}"))
