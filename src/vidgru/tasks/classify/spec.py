"""The content of a classifier's model file other than its weights."""

from dataclasses import dataclass

from vidgru.nn.choices import stored_side


@dataclass(frozen=True)
class ModelSpec:
    """The content of a model file other than its weights, enough to predict with it.

    fps: frames/s sampled; frames: of one window, 1 where each picture is read separately; size:
    side of the square view in pixels.
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
        """Side of the stored square picture from which views are cut, in pixels."""
        return stored_side(self.size)


@dataclass(frozen=True)
class Confidence:
    """Confidence data of a model file: calibration and validation answers.

    temperature: divisor of the logarithm of a clip's probabilities; answers: confidence
    and whether it was correct, for clips that were not trained on, ascending; empty when
    there were no such clips, or the training was not finished.
    """

    temperature: float = 1.0
    answers: tuple[tuple[float, bool], ...] = ()
