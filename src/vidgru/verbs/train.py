"""Train a network on a folder of labelled clips."""

import contextlib
import copy
import shutil
import time
from collections.abc import Generator
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import torch

from vidgru.config import ModelSpec, TrainConfig, stored_side
from vidgru.data.cache import Sampling
from vidgru.data.gather import Gathered, choose_sampling, gather, read_clips
from vidgru.data.views import augmentation
from vidgru.engine.checkpoint import CHECKPOINT_NAME, MODEL_NAME, save_checkpoint, save_model
from vidgru.engine.device import choose_device, prepare
from vidgru.engine.loop import Examples, Trainer
from vidgru.engine.plots import plot_confusion, plot_curves
from vidgru.engine.run import RUNS, create_run, write_json, write_table
from vidgru.nn.build import build
from vidgru.nn.network import HIDDEN
from vidgru.results import Progress, Scores, TrainResult
from vidgru.tasks.classify import Classify

FEWEST_STEPS = 800
USUAL_EPOCHS = 15
VALIDATIONS = 25
ASKING = 0.1  # share of the time for questions about mirrored and turned clips
LAST_QUESTION = 0.9  # of the training: what is found later is of no use

Steps = Generator[Progress, None, TrainResult]
Result = TypeVar("Result")


def train_steps(folder: str | Path, config: TrainConfig) -> Steps:
    """Train, yielding Progress all along and returning the TrainResult.

    Raises DataError, OptionError or OutputError. The run folder appears only when the data can be
    learned from, and keeps the best model so far when the training is broken off.
    """
    began = time.monotonic()
    choose_device(config.device)
    folder = Path(folder)
    clips = read_clips(folder, config)
    sampling = choose_sampling(clips, config, stored_side(config.size))
    run = create_run(folder, config.out)
    try:
        data = yield from gather(clips, sampling, config)
        return (yield from learn_steps(folder, config, data, sampling, run, began))
    finally:
        if not (run / MODEL_NAME).exists():
            shutil.rmtree(run)
            with contextlib.suppress(OSError):
                RUNS.rmdir()  # only if nothing else is in it


def learn_steps(
    folder: Path, config: TrainConfig, data: Gathered, sampling: Sampling, run: Path, began: float
) -> Steps:
    """Train on clips that are decoded and split already, into an empty run folder."""
    device = choose_device(config.device)
    prepare(config.threads)
    torch.manual_seed(config.seed)
    spec = ModelSpec(
        task=Classify.name,
        labels=data.labels,
        input=config.input or ("rgb" if sampling.window == 1 else "both"),
        core=config.core,
        hidden=HIDDEN,
        fps=sampling.fps,
        frames=sampling.window,
        size=config.size,
        encoder=config.encoder,
        gated_update=config.gated_update,
    )
    return (yield from _Training(folder, config, data, spec, run, device, began).steps())


def train(folder: str | Path, config: TrainConfig) -> TrainResult:
    """Train on a folder of labelled clips and return what came of it; see `train_steps`."""
    return run_to_end(train_steps(folder, config))


def run_to_end(steps: Generator[Progress, None, Result]) -> Result:
    """Return the result of a job whose progress nobody looks at."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


class _Training:
    """One training from first step to finished run folder."""

    def __init__(
        self,
        folder: Path,
        config: TrainConfig,
        data: Gathered,
        spec: ModelSpec,
        run: Path,
        device: torch.device,
        began: float,
    ) -> None:
        self.config, self.data, self.spec, self.run = config, data, spec, run
        self.began, self.started = began, time.monotonic()
        self.task = Classify(spec.labels)
        self.val = self._examples("val")
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
        write_json(
            run / "config.json",
            {
                "folder": str(folder),
                **asdict(config),
                "input": spec.input,
                "fps": spec.fps,
                "frames": spec.frames,
            },
        )
        write_table(
            run / "split.csv",
            [
                {"path": clip.name, "label": clip.label, "part": part, "group": clip.group or ""}
                for part, clips in data.parts.items()
                for clip in clips
            ],
        )

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
        return (time.monotonic() - self.started) / max(whole, 1e-3)

    def validations(self) -> int:
        """Return how often to validate: at most each epoch, and for a tenth of the time at most."""
        epochs = self.total / self.trainer.steps_per_epoch
        if self.config.minutes is not None:
            return VALIDATIONS
        # Forward only costs about a third of learning.
        held = sum(1 for _ in self.trainer.validation_windows(self.val)) / 3
        learned = self.total * self.config.batch_size
        return max(1, min(VALIDATIONS, round(epochs), round(0.1 * learned / held)))

    def may_ask(self, looks: int) -> bool:
        """Return whether it is time to ask about transforms, when so many clips were looked at."""
        if not self.trainer.unclear or self.done() >= LAST_QUESTION:
            return False
        # Looking at a clip costs about a third of learning from it.
        learned = self.trainer.steps * self.config.batch_size
        return (looks + self.trainer.next_looks) / 3 <= ASKING * learned

    def steps(self) -> Steps:
        times, passed, looks, loss = self.validations(), 0, 0, 0.0
        since: list[float] = []
        try:
            while passed < times:
                began = time.perf_counter()
                since.append(self.trainer.step(min(self.done(), 1.0)))
                self.step_seconds.append(time.perf_counter() - began)
                loss = 0.95 * loss + 0.05 * since[-1] if self.trainer.steps > 1 else since[-1]
                if self.may_ask(looks):
                    looks += self.trainer.learn_transforms()
                if self.done() >= (passed + 1) / times - 1e-9:
                    passed = int(self.done() * times + 1e-9)
                    self.validate(sum(since) / len(since))
                    since = []
                yield self.progress(loss)
            return self.finish()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(self.farewell()) from None

    def progress(self, loss: float) -> Progress:
        best = f", validation accuracy {self.best:.3f} at best" if self.best is not None else ""
        total = self.total
        if self.config.minutes is not None:
            total = max(self.trainer.steps, round(self.trainer.steps / max(self.done(), 1e-6)))
        return Progress("training", self.trainer.steps, total, f"loss {loss:.3f}{best}")

    def validate(self, loss: float) -> None:
        """Write a row of metrics and the checkpoint, and keep the weights if they are the best."""
        scores = self.trainer.validate(self.val)
        epoch = self.trainer.steps / self.trainer.steps_per_epoch
        self.rows.append(
            {
                "epoch": round(epoch, 2),
                "step": self.trainer.steps,
                "train_loss": round(loss, 6),
                "val_loss": round(scores.loss, 6),
                "val_accuracy": round(scores.accuracy, 6),
                "val_balanced": round(scores.balanced, 6),
                "seconds": round(time.monotonic() - self.started, 2),
            }
        )
        write_table(self.run / "metrics.csv", self.rows)
        # Of equals the last: learned at a lower rate, it does better on clips not validated on.
        if self.best is None or scores.balanced >= self.best:
            self.best, self.best_epoch = scores.balanced, max(1, round(epoch))
            self.best_weights = copy.deepcopy(self.trainer.network.state_dict())
            self.best_images = self.trainer.images.clone()
            self.best_turns = self.trainer.turns.clone()
            self.save(scores, None)
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
                "spec": asdict(self.spec),
            },
        )

    def save(self, validation: Scores, test: Scores | None) -> None:
        metrics = {
            "validation": validation.to_dict(),
            "test": test.to_dict() if test else None,
            "best_epoch": self.best_epoch,
        }
        save_model(self.run / MODEL_NAME, self.best_weights, self.spec, metrics)

    def farewell(self) -> str:
        if not self.best_weights:
            return "Interrupted before the first validation: nothing was kept."
        return (
            f"Interrupted after {self.trainer.steps} steps. The best model so far is in {self.run}."
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

    def finish(self) -> TrainResult:
        self.trainer.network.load_state_dict(self.best_weights)
        validation = self.trainer.evaluate(self.val)
        test = self.trainer.evaluate(self.test) if self.test else None
        self.save(validation, test)
        plot_curves(self.run / "curves.png", self.rows)
        plot_confusion(self.run / "confusion.png", validation)
        return TrainResult(
            run=self.run,
            model=self.run / MODEL_NAME,
            labels=self.spec.labels,
            validation=validation,
            test=test,
            train_clips=len(self.data.parts["train"]),
            skipped=self.data.skipped,
            mirrored=self.mirrored(),
            rotation=self.trainer.augmentation.rotation,
            turned=dict(zip(self.spec.labels, self.best_turns.tolist(), strict=True)),
            best_epoch=self.best_epoch,
            epochs=max(1, round(self.trainer.steps / self.trainer.steps_per_epoch)),
            seconds=time.monotonic() - self.began,
            step_seconds=median(self.step_seconds),
            parameters=sum(p.numel() for p in self.trainer.network.parameters()),
        )
