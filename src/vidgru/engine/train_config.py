"""Options of all trainings: defaults and help texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from vidgru.core.errors import OptionError
from vidgru.core.options import check, option
from vidgru.data.split_config import SplitConfig
from vidgru.engine.model_config import DEVICES
from vidgru.nn.choices import MAP_SIZES

OPTIMIZERS = ("adamw", "adam")
MIN_FRAMES = 4  # of a window, unless the task defines another minimum


@dataclass(frozen=True)
class TrainConfig(SplitConfig):
    """How `train` trains. None means: chosen from the data.

    unused: options without a meaning for the task; defaults: by option, the default in words;
    min_frames: of a window.
    """

    unused: ClassVar[frozenset[str]] = frozenset()
    defaults: ClassVar[Mapping[str, str]] = {}
    min_frames: ClassVar[int] = MIN_FRAMES

    task: str = option("", "What to train.")
    epochs: int | None = option(None, "Passes over the clips. Default: by their number.", low=1)
    minutes: float | None = option(
        None,
        "Total time, instead of --epochs; not reproducible.",
        above=0,
    )
    threads: int | None = option(None, "CPU threads. Default: all cores.", low=1, high=1024)
    device: str = option(
        "auto", "Device to compute on; auto: a GPU if there is one.", choices=DEVICES
    )
    size: int | None = option(
        None, "Side of the square frames that the network gets, in pixels.", low=16, high=512
    )
    frames: int | None = option(None, "Frames in a window.", low=1, high=512)
    fps: float | None = option(None, "Frames per second to sample.", low=0.01, high=1000)
    batch_size: int = option(16, "Clips in a batch.", low=2, high=4096)
    optimizer: str = option(
        "adamw",
        "AdamW (Adam with weight decay), or Adam without.",
        choices=OPTIMIZERS,
    )
    lr: float = option(3e-3, "Highest learning rate.", above=0, high=1)
    out: str | None = option(
        None, "Run folder to write; must be new. Default: runs/<folder>-<number>.", metavar="DIR"
    )

    def __post_init__(self) -> None:
        check(self)
        if self.epochs is not None and self.minutes is not None:
            raise OptionError("Give only one of --epochs and --minutes.")
        splits = {"--val-folder": self.val_folder, "--split": self.split, "--folds": self.folds}
        if len(given := [name for name, value in splits.items() if value is not None]) > 1:
            raise OptionError(f"Give only one of {' and '.join(given)}.")
        if self.frames is not None and self.frames < self.min_frames:
            raise OptionError(
                f"Invalid --frames {self.frames}. It must be at least {self.min_frames}."
            )


@dataclass(frozen=True)
class MapTrainConfig(TrainConfig):
    """How to train on whole pictures, read as maps, without classes."""

    labelled: ClassVar[bool] = False
    unused: ClassVar[frozenset[str]] = frozenset(
        {"folds", "labels", "background", "background_videos", "overlap"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size is not None and self.size not in MAP_SIZES:
            low, high = MAP_SIZES[0], MAP_SIZES[-1]
            raise OptionError(
                f"Invalid --size {self.size} for --task {self.task}. Give a multiple of "
                f"{MAP_SIZES.step}, from {low} to {high}."
            )
