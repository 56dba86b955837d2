"""Options of detecting lasting changes."""

from dataclasses import dataclass

from vidgru.core.options import check, option


@dataclass(frozen=True)
class ChangesConfig:
    """Which files `changes` writes for each source."""

    csv: str | None = option(None, "Also write a table with a row a change.", metavar="FILE")
    images: str | None = option(
        None, "Also write the frames before and after each change here.", metavar="DIR"
    )
    heatmap: str | None = option(
        None,
        "Also draw where things changed: a .png file, or for several sources a folder.",
        metavar="FILE|DIR",
    )
    overwrite: bool = option(False, "Write over such files that are there already.")

    def __post_init__(self) -> None:
        check(self)
