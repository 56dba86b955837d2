"""How clips are split: the defaults and help texts of the options."""

from dataclasses import dataclass
from typing import ClassVar

from vidgru.core.options import option
from vidgru.data.annotations.config import AnnotationConfig


@dataclass(frozen=True)
class SplitConfig(AnnotationConfig):
    """How clips are split. None means: chosen from the data.

    labelled: whether clips need classes.
    """

    labelled: ClassVar[bool] = True

    val: float = option(0.2, "Share of clips to validate with.", above=0, below=1, metavar="SHARE")
    val_folder: str | None = option(
        None, "Validate with the clips of this folder instead.", metavar="FOLDER"
    )
    group_by: str | None = option(
        None,
        "Keep clips of one person or day on one side of the split: REGEX on paths, or COLUMN of"
        " groups.csv. Default: as names suggest; `none`: no groups.",
        metavar="REGEX|COLUMN",
    )
    split: str | None = option(
        None,
        "Use the split in this table (path,label,split), such as an earlier run's split.csv.",
        metavar="FILE",
    )
    folds: int | None = option(
        None,
        "Cross-validate N times, then train on all clips. Default: 4 if fewer than 12 clips would"
        " validate, else a single time; 1: train once.",
        low=1,
        metavar="N",
    )
    seed: int = option(
        0,
        "Random seed; the same seed, machine and --threads give the same model on a CPU.",
        low=0,
        high=2**63 - 1,
    )

    @property
    def cross_validated(self) -> bool:
        """Whether folds are trained, each without a part of the clips."""
        return self.folds is not None and self.folds > 1

    @property
    def open_to_folds(self) -> bool:
        """Whether folds may be trained though not requested."""
        return False
