"""The windows that scenes are learned from, and what is measured of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from helpers import build
from scene_shots import FAMILIES, shot, window

from vidgru.tasks.scenes import train_step as scene_loop
from vidgru.tasks.scenes import transitions
from vidgru.tasks.scenes.finder import StreamingSceneDetector
from vidgru.tasks.scenes.metrics import count
from vidgru.tasks.scenes.model_file import load_scenes
from vidgru.tasks.scenes.reader import is_detectable, loss
from vidgru.tasks.scenes.scores import SceneTrainResult
from vidgru.tasks.scenes.shots import joined
from vidgru.tasks.scenes.spec import SceneSpec
from vidgru.tasks.scenes.train_step import THRESHOLDS, SceneTrainStep, find_ahead, read, stacked
from vidgru.tasks.scenes.transitions import Joined, join_shots

pytestmark = pytest.mark.usefixtures("small")

Run = SceneTrainResult
SPEC = SceneSpec("scenes", "gru", 64, 64, 32, 0.5)


def make_trainer(seed: int = 0, batch: int = 3) -> SceneTrainStep:
    torch.manual_seed(seed)
    return SceneTrainStep(
        build(SPEC), FAMILIES, SPEC, batch_size=batch, lr=1e-3, seed=seed,
        device=torch.device("cpu"),
    )  # fmt: skip


def test_every_parameter_learns() -> None:
    torch.manual_seed(1)
    network = build(SPEC)
    frames, *targets = stacked([window(seed, 64) for seed in range(8)])
    early, both = network(frames)
    boundary, inside, kind = targets
    (loss(both, boundary, inside, kind) + loss(early, boundary, inside, kind)).backward()  # type: ignore[no-untyped-call]
    for name, weights in network.named_parameters():
        assert weights.grad is not None, name
        assert weights.grad.abs().sum() > 0, name


def test_it_learns_from_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for share in ("DISTURBED", "PASSED", "DRIFTING", "PLAIN", "DARK"):  # too hard for 32 steps
        monkeypatch.setattr(transitions, share, 0.0)
    trainer = make_trainer()
    before = trainer.measure(FAMILIES, 8).loss
    for step in range(32):
        trainer.step(step / 32)
    after = trainer.measure(FAMILIES, 8).loss
    assert after < 0.9 * before


def test_windows_are_the_same_in_whatever_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    batches = []
    for threads in (1, 4):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        trainer = make_trainer(batch=6)
        batches.append([trainer._draw() for _ in range(3)])
    for one, other in zip(*batches, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(batches[0][0][0], batches[0][1][0])


def test_going_back_gives_the_same_windows() -> None:
    trainer = make_trainer()
    trainer._draw()
    state = trainer.state_dict()
    wanted = [trainer._draw() for _ in range(2)]
    trainer.load_state_dict(state)
    for batch in wanted:
        assert all(torch.equal(a, b) for a, b in zip(trainer._draw(), batch, strict=True))


def test_each_window_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer, made = make_trainer(), list[tuple[int, ...]]()
    real = trainer._join

    def join(shots: Any, seed: Sequence[int]) -> Joined:
        made.append(tuple(seed))
        return real(shots, seed)

    monkeypatch.setattr(trainer, "_join", join)
    for _ in range(3):
        trainer._draw()
    for coming in trainer._coming[1]:
        coming.result()
    assert len(made) == len(set(made)) == 4 * 3


def test_losses_of_parts_of_a_batch_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes, each with a part of the batch, have the loss of one with all of it."""
    found, kinds = [], []
    for own in (slice(0, 3), slice(0, 1), slice(1, 3)):
        trainer = make_trainer()
        # Batch norm looks at the whole batch, which one process by itself does not have.
        trainer.network.eval()
        monkeypatch.setattr(trainer.network, "train", lambda: None)
        monkeypatch.setattr(scene_loop, "part", lambda size, own=own: own)
        whole = kinds[0] if kinds else None
        monkeypatch.setattr(
            scene_loop, "total", lambda seen, whole=whole: seen if whole is None else whole
        )
        kind = make_trainer()._draw()[3]
        kinds.append(torch.tensor([kind.numel(), (kind >= 0).sum()]))
        found.append(trainer.step(0.5))
    assert kinds[0].tolist() == (kinds[1] + kinds[2]).tolist()
    assert found[0] == pytest.approx(found[1] + found[2], rel=1e-4)


class Knowing(torch.nn.Module):
    """Tells the truth about windows that it was shown before."""

    def __init__(self, windows: Sequence[Joined], sure: float) -> None:
        super().__init__()
        self.truth = {made.frames.tobytes(): made for made in windows}
        self.sure = sure

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        predicted = torch.full((*frames.shape[:2], 6), -9.0)
        for row, pixels in zip(predicted, frames, strict=True):
            made = self.truth[pixels.numpy().tobytes()]
            row[:, 1] = torch.from_numpy(18 * made.inside - 9)
            for boundary in made.boundaries:
                row[boundary.frame, 0] = self.sure
            known = made.kind >= 0
            row[known, 2 + made.kind[known]] = 9.0
        return predicted, predicted


@pytest.mark.parametrize("sure", [9.0, -0.5])
def test_who_knows_scores_best(sure: float) -> None:
    """Scores are those of what is told, at the best threshold; -0.5 is a chance of 0.38."""
    trainer = make_trainer()
    windows = [trainer._join(FAMILIES, (scene_loop.SEED, n)) for n in range(16)]
    trainer.network = Knowing(windows, sure)  # type: ignore[assignment]
    measured = trainer.measure(FAMILIES, 16)
    truth = [b for made in windows for b in made.boundaries if is_detectable(b, SPEC.frames)]
    exact = measured.scores.tolerances[0]
    assert len(truth) > 5
    # Of boundaries less than five frames apart, only one is told.
    assert exact.found >= 0.8 * len(truth)
    assert exact.false == 0
    assert measured.threshold == (0.5 if sure == 9 else 0.35)
    # Dissolves count from three quarters of it on.
    strict = trainer.measure(FAMILIES, 16, 0.55)
    assert strict.threshold == 0.55
    assert strict.scores.tolerances[0].found == (exact.found if sure == 9 else 0)
    assert strict.loss == measured.loss


def test_measuring_by_hand() -> None:
    trainer = make_trainer()
    measured = trainer.measure(FAMILIES, 5)
    losses, counts = [], np.zeros((len(THRESHOLDS), 3, 5), int)
    trainer.network.eval()
    for number in range(5):
        made = join_shots(np.random.default_rng((77, number)), FAMILIES, 64, 32)
        frames, *targets = stacked([made])
        with torch.no_grad():
            early, both = trainer.network(frames)
        boundary, inside, kind = targets
        losses.append(loss(both, boundary, inside, kind) + loss(early, boundary, inside, kind))
        for row, threshold in zip(counts, THRESHOLDS, strict=True):
            # What lies within 8 frames of the ends cannot be told, and does not count.
            predicted = [b for b in made.boundaries if b.start >= 8 and b.end <= 56]
            near = [b for b in made.boundaries if b not in predicted]
            found = [
                f for f in read(both[0], threshold)
                if not any(b.start - 2 <= f.frame <= max(b.end - 1, b.start) + 2 for b in near)
            ]  # fmt: skip
            row += count(found, predicted)
    assert measured.loss == pytest.approx(torch.stack(losses).mean().item(), rel=1e-4)
    own = counts[THRESHOLDS.index(measured.threshold)]
    assert [list(row.to_dict().values())[1:6] for row in measured.scores.tolerances] == own.tolist()
    right, missed, false = counts[:, 2, 0], counts[:, 2, 1], counts[:, 2, 2]
    assert measured.scores.f1 == pytest.approx((2 * right / (2 * right + missed + false)).max())


def test_forward_only_in_pieces_is_frame_by_frame(learned: Run) -> None:
    network = load_scenes(learned.run).network
    frames = list(joined([shot(n, 40) for n in range(4)], 0))
    detector, threshold = StreamingSceneDetector(network, 0.02), 0.02
    wanted = [boundary for frame in frames for boundary in detector.push(frame)]
    wanted += detector.finish()
    found = list(find_ahead(network, iter(frames), threshold))
    assert len(found) >= 1
    assert [b.frame for b in found] == [b.frame for b in wanted]
