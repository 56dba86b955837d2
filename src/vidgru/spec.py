"""What a model file says of itself beside its weights."""

from dataclasses import dataclass

# Sides of what motion is told of, and of what it is measured in, in pixels of what is read.
CELL, FINE = 16, 4
MAP_SIZES = range(32, 257, 16)  # sides of pictures that may be read as maps, in pixels
MOTION_SIZE, MOTION_HIDDEN = 128, 56  # of a model of motion that begins with random weights
# Pixels of a frame that one cell of a forecast's finer maps stands for; sides that it may have.
FORECAST_CELL = 4
FORECAST_SIZE, FORECAST_HIDDEN = 64, 48  # of a forecasting model, if not told otherwise
FORECAST_HIDDENS = range(8, 257, 8)  # so that groups of maps come out even
SEEN, AHEAD = 10, 10  # frames that it sees, and that it foresees
MOST_AHEAD = 256  # frames that may be foreseen at once
# Of a model that finds scenes, and begins with random weights; frames of its training windows.
SCENE_SIZE, SCENE_HIDDEN, SCENE_FRAMES = 48, 64, 112
FEWEST_SCENE_FRAMES = 64  # so that windows hold scenes and not only transitions
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


@dataclass(frozen=True)
class ForecastSpec:
    """All that a forecasting model's file says beside its weights.

    fps: frames/s that sources are sampled at, or the nearest whole part of their own rate; frames:
    how many it has seen when it foresees, and ahead: how many then, in training; size: side of the
    square picture, in pixels; channels: 3, or 1 for shades of grey.
    """

    task: str
    core: str
    hidden: int
    fps: float
    frames: int
    ahead: int
    size: int
    channels: int

    @property
    def window(self) -> int:
        """Frames of a training window."""
        return self.frames + self.ahead


@dataclass(frozen=True)
class SceneSpec:
    """All that the file of a model that finds scenes says beside its weights.

    frames: of one training window, as they come in a source; size: side of the square picture that
    is read, in pixels; threshold: confidence from which a boundary counts; histogram: how colours
    are counted, "soft" or, in files of before, "hard".
    """

    task: str
    core: str
    hidden: int
    frames: int
    size: int
    threshold: float
    histogram: str = "soft"


def forecast_frames(frames: int | None, ahead: int | None, window: int) -> tuple[int, int]:
    """Return how many frames of a window are seen, and how many foreseen, if not told otherwise."""
    if frames is None:
        frames = (
            SEEN if ahead is None and window >= SEEN + AHEAD else window - (ahead or window // 2)
        )
    return frames, ahead or window - frames


AnySpec = ModelSpec | MotionSpec | ForecastSpec | SceneSpec
