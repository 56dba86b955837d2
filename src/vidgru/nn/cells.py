"""Recurrent cells: one step of a recurrence, with the state as an argument.

A cell maps (x, state) to (y, state); `initial_state(batch)` gives the state before the first step.
States are tuples of tensors (B, hidden). Each cell keeps its weights in torch's own fused module,
which `unroll` runs over whole sequences; the equations below read the same weights.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

State = tuple[Tensor, ...]


class Cell(nn.Module):
    """Base of all cells.

    x: (B, input_size), y: (B, hidden_size), state: `states` tensors (B, hidden_size).
    """

    kernel: ClassVar[type[nn.RNN] | type[nn.GRU] | type[nn.LSTM]]
    states: ClassVar[int] = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.fused = self.kernel(input_size, hidden_size, batch_first=True)

    def weights(self) -> list[Tensor]:
        """Return input weights, state weights, input biases and state biases, gates in rows."""
        return list(self.fused.parameters())

    def initial_state(self, batch: int) -> State:
        """Return zeros (B, hidden_size), one tensor for each state."""
        like = self.weights()[1]
        zeros = torch.zeros(batch, self.hidden_size, dtype=like.dtype, device=like.device)
        return (zeros,) * self.states

    def gates(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return the input's and the state's share of all gates, each (B, gates * hidden_size)."""
        w_x, w_h, b_x, b_h = self.weights()
        return functional.linear(x, w_x, b_x), functional.linear(h, w_h, b_h)

    def sequence(self, xs: Tensor, state: State) -> tuple[Tensor, State]:
        """Run the fused kernel over xs (B, T, input_size); return ys (B, T, hidden_size), state."""
        packed = tuple(s.unsqueeze(0) for s in state)
        ys, last = self.fused(xs, packed if self.states > 1 else packed[0])
        return ys, tuple(s.squeeze(0) for s in (last if self.states > 1 else (last,)))


class RNNCell(Cell):
    """Elman network (Elman 1990, as in torch.nn.RNN).

    h_t = tanh(W_x x_t + b_x + W_h h_{t-1} + b_h)
    """

    kernel = nn.RNN

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Take one step."""
        from_x, from_h = self.gates(x, state[0])
        h = torch.tanh(from_x + from_h)
        return h, (h,)


class GRUCell(Cell):
    """Gated recurrent unit (Cho et al. 2014, eq. 5-8; reset after the product as in torch.nn.GRU).

    r_t = sigmoid(W_xr x_t + b_xr + W_hr h_{t-1} + b_hr)               reset gate
    z_t = sigmoid(W_xz x_t + b_xz + W_hz h_{t-1} + b_hz)               update gate
    n_t = tanh(W_xn x_t + b_xn + r_t * (W_hn h_{t-1} + b_hn))          candidate
    h_t = (1 - z_t) * n_t + z_t * h_{t-1}
    """

    kernel = nn.GRU

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Take one step."""
        (h,) = state
        from_x, from_h = self.gates(x, h)
        x_r, x_z, x_n = from_x.chunk(3, dim=1)
        h_r, h_z, h_n = from_h.chunk(3, dim=1)
        r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        h = (1 - z) * n + z * h
        return h, (h,)


class LSTMCell(Cell):
    """Long short-term memory with forget gate (Gers et al. 2000, as in torch.nn.LSTM).

    i_t, f_t, o_t = sigmoid(W_x x_t + b_x + W_h h_{t-1} + b_h), one row block each
    g_t = tanh(W_xg x_t + b_xg + W_hg h_{t-1} + b_hg)
    c_t = f_t * c_{t-1} + i_t * g_t;  h_t = o_t * tanh(c_t)
    """

    kernel = nn.LSTM
    states = 2

    def forward(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Take one step."""
        h, c = state
        from_x, from_h = self.gates(x, h)
        i, f, g, o = (from_x + from_h).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)


CELLS: dict[str, type[Cell]] = {"gru": GRUCell, "lstm": LSTMCell, "rnn": RNNCell}
