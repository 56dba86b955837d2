"""Cells against the published equations, in every way of running them."""

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from vidgru.nn.cells import CELLS, Cell, ConvGRUCell, GatedCell, GRUCell, LSTMCell, make_cell
from vidgru.nn.choices import CORES, GATED_UPDATES
from vidgru.nn.unroll import trace, unroll

Array = NDArray[np.float64]

SIDE = 3  # of maps
NAMES = [*(core for core in CORES if core != "gated"), *(f"gated {u}" for u in GATED_UPDATES)]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def reference(
    cell: Cell, name: str, xs: Array, state: list[Array]
) -> tuple[Array, list[Array], dict[str, Array]]:
    """Transcribe the published equations; xs (T, B, input). Return ys, state and gates."""
    if name.startswith("gated"):
        return gated_reference(cell, name, xs, state)
    if name == "convgru":
        return maps_reference(cell, xs, state)
    w_x, w_h, b_x, b_h = (w.detach().double().numpy() for w in cell.parameters())
    ys, seen = [], []
    for x in xs:
        h = state[0]
        if name == "rnn":
            state = [np.tanh(x @ w_x.T + b_x + h @ w_h.T + b_h)]
            seen.append({})
        elif name == "gru":
            (xr, xz, xn), (hr, hz, hn) = (
                np.split(a, 3, axis=1) for a in (x @ w_x.T + b_x, h @ w_h.T + b_h)
            )
            r, z = sigmoid(xr + hr), sigmoid(xz + hz)
            n = np.tanh(xn + r * hn)
            state = [(1 - z) * n + z * h]
            seen.append({"reset": r, "update": z, "candidate": n})
        else:
            i, f, g, o = np.split(x @ w_x.T + b_x + h @ w_h.T + b_h, 4, axis=1)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            c = f * state[1] + i * g
            state = [o * np.tanh(c), c]
            seen.append({"input": i, "forget": f, "candidate": g, "output": o})
        ys.append(state[0])
    return np.stack(ys), state, stacked(seen)


def stacked(seen: list[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.stack([step[name] for step in seen]) for name in seen[0]}


def maps_reference(
    cell: Cell, xs: Array, state: list[Array]
) -> tuple[Array, list[Array], dict[str, Array]]:
    """Transcribe the equations place by place; xs (T, B, input, SIDE, SIDE)."""
    w = {k: v.detach().double().numpy() for k, v in cell.named_parameters()}
    w_x, b_x = w["from_input.weight"], w["from_input.bias"]
    w_h, b_h = w["from_state.weight"], w["from_state.bias"]
    (h,) = state
    ys, seen = [], []
    for x in xs:
        gates = {k: np.zeros_like(h) for k in ("reset", "update", "candidate")}
        new = np.zeros_like(h)
        for row in range(SIDE):
            for column in range(SIDE):
                from_x = x[:, :, row, column] @ w_x[:, :, 0, 0].T + b_x
                from_h = np.zeros_like(from_x) + b_h
                for down in (-1, 0, 1):
                    for right in (-1, 0, 1):
                        i, j = row + down, column + right
                        if 0 <= i < SIDE and 0 <= j < SIDE:
                            from_h += h[:, :, i, j] @ w_h[:, :, 1 + down, 1 + right].T
                (xr, xz, xn), (hr, hz, hn) = (np.split(a, 3, axis=1) for a in (from_x, from_h))
                r, z = sigmoid(xr + hr), sigmoid(xz + hz)
                n = np.tanh(xn + r * hn)
                new[:, :, row, column] = (1 - z) * n + z * h[:, :, row, column]
                for k, value in zip(gates, (r, z, n), strict=True):
                    gates[k][:, :, row, column] = value
        h = new
        ys.append(h)
        seen.append(gates)
    return np.stack(ys), [h], stacked(seen)


def gated_reference(
    cell: Cell, name: str, xs: Array, state: list[Array]
) -> tuple[Array, list[Array], dict[str, Array]]:
    """Transcribe the article's equations, one matrix for each of their terms."""
    w = {k: v.detach().double().numpy() for k, v in cell.named_parameters()}
    size = len(w["w_out"])
    w_x, b, w_c, w_h = {}, {}, {}, {}
    for k, gate in enumerate("zifgo"):
        rows = slice(k * size, (k + 1) * size)
        w_x[gate], b[gate] = w["from_input.weight"][rows], w["from_input.bias"][rows]
        if gate == "o":
            w_h[gate], w_c[gate] = w["w_out"][:, :size], w["w_out"][:, size:]
        else:
            w_c[gate], w_h[gate] = w["w_state"][rows, :size], w["w_state"][rows, size:]
    h, c = state
    ys, seen = [], []
    for x in xs:

        def gate(k: str, h: Array, c: Array, x: Array = x) -> Array:
            return x @ w_x[k].T + h @ w_h[k].T + c @ w_c[k].T + b[k]

        i = sigmoid(gate("i", h, c))
        f = sigmoid(gate("f", h, c))
        z = sigmoid(gate("z", h, c))
        g = np.tanh(gate("g", h, c))
        new = f * c + i * g
        c = new if name == "gated printed" else z * new + (1 - z) * c
        o = sigmoid(gate("o", h, c))
        h = o * np.tanh(c)
        ys.append(h)
        seen.append({"input": i, "forget": f, "update": z, "candidate": g, "output": o, "cell": c})
    return np.stack(ys), [h, c], stacked(seen)


def make(name: str, dtype: torch.dtype) -> Cell:
    torch.manual_seed(1)
    core, _, update = name.partition(" ")
    return make_cell(core, 5, 7, update, SIDE).to(dtype)


def randn(name: str, *shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Return random inputs or states: of `convgru`, maps."""
    return torch.randn(*shape, *((SIDE, SIDE) if name == "convgru" else ()), dtype=dtype)


def test_every_core_is_here() -> None:
    assert set(CELLS) == set(CORES)
    assert {name.split()[0] for name in NAMES} == set(CORES)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("name", NAMES)
def test_meets_the_equations(name: str, dtype: torch.dtype, bound: float, fused: bool) -> None:
    cell = make(name, dtype)
    xs = randn(name, 3, 64, 5, dtype=dtype)
    state = tuple(randn(name, 3, 7, dtype=dtype) for _ in range(cell.states))
    ys, last = unroll(cell, xs, state, fused=fused)
    expected, end, _ = reference(
        cell, name, xs.double().numpy().swapaxes(0, 1), [s.double().numpy() for s in state]
    )
    assert np.abs(ys.detach().numpy().swapaxes(0, 1) - expected).max() <= bound
    for ours, theirs in zip(last, end, strict=True):
        assert np.abs(ours.detach().numpy() - theirs).max() <= bound


@pytest.mark.parametrize("name", NAMES)
def test_starts_from_zeros_and_continues_from_a_state(name: str) -> None:
    cell = make(name, torch.float64)
    xs = randn(name, 2, 9, 5)
    zeros = torch.zeros_like(randn(name, 2, 7))
    assert all(torch.equal(s, zeros) for s in cell.initial_state(2))
    assert len(cell.initial_state(2)) == cell.states
    whole, end = unroll(cell, xs)
    first, state = unroll(cell, xs[:, :4])
    second, last = unroll(cell, xs[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(last, end, rtol=0, atol=1e-12)


def loss(ys: torch.Tensor, state: Iterable[torch.Tensor]) -> torch.Tensor:
    """Return something that every output and every part of the last state has a share in."""
    return ys.square().sum() + sum(s.pow(3).sum() for s in state)


@pytest.mark.parametrize("name", NAMES)
def test_loop_and_fused_give_the_same_gradients(name: str) -> None:
    cell = make(name, torch.float64)
    xs = randn(name, 2, 6, 5).requires_grad_()
    state = tuple(randn(name, 2, 7).requires_grad_() for _ in range(cell.states))
    gradients = []
    for fused in (True, False):
        end = loss(*unroll(cell, xs, state, fused=fused))
        gradients.append(torch.autograd.grad(end, [xs, *state, *cell.parameters()]))
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [*(f"gated {u}" for u in GATED_UPDATES), "convgru"])
def test_our_own_cells_pass_gradcheck(name: str) -> None:
    cell = make(name, torch.float64)
    if name == "convgru":
        cell = make_cell("convgru", 2, 3, "", SIDE).double()  # each value is moved by itself
    names = [name for name, _ in cell.named_parameters()]

    def run(xs: torch.Tensor, *rest: torch.Tensor) -> tuple[torch.Tensor, ...]:
        state, weights = rest[: cell.states], rest[cell.states :]
        ys, state = torch.func.functional_call(
            _Unrolled(cell),
            {f"cell.{name}": weight for name, weight in zip(names, weights, strict=True)},
            (xs, state),
        )
        return (ys, *state)

    shapes = [(2, 3, cell.input_size), *[(2, cell.hidden_size)] * cell.states]
    inputs = [randn(name, *shape).requires_grad_() for shape in shapes]
    weights = [p.detach().clone().requires_grad_() for p in cell.parameters()]
    assert torch.autograd.gradcheck(run, (*inputs, *weights))


class _Unrolled(torch.nn.Module):
    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(
        self, xs: torch.Tensor, state: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        return unroll(self.cell, xs, state)


@pytest.mark.parametrize("fused", [True, False])
def test_maps_of_one_place_equal_the_vectors_of_torch(fused: bool) -> None:
    torch.manual_seed(0)
    maps, gru = ConvGRUCell(5, 7), GRUCell(5, 7)
    w_x, w_h, b_x, b_h = gru.parameters()
    with torch.no_grad():
        maps.from_input.weight.copy_(w_x[:, :, None, None])
        maps.from_state.weight[:, :, 1, 1] = w_h  # all else of a kernel lies outside the map
        maps.from_input.bias.copy_(b_x)
        maps.from_state.bias.copy_(b_h)
    xs, h = torch.randn(3, 40, 5), torch.randn(3, 7)
    ys, (last,) = unroll(maps, xs[..., None, None], (h[..., None, None],), fused=fused)
    expected, (end,) = unroll(gru, xs, (h,))  # torch.nn.GRU itself
    torch.testing.assert_close(ys[..., 0, 0], expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(last[..., 0, 0], end, rtol=0, atol=1e-6)


@pytest.mark.parametrize("fused", [True, False])
def test_gated_without_its_additions_is_lstm(fused: bool) -> None:
    torch.manual_seed(0)
    gated, lstm = GatedCell(5, 7), LSTMCell(5, 7)
    w_x, w_h, b_x, b_h = lstm.parameters()
    with torch.no_grad():
        gated.w_state.zero_()
        gated.w_out.zero_()
        for theirs, ours in enumerate((1, 2, 3, 4)):  # i f g o stand behind z
            own, other = slice(ours * 7, ours * 7 + 7), slice(theirs * 7, theirs * 7 + 7)
            gated.from_input.weight[own] = w_x[other]
            gated.from_input.bias[own] = b_x[other] + b_h[other]
            if ours < 4:
                gated.w_state[own, 7:] = w_h[other]
            else:
                gated.w_out[:, :7] = w_h[other]
        gated.from_input.weight[:7] = 0
        gated.from_input.bias[:7] = 100  # z = 1
    xs = torch.randn(3, 40, 5)
    ours, _ = unroll(gated, xs, fused=fused)
    torch.testing.assert_close(ours, unroll(lstm, xs)[0], rtol=0, atol=1e-6)


def test_the_printed_reading_looks_at_the_update_gate_and_does_not_use_it() -> None:
    cell = make("gated printed", torch.float64)
    xs = torch.randn(2, 6, 5, dtype=torch.float64)
    before, gates = unroll(cell, xs)[0], trace(cell, xs)
    with torch.no_grad():
        for parameter in (cell.from_input.weight, cell.from_input.bias, cell.w_state):
            parameter[:7] += 1
    assert torch.equal(unroll(cell, xs)[0], before)
    after = trace(cell, xs)
    assert not torch.allclose(after["update"], gates["update"])
    assert torch.equal(after["cell"], gates["cell"])


@pytest.mark.parametrize("name", NAMES)
def test_trace_gives_every_gate_over_time(name: str) -> None:
    cell = make(name, torch.float64)
    xs = randn(name, 3, 8, 5)
    ys, last = unroll(cell, xs)
    found = trace(cell, xs)
    zeros = [np.zeros(randn(name, 3, 7).shape) for _ in range(cell.states)]
    _, _, expected = reference(cell, name, xs.numpy().swapaxes(0, 1), zeros)
    assert found.keys() == expected.keys() | {"hidden", "cell"} - (
        {"cell"} if cell.states == 1 else set()
    )
    for key, value in expected.items():
        assert np.abs(found[key].detach().numpy().swapaxes(0, 1) - value).max() <= 1e-12
    torch.testing.assert_close(found["hidden"], ys, rtol=0, atol=1e-12)
    torch.testing.assert_close(found["hidden"][:, -1], last[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_short_numbers_around_it_do_no_harm(name: str) -> None:
    cell, xs = make(name, torch.float32), randn(name, 2, 6, 5, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        ys, _ = unroll(cell, xs)
    torch.testing.assert_close(ys.float(), unroll(cell, xs)[0], rtol=0, atol=0.03)
