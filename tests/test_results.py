"""Results as plain values: one rule for all of them."""

import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, get_args, get_type_hints

import numpy as np
import pytest
from numpy.typing import NDArray

from vidgru.core.results import ToDict

MODULES = (
    *("core.results", "data.results", "video.info", "video.results"),
    *("tools.changes.results", "tools.extract.results"),
    *(f"tasks.classify.{name}" for name in ("results", "scores", "timeline", "timeline_scores")),
    *(
        f"tasks.{task}.{name}"
        for task in ("motion", "forecast", "scenes")
        for name in ("results", "scores")
    ),
)


def below(cls: type[ToDict]) -> Iterator[type[ToDict]]:
    for one in cls.__subclasses__():
        yield one
        yield from below(one)


for module in MODULES:
    importlib.import_module(f"vidgru.{module}")
RESULTS = [one for one in below(ToDict) if one.__module__.startswith("vidgru.")]


def types_in(hint: Any) -> Iterator[type]:
    if isinstance(hint, type):
        yield hint
    for part in get_args(hint):
        yield from types_in(part)


@dataclass(frozen=True)
class Part(ToDict):
    file: Path | None
    sizes: tuple[tuple[int, ...], ...]

    _keys = ("largest", ...)

    @property
    def largest(self) -> int:
        return max(map(max, self.sizes))


@dataclass(frozen=True)
class Whole(ToDict):
    name: str
    parts: tuple[Part, ...]
    best: Part | None
    by_count: dict[int, Part]
    shares: tuple[float, ...]
    hidden: object

    _keys = ("parts", "best", "by_count", "shares", "name")
    _sources: ClassVar = {"shares": "_named"}

    @property
    def _named(self) -> dict[str, float]:
        return dict(zip("ab", self.shares, strict=True))


def test_all_that_is_nested_becomes_plain() -> None:
    part = Part(Path("a", "b.png"), ((1, 5), (2,)))
    plain = {"largest": 5, "file": "a/b.png", "sizes": [[1, 5], [2]]}
    whole = Whole("w", (part,), None, {3: part}, (0.25, 0.75), object())
    values = whole.to_dict()
    assert values == {
        "parts": [plain],
        "best": None,
        "by_count": {3: plain},
        "shares": {"a": 0.25, "b": 0.75},
        "name": "w",
    }
    # Programs and people read them in this order.
    assert list(values) == ["parts", "best", "by_count", "shares", "name"]
    assert list(values["parts"][0]) == ["largest", "file", "sizes"]
    assert json.loads(json.dumps(values["parts"])) == values["parts"]
    assert Part(None, ((1,),)).to_dict()["file"] is None


@pytest.mark.parametrize("cls", RESULTS, ids=lambda cls: cls.__name__)
def test_results_hold_only_what_can_be_made_plain(cls: type[ToDict]) -> None:
    hints = get_type_hints(cls, localns={"np": np, "NDArray": NDArray})
    for name, hint in hints.items():
        for found in types_in(hint):
            assert not is_dataclass(found) or issubclass(found, ToDict), (name, found)
    names = {*hints, *dir(cls)}
    assert {cls._sources.get(str(key), key) for key in cls._keys if key is not ...} <= names
    assert {*cls._sources.values()} <= names
