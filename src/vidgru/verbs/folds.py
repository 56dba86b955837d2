"""Cross-validate, then learn from all clips."""

import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from vidgru.config import TrainConfig
from vidgru.data.cache import Sampling
from vidgru.data.folder import Clip
from vidgru.data.gather import Gathered
from vidgru.data.split import split_folds
from vidgru.engine.checkpoint import load_model
from vidgru.engine.device import prepare
from vidgru.engine.loop import whole_outputs
from vidgru.engine.run import read_numbers
from vidgru.engine.training import LAST_WRITTEN, Steps
from vidgru.results import Fold, Scores
from vidgru.tasks.classify import Classify
from vidgru.verbs.learn import learn_steps


def fold_steps(
    config: TrainConfig, data: Gathered, sampling: Sampling, run: Path, began: float
) -> Steps:
    """Learn once a fold without it, then from all clips; folds that are finished stay as they are.

    Raises KeyboardInterrupt with a sentence that says how to go on.
    """
    prepare(config.threads)
    learned = data.parts["train"]
    folds = split_folds(learned, config.folds or 0, config.seed, data.units)
    places = [run / f"fold-{number}" for number in range(1, len(folds) + 1)]
    if config.minutes is not None:
        left = max(config.minutes - (time.monotonic() - began) / 60, 1e-3)
        config = replace(config, minutes=left / (len(folds) + 1))
    try:
        for number, (place, (learn, held)) in enumerate(zip(places, folds, strict=True), 1):
            if not (place / LAST_WRITTEN).exists():
                place.mkdir(exist_ok=True)
                part = replace(data, parts={"train": learn, "val": held, "test": []})
                stage = f"fold {number} of {len(folds)}"
                yield from learn_steps(config, part, sampling, place, time.monotonic(), stage)
        held_out = [held for _, held in folds]
        known, rows = judge_folds(places, held_out, data)
        result = yield from learn_steps(
            config, data, sampling, run, time.monotonic(), "learning from all clips", known
        )
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(
            "Interrupted; what is learned so far is kept. "
            f"Go on with: vidgru train --resume {shlex.quote(str(run))}"
        ) from interrupt
    return replace(result, folds=rows, seconds=time.monotonic() - began)


def judge_folds(
    places: Sequence[Path], held_out: Sequence[Sequence[Clip]], data: Gathered
) -> tuple[Scores, tuple[Fold, ...]]:
    """Return how good the folds' models are on all clips that they never saw; and each fold."""
    task = Classify(data.labels)
    rows, shares, targets = [], [], []
    for place, held in zip(places, held_out, strict=True):
        loaded = load_model(place)
        outputs = [
            torch.cat([whole_outputs(loaded.network, part, loaded.spec) for part in data.frames[c]])
            for c in held
        ]
        shares.append(torch.stack([task.probabilities(of_clip) for of_clip in outputs]))
        targets.append(task.targets([clip.label for clip in held]))
        scores = task.scores(shares[-1], targets[-1])
        groups = {clip.group for clip in held if clip.group is not None}
        rows.append(
            Fold(
                run=place,
                clips=len(held),
                groups=len(groups) or None,
                accuracy=scores.accuracy,
                balanced=scores.balanced,
                seconds=read_numbers(place / "metrics.csv")[-1]["seconds"],
            )
        )
    return task.scores(torch.cat(shares), torch.cat(targets)), tuple(rows)
