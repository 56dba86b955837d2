"""The optimizer of every training."""

import pytest
import torch
from torch import nn

from vidgru.engine.adamw import AdamW


@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_the_optimizer_gives_the_bits_of_torchs_own(decay: float) -> None:
    torch.manual_seed(0)
    start = [torch.randn(3), torch.randn(4, 5), torch.randn(2, 3, 3, 3), torch.randn(7, 7)]
    mine, theirs = ([nn.Parameter(p.clone()) for p in start] for _ in range(2))
    groups = [
        {"params": theirs[1:], "weight_decay": decay},
        {"params": theirs[:1], "weight_decay": 0.0},
    ]
    optimizers = AdamW(mine, decay), torch.optim.AdamW(groups, fused=True)
    for step in range(6):
        lr = 0.1 / (step + 1)
        for a, b in zip(mine, theirs, strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        if step < 3:  # one without a gradient stays as it is
            mine[3].grad = theirs[3].grad = None
        optimizers[0].step(lr)
        for group in optimizers[1].param_groups:
            group["lr"] = lr
        optimizers[1].step()
        for a, b in zip(mine, theirs, strict=True):
            assert torch.equal(a, b)
        kept = optimizers[0].state_dict()
        optimizers = AdamW(mine, decay), optimizers[1]
        optimizers[0].load_state_dict(kept)
    wrong = {"state": {0: {**kept["state"][0], "exp_avg": torch.zeros(2)}}}
    for state in (wrong, {"state": {-1: kept["state"][0]}}):
        with pytest.raises((KeyError, ValueError)):
            optimizers[0].load_state_dict(state)
