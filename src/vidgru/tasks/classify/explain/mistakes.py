"""Explain the mistakes that an evaluation found."""

import logging
from collections.abc import Generator
from pathlib import Path

import torch

from vidgru.core.errors import OptionError, VideoError
from vidgru.core.results import Progress
from vidgru.engine.held_out import HeldOut
from vidgru.tasks.classify.explain.explain import ask
from vidgru.tasks.classify.explain.save import save_steps
from vidgru.tasks.classify.model import Model
from vidgru.tasks.classify.model_file import LoadedModel
from vidgru.tasks.classify.scores import Evaluation

log = logging.getLogger("vidgru")

FOLDER = "mistakes"


def check_explainable(model: LoadedModel, report: Path | None) -> Path:
    """Return the folder for explanations, beside the report; raises OptionError, ModelError."""
    ask(model.spec, model.path)
    if report is None:
        raise OptionError("--explain needs --out: the model is in no run folder.")
    return report.parent / FOLDER


def explain_mistakes_steps(
    evaluation: Evaluation,
    held_out: HeldOut,
    loaded: LoadedModel,
    device: torch.device,
    count: int,
    folder: Path,
) -> Generator[Progress, None, tuple[Path, ...]]:
    """Explain the `count` most confident mistakes, yielding Progress; return their folders.

    Each explains the predicted class against the true one, in FOLDER/<its rank>. Raises
    OutputError; a clip that cannot be explained is left out with a warning.
    """
    model, written = Model(loaded, device), []
    pairs = zip(evaluation.answers, held_out.clips, strict=True)
    wrong = [(answer, result.clip) for answer, result in pairs if not answer.right]
    wrong.sort(key=lambda pair: -pair[0].confidence)
    for rank, (answer, clip) in enumerate(wrong[:count], 1):
        place = folder / str(rank)
        try:
            found = yield from model.explain_steps(
                clip.path, answer.predicted, answer.label, start=clip.start, end=clip.end
            )
            yield from save_steps(found, clip.path, place, loaded.path, model.spec.fps, clip.end)
        except VideoError as error:
            log.warning("%s", error)
            continue
        written.append(place)
    return tuple(written)
