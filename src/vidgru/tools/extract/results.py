"""Results of `extract`."""

from dataclasses import dataclass
from pathlib import Path

from vidgru.core.results import ToDict


@dataclass(frozen=True)
class ExtractedFrame(ToDict):
    """One image written by `extract`: its file, its source, its frame index and time in seconds.

    reader: the library that decoded the source, "opencv", "pyav" or "pillow"; why: the reason where
    that is not OpenCV.
    """

    file: Path
    source: str
    index: int
    seconds: float
    reader: str = "opencv"
    why: str = ""
