"""How annotations become clips, with the one place of each default and help text."""

from dataclasses import dataclass

from vidgru.core.options import option


@dataclass(frozen=True)
class AnnotationConfig:
    """How annotations become clips."""

    videos: str | None = option(
        None,
        "Annotations only: the folder of the videos that they are about. Default: where they say,"
        " beside them, or below.",
        metavar="DIR",
    )
    labels: str | None = option(
        None,
        "Take these labels only, separated by commas; what has another one counts as having none.",
        metavar="NAME,...",
    )
    background: str | None = option(
        None,
        "Make a class of this name of the time that has no label. Default: leave it out.",
        metavar="NAME",
    )
    background_videos: str | None = option(
        None,
        "More videos for the class of --background: all below this folder, from start to end.",
        metavar="FOLDER",
    )
    overlap: str | None = option(
        None,
        "Where annotations give one time several labels: take the one that the file names first."
        " Default: refuse them; of a list, keep all and warn.",
        choices=("first",),
    )
