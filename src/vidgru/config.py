"""What can be set, with the one place where each default and each help text stands."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from vidgru.errors import OptionError
from vidgru.option import check, option
from vidgru.spec import MOST_AHEAD

TASKS = ("classify", "motion", "forecast", "scenes")
MAP_CORE = "convgru"  # the one that works on maps
CORES = ("gru", "lstm", "rnn", "gated", MAP_CORE)
CORE, SIZE = CORES[0], 64  # of a classifier
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


@dataclass(frozen=True)
class ModelConfig:
    """Which model answers, and where. All about the pictures comes from the model file."""

    model: str | None = option(
        None, "Run folder or model file. Default: the newest run in ./runs.", metavar="RUN"
    )
    device: str = option(
        "auto", "Where to compute; auto takes a GPU if there is one.", choices=DEVICES
    )
    threads: int = option(
        1, "CPU threads of the network; reading the video takes longer.", low=1, high=1024
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class AnswerConfig(ModelConfig):
    """How a model that tells classes answers."""

    max_error: float | None = option(
        None,
        "Share of the answers that may be wrong: say `unsure` where the confidence is below the"
        " threshold that keeps to it on the validation clips. Default: always answer.",
        above=0,
        below=1,
        metavar="SHARE",
    )


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


@dataclass(frozen=True)
class MotionConfig(ModelConfig):
    """How `motion` tells what moves."""

    model: str | None = option(
        None,
        "Run folder or model file of `vidgru train --task motion`. Default: the model that comes"
        " with vidgru.",
        metavar="RUN",
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


@dataclass(frozen=True)
class ForecastConfig(ModelConfig):
    """What `forecast` foresees of each video."""

    model: str | None = option(
        None,
        "Run folder or model file of `vidgru train --task forecast`. Default: the newest such run"
        " in ./runs.",
        metavar="RUN",
    )
    ahead: int | None = option(
        None,
        "Frames to foresee, at the rate that the model learned. Default: as many as it learned to.",
        low=1,
        high=MOST_AHEAD,
        metavar="N",
    )
    at: tuple[float, ...] = option(
        (),
        "Foresee what comes after this second; give several for an error curve. Default: what comes"
        " after the end.",
        low=0,
        metavar="SECONDS",
    )
    out: str | None = option(
        None,
        "Folder for the pictures, the video and the filmstrip. Default: <video>-forecast, in the"
        " current folder.",
        metavar="DIR",
    )
    overwrite: bool = option(False, "Write over an earlier forecast in that folder.")


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
        "Confidence from which a boundary counts. Default: the one that the model found best.",
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
        "For a fixed camera: tell instead what appeared, vanished or moved for good, which is until"
        " the end or for twelve pictures; light and passers-by do not count. --csv then has a"
        " row a change, --images each change before and after.",
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
