"""Lasting changes in front of a fixed camera: frozen dataclasses with `to_dict()`."""

from dataclasses import dataclass
from typing import ClassVar

from vidgru.core.results import ToDict


@dataclass(frozen=True)
class Box(ToDict):
    """A part of the picture: its upper left corner and its sides, in pixels of the source."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Change(ToDict):
    """An object that appeared, vanished or moved lastingly.

    frame: the first one that shows it so, with its time in seconds; kind: one of CHANGES, where
    `changed` is any other; confidence: from 0 to 1; box: where it is, or was when it
    vanished; before: where it was when it moved, else None.
    """

    _keys = ("frame", "time", "kind", "confidence", "box", "before")
    _sources: ClassVar = {"time": "seconds"}

    frame: int
    seconds: float
    kind: str
    confidence: float
    box: Box
    before: Box | None = None


@dataclass(frozen=True)
class Changes(ToDict):
    """The lasting changes in one source of a fixed camera.

    frames: total; fps: frames/s; width, height: of its pictures, in pixels; every: one in so many
    frames was examined; changes: in order of time.
    """

    source: str
    frames: int
    fps: float
    width: int
    height: int
    every: int
    changes: tuple[Change, ...]
