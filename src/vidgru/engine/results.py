"""What the results of all trainings and evaluations share."""

from dataclasses import dataclass
from pathlib import Path

from vidgru.core.results import Failure, ToDict
from vidgru.data.results import Split

RANDOM = "random weights"  # what most trainings begin with
PARTS = {"test": "test clips", "val": "validation clips", "all": "clips"}  # of an evaluation


@dataclass(frozen=True, kw_only=True)
class Trained(ToDict):
    """What every training made.

    best_epoch: whose weights were kept; seconds: all; step_seconds: the median of the training
    steps, validating and saving left out.
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
    """What every evaluation is of: clips that a model did not learn from.

    part: "test", "val" or "all" of the folder; trained_on: clips left out because the model learned
    from them, None where nothing tells which; validated_on: clips that its epoch, temperature or
    threshold was chosen on, which flatters.
    """

    model: Path
    folder: Path
    part: str
    trained_on: int | None
    validated_on: int
    skipped: tuple[Failure, ...]
