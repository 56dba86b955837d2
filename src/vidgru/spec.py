"""What a model file says of itself beside its weights."""

from dataclasses import dataclass

# Sides of what motion is told of, and of what it is measured in, in pixels of what is read.
CELL, FINE = 16, 4
MOTION_SIZES = range(32, 257, 16)  # sides of the pictures that a motion model may read, in pixels
MOTION_SIZE, MOTION_HIDDEN = 128, 56  # of a model of motion that begins with random weights
MOTION_SECONDS = 2.5  # of a training window: what is told for one second ahead lies within it


@dataclass(frozen=True)
class ModelSpec:
    """All that a model file says beside its weights, enough to predict with it.

    fps: frames/s sampled; frames: of one window, 1 where each picture is read by itself; size: side
    of the square view in pixels.
    """

    task: str
    labels: tuple[str, ...]
    input: str
    core: str
    hidden: int
    fps: float
    frames: int
    size: int
    encoder: str = "cnn"
    gated_update: str = "blend"

    @property
    def side(self) -> int:
        """Side of the stored square picture out of which views are cut, in pixels."""
        return stored_side(self.size)


@dataclass(frozen=True)
class Confidence:
    """What a model file says of how far its confidence can be trusted.

    temperature: what the logarithm of a clip's probabilities is divided by; answers: confidence
    and whether it was right, for clips that were not learned from, least sure first; none when
    there were no such clips, or the training was not finished.
    """

    temperature: float = 1.0
    answers: tuple[tuple[float, bool], ...] = ()


def stored_side(size: int) -> int:
    """Return the side of stored pictures out of which views of this side are cut, in pixels."""
    return size * 3 // 2


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
