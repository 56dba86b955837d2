"""Tell how good a model of motion is on clips that it did not learn from."""

from collections.abc import Generator
from dataclasses import fields, replace
from pathlib import Path

import torch

from vidgru.config import EvaluateConfig
from vidgru.data.cache import Sampling
from vidgru.data.decode import readings_of
from vidgru.data.flow import flow_steps, without_stills
from vidgru.data.footage import Stored
from vidgru.data.gather import read_source
from vidgru.engine.checkpoint import LoadedMotion
from vidgru.engine.motion_loop import add_clip
from vidgru.errors import DataError, OptionError
from vidgru.motion_scores import MotionEvaluation
from vidgru.results import Progress
from vidgru.tasks.motion_measure import Tally
from vidgru.verbs.held import choose_part, hold

CLASSES_ONLY = ("max_error", "group_by", "out")


def refuse_options(config: EvaluateConfig, what: str) -> None:
    """Raise OptionError for options that need classes."""
    for item in fields(config):
        if item.name in CLASSES_ONLY and getattr(config, item.name) != item.default:
            name = "--" + item.name.replace("_", "-")
            raise OptionError(f"{name} is for classes only: leave it out with {what}.")


def evaluate_motion_steps(
    folder: Path, config: EvaluateConfig, model: LoadedMotion, device: torch.device
) -> Generator[Progress, None, MotionEvaluation]:
    """Evaluate on the videos below a folder; parts and left-out clips are as for classifiers.

    Raises OptionError for options that need classes, DataError when nothing is left to tell from.
    """
    refuse_options(config, "a model of motion")
    spec = model.spec
    part, clips = choose_part(read_source(folder, labelled=False))
    sampling = Sampling(spec.fps, spec.size, spec.frames, even=True)
    held = yield from hold(part, clips, folder, model.path, sampling)
    known = without_stills(replace(readings_of(held.clips), skipped=held.skipped))
    flows = yield from flow_steps(known, sampling)
    footage = Stored([(known.frames[c], flows[c], known.facts[c]) for c in known.frames], spec.fps)
    tally, network = Tally(), model.network.to(device)
    for number, piece in enumerate(footage, 1):
        add_clip(tally, network, piece, spec)
        yield Progress("evaluating", number, len(footage))
    scores = tally.scores()
    if scores.error is None:
        raise DataError(f"No clip in {folder} is long enough to tell how good the model is.")
    return MotionEvaluation(
        model=model.path,
        folder=folder,
        part=part,
        clips=len(known.frames),
        scores=scores,
        trained_on=held.trained_on,
        validated_on=held.validated_on,
        skipped=known.skipped,
    )
