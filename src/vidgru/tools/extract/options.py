"""Options of extracting frames."""

from dataclasses import dataclass

from vidgru.core.errors import OptionError
from vidgru.core.options import check, documented, option

IMAGE_FORMATS = ("jpg", "png")
QUALITY = 95  # of jpg, where it is left out


@documented
@dataclass(frozen=True)
class ExtractConfig:
    """Which frames `extract` writes, and how. At most one of fps, every and count is set."""

    fps: float | None = option(None, "Frames per second.", above=0, high=1000)
    every: int | None = option(None, "Every Nth frame.", low=1, metavar="N")
    count: int | None = option(None, "N frames, spread evenly over the video.", low=1, metavar="N")
    start: float | None = option(None, "Begin at this second.", low=0, metavar="SECONDS")
    end: float | None = option(None, "Stop before this second.", above=0, metavar="SECONDS")
    size: str | None = option(
        None, "WIDTHxHEIGHT, or one number for the longer side.", metavar="SIZE"
    )
    format: str = option("jpg", "Image format.", choices=IMAGE_FORMATS)
    quality: int = option(QUALITY, "JPEG quality, 1 to 100.", low=1, high=100)
    overwrite: bool = option(False, "Replace existing frames.")

    def __post_init__(self) -> None:
        check(self)
        if sum(value is not None for value in (self.fps, self.every, self.count)) > 1:
            raise OptionError("Give only one of --fps, --every and --count.")
        if self.format == "png" and self.quality != QUALITY:
            raise OptionError("--quality is of jpg: leave it out, or give --format jpg.")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise OptionError(f"--end {self.end} must be later than --start {self.start}.")
        self.target_size()

    def target_size(self) -> tuple[int, int] | int | None:
        """Return (width, height), the longer side, or None for the source's own size."""
        if self.size is None:
            return None
        parts = self.size.lower().split("x")
        digits = all(part.isascii() and part.isdigit() and len(part) < 100 for part in parts)
        if len(parts) > 2 or not digits:
            raise OptionError(f"Invalid --size {self.size!r}. Give 320x240, or 320.")
        numbers = [int(part) for part in parts]
        if min(numbers) < 1 or max(numbers) > 16384:
            raise OptionError(f"Invalid --size {self.size!r}. Sides go from 1 to 16384 pixels.")
        return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])
