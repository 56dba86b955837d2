"""The content of a classifier's model file other than its weights."""

from dataclasses import dataclass, field
from math import gcd

from vidgru.nn.choices import stored_side

# Appearance changes slowly: besides the differences, every fourth picture itself is read.
SIDE_EVERY = 4
COLDEST, HOTTEST = 0.05, 20.0  # temperatures
MAX_ANSWERS = 4096  # kept in a model file


def stride_of(window: int) -> int:
    """Return the frames between window starts: half a window, on the side encoder's grid."""
    return 1 if window == 1 else max(SIDE_EVERY, window // 2 // SIDE_EVERY * SIDE_EVERY)


def looks_every(window: int) -> int:
    """Return the frames between those that a picture encoder gets, in whole clips."""
    return gcd(stride_of(window), SIDE_EVERY)


@dataclass(frozen=True)
class ModelSpec:
    """The content of a model file other than its weights, enough to predict with it.

    fps: frames/s sampled; frames: of one window, 1 where each picture is read by itself; size: side
    of the square view in pixels; bout: seconds that a label lasts, by the clips that it learned
    from, None where that is unknown; looks: SHA-256 of the file of a picture encoder whose features
    the network gets every fourth frame, "" where there is none, and that file's name, features,
    side of its pictures, and mean and standard deviation of their pixels; see `engine.looks`.
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
    bout: float | None = field(default=None, compare=False)  # unknown to runs begun earlier
    looks: str = ""
    looks_name: str = field(default="", compare=False)
    looks_features: int = 0
    looks_side: int = 0
    looks_mean: tuple[float, ...] = ()
    looks_std: tuple[float, ...] = ()

    @property
    def side(self) -> int:
        """Side of the stored square picture from which views are cut, in pixels."""
        return stored_side(self.size)

    @property
    def looks_size(self) -> tuple[int, int] | None:
        """Width and height of pictures for the picture encoder, None where there is none."""
        return (self.looks_side, self.looks_side) if self.looks else None

    @property
    def looks_every(self) -> int:
        """Frames between those that the picture encoder gets, in whole clips."""
        return looks_every(self.frames)


@dataclass(frozen=True)
class Confidence:
    """Confidence data of a model file: calibration and validation answers.

    temperature: what the logarithm of a clip's probabilities is divided by; answers: confidence
    and whether it was right, for clips that were not learned from, least sure first; none when
    there were no such clips, or the training was not finished; windows: temperature of single
    windows of these clips, None where nothing was measured.
    """

    temperature: float = 1.0
    answers: tuple[tuple[float, bool], ...] = ()
    windows: float | None = None
