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
        threads = torch.get_num_threads()
        apart = self.training and torch.is_grad_enabled() and input.device.type == "cpu"
        if not apart or self.groups > 1 or min(threads, len(input)) < 2:
            return super().forward(input)
        kind = input.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else input.dtype
        found: Tensor = _Apart.apply(  # type: ignore[no-untyped-call]
            input, self.weight, self.bias, dtype, (self.stride, self.padding, self.dilation)
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
        ctx.how, ctx.biased = how, bias is not None
        return nn.functional.conv2d(maps, weight, None if bias is None else bias.to(dtype), *how)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        maps, weight = ctx.saved_tensors
        stride, padding, dilation = ctx.how
        sizes = [len(weight)] if ctx.biased else None

        def gradients(mask: list[bool], part: slice) -> list[Tensor]:
            found: list[Tensor] = torch.ops.aten.convolution_backward(
                gradient[part], maps[part], weight, sizes, stride, padding, dilation,
                False, [0, 0], 1, mask,
            )  # fmt: skip
            return found

        threads, own = torch.get_num_threads(), [False, True, ctx.biased]
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
            if ctx.biased:
                offset = offset + shift
        before = None
        if ctx.needs_input_grad[0]:
            before = gradients([True, False, False], slice(None))[0]
        return before, kernel, offset if ctx.biased else None, None, None


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
