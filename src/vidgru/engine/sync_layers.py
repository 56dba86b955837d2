"""Layers that treat the parts of a batch, on several processes, as the whole batch.

With them, several processes learn the same from their parts as one does from all of it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from vidgru.engine.distributed import all_reduce, part


def join_parts(network: nn.Module, batch: int) -> None:
    """Make layers look at whole batches of `batch` clips; names and weights stay as they are."""
    for module in list(network.modules()):
        if isinstance(module, nn.BatchNorm2d):
            module.__class__ = WholeBatchNorm
        elif isinstance(module, nn.Dropout):
            module.__class__ = WholeDropout
            module.batch = batch  # type: ignore[assignment]


class WholeDropout(nn.Dropout):
    """Dropout whose mask is this process's part of the one that the whole batch would get.

    All processes draw the whole mask, and so their generators stay alike. Takes (rows, ...), the
    same number of rows for each clip.
    """

    batch: int

    def forward(self, x: Tensor) -> Tensor:
        """Return the input, of the same shape, with random values zero and the rest raised."""
        if not self.training:
            return x
        own = part(self.batch)
        rows = len(x) // (own.stop - own.start)
        whole = functional.dropout(x.new_ones(self.batch * rows, *x.shape[1:]), self.p)
        return x * whole[own.start * rows : own.stop * rows]


class WholeBatchNorm(nn.BatchNorm2d):
    """Batch norm by the mean and variance over all processes' maps, few or many."""

    def forward(self, x: Tensor) -> Tensor:
        """Return normalised maps, of the same shape and type as `x` (N, C, H, W)."""
        if not self.training:
            return super().forward(x)
        made: tuple[Tensor, ...] = _Normalise.apply(  # type: ignore[no-untyped-call]
            x, self.weight, self.bias, self.eps
        )
        y, mean, variance, count = made
        with torch.no_grad():
            for running, new in (
                (self.running_mean, mean),
                (self.running_var, variance * (count / (count - 1))),
            ):
                if running is not None and self.momentum is not None:
                    running.lerp_(new, self.momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        return y


class _Normalise(Function):
    """(x - mean) / sqrt(variance + eps) * weight + bias, all over the whole batch.

    Gradient: Ioffe and Szegedy 2015, section 3, with both sums over all processes.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Any:
        channels = x.shape[1]
        # Without a long buffer beside it, the statistics of short numbers would be short, too.
        long = torch.zeros_like(weight)
        found = torch.batch_norm_update_stats(x, long, long.clone(), 0.0)
        # Sums in float64: the difference of squares below must not cancel.
        mean, variance = (statistic.double() for statistic in found)
        count = mean.new_tensor([x.numel() // channels])
        sums = all_reduce(torch.cat([mean * count, (variance + mean.square()) * count, count]))
        count = sums[-1]
        mean = sums[:channels] / count
        variance = (sums[channels:-1] / count - mean.square()).clamp_min(0)
        rstd = (variance + eps).rsqrt()
        mean, variance, rstd, count = (t.to(weight.dtype) for t in (mean, variance, rstd, count))
        ctx.save_for_backward(x, weight, mean, variance, rstd, count)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance, count)
        y = functional.batch_norm(x, mean, variance, weight, bias, eps=eps)
        return y, mean, variance, count

    @staticmethod
    def backward(ctx: Any, dy: Tensor, *_: Tensor) -> Any:
        x, weight, mean, variance, rstd, count = ctx.saved_tensors
        dx, d_weight, d_bias = torch.ops.aten.native_batch_norm_backward(
            dy, x, weight, None, None, mean, rstd, True, ctx.eps, [True, True, True]
        )
        by_weight, by_bias = all_reduce(torch.cat([d_weight, d_bias])).div(count).chunk(2)
        # dx = weight * rstd * (dy - by_bias - (x - mean) * rstd * by_weight), but so far with both
        # means over this part alone. Two fused passes cost a tenth of what sums of long maps did.
        own, scale = x.numel() // x.shape[1], weight * rstd
        by_weight, by_bias = (
            scale * (d_weight / own - by_weight),
            scale * (d_bias / own - by_bias),
        )
        dx += functional.batch_norm(x, mean, variance, by_weight, by_bias, eps=ctx.eps)
        return dx, d_weight, d_bias, None
