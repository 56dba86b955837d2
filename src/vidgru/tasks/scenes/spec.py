"""The content of a scene detector's model file other than its weights."""

from dataclasses import dataclass

# Of a scene detector with random initial weights; frames of its training windows.
SCENE_SIZE, SCENE_HIDDEN, SCENE_FRAMES = 48, 64, 112
MIN_SCENE_FRAMES = 64  # so that windows hold scenes and not only transitions


@dataclass(frozen=True)
class SceneSpec:
    """The content of a scene detector's model file other than its weights.

    frames: of one training window, as they come in a source; size: side of the square input
    picture, in pixels; threshold: confidence from which a boundary counts; histogram: how colours
    are counted, "soft" or, in older files, "hard".
    """

    task: str
    core: str
    hidden: int
    frames: int
    size: int
    threshold: float
    histogram: str = "soft"
