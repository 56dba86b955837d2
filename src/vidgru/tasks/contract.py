"""What a task is: all that training, evaluating and the command line ask of it.

A task is a package with two modules of these names: `options` holds ABOUT, which is all that
`--help` needs and imports neither torch nor numpy; `task` holds TASK, which does the work.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from vidgru.core.errors import ModelError
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
    from vidgru.engine.trainer import Trainer, TrainRun


@dataclass(frozen=True)
class About:
    """What the command line says of a task.

    name: in model files and of --task; learns: completes "What to learn:"; command, summary: the
    command that uses a model, and its line in `vidgru --help`; noun: what a model of it is called;
    use: completes "This model ..."; subject: what its own options are for; train_config,
    evaluate_config: its options, of which another task's are refused; presets: named ones.
    """

    name: str
    learns: str
    command: str
    summary: str
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

    Config: its options of `train`; Spec: the dataclass that a model file holds beside the weights;
    Start: what a training begins with; Data: clips that are ready to be learned from.
    """

    about: About
    answer: type  # of a model for a source

    @abstractmethod
    def read_spec(self, content: dict[str, Any]) -> Spec | None:
        """Return the spec that a model file's header holds, None where it makes no sense.

        Believes nothing, as it may come from anyone; raises ValueError, TypeError or KeyError.
        """

    @abstractmethod
    def network(self, spec: Spec) -> "nn.Module":
        """Return a new network with random weights."""

    def loaded(
        self, path: Path, network: Any, spec: Spec, content: dict[str, Any]
    ) -> "Loaded[Any, Spec]":
        """Return a network with all that its file says of it."""
        from vidgru.engine.model_file import Loaded

        return Loaded(path, network, spec, content["metrics"])

    # Training, in the order of the steps.

    def start(self, config: Config, run: Path | None = None) -> Start:
        """Return what a training, or a `run` that was begun already, begins with.

        Where a task says nothing else: random weights.
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
        """Decode and split clips, and do what else it takes to learn from them."""
        from vidgru.data.dataset import build_dataset

        return cast(Data, (yield from build_dataset(clips, sampling, config, folder)))

    @abstractmethod
    def spec(self, run: "TrainRun[Config, Start]", data: Data) -> Spec:
        """Return what the model file will say of the network that is to be trained."""

    @abstractmethod
    def trainer(
        self,
        run: "TrainRun[Config, Start]",
        data: Data,
        spec: Spec,
        network: Any,
        device: "torch.device",
    ) -> "Trainer[Any]":
        """Return what trains a network, from the run's checkpoint on if there is one."""

    def learn(self, run: "TrainRun[Config, Start]", data: Data) -> Steps:
        """Train a network on clips that are ready, yielding Progress all along."""
        from vidgru.engine.device import prepare_training

        device = prepare_training(run.config.device, run.config.threads, run.config.seed)
        spec = self.spec(run, data)
        network = self.network(spec)
        run.start.load_into(network)
        return (yield from self.trainer(run, data, spec, network, device).steps())

    # What is asked of a model.

    @abstractmethod
    def open(self, model: Any, device: "torch.device") -> "VideoModel":
        """Return a model that is ready to answer."""

    @abstractmethod
    def evaluate(self, folder: Path, config: Any, model: Any, device: "torch.device") -> Steps:
        """Tell how good a model is on clips that it did not learn from."""

    def show(self, result: Any) -> None:
        """Print what a training or an evaluation came to, or an answer of `make_command`.

        Where a task draws no tables: its plain values, one a line.
        """
        from vidgru.terminal.tables import print_plain

        print_plain(result)

    def encoders(self, model: Any) -> str:
        """Return what the encoders of a model see, as --input of a classifier has it.

        Raises ModelError where it has none that a classifier can begin with.
        """
        does, _, _ = self.about.use.partition(":")
        raise ModelError(
            f"{model.path} {does}, with an encoder of its own: give --init a model of "
            "`vidgru train --task forecast`, or one that tells classes."
        )
