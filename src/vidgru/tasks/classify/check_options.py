"""Options of checking clips."""

from dataclasses import dataclass

from vidgru.core.options import check, option
from vidgru.data.annotations.config import AnnotationConfig


@dataclass(frozen=True)
class CheckConfig(AnnotationConfig):
    """Options of `check`."""

    group_by: str | None = option(
        None,
        "Groups of clips, as for `train`: REGEX on paths, or COLUMN of groups.csv. Default: as"
        " names suggest; `none`: no groups.",
        metavar="REGEX|COLUMN",
    )

    def __post_init__(self) -> None:
        check(self)
