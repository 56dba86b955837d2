"""Train a network to detect scene boundaries."""

import logging
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import torch

from vidgru.core.errors import DataError
from vidgru.core.results import Progress
from vidgru.data.augment import Frames
from vidgru.data.dataset import Dataset
from vidgru.engine.distributed import is_main
from vidgru.engine.plots import Curve, plot_curves
from vidgru.engine.trainer import Numbers, Trainer, TrainRun
from vidgru.tasks.scenes.network import SceneNetwork
from vidgru.tasks.scenes.scores import SceneTrainResult
from vidgru.tasks.scenes.shots import TOO_SHORT, shots_of
from vidgru.tasks.scenes.spec import SceneSpec
from vidgru.tasks.scenes.train_step import Measured, SceneTrainStep
from vidgru.tasks.scenes.transitions import SHORTEST

MIN_STEPS = 400  # one takes about half a second
DEFAULT_EPOCHS = 10
VALIDATIONS = 10
VALIDATING = 0.1  # share of the time for validations
VALIDATED, MEASURED = 96, 256  # windows for validations on the way, and at the end

log = logging.getLogger("vidgru")

CURVE = Curve("val_f1", "validation F1", top=1.02)

Steps = Generator[Progress, None, SceneTrainResult]


class SceneTrainer(Trainer[SceneTrainResult]):
    """One training of a scene detector, from first step to finished run folder."""

    train_step: SceneTrainStep

    columns = ("val_loss", "val_f1")

    def __init__(
        self,
        run: TrainRun[Any, Any],
        data: Dataset,
        network: SceneNetwork,
        spec: SceneSpec,
        device: torch.device,
    ) -> None:
        super().__init__(run, data, spec)
        self.spec, self.initial_weights = spec, run.start.words
        self.shots = {part: self._shots(part) for part in data.parts}
        for part, use in (("train", "train on"), ("val", "validate with")):
            if sum(map(len, self.shots[part])) < 2:
                raise DataError(
                    f"To {use}, at least two shots of {SHORTEST} frames or more are needed, which "
                    "are joined to scenes: give more clips."
                )
        if self.shots["test"] and sum(map(len, self.shots["test"])) < 2:
            log.warning("No test: it takes two shots of %d frames or more.", SHORTEST)
            self.shots["test"] = []
        self.train_step = SceneTrainStep(
            network, self.shots["train"], spec, **self.settings(device)
        )
        self.plan(self.train_step, MIN_STEPS, DEFAULT_EPOCHS)
        self.measured: Measured | None = None

    def _shots(self, part: str) -> list[list[Frames]]:
        """Return the shots of each clip of a part; warns about clips without any."""
        clips = self.data.parts[part]
        families = [shots_of(self.data.frames[clip]) for clip in clips]
        short = [clip.name for clip, shots in zip(clips, families, strict=True) if not shots]
        if short:
            log.warning(TOO_SHORT, len(short), SHORTEST, short[0])
        return [shots for shots in families if shots]

    def validations(self) -> int:
        """Return how often to validate: for a tenth of the time at most."""
        if self.config.minutes is not None:
            return VALIDATIONS
        # Making a window and a forward pass take about two thirds of a train step.
        learned = self.total * self.config.batch_size
        return max(1, min(VALIDATIONS, round(VALIDATING * learned / (VALIDATED * 2 / 3))))

    def measure(self) -> tuple[Numbers, float]:
        """Return loss and F1 on validation windows; the lower the loss, the better."""
        self.measured = self.train_step.measure(self.shots["val"], VALIDATED)
        loss = self.measured.loss
        return {"val_loss": loss, "val_f1": self.measured.scores.f1}, -loss

    def note(self) -> str:
        """Return how good the best weights are, for the progress bar."""
        return "" if self.best is None else f", validation loss {-self.best:.3f} at best"

    def write_model(self) -> None:
        """Write the model file of the best weights so far."""
        if self.measured is not None:
            spec = replace(self.spec, threshold=self.measured.threshold)
            self.save(self.measured.scores, spec=spec)

    def finish(self) -> SceneTrainResult:
        """Evaluate the best weights, and write the model and the plot."""
        self.train_step.network.load_state_dict(self.best_weights)
        _, threshold, validation = self.train_step.measure(self.shots["val"], MEASURED)
        test = None
        if self.shots["test"]:
            test = self.train_step.measure(self.shots["test"], MEASURED, threshold).scores
        self.save(validation, test, spec=replace(self.spec, threshold=threshold))
        if is_main():
            plot_curves(self.run / "curves.png", self.rows, CURVE)
        return SceneTrainResult(
            validation=validation,
            test=test,
            initial_weights=self.initial_weights,
            threshold=threshold,
            frames=self.spec.frames,
            size=self.spec.size,
            train_clips=len(self.shots["train"]),
            **self.outcome(),
        )
