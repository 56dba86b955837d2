"""Cross-validate, then train on all clips."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from vidgru.data.dataset import Dataset
from vidgru.data.folder import Clip
from vidgru.data.split import split_folds
from vidgru.engine.device import choose_device, prepare
from vidgru.engine.run_folder import METRICS_NAME, farewell, read_numbers
from vidgru.engine.trainer import TrainRun
from vidgru.tasks.classify.calibration import (
    calibration_of,
    choose_temperature,
    clip_probabilities,
    confidence_and_correct,
    fit_windows,
    kept_answers,
)
from vidgru.tasks.classify.classes import Classify
from vidgru.tasks.classify.learn import Run, learn_steps
from vidgru.tasks.classify.looks import LooksDataset
from vidgru.tasks.classify.metrics import answered
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.options import ClassifyEvaluateConfig
from vidgru.tasks.classify.probabilities import choose_threshold
from vidgru.tasks.classify.results import Fold, Scores, SelectiveScores
from vidgru.tasks.classify.spec import Confidence
from vidgru.tasks.classify.training import Steps, Validated, accuracy_of
from vidgru.tasks.classify.windows import clip_outputs

MAX_ERROR = ClassifyEvaluateConfig.max_error


def fold_steps(
    run: Run,
    data: Dataset,
) -> Steps:
    """Train once a fold without it, then on all clips; finished folds are not repeated.

    All start with the same weights. Raises KeyboardInterrupt with a sentence on how to
    resume.
    """
    config, began = run.config, run.began
    prepare(config.threads)
    learned = data.parts["train"]
    folds = split_folds(learned, config.folds or 0, config.seed, data.units)
    places = [run.run / f"fold-{number}" for number in range(1, len(folds) + 1)]
    if config.minutes is not None:
        left = max(config.minutes - (time.monotonic() - began) / 60, 1e-3)
        config = replace(config, minutes=left / (len(folds) + 1))
    try:
        for number, (place, (learn, held)) in enumerate(zip(places, folds, strict=True), 1):
            part = replace(data, parts={"train": learn, "val": held, "test": []})
            place.mkdir(exist_ok=True)
            # A finished fold's checkpoint leaves no steps: its files are just written again.
            stage = f"fold {number} of {len(folds)}"
            own = TrainRun(config, run.sampling, run.start, place, time.monotonic(), stage)
            yield from learn_steps(own, part)
        held_out = [held for _, held in folds]
        known, selective, rows = score_folds(places, held_out, data, choose_device(config.device))
        now, stage = time.monotonic(), "training on all clips"
        run = replace(run, config=config, began=now, stage=stage)
        result = yield from learn_steps(run, data, known)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(farewell(run.run)) from interrupt
    # Folds that were trained before an interruption count, too.
    learning = result.seconds + sum(fold.seconds for fold in rows)
    seconds = max(learning, time.monotonic() - began)
    return replace(result, folds=rows, answered=selective, seconds=seconds)


def score_folds(
    places: Sequence[Path],
    held_out: Sequence[Sequence[Clip]],
    data: Dataset,
    device: torch.device,
) -> tuple[Validated, SelectiveScores, tuple[Fold, ...]]:
    """Return the scores of the folds' models on all clips, each held out once; and of each fold.

    Temperature and threshold of each fold are fitted on the other folds' answers, so that
    no figure was fitted on the clips that it describes.
    """
    task = Classify(data.labels)
    outputs: list[list[Tensor]] = []
    for place, held in zip(places, held_out, strict=True):
        loaded = load_model(place)
        network = loaded.network.to(device)
        known = data.features if isinstance(data, LooksDataset) else {}
        outputs.append(
            [clip_outputs(network, data.frames[c], loaded.spec, known.get(c)) for c in held]
        )
    targets = [task.targets([clip.label for clip in held]) for held in held_out]
    parts = range(len(places))

    def others(part: int) -> list[int]:
        return [other for other in parts if other != part]

    shares, selective = [], []
    for part in parts:
        rest = [one for other in others(part) for one in outputs[other]]
        truths = torch.cat([targets[other] for other in others(part)])
        temperature = choose_temperature(rest, truths)
        sure, right = confidence_and_correct(clip_probabilities(rest, temperature), truths)
        threshold = choose_threshold(sure.tolist(), right.tolist(), MAX_ERROR)
        shares.append(clip_probabilities(outputs[part], temperature))
        selective.append(
            answered(*confidence_and_correct(shares[part], targets[part]), threshold, MAX_ERROR)
        )
    everything, truth = [one for part in outputs for one in part], torch.cat(targets)
    pooled, unscaled = torch.cat(shares), clip_probabilities(everything, 1.0)
    temperature = choose_temperature(everything, truth)
    clips = [clip for held in held_out for clip in held]
    validated = Validated(
        task.scores(pooled, truth),
        accuracy_of(pooled, truth, clips),
        Confidence(
            temperature,
            kept_answers(*confidence_and_correct(pooled, truth)),
            fit_windows(everything, truth),
        ),
        calibration_of(unscaled, pooled, truth, temperature),
    )
    rows = tuple(
        _row(place, held, task.scores(shares[part], targets[part]))
        for part, (place, held) in enumerate(zip(places, held_out, strict=True))
    )
    return validated, _pooled(selective, len(truth)), rows


def _row(place: Path, held: Sequence[Clip], scores: Scores) -> Fold:
    return Fold(
        run=place,
        clips=len(held),
        groups=len({clip.group for clip in held if clip.group is not None}) or None,
        accuracy=scores.accuracy,
        balanced=scores.balanced,
        seconds=read_numbers(place / METRICS_NAME)[-1]["seconds"],
    )


def _pooled(folds: Sequence[SelectiveScores], clips: int) -> SelectiveScores:
    """Return the answers for all folds' clips, each fold with a threshold of its own."""
    count = sum(one.answered for one in folds)
    wrong = sum(one.answered * (one.error or 0.0) for one in folds)
    return SelectiveScores(MAX_ERROR, None, count, count / clips, wrong / count if count else None)
