"""What trainings begin with: random weights, or those of another model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from vidgru.engine.model_file import Loaded
from vidgru.engine.results import RANDOM


class InitialWeights:
    """What a training begins with; of this class itself: random weights."""

    @property
    def words(self) -> str:
        """What it is, in words."""
        return RANDOM

    def check(self, settings: dict[str, Any]) -> None:
        """Raise ModelError where a network of these settings cannot take the weights."""

    def save_copy(self, run: Path) -> None:
        """Write what a run needs to begin once more into its folder; raises OutputError."""

    def load_into(self, network: nn.Module) -> None:
        """Give a network the weights, if there are any."""


@dataclass(frozen=True)
class InitialNetwork(InitialWeights):
    """A whole network: its sizes, and its weights or None."""

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


def choose_initial(shipped: Loaded[Any, Any] | None, size: int | None, default: InitialNetwork) -> InitialNetwork:
    """Return a model that comes with vidgru as a beginning, or random weights of the wanted size.

    `default` has the sizes where neither it nor the user names others.
    """
    if shipped is None or size not in (None, shipped.spec.size):
        return InitialNetwork(size or default.size, default.hidden)
    return InitialNetwork(shipped.spec.size, shipped.spec.hidden, shipped.network.state_dict())
