"""Cells against equations written apart, in float64, and their three drives against each other."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vidgru.nn.cells import CELLS, Cell
from vidgru.nn.unroll import unroll

Array = NDArray[np.float64]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def reference(
    name: str, w: list[Array], xs: Array, state: list[Array]
) -> tuple[Array, list[Array]]:
    """Transcribe the published equations; xs (T, B, input)."""
    w_x, w_h, b_x, b_h = w
    ys = []
    for x in xs:
        h = state[0]
        if name == "rnn":
            state = [np.tanh(x @ w_x.T + b_x + h @ w_h.T + b_h)]
        elif name == "gru":
            (xr, xz, xn), (hr, hz, hn) = (
                np.split(a, 3, axis=1) for a in (x @ w_x.T + b_x, h @ w_h.T + b_h)
            )
            r, z = sigmoid(xr + hr), sigmoid(xz + hz)
            state = [(1 - z) * np.tanh(xn + r * hn) + z * h]
        else:
            i, f, g, o = np.split(x @ w_x.T + b_x + h @ w_h.T + b_h, 4, axis=1)
            c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
            state = [sigmoid(o) * np.tanh(c), c]
        ys.append(state[0])
    return np.stack(ys), state


def make(name: str, dtype: torch.dtype) -> Cell:
    torch.manual_seed(1)
    return CELLS[name](5, 7).to(dtype)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("name", CELLS)
def test_meets_the_equations(name: str, dtype: torch.dtype, bound: float, fused: bool) -> None:
    cell = make(name, dtype)
    xs = torch.randn(3, 64, 5, dtype=dtype)
    state = tuple(torch.randn(3, 7, dtype=dtype) for _ in range(cell.states))
    ys, last = unroll(cell, xs, state, fused=fused)
    weights = [w.detach().double().numpy() for w in cell.weights()]
    expected, end = reference(
        name, weights, xs.double().numpy().swapaxes(0, 1), [s.double().numpy() for s in state]
    )
    assert np.abs(ys.detach().numpy().swapaxes(0, 1) - expected).max() <= bound
    for ours, theirs in zip(last, end, strict=True):
        assert np.abs(ours.detach().numpy() - theirs).max() <= bound


@pytest.mark.parametrize("name", CELLS)
def test_starts_from_zeros_and_goes_on_from_a_state(name: str) -> None:
    cell = make(name, torch.float64)
    xs = torch.randn(2, 9, 5, dtype=torch.float64)
    assert all((s == 0).all() and s.shape == (2, 7) for s in cell.initial_state(2))
    whole, end = unroll(cell, xs)
    first, state = unroll(cell, xs[:, :4])
    second, last = unroll(cell, xs[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(last, end, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_loop_and_fused_give_the_same_gradients(name: str) -> None:
    cell = make(name, torch.float64)
    xs = torch.randn(2, 6, 5, dtype=torch.float64, requires_grad=True)
    gradients = []
    for fused in (True, False):
        ys, _ = unroll(cell, xs, fused=fused)
        gradients.append(torch.autograd.grad(ys.square().sum(), [xs, *cell.weights()]))
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)
