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

    val: float = option(
        0.2, "Share of each class kept for validation.", above=0, below=1, metavar="SHARE"
    )
    val_folder: str | None = option(
        None, "Validate on this folder's classes instead.", metavar="FOLDER"
    )
    group_by: str | None = option(
        None,
        "Keep clips of one group (person, day, camera ...) on one side of the split: a regular"
        " expression on the clip's relative path, or a column of FOLDER/groups.csv (or of the"
        " list). Default: what names and tables suggest; `none` splits clip by clip.",
        metavar="REGEX|COLUMN",
    )
    split: str | None = option(
        None,
        "Split as this table says (path,label,split), for example the split.csv of an earlier run.",
        metavar="FILE",
    )
    folds: int | None = option(
        None,
        "Cross-validate first: learn so many times, each time with another part held out, then once"
        " from all clips. Takes so much longer. Default: 4 where fewer than 12 clips would be left"
        " to validate with, and none of --epochs, --minutes, --val and --size is given; 1 learns"
        " once.",
        low=1,
        metavar="N",
    )
    seed: int = option(
        0,
        "Same seed, machine and --threads on the CPU: the same model, bit for bit.",
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
