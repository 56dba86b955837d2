"""The gated cell over whole sequences, with a backward pass written by hand.

The equations are those of `cells.GatedCell`. Autograd would record a dozen operations a step; here
a backward step is two matrix products and four elementwise operations, since all that does not
depend on later steps is computed for all steps at once. Within a step a tensor is (features,
batch): matrix products with few columns are faster than with few rows, and every gate is one
block of memory.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def gated_sequence(
    from_x: Tensor, w_state: Tensor, w_out: Tensor, h: Tensor, c: Tensor, blend: bool
) -> tuple[Tensor, Tensor]:
    """Return ys (T, H, B) and the last c (H, B) of the gated cell.

    from_x: (T, 5H, B), the input's share of the gates z, i, f, g, o with their biases. w_state:
    (4H, 2H) from [c_{t-1}, h_{t-1}] to z, i, f, g. w_out: (H, 2H) from [h_{t-1}, c_t] to o. h, c:
    (H, B). `blend` selects the variant of the update gate; without it z is left out.
    """
    return _Gated.apply(from_x, w_state, w_out, h, c, blend)  # type: ignore[no-any-return,no-untyped-call]


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, from_x: Tensor, w_state: Tensor, w_out: Tensor, h: Tensor, c: Tensor, blend: bool
    ) -> tuple[Tensor, Tensor]:
        steps, width, batch = from_x.shape
        size = width // 5
        first = 0 if blend else size  # z comes first, and may be left out
        # c_0 h_0 c_1 h_1 ...: both [c_{t-1}, h_{t-1}] and [h_{t-1}, c_t] are one block each.
        states = from_x.new_empty(2 * steps + 2, size, batch)
        states[0], states[1] = c, h
        gates = from_x.clone(memory_format=torch.contiguous_format)
        squashed = from_x.new_empty(steps, size, batch)  # tanh(c_t)
        weights = w_state[first:]
        # Views of single steps are taken one by one: all at once they would be so many objects
        # that Python's garbage collector ran at every call, for milliseconds.
        befores = states[:-2].view(steps, 2 * size, batch)
        afters = states[1:-1].view(steps, 2 * size, batch)
        linear, sigmoids = gates[:, first : 4 * size], gates[:, first : 3 * size]
        z, i, f, g, o = gates.view(steps, 5, size, batch).unbind(1)
        cells, hiddens = states[::2], states[3::2]
        for t in range(steps):
            linear[t].addmm_(weights, befores[t])
            sigmoids[t].sigmoid_()
            old, new = cells[t], cells[t + 1]
            torch.mul(f[t], old, out=new).addcmul_(i[t], g[t].tanh_())
            if blend:
                torch.lerp(old, new, z[t], out=new)
            opening = o[t].addmm_(w_out, afters[t]).sigmoid_()
            torch.mul(opening, torch.tanh(new, out=squashed[t]), out=hiddens[t])
        ctx.save_for_backward(states, gates, squashed, w_state, w_out)
        ctx.blend = blend
        return states[3::2].clone(), states[-2].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_ys: Tensor, d_c: Tensor) -> tuple[Tensor | None, ...]:
        states, gates, squashed, w_state, w_out = ctx.saved_tensors
        steps, width, batch = gates.shape
        size = width // 5
        first = 0 if ctx.blend else size
        z, i, f, g, o = gates.view(steps, 5, size, batch).unbind(1)
        # The factors of the gradient at c_t on its way to z, i, f, g and to c_{t-1} ...
        before = states[:-2:2]
        slopes = gates.new_zeros(steps, 4, size, batch)
        slopes[:, 1] = g * i * (1 - i)
        slopes[:, 2] = before * f * (1 - f)
        slopes[:, 3] = i * (1 - g * g)
        keep = f
        if ctx.blend:
            slopes *= z.unsqueeze(1)
            slopes[:, 0] = (f * before + i * g - before) * z * (1 - z)
            keep = 1 + z * (f - 1)
        # ... and of the gradient at h_t on its way to o and to c_t.
        to_o = squashed * o * (1 - o)
        to_c = o * (1 - squashed * squashed)
        d_gates = torch.empty_like(gates) if ctx.blend else torch.zeros_like(gates)
        # Gradients at the states have their layout; those at h_t start with the outputs' gradients.
        d_states = torch.zeros_like(states)
        d_states[3::2] = d_ys
        d_states[-2] = d_c
        d_cells, d_hiddens = d_states[::2], d_states[1::2]
        d_befores = d_states[:-2].view(steps, 2 * size, batch)
        d_afters = d_states[1:-1].view(steps, 2 * size, batch)
        d_linear, d_o = d_gates[:, first : 4 * size], d_gates[:, 4 * size :]
        d_four = d_gates.view(steps, 5, size, batch)[:, first // size : 4]
        slopes = slopes[:, first // size :]
        back_state, back_out = w_state[first:].t().contiguous(), w_out.t().contiguous()
        for t in range(steps - 1, -1, -1):
            d_h = d_hiddens[t + 1]
            d_c_new = d_cells[t + 1].addcmul_(d_h, to_c[t])
            d_afters[t].addmm_(back_out, torch.mul(d_h, to_o[t], out=d_o[t]))
            torch.mul(d_c_new, slopes[t], out=d_four[t])
            torch.mul(d_c_new, keep[t], out=d_cells[t])
            d_befores[t].addmm_(back_state, d_linear[t])
        d_w_state = _outer(d_gates[:, : 4 * size], states[:-2].view(steps, 2 * size, batch))
        d_w_out = _outer(d_gates[:, 4 * size :], states[1:-1].view(steps, 2 * size, batch))
        return d_gates, d_w_state, d_w_out, d_states[1], d_states[0], None


def _outer(slopes: Tensor, inputs: Tensor) -> Tensor:
    """Return the sum over steps and batch of gradient times input, for (T, M, B) and (T, N, B)."""
    return slopes.transpose(0, 1).flatten(1) @ inputs.transpose(0, 1).flatten(1).t()
