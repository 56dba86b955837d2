"""Classify: which class a clip belongs to."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vidgru.core.errors import ModelError
from vidgru.core.results import Progress
from vidgru.data.cache import Sampling
from vidgru.data.dataset import Dataset
from vidgru.data.folder import Clip
from vidgru.engine.distributed import world
from vidgru.engine.initial_weights import InitialWeights
from vidgru.engine.onnx_export import Measure, OnnxStep
from vidgru.engine.onnx_file import OnnxFile
from vidgru.nn.choices import LOOKS, stored_side
from vidgru.tasks.classify import header
from vidgru.tasks.classify.build import build
from vidgru.tasks.classify.encoders import NO_INIT, chosen_init, read_encoders
from vidgru.tasks.classify.evaluation import evaluate_classes_steps
from vidgru.tasks.classify.folds import fold_steps, trainings
from vidgru.tasks.classify.learn import Run, settings_of, spec_of
from vidgru.tasks.classify.looks import (
    LooksDataset,
    check_packable,
    encoder_path,
    looks_dataset,
    open_for_training,
    pack,
)
from vidgru.tasks.classify.looks_choice import choose_input
from vidgru.tasks.classify.model import Model
from vidgru.tasks.classify.model_file import LoadedModel
from vidgru.tasks.classify.onnx_model import OnnxModel
from vidgru.tasks.classify.options import (
    ABOUT,
    AnswerConfig,
    ClassifyEvaluateConfig,
    ClassifyTrainConfig,
    without_folds,
)
from vidgru.tasks.classify.results import LooksChoice, Prediction, TrainResult
from vidgru.tasks.classify.sampling import choose_sampling
from vidgru.tasks.classify.scores import Evaluation
from vidgru.tasks.classify.spec import ModelSpec
from vidgru.tasks.classify.timeline_scores import TimelineEvaluation
from vidgru.tasks.classify.training import ClassifyTrainer
from vidgru.tasks.contract import Steps, Task


class ClassifyTask(Task[ClassifyTrainConfig, ModelSpec, InitialWeights, Dataset]):
    """See `Task`."""

    about, answer, predicts_onnx = ABOUT, Prediction, True
    standalone = Path(__file__).with_name("standalone.txt")

    def read_spec(self, content: dict[str, Any]) -> ModelSpec | None:
        """Return the spec of a file's header, None where it is invalid; raises as `Task`."""
        return header.read_spec(content)

    def network(self, spec: ModelSpec) -> nn.Module:
        """Return a new network with random weights."""
        return build(spec)

    def loaded(
        self, path: Path, network: Any, spec: ModelSpec, content: dict[str, Any]
    ) -> LoadedModel:
        """Return a network with the content of its model file."""
        confidence = header.read_confidence(content)
        return LoadedModel(path, network, spec, content["metrics"], confidence)

    def start(self, config: ClassifyTrainConfig, run: Path | None = None) -> InitialWeights:
        """Return the weights that --init names, or those of vidgru; see `read_encoders`.

        A picture encoder that cannot be used is refused here, before clips are read.
        """
        if open_for_training(config) is not None and config.pack:
            check_packable(encoder_path(config))
        return read_encoders(config, run)

    def sampling(
        self, clips: list[Clip], config: ClassifyTrainConfig, start: InitialWeights
    ) -> Sampling:
        """Return how clips are sampled; they are stored larger than the views cut from them."""
        return choose_sampling(clips, config, stored_side(config.side))

    def settings(
        self, config: ClassifyTrainConfig, sampling: Sampling, start: InitialWeights
    ) -> dict[str, Any]:
        """Return the settings that a config may leave open."""
        return settings_of(config, sampling)

    def prepare(
        self, clips: list[Clip], sampling: Sampling, config: ClassifyTrainConfig, folder: Path
    ) -> Generator[Progress, None, Dataset]:
        """Decode and split clips; automatic folds only in a single process."""
        own = without_folds(config) if world() > 1 else config
        return looks_dataset(clips, sampling, own, folder)

    def spec(self, run: Run, data: Dataset) -> ModelSpec:
        """Return the spec of the network that is to be trained."""
        return spec_of(run, data)

    def trainer(
        self, run: Run, data: Dataset, spec: ModelSpec, network: Any, device: torch.device
    ) -> ClassifyTrainer:
        """Return the trainer of a network, which resumes from the run's checkpoint if any."""
        return ClassifyTrainer(run, data, network, spec, device)

    def learn(self, run: Run, data: Dataset) -> Steps:
        """Train a network, after one for each part that is held out, if any; all start alike."""
        run, data, choice = yield from self.settled(run, data)
        pack(run.config, run.run)
        found = trainings(run, data)
        steps = super().learn(run, data) if len(found) == 1 else fold_steps(run, data, found)
        return replace((yield from steps), looks=choice)

    def settled(
        self, run: Run, data: Dataset
    ) -> Generator[Progress, None, tuple[Run, Dataset, LooksChoice | None]]:
        """Return a training and its clips with what the clips decide, and how looks do alone."""
        choice = None
        if isinstance(data, LooksDataset):
            config, data, choice = yield from choose_input(run.config, data)
            run = replace(run, config=config)
        init = chosen_init(run.config, data.parts)
        start = InitialWeights() if init == NO_INIT else run.start
        config = replace(run.config, init=init, folds=data.folds or run.config.folds)
        return replace(run, config=config, start=start), data, choice

    def open(self, model: LoadedModel, device: torch.device) -> Model:
        """Return a model that is ready to predict."""
        return Model(model, device)

    def open_with(
        self,
        model: LoadedModel,
        device: torch.device,
        max_error: float | None,
        looks: str | Path | None,
    ) -> Model:
        """Return a model that says `unsure` to keep to a share of wrong answers."""
        AnswerConfig(max_error=max_error)  # checks it
        return Model(model, device, max_error, looks)

    def onnx_step(self, model: LoadedModel) -> OnnxStep:
        """Return a classifier as an ONNX graph of one step."""
        from vidgru.tasks.classify.onnx_export import onnx_step

        return onnx_step(model)

    def measure_onnx(self, model: LoadedModel, folder: Path) -> tuple[Measure, int]:
        """Return what measures the accuracy of an exported model, and on how many clips."""
        from vidgru.tasks.classify.onnx_export import measure_onnx

        return measure_onnx(model, folder)

    def write_beside(self, model: LoadedModel, out: Path, standalone: bool) -> tuple[Path, ...]:
        """Copy the picture encoder of a model beside its .onnx file, if it has one."""
        from vidgru.tasks.classify.onnx_export import write_beside

        return write_beside(model, out, standalone)

    def open_onnx(
        self, file: OnnxFile, max_error: float | None, looks: str | Path | None
    ) -> OnnxModel:
        """Return an exported classifier that is ready to predict."""
        return OnnxModel(file, max_error, looks=looks)

    def evaluate(
        self, folder: Path, config: ClassifyEvaluateConfig, model: LoadedModel, device: torch.device
    ) -> Steps:
        """Measure a model on clips that it was not trained on."""
        return evaluate_classes_steps(folder, config, model, device)

    def show(self, result: TrainResult | Evaluation | TimelineEvaluation) -> None:
        """Print what a training or an evaluation came to."""
        from vidgru.tasks.classify.score_tables import show

        show(result)

    def encoders(self, model: LoadedModel) -> str:
        """Return the --input that a model's encoders require; raises ModelError."""
        if model.spec.encoder == "rows":
            raise ModelError(f"{model.path} reads rows of pixels: it has no encoder for --init.")
        if model.spec.input == LOOKS:
            raise ModelError(f"{model.path} has no encoder of its own for --init.")
        return "diff" if model.spec.looks else model.spec.input


TASK = ClassifyTask()
