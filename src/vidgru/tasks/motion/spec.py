"""What the file of a motion model says of itself beside its weights."""

from dataclasses import dataclass

# Sides of what motion is told of, and of what it is measured in, in pixels of what is read.
CELL, FINE = 16, 4
MOTION_SIZE, MOTION_HIDDEN = 128, 56  # of a model of motion that begins with random weights
MOTION_SECONDS = 2.5  # of a training window: what is told for one second ahead lies within it


@dataclass(frozen=True)
class MotionSpec:
    """All that a motion model's file says beside its weights.

    fps: frames/s that sources are sampled at, or the nearest whole part of their own rate; frames:
    of one training window; size: side of the square picture that is read, in pixels, a multiple of
    CELL; grid: cells a side of the motion field.
    """

    task: str
    core: str
    hidden: int
    fps: float
    frames: int
    size: int

    @property
    def grid(self) -> int:
        """Cells a side of the motion field."""
        return self.size // CELL
