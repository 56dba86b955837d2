"""Checks that several processes run together: torchrun ... together.py CHECK [ARGUMENTS]."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import vidgru
from vidgru.cli.main import main
from vidgru.core.errors import DataError
from vidgru.core.results import Progress
from vidgru.engine.distributed import (
    all_reduce,
    all_reduce_gradients,
    broadcast,
    from_main,
    main_first,
    part,
    process_group,
    rank,
    text_from_main,
    world,
)
from vidgru.engine.sync_layers import join_parts
from vidgru.tasks.classify import train_step as loop
from vidgru.tasks.classify import windows
from vidgru.tasks.classify.explain import nearest
from vidgru.tasks.classify.train_step import ClassifyTrainStep

Steps = Iterator[Progress]


def close(a: Tensor, b: Tensor, limit: float, what: str) -> None:
    far = float((a.double() - b.double()).detach().abs().max())
    assert a.shape == b.shape, what
    assert a.dtype == b.dtype, what
    assert far <= limit, f"{what}: {far}"


def batch_norm(dtype: torch.dtype, limit: float) -> None:
    """Check parts of an uneven batch against torch's own layer on all of it."""
    torch.manual_seed(0)
    whole = nn.Sequential(nn.BatchNorm2d(6), nn.ReLU(inplace=True))
    nn.init.uniform_(whole[0].weight)
    nn.init.uniform_(whole[0].bias)
    parts = nn.Sequential(nn.BatchNorm2d(6), nn.ReLU(inplace=True))
    parts.load_state_dict(whole.state_dict())
    join_parts(parts, 5)
    # Far from zero, where differences of squares cancel.
    x = (20 + 3 * torch.randn(5, 6, 7, 4)).to(dtype)
    pull = torch.randn(5, 6, 7, 4).to(dtype)
    own = part(5)
    for memory in (torch.contiguous_format, torch.channels_last):
        for network in (whole, parts):
            network.zero_grad()
        seen = [t.clone().contiguous(memory_format=memory).requires_grad_() for t in (x, x[own])]
        ys = [whole(seen[0]), parts(seen[1])]
        close(ys[1], ys[0][own], limit, "output")
        (ys[0].float() * pull).sum().backward()
        (ys[1].float() * pull[own]).sum().backward()
        all_reduce_gradients(torch.zeros(()), parts.parameters())
        for a, b in (
            (seen[1].grad, seen[0].grad[own]),
            (parts[0].weight.grad, whole[0].weight.grad),
        ):
            close(a, b, limit * float(b.abs().max()), "gradient")
        for (name, a), b in zip(
            parts.state_dict().items(), whole.state_dict().values(), strict=True
        ):
            close(a, b, 1e-4, name)
    for network in (whole, parts):
        network.eval()
    close(parts(x[own]), whole(x)[own], limit, "evaluated")


def dropout() -> None:
    """Check that a part's mask is that part of the mask of the whole batch."""
    layers = [nn.Dropout(0.4), nn.Dropout(0.4)]
    join_parts(nn.Sequential(layers[0]), 5)
    own = part(5)
    x = torch.randn(5, 3, 8)
    for rows in (x, x.flatten(0, 1)):
        each = len(rows) // 5
        torch.manual_seed(3)
        mine = layers[0](rows[own.start * each : own.stop * each])
        after = torch.get_rng_state()
        torch.manual_seed(3)
        assert torch.equal(mine, layers[1](rows)[own.start * each : own.stop * each])
        assert torch.equal(after, torch.get_rng_state())
    layers[0].eval()
    assert layers[0](x) is x


def talk() -> None:
    """Check what the processes send each other."""
    count = world()
    assert [part(5), part(4), part(count)][2] == slice(rank(), rank() + 1)
    pieces = all_reduce(torch.eye(count)[rank()] * (part(5).stop - part(5).start))
    assert pieces.sum() == 5
    assert pieces.max() - pieces.min() <= 1
    assert broadcast(0.1 + rank()) == 0.1
    assert from_main(lambda: b"\x00\xff" if rank() == 0 else b"wrong") == b"\x00\xff"
    assert from_main(lambda: b"") == b""
    strange = os.fsdecode(b"caf\xe9/\xe2\x82\xac")
    assert text_from_main(lambda: strange if rank() == 0 else "") == strange
    assert all_reduce(torch.tensor([float("nan"), 1.0]))[1] == count
    sums = all_reduce(torch.randn(10_001, generator=torch.Generator().manual_seed(rank())))
    assert from_main(lambda: sums.numpy().tobytes()) == sums.numpy().tobytes()


@process_group
def pieces(place: Path) -> Steps:
    yield Progress("checking", 0, 1)
    batch_norm(torch.float32, 2e-6)
    batch_norm(torch.bfloat16, 0.02)
    dropout()
    talk()
    done: list[int] = []

    def job() -> Steps:
        yield Progress("in turn", 0, 1)
        done.append(len(list(place.iterdir())))
        (place / str(rank())).touch()

    yield from main_first(job)
    # The others begin when the first one is ready.
    assert done == [0] if rank() == 0 else done[0] > 0


def exactly() -> None:
    """Compute in float64, so that only what is really another computation makes a difference."""
    make, outputs, normalise = (
        ClassifyTrainStep.__init__,
        ClassifyTrainStep._outputs,
        loop.normalise,
    )
    shorten = Tensor.float

    def begin(
        self: ClassifyTrainStep, network: nn.Module, *args: object, **options: object
    ) -> None:
        make(self, network.double(), *args, **options)
        self.weights = self.weights.double()

    def answer(self: ClassifyTrainStep, frames: Tensor, *looks: Any) -> Tensor:
        found = outputs(self, frames, *looks)
        return found if self.network.training else found.to(torch.float32)

    ClassifyTrainStep.__init__, ClassifyTrainStep._outputs = begin, answer
    Tensor.float = lambda t: t if t.dtype == torch.float64 else shorten(t)
    loop.normalise = windows.normalise = nearest.normalise = lambda pixels: normalise(
        pixels
    ).double()
    loop.convolution_dtype = lambda device: torch.float32


def exact(folder: str, place: str) -> None:
    """Train in all processes and in one alone, for 20 steps with everything at its default."""
    exactly()
    for core, batch in (("gru", 5), ("convgru", 4)):
        options = {"size": 16, "batch_size": batch, "epochs": 2 * batch, "threads": 1}
        options |= {"core": core, "size": 20} if core == "convgru" else {}
        if os.environ["RANK"] == "0":
            number = os.environ.pop("RANK")
            vidgru.train(folder, out=f"{place}/one-{core}-{batch}", **options)
            os.environ["RANK"] = number
        vidgru.train(folder, out=f"{place}/all-{core}-{batch}", **options)
    assert "torch._dynamo" not in sys.modules, "a training waits a second for torch's compiler"


def failing(how: str, process: int, step: int) -> None:
    """Make one of the processes that were started first die or fail before it takes a step."""
    real = ClassifyTrainStep.step

    def fatal(self: ClassifyTrainStep, done: float) -> float:
        if self.steps == step and rank() == process:
            if how == "fail":
                raise DataError("This is wrong in one process only.")
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, done)

    if os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        ClassifyTrainStep.step = fatal


if __name__ == "__main__":
    check, *words = sys.argv[1:]
    if check == "pieces":
        for name in ("first", "second"):  # more than once in the same processes
            for _ in pieces(Path(words[0], name)):
                pass
            # A thread that outlives its group can break off the process when it ends.
            threads = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
            assert not [thread for thread in threads if "gloo" in thread]
    elif check == "exact":
        exact(*words)
    elif check == "late":
        if os.environ["RANK"] == "0":
            time.sleep(2)  # torchrun looks for processes that ended ten times a second
        main(words)
    else:
        failing(check, int(words[0]), int(words[1]))
        main(words[2:])
