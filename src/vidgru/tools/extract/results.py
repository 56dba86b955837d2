"""Results of `extract`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from vidgru.core.results import ToDict


@dataclass(frozen=True)
class ExtractedFrame(ToDict):
    """One image written by `extract`: its file, its source, its frame index and time in seconds.

    reader: the library that decoded the source, "opencv", "pyav" or "pillow"; why: the reason where
    that is not OpenCV.
    """

    _keys = ("file", "source", "index", "time", "reader", "why")
    _sources: ClassVar = {"time": "seconds"}

    file: Path
    source: str
    index: int
    seconds: float
    reader: str = "opencv"
    why: str = ""
