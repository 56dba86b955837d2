"""What all results are: frozen dataclasses that any program can read with `to_dict()`."""

from collections.abc import Generator
from dataclasses import dataclass, fields
from pathlib import Path
from types import EllipsisType
from typing import Any, ClassVar, TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class ToDict:
    """What all results are: frozen dataclasses that can be turned into plain values.

    _keys: fields and properties, in the order of the plain values; `...` stands for all fields.
    _sources: by key, the property that gives its value where the field of that name does not.
    """

    _keys: ClassVar[tuple[str | EllipsisType, ...]] = (...,)
    _sources: ClassVar[dict[str, str]] = {}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values only, ready for JSON: dicts, lists, texts, numbers and None."""
        all_fields = [field.name for field in fields(self)]
        keys = [key for part in self._keys for key in (all_fields if part is ... else [part])]
        return {key: _plain(getattr(self, self._sources.get(key, key))) for key in keys}


def _plain(value: Any) -> Any:
    if isinstance(value, ToDict):
        return value.to_dict()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


@dataclass(frozen=True)
class Failure(ToDict):
    """A source that could not be read, and the sentence that says why."""

    source: str
    error: str

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Failure":
        """Return what `to_dict` made plain values of."""
        return cls(**data)


@dataclass(frozen=True)
class Progress:
    """How far a long job is: `done` of `total` in a stage, and a few words."""

    stage: str
    done: int
    total: int
    note: str = ""


def run_to_end(steps: Generator[object, None, Result]) -> Result:
    """Return the result of a job whose progress nobody looks at."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
