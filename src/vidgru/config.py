"""What can be set, with the one place where each default and each help text stands."""

from dataclasses import dataclass, fields
from typing import Any

from vidgru.errors import OptionError
from vidgru.option import check, option
from vidgru.spec import MOTION_SECONDS, MOTION_SIZES

TASKS = ("classify", "motion")
CORES = ("gru", "lstm", "rnn", "gated")
CORE, SIZE = CORES[0], 64  # of a classifier
MOTION_CORE = "convgru"
GATED_UPDATES = ("blend", "printed")
ENCODERS = ("cnn", "rows")
INPUTS = ("diff", "rgb", "both")
OPTIMIZERS = ("adamw", "adam")
AUGMENTS = ("none", "light", "strong")
DEVICES = ("auto", "cpu", "cuda", "mps")
IMAGE_FORMATS = ("jpg", "png")


@dataclass(frozen=True)
class ExtractConfig:
    """Which frames `extract` writes, and how. At most one of fps, every and count is set."""

    fps: float | None = option(None, "Frames per second of the source's time.", above=0, high=1000)
    every: int | None = option(None, "Every Nth frame.", low=1, metavar="N")
    count: int | None = option(None, "N frames, spread evenly over the video.", low=1, metavar="N")
    start: float | None = option(None, "Begin at this second.", low=0, metavar="SECONDS")
    end: float | None = option(None, "Stop before this second.", above=0, metavar="SECONDS")
    size: str | None = option(
        None, "WIDTHxHEIGHT, or one number for the longer side.", metavar="SIZE"
    )
    format: str = option("jpg", "Image format.", choices=IMAGE_FORMATS)
    quality: int = option(95, "JPEG quality, 1 to 100.", low=1, high=100)
    overwrite: bool = option(False, "Replace frames that are already there.")

    def __post_init__(self) -> None:
        check(self)
        if sum(value is not None for value in (self.fps, self.every, self.count)) > 1:
            raise OptionError("Give only one of --fps, --every and --count.")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise OptionError(f"--end {self.end} must be later than --start {self.start}.")
        self.target_size()

    def target_size(self) -> tuple[int, int] | int | None:
        """Return (width, height), the longer side, or None for the source's own size."""
        if self.size is None:
            return None
        parts = self.size.lower().split("x")
        digits = all(part.isascii() and part.isdigit() and len(part) < 100 for part in parts)
        if len(parts) > 2 or not digits:
            raise OptionError(f"Invalid --size {self.size!r}. Give 320x240, or 320.")
        numbers = [int(part) for part in parts]
        if min(numbers) < 1 or max(numbers) > 16384:
            raise OptionError(f"Invalid --size {self.size!r}. Sides go from 1 to 16384 pixels.")
        return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


@dataclass(frozen=True)
class CheckConfig:
    """What `check` is told of the clips."""

    group_by: str | None = option(
        None,
        "What clips of one person, day or camera have in common, as for `train`. Default: found"
        " out, where names or FOLDER/groups.csv tell; `none` leaves that.",
        metavar="REGEX|COLUMN",
    )

    def __post_init__(self) -> None:
        check(self)


# Options of a training that have no meaning where there are no classes.
CLASSES_ONLY = frozenset(
    "folds encoder core gated_update input augment rotation shift shear zoom flip".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class TrainConfig:
    """How `train` learns. None means: chosen from the data."""

    task: str = option(
        "classify",
        "What to learn: to tell classes (classify), or how things move and will move (motion), for"
        " which FOLDER needs no classes.",
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
        " from all clips. Takes so much longer.",
        low=2,
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
        " model it begins with.",
        low=16,
        high=512,
    )
    frames: int | None = option(
        None,
        f"Frames of one window. Default: 16 or fewer; for motion {MOTION_SECONDS:g} seconds.",
        low=4,
        high=512,
    )
    fps: float | None = option(
        None, "Frames per second to sample. Default: from the clips.", low=0.01, high=1000
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
        " and brightness and contrast in both. Which class a flipped clip belongs to, and how far"
        " each class may be turned, is found out. The options below replace single settings.",
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
    flip: bool | None = option(None, "Swap left and right at random.")
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
        if self.task == "motion":
            self._check_motion()
        if self.encoder == "rows" and (self.input or "rgb") != "rgb":
            raise OptionError("--encoder rows reads pictures: leave out --input.")
        if self.encoder == "rows" and self.frames is not None:
            raise OptionError("--encoder rows reads each frame by itself: leave out --frames.")

    def _check_motion(self) -> None:
        for item in fields(self):
            if item.name in CLASSES_ONLY and getattr(self, item.name) != item.default:
                name = "--" + item.name.replace("_", "-")
                raise OptionError(f"{name} is for classes only: leave it out with --task motion.")
        if self.size is not None and self.size not in MOTION_SIZES:
            low, high = MOTION_SIZES[0], MOTION_SIZES[-1]
            raise OptionError(
                f"Invalid --size {self.size} for --task motion. Give a multiple of "
                f"{MOTION_SIZES.step}, from {low} to {high}."
            )

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
        raise OptionError("--preset is for classes only: leave it out with --task motion.")
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


@dataclass(frozen=True)
class AnswerConfig:
    """How a model answers. Everything about the pictures comes from the model file."""

    model: str | None = option(
        None, "Run folder or model file. Default: the newest run in ./runs.", metavar="RUN"
    )
    device: str = option(
        "auto", "Where to compute; auto takes a GPU if there is one.", choices=DEVICES
    )
    threads: int = option(
        1, "CPU threads of the network; reading the video takes longer.", low=1, high=1024
    )
    max_error: float | None = option(
        None,
        "Share of the answers that may be wrong: say `unsure` where the confidence is below the"
        " threshold that keeps to it on the validation clips. Default: always answer.",
        above=0,
        below=1,
        metavar="SHARE",
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class PredictConfig(AnswerConfig):
    """What `predict` tells of each source."""

    timeline: bool = option(
        False,
        "Tell what happens when: segments with start, end, label and confidence."
        " --save and --subtitles do so, too.",
    )
    save: str | None = option(
        None,
        "Also write the video with its timeline drawn on it: an .mp4 or .webm file, or for several"
        " sources a folder.",
        metavar="FILE|DIR",
    )
    subtitles: str | None = option(
        None,
        "Also write the timeline as subtitles, which any player shows: an .srt or .vtt file, or for"
        " several sources a folder.",
        metavar="FILE|DIR",
    )
    workers: str = option(
        "1",
        "Processes that read and answer, each taking some 350 MB of memory; auto: one a core, fewer"
        " for few sources.",
        metavar="N|auto",
    )
    out: str | None = option(
        None,
        "Write a JSON line a source here, in their order, each as soon as it is known; must be new."
        " Under torchrun, each process writes its own <name>-<number>-of-<count>.jsonl,"
        " and a source that fails does not make the exit code 1.",
        metavar="FILE",
    )
    resume: bool = option(
        False,
        "Go on with --out: sources that have a line there, an error too, are done, if they are"
        " given by the same path. To try some again, delete their lines; they come last then.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.workers != "auto":
            digits = self.workers.isascii() and self.workers.isdigit() and len(self.workers) < 5
            if not digits or not 1 <= int(self.workers) <= 1024:
                raise OptionError(
                    f"Invalid --workers {self.workers!r}. Give a number from 1 to 1024, or auto."
                )
        if self.out is not None and (self.save or self.subtitles) is not None:
            raise OptionError("--out keeps answers only: leave out --save and --subtitles.")
        if self.resume and self.out is None:
            raise OptionError("--resume needs --out: the file to go on with.")

    @property
    def segments(self) -> bool:
        """Whether answers are timelines."""
        return self.timeline or self.save is not None or self.subtitles is not None


@dataclass(frozen=True)
class EvaluateConfig(AnswerConfig):
    """How `evaluate` measures a model; all else as for `predict`."""

    max_error: float = option(
        0.05,
        "Share of the answers that may be wrong: count what is left when those that are not sure"
        " enough become `unsure`.",
        above=0,
        below=1,
        metavar="SHARE",
    )
    group_by: str | None = option(
        None,
        "Clips of one group (person, day, camera ...) tell less than as many of their own: widen"
        " the interval of the accuracy accordingly. A regular expression on the clip's relative"
        " path, or a column of FOLDER/groups.csv. Default: what names and tables suggest; `none`"
        " counts clip by clip.",
        metavar="REGEX|COLUMN",
    )
    out: str | None = option(
        None, "Report to write. Default: report.html in the run folder.", metavar="FILE"
    )
