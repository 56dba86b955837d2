"""Options of classification: defaults and help texts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from vidgru.core.errors import OptionError
from vidgru.core.options import check, documented, option
from vidgru.core.torchrun import world_size
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.engine.model_config import EvaluateConfig, ModelConfig
from vidgru.engine.train_config import TrainConfig
from vidgru.nn.choices import (
    AUTO,
    CORE,
    CORES,
    ENCODERS,
    GATED_UPDATES,
    INPUTS,
    LOOKS,
    MAP_CORE,
    SEEDS,
    SIZE,
)
from vidgru.tasks.contract import About

AUGMENTS = ("none", "light", "strong")


@documented
@dataclass(frozen=True)
class ClassifyTrainConfig(TrainConfig):
    """How `train` trains a classifier. None means: chosen from the data."""

    defaults: ClassVar = {"size": f"{SIZE}", "frames": "16 or fewer", "fps": "from the clips"}

    task: str = option("classify", "What to train.", choices=("classify",), metavar="TASK")
    init: str | None = option(
        None,
        "Start from a run, vidgru's weights (default below 10 clips a class), or at random.",
        metavar="RUN|shipped|none",
    )
    encoder: str = option(
        "cnn",
        "What the core reads: features of each frame (cnn), or the rows of one frame (rows, for"
        " single images).",
        choices=ENCODERS,
    )
    core: str | None = option(None, f"Recurrent core. Default: {CORE}.", choices=CORES)
    gated_update: str = option(
        "blend",
        "Update gate of the core `gated`: blend the old and the new cell state, or leave it out,"
        " as in the article's printed formula.",
        choices=GATED_UPDATES,
    )
    input: str | None = option(
        None,
        "Input of the network: differences between frames (diff), the frames (rgb), or both;"
        " with --looks, its features take the place of the frames, and looks is them alone."
        " auto chooses by the clips: changes, looks or both. Default: both, or for single images"
        " rgb or looks.",
        choices=(*INPUTS, LOOKS, AUTO),
    )
    looks: str | None = option(
        None,
        "Picture encoder, an ONNX file, that sees every fourth frame beside the network. It is not"
        " trained. Needs onnxruntime.",
        metavar="FILE",
    )
    looks_mean: str | None = option(
        None,
        "Mean of the pixels (0 to 1) that it learned from: three numbers with commas, or a name:"
        " imagenet, inception, clip. Default: by its metadata, or imagenet.",
        metavar="NUMBERS|NAME",
    )
    looks_std: str | None = option(
        None,
        "Standard deviation of these pixels, likewise. Default: that of the mean's name.",
        metavar="NUMBERS|NAME",
    )
    pack: bool = option(
        False, "Copy the picture encoder into the run folder, if it has 30 MB at most."
    )
    augment: str = option(
        "light",
        "Random changes to training clips: light (rotation up to 8 degrees, small shift and zoom,"
        " mirror images, brightness, contrast) or strong (40 degrees; shift, shear, zoom 0.2)."
        " Rotated and mirrored clips are left out for classes that they would make inseparable."
        " The options below replace single settings, for all classes.",
        choices=AUGMENTS,
    )
    rotation: float | None = option(
        None, "Rotate by up to this angle.", low=0, high=180, metavar="DEGREES"
    )
    shift: float | None = option(
        None, "Shift by up to this share of width and height.", low=0, high=1, metavar="SHARE"
    )
    shear: float | None = option(
        None, "Shear by up to this share of the height.", low=0, high=1, metavar="SHARE"
    )
    zoom: float | None = option(
        None, "Zoom in or out by up to this share.", low=0, below=1, metavar="SHARE"
    )
    flip: bool | None = option(
        None, "Use mirror images of all clips, or of none. Default: decided by a test."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoder == "rows" and (self.input or "rgb") != "rgb":
            raise OptionError("--encoder rows reads frames as they are: leave out --input.")
        if self.encoder == "rows" and self.init not in (None, "none"):
            raise OptionError(
                "--init sets the encoder, and --encoder rows has none: leave out one of them."
            )
        if self.encoder == "rows" and self.core == MAP_CORE:
            raise OptionError(
                f"--core {MAP_CORE} reads maps, and --encoder rows makes none: leave out one of "
                "them."
            )
        if self.encoder == "rows" and self.frames is not None:
            raise OptionError("--encoder rows reads each frame by itself: leave out --frames.")
        self._check_looks()

    def _check_looks(self) -> None:
        """Raise OptionError for options that do not go with a picture encoder, or need one."""
        if self.looks is None:
            for name in ("looks_mean", "looks_std", "pack"):
                if getattr(self, name) not in (None, False):
                    flag = name.replace("_", "-")
                    raise OptionError(f"--{flag} is about a picture encoder: give --looks FILE.")
            if self.input in (LOOKS, AUTO):
                raise OptionError(
                    f"--input {self.input} needs a picture encoder: give --looks FILE."
                )
            return
        if self.input in ("diff", "rgb"):
            raise OptionError(
                f"--looks takes the place of frames: give --input both, {LOOKS} or {AUTO}, or "
                "leave out --looks."
            )
        if self.encoder == "rows" or self.core == MAP_CORE:
            other = "--encoder rows" if self.encoder == "rows" else f"--core {MAP_CORE}"
            raise OptionError(f"--looks gives no rows or maps for {other}: leave out one of them.")

    @property
    def open_to_folds(self) -> bool:
        """Whether folds may be trained though not requested."""
        own = (self.folds, self.epochs, self.minutes, self.val_folder, self.split, self.size)
        return set(own) == {None} and self.val == TrainConfig.val

    @property
    def open_to_all(self) -> bool:
        """Whether the model may learn from validation clips, once another one was measured."""
        return {self.folds, self.epochs, self.minutes} == {None}

    @property
    def side(self) -> int:
        """Side of a classifier's square input picture, in pixels."""
        return self.size or SIZE


def without_folds(config: ClassifyTrainConfig) -> ClassifyTrainConfig:
    """Return a config with which few clips are split once, too, unless folds are requested."""
    return replace(config, folds=1) if config.open_to_folds else config


@dataclass(frozen=True)
class AnswerConfig(ModelConfig):
    """How a classifier predicts."""

    max_error: float | None = option(
        None,
        "Share of predictions that may be wrong. Predictions of low confidence become `unsure`; the"
        " threshold is chosen on the validation clips. Default: no limit.",
        above=0,
        below=1,
        metavar="SHARE",
    )
    looks: str | None = option(
        None,
        "Picture encoder that the model was trained with, where it is not where it was then.",
        metavar="FILE",
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
        "Predict over time: segments with start, end, label and confidence. --save, --subtitles,"
        " --events and --per-frame imply it.",
    )
    save: str | None = option(
        None,
        "Also write the video with its timeline drawn on it: an .mp4 or .webm file, or for several"
        " sources a folder.",
        metavar="FILE|DIR",
    )
    subtitles: str | None = option(
        None,
        "Also write the timeline as subtitles: an .srt or .vtt file, or for several sources a"
        " folder.",
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
    torch: bool = option(
        False, "Compute with torch even where the run folder holds a model.onnx, which is faster."
    )
    workers: str = option(
        "1",
        "Worker processes, each of some 350 MB of memory; auto: one per core, fewer for few"
        " sources.",
        metavar="N|auto",
    )
    out: str | None = option(
        None,
        "Write one JSON line per source to this new file, in the order of the sources."
        " Under torchrun, each process writes its own <name>-<number>-of-<count>.jsonl,"
        " and the exit code is 0 even if a source fails.",
        metavar="FILE",
    )
    resume: bool = option(
        False,
        "Continue --out: sources that have a line there, even an error, are skipped. To try one"
        " again, delete its line.",
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
            raise OptionError(f"--out writes predictions only: leave out {names}.")
        if self.min_seconds is not None and not self.segments:
            raise OptionError("--min-seconds needs --timeline.")
        if self.resume and self.out is None:
            raise OptionError("--resume needs --out: the file to continue.")

    @property
    def backend(self) -> dict[str, Any]:
        """What opens its model: options by name."""
        names = ("device", "threads", "max_error", "torch", "looks")
        return {name: getattr(self, name) for name in names}

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
        "Share of predictions that may be wrong: also report the accuracy when predictions of low"
        " confidence become `unsure`.",
        above=0,
        below=1,
        metavar="SHARE",
    )
    group_by: str | None = option(
        None,
        "Groups of clips (one person, day or camera), for a wider interval of the accuracy: REGEX"
        " on paths, or COLUMN of groups.csv. Default: as names suggest; `none`: no groups.",
        metavar="REGEX|COLUMN",
    )
    timeline: bool = option(
        False,
        "Measure timelines: of the videos in a list path,label,start,end, with several segments"
        " each, by frames, by segments and by bouts.",
    )
    min_seconds: float | None = option(None, **SHORTEST)
    out: str | None = option(
        None,
        "Report to write; what is there is replaced. Default: report.html in the run folder.",
        metavar="FILE",
    )
    explain: int | None = option(
        None,
        "Explain the N most confident mistakes, as `vidgru explain` does, in the folder mistakes"
        " beside the report.",
        low=1,
        metavar="N",
    )

    looks: str | None = option(
        None,
        "Picture encoder that the model was trained with, where it is not where it was then.",
        metavar="FILE",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        defaults = {"explain": None, "group_by": None, "max_error": type(self).max_error}
        for name, default in defaults.items() if self.timeline else ():
            if getattr(self, name) != default:
                flag = name.replace("_", "-")
                raise OptionError(f"--{flag} is for clips: leave out --timeline.")
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

    core: tuple[str, ...] = option(CORES, "Recurrent core to compare; repeatable.", choices=CORES)
    input: tuple[str, ...] = option(
        (),
        "Input to compare: differences between frames, the frames (rgb), or both; repeatable."
        " Default: as `train`.",
        choices=INPUTS,
    )
    seeds: int = option(SEEDS, "Trainings of each, with --seed and the seeds after it.", low=1)

    def __post_init__(self) -> None:
        check(self)
        # Refused here, before anything large is imported, by all processes at about the same time.
        if world_size() > 1:
            raise OptionError("`vidgru compare` trains in one process: leave out torchrun.")
        if len(self.variants()) < 2:
            raise OptionError("Nothing to compare: name at least two with --core or --input.")

    def variants(self) -> list[tuple[str, str | None]]:
        """Return (core, input) of each variant once; the input is None where none was given."""
        return list(dict.fromkeys((c, i) for c in self.core for i in self.input or (None,)))


ABOUT = About(
    name="classify",
    noun="a classifier",
    use="is a classifier: use `vidgru predict`",
    subject="classes",
    train_config=ClassifyTrainConfig,
    evaluate_config=ClassifyEvaluateConfig,
    presets=PRESETS,
)
