"""One training, for any task, from its first step to the finished run folder."""

import copy
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Generic, TypeVar

import torch

from vidgru.core.errors import DataError, ModelError
from vidgru.core.options import paths_of
from vidgru.core.results import Progress, ToDict
from vidgru.data.cache import Sampling
from vidgru.data.dataset import Dataset, fingerprint
from vidgru.engine.distributed import broadcast, from_main, is_main
from vidgru.engine.model_file import (
    CHECKPOINT_NAME,
    AnySpec,
    load_checkpoint,
    save_checkpoint,
    save_model,
)
from vidgru.engine.newest_run import MODEL_NAME
from vidgru.engine.run_folder import (
    METRICS_NAME,
    NOTHING_KEPT,
    how_to_resume,
    write_split,
    write_table,
)
from vidgru.engine.state import matches_structure
from vidgru.engine.train_config import TrainConfig
from vidgru.engine.train_step import Settings, TrainStep

# Seconds between checkpoints: at the end of an epoch at the earliest and latest.
SOONEST, LATEST = 5.0, 60.0
VALIDATIONS = 10
TRAINED = 4.0  # with --minutes, seconds of steps before a validation, for each that the last took
ENDING = 0.4  # share of the remaining steps that are taken once all is learned

OTHER_CLIPS = "The clips are no longer those that {} began with: restore them, or train again."

Result = TypeVar("Result")
Config = TypeVar("Config")
Start = TypeVar("Start")
Numbers = dict[str, float]


@dataclass(frozen=True)
class TrainRun(Generic[Config, Start]):
    """Input of a training: its config, initial weights and run folder.

    began: when, of the monotonic clock; stage: its name in Progress.
    """

    config: Config
    sampling: Sampling
    start: Start
    run: Path
    began: float
    stage: str = "training"


class Trainer(ABC, Generic[Result]):
    """One training from first step to finished run folder; subclasses define the task."""

    columns: tuple[str, ...] = ()  # of metrics.csv, that `measure` fills

    def __init__(self, run: TrainRun[Any, Any], data: Dataset, spec: AnySpec) -> None:
        self.config: TrainConfig = run.config
        self.data, self.run, self.stage, self._described = data, run.run, run.stage, spec
        self.fingerprint = fingerprint(data)
        # Paths and devices may differ from machine to machine.
        left_out = {*paths_of(run.config), "device", "threads"}
        alike = {name: v for name, v in asdict(run.config).items() if name not in left_out}
        seen = f"{self.fingerprint} {alike}".encode(errors="surrogateescape")
        if from_main(lambda: seen) != seen:
            raise DataError("The processes of this training have other clips or other options.")
        self.began, self.started = run.began, time.monotonic()
        self.rows: list[dict[str, Any]] = []
        self.step_seconds: list[float] = []
        self.best: float | None = None
        self.best_weights: dict[str, torch.Tensor] = {}
        self.best_epoch = 0
        # Validations, smoothed loss, losses since a validation.
        self.passed, self.loss = 0, 0.0
        self.since: list[float] = []
        self.trained = self.validated = 0.0  # seconds: of steps since a validation, and of that
        self.saved = self.started
        self.more: dict[str, Any] = {}  # extra content of the model file

    def settings(self, device: torch.device) -> Settings:
        """Return the settings of the train step."""
        return {
            "batch_size": self.config.batch_size,
            "lr": self.config.lr,
            "seed": self.config.seed,
            "device": device,
            "optimizer": self.config.optimizer,
        }

    def plan(self, train_step: TrainStep, min_steps: int, default_epochs: float) -> None:
        """Set the train step, and decide how long to train; a subclass calls this first."""
        self.train_step = train_step
        epoch = train_step.steps_per_epoch
        if self.config.epochs is None:
            steps = round(max(default_epochs * epoch, min_steps))
        else:  # no fewer than asked for, where a few clips are less than a batch
            steps = math.ceil(self.config.epochs * epoch - 1e-9)
        self.planned = self.total = max(1, steps)
        # The last step that followed the plan, and the share that was over then.
        self.bend, self.bend_done = 0, 0.0

    def validations(self) -> int:
        """Return how often to validate."""
        return VALIDATIONS

    @abstractmethod
    def measure(self) -> tuple[Numbers, float]:
        """Measure on the validation clips; return the `columns`, and a number to choose by.

        The weights with the highest number are kept.
        """

    def note(self) -> str:
        """Return how good the best weights are, for the progress bar."""
        return ""

    @abstractmethod
    def write_model(self) -> None:
        """Write the model file of the best weights so far."""

    @abstractmethod
    def finish(self) -> Result:
        """Evaluate the best weights, and write the model and the plots."""

    def prepare(self) -> Generator[Progress, None, None]:
        """Do what must precede the first step, yielding Progress."""
        yield from ()

    def has_learned_all(self, loss: float) -> bool:
        """Return whether further steps, after such a mean loss, can improve anything."""
        return False

    def choose(self) -> None:
        """Keep what belongs to the weights that are now the best."""

    @property
    def ended_early(self) -> bool:
        """Whether the training was made shorter than planned."""
        return self.total < self.planned

    def shorten(self) -> None:
        """Take fewer steps than planned from now on, over which the learning rate still falls."""
        done = self.done()
        left = max(1, round(ENDING * (1 - done) * self.planned))
        if self.train_step.steps + left < self.total:
            self.bend, self.bend_done = self.train_step.steps, done
            self.total = self.train_step.steps + left

    def done(self) -> float:
        """Return the share of the training that is over, by steps or by the clock."""
        if self.config.minutes is None:
            part = (self.train_step.steps - self.bend) / (self.total - self.bend)
            return self.bend_done + (1 - self.bend_done) * part
        whole = self.config.minutes * 60 - (self.started - self.began)
        return broadcast((time.monotonic() - self.started) / max(whole, 1e-3))

    @property
    def epochs(self) -> int:
        """Whole passes over the clips so far, at least one."""
        return max(1, int(self.train_step.steps / self.train_step.steps_per_epoch + 1e-9))

    def steps(self) -> Generator[Progress, None, Result]:
        """Train to the end, from the run's checkpoint if there is one, yielding Progress.

        Raises DataError, ModelError, OutputError.
        """
        try:
            yield from self.learn()
            return self.finish()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(self.farewell()) from None

    def learn(self) -> Generator[Progress, None, None]:
        """Take all steps, up to the last checkpoint, from which `steps` only has to finish."""
        yield from self.begin()
        times = self.validations()
        while self.passed < times:
            began = time.perf_counter()
            loss = self.train_step.step(min(self.done(), 1.0))
            self.step_seconds.append(time.perf_counter() - began)
            self.trained += self.step_seconds[-1]
            if not math.isfinite(loss):
                raise DataError(self.breakdown(loss))
            self.since.append(loss)
            self.loss = 0.95 * self.loss + 0.05 * loss if self.train_step.steps > 1 else loss
            done = self.done()
            if done >= (self.passed + 1) / times - 1e-9 and self.affords(done):
                self.passed = int(done * times + 1e-9)
                began = time.perf_counter()
                self.validate()
                self.trained, self.validated = 0.0, time.perf_counter() - began
            elif self.due():
                self.write_checkpoint()
            yield self.progress(self.loss)

    def begin(self) -> Generator[Progress, None, None]:
        """Resume from the run's checkpoint, or do what must precede the first step."""
        begun = broadcast((self.run / CHECKPOINT_NAME).exists())
        if begun:
            self.resume_checkpoint()
        if is_main():
            write_split(self.run, self.data.parts, self.data)
        if not begun:
            yield from self.prepare()

    def affords(self, done: float) -> bool:
        """Return whether there is time to validate, when the share `done` of it is over."""
        limited = self.config.minutes is not None and done < 1
        return not limited or broadcast(self.trained - TRAINED * self.validated) >= 0

    def due(self) -> bool:
        """Return whether a checkpoint should be written before the next validation."""
        age = broadcast(time.monotonic() - self.saved)
        return age > LATEST or (age > SOONEST and self.train_step.at_epoch_end)

    def progress(self, loss: float) -> Progress:
        """Return the progress of the training."""
        total = self.total
        if self.config.minutes is not None:
            total = max(
                self.train_step.steps, round(self.train_step.steps / max(self.done(), 1e-6))
            )
        return Progress(self.stage, self.train_step.steps, total, f"loss {loss:.3f}{self.note()}")

    def validate(self) -> None:
        """Write a row of metrics and the checkpoint, and keep the weights if they are the best."""
        measured, chosen = self.measure()
        loss, self.since = sum(self.since) / len(self.since), []
        epoch = self.train_step.steps / self.train_step.steps_per_epoch
        self.rows.append(
            {
                "epoch": round(epoch, 2),
                "step": self.train_step.steps,
                "train_loss": round(loss, 6),
                **{name: round(value, 6) for name, value in measured.items()},
                "seconds": round(time.monotonic() - self.started, 2),
            }
        )
        if is_main():
            write_table(self.run / METRICS_NAME, self.rows)
        # Of equals the last: trained at a lower rate, it does better on clips not validated on.
        if self.best is None or chosen >= self.best:
            self.best, self.best_epoch = chosen, self.epochs
            self.best_weights = copy.deepcopy(self.train_step.state_dict()["network"])
            self.choose()
            if is_main():
                self.write_model()
        if not self.ended_early and self.plan_is_own() and self.has_learned_all(loss):
            self.shorten()
        self.write_checkpoint()

    def plan_is_own(self) -> bool:
        """Return whether the length of the training was chosen automatically."""
        return self.config.epochs is None and self.config.minutes is None

    def save(
        self,
        validation: ToDict | None,
        test: ToDict | None = None,
        *,
        spec: AnySpec | None = None,
    ) -> None:
        """Write the model file of the best weights; another `spec` may hold more results."""
        if not is_main():
            return
        metrics = {
            "validation": validation.to_dict() if validation else None,
            "test": test.to_dict() if test else None,
            "best_epoch": self.best_epoch,
        }
        path, spec = self.run / MODEL_NAME, spec or self._described
        save_model(path, self.best_weights, spec, metrics, **self.more)

    def outcome(self) -> dict[str, Any]:
        """Return the results that all trainings share."""
        return {
            "run": self.run,
            "model": self.run / MODEL_NAME,
            "split": self.data.split,
            "skipped": self.data.skipped,
            "best_epoch": self.best_epoch,
            "epochs": self.epochs,
            "seconds": time.monotonic() - self.began,
            "step_seconds": median(self.step_seconds or [0.0]),
            "parameters": self.train_step.parameters,
        }

    def write_checkpoint(self) -> None:
        """Write everything that is needed to resume from here."""
        self.saved = time.monotonic()
        if is_main():
            save_checkpoint(self.run / CHECKPOINT_NAME, self.state())

    def state(self) -> dict[str, Any]:
        """Return everything that is needed to resume from here."""
        spec, step = asdict(self._described), median(self.step_seconds or [0.0])
        return {
            **self.train_step.state_dict(),
            "best_weights": self.best_weights,
            "best": self.best,
            "best_epoch": self.best_epoch,
            "rows": self.rows,
            "counts": [self.passed, self.loss, *self.since],
            "schedule": [self.total, self.bend, self.bend_done],
            "clock": [self.started - self.began, self.saved - self.started, step],
            "spec": {name: list(v) if isinstance(v, tuple) else v for name, v in spec.items()},
            "clips": self.fingerprint,
        }

    def resume_checkpoint(self) -> None:
        """Restore the run's checkpoint. Raises ModelError, or DataError for other clips."""
        path = self.run / CHECKPOINT_NAME
        state = load_checkpoint(path)
        try:
            spec: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in dict(state["spec"]).items()
            }
            own = self._described
            if (type(own)(**spec), state["clips"]) != (own, self.fingerprint):
                raise DataError(OTHER_CLIPS.format(self.run))
            for weights in ("network", "best_weights"):
                state[weights] = self.train_step.current_names(state[weights])
            self.train_step.load_state_dict(state)
            self.load(state)
        except (LookupError, ValueError, TypeError, RuntimeError, AttributeError) as error:
            raise ModelError(f"Cannot resume from {path}: it is damaged.") from error

    def checkpoint_template(self, rows: bool) -> dict[str, Any]:
        """Return the template of a checkpoint without the step's state, for `matches_structure`."""
        numbers = ("epoch", "train_loss", *self.columns, "seconds")
        return {
            "rows": [{"step": 0, **dict.fromkeys(numbers, 0.0)}],
            "best": 0.0 if rows else None,
            "best_weights": self.train_step.state_dict()["network"] if rows else {},
            "best_epoch": 0,
            "clock": [0.0],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Restore a checkpoint without the step's state; raises as that does."""
        rows = state["rows"]
        passed, loss, *since = state["counts"]
        total, bend, bend_done = state["schedule"]
        preparing, learning, *self.step_seconds = state["clock"]
        if not (
            all(
                matches_structure(state[name], checkpoint_template)
                for name, checkpoint_template in self.checkpoint_template(bool(rows)).items()
            )
            and matches_structure([passed, total, bend], [0])
            and matches_structure([loss, bend_done, *since], [0.0])
            and 0 <= bend < total <= self.planned
            and 0 <= bend_done < 1
            and (passed > 0) == bool(rows)
        ):
            raise ValueError("Not what this training keeps.")
        self.rows, self.best, self.best_epoch = rows, state["best"], state["best_epoch"]
        self.best_weights = state["best_weights"]
        self.passed, self.loss, self.since = passed, loss, since
        self.total, self.bend, self.bend_done = total, bend, bend_done
        self.started = self.saved = time.monotonic()
        self.started -= learning
        self.began = self.started - preparing

    def breakdown(self, loss: float) -> str:
        """Return the message for a loss that is not finite."""
        sentence = f"Training broke down at step {self.train_step.steps}: the loss is {loss}. "
        if (self.run / CHECKPOINT_NAME).exists():
            sentence += f"The weights before that are in {self.run}. "
        return sentence + f"Train again with a lower --lr than {self.config.lr:g}."

    def farewell(self) -> str:
        """Return the message for an interrupted training."""
        if not (self.run / CHECKPOINT_NAME).exists():
            return NOTHING_KEPT
        best = f" The best model so far is in {self.run}." if self.best_weights else ""
        return f"Interrupted after {self.train_step.steps} steps.{best} {how_to_resume(self.run)}"
