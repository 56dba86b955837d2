"""What every training loop has: a network, its optimizer, its random numbers, and their state."""

import math
from abc import ABC, abstractmethod
from typing import Any, NotRequired, TypedDict, Unpack

import torch
from torch import Tensor, nn

from vidgru.engine.adamw import AdamW
from vidgru.engine.device import convolution_dtype
from vidgru.engine.distributed import all_reduce_gradients, world
from vidgru.engine.model_file import current_names
from vidgru.engine.state import matches_structure
from vidgru.engine.sync_layers import join_parts

WEIGHT_DECAY = 0.05
GRADIENT_NORM = 1.0
WARM_UP = 0.25


def learning_rate(highest: float, done: float) -> float:
    """Return the one-cycle learning rate when the share `done` of the training is over.

    Half a cosine up from 1/25 of the highest over the first quarter, then half a cosine down to
    1/10,000 of it (Smith and Topin 2018).
    """
    if done < WARM_UP:
        low, part = 1 / 25, 0.5 - 0.5 * math.cos(math.pi * done / WARM_UP)
    else:
        past = (min(done, 1.0) - WARM_UP) / (1 - WARM_UP)
        low, part = 1e-4, 0.5 + 0.5 * math.cos(math.pi * past)
    return highest * (low + (1 - low) * part)


class Settings(TypedDict):
    """How to train, for every task."""

    batch_size: int
    lr: float
    seed: int
    device: torch.device
    optimizer: NotRequired[str]


class TrainStep(ABC):
    """One network, its optimizer and its random numbers; `step()` trains on one batch.

    Everything random comes from `generator` and, for dropout, torch's own CPU or GPU generator.
    `state_dict` holds everything needed to resume with the same bits. Several processes divide
    each batch, and draw the same random numbers.
    """

    def __init__(self, network: nn.Module, clips: int, **settings: Unpack[Settings]) -> None:
        self.batch_size, self.lr = settings["batch_size"], settings["lr"]
        self.clips, self.device = clips, settings["device"]
        self._module = network.to(self.device)
        if world() > 1:
            join_parts(self._module, self.batch_size)
        self.generator = torch.Generator().manual_seed(settings["seed"])
        self.dtype = convolution_dtype(self.device)
        decay = WEIGHT_DECAY if settings.get("optimizer", "adamw") == "adamw" else 0.0
        self.optimizer = AdamW(network.parameters(), decay)
        self.steps = 0
        self._order: list[int] = []

    @property
    def steps_per_epoch(self) -> float:
        """Batches in one pass over the clips; a batch may cross its end."""
        return self.clips / self.batch_size

    @property
    def at_epoch_end(self) -> bool:
        """Whether the last step completed a pass over the clips."""
        epoch = self.steps_per_epoch
        return int(self.steps / epoch) > int((self.steps - 1) / epoch)

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(p.numel() for p in self._module.parameters())

    @abstractmethod
    def step(self, done: float) -> float:
        """Train on one batch when the share `done` of the training is over; return the loss."""

    def _begin(self, done: float) -> None:
        """Prepare a step when the share `done` of the training is over."""
        self._module.train()
        self._lr = learning_rate(self.lr, done)

    def _follow(self, loss: Tensor) -> float:
        """Take one optimizer step for the loss of this process's part; return the whole loss."""
        self._module.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        loss = all_reduce_gradients(loss, self._module.parameters())
        nn.utils.clip_grad_norm_(self._module.parameters(), GRADIENT_NORM)
        self.optimizer.step(self._lr)
        self.steps += 1
        return loss.item()

    def _choose(self) -> list[int]:
        """Return the indices of the next batch's clips; all occur once before any repeats."""
        while len(self._order) < self.batch_size:
            self._order += torch.randperm(self.clips, generator=self.generator).tolist()
        chosen, self._order = self._order[: self.batch_size], self._order[self.batch_size :]
        return chosen

    def _below(self, limit: int) -> int:
        return int(torch.randint(limit, (1,), generator=self.generator))

    def state_dict(self) -> dict[str, Any]:
        """Return everything needed to resume, as tensors and numbers."""
        return {
            "network": self._module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "steps": self.steps,
            "order": self._order,
            "generator": self.generator.get_state(),
            "torch_generator": torch.get_rng_state(),
            "cuda_generators": (
                [torch.cuda.get_rng_state(self.device)] if self.device.type == "cuda" else []
            ),
        }

    def current_names(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return weights of a checkpoint by their current names."""
        return current_names(self._module, weights)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state; the next step gives the same bits as it did then.

        Raises one of Python's errors for anything but a state of this very training.
        """
        own = {**self.state_dict(), "order": [0]}
        del own["optimizer"]
        devices = own.pop("cuda_generators")
        clips = range(self.clips)
        if not (
            all(matches_structure(state[name], value) for name, value in own.items())
            and all(clip in clips for clip in state["order"])
            and self._sane(state)
            and state["steps"] >= 0
        ):
            raise ValueError("Not a state of this training.")
        # Its settings come from the config; only the learning rate changes, every step.
        self.optimizer.load_state_dict(state["optimizer"])
        self._module.load_state_dict(state["network"])
        self.steps, self._order = state["steps"], list(state["order"])
        self.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch_generator"])
        if self.device.type == "cuda" and devices and state["cuda_generators"]:
            torch.cuda.set_rng_state(state["cuda_generators"][0], self.device)

    def _sane(self, state: dict[str, Any]) -> bool:
        """Return whether the other values of a state, of the right types, are valid."""
        return True
