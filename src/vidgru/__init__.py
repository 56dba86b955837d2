"""vidgru: learn from a folder of short videos, then predict what happens in any video.

    import vidgru

    for finding in vidgru.check("clips/").findings:
        print(finding.severity, finding.sentence)
    result = vidgru.train("clips/", epochs=50)
    print(result.validation.accuracy, vidgru.evaluate("more/", result.run).scores.accuracy)
    prediction = vidgru.load(result.run).predict("new.mp4")
    print(prediction.label, prediction.confidence)
    for segment in vidgru.load(result.run).timeline("long.mp4").segments:
        print(segment.start, segment.end, segment.label)
    for moment in vidgru.load(result.run).stream("camera:0"):
        print(moment.time, moment.label)
    for second in vidgru.load("motion").predict("new.mp4").seconds:
        print(second.objects, second.camera.words, second.ahead)
    for frame in vidgru.load("runs/clips-2").predict("new.mp4").frames:  # of --task forecast
        print(frame.seconds)
    for scene in vidgru.load("scenes").predict("new.mp4").scenes:
        print(scene.number, scene.start_seconds, scene.begins)
    for change in vidgru.detect_changes("yard.mp4").changes:
        print(change.seconds, change.kind, change.box)
    for frame in vidgru.extract("new.mp4", "frames/", fps=5):
        print(frame.file, frame.seconds)

These are what the command line calls. Every failure is a `vidgru.VidgruError`.

Importing vidgru sets three environment variables where they are not set, which OpenCV reads when it
is first imported: OPENCV_LOG_LEVEL, OPENCV_FFMPEG_LOGLEVEL, OPENCV_IO_MAX_IMAGE_PIXELS. Training
lets glibc keep freed memory (mallopt), in the whole process.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from vidgru.core.address import check_path
from vidgru.core.errors import VidgruError
from vidgru.core.options import make, python_names
from vidgru.nn.choices import CORES, SEEDS

if TYPE_CHECKING:
    from vidgru.core.results import Failure, OnProgress, Progress
    from vidgru.data.results import Checked
    from vidgru.engine.train_config import TrainConfig
    from vidgru.tasks.classify.explain.results import Explanation
    from vidgru.tasks.classify.model import Model
    from vidgru.tasks.classify.options import ClassifyTrainConfig
    from vidgru.tasks.classify.results import Prediction, TrainResult
    from vidgru.tasks.classify.scores import Comparison, Evaluation
    from vidgru.tasks.classify.timeline import LiveMoment, Moment, Segment, Timeline
    from vidgru.tasks.classify.timeline_scores import TimelineEvaluation
    from vidgru.tasks.forecast.model import ForecastModel
    from vidgru.tasks.forecast.options import ForecastTrainConfig
    from vidgru.tasks.forecast.results import Forecast, ForecastFrame, ForecastMoment
    from vidgru.tasks.forecast.scores import ForecastEvaluation, ForecastTrainResult
    from vidgru.tasks.motion.model import MotionModel
    from vidgru.tasks.motion.options import MotionTrainConfig
    from vidgru.tasks.motion.results import (
        FrameThings,
        Motion,
        MotionField,
        MotionSecond,
        MovingThing,
        Outcomes,
    )
    from vidgru.tasks.motion.scores import MotionEvaluation, MotionTrainResult
    from vidgru.tasks.scenes.model import ScenesModel
    from vidgru.tasks.scenes.options import SceneTrainConfig
    from vidgru.tasks.scenes.results import Boundary, Scene, SceneChange, Scenes
    from vidgru.tasks.scenes.scores import SceneEvaluation, SceneTrainResult
    from vidgru.tools.changes.results import Box, Change, Changes
    from vidgru.tools.extract.options import ExtractConfig
    from vidgru.tools.extract.results import ExtractedFrame
    from vidgru.video.arrays import Frames, Source

    AnyTrainResult = TrainResult | MotionTrainResult | ForecastTrainResult | SceneTrainResult
    AnyEvaluation = (
        Evaluation | TimelineEvaluation | MotionEvaluation | ForecastEvaluation | SceneEvaluation
    )

Item = TypeVar("Item")

# Types that are imported on first access: the command line needs few of them, configs take long to
# make, and models import torch.
_LATER = {
    "vidgru.core.results": {"Failure", "OnProgress", "Progress"},
    "vidgru.data.results": {"Checked"},
    "vidgru.engine.train_config": {"TrainConfig"},
    "vidgru.tasks.classify.explain.results": {"Explanation"},
    "vidgru.tasks.classify.model": {"Model"},
    "vidgru.tasks.classify.options": {"ClassifyTrainConfig"},
    "vidgru.tasks.classify.results": {"Prediction", "TrainResult"},
    "vidgru.tasks.classify.scores": {"Comparison", "Evaluation"},
    "vidgru.tasks.classify.timeline": {"LiveMoment", "Moment", "Segment", "Timeline"},
    "vidgru.tasks.classify.timeline_scores": {"TimelineEvaluation"},
    "vidgru.tasks.forecast.model": {"ForecastModel"},
    "vidgru.tasks.forecast.options": {"ForecastTrainConfig"},
    "vidgru.tasks.forecast.results": {"Forecast", "ForecastFrame", "ForecastMoment"},
    "vidgru.tasks.forecast.scores": {"ForecastEvaluation", "ForecastTrainResult"},
    "vidgru.tasks.motion.model": {"MotionModel"},
    "vidgru.tasks.motion.options": {"MotionTrainConfig"},
    "vidgru.tasks.motion.results": {
        "FrameThings",
        "Motion",
        "MotionField",
        "MotionSecond",
        "MovingThing",
        "Outcomes",
    },
    "vidgru.tasks.motion.scores": {"MotionEvaluation", "MotionTrainResult"},
    "vidgru.tasks.scenes.model": {"ScenesModel"},
    "vidgru.tasks.scenes.options": {"SceneTrainConfig"},
    "vidgru.tasks.scenes.results": {"Boundary", "Scene", "SceneChange", "Scenes"},
    "vidgru.tasks.scenes.scores": {"SceneEvaluation", "SceneTrainResult"},
    "vidgru.tools.changes.results": {"Box", "Change", "Changes"},
    "vidgru.tools.extract.options": {"ExtractConfig"},
    "vidgru.tools.extract.results": {"ExtractedFrame"},
    "vidgru.video.arrays": {"Frames", "Source"},
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
    "Explanation",
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
    "FrameThings",
    "Frames",
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
    "MovingThing",
    "Outcomes",
    "Prediction",
    "Progress",
    "Scene",
    "SceneChange",
    "SceneEvaluation",
    "SceneTrainConfig",
    "SceneTrainResult",
    "Scenes",
    "ScenesModel",
    "Segment",
    "Source",
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
    "resume",
    "train",
]

# OpenCV reads these when it is first imported, by whichever of our modules. Its own messages
# would only repeat our one clear sentence, and a picture header may declare more than memory
# holds.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 27))

# Torch and OpenCV are imported on demand: together they take about two seconds.


def __getattr__(name: str) -> Any:
    for module, names in _LATER.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module 'vidgru' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def check(folder: str | Path, *, progress: OnProgress | None = None, **options: Any) -> Checked:
    """Check a folder of clips for problems, in `.findings`, before training on it.

    `options` are `group_by` and those about annotations, as on the command line. Where `train`
    refuses the folder, `.refused` is more than 0, and the first findings say why. Raises DataError
    when there are no clips of two classes, OptionError, OutputError.
    """
    from vidgru.tasks.classify.check import check as run
    from vidgru.tasks.classify.check_options import CheckConfig

    with python_names():
        return run(folder, make(CheckConfig, options), progress)


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
def train(
    folder: str | Path,
    *,
    preset: str | None = None,
    progress: OnProgress | None = None,
    **options: Any,
) -> AnyTrainResult:
    """Train a classifier on a folder of clips, or with `task` another model on videos.

    task="motion": how objects move; task="forecast": the next frames; task="scenes":
    where scenes begin.

    `options` are the fields of `vidgru.ClassifyTrainConfig`, or of another task's config, as on the
    command line; they replace those of a `preset` ("article"). Writes a run folder. Raises
    DataError when the folder cannot be trained on, OptionError, OutputError.
    """
    from vidgru.commands.train import train as run
    from vidgru.tasks.registry import train_config

    with python_names():
        result: AnyTrainResult = run(folder, train_config(options, preset), progress)
    return result


def compare(
    folder: str | Path,
    *,
    cores: Sequence[str] = CORES,
    inputs: Sequence[str] = (),
    seeds: int = SEEDS,
    progress: OnProgress | None = None,
    **options: Any,
) -> Comparison:
    """Train each core with each input on the same clips, with several seeds.

    `options` are the fields of `vidgru.ClassifyTrainConfig` otherwise; `seed` is the first one,
    `minutes` limit each training. Writes a folder of run folders. Raises as `train` does.
    """
    from vidgru.tasks.classify.compare import compare as run
    from vidgru.tasks.classify.options import ClassifyTrainConfig, CompareConfig

    with python_names(core="cores", input="inputs"):
        config = make(
            ClassifyTrainConfig, options, task="classify", core=CORES[0], input=None, folds=None
        )
        named = [
            (some,) if isinstance(some, str) or not isinstance(some, Iterable) else tuple(some)
            for some in (cores, inputs)
        ]
        return run(folder, config, CompareConfig(named[0], named[1], seeds), progress)


def resume(run: str | Path, *, progress: OnProgress | None = None) -> AnyTrainResult:
    """Resume a training that was broken off, to the same bits as if it had not been.

    Raises ModelError when there is nothing to resume, DataError when the clips have changed.
    """
    from vidgru.commands.train import resume as resume_run

    with python_names():
        result: AnyTrainResult = resume_run(run, progress)
    return result


@overload
def load(
    path: Literal["motion"], *, device: str = "auto", threads: int | None = None
) -> MotionModel: ...
@overload
def load(
    path: Literal["scenes"], *, device: str = "auto", threads: int | None = None
) -> ScenesModel: ...
@overload
def load(
    path: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    max_error: float | None = None,
    looks: str | Path | None = None,
) -> Any: ...
def load(
    path: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    max_error: float | None = None,
    looks: str | Path | None = None,
) -> Any:
    """Open a run folder or model file of any task, or "motion" or "scenes" that come with vidgru.

    Gives a Model, MotionModel, ForecastModel or ScenesModel. Each has `.predict(source)`, which
    gives a Prediction, Motion, Forecast or Scenes, and `.predict_many(sources)`; a source is a
    path or Frames. Of its own, Model has `.timeline`, `.stream` and `.explain`, MotionModel
    `.fields`, ForecastModel `.forecast(source, ahead, at)` and `.stream`, ScenesModel
    `.scenes(source, threshold)` and `.stream`; streams take live sources, too.

    `threads`: CPU threads of torch in this process; None leaves them. With `max_error`, a
    prediction of classes is `unsure` where its confidence is below the threshold that keeps to this
    share of wrong answers on validation clips. `looks` is the picture encoder of a classifier that
    has one, if it is not where it was when training. Raises ModelError, OptionError.
    """
    from vidgru.tasks.registry import open_model

    with python_names():
        return open_model(path, device=device, threads=threads, max_error=max_error, looks=looks)


def detect_changes(source: Source, *, progress: OnProgress | None = None) -> Changes:
    """Detect what appeared, vanished or moved for good in a video or folder of images.

    The camera must stand still. Raises VideoError.
    """
    from vidgru.tools.changes.find import detect_changes as run

    with python_names():
        return run(source, progress)


def evaluate(
    folder: str | Path,
    model: str | Path,
    *,
    progress: OnProgress | None = None,
    **options: Any,
) -> AnyEvaluation:
    """Measure how good a model is on labelled clips that it did not learn from.

    `model` is a run folder or model file, or "motion" or "scenes" that come with vidgru.

    With `timeline=True` it measures the timelines of annotated videos, and gives a
    TimelineEvaluation. Models for other tasks need no labels, and give a MotionEvaluation, a
    ForecastEvaluation or a SceneEvaluation.

    `options` are `max_error`, `group_by`, `out`, `device`, `threads` and those about annotations
    and timelines, as on the command line. Raises ModelError, DataError when there are no such
    clips, OptionError, OutputError.
    """
    from vidgru.commands.evaluate import evaluate as run

    with python_names():
        check_path(model)
        result: AnyEvaluation = run(folder, {**options, "model": str(model)}, progress)
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
    from vidgru.tools.extract.options import ExtractConfig

    with python_names():
        config = make(ExtractConfig, options)
    return _python_names(run(sources, out, config))


def _python_names(items: Iterator[Item]) -> Iterator[Item]:
    with python_names():
        yield from items
