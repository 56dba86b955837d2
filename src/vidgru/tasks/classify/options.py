"""Options of classification: defaults and help texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from vidgru.core.errors import OptionError
from vidgru.core.options import check, option
from vidgru.core.torchrun import world_size
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.engine.model_config import EvaluateConfig, ModelConfig
from vidgru.engine.train_config import TrainConfig
from vidgru.nn.choices import CORE, CORES, ENCODERS, GATED_UPDATES, INPUTS, MAP_CORE, SIZE
from vidgru.tasks.contract import About

AUGMENTS = ("none", "light", "strong")


@dataclass(frozen=True)
class ClassifyTrainConfig(TrainConfig):
    """How `train` trains a classifier. None means: chosen from the data."""

    defaults: ClassVar = {"size": f"{SIZE}", "frames": "16 or fewer", "fps": "from the clips"}

    task: str = option("classify", "What to learn.", choices=("classify",))
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

    def __post_init__(self) -> None:
        super().__post_init__()
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

    @property
    def open_to_folds(self) -> bool:
        """Whether folds may be trained though not requested."""
        own = (self.folds, self.epochs, self.minutes, self.val_folder, self.split, self.size)
        return set(own) == {None} and self.val == TrainConfig.val

    @property
    def side(self) -> int:
        """Side of a classifier's square input picture, in pixels."""
        return self.size or SIZE


@dataclass(frozen=True)
class AnswerConfig(ModelConfig):
    """How a classifier predicts."""

    max_error: float | None = option(
        None,
        "Share of the answers that may be wrong: say `unsure` where the confidence is below the"
        " threshold that keeps to it on the validation clips. Default: always answer.",
        above=0,
        below=1,
        metavar="SHARE",
    )


SHORTEST: dict[str, Any] = {
    "text": "Shortest bout of a timeline; shorter ones go to what lies around them. Default: none.",
    "above": 0,
    "metavar": "SECONDS",
}


@dataclass(frozen=True)
class PredictConfig(AnswerConfig):
    """What `predict` outputs for each source."""

    timeline: bool = option(
        False,
        "Tell what happens when: segments with start, end, label and confidence."
        " --save, --subtitles, --events and --per-frame do so, too.",
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
    events: str | None = option(
        None,
        "Also write the timelines of all sources as one table of events, as BORIS exports them:"
        " a .tsv or .csv file.",
        metavar="FILE",
    )
    per_frame: str | None = option(
        None,
        "Also write a row for each frame of the video, with a column a class, 1 where it is shown:"
        " a .csv file, or for several sources a folder.",
        metavar="FILE|DIR",
    )
    min_seconds: float | None = option(None, **SHORTEST)
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
        "Continue --out: sources that have a line there, an error too, are done, if they are"
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
        if self.out is not None and self._written:
            names = ", ".join("--" + name.replace("_", "-") for name in self._written)
            raise OptionError(f"--out keeps answers only: leave out {names}.")
        if self.min_seconds is not None and not self.segments:
            raise OptionError("--min-seconds needs --timeline.")
        if self.resume and self.out is None:
            raise OptionError("--resume needs --out: the file to continue.")

    @property
    def segments(self) -> bool:
        """Whether answers are timelines."""
        return self.timeline or bool(self._written)

    @property
    def _written(self) -> list[str]:
        """Names of the options that write timelines to files."""
        names = ("save", "subtitles", "events", "per_frame")
        return [name for name in names if getattr(self, name) is not None]


@dataclass(frozen=True)
class ClassifyEvaluateConfig(EvaluateConfig, AnnotationConfig):
    """How `evaluate` measures a classifier."""

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
    timeline: bool = option(
        False,
        "Measure timelines: of the videos in a list path,label,start,end, with several segments"
        " each, by frames, by segments and by bouts.",
    )
    min_seconds: float | None = option(None, **SHORTEST)
    out: str | None = option(
        None, "Report to write. Default: report.html in the run folder.", metavar="FILE"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.min_seconds is not None and not self.timeline:
            raise OptionError("--min-seconds needs --timeline.")


# Named settings; options given with a preset replace the preset's.
PRESETS: Mapping[str, Mapping[str, Any]] = {
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


@dataclass(frozen=True)
class CompareConfig:
    """What `compare` compares: each core with each input. TrainConfig defines the training."""

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
        # Refused here, before anything large is imported, by all processes at about the same time.
        if world_size() > 1:
            raise OptionError("`vidgru compare` trains in one process: leave out torchrun.")
        if len(self.variants()) < 2:
            raise OptionError("Nothing to compare: give at least two of --core, or of --input.")

    def variants(self) -> list[tuple[str, str | None]]:
        """Return (core, input) of each variant once; the input is None where none was given."""
        return list(dict.fromkeys((c, i) for c in self.core for i in self.input or (None,)))


ABOUT = About(
    name="classify",
    learns="to tell classes",
    command="predict",
    summary="Tell what happens in videos.",
    noun="a model that tells classes",
    use="tells classes: use `vidgru predict`",
    subject="classes",
    train_config=ClassifyTrainConfig,
    evaluate_config=ClassifyEvaluateConfig,
    presets=PRESETS,
)
