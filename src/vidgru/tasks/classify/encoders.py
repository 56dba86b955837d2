"""Initial weights of a classifier: those that come with vidgru, or another model's encoders."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vidgru.core.errors import DataError, ModelError
from vidgru.data.learnable import Parts
from vidgru.engine.distributed import broadcast, from_main, is_main
from vidgru.engine.initial_weights import InitialWeights
from vidgru.engine.model_file import (
    CHECKPOINT_NAME,
    SHIPPED,
    Loaded,
    check_readable,
    save_model,
)
from vidgru.engine.results import RANDOM
from vidgru.nn.choices import CORE, LOOKS
from vidgru.tasks.classify.model_file import LoadedModel
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.spec import Confidence, ModelSpec
from vidgru.tasks.registry import find_task, load

# Encoders, norm and core of a classifier, which scripts/make_encoder.py trains.
SHIPPED_ENCODER = SHIPPED / "encoder.safetensors"
SHIPPED_INPUT = "both"
# Words of --init: random weights, and those that come with vidgru.
NO_INIT, SHIPPED_INIT = "none", "shipped"
# Clips a class, on average, below which the shipped weights are better on the benchmarks' panel;
# from 15 on they are neither better nor worse.
FEW_CLIPS = 10
# In the run folder, so that resuming a run needs nothing outside of it.
COPY_NAME = "init.safetensors"
ENCODERS = ("main.", "side.")
FITTING = {"both": ("both", "diff"), "diff": ("diff",), "rgb": ("rgb",)}


@dataclass(frozen=True)
class PretrainedEncoder(InitialWeights):
    """A model with the initial encoders of a classifier; input: the --input that they require.

    looks: whether that classifier has a picture encoder, beside which it only has one of changes.
    """

    model: Loaded[Any, Any]
    input: str
    looks: bool = False

    @property
    def weights(self) -> dict[str, Tensor]:
        """Weights and batch norm statistics by name; a classifier has the same names."""
        every = self.model.network.state_dict()
        return {name: value for name, value in every.items() if name.startswith(ENCODERS)}

    def check(self, settings: dict[str, Any]) -> None:
        """Raise ModelError where a classifier with this input has other encoders."""
        given = settings["input"]
        if self.looks and given == LOOKS:
            raise ModelError(
                f"--input {LOOKS} trains no encoder for --init: leave out one of them."
            )
        if self.looks and "diff" not in FITTING[self.input]:
            raise ModelError(
                f"{self.model.path} has no encoder of changes, the one that is trained with "
                "--looks: give another --init."
            )
        if not self.looks and given not in FITTING[self.input]:
            raise ModelError(
                f"{self.model.path} has encoders for --input {self.input}, which do not match "
                f"--input {given}: give --input {self.input}, or another --init."
            )

    def load_into(self, network: nn.Module) -> None:
        """Load these encoders into a classifier of the checked input; the rest is unchanged."""
        own = network.state_dict()
        network.load_state_dict({**own, **{k: v for k, v in self.weights.items() if k in own}})

    def save_copy(self, run: Path) -> None:
        """Write a copy into the run folder; raises OutputError."""
        if is_main():
            model, weights = self.model, self.model.network.state_dict()
            own = isinstance(model, LoadedModel)
            more = {"confidence": asdict(Confidence())} if own else {}
            save_model(run / COPY_NAME, weights, model.spec, model.metrics, **more)


@dataclass(frozen=True)
class ShippedWeights(InitialWeights):
    """The initial weights that come with vidgru: all but the head, for the default network."""

    weights: dict[str, Tensor]

    def load_into(self, network: nn.Module) -> None:
        """Load the weights into a network of this structure; any other is unchanged."""
        own = network.state_dict()
        weights = self.weights
        if getattr(network, "looks", None) is not None:  # then only changes are seen by itself
            weights = {name: value for name, value in weights.items() if name.startswith("main.")}
        if all(name in own and own[name].shape == v.shape for name, v in weights.items()):
            network.load_state_dict({**own, **weights})


def read_encoders(config: ClassifyTrainConfig, run: Path | None = None) -> InitialWeights:
    """Return the weights that `config.init` names; with a checkpoint, random weights.

    For an existing `run` its copy is used. Raises ModelError for an invalid model,
    or one without such encoders.
    """
    if config.init == NO_INIT or config.encoder == "rows":
        return InitialWeights()
    if run is not None and broadcast((run / CHECKPOINT_NAME).exists()):
        return InitialWeights()
    found: ShippedWeights | PretrainedEncoder
    if config.init in (None, SHIPPED_INIT):
        path, found = SHIPPED_ENCODER, ShippedWeights(read_shipped())
    else:
        path = Path(config.init)
        if run is not None and (run / COPY_NAME).exists():
            path = run / COPY_NAME
        model = load(path)
        encoders = find_task(model.spec.task).encoders(model)
        found = PretrainedEncoder(model, encoders, config.looks is not None)
    digest = hashlib.sha256()
    for name, value in found.weights.items():
        digest.update(name.encode() + value.numpy().tobytes())
    if from_main(digest.digest) != digest.digest():
        raise DataError(f"The processes of this training find other models at --init {path}.")
    return found


def read_shipped() -> dict[str, Tensor]:
    """Return the initial weights that come with vidgru, by name; raises ModelError."""
    if SHIPPED_ENCODER.is_file():
        check_readable(SHIPPED_ENCODER, "the initial weights")
    try:
        return load_file(SHIPPED_ENCODER)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            "This vidgru comes without its initial weights: reinstall vidgru, or give "
            f"--init {NO_INIT}."
        ) from error


def chosen_init(config: ClassifyTrainConfig, parts: Parts) -> str | None:
    """Return --init for these clips: left out, the shipped weights are for few clips only."""
    learned = [*parts["train"], *parts["val"]]
    few = len(learned) < FEW_CLIPS * len({clip.label for clip in learned})
    return config.init if few or config.init is not None else NO_INIT


def initial_weights(config: ClassifyTrainConfig, spec: ModelSpec) -> str:
    """Return the initial weights of a classifier, in words; `config.init` from `chosen_init`."""
    if config.init == NO_INIT or spec.encoder == "rows":
        return RANDOM
    if config.init not in (None, SHIPPED_INIT):
        return RANDOM if spec.input == LOOKS else f"the encoder of {config.init}"
    few = f", as there are fewer than {FEW_CLIPS} clips a class" if config.init is None else ""
    if spec.looks:
        shipped = f"the encoder of changes that comes with vidgru{few}"
        return RANDOM if spec.input == LOOKS else shipped
    if (spec.input, spec.core) != (SHIPPED_INPUT, CORE):
        only = f"--input {SHIPPED_INPUT} --core {CORE}"
        return f"{RANDOM}: those that come with vidgru are for {only}"
    return f"the weights that come with vidgru{few}"
