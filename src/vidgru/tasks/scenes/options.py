"""Options of detecting scenes."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import ClassVar

from vidgru.core.errors import OptionError
from vidgru.core.options import documented, option
from vidgru.engine.model_config import ModelConfig
from vidgru.engine.train_config import MapTrainConfig
from vidgru.tasks.contract import About
from vidgru.tasks.scenes.spec import MIN_SCENE_FRAMES, SCENE_FRAMES, SCENE_SIZE


@documented
@dataclass(frozen=True)
class SceneTrainConfig(MapTrainConfig):
    """How `train` trains a scene detector. None means: chosen from the data."""

    defaults: ClassVar = {
        "size": f"scenes: {SCENE_SIZE}",
        "frames": f"scenes: {SCENE_FRAMES}, from several clips",
        "fps": "scenes: that of the clips, at most 30",
    }

    task: str = option("scenes", "What to train.", choices=("scenes",))

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
    """How `scenes` splits videos, and which files it writes."""

    model: str | None = option(
        None,
        "Run folder or model file of `vidgru train --task scenes`. Default: the model that comes"
        " with vidgru.",
        metavar="RUN",
    )
    threshold: float | None = option(
        None,
        "Confidence from which a boundary counts; three quarters of it for dissolves. Default: from"
        " the model.",
        above=0,
        below=1,
    )
    csv: str | None = option(None, "Also write a table with one row per scene.", metavar="FILE")
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
        "Also write each scene as a video here: copied without loss if ffmpeg is installed and the"
        " scene lies between key frames, else re-encoded.",
        metavar="DIR",
    )
    sheet: str | None = option(
        None,
        "Also write a contact sheet with a picture of each scene: a .png file, or for several"
        " sources a folder.",
        metavar="FILE|DIR",
    )
    objects: bool = option(
        False,
        "Old name of `vidgru changes`; will be removed in the next version. --csv then has one row"
        " per change, --images the frames before and after each change.",
    )
    heatmap: str | None = option(
        None,
        "With --objects, also write a heat map of the changes: a .png file, or for several sources"
        " a folder.",
        metavar="FILE|DIR",
    )
    overwrite: bool = option(False, "Replace such files if they exist.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.objects:
            changed = (item for item in fields(self) if getattr(self, item.name) != item.default)
            refuse_without_scenes(item.name for item in changed)
        if self.heatmap is not None and not self.objects:
            raise OptionError("--heatmap needs --objects: give that, too.")


def refuse_without_scenes(names: Iterable[str]) -> None:
    """Raise OptionError where given options are for scenes only, not for --objects."""
    for name in names:
        if name in ("model", "device", "threads", "threshold", "edl", "split", "sheet"):
            raise OptionError(f"--objects does not use --{name}: leave it out.")


ABOUT = About(
    name="scenes",
    noun="a model of scenes",
    use="is a model of scenes: use `vidgru scenes`",
    subject="scenes",
    train_config=SceneTrainConfig,
)
