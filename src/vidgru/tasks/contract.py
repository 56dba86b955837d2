"""The interface of a task for training, evaluating and the command line.

A task is a package with the command that uses its models and its line in `vidgru --help`, COMMAND
and SUMMARY, and two modules: `options` holds ABOUT, which is all that the help of a command needs
and imports neither torch nor numpy; `task` holds TASK, which does the work.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from vidgru.core.errors import ModelError, OptionError
from vidgru.core.results import Progress
from vidgru.engine.model_config import EvaluateConfig
from vidgru.engine.train_config import TrainConfig

if TYPE_CHECKING:
    import torch
    from torch import nn

    from vidgru.data.cache import Sampling
    from vidgru.data.folder import Clip
    from vidgru.engine.inference import VideoModel
    from vidgru.engine.initial_weights import InitialWeights
    from vidgru.engine.model_file import Loaded
    from vidgru.engine.onnx_export import Measure, OnnxStep
    from vidgru.engine.onnx_file import OnnxFile
    from vidgru.engine.trainer import Trainer, TrainRun


@dataclass(frozen=True)
class About:
    """How the command line describes a task.

    name: in model files and of --task; noun: for a model of it; use: completes "This model ...";
    subject: of its own options; train_config, evaluate_config: its options (those of other tasks
    are refused); presets: named settings.
    """

    name: str
    noun: str
    use: str
    subject: str
    train_config: type[TrainConfig]
    evaluate_config: type[EvaluateConfig] = EvaluateConfig
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


Config = TypeVar("Config", bound=TrainConfig)
Spec = TypeVar("Spec")
Start = TypeVar("Start", bound="InitialWeights")
Data = TypeVar("Data")
Steps = Generator[Progress, None, Any]


class Task(ABC, Generic[Config, Spec, Start, Data]):
    """One thing that can be learned from videos.

    Config: its options of `train`; Spec: the dataclass in a model file next to the weights;
    Start: the initial weights; Data: clips that are ready to train on.
    """

    about: About
    answer: type  # of a model for a source
    shipped: Path | None = None  # the model file that comes with vidgru
    predicts_onnx = False  # whether its command reads .onnx files
    # A program that reads them without vidgru; beside it, ending with .html and .js, a page.
    standalone: Path | None = None

    @abstractmethod
    def read_spec(self, content: dict[str, Any]) -> Spec | None:
        """Return the spec in a model file's header, None where it is invalid.

        The header is untrusted; raises ValueError, TypeError or KeyError.
        """

    @abstractmethod
    def network(self, spec: Spec) -> "nn.Module":
        """Return a new network with random weights."""

    def loaded(
        self, path: Path, network: Any, spec: Spec, content: dict[str, Any]
    ) -> "Loaded[Any, Spec]":
        """Return a network with the content of its model file."""
        from vidgru.engine.model_file import Loaded

        return Loaded(path, network, spec, content["metrics"])

    # Training, in the order of the steps.

    def start(self, config: Config, run: Path | None = None) -> Start:
        """Return the initial weights of a training, or of an existing `run`.

        By default: random weights.
        """
        from vidgru.engine.initial_weights import InitialWeights

        return cast(Start, InitialWeights())

    @abstractmethod
    def sampling(self, clips: "list[Clip]", config: Config, start: Start) -> "Sampling":
        """Return how clips are sampled, and at what size they are stored."""

    @abstractmethod
    def settings(self, config: Config, sampling: "Sampling", start: Start) -> dict[str, Any]:
        """Return the settings that a config may leave open."""

    def prepare(
        self, clips: "list[Clip]", sampling: "Sampling", config: Config, folder: Path
    ) -> Generator[Progress, None, Data]:
        """Decode and split clips, and prepare them for training."""
        from vidgru.data.dataset import build_dataset

        return cast(Data, (yield from build_dataset(clips, sampling, config, folder)))

    @abstractmethod
    def spec(self, run: "TrainRun[Config, Start]", data: Data) -> Spec:
        """Return the spec of the network that is to be trained."""

    @abstractmethod
    def trainer(
        self,
        run: "TrainRun[Config, Start]",
        data: Data,
        spec: Spec,
        network: Any,
        device: "torch.device",
    ) -> "Trainer[Any]":
        """Return the trainer of a network; it resumes from the run's checkpoint if there is one."""

    def learn(self, run: "TrainRun[Config, Start]", data: Data) -> Steps:
        """Train a network on prepared clips, yielding Progress."""
        from vidgru.engine.device import prepare_training

        device = prepare_training(run.config.device, run.config.threads, run.config.seed)
        spec = self.spec(run, data)
        network = self.network(spec)
        run.start.load_into(network)
        return (yield from self.trainer(run, data, spec, network, device).steps())

    # Using a model.

    @abstractmethod
    def open(self, model: Any, device: "torch.device") -> "VideoModel[Any]":
        """Return a model that is ready to predict."""

    def open_with(
        self,
        model: Any,
        device: "torch.device",
        max_error: float | None,
        looks: str | Path | None,
    ) -> "VideoModel[Any]":
        """Return a model that answers `unsure` where it could exceed a share of wrong answers.

        looks: its picture encoder, if it has one. Raises OptionError, always for a task without
        classes.
        """
        does, _, _ = self.about.use.partition(":")
        option = "--looks" if max_error is None else "--max-error"
        raise OptionError(f"{option} is for classifiers, and {model.path} {does}.")

    @abstractmethod
    def evaluate(self, folder: Path, config: Any, model: Any, device: "torch.device") -> Steps:
        """Measure a model on clips that it was not trained on."""

    def onnx_step(self, model: Any) -> "OnnxStep":
        """Return a model as an ONNX graph of one step; raises ModelError where there is none."""
        does, _, _ = self.about.use.partition(":")
        raise ModelError(f"{model.path} {does}, which cannot be exported.")

    def measure_onnx(self, model: Any, folder: Path) -> "tuple[Measure, int]":
        """Return what measures the accuracy of an exported model, and on how many clips.

        They are those of the folder that the model did not learn from. Raises DataError where
        there are none, OptionError for a task without classes.
        """
        raise OptionError(f"--int8 is for classifiers: this model {self.about.use}.")

    def write_beside(self, model: Any, out: Path, standalone: bool) -> tuple[Path, ...]:
        """Write what an exported model needs beside its file `out`, return these files.

        standalone: whether it is to run without vidgru. Raises ModelError where that cannot be,
        OutputError.
        """
        return ()

    def open_onnx(
        self, file: "OnnxFile", max_error: float | None, looks: str | Path | None
    ) -> "VideoModel[Any]":
        """Return an exported model that is ready to predict; arguments as of `open_with`.

        Raises ModelError where the task's command does not read any.
        """
        raise ModelError(f"{file.path} {self.about.use}, which reads no .onnx file.")

    def show(self, result: Any) -> None:
        """Print the result of a training or an evaluation, or a prediction of `make_command`.

        By default: its plain values, one a line.
        """
        from vidgru.terminal.tables import print_plain

        print_plain(result)

    def encoders(self, model: Any) -> str:
        """Return the --input of a classifier that matches a model's encoders.

        Raises ModelError where a classifier cannot use its encoders.
        """
        does, _, _ = self.about.use.partition(":")
        raise ModelError(
            f"{model.path} {does}, whose encoder a classifier cannot use: give --init a "
            "classifier, or a model of `vidgru train --task forecast`."
        )


AnyTask = Task[Any, Any, Any, Any]
