"""What a training step of each recurrent core costs, against torch's LSTM.

    python benchmarks/cells.py [--threads N]

A step is forward and backward over a batch of 16 sequences, 128 features in and 128 hidden, for 16,
64 and 256 frames. All rows are measured in turns in the same process; a ratio is the median over
the rounds of a row's time by the LSTM's in the same round. torch's LSTM runs in oneDNN's kernel for
whole sequences; one row switches that off, since no other cell has such a kernel. In the printed
reading of the gated cell the update gate is counted, though nothing depends on it.
"""

import argparse
import time
import warnings
from contextlib import AbstractContextManager, nullcontext
from statistics import median

import torch
from torch import Tensor, nn

from vidgru.engine.device import prepare
from vidgru.nn.cells import CELLS, Cell, GatedCell, Gates, State
from vidgru.nn.choices import MAP_CORE
from vidgru.nn.unroll import unroll

BATCH, SIZE = 16, 128
ROUNDS = {16: 100, 64: 40, 256: 16}  # frames: rounds


class SeparateProducts(Cell):
    """The gated cell as its equations read: fifteen matrix products a step, under autograd."""

    states = 2

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.from_x, self.from_h, self.from_c = (
            nn.ModuleList(nn.Linear(size, hidden_size, bias=bias) for _ in range(5))
            for size, bias in ((input_size, True), (hidden_size, False), (hidden_size, False))
        )

    def gates(self, x: Tensor, state: State) -> tuple[Gates, State]:
        """Take one step; return all four gates and the candidate, and the state."""
        h, c = state

        def share(k: int, c: Tensor) -> Tensor:
            return self.from_x[k](x) + self.from_h[k](h) + self.from_c[k](c)  # type: ignore[no-any-return]

        z, i, f = (torch.sigmoid(share(k, c)) for k in range(3))
        g = torch.tanh(share(3, c))
        c = z * (f * c + i * g) + (1 - z) * c
        o = torch.sigmoid(share(4, c))
        gates = {"input": i, "forget": f, "update": z, "candidate": g, "output": o}
        return gates, (o * torch.tanh(c), c)

    def sequence(self, xs: Tensor, state: State) -> tuple[Tensor, State]:
        """Run step by step; there is no fast kernel."""
        return unroll(self, xs, state, fused=False)


class Row:
    """A line of the table: a cell and the way it is run."""

    def __init__(self, name: str, cell: Cell, fused: bool = True, onednn: bool = True) -> None:
        self.name, self.cell, self.fused, self.onednn = name, cell, fused, onednn

    def seconds(self, xs: Tensor, slopes: Tensor) -> float:
        """Return the time of one step forward and backward."""
        context: AbstractContextManager[None] = nullcontext()
        if not self.onednn:
            context = torch.backends.mkldnn.flags(enabled=False)
        with context:
            start = time.perf_counter()
            ys, _ = unroll(self.cell, xs, fused=self.fused)
            torch.autograd.grad(ys, [xs, *self.cell.parameters()], slopes)
            return time.perf_counter() - start

    def head(self) -> str:
        """Return name, gates and parameters."""
        gates, _ = self.cell.gates(torch.zeros(1, SIZE), self.cell.initial_state(1))
        count = sum(parameter.numel() for parameter in self.cell.parameters())
        return f"{self.name:<36}{len(gates.keys() - {'candidate'}):>7}{count:>12,}"


def rows() -> list[Row]:
    """Return all lines of the table, the LSTM first."""
    cells = {name: core(SIZE, SIZE) for name, core in CELLS.items() if name != MAP_CORE}
    gated = cells.pop("gated")
    lstm = cells.pop("lstm")
    return [
        Row("lstm", lstm),
        Row("lstm, oneDNN switched off", lstm, onednn=False),
        *(Row(name, cell) for name, cell in cells.items()),
        Row("gated", gated),
        Row('gated, update="printed"', GatedCell(SIZE, SIZE, update="printed")),
        Row("gated, step by step under autograd", gated, fused=False),
        Row("gated, fifteen products a step", SeparateProducts(SIZE, SIZE)),
    ]


def measure(lines: list[Row], frames: int) -> list[list[float]]:
    """Return the seconds of each line in each round."""
    xs = torch.randn(BATCH, frames, SIZE, requires_grad=True)
    slopes = torch.randn(BATCH, frames, SIZE)
    found = [[line.seconds(xs, slopes) for line in lines] for _ in range(ROUNDS[frames] + 2)]
    return [list(times) for times in zip(*found[2:], strict=True)]  # the first two warm up


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    prepare(options.threads)
    warnings.filterwarnings("ignore", message="TF32")
    lines = rows()
    times = {frames: measure(lines, frames) for frames in ROUNDS}
    columns = "".join(f"{f'T = {frames}':>10}" for frames in ROUNDS)
    print(f"{'core':<36}{'gates':>7}{'parameters':>12}{columns}")
    for number, line in enumerate(lines):
        ratios = (
            median(own / base for own, base in zip(found[number], found[0], strict=True))
            for found in times.values()
        )
        print(line.head() + "".join(f"{ratio:>10.2f}" for ratio in ratios))
    absolute = ", ".join(
        f"{1000 * median(found[0]):.2f} ms for T = {frames}" for frames, found in times.items()
    )
    print(f"\nTimes as ratios to the lstm's: {absolute}; {torch.get_num_threads()} threads.")


if __name__ == "__main__":
    main()
