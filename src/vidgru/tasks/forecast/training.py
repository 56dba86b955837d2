"""Train a network to forecast frames."""

import logging
from collections.abc import Generator
from statistics import median
from typing import Any

import numpy as np
import torch

from vidgru.core.errors import DataError
from vidgru.core.results import Progress
from vidgru.data.augment import Frames
from vidgru.data.dataset import Dataset
from vidgru.engine.distributed import is_main
from vidgru.engine.plots import Curve, plot_curves
from vidgru.engine.trainer import Numbers, Trainer, TrainRun
from vidgru.tasks.forecast.network import ForecastNetwork
from vidgru.tasks.forecast.scores import ForecastScores, ForecastTrainResult
from vidgru.tasks.forecast.spec import ForecastSpec
from vidgru.tasks.forecast.train_step import ForecastTrainStep
from vidgru.video.sample import even_rate

MIN_STEPS = 350  # one takes about a second
DEFAULT_EPOCHS = 6
VALIDATIONS = 10
MAX_VALIDATED, MAX_MEASURED = 128, 1000  # windows that are forecast on the way, and at the end

TOO_SHORT = "Clips left out: %d. They have fewer than the %d frames of a window; the first is %s."

log = logging.getLogger("vidgru")

CURVE = Curve("val_mse", "validation MSE, sum over a frame")

Steps = Generator[Progress, None, ForecastTrainResult]


class ForecastTrainer(Trainer[ForecastTrainResult]):
    """One training of a forecasting model from first step to finished run folder."""

    train_step: ForecastTrainStep

    columns = ("val_mse", "val_ssim")

    def __init__(
        self,
        run: TrainRun[Any, Any],
        data: Dataset,
        network: ForecastNetwork,
        spec: ForecastSpec,
        device: torch.device,
    ) -> None:
        super().__init__(run, data, spec)
        self.spec = spec
        self.pieces = {part: self._pieces(part) for part in data.parts}
        for part, what in (("train", "training"), ("val", "validation")):
            if not self.pieces[part]:
                raise DataError(
                    f"No {what} clip has the {spec.window} frames of a window, {spec.frames} of "
                    f"context and {spec.ahead} forecast: give longer clips, or smaller --frames "
                    "and --ahead."
                )
        self.train_step = ForecastTrainStep(
            network,
            [run for piece in self.pieces["train"] for run in self._runs(piece)],
            spec,
            **self.settings(device),
        )
        self.plan(self.train_step, MIN_STEPS, DEFAULT_EPOCHS)
        self.scores: ForecastScores | None = None

    def _pieces(self, part: str) -> list[Frames]:
        """Return the pieces of a part's clips that hold a window; warns about clips without any."""
        clips, window = self.data.parts[part], self.spec.window
        short = [clip.name for clip in clips if self.data.frames[clip].shape[1] < window]
        if short and len(short) < len(clips):
            log.warning(TOO_SHORT, len(short), window, short[0])
        pieces = [piece for clip in clips for piece in self.data.frames[clip]]
        return [piece for piece in pieces if len(piece) >= window]

    def _runs(self, piece: Frames) -> list[Frames]:
        """Return a piece in parts of about two windows, so that long clips count for more."""
        return np.array_split(piece, max(1, len(piece) // (2 * self.spec.window)))

    def _measure(self, part: str, most: int) -> ForecastScores | None:
        rates = [self.data.info[clip].fps for clip in self.data.parts[part]]
        fps = even_rate(median(rates or [self.spec.fps]), self.spec.fps)
        return self.train_step.measure(self.pieces[part], fps, most)

    def validations(self) -> int:
        """Return how often to validate."""
        return VALIDATIONS

    def measure(self) -> tuple[Numbers, float]:
        """Return the errors of frames on validation clips; lower is better."""
        self.scores = self._measure("val", MAX_VALIDATED)
        if self.scores is None:
            raise DataError("There are no clips to measure the model on.")
        mean = self.scores.mean("model")
        return {"val_mse": mean.mse, "val_ssim": mean.ssim}, -mean.mse

    def note(self) -> str:
        """Return how good the best weights are, for the progress bar."""
        return "" if self.best is None else f", validation MSE {-self.best:.1f} at best"

    def write_model(self) -> None:
        """Write the model file of the best weights so far."""
        self.save(self.scores)

    def finish(self) -> ForecastTrainResult:
        """Evaluate the best weights, and write the model and the plot."""
        network = self.train_step.network
        network.load_state_dict(self.best_weights)
        validation = self._measure("val", MAX_MEASURED)
        test = self._measure("test", MAX_MEASURED)
        self.save(validation, test)
        if is_main():
            plot_curves(self.run / "curves.png", self.rows, CURVE)
        if validation is None:
            raise DataError("There are no clips to measure the model on.")
        return ForecastTrainResult(
            validation=validation,
            test=test,
            fps=self.spec.fps,
            frames=self.spec.frames,
            ahead=self.spec.ahead,
            size=self.spec.size,
            channels=self.spec.channels,
            train_clips=sum(
                self.data.frames[clip].shape[1] >= self.spec.window
                for clip in self.data.parts["train"]
            ),
            **self.outcome(),
        )
