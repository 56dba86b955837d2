"""Train a network to tell classes."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vidgru.data.gather import Gathered
from vidgru.data.views import augmentation
from vidgru.engine.begin import began_with
from vidgru.engine.course import OTHER_CLIPS, Course, Numbers
from vidgru.engine.distributed import is_main
from vidgru.engine.loop import Examples, Trainer
from vidgru.engine.plots import plot_confusion, plot_curves
from vidgru.errors import DataError
from vidgru.nn.build import AnyNetwork
from vidgru.results import Calibration, Progress, Scores, TrainResult
from vidgru.spec import Confidence, ModelSpec
from vidgru.tasks.calibrate import calibrate, clip_probabilities, fit_confidence
from vidgru.tasks.classify import Classify
from vidgru.train_config import TrainConfig

__all__ = ["LAST_WRITTEN", "OTHER_CLIPS", "Judged", "Steps", "Training"]

FEWEST_STEPS = 800
USUAL_EPOCHS = 15
VALIDATIONS = 25
ASKING = 0.1  # share of the time for questions about mirrored and turned clips
LAST_QUESTION = 0.9  # of the training: what is found later is of no use
LAST_WRITTEN = "confusion.png"  # a run that has it is finished

Steps = Generator[Progress, None, TrainResult]


@dataclass(frozen=True)
class Judged:
    """How good a model is, and how sure it may be."""

    scores: Scores
    confidence: Confidence
    calibration: Calibration


class Training(Course[TrainResult]):
    """One training of a classifier from first step to finished run folder."""

    def __init__(
        self,
        config: TrainConfig,
        data: Gathered,
        network: AnyNetwork,
        spec: ModelSpec,
        run: Path,
        device: torch.device,
        began: float,
        stage: str,
        known: Judged | None = None,
    ) -> None:
        super().__init__(config, data, spec, run, began, stage)
        self.spec, self.known = spec, known
        self.task = Classify(spec.labels)
        self.val = self._examples("val") if data.parts["val"] else None
        self.test = self._examples("test") if data.parts["test"] else None
        if self.val is not None:
            self.columns = ("val_loss", "val_accuracy", "val_balanced")
        self.trainer = Trainer(
            network,
            self.task,
            self._examples("train"),
            spec,
            augmentation=augmentation(config),
            **self.settings(device),
        )
        self.begin(self.trainer, FEWEST_STEPS, USUAL_EPOCHS)
        self.scores: Scores | None = None
        # What had been found out about transforms when the best weights were learned.
        self.best_images, self.best_turns = self.trainer.images, self.trainer.turns

    def _examples(self, part: str) -> Examples:
        clips = self.data.parts[part]
        return Examples(
            [self.data.frames[clip] for clip in clips],
            self.task.targets([clip.label for clip in clips]),
        )

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

    def after_step(self) -> None:
        """Ask about transforms."""
        if self.may_ask():
            self.looks += self.trainer.learn_transforms()

    def note(self) -> str:
        """Return how good the best weights are, for people who wait."""
        if self.best is None or self.config.folds:
            return ""
        return f", validation accuracy {self.best:.3f} at best"

    def measure(self) -> tuple[Numbers, float]:
        """Return the scores on validation clips, if there are any, and the balanced accuracy.

        Where folds tell how good it is, nothing is chosen on the clips that are held out.
        """
        self.scores = scores = self.trainer.validate(self.val) if self.val else None
        chosen = 0.0 if scores is None or self.config.folds else scores.balanced
        return _columns(scores), chosen

    def choose(self) -> None:
        """Keep what was found out about transforms so far."""
        self.best_images = self.trainer.images.clone()
        self.best_turns = self.trainer.turns.clone()

    def write_model(self) -> None:
        """Write the model file of the best weights so far."""
        known = self.known.scores if self.known else None
        self.save(self.scores or known)

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on from here."""
        found = {"best_images": self.best_images, "best_turns": self.best_turns}
        return {**super().state(), **found}

    def like(self, rows: bool) -> dict[str, Any]:
        """Return what a checkpoint says beside the learner's state, as `fits` wants it."""
        found = {"best_images": self.best_images, "best_turns": self.best_turns}
        return {**super().like(rows), **found}

    def load(self, state: dict[str, Any]) -> None:
        """Take up what a checkpoint says beside the learner's state; raises as that does."""
        images = state["best_images"]
        if not -1 <= images.min() <= images.max() < len(self.spec.labels):
            raise ValueError("Not what this training keeps.")
        super().load(state)
        self.best_images, self.best_turns = images, state["best_turns"]

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
        self.save(judged.scores, test, confidence=judged.confidence)
        if is_main():
            plot_curves(self.run / "curves.png", self.rows)
            plot_confusion(self.run / LAST_WRITTEN, judged.scores)
        return TrainResult(
            labels=self.spec.labels,
            validation=judged.scores,
            test=test,
            calibration=judged.calibration,
            began_with=began_with(self.config),
            train_clips=len(self.data.parts["train"]),
            folds=(),
            answered=None,
            mirrored=self.mirrored(),
            rotation=self.trainer.augmentation.rotation,
            turned=dict(zip(self.spec.labels, self.best_turns.tolist(), strict=True)),
            **self.outcome(),
        )


def _columns(scores: Scores | None) -> Numbers:
    """Return what metrics.csv says of validation clips, if there are any."""
    if scores is None:
        return {}
    return {
        "val_loss": scores.loss,
        "val_accuracy": scores.accuracy,
        "val_balanced": scores.balanced,
    }
