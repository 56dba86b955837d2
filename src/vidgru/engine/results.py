"""What the results of all trainings and evaluations share."""

from dataclasses import dataclass
from pathlib import Path

from vidgru.core.results import Failure, ToDict
from vidgru.data.results import Split

RANDOM = "random weights"  # the initial weights of most trainings
PARTS = {"test": "test clips", "val": "validation clips", "all": "clips"}  # of an evaluation


@dataclass(frozen=True, kw_only=True)
class Trained(ToDict):
    """Common results of all trainings.

    best_epoch: whose weights were kept; seconds: in total; step_seconds: the median of the training
    steps, without validation and saving.
    """

    run: Path
    model: Path
    train_clips: int
    split: Split
    skipped: tuple[Failure, ...]
    best_epoch: int
    epochs: int
    seconds: float
    step_seconds: float
    parameters: int


@dataclass(frozen=True, kw_only=True)
class Evaluated(ToDict):
    """Common results of all evaluations, on clips that the model was not trained on.

    part: "test", "val" or "all" of the folder; trained_on: number of clips left out because the
    model was trained on them, None where that is unknown; validated_on: number of clips on which
    its epoch, temperature or threshold was chosen, which makes the figures too optimistic.
    """

    model: Path
    folder: Path
    part: str
    trained_on: int | None
    validated_on: int
    skipped: tuple[Failure, ...]
