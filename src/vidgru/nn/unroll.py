"""Run any cell over a sequence."""

import torch
from torch import Tensor

from vidgru.nn.cells import Cell, State


def unroll(
    cell: Cell, xs: Tensor, state: State | None = None, *, fused: bool = True
) -> tuple[Tensor, State]:
    """Return ys (B, T, hidden) and the state after the last step, for xs (B, T, input).

    `state` defaults to the cell's initial state. With `fused` the cell's fast kernel runs; without
    it, the cell's own equations step by step. Both give the same values.
    """
    if state is None:
        state = cell.initial_state(xs.shape[0])
    if fused:
        return cell.sequence(xs, state)
    ys = []
    for x in xs.unbind(1):
        y, state = cell(x, state)
        ys.append(y)
    return torch.stack(ys, dim=1), state


def trace(cell: Cell, xs: Tensor, state: State | None = None) -> dict[str, Tensor]:
    """Return every gate over time, and the states as "hidden" (and "cell"), each (B, T, hidden)."""
    if state is None:
        state = cell.initial_state(xs.shape[0])
    seen: dict[str, list[Tensor]] = {}
    for x in xs.unbind(1):
        gates, state = cell.gates(x, state)
        for name, value in {**gates, **dict(zip(("hidden", "cell"), state, strict=False))}.items():
            seen.setdefault(name, []).append(value)
    return {name: torch.stack(values, dim=1) for name, values in seen.items()}
