"""Measure models on clips held out from them, then train on all clips."""

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from vidgru.core.results import Progress
from vidgru.data.dataset import Dataset
from vidgru.data.folder import Clip
from vidgru.data.split import split_folds
from vidgru.engine.device import choose_device, prepare
from vidgru.engine.distributed import world
from vidgru.engine.model_file import CHECKPOINT_NAME
from vidgru.engine.run_folder import FIRST_FOLD, METRICS_NAME, farewell, read_numbers
from vidgru.tasks.classify.at_once import sharing_of, steps_at_once
from vidgru.tasks.classify.calibration import (
    calibration_of,
    choose_temperature,
    clip_probabilities,
    confidence_and_correct,
    fit_windows,
    kept_answers,
)
from vidgru.tasks.classify.classes import Classify
from vidgru.tasks.classify.learn import Run, learn_steps, trainer_of
from vidgru.tasks.classify.looks import LooksDataset
from vidgru.tasks.classify.metrics import answered
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.options import ClassifyEvaluateConfig
from vidgru.tasks.classify.probabilities import choose_threshold
from vidgru.tasks.classify.results import (
    ENOUGH_TO_CHOOSE,
    ON_ALL,
    WITHOUT_VALIDATION,
    Fold,
    Scores,
    SelectiveScores,
)
from vidgru.tasks.classify.spec import Confidence
from vidgru.tasks.classify.training import Steps, Validated, accuracy_of
from vidgru.tasks.classify.windows import clip_outputs

MAX_ERROR = ClassifyEvaluateConfig.max_error


def trainings(run: Run, data: Dataset) -> list[tuple[Run, Dataset]]:
    """Return the trainings of a run: of each that holds clips out, and last of the one on all."""
    parts = data.parts
    if data.folds is not None:
        folds = split_folds(parts["train"], data.folds, run.config.seed, data.units)
    elif _learns_from_all(run, data):
        folds = [(parts["train"], parts["val"])]
    else:
        return [(run, data)]
    found = []
    for number, (learn, held) in enumerate(folds, 1):
        stage = WITHOUT_VALIDATION if len(folds) == 1 else f"fold {number} of {len(folds)}"
        own = replace(run, run=run.run / f"fold-{number}", stage=stage)
        found.append((own, replace(data, parts={"train": learn, "val": held, "test": []})))
    everything = {**parts, "train": [*parts["train"], *parts["val"]], "val": []}
    return [*found, (replace(run, stage=ON_ALL), replace(data, parts=everything))]


def _learns_from_all(run: Run, data: Dataset) -> bool:
    """Return whether the model is to learn from the validation clips, too, once one is measured.

    Not from those that somebody chose, nor from so many that the best epoch is chosen by them.
    """
    few = 0 < len(data.parts["val"]) < ENOUGH_TO_CHOOSE
    # Runs that earlier versions began go on as these did.
    begun = (run.run / CHECKPOINT_NAME).exists() and not (run.run / FIRST_FOLD).exists()
    return run.config.open_to_all and few and not data.split.given and world() == 1 and not begun


def fold_steps(run: Run, data: Dataset, all_trainings: Sequence[tuple[Run, Dataset]]) -> Steps:
    """Train without each part that is held out, then on all clips; what is done is not repeated.

    All start with the same weights, and those that can are trained at once. Raises
    KeyboardInterrupt with a sentence on how to resume.
    """
    *measured, (last, everything) = all_trainings
    config = run.config
    prepare(config.threads)
    try:
        for own, _ in measured:
            own.run.mkdir(exist_ok=True)
        if data.folds is None:
            yield from _checked_once(measured[0], (last, everything))
        if (sharing := sharing_of(config, len(all_trainings))) is not None:
            config = replace(config, threads=sharing.threads)
            yield from steps_at_once(run.run, len(all_trainings), sharing)
        elif config.minutes is not None:
            left = max(config.minutes - (time.monotonic() - run.began) / 60, 1e-3)
            config = replace(config, minutes=left / len(all_trainings))
        for own, part in measured:
            # One that is done leaves no steps: its files are just written again.
            own = replace(own, config=config, began=time.monotonic())
            result = yield from learn_steps(own, part)
        places = [own.run for own, _ in measured]
        rows, selective, alone = tuple[Fold, ...](), None, None
        if data.folds is None:
            (alone,) = places
            known = Validated(
                result.validation, result.interval, load_model(alone).confidence, result.calibration
            )
        else:
            held_out = [part.parts["val"] for _, part in measured]
            known, selective, rows = score_folds(
                places, held_out, data, choose_device(config.device)
            )
        last = replace(last, config=config, began=time.monotonic())
        result = yield from learn_steps(last, everything, known)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(farewell(run.run)) from interrupt
    finally:
        prepare(run.config.threads)
    # Those that were trained before an interruption count, too.
    learned = [result.seconds, *map(_seconds, places)]
    seconds = max(sum(learned) if sharing is None else max(learned), time.monotonic() - run.began)
    return replace(result, folds=rows, measured=alone, answered=selective, seconds=seconds)


def _checked_once(
    measured: tuple[Run, Dataset], last: tuple[Run, Dataset]
) -> Generator[Progress, None, None]:
    """Check mirrored and turned clips for both of two trainings, without the clips held out.

    So the one on all clips is trained as the one that is measured.
    """
    if (last[0].run / CHECKPOINT_NAME).exists():
        return
    checked = trainer_of(*measured)
    yield from checked.begin()
    if not (measured[0].run / CHECKPOINT_NAME).exists():
        checked.write_checkpoint()
    whole = trainer_of(*last)
    whole.adopt(checked)
    whole.write_checkpoint()


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
        seconds=_seconds(place),
    )


def _seconds(place: Path) -> float:
    return read_numbers(place / METRICS_NAME)[-1]["seconds"]


def _pooled(folds: Sequence[SelectiveScores], clips: int) -> SelectiveScores:
    """Return the answers for all folds' clips, each fold with a threshold of its own."""
    count = sum(one.answered for one in folds)
    wrong = sum(one.answered * (one.error or 0.0) for one in folds)
    return SelectiveScores(MAX_ERROR, None, count, count / clips, wrong / count if count else None)
