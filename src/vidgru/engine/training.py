"""One training, from its first step or its last checkpoint to the finished run folder."""

import copy
import math
import shlex
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch

from vidgru.config import TrainConfig
from vidgru.data.gather import Gathered, fingerprint
from vidgru.data.views import augmentation
from vidgru.engine.checkpoint import (
    CHECKPOINT_NAME,
    MODEL_NAME,
    load_checkpoint,
    save_checkpoint,
    save_model,
)
from vidgru.engine.distributed import agree, from_main, is_main
from vidgru.engine.loop import Examples, Trainer
from vidgru.engine.plots import plot_confusion, plot_curves
from vidgru.engine.run import METRICS_NAME, write_split, write_table
from vidgru.engine.state import fits
from vidgru.errors import DataError, ModelError
from vidgru.nn.build import build
from vidgru.results import Calibration, Progress, Scores, TrainResult
from vidgru.spec import Confidence, ModelSpec
from vidgru.tasks.calibrate import calibrate, clip_probabilities, fit_confidence
from vidgru.tasks.classify import Classify

FEWEST_STEPS = 800
USUAL_EPOCHS = 15
VALIDATIONS = 25
ASKING = 0.1  # share of the time for questions about mirrored and turned clips
LAST_QUESTION = 0.9  # of the training: what is found later is of no use
# Seconds between checkpoints: at the end of an epoch at the earliest and latest.
SOONEST, LATEST = 5.0, 60.0

OTHER_CLIPS = (
    "The clips are no longer those that {} began with: put them back as they were, or train anew."
)
LAST_WRITTEN = "confusion.png"  # a run that has it is finished

Steps = Generator[Progress, None, TrainResult]


@dataclass(frozen=True)
class Judged:
    """How good a model is, and how sure it may be."""

    scores: Scores
    confidence: Confidence
    calibration: Calibration


class Training:
    """One training from first step to finished run folder."""

    def __init__(
        self,
        config: TrainConfig,
        data: Gathered,
        spec: ModelSpec,
        run: Path,
        device: torch.device,
        began: float,
        stage: str,
        known: Judged | None = None,
    ) -> None:
        self.config, self.data, self.spec, self.run = config, data, spec, run
        self.stage, self.known = stage, known
        self.fingerprint = fingerprint(data)
        # Paths and places may differ from machine to machine.
        alike = replace(config, val_folder=None, split=None, out=None, device="auto", threads=None)
        seen = f"{self.fingerprint} {alike}".encode(errors="surrogateescape")
        if from_main(lambda: seen) != seen:
            raise DataError("The processes of this training have other clips or other options.")
        self.began, self.started = began, time.monotonic()
        self.task = Classify(spec.labels)
        self.val = self._examples("val") if data.parts["val"] else None
        self.test = self._examples("test") if data.parts["test"] else None
        self.trainer = Trainer(
            build(spec),
            self.task,
            self._examples("train"),
            spec,
            batch_size=config.batch_size,
            lr=config.lr,
            seed=config.seed,
            augmentation=augmentation(config),
            device=device,
            optimizer=config.optimizer,
        )
        epochs = config.epochs or max(USUAL_EPOCHS, FEWEST_STEPS / self.trainer.steps_per_epoch)
        self.total = max(1, round(epochs * self.trainer.steps_per_epoch))
        self.rows: list[dict[str, Any]] = []
        self.step_seconds: list[float] = []
        self.best: float | None = None
        self.best_weights: dict[str, torch.Tensor] = {}
        self.best_epoch = 0
        # What had been found out about transforms when the best weights were learned.
        self.best_images, self.best_turns = self.trainer.images, self.trainer.turns
        # Validations, clips looked at for transforms, smoothed loss, losses since a validation.
        self.passed, self.looks, self.loss = 0, 0, 0.0
        self.since: list[float] = []
        self.saved = self.started

    def _examples(self, part: str) -> Examples:
        clips = self.data.parts[part]
        return Examples(
            [self.data.frames[clip] for clip in clips],
            self.task.targets([clip.label for clip in clips]),
        )

    def done(self) -> float:
        """Return the share of the training that is over, by steps or by the clock."""
        if self.config.minutes is None:
            return self.trainer.steps / self.total
        whole = self.config.minutes * 60 - (self.started - self.began)
        return agree((time.monotonic() - self.started) / max(whole, 1e-3))

    def validations(self) -> int:
        """Return how often to validate: at most each epoch, and for a tenth of the time at most."""
        epochs = self.total / self.trainer.steps_per_epoch
        if self.config.minutes is not None:
            return VALIDATIONS
        if self.val is None:
            return max(1, min(VALIDATIONS, round(epochs)))
        # Forward only costs about a third of learning.
        held = sum(1 for _ in self.trainer.validation_windows(self.val)) / 3
        learned = self.total * self.config.batch_size
        return max(1, min(VALIDATIONS, round(epochs), round(0.1 * learned / held)))

    def may_ask(self) -> bool:
        """Return whether it is time to ask about transforms; looking at clips takes its time."""
        if not self.trainer.unclear or self.done() >= LAST_QUESTION:
            return False
        # Looking at a clip costs about a third of learning from it.
        learned = self.trainer.steps * self.config.batch_size
        return (self.looks + self.trainer.next_looks) / 3 <= ASKING * learned

    def steps(self) -> Steps:
        """Train to the end, yielding Progress after every step; raises DataError, OutputError."""
        times = self.validations()
        self.write_split()
        try:
            while self.passed < times:
                began = time.perf_counter()
                loss = self.trainer.step(min(self.done(), 1.0))
                self.step_seconds.append(time.perf_counter() - began)
                if not math.isfinite(loss):
                    raise DataError(self.breakdown(loss))
                self.since.append(loss)
                self.loss = 0.95 * self.loss + 0.05 * loss if self.trainer.steps > 1 else loss
                if self.may_ask():
                    self.looks += self.trainer.learn_transforms()
                if self.done() >= (self.passed + 1) / times - 1e-9:
                    self.passed = int(self.done() * times + 1e-9)
                    self.validate()
                elif self.due():
                    self.keep()
                yield self.progress(self.loss)
            return self.finish()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(self.farewell()) from None

    def write_split(self) -> None:
        """Write down which clips are learned from, validated on and tested."""
        if not is_main():
            return
        write_split(self.run, self.data.parts, self.data.keys)

    def due(self) -> bool:
        """Return whether a checkpoint should be written before the next validation."""
        age = agree(time.monotonic() - self.saved)
        return age > LATEST or (age > SOONEST and self.trainer.at_epoch_end)

    def progress(self, loss: float) -> Progress:
        """Return how far the training is."""
        best = ""
        if self.best is not None and not self.config.folds:
            best = f", validation accuracy {self.best:.3f} at best"
        total = self.total
        if self.config.minutes is not None:
            total = max(self.trainer.steps, round(self.trainer.steps / max(self.done(), 1e-6)))
        return Progress(self.stage, self.trainer.steps, total, f"loss {loss:.3f}{best}")

    def validate(self) -> None:
        """Write a row of metrics and the checkpoint, and keep the weights if they are the best."""
        scores = self.trainer.validate(self.val) if self.val else None
        loss, self.since = sum(self.since) / len(self.since), []
        epoch = self.trainer.steps / self.trainer.steps_per_epoch
        self.rows.append(
            {
                "epoch": round(epoch, 2),
                "step": self.trainer.steps,
                "train_loss": round(loss, 6),
                **_columns(scores),
                "seconds": round(time.monotonic() - self.started, 2),
            }
        )
        if is_main():
            write_table(self.run / METRICS_NAME, self.rows)
        # Of equals the last: learned at a lower rate, it does better on clips not validated on.
        # Where folds tell how good it is, nothing is chosen on the clips that are held out.
        chosen = 0.0 if scores is None or self.config.folds else scores.balanced
        if self.best is None or chosen >= self.best:
            self.best, self.best_epoch = chosen, max(1, round(epoch))
            self.best_weights = copy.deepcopy(self.trainer.network.state_dict())
            self.best_images = self.trainer.images.clone()
            self.best_turns = self.trainer.turns.clone()
            self.save(scores or (self.known.scores if self.known else None), None, Confidence())
        self.keep()

    def keep(self) -> None:
        """Write all that is needed to go on from here."""
        self.saved = time.monotonic()
        if not is_main():
            return
        save_checkpoint(
            self.run / CHECKPOINT_NAME,
            {
                **self.trainer.state_dict(),
                "best_weights": self.best_weights,
                "best": self.best,
                "best_epoch": self.best_epoch,
                "best_images": self.best_images,
                "best_turns": self.best_turns,
                "rows": self.rows,
                "counts": [self.passed, self.looks, self.loss, *self.since],
                "clock": [self.started - self.began, self.saved - self.started],
                "spec": {**asdict(self.spec), "labels": list(self.spec.labels)},
                "clips": self.fingerprint,
            },
        )

    def go_on(self) -> None:
        """Take up the run's checkpoint. Raises ModelError, or DataError for other clips."""
        path = self.run / CHECKPOINT_NAME
        state = load_checkpoint(path)
        try:
            spec, clips = dict(state["spec"]), state["clips"]
            labels = tuple(spec.pop("labels"))
            if (ModelSpec(labels=labels, **spec), clips) != (self.spec, self.fingerprint):
                raise DataError(OTHER_CLIPS.format(self.run))
            self.trainer.load_state_dict(state)
            self._load(state)
        except (LookupError, ValueError, TypeError, RuntimeError, AttributeError) as error:
            raise ModelError(f"Cannot go on from {path}: it is damaged.") from error

    def _load(self, state: dict[str, Any]) -> None:
        """Take up what a checkpoint says beside the trainer's state; raises as that does."""
        rows, images = state["rows"], state["best_images"]
        passed, looks, loss, *since = state["counts"]
        preparing, learning = state["clock"]
        held = ("val_loss", "val_accuracy", "val_balanced") if self.val else ()
        numbers = ("epoch", "train_loss", *held, "seconds")
        own = {
            "rows": [{"step": 0, **dict.fromkeys(numbers, 0.0)}],
            "best": 0.0 if rows else None,
            "best_weights": self.trainer.network.state_dict() if rows else {},
            "best_epoch": 0,
            "best_images": self.best_images,
            "best_turns": self.best_turns,
            "clock": [0.0],
        }
        if not (
            all(fits(state[name], like) for name, like in own.items())
            and fits([passed, looks], [0])
            and fits([loss, *since], [0.0])
            and (passed > 0) == bool(rows)
            and -1 <= images.min() <= images.max() < len(self.spec.labels)
        ):
            raise ValueError("Not what this training keeps.")
        self.rows, self.best, self.best_epoch = rows, state["best"], state["best_epoch"]
        self.best_weights = state["best_weights"]
        self.best_images, self.best_turns = images, state["best_turns"]
        self.passed, self.looks, self.loss, self.since = passed, looks, loss, since
        self.started = self.saved = time.monotonic()
        self.started -= learning
        self.began = self.started - preparing

    def save(self, validation: Scores | None, test: Scores | None, confidence: Confidence) -> None:
        """Write the model file of the best weights."""
        if not is_main():
            return
        metrics = {
            "validation": validation.to_dict() if validation else None,
            "test": test.to_dict() if test else None,
            "best_epoch": self.best_epoch,
        }
        save_model(self.run / MODEL_NAME, self.best_weights, self.spec, metrics, confidence)

    def breakdown(self, loss: float) -> str:
        """Return what to say of a loss that is no number."""
        sentence = f"Training broke down at step {self.trainer.steps}: the loss is {loss}. "
        if (self.run / CHECKPOINT_NAME).exists():
            sentence += f"What was learned before is in {self.run}. "
        return sentence + f"Train anew with a lower --lr than {self.config.lr:g}."

    def farewell(self) -> str:
        """Return what to say when the training is broken off."""
        if not (self.run / CHECKPOINT_NAME).exists():
            return "Interrupted before the first checkpoint: nothing was kept."
        best = f" The best model so far is in {self.run}." if self.best_weights else ""
        return (
            f"Interrupted after {self.trainer.steps} steps.{best} "
            f"Go on with: vidgru train --resume {shlex.quote(str(self.run))}"
        )

    def mirrored(self) -> dict[str, str | None] | None:
        """Return the class of each class's mirror image, None where it was not found out."""
        if not self.trainer.augmentation.flip:
            return None
        labels = self.spec.labels
        return {
            label: None if image < 0 else labels[image]
            for label, image in zip(labels, self.best_images.tolist(), strict=True)
        }

    def judge(self) -> Judged:
        """Return how good the best weights are on validation clips, or what folds tell of that."""
        if self.known is not None:
            return self.known
        if self.val is None:
            raise DataError("There are no clips to tell how good the model is.")
        outputs, targets = self.trainer.clip_outputs(self.val), self.val.targets
        confidence = fit_confidence(outputs, targets)
        return Judged(
            self.task.scores(clip_probabilities(outputs, confidence.temperature), targets),
            confidence,
            calibrate(outputs, targets, confidence.temperature),
        )

    def finish(self) -> TrainResult:
        """Evaluate the best weights, and write the model and the plots."""
        self.trainer.network.load_state_dict(self.best_weights)
        judged = self.judge()
        temperature = judged.confidence.temperature
        test = None
        if self.test is not None:
            seen = clip_probabilities(self.trainer.clip_outputs(self.test), temperature)
            test = self.task.scores(seen, self.test.targets)
        self.save(judged.scores, test, judged.confidence)
        if is_main():
            plot_curves(self.run / "curves.png", self.rows)
            plot_confusion(self.run / LAST_WRITTEN, judged.scores)
        return TrainResult(
            run=self.run,
            model=self.run / MODEL_NAME,
            labels=self.spec.labels,
            validation=judged.scores,
            test=test,
            calibration=judged.calibration,
            train_clips=len(self.data.parts["train"]),
            split=self.data.split,
            folds=(),
            answered=None,
            skipped=self.data.skipped,
            mirrored=self.mirrored(),
            rotation=self.trainer.augmentation.rotation,
            turned=dict(zip(self.spec.labels, self.best_turns.tolist(), strict=True)),
            best_epoch=self.best_epoch,
            epochs=max(1, round(self.trainer.steps / self.trainer.steps_per_epoch)),
            seconds=time.monotonic() - self.began,
            step_seconds=median(self.step_seconds or [0.0]),
            parameters=sum(p.numel() for p in self.trainer.network.parameters()),
        )


def _columns(scores: Scores | None) -> dict[str, float]:
    """Return what metrics.csv says of validation clips, if there are any."""
    if scores is None:
        return {}
    return {
        "val_loss": round(scores.loss, 6),
        "val_accuracy": round(scores.accuracy, 6),
        "val_balanced": round(scores.balanced, 6),
    }
