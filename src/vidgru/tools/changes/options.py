"""Options of detecting lasting changes."""

from dataclasses import dataclass

from vidgru.core.options import check, option


@dataclass(frozen=True)
class ChangesConfig:
    """Which files `changes` writes for each source."""

    csv: str | None = option(None, "Also write a table with one row per change.", metavar="FILE")
    images: str | None = option(
        None, "Also write the frames before and after each change here.", metavar="DIR"
    )
    heatmap: str | None = option(
        None,
        "Also write a heat map of the changes: a .png file, or for several sources a folder.",
        metavar="FILE|DIR",
    )
    overwrite: bool = option(False, "Replace such files if they exist.")

    def __post_init__(self) -> None:
        check(self)
