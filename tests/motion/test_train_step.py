"""The batches that motion is trained on, and what is made of their outputs."""

import numpy as np
import pytest
import torch
from helpers import build
from motion_films import measured, shifting

from vidgru.data.augment import Augmentation
from vidgru.tasks.motion import train_step as motion_loop
from vidgru.tasks.motion.footage import Footage
from vidgru.tasks.motion.metrics import MetricAccumulator
from vidgru.tasks.motion.network import FIELDS
from vidgru.tasks.motion.scores import MotionScores
from vidgru.tasks.motion.spec import MotionSpec
from vidgru.tasks.motion.train_step import MotionTrainStep, follow
from vidgru.tasks.motion.training import fit_spread

SPEC = MotionSpec(task="motion", core="convgru", hidden=4, fps=10.0, frames=8, size=32)


def test_following_a_clip_in_pieces_is_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network, frames = build(SPEC).eval(), shifting(20, 4, 0, side=32)
    for parameter in network.parameters():
        parameter.data *= 2  # or the input of a new network hardly changes its output
    piece = measured(frames)
    whole = follow(network, piece)
    monkeypatch.setattr(motion_loop, "CHUNK", 7)
    for one, other in zip(whole, follow(network, piece), strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    assert whole.velocity.shape == (20, FIELDS, 2, 2, 2)


def test_the_spread_is_fitted_to_the_errors() -> None:
    torch.manual_seed(0)
    network, frames = build(SPEC).eval(), shifting(30, 1, 0, side=32)
    fields = torch.rand(30, 2, 2, 5)
    scores = []

    def measure() -> MotionScores:
        accumulator = MetricAccumulator()
        accumulator.add(follow(network, measured(frames)), fields, 10.0, 100, 100)
        scores.append(accumulator.scores())
        return scores[-1]

    assert fit_spread(network, measure) is scores[-1]
    for before, after in zip(scores[0].fields, scores[-1].fields, strict=True):
        assert before.spread is not None
        assert abs(before.spread - 1) > 0.2
        assert after.spread == pytest.approx(1, abs=0.02)
        assert after.widths == before.widths


def test_a_batch_shows_what_it_asks_about(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = shifting(40, 0.6, 0, side=32)
    footage, short = [measured(frames, 200)] * 2, measured(frames[:5])
    torch.manual_seed(0)
    trainer = MotionTrainStep(
        build(SPEC), [*footage, short, short], SPEC,
        batch_size=4, lr=1e-3, seed=1, device=torch.device("cpu"),
    )  # fmt: skip
    for _ in range(3):
        order = [*trainer._order]
        shown, flow, asked, known, rate, aspect = trainer._draw()
        assert shown.shape == (4, 8, 3, 32, 32)
        assert flow.shape == (4, 8, 8, 8, 2)
        # The input is the target, except in the first frame, which has none before it.
        assert not flow[:, 0].any()
        coarse = flow.view(4, 8, 2, 4, 2, 4, 2).mean((3, 5))
        assert torch.allclose(coarse[:, 1:5], asked[:, 1:5, ..., :2], atol=1e-6)
        assert rate.tolist() == [10.0] * 4
        # From the window's first frame to one second behind its last, where the clip goes on.
        assert asked.shape[1:] == (18, 2, 2, 3)
        for row in range(4):
            if aspect[row] == 0.5:
                assert known[row, 1:, 0].all()
                speed = asked[row, 1:8, ..., 0].abs().median() / (0.6 * 10 / 32)
                assert 0.95 < speed < 1.36  # larger where a part of the picture is shown
            else:
                assert known[row].sum(0).tolist() == [4, 1, 0, 0]
                # Repeated after its end, which has no targets.
                assert torch.equal(shown[row, 4], shown[row, 7])
                assert not known[row, 5:].any()
        assert not known[:, 0].any()
        assert order == []


def test_windows_and_fields_begin_together(monkeypatch: pytest.MonkeyPatch) -> None:
    # Brightness and what moves both give the number of the frame.
    number = np.arange(40, dtype=np.float32)
    frames = np.ones((40, 32, 32, 3), np.uint8) * number.astype(np.uint8)[:, None, None, None]
    moving = np.ones((40, 8, 8), np.float32) * number[:, None, None] / 40
    velocity = np.zeros((40, 8, 8, 2), np.float32)
    monkeypatch.setattr(motion_loop, "LIGHT", Augmentation())
    trainer = MotionTrainStep(
        build(SPEC), [Footage(frames, velocity, moving, velocity, 10.0, 100, 100)] * 4, SPEC,
        batch_size=4, lr=1e-3, seed=1, device=torch.device("cpu"),
    )  # fmt: skip
    starts = set()
    for _ in range(5):
        shown, _, asked, *_ = trainer._draw()
        seen = (shown[:, :, 0, 0, 0] * 0.25 + 0.45) * 255
        predicted = asked[:, :8, 0, 0, 2] * 40
        assert torch.allclose(seen, predicted, atol=0.01)
        assert torch.allclose(predicted - predicted[:, :1], torch.arange(8.0), atol=0.01)
        starts |= {round(start) for start in predicted[:, 0].tolist()}
    assert len(starts) > 8
    assert min(starts) >= 0
    assert max(starts) <= 32
