"""Adam with decoupled weight decay, for every training loop."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from vidgru.engine.state import matches_structure

BETAS = 0.9, 0.999
EPSILON = 1e-8


class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2).

    Matrices and kernels decay, biases and norms do not. Without decay it is Adam. It gives the bits
    of torch's own class, the first use of which imports torch's compiler: a second or more at the
    beginning of each training.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], weight_decay: float) -> None:
        given = list(parameters)
        matrices = [p for p in given if p.ndim > 1]
        self.parameters = [*matrices, *(p for p in given if p.ndim <= 1)]
        numbers = range(len(self.parameters))
        self.groups = [
            (numbers[: len(matrices)], weight_decay),
            (numbers[len(matrices) :], 0.0),
        ]
        self.state: dict[int, dict[str, Tensor]] = {}  # by the number of the parameter

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Change all parameters that have a gradient."""
        for numbers, decay in self.groups:
            parts = [
                (p, p.grad, self._moments(number))
                for number in numbers
                if (p := self.parameters[number]).grad is not None
            ]
            adamw(
                [p for p, _, _ in parts],
                [grad for _, grad, _ in parts if grad is not None],
                [moments["exp_avg"] for _, _, moments in parts],
                [moments["exp_avg_sq"] for _, _, moments in parts],
                [],
                [moments["step"] for _, _, moments in parts],
                fused=True,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=lr,
                weight_decay=decay,
                eps=EPSILON,
                maximize=False,
            )

    def _moments(self, number: int) -> dict[str, Tensor]:
        if number not in self.state:
            p = self.parameters[number]
            self.state[number] = {
                "step": torch.zeros((), device=p.device),
                "exp_avg": torch.zeros_like(p),
                "exp_avg_sq": torch.zeros_like(p),
            }
        return self.state[number]

    def state_dict(self) -> dict[str, Any]:
        """Return the moments of the parameters that have had a gradient."""
        return {"state": self.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the moments; raises a KeyError or ValueError for those of other parameters."""
        moments = state["state"]
        weights = dict(enumerate(p.detach() for p in self.parameters))
        for number, kept in moments.items():
            p = weights[number]
            template = {"step": torch.zeros(()), "exp_avg": p, "exp_avg_sq": p}
            if not matches_structure(kept, template):
                raise ValueError("Not the moments of these parameters.")
        self.state = {
            number: {
                name: value.to(weights[number].device, copy=True) for name, value in kept.items()
            }
            for number, kept in moments.items()
        }
