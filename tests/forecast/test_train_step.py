"""The windows that forecasting is trained on."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers import build, noise
from numpy.typing import NDArray

from vidgru.tasks.forecast.metrics import MetricAccumulator
from vidgru.tasks.forecast.spec import ForecastSpec
from vidgru.tasks.forecast.train_step import ForecastTrainStep, add_windows, as_clip, windows

SPEC = ForecastSpec("forecast", "convgru", 8, 10.0, 4, 3, 32, 3)


def pieces_of(lengths: list[int]) -> list[NDArray[np.uint8]]:
    return [noise(length, 32, 32, seed) for seed, length in enumerate(lengths)]


def test_windows_follow_upon_each_other() -> None:
    assert list(windows(pieces_of([14, 6, 7, 20]), SPEC)) == [
        (0, 0),
        (0, 7),
        (2, 0),
        (3, 0),
        (3, 7),
    ]


def make_trainer(pieces: list[NDArray[np.uint8]], seed: int = 0) -> ForecastTrainStep:
    torch.manual_seed(seed)
    return ForecastTrainStep(
        build(SPEC), pieces, SPEC, batch_size=2, lr=1e-3, seed=seed, device=torch.device("cpu")
    )


def test_a_batch_is_made_of_whole_windows_some_mirrored() -> None:
    pieces = pieces_of([9, 7])
    trainer, mirrored = make_trainer(pieces), 0
    for _ in range(20):
        for window in trainer._draw():
            options = {
                (number, start, mirror): as_clip(
                    np.ascontiguousarray(
                        piece[None, start : start + 7, :, :: -1 if mirror else 1]
                    ), 3,
                )[0]
                for number, piece in enumerate(pieces)
                for start in range(len(piece) - 6)
                for mirror in (False, True)
            }  # fmt: skip
            (found,) = [key for key, clip in options.items() if torch.equal(clip, window)]
            mirrored += found[2]
    assert 8 < mirrored < 32


def test_measuring_some_windows() -> None:
    trainer = make_trainer(pieces_of([14, 14, 14]))
    whole, some = (trainer.measure(trainer.pieces, 10.0, most) for most in (100, 3))
    assert whole is not None
    assert some is not None
    assert (whole.windows, some.windows) == (6, 3)
    accumulator = MetricAccumulator(3)
    add_windows(accumulator, trainer.network.eval(), trainer.pieces, [(0, 0), (1, 0), (2, 0)], SPEC)
    assert accumulator.scores(10.0) == some
    assert trainer.measure(pieces_of([6]), 10.0, 3) is None


@pytest.mark.parametrize("done", [0.15, 0.5])
def test_losses_of_parts_of_a_batch_add_up(monkeypatch: pytest.MonkeyPatch, done: float) -> None:
    """Two processes, each with a part of the batch, have the loss of one with all of it."""
    found = []
    for own in (slice(0, 2), slice(0, 1), slice(1, 2)):
        trainer = make_trainer(pieces_of([9, 7]))
        # Batch norm looks at the whole batch, which one process by itself does not have.
        trainer.network.eval()
        monkeypatch.setattr(trainer.network, "train", lambda: None)
        monkeypatch.setattr("vidgru.tasks.forecast.train_step.part", lambda size, own=own: own)
        found.append(trainer.step(done))
    assert found[0] == pytest.approx(found[1] + found[2], rel=1e-4)


def test_context_frames_are_forecast_at_first_only(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(pieces_of([9, 7]))
    network, counts = trainer.network, list[int]()
    learn = network.learn

    def counted(*args: Any, **options: Any) -> tuple[torch.Tensor, ...]:
        predicted, within, logits = learn(*args, **options)
        counts.append(within.shape[1])
        return predicted, within, logits

    monkeypatch.setattr(network, "learn", counted)
    for done in (0.0, 0.39, 0.41, 1.0):
        assert np.isfinite(trainer.step(done))
    assert counts == [2, 2, 0, 0]  # of 4


def test_a_network_that_only_copies_still_has_a_gradient() -> None:
    trainer = make_trainer(pieces_of([20, 20]))
    trainer.dtype = torch.float32  # where a processor has bfloat16, too
    last = trainer.network.choose[2]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([70.0, -30.0, -30.0, -30.0]))
    trainer.step(0.25)
    assert last.bias.grad.tolist() == pytest.approx([0.0035, -0.0015, -0.0015, -0.0015], rel=1e-3)
