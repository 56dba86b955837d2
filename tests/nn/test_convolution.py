"""Convolutions by parts of the batch: the numbers of torch's own, whatever the threads."""

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vidgru.nn.convolution import MAX_PARTS, Conv2d, ConvTranspose2d, _Apart
from vidgru.nn.encoders import convolve


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def learned(layer: nn.Module, maps: Tensor) -> list[Tensor]:
    """Return outputs and gradients of a layer, those of its inputs first."""
    seen = maps.clone().requires_grad_()
    outputs = layer(seen)
    (outputs * outputs.detach().cos()).sum().backward()
    return [outputs, seen.grad, *(p.grad for p in layer.parameters())]  # type: ignore[list-item]


@pytest.mark.parametrize("count", [1, 2, 11], ids="{} pictures".format)
@pytest.mark.parametrize(
    "how",
    [
        {"stride": 2, "padding": 1, "bias": False},
        {"padding": 2, "dilation": 2},
        {"stride": 2, "padding": 1, "groups": 4},
    ],
    ids=str,
)
@pytest.mark.parametrize("number", [1, 2, 3, 12])
@pytest.mark.parametrize("transposed", [False, True], ids=["", "transposed"])
def test_it_learns_as_torch_does(
    count: int, how: dict[str, Any], number: int, transposed: bool
) -> None:
    torch.set_num_threads(number)
    torch.manual_seed(0)
    kinds = (ConvTranspose2d, nn.ConvTranspose2d) if transposed else (Conv2d, nn.Conv2d)
    ours, theirs = (kind(4, 8, 3, **how).double() for kind in kinds)
    theirs.load_state_dict(ours.state_dict())
    maps = torch.randn(count, 4, 9, 7, dtype=torch.float64)
    for own, other in zip(learned(ours, maps), learned(theirs, maps), strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=1e-12)
    assert torch.get_num_threads() == number


def test_parts_are_what_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    apply = _Apart.apply
    monkeypatch.setattr(_Apart, "apply", lambda *rest: seen.append(0) or apply(*rest))
    layer = convolve(4, 8)
    for number, most in ((1, 0), (2, 1), (MAX_PARTS, 1), (MAX_PARTS + 4, 1)):
        torch.set_num_threads(number)
        seen.clear()
        learned(layer, torch.randn(8, 4, 6, 6))
        assert len(seen) == most
    torch.set_num_threads(2)
    seen.clear()
    learned(layer.eval(), torch.randn(8, 4, 6, 6))  # norms are fixed, kernels learn
    assert len(seen) == 1
    with torch.no_grad():
        layer.train()(torch.randn(8, 4, 6, 6))
    layer.requires_grad_(False)(torch.randn(8, 4, 6, 6))
    assert len(seen) == 1


def test_half_precision_loses_no_more_than_torch_does() -> None:
    errors = []
    for make in (Conv2d, nn.Conv2d):
        torch.manual_seed(0)
        layer = make(6, 16, 3, bias=False)
        exact = copy.deepcopy(layer).double()
        maps = torch.randn(64, 6, 16, 16)
        with torch.autocast("cpu", torch.bfloat16):
            layer(maps).square().sum().backward()
        exact(maps.double()).square().sum().backward()
        kernel, true = layer.weight.grad, exact.weight.grad
        assert kernel is not None
        assert true is not None
        errors.append(float((kernel - true).norm() / true.norm()))
    assert errors[0] <= errors[1]


def test_the_same_bits_every_time() -> None:
    found = []
    for _ in range(5):
        torch.manual_seed(0)
        layer = convolve(6, 16, 2)
        with torch.autocast("cpu", torch.bfloat16):
            found.append(learned(layer, torch.randn(33, 6, 32, 32)))
    for each in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(each, found[0], strict=True))


@pytest.mark.parametrize(
    ("given", "found"),
    [({}, "2000 None"), ({"GOMP_SPINCOUNT": "7"}, "7 None"),
     ({"OMP_WAIT_POLICY": "active"}, "None active")],
    ids=str,
)  # fmt: skip
def test_the_command_lets_threads_sleep_unless_told_otherwise(
    given: dict[str, str], found: str
) -> None:
    names = "GOMP_SPINCOUNT", "OMP_WAIT_POLICY"
    words = f"""if 1:
        import os, sys
        from vidgru.cli.main import main
        assert "torch" not in sys.modules
        try:
            main(["--version"])
        finally:
            print(*map(os.environ.get, {names}), file=sys.stderr)
    """
    others = {k: v for k, v in os.environ.items() if k not in names}
    done = subprocess.run(
        [sys.executable, "-c", words], env=others | given, capture_output=True, text=True
    )
    assert done.stderr.split("\n")[-2] == found
