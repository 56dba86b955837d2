"""What the file of a model that finds scenes says of itself beside its weights."""

from dataclasses import dataclass

# Of a model that finds scenes, and begins with random weights; frames of its training windows.
SCENE_SIZE, SCENE_HIDDEN, SCENE_FRAMES = 48, 64, 112
MIN_SCENE_FRAMES = 64  # so that windows hold scenes and not only transitions


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
