"""Measure a model on labelled clips that it was not trained on."""

import logging
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidgru.core.errors import DataError, ModelError
from vidgru.core.files import check_file
from vidgru.core.results import Progress
from vidgru.data.annotations.read import is_more_background
from vidgru.data.augment import Frames, warp
from vidgru.data.cache import Sampling
from vidgru.data.decode import readings_of
from vidgru.data.folder import Clip
from vidgru.data.groups import suggest_groups
from vidgru.data.shortcuts import find_shortcuts
from vidgru.data.sources import read_source
from vidgru.data.split import videos_of
from vidgru.engine.held_out import HeldOut, choose_part, decode_held_out
from vidgru.engine.run_folder import METRICS_NAME, read_numbers
from vidgru.tasks.classify import metrics as measure
from vidgru.tasks.classify.calibration import calibrate, clip_probabilities, confidence_and_correct
from vidgru.tasks.classify.classes import Classify
from vidgru.tasks.classify.classifier import find_model, threshold_for
from vidgru.tasks.classify.explain.mistakes import check_explainable, explain_mistakes_steps
from vidgru.tasks.classify.looks import held_out_features
from vidgru.tasks.classify.looks_file import open_looks
from vidgru.tasks.classify.model_file import LoadedModel
from vidgru.tasks.classify.options import ClassifyEvaluateConfig
from vidgru.tasks.classify.report import MISTAKES, write_report
from vidgru.tasks.classify.scores import Answer, Evaluation
from vidgru.tasks.classify.timeline_evaluation import evaluate_timelines_steps
from vidgru.tasks.classify.timeline_scores import TimelineEvaluation
from vidgru.tasks.classify.windows import clip_outputs
from vidgru.video.output_paths import refuse_overwriting_sources

log = logging.getLogger("vidgru")

REPORT_NAME = "report.html"
STRIP, STRIP_SIDE = 6, 96  # frames of a mistake in the report, and their side in pixels


def evaluate_classes_steps(
    folder: Path, config: ClassifyEvaluateConfig, model: LoadedModel, device: torch.device
) -> Generator[Progress, None, Evaluation | TimelineEvaluation]:
    """Evaluate, yielding Progress and returning the Evaluation.

    Takes FOLDER/test if there is one, else FOLDER/val, else all clips, except those that the model
    was trained on, by the run's split.csv; clips are identified by content. Raises ModelError,
    DataError when nothing is left or a class is unknown to the model, OptionError, OutputError.
    Writes a report, too: see `report_path`.
    """
    if (report := report_path(config)) is not None:
        check_file(report)
        refuse_overwriting_sources([report], [folder, model.path])
    if config.timeline:
        return (yield from evaluate_timelines_steps(folder, config, model, device, report))
    explain_to = check_explainable(model, report) if config.explain else None
    encoder = open_looks(model.spec, model.path, config.looks)
    source = read_source(folder, config.group_by, annotations=config)
    part, clips = _part(source, folder, model, config)
    spec = model.spec
    sampling = Sampling(spec.fps, spec.side, spec.frames)
    held_out = yield from decode_held_out(part, clips, folder, model.path, sampling)
    if config.group_by is None and all(clip.group is None for clip in clips):
        held_out = _with_groups(held_out, folder, config)
    known = yield from held_out_features(held_out.clips, spec, encoder)
    network, outputs = model.network.to(device), list[Tensor]()
    for result in held_out.clips:
        if result.segments is not None:
            seen = known.get(result.clip)
            outputs.append(clip_outputs(network, result.segments, spec, seen))
        yield Progress("evaluating", len(outputs), len(held_out.clips))
    threshold = threshold_for(model.path, model.confidence, config.max_error)
    evaluation = evaluation_of(folder, model, held_out, outputs, threshold, config.max_error)
    if config.explain and explain_to:
        explained = yield from explain_mistakes_steps(
            evaluation, held_out, model, device, config.explain, explain_to
        )
        evaluation = replace(evaluation, explained=explained)
    if report is not None:
        evaluation = replace(evaluation, report=report)
        write_report(report, evaluation, _curves(model), mistake_strips(evaluation, held_out))
    return evaluation


def report_path(config: ClassifyEvaluateConfig) -> Path | None:
    """Return the path of the report of `evaluate`: the given one, or in the run folder if any."""
    if config.out is not None:
        return Path(config.out)
    model = find_model(config, None)
    return model / REPORT_NAME if model.is_dir() else None


def _curves(model: LoadedModel) -> list[dict[str, float]]:
    """Return the training metrics of a model, as far as known."""
    path = model.path.parent / METRICS_NAME
    try:
        return read_numbers(path) if path.is_file() else []
    except ModelError:
        log.warning("The report shows no curves: %s is damaged.", path)
        return []


def _part(
    clips: list[Clip], folder: Path, model: LoadedModel, config: ClassifyEvaluateConfig
) -> tuple[str, list[Clip]]:
    """Return the part of a folder to evaluate on, and its clips."""
    part, chosen = choose_part(clips, config)
    if strange := sorted({clip.label for clip in chosen} - set(model.spec.labels)):
        known = ", ".join(map(repr, model.spec.labels[:10]))
        more = ", ..." if len(model.spec.labels) > 10 else ""
        raise DataError(
            f"{folder} holds the class {strange[0]!r}, which {model.path} does not know: rename "
            f"or remove it. It knows {known}{more}."
        )
    return part, chosen


def _with_groups(held_out: HeldOut, folder: Path, config: ClassifyEvaluateConfig) -> HeldOut:
    """Return the clips with groups from their names, a table or the videos they are cut from."""
    known = readings_of(held_out.clips)
    asked = [clip for clip in known.frames if not is_more_background(clip, config)]
    grouping = suggest_groups(asked, folder, known.frames) if asked else None
    groups = videos_of(list(known.frames)) if grouping is None else grouping.groups
    if groups is None:
        return held_out
    named = (
        replace(result, clip=replace(result.clip, group=groups.get(result.clip.name)))
        for result in held_out.clips
    )
    return replace(held_out, clips=tuple(named))


def evaluation_of(
    folder: Path,
    model: LoadedModel,
    held_out: HeldOut,
    outputs: Sequence[Tensor],
    threshold: float | None,
    max_error: float,
) -> Evaluation:
    """Return the evaluation of outputs, of each clip (windows, K)."""
    clips, temperature = [result.clip for result in held_out.clips], model.confidence.temperature
    known = readings_of(held_out.clips)
    task = Classify(model.spec.labels)
    targets = task.targets([clip.label for clip in clips])
    probabilities = clip_probabilities(outputs, temperature)
    confidence, right = confidence_and_correct(probabilities, targets)
    groups: list[str] = []
    if any(clip.group is not None for clip in clips):
        groups = [clip.name if clip.group is None else clip.group for clip in clips]
    scores = task.scores(probabilities, targets)
    precision, f1 = measure.precision_and_f1(scores)
    defined = [value for value in f1.values() if value is not None]
    return Evaluation(
        model=model.path,
        folder=folder,
        part=held_out.part,
        scores=scores,
        interval=measure.accuracy_interval(right.tolist(), groups or None),
        groups=len(set(groups)) if groups else None,
        precision=precision,
        f1=f1,
        macro_f1=sum(defined) / len(defined),
        top=measure.top_accuracies(probabilities, targets),
        calibration=calibrate(outputs, targets, temperature),
        answered=measure.answered(confidence, right, threshold, max_error),
        majority=max(Counter(targets.tolist()).values()) / len(clips),
        shortcuts=find_shortcuts(list(known.frames), known.info, known.frames),
        answers=tuple(
            Answer(clip.name, clip.label, task.labels[answer], sure, clip.group)
            for clip, answer, sure in zip(
                clips, probabilities.argmax(1).tolist(), confidence.tolist(), strict=True
            )
        ),
        trained_on=held_out.trained_on,
        validated_on=held_out.validated_on,
        skipped=held_out.skipped,
        report=None,
    )


def mistake_strips(evaluation: Evaluation, held_out: HeldOut) -> Mapping[str, list[Frames]]:
    """Return six evenly spread frames uint8 (96, 96, 3) of each of the most confident mistakes."""
    wrong = [
        (answer, result.segments)
        for answer, result in zip(evaluation.answers, held_out.clips, strict=True)
        if not answer.right and result.segments is not None
    ]
    wrong.sort(key=lambda pair: -pair[0].confidence)
    strips = {}
    for answer, segments in wrong[:MISTAKES]:
        length = segments.shape[1]
        places = np.linspace(0, len(segments) * length - 1, STRIP).round().astype(int)
        frames = np.stack([segments[place // length, place % length] for place in places])
        strips[answer.clip] = list(warp(frames, torch.eye(2, 3), STRIP_SIDE))
    return strips
