"""Measure timelines on annotated videos that a model did not learn from."""

import logging
import math
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from vidgru.core.errors import DataError, VideoError
from vidgru.core.results import Failure, Progress
from vidgru.data.cache import Sampling, cache_key, content_hash, content_of
from vidgru.data.folder import Clip
from vidgru.data.sources import read_source
from vidgru.engine.held_out import choose_part
from vidgru.engine.newest_run import MODEL_NAME
from vidgru.engine.run_folder import KnownClips, read_split
from vidgru.tasks.classify.calibration import confidence_of_others
from vidgru.tasks.classify.model import Model
from vidgru.tasks.classify.model_file import LoadedModel, load_model
from vidgru.tasks.classify.options import ClassifyEvaluateConfig
from vidgru.tasks.classify.timeline import Timeline
from vidgru.tasks.classify.timeline_metrics import Counts, count, measure
from vidgru.tasks.classify.timeline_report import write_timeline_report
from vidgru.tasks.classify.timeline_scores import JudgedVideo, Shown, TimelineEvaluation
from vidgru.video.sample import TOLERANCE

log = logging.getLogger("vidgru")

Steps = Generator[Progress, None, TimelineEvaluation]


def evaluate_timelines_steps(
    path: Path,
    config: ClassifyEvaluateConfig,
    model: LoadedModel,
    device: torch.device,
    report: Path | None,
) -> Steps:
    """Evaluate, yielding Progress all along and returning the TimelineEvaluation.

    Takes the part of a list that `evaluate` takes, but no video of which the model learned a
    segment. If the run has folds, each video is measured by the fold that did not learn from
    it, with the confidence that the others fitted. Raises ModelError, DataError when nothing is
    left or a class is unknown, OutputError.
    """
    source = read_source(path, config.group_by, annotations=config)
    part, clips = choose_part(source, config)
    videos = _by_video(path, clips, model, config.background)
    folds = _folds(model.path.parent)
    models = [Model(one, device, looks=config.looks) for one in [*folds, model]]
    splits = [read_split(one.path.parent) for one in models]
    if splits[-1] is None:
        log.warning(
            "There is no split.csv beside %s: videos that it learned from count.", model.path
        )
    labels = model.spec.labels
    trained_on, validated_on, by_fold = 0, 0, 0
    skipped, counts, measured = list[Failure](), list[Counts](), list[JudgedVideo]()
    for video, segments in videos.items():
        try:
            parts = _parts(video, segments, splits, model)
        except OSError as error:
            skipped.append(Failure(str(video), f"Cannot read {video}: {error.strerror or error}."))
            log.warning("%s", skipped[-1].error)
            continue
        fresh = [n for n, found in enumerate(parts) if "train" not in found]
        # A fold that held the video out, rather than one that does not know it.
        held = [n for n in fresh if "val" in parts[n]] or fresh[-1:]
        if not held:
            trained_on += 1
            continue
        try:
            timeline = yield from models[held[0]].timeline_steps(video, config.min_seconds)
        except VideoError as error:
            skipped.append(Failure(str(video), str(error)))
            log.warning("%s", error)
            continue
        truth = _truth(segments, timeline, models[held[0]].spec.fps, labels)
        counts.append(
            count(
                truth,
                _answers(timeline, models[held[0]].spec.fps, labels),
                len(labels),
                1 / models[held[0]].spec.fps,
                -1 if config.background is None else labels.index(config.background),
            )
        )
        measured.append(_measured(segments, timeline))
        # Several folds fitted each other's confidence.
        fitted = held[0] == len(folds) or len(folds) == 1
        validated_on += fitted and "val" in parts[held[0]]
        by_fold += held[0] < len(folds)
    if not counts:
        first = f" The first problem: {skipped[0].error}" if skipped else ""
        raise DataError(
            f"No video in {path} is left to measure on: the model learned from {trained_on} of "
            f"{len(videos)}.{first}"
        )
    if trained_on:
        log.warning(
            "Left out %d of %d videos: the model learned from them.", trained_on, len(videos)
        )
    if validated_on:
        log.warning(
            "These videos (%d of %d) validated the training, so the figures may be too optimistic.",
            validated_on,
            len(measured),
        )
    known = None if splits[-1] is None else trained_on
    evaluation = TimelineEvaluation(
        model=model.path,
        folder=path,
        part=part,
        trained_on=known,
        validated_on=validated_on,
        skipped=tuple(skipped),
        labels=labels,
        background=config.background,
        folds=by_fold == len(measured),
        scores=measure(counts, labels),
        videos=tuple(measured),
        report=report,
    )
    if report is not None:
        write_timeline_report(report, evaluation)
    return evaluation


def _folds(run: Path) -> list[LoadedModel]:
    """Return the models of a run's folds, each with what the other folds say of confidence.

    A single one keeps its own, fitted on the clips that it validated with.
    """
    folds = [load_model(path.parent) for path in sorted(run.glob(f"fold-*/{MODEL_NAME}"))]
    if len(folds) == 1:
        return folds
    confidences = confidence_of_others([fold.confidence for fold in folds])
    return [replace(fold, confidence=one) for fold, one in zip(folds, confidences, strict=True)]


def _by_video(
    path: Path, clips: Sequence[Clip], model: LoadedModel, background: str | None
) -> dict[Path, list[Clip]]:
    """Return the annotated segments of each video; raises DataError where that makes no sense."""
    labels = model.spec.labels
    named = [clip.label for clip in clips] + ([] if background is None else [background])
    if strange := sorted(set(named) - set(labels)):
        raise DataError(
            f"{path}: the class {strange[0]!r} is unknown to {model.path}. It knows "
            f"{', '.join(map(repr, labels[:10]))}{', ...' if len(labels) > 10 else ''}."
        )
    if all(clip.start is None and clip.end is None for clip in clips):
        raise DataError(
            f"{path} has no times: --timeline needs a list with the columns path,label,start,end."
        )
    videos: dict[Path, list[Clip]] = {}
    for clip in clips:
        videos.setdefault(clip.path, []).append(clip)
    return videos


def _parts(
    video: Path, segments: Sequence[Clip], splits: Sequence[KnownClips | None], model: LoadedModel
) -> list[set[str]]:
    """Return the parts that segments of a video were in, at whatever times, for each training."""
    content = content_hash(video)
    sampling = Sampling(model.spec.fps, model.spec.side, model.spec.frames)
    spans = [(None, None), *((clip.start, clip.end) for clip in segments)]
    keys = [content_of(cache_key(video, sampling, *span, content)) for span in spans]
    known = [split or KnownClips({}, {}) for split in splits]
    # Of runs of earlier versions only segments of the same times are known.
    return [{s.clips[key] for key in keys if key in s.clips} | s.parts(keys[0]) for s in known]


def _truth(
    segments: Sequence[Clip],
    timeline: Timeline,
    fps: float,
    labels: tuple[str, ...],
) -> list[int]:
    """Return the class of each sampled frame, -1 without a label, by the segment named first."""
    truth: list[int | None] = [None] * timeline.frames
    twice = 0
    for clip in segments:
        end = timeline.frames if clip.end is None else _frame(clip.end, fps)
        for n in range(_frame(clip.start or 0.0, fps), min(end, timeline.frames)):
            label = labels.index(clip.label)
            twice += truth[n] not in (None, label)
            truth[n] = label if truth[n] is None else truth[n]
    if twice:
        log.warning(
            "%s has two labels at once for %.1f s: the one that is listed first counts.",
            timeline.source,
            twice / fps,
        )
    return [-1 if label is None else label for label in truth]


def _frame(seconds: float, fps: float) -> int:
    """Return the first sampled frame from a time on; like a sample, it may be a little early."""
    return max(math.ceil((seconds - TOLERANCE) * fps), 0)


def _answers(timeline: Timeline, fps: float, labels: tuple[str, ...]) -> list[int]:
    answers = list[int]()
    # The last one may end within its last sample.
    ends = [*(round(segment.end * fps) for segment in timeline.segments[:-1]), timeline.frames]
    for segment, end in zip(timeline.segments, ends, strict=True):
        label = len(labels) if segment.unsure else labels.index(segment.likeliest)
        answers += [label] * (end - len(answers))
    return answers


def _measured(segments: Sequence[Clip], timeline: Timeline) -> JudgedVideo:
    true = sorted(
        (clip.start or 0.0, min(clip.end or timeline.seconds, timeline.seconds), clip.label)
        for clip in segments
        if (clip.start or 0.0) < timeline.seconds
    )
    return JudgedVideo(
        timeline.source,
        timeline.seconds,
        tuple(Shown(*span, None) for span in true),
        tuple(Shown(s.start, s.end, s.label, s.confidence) for s in timeline.segments),
    )
