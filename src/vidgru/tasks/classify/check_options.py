"""Options of checking clips."""

from dataclasses import dataclass

from vidgru.core.options import check, option
from vidgru.data.annotations.config import AnnotationConfig


@dataclass(frozen=True)
class CheckConfig(AnnotationConfig):
    """Options of `check`."""

    group_by: str | None = option(
        None,
        "What clips of one person, day or camera have in common, as for `train`. Default: found"
        " out, where names or FOLDER/groups.csv tell; `none` leaves that.",
        metavar="REGEX|COLUMN",
    )

    def __post_init__(self) -> None:
        check(self)
