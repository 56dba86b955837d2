"""The content of a motion model's file other than its weights."""

from dataclasses import dataclass

# Sides of the cells of predicted fields, and of measured flow, in pixels of the input.
CELL, FINE = 16, 4
MOTION_SIZE, MOTION_HIDDEN = 128, 56  # of a model of motion with random initial weights
MOTION_SECONDS = 2.5  # of a training window: it includes targets one second ahead


@dataclass(frozen=True)
class MotionSpec:
    """The content of a motion model's file other than its weights.

    fps: frames/s that sources are sampled at, or the nearest integer fraction of their own rate;
    frames: of one training window; size: side of the square input picture, in pixels, a multiple
    of CELL; grid: cells a side of the motion field.
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
