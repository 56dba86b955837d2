"""What can be set where scenes are found."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import ClassVar

from vidgru.core.errors import OptionError
from vidgru.core.options import option
from vidgru.engine.model_config import ModelConfig
from vidgru.engine.train_config import MapTrainConfig
from vidgru.tasks.contract import About
from vidgru.tasks.scenes.spec import MIN_SCENE_FRAMES, SCENE_FRAMES, SCENE_SIZE


@dataclass(frozen=True)
class SceneTrainConfig(MapTrainConfig):
    """How `train` learns to find where scenes begin. None means: chosen from the data."""

    defaults: ClassVar = {
        "size": f"for scenes {SCENE_SIZE}",
        "frames": f"for scenes {SCENE_FRAMES}, out of several clips",
        "fps": "for scenes always all of them, up to 30",
    }

    task: str = option("scenes", "What to learn.", choices=("scenes",))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames is not None and self.frames < MIN_SCENE_FRAMES:
            raise OptionError(
                f"Invalid --frames {self.frames} for --task scenes. It must be at least "
                f"{MIN_SCENE_FRAMES}."
            )
        if self.fps is not None:
            raise OptionError(
                "--fps is not for scenes, which are found frame by frame: leave it out with --task"
                " scenes."
            )


@dataclass(frozen=True)
class ScenesConfig(ModelConfig):
    """How `scenes` divides videos, and what it writes of them."""

    model: str | None = option(
        None,
        "Run folder or model file of `vidgru train --task scenes`. Default: the model that comes"
        " with vidgru.",
        metavar="RUN",
    )
    threshold: float | None = option(
        None,
        "Confidence from which a boundary counts, dissolves from three quarters of it. Default: the"
        " one that the model found best.",
        above=0,
        below=1,
    )
    csv: str | None = option(None, "Also write a table with a row a scene.", metavar="FILE")
    edl: str | None = option(
        None,
        "Also write an edit decision list (CMX 3600): an .edl file, or for several sources a"
        " folder.",
        metavar="FILE|DIR",
    )
    images: str | None = option(
        None, "Also write the first, middle and last frame of each scene here.", metavar="DIR"
    )
    split: str | None = option(
        None,
        "Also write each scene as a video of its own here: without loss where ffmpeg is installed"
        " and the scene lies between key frames, else encoded anew.",
        metavar="DIR",
    )
    sheet: str | None = option(
        None,
        "Also draw a contact sheet, a picture of each scene: a .png file, or for several sources a"
        " folder.",
        metavar="FILE|DIR",
    )
    objects: bool = option(
        False,
        "Do what `vidgru changes` does, which is its name now; this one goes with the next version."
        " --csv then has a row a change, --images each change before and after.",
    )
    heatmap: str | None = option(
        None,
        "With --objects, also draw where things changed: a .png file, or for several sources a"
        " folder.",
        metavar="FILE|DIR",
    )
    overwrite: bool = option(False, "Write over such files that are there already.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.objects:
            changed = (item for item in fields(self) if getattr(self, item.name) != item.default)
            refuse_without_scenes(item.name for item in changed)
        if self.heatmap is not None and not self.objects:
            raise OptionError("--heatmap shows what --objects tells: give that, too.")


def refuse_without_scenes(names: Iterable[str]) -> None:
    """Raise OptionError where options that were given are for scenes only, not for --objects."""
    for name in names:
        if name in ("model", "device", "threads", "threshold", "edl", "split", "sheet"):
            raise OptionError(f"--objects does not use --{name}: leave it out.")


ABOUT = About(
    name="scenes",
    learns="to find where scenes begin",
    command="scenes",
    summary="Tell where scenes of videos begin and end.",
    noun="a model that finds scenes",
    use="finds scenes: use `vidgru scenes`",
    subject="scenes",
    train_config=SceneTrainConfig,
)
