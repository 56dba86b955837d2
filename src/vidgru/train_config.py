"""What can be set where a model is trained, with the one place of each default and help text."""

from dataclasses import dataclass, fields
from typing import Any

from vidgru.config import (
    AUGMENTS,
    CORE,
    CORES,
    DEVICES,
    ENCODERS,
    GATED_UPDATES,
    INPUTS,
    MAP_CORE,
    OPTIMIZERS,
    SIZE,
    TASKS,
)
from vidgru.errors import OptionError
from vidgru.option import check, option
from vidgru.spec import (
    AHEAD,
    FEWEST_SCENE_FRAMES,
    MAP_SIZES,
    MOST_AHEAD,
    MOTION_SECONDS,
    SCENE_FRAMES,
    SCENE_SIZE,
    SEEN,
)

# Options of a training that have no meaning where there are no classes.
CLASSES_ONLY = frozenset(
    "folds init encoder core gated_update input augment rotation shift shear zoom flip".split()  # noqa: SIM905
)


FEWEST_FRAMES = 4  # of a window, but for forecasts


@dataclass(frozen=True)
class TrainConfig:
    """How `train` learns. None means: chosen from the data."""

    task: str = option(
        "classify",
        "What to learn: to tell classes (classify), how things move and will move (motion), to"
        " foresee frames (forecast), or to find where scenes begin (scenes). The last three need no"
        " classes in FOLDER.",
        choices=TASKS,
    )
    val: float = option(
        0.2, "Share of each class kept for validation.", above=0, below=1, metavar="SHARE"
    )
    val_folder: str | None = option(
        None, "Validate on this folder's classes instead.", metavar="FOLDER"
    )
    group_by: str | None = option(
        None,
        "Keep clips of one group (person, day, camera ...) on one side of the split: a regular"
        " expression on the clip's relative path, or a column of FOLDER/groups.csv (or of the"
        " list). Default: what names and tables suggest; `none` splits clip by clip.",
        metavar="REGEX|COLUMN",
    )
    split: str | None = option(
        None,
        "Split as this table says (path,label,split), for example the split.csv of an earlier run.",
        metavar="FILE",
    )
    folds: int | None = option(
        None,
        "Cross-validate first: learn so many times, each time with another part held out, then once"
        " from all clips. Takes so much longer. Default: 4 where fewer than 12 clips would be left"
        " to validate with, and none of --epochs, --minutes, --val and --size is given; 1 learns"
        " once.",
        low=1,
        metavar="N",
    )
    epochs: int | None = option(
        None, "Passes over the training clips. Default: from the data set's size.", low=1
    )
    minutes: float | None = option(
        None,
        "Time for the whole command instead of epochs; the learning rate fits itself to it."
        " Results then depend on the machine's speed and are not repeatable to the bit.",
        above=0,
    )
    seed: int = option(
        0,
        "Same seed, machine and --threads on the CPU: the same model, bit for bit.",
        low=0,
        high=2**63 - 1,
    )
    threads: int | None = option(None, "CPU threads. Default: all cores.", low=1, high=1024)
    device: str = option(
        "auto", "Where to compute; auto takes a GPU if there is one.", choices=DEVICES
    )
    init: str | None = option(
        None,
        "Run folder or model file whose encoder a classifier begins with: one of --task forecast,"
        " which may have learned from other videos, without classes, or one that tells classes,"
        " the same or others. Default: random weights.",
        metavar="RUN",
    )
    encoder: str = option(
        "cnn",
        "What the core reads: features of each frame (cnn), or each frame by itself, a row of"
        " pixels at a time (rows, for single images).",
        choices=ENCODERS,
    )
    core: str | None = option(
        None, f"Recurrent core of a classifier. Default: {CORE}.", choices=CORES
    )
    gated_update: str = option(
        "blend",
        "How the core `gated` uses its update gate: blend old and new cell state with it, or leave"
        " it out, as the article's formula is printed.",
        choices=GATED_UPDATES,
    )
    input: str | None = option(
        None,
        "What the network sees: changes between frames, pictures, or both. Default: both, or"
        " pictures where all clips are single images.",
        choices=INPUTS,
    )
    size: int | None = option(
        None,
        f"Side of the square picture that the network sees. Default: {SIZE}; for motion that of the"
        f" model it begins with; for scenes {SCENE_SIZE}. All but classes take multiples of 16 from"
        " 32 to 256.",
        low=16,
        high=512,
    )
    frames: int | None = option(
        None,
        f"Frames of one window. Default: 16 or fewer; for motion {MOTION_SECONDS:g} seconds. To"
        f" forecast: frames that are seen; {SEEN}, or fewer where clips are short. To find scenes:"
        f" {SCENE_FRAMES}, out of several clips.",
        low=1,
        high=512,
    )
    ahead: int | None = option(
        None,
        f"Frames to learn to foresee, with --task forecast. Default: {AHEAD}, or fewer where clips"
        " are short.",
        low=1,
        high=MOST_AHEAD,
        metavar="N",
    )
    grey: bool | None = option(
        None, "Forecast shades of grey. Default: where all clips are grey already."
    )
    fps: float | None = option(
        None,
        "Frames per second to sample. Default: from the clips; to forecast, their own up to 30, as"
        " always for scenes.",
        low=0.01,
        high=1000,
    )
    batch_size: int = option(16, "Clips a training step.", low=2, high=4096)
    optimizer: str = option(
        "adamw",
        "AdamW, which pulls weights towards zero, or Adam, which does not.",
        choices=OPTIMIZERS,
    )
    lr: float = option(3e-3, "Highest learning rate.", above=0, high=1)
    augment: str = option(
        "light",
        "How much training changes the pictures of a clip, all of them alike: light (8 degrees, a"
        " little shift and zoom, flip) or strong (40 degrees; shift, shear and zoom 0.2; flip),"
        " and brightness and contrast in both. Flipped and turned clips keep their class; where"
        " that would make two classes inseparable, as left and right, those of these classes are"
        " left out. The options below replace single settings, for all classes alike.",
        choices=AUGMENTS,
    )
    rotation: float | None = option(
        None, "Turn by up to so many degrees.", low=0, high=180, metavar="DEGREES"
    )
    shift: float | None = option(
        None, "Move by up to this share of width and height.", low=0, high=1, metavar="SHARE"
    )
    shear: float | None = option(
        None, "Slant by up to this share of the height.", low=0, high=1, metavar="SHARE"
    )
    zoom: float | None = option(
        None, "Show up to this share more or less.", low=0, below=1, metavar="SHARE"
    )
    flip: bool | None = option(
        None, "Swap left and right at random, whatever the class. Default: checked, see --augment."
    )
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
        if self.task != "classify":
            self._check_unlabelled()
        if self.task != "forecast" and (self.ahead, self.grey) != (None, None):
            name = "--grey" if self.ahead is None else "--ahead"
            raise OptionError(f"{name} is for forecasts: add --task forecast, or leave it out.")
        if self.task != "forecast" and self.frames is not None and self.frames < FEWEST_FRAMES:
            raise OptionError(
                f"Invalid --frames {self.frames}. It must be at least {FEWEST_FRAMES}."
            )
        if self.task == "scenes":
            self._check_scenes()
        if self.encoder == "rows" and (self.input or "rgb") != "rgb":
            raise OptionError("--encoder rows reads pictures: leave out --input.")
        if self.encoder == "rows" and self.init is not None:
            raise OptionError(
                "--init gives encoders, and --encoder rows has none: leave out one of them."
            )
        if self.encoder == "rows" and self.core == MAP_CORE:
            raise OptionError(
                f"--core {MAP_CORE} reads maps, and --encoder rows makes none: leave out one of "
                "them."
            )
        if self.encoder == "rows" and self.frames is not None:
            raise OptionError("--encoder rows reads each frame by itself: leave out --frames.")

    def _check_unlabelled(self) -> None:
        for item in fields(self):
            if item.name in CLASSES_ONLY and getattr(self, item.name) != item.default:
                name = "--" + item.name.replace("_", "-")
                raise OptionError(
                    f"{name} is for classes only: leave it out with --task {self.task}."
                )
        if self.size is not None and self.size not in MAP_SIZES:
            low, high = MAP_SIZES[0], MAP_SIZES[-1]
            raise OptionError(
                f"Invalid --size {self.size} for --task {self.task}. Give a multiple of "
                f"{MAP_SIZES.step}, from {low} to {high}."
            )

    def _check_scenes(self) -> None:
        if self.frames is not None and self.frames < FEWEST_SCENE_FRAMES:
            raise OptionError(
                f"Invalid --frames {self.frames} for --task scenes. It must be at least "
                f"{FEWEST_SCENE_FRAMES}."
            )
        if self.fps is not None:
            raise OptionError(
                "--fps is not for scenes, which are found frame by frame: leave it out with --task"
                " scenes."
            )

    @property
    def cross_validated(self) -> bool:
        """Whether folds are learned, each without a part of the clips."""
        return self.folds is not None and self.folds > 1

    @property
    def open_to_folds(self) -> bool:
        """Whether folds may be learned though nobody asked for them."""
        own = (self.folds, self.epochs, self.minutes, self.val_folder, self.split, self.size)
        return self.task == "classify" and set(own) == {None} and self.val == TrainConfig.val

    @property
    def side(self) -> int:
        """Side of the square picture that a classifier sees, in pixels."""
        return self.size or SIZE


# Named settings; what is given beside them replaces theirs.
PRESETS: dict[str, dict[str, Any]] = {
    # The article's image classifier; it leaves the learning rate open.
    "article": {
        "encoder": "rows",
        "core": "gru",
        "size": 64,
        "optimizer": "adam",
        "lr": 2e-3,
        "batch_size": 32,
        "epochs": 10,
    },
}


def preset_options(preset: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of `TrainConfig` that a preset and those given beside it make.

    Raises OptionError for an unknown preset.
    """
    if preset is None:
        return options
    if preset not in PRESETS:
        names = ", ".join(PRESETS)
        raise OptionError(f"Invalid --preset {preset!r}. Choose one of: {names}.")
    if options.get("task", "classify") != "classify":
        task = options["task"]
        raise OptionError(f"--preset is for classes only: leave it out with --task {task}.")
    settings = PRESETS[preset]
    if options.get("minutes") is not None:
        settings = {name: value for name, value in settings.items() if name != "epochs"}
    return {**settings, **options}


@dataclass(frozen=True)
class CompareConfig:
    """What `compare` compares: each core with each input. How all are trained says TrainConfig."""

    core: tuple[str, ...] = option(CORES, "Recurrent core to compare; give several.", choices=CORES)
    input: tuple[str, ...] = option(
        (),
        "Input to compare: changes between frames, pictures, or both; give several. Default: the"
        " one that `train` takes.",
        choices=INPUTS,
    )
    seeds: int = option(3, "How often to train each, with --seed and those after it.", low=1)

    def __post_init__(self) -> None:
        check(self)
        if len(self.variants()) < 2:
            raise OptionError("Nothing to compare: give at least two of --core, or of --input.")

    def variants(self) -> list[tuple[str, str | None]]:
        """Return (core, input) of each variant once; the input is None where none was given."""
        return list(dict.fromkeys((c, i) for c in self.core for i in self.input or (None,)))
