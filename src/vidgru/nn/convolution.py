"""Convolutions that are trained by several threads without waiting actively for each other."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from threading import Barrier
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

MAX_PARTS = 8  # of a batch; to start more from Python would take longer than they compute


class Conv2d(nn.Conv2d):
    """A convolution as torch's; in training on the CPU, each thread adds up gradients of a part.

    For the gradient of kernels oneDNN divides the batch among threads, which then wait for each
    other in a loop. Where another program computes on one of the cores, they wait for most of the
    time: two trainings at once took 40 times as long. So here each thread computes the gradient of
    its part of the batch by itself. The sum is in the order of the parts, thus always the same.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return maps (N, out, h, w) of maps (N, in, H, W)."""
        return _by_parts(self, input) if _divides(self, input) else super().forward(input)


class ConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution as torch's, trained as `Conv2d` is."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return maps (N, out, h, w) of maps (N, in, H, W)."""
        if output_size is None and _divides(self, input):
            return _by_parts(self, input)
        return super().forward(input, output_size)


def _divides(layer: nn.Conv2d | nn.ConvTranspose2d, maps: Tensor) -> bool:
    """Return whether the gradient of a layer's kernel is computed by parts of the batch."""
    learns = torch.is_grad_enabled() and layer.weight.requires_grad and layer.groups == 1
    several = maps.device.type == "cpu" and min(torch.get_num_threads(), len(maps)) > 1
    return learns and several and not torch.compiler.is_compiling()  # nor exporting


def _by_parts(layer: nn.Conv2d | nn.ConvTranspose2d, maps: Tensor) -> Tensor:
    kind = maps.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else maps.dtype
    where = layer.stride, layer.padding, layer.dilation
    how = (*where, isinstance(layer, nn.ConvTranspose2d), layer.output_padding, 1)
    found: Tensor = _Apart.apply(  # type: ignore[no-untyped-call]
        maps, layer.weight, layer.bias, dtype, how
    )
    return found


class _Apart(torch.autograd.Function):
    """A convolution whose kernel's gradient is the sum of those of parts of the batch."""

    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor | None, dtype: torch.dtype, how: Any
    ) -> Tensor:
        maps, weight = maps.to(dtype), weight.to(dtype)
        ctx.save_for_backward(maps, weight)
        ctx.how, ctx.sizes = how, None if bias is None else list(bias.shape)
        found: Tensor = torch.convolution(
            maps, weight, None if bias is None else bias.to(dtype), *how
        )
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight = ctx.saved_tensors

        def gradients(mask: list[bool], part: slice) -> list[Tensor]:
            found: list[Tensor] = torch.ops.aten.convolution_backward(
                gradient[part], maps[part], weight, ctx.sizes, *ctx.how, mask
            )
            return found

        biased = ctx.sizes is not None
        threads, own = torch.get_num_threads(), [False, True, biased]
        count = min(threads, MAX_PARTS, len(maps))
        first, *others = _parts(len(maps), count)
        others_found = [_pool(count - 1).submit(gradients, own, part) for part in others]
        torch.set_num_threads(1)  # of this thread
        try:
            _, kernel, offset = gradients(own, first)
        finally:
            torch.set_num_threads(threads)
        # Sums of bfloat16 would lose what each part knows.
        kernel = kernel.float() if kernel.dtype == torch.bfloat16 else kernel
        for each in others_found:
            _, more, shift = each.result()
            kernel += more
            offset = offset + shift if biased else offset
        before = None
        if ctx.needs_input_grad[0]:
            before = gradients([True, False, False], slice(None))[0]
        return before, kernel, offset if biased else None, None, None


def _parts(count: int, parts: int) -> list[slice]:
    """Return slices of `count` things, as equal as they can be."""
    edges = [count * number // parts for number in range(parts + 1)]
    return [slice(start, end) for start, end in pairwise(edges)]


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    """Return a pool of threads, each of which computes alone."""

    def begin() -> None:
        torch.get_num_threads()  # otherwise torch sets the number again at its first use
        torch.set_num_threads(1)

    threads, ready = torch.get_num_threads(), Barrier(workers + 1)
    pool = ThreadPoolExecutor(workers, initializer=begin)
    for _ in range(workers):
        pool.submit(ready.wait)
    ready.wait()
    torch.set_num_threads(threads)  # for threads that begin later
    return pool
