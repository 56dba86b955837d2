"""What is known about a source once it has been read: size, rate, length, problems."""

import math
from collections import Counter
from dataclasses import dataclass, fields
from typing import Any

from vidgru.core.results import ToDict

MAX_WARNINGS = 100
CLOCK_JUMPS = "the clock jumps by"  # in a warning
NO_START = "begins in the middle of a group of pictures"
ENOUGH = 0.1  # seconds; estimated durations are off by that much
LONGEST_GAP = 9999  # milliseconds; longer ones count as this


@dataclass(frozen=True)
class VideoInfo(ToDict):
    """What is known about a source after reading it.

    width, height: pixels as shown, rotation applied; fps: declared; codec: short, lower case,
    "images" for folders of them; rotation: degrees that are declared and were applied; declared:
    frames, None where nothing plausible is declared or the end was not reached; frames: that were
    read; seconds: by the frames' times; variable: whether gaps between frames clearly differ;
    warnings: problems of a source that could still be read; reader: the decoding library,
    "opencv", "pyav" or "pillow"; why: the reason where that is not OpenCV; notes: how the source
    was treated where nothing is wrong with it.
    """

    width: int
    height: int
    fps: float
    codec: str
    rotation: int
    declared: int | None
    frames: int
    seconds: float
    variable: bool
    warnings: tuple[str, ...] = ()
    reader: str = "opencv"
    why: str = ""
    notes: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """The warnings and notes as sentences."""
        return (*self.notes, *self.warnings)

    @property
    def clock_jumps(self) -> bool:
        """Whether time stamps jump, as where recordings are joined."""
        return any(CLOCK_JUMPS in warning for warning in self.warnings)

    @property
    def lacks_start(self) -> bool:
        """Whether its first frames cannot be decoded, as after a cut without encoding."""
        return any(NO_START in warning for warning in self.warnings)

    @property
    def ends_early(self) -> bool:
        """Whether less than 0.9 of the declared time can be read, and not all declared frames."""
        if self.declared is None or self.frames >= self.declared:
            return False
        declared = self.declared / self.fps
        return self.seconds < min(0.9 * declared, declared - ENOUGH)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "VideoInfo":
        """Return the VideoInfo that `to_dict` was called on; raises ValueError for other data."""
        good = isinstance(data, dict) and set(data) == {field.name for field in fields(cls)}
        good = good and all(type(data[name]) in KINDS[name] for name in KINDS)
        good = good and all(
            0 < data[name] < math.inf for name in ("fps", "frames", "seconds", "width", "height")
        )
        good = good and all(isinstance(text, str) for text in [*data["warnings"], *data["notes"]])
        if not good:
            raise ValueError("These are no info of a clip.")
        return cls(**{**data, "warnings": tuple(data["warnings"]), "notes": tuple(data["notes"])})


KINDS: dict[str, tuple[type, ...]] = {
    "width": (int,),
    "height": (int,),
    "fps": (float,),
    "codec": (str,),
    "rotation": (int,),
    "declared": (int, type(None)),
    "frames": (int,),
    "seconds": (float,),
    "variable": (bool,),
    "warnings": (list, tuple),
    "reader": (str,),
    "why": (str,),
    "notes": (list, tuple),
}


class Gaps:
    """The gaps between the times of frames, counted in constant memory."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()  # by whole milliseconds

    def add(self, seconds: float) -> None:
        """Count one gap."""
        self.counts[min(round(1000 * seconds), LONGEST_GAP)] += 1

    @property
    def variable(self) -> bool:
        """Whether gaps differ clearly: three or more, and by a twentieth of the total time.

        Rounding to milliseconds, a little jitter and single missing frames do not count.
        """
        total = sum(gap * count for gap, count in self.counts.items())
        middle, seen, half = 0, 0, sum(self.counts.values()) / 2
        for gap, count in sorted(self.counts.items()):
            middle, seen = gap, seen + count
            if seen >= half:
                break
        bound = max(2, 0.2 * middle)
        off = {gap: abs(gap - middle) for gap in self.counts if abs(gap - middle) > bound}
        excess = sum(self.counts[gap] * far for gap, far in off.items())
        return sum(self.counts[gap] for gap in off) >= 3 and excess >= 0.05 * total
