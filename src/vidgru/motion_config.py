"""What can be set where motion is told."""

from dataclasses import dataclass

from vidgru.config import DEVICES
from vidgru.option import check, option


@dataclass(frozen=True)
class MotionConfig:
    """How `motion` tells what moves. Everything about the pictures comes from the model file."""

    model: str | None = option(
        None,
        "Run folder or model file of `vidgru train --task motion`. Default: the model that comes"
        " with vidgru.",
        metavar="RUN",
    )
    device: str = option(
        "auto", "Where to compute; auto takes a GPU if there is one.", choices=DEVICES
    )
    threads: int = option(
        1, "CPU threads of the network; reading the video takes longer.", low=1, high=1024
    )
    save: str | None = option(
        None,
        "Also write the video with arrows drawn on it, thin for the motion now and bold for that"
        " in half a second: an .mp4 or .webm file, or for several sources a folder.",
        metavar="FILE|DIR",
    )
    heatmap: str | None = option(
        None,
        "Also write a picture that shows where things moved, apart from the camera: a .png file, or"
        " for several sources a folder.",
        metavar="FILE|DIR",
    )

    def __post_init__(self) -> None:
        check(self)
