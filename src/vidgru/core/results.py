"""Base of all results: frozen dataclasses that any program can read with `to_dict()`."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from types import EllipsisType
from typing import Any, ClassVar, TypeVar

Result = TypeVar("Result")
MAX_ITEMS = 3  # items of a long value that its repr has


@dataclass(frozen=True)
class ToDict:
    """Base of all results: frozen dataclasses that convert to plain values.

    _keys: fields and properties, in the order of the plain values; `...` stands for all fields.
    _sources: by key, the property that gives its value in place of the field of that name.
    """

    _keys: ClassVar[tuple[str | EllipsisType, ...]] = (...,)
    _sources: ClassVar[dict[str, str]] = {}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values only, ready for JSON: dicts, lists, texts, numbers and None."""
        return {key: _plain(getattr(self, name)) for key, name in self._names()}

    def _names(self) -> Iterator[tuple[str, str]]:
        """Yield each key, and the attribute that has its value."""
        all_fields = [field.name for field in fields(self)]
        keys = [key for part in self._keys for key in (all_fields if part is ... else [part])]
        for key in keys:
            yield key, self._sources.get(key, key)

    def __init_subclass__(cls) -> None:
        # Set here, it is not replaced by that of @dataclass, which prints all of a long result.
        cls.__repr__ = ToDict.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        # By the names of attributes, but for private ones, which stand for what a key says.
        names = ((key if name.startswith("_") else name, name) for key, name in self._names())
        values = ", ".join(f"{shown}={_short(getattr(self, name))}" for shown, name in names)
        return f"{type(self).__name__}({values})"


def _short(value: Any) -> str:
    """Return how a value looks to a person: numbers rounded, most of what is long left out."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Path):
        return repr(str(value))
    if isinstance(value, dict):
        items = [f"{key!r}: {_short(item)}" for key, item in list(value.items())[:MAX_ITEMS]]
        more = f", ... {len(value)} in all" if len(value) > MAX_ITEMS else ""
        return f"{{{', '.join(items)}{more}}}"
    if isinstance(value, list | tuple):
        if value and isinstance(value[0], ToDict | list | tuple | dict):
            kind = type(value[0]).__name__ if isinstance(value[0], ToDict) else "rows"
            return f"<{len(value)} {kind}>"
        items = [_short(item) for item in value[:MAX_ITEMS]]
        more = f", ... {len(value)} in all" if len(value) > MAX_ITEMS else ""
        return f"[{', '.join(items)}{more}]"
    if shape := getattr(value, "shape", ()):
        return f"<{'x'.join(map(str, shape))} numbers>"
    return repr(value)


def _plain(value: Any) -> Any:
    if isinstance(value, ToDict):
        return value.to_dict()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):  # an array; numpy is not imported here
        return value.tolist()
    return value


@dataclass(frozen=True)
class Failure(ToDict):
    """A source that could not be read, and why, as one sentence."""

    source: str
    error: str

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Failure":
        """Return the Failure that `to_dict` was called on."""
        return cls(**data)


@dataclass(frozen=True)
class Progress:
    """State of a long job: `done` of `total` in a stage, and a few words."""

    stage: str
    done: int
    total: int
    note: str = ""


OnProgress = Callable[[Progress], object]


def run_to_end(
    steps: Generator[object, None, Result], progress: OnProgress | None = None
) -> Result:
    """Return the result of a job; `progress`, where given, is called with each Progress of it."""
    while True:
        try:
            item = next(steps)
            if progress is not None and isinstance(item, Progress):
                progress(item)
        except StopIteration as end:
            result: Result = end.value
            return result
