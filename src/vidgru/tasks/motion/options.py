"""Options of predicting motion."""

from dataclasses import dataclass
from typing import ClassVar

from vidgru.core.options import documented, option
from vidgru.engine.model_config import ModelConfig
from vidgru.engine.train_config import MapTrainConfig
from vidgru.tasks.contract import About
from vidgru.tasks.motion.spec import MOTION_SECONDS


@documented
@dataclass(frozen=True)
class MotionTrainConfig(MapTrainConfig):
    """How `train` trains a model of motion. None means: chosen from the data."""

    defaults: ClassVar = {
        "size": "motion: that of the initial weights",
        "frames": f"motion: {MOTION_SECONDS:g} seconds",
    }

    task: str = option("motion", "What to train.", choices=("motion",))


@dataclass(frozen=True)
class MotionConfig(ModelConfig):
    """What `motion` outputs."""

    model: str | None = option(
        None,
        "Run folder or model file of `vidgru train --task motion`. Default: the model that comes"
        " with vidgru.",
        metavar="RUN",
    )
    things: bool = option(
        False,
        "Follow each thing that moves, in place of the main motion: its box, speed and direction,"
        " and where it will be half a second later.",
    )
    save: str | None = option(
        None,
        "Also write the video with arrows drawn on it, thin: motion now, bold: motion predicted for"
        " half a second later; with --things, with boxes, ids and the paths ahead. An .mp4 or .webm"
        " file, or for several sources a folder.",
        metavar="FILE|DIR",
    )
    heatmap: str | None = option(
        None,
        "Also write a picture of where things moved, without the camera's motion: a .png file, or"
        " for several sources a folder.",
        metavar="FILE|DIR",
    )


ABOUT = About(
    name="motion",
    noun="a model of motion",
    use="is a model of motion: use `vidgru motion`",
    subject="motion",
    train_config=MotionTrainConfig,
)
