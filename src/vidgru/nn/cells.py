"""Recurrent cells: one step of a recurrence, with the state as an argument.

A cell maps (x, state) to (y, state); `initial_state(batch)` gives the state before the first step.
States are tuples of tensors (B, hidden), the output y first; those of `convgru` are maps. Each cell
has a fast kernel, which `unroll` runs over whole sequences; the equations below read the same
weights.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from vidgru.nn.convolution import Conv2d
from vidgru.nn.gated import gated_sequence

State = tuple[Tensor, ...]
Gates = dict[str, Tensor]


class Cell(nn.Module, ABC):
    """Base of all cells.

    x: (B, input_size), y: (B, hidden_size), state: `states` tensors (B, hidden_size).
    """

    states: ClassVar[int] = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size

    def initial_state(self, batch: int) -> State:
        """Return zeros (B, hidden_size), one tensor for each state."""
        like = next(self.parameters())
        zeros = torch.zeros(batch, self.hidden_size, dtype=like.dtype, device=like.device)
        return (zeros,) * self.states

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Take one step."""
        _, state = self.gates(x, state)
        return state[0], state

    @abstractmethod
    def gates(self, x: Tensor, state: State) -> tuple[Gates, State]:
        """Take one step; return the gates and the candidate (B, hidden), and the new state."""

    @abstractmethod
    def sequence(self, xs: Tensor, state: State) -> tuple[Tensor, State]:
        """Run the fast kernel over xs (B, T, input_size); return ys (B, T, hidden_size), state."""


class TorchCell(Cell):
    """Base of the cells for whose equations torch has a fused kernel; its module has the weights.

    The input's and the state's weights and biases: gates in row blocks of hidden_size.
    """

    kernel: ClassVar[type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]]

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.fused = self.kernel(input_size, hidden_size, batch_first=True)

    def shares(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return the input's and the state's share of all gates, each (B, gates * hidden_size)."""
        w_x, w_h, b_x, b_h = self.fused.parameters()
        return functional.linear(x, w_x, b_x), functional.linear(h, w_h, b_h)

    def sequence(self, xs: Tensor, state: State) -> tuple[Tensor, State]:
        """Run the fused kernel over xs (B, T, input_size); return ys (B, T, hidden_size), state."""
        kind = xs.device.type
        if torch.is_autocast_enabled(kind):
            # In the weights' own precision: not every processor has a kernel for bfloat16.
            with torch.autocast(kind, enabled=False):
                return self.sequence(xs.to(next(self.fused.parameters()).dtype), state)
        packed = tuple(s.unsqueeze(0) for s in state)
        ys, last = self.fused(xs, packed if self.states > 1 else packed[0])
        return ys, tuple(s.squeeze(0) for s in (last if self.states > 1 else (last,)))


class RNNCell(TorchCell):
    """Elman network (Elman 1990, as in torch.nn.RNN).

    h_t = tanh(W_x x_t + b_x + W_h h_{t-1} + b_h)
    """

    kernel = nn.RNN

    def gates(self, x: Tensor, state: State) -> tuple[Gates, State]:
        """Take one step; it has no gates."""
        from_x, from_h = self.shares(x, state[0])
        return {}, (torch.tanh(from_x + from_h),)


class GRUCell(TorchCell):
    """Gated recurrent unit (Cho et al. 2014, eq. 5-8; reset after the product as in torch.nn.GRU).

    r_t = sigmoid(W_xr x_t + b_xr + W_hr h_{t-1} + b_hr)               reset gate
    z_t = sigmoid(W_xz x_t + b_xz + W_hz h_{t-1} + b_hz)               update gate
    n_t = tanh(W_xn x_t + b_xn + r_t * (W_hn h_{t-1} + b_hn))          candidate
    h_t = (1 - z_t) * n_t + z_t * h_{t-1}
    """

    kernel = nn.GRU

    def gates(self, x: Tensor, state: State) -> tuple[Gates, State]:
        """Take one step; return the reset gate, update gate and candidate, and the state."""
        (h,) = state
        from_x, from_h = self.shares(x, h)
        x_r, x_z, x_n = from_x.chunk(3, dim=1)
        h_r, h_z, h_n = from_h.chunk(3, dim=1)
        r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        return {"reset": r, "update": z, "candidate": n}, ((1 - z) * n + z * h,)


class LSTMCell(TorchCell):
    """Long short-term memory with forget gate (Gers et al. 2000, as in torch.nn.LSTM).

    i_t, f_t, o_t = sigmoid(W_x x_t + b_x + W_h h_{t-1} + b_h), one row block each
    g_t = tanh(W_xg x_t + b_xg + W_hg h_{t-1} + b_hg)
    c_t = f_t * c_{t-1} + i_t * g_t;  h_t = o_t * tanh(c_t)
    """

    kernel = nn.LSTM
    states = 2

    def gates(self, x: Tensor, state: State) -> tuple[Gates, State]:
        """Take one step; return input, forget and output gate and candidate, and the state."""
        h, c = state
        from_x, from_h = self.shares(x, h)
        i, f, g, o = (from_x + from_h).chunk(4, dim=1)
        i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
        c = f * c + i * g
        return {"input": i, "forget": f, "candidate": g, "output": o}, (o * torch.tanh(c), c)


class GatedCell(Cell):
    """The article's cell: like an LSTM with an update gate, and every gate reads the cell state.

    i_t = sigmoid(W_xi x_t + W_hi h_{t-1} + W_ci c_{t-1} + b_i)        input gate
    f_t = sigmoid(W_xf x_t + W_hf h_{t-1} + W_cf c_{t-1} + b_f)        forget gate
    z_t = sigmoid(W_xz x_t + W_hz h_{t-1} + W_cz c_{t-1} + b_z)        update gate
    g_t = tanh(W_xg x_t + W_hg h_{t-1} + W_cg c_{t-1} + b_g)           candidate
    c_t = z_t * (f_t * c_{t-1} + i_t * g_t) + (1 - z_t) * c_{t-1}      update="blend"
    c_t = f_t * c_{t-1} + i_t * g_t                                    update="printed"
    o_t = sigmoid(W_xo x_t + W_ho h_{t-1} + W_co c_t + b_o)            output gate
    h_t = o_t * tanh(c_t)

    The article prints the second line for c_t, in which z_t does not occur, while its text states
    that the update gate updates the cell state. With "printed" z_t is computed only for traces; its
    weights do not learn. Full matrices W_c distinguish it from peepholes (Gers et al.
    2000), which are diagonal. Rows of the weights: z, i, f, g, o; w_state takes [c, h] to the first
    four, w_out takes [h, c] to o.
    """

    states = 2

    def __init__(self, input_size: int, hidden_size: int, update: str = "blend") -> None:
        super().__init__(input_size, hidden_size)
        self.blend = update == "blend"
        self.from_input = nn.Linear(input_size, 5 * hidden_size)
        self.w_state = nn.Parameter(torch.empty(4 * hidden_size, 2 * hidden_size))
        self.w_out = nn.Parameter(torch.empty(hidden_size, 2 * hidden_size))
        bound = hidden_size**-0.5  # as torch's own recurrent modules start
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def gates(self, x: Tensor, state: State) -> tuple[Gates, State]:
        """Take one step; return all four gates and the candidate, and the state."""
        h, c = state
        from_x, x_o = self.from_input(x).split([4 * self.hidden_size, self.hidden_size], dim=1)
        four = from_x + functional.linear(torch.cat([c, h], dim=1), self.w_state)
        z, i, f, g = four.chunk(4, dim=1)
        z, i, f, g = torch.sigmoid(z), torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g)
        new = f * c + i * g
        c = z * new + (1 - z) * c if self.blend else new
        o = torch.sigmoid(x_o + functional.linear(torch.cat([h, c], dim=1), self.w_out))
        gates = {"input": i, "forget": f, "update": z, "candidate": g, "output": o}
        return gates, (o * torch.tanh(c), c)

    def sequence(self, xs: Tensor, state: State) -> tuple[Tensor, State]:
        """Run the fast kernel over xs (B, T, input_size); return ys (B, T, hidden_size), state."""
        h, c = state
        # The kernel works in the weights' own precision, as torch's recurrent ones do.
        with torch.autocast(xs.device.type, enabled=False):
            from_x = self.from_input(xs.to(self.w_out.dtype)).permute(1, 2, 0)  # (T, 5H, B)
            ys, c = gated_sequence(from_x, self.w_state, self.w_out, h.t(), c.t(), self.blend)
        return ys.permute(2, 0, 1), (ys[-1].t(), c.t())


class ConvGRUCell(Cell):
    """Gated recurrent unit over maps (Ballas et al. 2016), with the gates of torch.nn.GRU.

    r_t = sigmoid(W_xr * x_t + b_xr + W_hr * h_{t-1} + b_hr)           reset gate
    z_t = sigmoid(W_xz * x_t + b_xz + W_hz * h_{t-1} + b_hz)           update gate
    n_t = tanh(W_xn * x_t + b_xn + r_t (W_hn * h_{t-1} + b_hn))        candidate
    h_t = (1 - z_t) n_t + z_t h_{t-1}

    Here * is a convolution, W_x 1x1 and W_h 3x3; gates multiply value by value. x is (B,
    input_size, side, side), the state (B, hidden_size, side, side); outside the maps are zeros.
    The convention is that of GRUCell, which it equals on 1x1 maps, and of Shi et
    al. 2017: the reset gate comes after the convolution, and z_t keeps the old state. Ballas et al.
    have both the other way round: W_hn * (r_t h_{t-1}), and h_t = (1 - z_t) h_{t-1} + z_t n_t.
    """

    def __init__(self, input_size: int, hidden_size: int, side: int = 1) -> None:
        super().__init__(input_size, hidden_size)
        self.side = side
        self.from_input = Conv2d(input_size, 3 * hidden_size, 1)
        self.from_state = Conv2d(hidden_size, 3 * hidden_size, 3, padding=1)

    def initial_state(self, batch: int) -> State:
        """Return zeros (B, hidden_size, side, side)."""
        like = next(self.parameters())
        return (like.new_zeros(batch, self.hidden_size, self.side, self.side),)

    def gates(self, x: Tensor, state: State) -> tuple[Gates, State]:
        """Take one step; return the reset gate, update gate and candidate, and the state."""
        return self._gates(self.from_input(x), state[0])

    def _gates(self, from_x: Tensor, h: Tensor) -> tuple[Gates, State]:
        x_r, x_z, x_n = from_x.chunk(3, dim=1)
        h_r, h_z, h_n = self.from_state(h).chunk(3, dim=1)
        r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        return {"reset": r, "update": z, "candidate": n}, ((1 - z) * n + z * h,)

    def update(self, from_x: Tensor, h: Tensor) -> State:
        """Return the state after a step, for what `from_input` makes of its input."""
        return self._gates(from_x, h)[1]

    def sequence(self, xs: Tensor, state: State) -> tuple[Tensor, State]:
        """Run over xs (B, T, input_size, side, side), all inputs' shares at once."""
        from_x = self.from_input(xs.flatten(0, 1)).unflatten(0, xs.shape[:2])
        ys = []
        for x in from_x.unbind(1):
            state = self.update(x, state[0])
            ys.append(state[0])
        return torch.stack(ys, dim=1), state


CELLS: dict[str, type[Cell]] = {
    "gru": GRUCell,
    "lstm": LSTMCell,
    "rnn": RNNCell,
    "gated": GatedCell,
    "convgru": ConvGRUCell,
}


def make_cell(
    core: str, input_size: int, hidden_size: int, gated_update: str, side: int = 1
) -> Cell:
    """Return a new cell for the name of its core.

    `gated_update` applies to `gated` only, and `side`, that of its maps, to `convgru` only.
    """
    if core == "gated":
        return GatedCell(input_size, hidden_size, gated_update)
    if core == "convgru":
        return ConvGRUCell(input_size, hidden_size, side)
    return CELLS[core](input_size, hidden_size)
