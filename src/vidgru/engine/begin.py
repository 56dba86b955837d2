"""What trainings begin with: encoders that another model has trained already, or all of it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from vidgru.engine.checkpoint import (
    CHECKPOINT_NAME,
    LoadedForecast,
    LoadedModel,
    LoadedMotion,
    LoadedScenes,
    load_any,
    save_model,
)
from vidgru.engine.distributed import agree, from_main, is_main
from vidgru.errors import DataError, ModelError
from vidgru.nn.build import AnyNetwork
from vidgru.results import RANDOM
from vidgru.train_config import TrainConfig

# In the run folder: who goes on with a run needs nothing outside of it.
COPY_NAME = "init.safetensors"
ENCODERS = ("main.", "side.")
FITTING = {"both": ("both", "diff"), "diff": ("diff",), "rgb": ("rgb",)}


@dataclass(frozen=True)
class Beginning:
    """What a training begins with: sizes of the network, and weights or None."""

    size: int
    hidden: int
    weights: dict[str, Tensor] | None = None

    @property
    def words(self) -> str:
        """What it is, in words."""
        return RANDOM if self.weights is None else "the model that comes with vidgru"

    def load_into(self, network: nn.Module) -> None:
        """Give a network of these sizes the weights, if there are any."""
        if self.weights is not None:
            network.load_state_dict(self.weights)


def begin_with(
    shipped: LoadedMotion | LoadedScenes | None, size: int | None, usual: Beginning
) -> Beginning:
    """Return a model that comes with vidgru as a beginning, or random weights of the wanted size.

    `usual` has the sizes where neither it nor the user names others.
    """
    if shipped is None or size not in (None, shipped.spec.size):
        return Beginning(size or usual.size, usual.hidden)
    return Beginning(shipped.spec.size, shipped.spec.hidden, shipped.network.state_dict())


@dataclass(frozen=True)
class Encoders:
    """A model whose encoders a classifier begins with."""

    model: LoadedModel | LoadedForecast

    @property
    def input(self) -> str:
        """What the encoders see, as `ModelSpec.input` has it."""
        return self.model.spec.input if isinstance(self.model, LoadedModel) else "both"

    @property
    def weights(self) -> dict[str, Tensor]:
        """Weights and batch norms' statistics by name; a classifier has the same names."""
        every = self.model.network.state_dict()
        return {name: value for name, value in every.items() if name.startswith(ENCODERS)}

    def check(self, seen: str) -> None:
        """Raise ModelError where a classifier with this input has other encoders."""
        if seen not in FITTING[self.input]:
            raise ModelError(
                f"{self.model.path} has encoders for --input {self.input}, which do not fit "
                f"--input {seen}: give --input {self.input}, or another --init."
            )

    def enter(self, network: AnyNetwork) -> None:
        """Give a classifier, whose input was checked, these encoders; the rest stays as it is."""
        own = network.state_dict()
        network.load_state_dict({**own, **{k: v for k, v in self.weights.items() if k in own}})

    def keep(self, run: Path) -> None:
        """Write a copy into the run folder; raises OutputError."""
        if is_main():
            model = self.model
            save_model(run / COPY_NAME, model.network.state_dict(), model.spec, model.metrics)


def read_encoders(config: TrainConfig, run: Path | None = None) -> Encoders | None:
    """Return what `config.init` names; None without it, and where a checkpoint makes it needless.

    Of a `run` that was begun already the copy counts. Raises ModelError for what is no whole model,
    or one without such encoders.
    """
    if config.init is None:
        return None
    path = Path(config.init)
    if run is not None:
        if agree((run / CHECKPOINT_NAME).exists()):
            return None
        path = run / COPY_NAME if (run / COPY_NAME).exists() else path
    model = load_any(path)
    if isinstance(model, LoadedMotion):
        raise ModelError(
            f"{model.path} is a model of motion, whose encoder is another one: give --init a model "
            "of `vidgru train --task forecast`, or one that tells classes."
        )
    if isinstance(model, LoadedScenes):
        raise ModelError(
            f"{model.path} finds scenes, with an encoder of its own: give --init a model of "
            "`vidgru train --task forecast`, or one that tells classes."
        )
    if isinstance(model, LoadedModel) and model.spec.encoder == "rows":
        raise ModelError(f"{model.path} reads rows of pixels: it has no encoder to begin with.")
    found = Encoders(model)
    digest = hashlib.sha256()
    for name, value in found.weights.items():
        digest.update(name.encode() + value.numpy().tobytes())
    if from_main(digest.digest) != digest.digest():
        raise DataError(f"The processes of this training find other models at --init {path}.")
    return found


def began_with(config: TrainConfig) -> str:
    """Return what a classifier begins with, in words."""
    return RANDOM if config.init is None else f"the encoder of {config.init}"
