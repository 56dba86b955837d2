"""vidgru: learn from a folder of short videos, then tell what happens in any video.

    import vidgru

    for finding in vidgru.check("clips/").findings:
        print(finding.severity, finding.sentence)
    result = vidgru.train("clips/", epochs=50)
    print(result.validation.accuracy)
    print(vidgru.evaluate("more_clips/", result.run).scores.accuracy)
    prediction = vidgru.load(result.run).predict("new.mp4")
    print(prediction.label, prediction.confidence)
    for segment in vidgru.load(result.run).timeline("long.mp4").segments:
        print(segment.start, segment.end, segment.label)
    for moment in vidgru.load(result.run).stream("camera:0"):
        print(moment.time, moment.label)
    for second in vidgru.load_motion().analyse("new.mp4").seconds:
        print(second.objects, second.camera.words, second.ahead)
    for frame in vidgru.load_forecast("runs/clips-1").forecast("new.mp4")[0].frames:
        print(frame.seconds)
    for scene in vidgru.load_scenes().scenes("new.mp4").scenes:
        print(scene.number, scene.start_seconds, scene.begins)
    for change in vidgru.find_changes("yard.mp4").changes:
        print(change.seconds, change.kind, change.box)
    for frame in vidgru.extract("new.mp4", "frames/", fps=5):
        print(frame.file, frame.seconds)

These are what the command line calls. Every failure is a `vidgru.VidgruError`.
"""

import importlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from vidgru.core.errors import VidgruError
from vidgru.core.options import make
from vidgru.core.results import Failure
from vidgru.data.results import Checked
from vidgru.engine.train_config import TrainConfig
from vidgru.nn.choices import CORES
from vidgru.tasks.classify.check_options import CheckConfig
from vidgru.tasks.classify.options import ClassifyTrainConfig, CompareConfig
from vidgru.tasks.classify.results import Prediction, TrainResult
from vidgru.tasks.classify.scores import Comparison, Evaluation
from vidgru.tasks.classify.timeline import LiveMoment, Moment, Segment, Timeline
from vidgru.tasks.classify.timeline_scores import TimelineEvaluation
from vidgru.tasks.forecast.options import ForecastTrainConfig
from vidgru.tasks.forecast.results import Forecast, ForecastFrame, ForecastMoment
from vidgru.tasks.forecast.scores import ForecastEvaluation, ForecastTrainResult
from vidgru.tasks.motion.options import MotionTrainConfig
from vidgru.tasks.motion.results import Motion, MotionField, MotionSecond
from vidgru.tasks.motion.scores import MotionEvaluation, MotionTrainResult
from vidgru.tasks.registry import train_config
from vidgru.tasks.scenes.options import SceneTrainConfig
from vidgru.tasks.scenes.results import Boundary, Scene, SceneChange, Scenes
from vidgru.tasks.scenes.scores import SceneEvaluation, SceneTrainResult
from vidgru.tools.changes.results import Box, Change, Changes
from vidgru.tools.extract.options import ExtractConfig
from vidgru.tools.extract.results import ExtractedFrame

if TYPE_CHECKING:
    from vidgru.tasks.classify.model import Model
    from vidgru.tasks.forecast.model import ForecastModel
    from vidgru.tasks.motion.model import MotionModel
    from vidgru.tasks.scenes.model import ScenesModel

AnyTrainResult = TrainResult | MotionTrainResult | ForecastTrainResult | SceneTrainResult
AnyEvaluation = (
    Evaluation | TimelineEvaluation | MotionEvaluation | ForecastEvaluation | SceneEvaluation
)

# Types that import torch, and so are imported when they are asked for.
_MODELS = {
    "ForecastModel": "vidgru.tasks.forecast.model",
    "Model": "vidgru.tasks.classify.model",
    "MotionModel": "vidgru.tasks.motion.model",
    "ScenesModel": "vidgru.tasks.scenes.model",
}

__all__ = [
    "Boundary",
    "Box",
    "Change",
    "Changes",
    "Checked",
    "ClassifyTrainConfig",
    "Comparison",
    "Evaluation",
    "ExtractConfig",
    "ExtractedFrame",
    "Failure",
    "Forecast",
    "ForecastEvaluation",
    "ForecastFrame",
    "ForecastModel",
    "ForecastMoment",
    "ForecastTrainConfig",
    "ForecastTrainResult",
    "LiveMoment",
    "Model",
    "Moment",
    "Motion",
    "MotionEvaluation",
    "MotionField",
    "MotionModel",
    "MotionSecond",
    "MotionTrainConfig",
    "MotionTrainResult",
    "Prediction",
    "Scene",
    "SceneChange",
    "SceneEvaluation",
    "SceneTrainConfig",
    "SceneTrainResult",
    "Scenes",
    "ScenesModel",
    "Segment",
    "Timeline",
    "TimelineEvaluation",
    "TrainConfig",
    "TrainResult",
    "VidgruError",
    "check",
    "compare",
    "detect_changes",
    "evaluate",
    "extract",
    "load",
    "load_forecast",
    "load_motion",
    "load_scenes",
    "resume",
    "train",
]

# OpenCV reads these when it is first imported, from whichever of our modules that may be. Its own
# messages would stand beside our one clear sentence, and a picture header may promise more than
# memory holds.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 27))

# Torch and OpenCV are imported when they are needed: together they take about two seconds.


def __getattr__(name: str) -> Any:
    if name in _MODELS:
        return getattr(importlib.import_module(_MODELS[name]), name)
    raise AttributeError(f"module 'vidgru' has no attribute {name!r}")


def check(folder: str | Path, *, group_by: str | None = None) -> Checked:
    """Tell what is wrong with a folder of clips, in `.findings`, before training on it.

    Raises DataError when the folder cannot be learned from, OptionError, OutputError.
    """
    from vidgru.tasks.classify.check import check as run

    return run(folder, CheckConfig(group_by))


@overload
def train(folder: str | Path, *, task: Literal["motion"], **options: Any) -> MotionTrainResult: ...
@overload
def train(
    folder: str | Path, *, task: Literal["forecast"], **options: Any
) -> ForecastTrainResult: ...
@overload
def train(folder: str | Path, *, task: Literal["scenes"], **options: Any) -> SceneTrainResult: ...
@overload
def train(folder: str | Path, *, preset: str | None = None, **options: Any) -> TrainResult: ...
def train(folder: str | Path, *, preset: str | None = None, **options: Any) -> AnyTrainResult:
    """Learn to tell the classes in a folder of clips, or with `task` something else from videos.

    task="motion": how things move; task="forecast": which frames come next; task="scenes":
    where scenes begin.

    `options` are the fields of `vidgru.ClassifyTrainConfig`, or of another task's config, as on the
    command line; they replace those of a `preset` ("article"). Writes a run folder. Raises
    DataError when the folder cannot be learned from, OptionError, OutputError.
    """
    from vidgru.commands.train import train as run

    result: AnyTrainResult = run(folder, train_config(options, preset))
    return result


def compare(
    folder: str | Path,
    *,
    cores: Sequence[str] = CORES,
    inputs: Sequence[str] = (),
    seeds: int = CompareConfig.seeds,
    **options: Any,
) -> Comparison:
    """Train each core with each input on the same clips, each with so many seeds.

    `options` are the fields of `vidgru.ClassifyTrainConfig` otherwise; `seed` is the first one,
    `minutes` are for each training. Writes a folder of run folders. Raises as `train` does.
    """
    from vidgru.tasks.classify.compare import compare as run

    config = make(
        ClassifyTrainConfig, options, task="classify", core=CORES[0], input=None, folds=None
    )
    return run(folder, config, CompareConfig(tuple(cores), tuple(inputs), seeds))


def resume(
    run: str | Path,
) -> AnyTrainResult:
    """Go on with a training that was broken off, to the same bits as if it had not been.

    Raises ModelError when there is nothing to go on with, DataError when the clips have changed.
    """
    from vidgru.commands.train import resume as resume_checkpoint

    result: AnyTrainResult = resume_checkpoint(run)
    return result


def load(
    path: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    max_error: float | None = None,
) -> "Model":
    """Open a run folder or model file.

    `.predict(source)` then gives a `Prediction`, `.timeline(source)` a `Timeline`, and
    `.stream(source)` a `Moment` at every sampled frame, of a live source, too.

    With `max_error`, a prediction is `unsure` where its confidence is below the threshold that
    keeps to this share of wrong answers on validation clips. Raises ModelError when the file is not
    a whole model of vidgru, OptionError.
    """
    from vidgru.tasks.classify.model import load as run

    return run(path, device=device, threads=threads, max_error=max_error)


def load_motion(
    path: str | Path | None = None, *, device: str = "auto", threads: int | None = None
) -> "MotionModel":
    """Open a run folder or file of a model of motion, or the model that comes with vidgru.

    `.analyse(source)` then gives a `Motion`, second by second, and `.fields(source)` a
    `MotionField` at every sampled frame. Raises ModelError, OptionError.
    """
    from vidgru.tasks.motion.model import load_motion as run

    return run(path, device=device, threads=threads)


def load_forecast(
    path: str | Path | None = None, *, device: str = "auto", threads: int | None = None
) -> "ForecastModel":
    """Open a run folder or file of a forecasting model, or the newest such run in ./runs.

    `.forecast(source, ahead=10, at=[2.5])` then gives a `Forecast` for each second, with its
    pixels, and `.stream(source)` a `ForecastMoment` at every sampled frame. Raises ModelError,
    OptionError.
    """
    from vidgru.tasks.forecast.model import load_forecast as run

    return run(path, device=device, threads=threads)


def load_scenes(
    path: str | Path | None = None, *, device: str = "auto", threads: int | None = None
) -> "ScenesModel":
    """Open a run folder or file of a model of scenes, or the model that comes with vidgru.

    `.scenes(source)` then gives `Scenes`, and `.stream(source)` a `SceneChange` for each boundary
    as soon as it is known, of a live source, too. Raises ModelError, OptionError.
    """
    from vidgru.tasks.scenes.model import load_scenes as run

    return run(path, device=device, threads=threads)


def detect_changes(source: str | Path) -> Changes:
    """Tell what appeared, vanished or moved for good in a video or folder of images.

    The camera must stand still. Raises VideoError.
    """
    from vidgru.tools.changes.find import detect_changes as run

    return run(source)


def evaluate(folder: str | Path, model: str | Path, **options: Any) -> AnyEvaluation:
    """Tell how good a run folder or model file is on labelled clips that it did not learn from.

    With `timeline=True` it measures the timelines of annotated videos, and gives a
    TimelineEvaluation. Models for other tasks need no labels, and give a MotionEvaluation, a
    ForecastEvaluation or a SceneEvaluation.

    `options` are `max_error`, `group_by`, `out`, `device`, `threads`, and those of timelines, as on
    the command line. Raises ModelError, DataError when there are no such clips, OptionError,
    OutputError.
    """
    from vidgru.commands.evaluate import evaluate as run

    result: AnyEvaluation = run(folder, {**options, "model": str(model)})
    return result


def extract(
    sources: str | Path | Iterable[str | Path], out: str | Path, **options: Any
) -> Iterator[ExtractedFrame | Failure]:
    """Write frames of videos as images into `out`, yielding each one when it is written.

    `sources` are paths, or a single one; `options` are the fields of `vidgru.ExtractConfig`, as on
    the command line. A source that cannot be read yields a Failure. Raises OptionError,
    OutputError.
    """
    from vidgru.tools.extract.extract import extract as run

    return run(sources, out, make(ExtractConfig, options))
