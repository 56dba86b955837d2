"""Measure a model of motion on clips that it was not trained on."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import torch

from vidgru.core.errors import DataError
from vidgru.core.results import Progress
from vidgru.data.cache import Sampling
from vidgru.data.decode import readings_of, without_stills
from vidgru.engine.held_out import decode_held_out_videos
from vidgru.tasks.motion.flow_cache import flow_steps
from vidgru.tasks.motion.footage import Stored
from vidgru.tasks.motion.metrics import MetricAccumulator
from vidgru.tasks.motion.model_file import LoadedMotion
from vidgru.tasks.motion.scores import MotionEvaluation
from vidgru.tasks.motion.train_step import add_clip


def evaluate_motion_steps(
    folder: Path, model: LoadedMotion, device: torch.device
) -> Generator[Progress, None, MotionEvaluation]:
    """Evaluate on the videos below a folder; parts and left-out clips are as for classifiers.

    Raises DataError when nothing is left to evaluate.
    """
    spec = model.spec
    sampling = Sampling(spec.fps, spec.size, spec.frames, even=True)
    held_out = yield from decode_held_out_videos(folder, model.path, sampling)
    known = without_stills(replace(readings_of(held_out.clips), skipped=held_out.skipped))
    flows = yield from flow_steps(known, sampling)
    footage = Stored([(known.frames[c], flows[c], known.info[c]) for c in known.frames], spec.fps)
    accumulator, network = MetricAccumulator(), model.network.to(device)
    for number, piece in enumerate(footage, 1):
        add_clip(accumulator, network, piece, spec)
        yield Progress("evaluating", number, len(footage))
    scores = accumulator.scores()
    if scores.error is None:
        raise DataError(f"No clip in {folder} is long enough to measure the model on.")
    return MotionEvaluation(
        model=model.path,
        folder=folder,
        part=held_out.part,
        clips=len(known.frames),
        scores=scores,
        trained_on=held_out.trained_on,
        validated_on=held_out.validated_on,
        skipped=known.skipped,
    )
