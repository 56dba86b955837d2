"""Reads and writes model files of classifiers."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from vidgru.engine import model_file
from vidgru.engine.model_file import Loaded
from vidgru.tasks.classify.build import AnyNetwork
from vidgru.tasks.classify.spec import Confidence, ModelSpec
from vidgru.tasks.registry import load


@dataclass(frozen=True)
class LoadedModel(Loaded[AnyNetwork, ModelSpec]):
    """A classifier."""

    confidence: Confidence


def load_model(path: Path) -> LoadedModel:
    """Read the model file or run folder of a classifier.

    Raises ModelError for an invalid one.
    """
    found: LoadedModel = load(path, "classify")
    return found


def save_model(
    path: Path,
    weights: dict[str, torch.Tensor],
    spec: ModelSpec,
    metrics: dict[str, Any],
    confidence: Confidence = Confidence(),  # noqa: B008
) -> None:
    """Write a model file."""
    model_file.save_model(path, weights, spec, metrics, confidence=asdict(confidence))
