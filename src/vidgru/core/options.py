"""Config fields that carry their command-line help and their valid values."""

import dataclasses
import difflib
import math
import operator
import re
import typing
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import Any, TypeVar

from vidgru.core.address import check_path
from vidgru.core.errors import OptionError, VidgruError

PLACES = {"DIR", "FILE", "FOLDER", "RUN"}  # metavars of paths
TYPES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def option(default: Any, text: str, **meta: Any) -> Any:
    """Return a dataclass field with its help text and valid values.

    `meta` may hold `choices`, `low` (smallest value), `above` (value must be larger), `metavar`,
    and `flag`, the option's name where it is not the field's.
    """
    return field(default=default, metadata={"help": text, **meta})


Config = TypeVar("Config")


def documented(kind: type[Config]) -> type[Config]:
    """Add the meaning and default of each option to the docstring of a config, for `help()`."""
    lines = [
        f"    {item.name} = {item.default!r}: {item.metadata['help']}"
        for item in dataclasses.fields(kind)  # type: ignore[arg-type]
        if "help" in item.metadata
    ]
    kind.__doc__ = "\n\n".join([str(kind.__doc__), "Options:", *lines])
    return kind


def paths_of(config: Any) -> list[str]:
    """Return the names of a config's options that are paths, and not a word in their place."""
    fields = dataclasses.fields(config)
    return [f.name for f in fields if _is_path(getattr(config, f.name), f.metadata)]


def _is_path(value: Any, meta: Any) -> bool:
    """Return whether a value is a path, by the metavar: of RUN|none, "none" is the word itself."""
    parts = (meta.get("metavar") or "").split("|")
    return not PLACES.isdisjoint(parts) and value not in parts


def make(kind: type[Config], options: dict[str, Any], **own: Any) -> Config:
    """Return a config from options that a program gave by name, and from `own` values.

    Raises OptionError for a name that is not a field, or is in `own`.
    """
    names = [item.name for item in dataclasses.fields(kind) if item.name not in own]  # type: ignore[arg-type]
    check_names(options, names)
    return kind(**own, **options)


# An option of the command line with its value, where it stands in no command that is quoted whole.
FLAG = re.compile(
    r"`[^`]*`|(?<![\w-])--(no-)?([a-z][a-z-]*[a-z])(?: (-?\d[\d.]*|nan|inf|[A-Z]+)\b)?"
)


@contextmanager
def python_names(**others: str) -> Iterator[None]:
    """Let errors call options as Python does: `group_by=COLUMN` for `--group-by COLUMN`.

    others: names of arguments, by those of the options that are called otherwise.
    """

    def named(match: re.Match[str]) -> str:
        if match[2] is None:
            return match[0]
        value = "False" if match[1] else match[3]
        name = match[2].replace("-", "_")
        return others.get(name, name) + (f"={value}" if value else "")

    try:
        yield
    except VidgruError as error:
        error.args = (FLAG.sub(named, str(error)), *error.args[1:])
        raise


def check_names(options: Iterable[str], names: Collection[str]) -> None:
    """Raise OptionError for an option that is not one of these names."""
    for name in options:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            advice = f"did you mean {near[0]!r}?" if near else f"choose from: {', '.join(names)}."
            raise OptionError(f"Unknown option {name!r}: {advice}")


def check(config: Any) -> None:
    """Raise OptionError when a field of a config has a wrong type or an invalid value."""
    hints = typing.get_type_hints(type(config))
    for item in dataclasses.fields(config):
        value, meta = getattr(config, item.name), item.metadata
        name = "--" + item.name.replace("_", "-")
        _check_type(name, value, hints[item.name])
        if value is None:
            continue
        for one in value if isinstance(value, tuple) else (value,):
            _check_value(name, one, meta)


def _check_value(name: str, value: Any, meta: Any) -> None:
    """Raise OptionError when a value, or one of several, is out of range or no valid choice."""
    choices = meta.get("choices")
    if _is_path(value, meta):
        if value == "":  # which Path takes for the current folder
            raise OptionError(f"{name} is empty: give a path.")
        check_path(value)
    if choices and value not in choices:
        raise OptionError(f"Invalid {name} {value!r}. Choose one of: {', '.join(choices)}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise OptionError(f"Invalid {name} {value}. It must be a finite number.")
    if isinstance(value, int) and abs(value) >= 2**1000:  # no float can hold it
        raise OptionError(f"Invalid {name}. The number is too large.")
    for bound, words, wrong in (
        ("low", "at least", operator.lt),
        ("high", "at most", operator.gt),
        ("above", "more than", operator.le),
        ("below", "less than", operator.ge),
    ):
        if bound in meta and wrong(value, meta[bound]):
            raise OptionError(f"Invalid {name} {value}. It must be {words} {meta[bound]}.")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise OptionError(f"Invalid {name}. The number is too large.")


def _check_type(name: str, value: Any, hint: Any) -> None:
    """Raise OptionError when a value from a program or a file does not match a type hint."""
    wanted = typing.get_args(hint) or (hint,)  # of a tuple: the type of its items
    several = typing.get_origin(hint) is tuple and isinstance(value, tuple)
    for one in value if several else (value,):
        # In Python False is an int, and for people an integer is a number.
        kind = next((kind for kind in TYPES if isinstance(one, kind)), type(one))
        if kind not in wanted and not (kind is int and float in wanted):
            words = next(TYPES[kind] for kind in wanted if kind in TYPES)
            raise OptionError(f"Invalid {name}. It must be {words}, not {type(one).__name__}.")
