"""Train a network to predict motion."""

import math
from collections.abc import Callable, Generator, Sequence
from typing import Any

import torch
from torch import Tensor

from vidgru.core.errors import DataError
from vidgru.core.results import Progress
from vidgru.data.dataset import Dataset
from vidgru.data.folder import Clip
from vidgru.engine.distributed import is_main
from vidgru.engine.plots import Curve, plot_curves
from vidgru.engine.trainer import Numbers, Trainer, TrainRun
from vidgru.tasks.motion.fields import MIN_SPREAD
from vidgru.tasks.motion.flow_cache import Flow
from vidgru.tasks.motion.footage import Footage, Stored
from vidgru.tasks.motion.metrics import BACK
from vidgru.tasks.motion.network import FIELDS, SECOND, MotionNetwork
from vidgru.tasks.motion.results import AHEAD
from vidgru.tasks.motion.scores import MotionScores, MotionTrainResult
from vidgru.tasks.motion.spec import MotionSpec
from vidgru.tasks.motion.train_step import MotionTrainStep

MIN_STEPS = 100  # one takes about a second
DEFAULT_EPOCHS = 2
VALIDATIONS = 10
MAX_VALIDATED = 32  # pieces of footage for validations on the way
VALIDATED = 0.1  # share of the time for validations
COLDEST, HOTTEST = 0.1, 10.0  # factors of the spread
FITS, NEAR = 3, 0.02  # how often it is fitted at most, and how near is enough

CURVE = Curve("val_error", "validation error, % of the width per s", 100)

Steps = Generator[Progress, None, MotionTrainResult]


class MotionTrainer(Trainer[MotionTrainResult]):
    """One training of a model of motion from first step to finished run folder."""

    train_step: MotionTrainStep

    columns = ("val_error",)

    def __init__(
        self,
        run: TrainRun[Any, Any],
        data: Dataset,
        flows: dict[Clip, Flow],
        network: MotionNetwork,
        spec: MotionSpec,
        device: torch.device,
    ) -> None:
        super().__init__(run, data, spec)
        self.spec, self.flows, self.initial_weights = spec, flows, run.start.words
        self.val, self.test = self._footage("val"), self._footage("test")
        self.long = [piece for piece in self.val if len(piece.frames) - 1 >= 1 + BACK * piece.rate]
        if not self.long:
            raise DataError(
                f"No validation clip is longer than {BACK + 2 / spec.fps:.2g} s: too short to "
                "measure a model of motion. Give longer clips."
            )
        self.train_step = MotionTrainStep(
            network,
            self._footage("train"),
            spec,
            **self.settings(device),
        )
        self.plan(self.train_step, MIN_STEPS, DEFAULT_EPOCHS)
        self.scores: MotionScores | None = None

    def _footage(self, part: str) -> Stored:
        data = self.data
        return Stored(
            [(data.frames[c], self.flows[c], data.info[c]) for c in data.parts[part]],
            self.spec.fps,
        )

    def validations(self) -> int:
        """Return how often to validate: for a tenth of the time at most."""
        if self.config.minutes is not None:
            return VALIDATIONS
        # A forward pass alone takes about a third of a train step.
        held = sum(min(len(piece.frames), self._most) for piece in self._some) / 3
        learned = self.total * self.config.batch_size * self.spec.frames
        return max(1, min(VALIDATIONS, round(VALIDATED * learned / held)))

    @property
    def _most(self) -> int:
        """Frames of a piece used for validations on the way: two windows, or what scores need."""
        fastest = max(piece.rate for piece in self.long)
        return max(2 * self.spec.frames, math.ceil((BACK + AHEAD[-1]) * fastest) + 2)

    @property
    def _some(self) -> Sequence[Footage]:
        """Evenly spread pieces for validations on the way."""
        return self.long[:: -(-len(self.long) // MAX_VALIDATED)]

    def measure(self) -> tuple[Numbers, float]:
        """Return the mean endpoint error in widths/s on validation clips; lower is better."""
        self.scores = self.train_step.measure(self._some, self._most)
        error = self.scores.error
        if error is None:
            raise DataError("There are no clips to measure the model on.")
        return {"val_error": error}, -error

    def note(self) -> str:
        """Return how good the best weights are, for the progress bar."""
        return "" if self.best is None else f", validation error {-100 * self.best:.2f} %/s at best"

    def write_model(self) -> None:
        """Write the model file of the best weights so far."""
        self.save(self.scores)

    def finish(self) -> MotionTrainResult:
        """Fit the spread, evaluate the best weights, and write the model and the plot."""
        network = self.train_step.network
        network.load_state_dict(self.best_weights)
        validation = fit_spread(network, lambda: self.train_step.measure(self.val))
        self.best_weights = network.state_dict()
        test = self.train_step.measure(self.test) if len(self.test) else None
        self.save(validation, test)
        if is_main():
            plot_curves(self.run / "curves.png", self.rows, CURVE)
        return MotionTrainResult(
            validation=validation,
            test=test,
            initial_weights=self.initial_weights,
            fps=self.spec.fps,
            frames=self.spec.frames,
            size=self.spec.size,
            train_clips=len(self.data.parts["train"]),
            **self.outcome(),
        )


def fit_spread(network: MotionNetwork, measure: Callable[[], MotionScores]) -> MotionScores:
    """Fit the spread of each field to its mean error, and return the scores with that.

    Both spreads of a field are scaled alike. How far apart the two things are that may happen is
    part of the error to expect, too, and stays: so it takes several rounds, and may not get there.
    """
    scores = measure()
    for _ in range(FITS):
        if not _fit_once(network.get_parameter("output.bias"), scores):
            break
        scores = measure()
    return scores


@torch.no_grad()
def _fit_once(bias: Tensor, scores: MotionScores) -> bool:
    """Scale spreads that do not fit; return whether there are any."""
    far = False
    for place, field in zip(range(FIELDS), scores.fields, strict=True):
        if field.widths is None or not field.spread or abs(field.spread - 1) <= NEAR:
            continue
        spread = field.widths.model / field.spread
        factor = (field.widths.model - MIN_SPREAD) / max(spread - MIN_SPREAD, 1e-9)
        scale = math.log(min(max(factor, COLDEST), HOTTEST))
        for first in (0, SECOND):
            bias[first + 3 * place + 2] += scale
        far = True
    return far
