"""Train a classifier."""

import logging
import math
import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from vidgru.core.errors import DataError, ModelError
from vidgru.core.results import Progress
from vidgru.data.dataset import Dataset
from vidgru.data.folder import Clip
from vidgru.engine.distributed import broadcast, is_main
from vidgru.engine.initial_weights import InitialWeights
from vidgru.engine.model_file import CHECKPOINT_NAME, load_checkpoint
from vidgru.engine.plots import Curve, plot_curves
from vidgru.engine.trainer import Numbers, Trainer, TrainRun
from vidgru.tasks.classify.augment import augmentation
from vidgru.tasks.classify.build import AnyNetwork
from vidgru.tasks.classify.calibration import calibrate, clip_probabilities, fit_confidence
from vidgru.tasks.classify.classes import Classify, smallest_loss
from vidgru.tasks.classify.encoders import initial_weights
from vidgru.tasks.classify.explain.nearest import write_index
from vidgru.tasks.classify.looks import LooksDataset, encoder_path
from vidgru.tasks.classify.metrics import accuracy_interval
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.plots import plot_confusion
from vidgru.tasks.classify.results import (
    ENOUGH_TO_CHOOSE,
    Calibration,
    Confused,
    Scores,
    TrainResult,
)
from vidgru.tasks.classify.spec import Confidence, ModelSpec
from vidgru.tasks.classify.train_step import ClassifyTrainStep, Examples
from vidgru.tasks.classify.transforms import (
    SMALL_TURN,
    Checks,
    Probe,
    find_confused,
    steps_to_check,
)

log = logging.getLogger("vidgru")

MIN_STEPS = 800
DEFAULT_EPOCHS = 15
VALIDATIONS = 25
MIN_VALIDATIONS = 5
# Above the minimum loss for smoothed labels: less, on average since the last validation,
# and every training clip is classified with certainty in all its views.
LEARNED = 0.02
CHECK_SHARE = 0.3  # of the minutes given, for checking mirrored and turned clips at most

CURVE = Curve("val_accuracy", "validation accuracy", top=1.02)

Steps = Generator[Progress, None, TrainResult]


@dataclass(frozen=True)
class Validated:
    """The scores of a model, and its confidence; interval: of the accuracy, 95 %."""

    scores: Scores
    interval: tuple[float, float]
    confidence: Confidence
    calibration: Calibration


class ClassifyTrainer(Trainer[TrainResult]):
    """One training of a classifier from first step to finished run folder."""

    train_step: ClassifyTrainStep

    def __init__(
        self,
        run: TrainRun[ClassifyTrainConfig, InitialWeights],
        data: Dataset,
        network: AnyNetwork,
        spec: ModelSpec,
        device: torch.device,
        known: Validated | None = None,
    ) -> None:
        super().__init__(run, data, spec)
        self.config: ClassifyTrainConfig = run.config
        self.spec, self.known = spec, known
        self.more = {"confidence": asdict(Confidence())}
        self.task = Classify(spec.labels)
        self.val = self._examples("val") if data.parts["val"] else None
        self.test = self._examples("test") if data.parts["test"] else None
        if self.val is not None:
            self.columns = ("val_loss", "val_accuracy", "val_balanced")
        self.train_step = ClassifyTrainStep(
            network,
            self.task,
            self._examples("train", drawn=True),
            spec,
            augmentation=augmentation(run.config),
            **self.settings(device),
        )
        self.plan(self.train_step, MIN_STEPS, DEFAULT_EPOCHS)
        self.scores: Scores | None = None
        self.confused: tuple[Confused, ...] = ()
        self.checked = False

    def _examples(self, part: str, drawn: bool = False) -> Examples:
        """Return the clips of a part; `drawn`, each as often as it is learned from in an epoch."""
        clips = [clip for clip in self.data.parts[part] for _ in range(clip.draws if drawn else 1)]
        known = self.data.features if isinstance(self.data, LooksDataset) else None
        return Examples(
            [self.data.frames[clip] for clip in clips],
            self.task.targets([clip.label for clip in clips]),
            None if known is None else [known[clip] for clip in clips],
        )

    def validations(self) -> int:
        """Return how often to validate: at most each epoch, and for a tenth of the time at most.

        For less of the time where that only draws curves, as the last epoch is kept.
        """
        epochs = self.planned / self.train_step.steps_per_epoch
        if self.config.minutes is not None:
            return VALIDATIONS
        if self.val is None:
            return max(1, min(VALIDATIONS, round(epochs)))
        # A forward pass alone takes about a third of a train step, or more in float32.
        held = sum(math.prod(segments.shape[:2]) for segments in self.val.segments) / 3
        learned = self.planned * self.config.batch_size * self.spec.frames
        share = 0.1 if self.chooses else 0.02
        affordable = max(MIN_VALIDATIONS, round(share * learned / held))
        return max(1, min(VALIDATIONS, round(epochs), affordable))

    def prepare(self) -> Generator[Progress, None, None]:
        """Check which classes allow mirrored and strongly rotated clips; unchecked, use none."""
        shown, steps = self.train_step.augmentation, 0
        if self.config.minutes is None or self.config.minutes >= 1:
            steps = steps_to_check(len(self.spec.labels), self.planned)
        probe = Probe(
            self._examples("train"),
            [self.data.units[clip] for clip in self.data.parts["train"]],
            self.spec,
            shown,
            self.settings(self.train_step.device),
            steps,
        )
        open_to_doubt = {
            "mirror": shown.flip and self.config.flip is None,
            "turn": shown.rotation > SMALL_TURN and self.config.rotation is None,
        }
        doubtful = [transform for transform, doubt in open_to_doubt.items() if doubt]
        found = (yield from self._in_time(_checks(probe, doubtful))) if steps else None
        self.confused, self.checked = found or (), bool(doubtful and found is not None)
        # An unchecked transform may ruin a model; omitting one does not.
        if "mirror" in doubtful and not self.checked:
            self.train_step.mirrored[:] = False
        if "turn" in doubtful and not self.checked:
            self.train_step.turns[:] = SMALL_TURN
        for pair in self.confused:
            for label in (pair.first, pair.second):
                number = self.spec.labels.index(label)
                if pair.transform == "mirror":
                    self.train_step.mirrored[number] = False
                else:
                    self.train_step.turns[number] = SMALL_TURN

    def adopt(self, other: "ClassifyTrainer") -> None:
        """Use mirrored and turned clips as another training does, which has checked them."""
        self.confused, self.checked = other.confused, other.checked
        self.train_step.mirrored = other.train_step.mirrored.clone()
        self.train_step.turns = other.train_step.turns.clone()

    def _in_time(self, checks: Checks) -> Generator[Progress, None, tuple[Confused, ...] | None]:
        """Return what checks find, or None where they take too much of the minutes given."""
        begun, minutes = time.monotonic(), self.config.minutes
        while True:
            try:
                progress = next(checks)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            # All processes go by the clock of one, or some would wait for the others for ever.
            if minutes is not None and (
                broadcast(time.monotonic() - begun) > CHECK_SHARE * 60 * minutes
            ):
                checks.close()
                log.warning(
                    "Checking mirrored and strongly rotated clips took %.0f %% of the time given; "
                    "unchecked, they are not used. Give more --minutes, or --flip or --rotation.",
                    100 * CHECK_SHARE,
                )
                return None
            yield progress

    def has_learned_all(self, loss: float) -> bool:
        """Return whether the loss is close to the minimum for smoothed labels."""
        return loss - smallest_loss(len(self.spec.labels)) < LEARNED

    def note(self) -> str:
        """Return how good the weights are, for the progress bar."""
        if self.scores is None or self.config.cross_validated:
            return ""
        return f", accuracy {self.scores.accuracy:.3f}"

    def measure(self) -> tuple[Numbers, float]:
        """Return the scores on validation clips, if any, and a number to choose weights by.

        The best of many epochs on few clips is chance: then the last one is kept, at a learning
        rate that has decayed to nearly zero.
        """
        self.scores, chosen = None, 0.0
        if self.val is not None:
            shares = clip_probabilities(self.train_step.clip_outputs(self.val), 1.0)
            self.scores = self.task.scores(shares, self.val.targets)
            chosen = self.scores.balanced if self.chooses else 0.0
        return _columns(self.scores), chosen

    @property
    def chooses(self) -> bool:
        """Whether the epoch that validates best is kept, not the last one."""
        many = self.val is not None and len(self.val.targets) >= ENOUGH_TO_CHOOSE
        return many and not self.config.cross_validated

    def write_model(self) -> None:
        """Write the model file of the best weights so far."""
        known = self.known.scores if self.known else None
        self.save(self.scores or known)

    def state(self) -> dict[str, Any]:
        """Return everything that is needed to resume from here."""
        return {
            **super().state(),
            "confused": [asdict(pair) for pair in self.confused],
            "checked": self.checked,
        }

    def checkpoint_template(self, rows: bool) -> dict[str, Any]:
        """Return the template of a checkpoint without the step's state, for `matches_structure`."""
        pair = Confused("mirror", "", "", 0.0, 0.0)
        return {**super().checkpoint_template(rows), "confused": [asdict(pair)], "checked": False}

    def resume_checkpoint(self) -> None:
        """Restore the run's checkpoint; raises ModelError for another picture encoder, too."""
        known = load_checkpoint(self.run / CHECKPOINT_NAME).get("spec") if self.spec.looks else None
        if isinstance(known, dict) and known.get("looks") != self.spec.looks:
            raise ModelError(
                f"{encoder_path(self.config)} is no longer the picture encoder that {self.run} "
                "began with: restore it, or train again."
            )
        super().resume_checkpoint()

    def load(self, state: dict[str, Any]) -> None:
        """Restore a checkpoint without the train step's state; raises as that does."""
        super().load(state)
        self.confused = tuple(Confused(**pair) for pair in state["confused"])
        self.checked = state["checked"]

    def mirrored(self) -> dict[str, bool] | None:
        """Return whether mirrored clips of each class were trained on, None if mirroring is off."""
        if not self.train_step.augmentation.flip:
            return None
        return dict(zip(self.spec.labels, self.train_step.mirrored.tolist(), strict=True))

    def validate_best(self) -> Validated:
        """Return the scores of the best weights on validation clips, or those of the folds."""
        if self.known is not None:
            return self.known
        if self.val is None:
            raise DataError("There are no clips to measure the model on.")
        outputs, targets = self.train_step.clip_outputs(self.val), self.val.targets
        confidence = fit_confidence(outputs, targets)
        shares = clip_probabilities(outputs, confidence.temperature)
        return Validated(
            self.task.scores(shares, targets),
            accuracy_of(shares, targets, self.data.parts["val"]),
            confidence,
            calibrate(outputs, targets, confidence.temperature),
        )

    def finish(self) -> TrainResult:
        """Evaluate the best weights, and write the model and the plots."""
        self.train_step.network.load_state_dict(self.best_weights)
        validated = self.validate_best()
        temperature = validated.confidence.temperature
        test = None
        if self.test is not None:
            probabilities = clip_probabilities(self.train_step.clip_outputs(self.test), temperature)
            test = self.task.scores(probabilities, self.test.targets)
        self.more = {"confidence": asdict(validated.confidence)}
        self.save(validated.scores, test)
        if is_main():
            plot_curves(self.run / "curves.png", self.rows, CURVE)
            plot_confusion(self.run / "confusion.png", validated.scores)
            write_index(self.run, self.train_step.network, self.spec, self.data)
        return TrainResult(
            labels=self.spec.labels,
            validation=validated.scores,
            interval=validated.interval,
            test=test,
            calibration=validated.calibration,
            initial_weights=initial_weights(self.config, self.spec),
            train_clips=len(self.data.parts["train"]),
            folds=(),
            measured=None,
            answered=None,
            mirrored=self.mirrored(),
            rotation=self.train_step.augmentation.rotation,
            turned=dict(zip(self.spec.labels, self.train_step.turns.tolist(), strict=True)),
            confused=self.confused,
            checked=self.checked,
            ended_early=self.ended_early,
            chosen=self.chooses,
            **self.outcome(),
        )


def _checks(probe: Probe, transforms: Sequence[str]) -> Checks:
    """Check some transforms, one after the other."""
    found: tuple[Confused, ...] = ()
    for transform in transforms:
        found += yield from find_confused(probe, transform)
    return found


def accuracy_of(
    probabilities: Tensor, targets: Tensor, clips: Sequence[Clip]
) -> tuple[float, float]:
    """Return the 95 % interval of the accuracy on clips, which count less where they have groups.

    probabilities: (N, K); targets: int64 (N,).
    """
    groups = [clip.name if clip.group is None else f"group {clip.group}" for clip in clips]
    right = (probabilities.argmax(1) == targets).tolist()
    return accuracy_interval(right, groups if len(set(groups)) < len(clips) else None)


def _columns(scores: Scores | None) -> Numbers:
    """Return the columns of metrics.csv for validation clips, if there are any."""
    if scores is None:
        return {}
    return {
        "val_loss": scores.loss,
        "val_accuracy": scores.accuracy,
        "val_balanced": scores.balanced,
    }
