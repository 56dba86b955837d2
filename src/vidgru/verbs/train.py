"""Train a network on a folder of labelled clips."""

import copy
import logging
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from vidgru.config import ModelSpec, TrainConfig
from vidgru.data.cache import Sampling
from vidgru.data.decode import Decoded, decode_clips, in_order
from vidgru.data.folder import Clip, read_folder
from vidgru.data.split import split_clips
from vidgru.data.suit import suit
from vidgru.data.views import Augmentation
from vidgru.engine.checkpoint import CHECKPOINT_NAME, MODEL_NAME, save_checkpoint, save_model
from vidgru.engine.device import choose_device, prepare
from vidgru.engine.loop import Examples, Trainer
from vidgru.engine.plots import plot_confusion, plot_curves
from vidgru.engine.run import create_run, write_json, write_table
from vidgru.errors import DataError, VidgruError
from vidgru.nn.network import HIDDEN, Network, NetworkConfig
from vidgru.results import Failure, Progress, Scores, TrainResult
from vidgru.tasks.classify import Classify
from vidgru.video.read import open_video

log = logging.getLogger("vidgru")

FEWEST_STEPS = 800
USUAL_EPOCHS = 15
VALIDATIONS = 25
PROBED_CLIPS = 64

Steps = Generator[Progress, None, TrainResult]


def train_steps(folder: str | Path, config: TrainConfig) -> Steps:
    """Train, yielding Progress all along and returning the TrainResult.

    Raises DataError, OptionError or OutputError. The run folder appears only when the data can be
    learned from, and keeps the best model so far when the training is broken off.
    """
    began = time.monotonic()
    device = choose_device(config.device)
    prepare(config.threads)
    torch.manual_seed(config.seed)
    folder = Path(folder)
    clips = _read_clips(folder, config)
    _divide(clips, config)  # says early what is wrong with the folder
    fps, frames = _suited(clips, config)
    run = create_run(folder, config.out)
    try:
        sampling = Sampling(fps, config.size * 3 // 2, frames)
        decoded = yield from _decode(clips, sampling)
        data = _Data.of(decoded, config)
        spec = ModelSpec(
            task=Classify.name,
            labels=data.task.labels,
            input=config.input,
            core=config.core,
            hidden=HIDDEN,
            fps=fps,
            frames=frames,
            size=config.size,
        )
        return (yield from _Training(folder, config, data, spec, run, device, began).steps())
    finally:
        if not any(run.iterdir()):
            run.rmdir()


def train(folder: str | Path, config: TrainConfig) -> TrainResult:
    """Train on a folder of labelled clips and return what came of it; see `train_steps`."""
    steps = train_steps(folder, config)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: TrainResult = end.value
            return result


def _read_clips(folder: Path, config: TrainConfig) -> list[Clip]:
    clips = read_folder(folder, config.group_by)
    if config.val_folder is not None:
        held = read_folder(Path(config.val_folder))
        clips = [c if c.part == "test" else replace(c, part="train") for c in clips]
        clips += [replace(clip, part="val") for clip in held if clip.part in (None, "val")]
    labels = {clip.label for clip in clips if clip.part in (None, "train")}
    if len(labels) < 2:
        raise DataError(
            f"{folder} has only one class ({min(labels, default='')!r}); at least two are needed."
        )
    if strange := sorted({clip.label for clip in clips} - labels):
        raise DataError(
            f"The class {strange[0]!r} is validated or tested but has no training clips."
        )
    return clips


def _divide(clips: list[Clip], config: TrainConfig) -> tuple[list[Clip], list[Clip], list[Clip]]:
    """Return (training, validation, test) clips, as the folder says or else split now."""
    given = {
        part: [clip for clip in clips if clip.part == part]
        for part in (None, "train", "val", "test")
    }
    learn, held = given["train"] + given[None], given["val"]
    if not held:
        learn, held = split_clips(learn, config.val, config.seed)
    return learn, held, given["test"]


def _suited(clips: list[Clip], config: TrainConfig) -> tuple[float, int]:
    """Return frame rate and window length, looking into some of the clips where not given."""
    if config.fps is not None and config.frames is not None:
        return config.fps, config.frames
    rates, seconds = [], []
    for clip in clips[:: -(-len(clips) // PROBED_CLIPS)]:
        try:
            with open_video(clip.path) as video:
                if video.seconds is not None:
                    rates.append(video.fps)
                    seconds.append(video.seconds)
        except VidgruError:
            continue  # decoding will name it
    return suit(rates or [25.0], seconds or [2.0], config.fps, config.frames)


def _decode(clips: list[Clip], sampling: Sampling) -> Generator[Progress, None, list[Decoded]]:
    results: list[Decoded] = []
    for result in decode_clips(clips, sampling):
        results.append(result)
        note = f"{sum(r.from_cache for r in results)} from the cache"
        yield Progress("reading clips", len(results), len(clips), note)
    results = in_order(results)
    for result in results:
        for warning in result.warnings:
            log.warning("%s", warning)
        if result.error:
            log.warning("Skipped: %s", result.error)
    return results


@dataclass(frozen=True)
class _Data:
    """The clips that could be read, on their side of the split."""

    task: Classify
    train: Examples
    val: Examples
    test: Examples | None
    split: list[dict[str, str]]
    skipped: tuple[Failure, ...]

    @classmethod
    def of(cls, decoded: list[Decoded], config: TrainConfig) -> "_Data":
        frames = {result.clip: result.segments for result in decoded if result.segments is not None}
        skipped = tuple(
            Failure(str(result.clip.path), result.error) for result in decoded if result.error
        )
        lost = {result.clip.label for result in decoded} - {clip.label for clip in frames}
        if lost:
            raise DataError(
                f"No clip of the class {min(lost)!r} can be read: mend or remove them. "
                f"The first problem: {skipped[0].error}"
            )
        learn, held, test = _divide(list(frames), config)
        task = Classify(sorted({clip.label for clip in learn}))

        def examples(clips: list[Clip]) -> Examples:
            return Examples(
                [frames[clip] for clip in clips], task.targets([clip.label for clip in clips])
            )

        missing = set(task.labels) - {clip.label for clip in held}
        if missing:
            log.warning("No clip of the class %r is left to validate with.", min(missing))
        parts = {"train": learn, "val": held, "test": test}
        return cls(
            task,
            examples(learn),
            examples(held),
            examples(test) if test else None,
            [
                {"path": c.name, "label": c.label, "part": part, "group": c.group or ""}
                for part, clips in parts.items()
                for c in clips
            ],
            skipped,
        )


class _Training:
    """One training from first step to finished run folder."""

    def __init__(
        self,
        folder: Path,
        config: TrainConfig,
        data: _Data,
        spec: ModelSpec,
        run: Path,
        device: torch.device,
        began: float,
    ) -> None:
        self.config, self.data, self.spec, self.run = config, data, spec, run
        self.began, self.started = began, time.monotonic()
        network = Network(NetworkConfig(spec.input, spec.core, len(spec.labels), spec.hidden))
        self.trainer = Trainer(
            network,
            data.task,
            data.train,
            spec,
            batch_size=config.batch_size,
            lr=config.lr,
            seed=config.seed,
            augmentation=Augmentation(),
            device=device,
        )
        epochs = config.epochs or max(USUAL_EPOCHS, FEWEST_STEPS / self.trainer.steps_per_epoch)
        self.total = max(1, round(epochs * self.trainer.steps_per_epoch))
        self.rows: list[dict[str, Any]] = []
        self.best: tuple[float, float] | None = None
        self.best_weights: dict[str, torch.Tensor] = {}
        self.best_epoch = 0
        write_json(
            run / "config.json",
            {"folder": str(folder), **asdict(config), "fps": spec.fps, "frames": spec.frames},
        )
        write_table(run / "split.csv", data.split)

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
        # Up to four windows of each clip, and forward only costs about a third of learning.
        held = 4 * len(self.data.val.segments) / 3
        learned = self.total * self.config.batch_size
        return max(1, min(VALIDATIONS, round(epochs), round(0.1 * learned / held)))

    def steps(self) -> Steps:
        times, passed, loss = self.validations(), 0, 0.0
        since: list[float] = []
        try:
            while passed < times:
                since.append(self.trainer.step(min(self.done(), 1.0)))
                loss = 0.95 * loss + 0.05 * since[-1] if self.trainer.steps > 1 else since[-1]
                if self.done() >= (passed + 1) / times - 1e-9:
                    passed = int(self.done() * times + 1e-9)
                    self.validate(sum(since) / len(since))
                    since = []
                yield self.progress(loss)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(self.farewell()) from None
        return self.finish()

    def progress(self, loss: float) -> Progress:
        best = f", validation accuracy {self.best[0]:.3f} at best" if self.best else ""
        total = self.total
        if self.config.minutes is not None:
            total = max(self.trainer.steps, round(self.trainer.steps / max(self.done(), 1e-6)))
        return Progress("training", self.trainer.steps, total, f"loss {loss:.3f}{best}")

    def validate(self, loss: float) -> None:
        """Write a row of metrics and the checkpoint, and keep the weights if they are the best."""
        scores = self.trainer.validate(self.data.val)
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
        if self.best is None or (scores.balanced, -scores.loss) >= self.best:
            self.best, self.best_epoch = (scores.balanced, -scores.loss), max(1, round(epoch))
            self.best_weights = copy.deepcopy(self.trainer.network.state_dict())
            self.save(scores, None)
        save_checkpoint(
            self.run / CHECKPOINT_NAME,
            {
                **self.trainer.state_dict(),
                "best_weights": self.best_weights,
                "best": list(self.best),
                "best_epoch": self.best_epoch,
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

    def finish(self) -> TrainResult:
        self.trainer.network.load_state_dict(self.best_weights)
        validation = self.trainer.evaluate(self.data.val)
        test = self.trainer.evaluate(self.data.test) if self.data.test else None
        self.save(validation, test)
        plot_curves(self.run / "curves.png", self.rows)
        plot_confusion(self.run / "confusion.png", validation)
        return TrainResult(
            run=self.run,
            model=self.run / MODEL_NAME,
            labels=self.spec.labels,
            validation=validation,
            test=test,
            train_clips=len(self.data.train.segments),
            skipped=self.data.skipped,
            best_epoch=self.best_epoch,
            epochs=max(1, round(self.trainer.steps / self.trainer.steps_per_epoch)),
            seconds=time.monotonic() - self.began,
            parameters=sum(p.numel() for p in self.trainer.network.parameters()),
        )
