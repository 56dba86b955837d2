"""The generated clips from which the initial weights of classifiers are learned."""

import math

import numpy as np
import pytest
import torch
from drawn_actions import ALL, FRAMES, KINDS, SIDE, make_clip
from make_encoder import HEADS, Clips, Learner, as_seen, total

CLIPS = 48


@pytest.fixture(scope="module")
def clips() -> Clips:
    return Clips((make_clip(9, number) for number in range(CLIPS)), CLIPS)


def test_the_same_number_is_the_same_clip(clips: Clips) -> None:
    frames, facts = make_clip(9, 7)
    assert frames.shape == (FRAMES, SIDE, SIDE, 3)
    assert np.array_equal(frames, clips.frames[7])
    assert np.array_equal(facts.track, clips.facts[7].track)
    assert not np.array_equal(make_clip(10, 7)[0], frames)


def test_clips_show_many_things_that_move(clips: Clips) -> None:
    assert len({facts.kind for facts in clips.facts}) >= 9
    for facts in clips.facts:
        assert ALL[facts.action][0] == KINDS[facts.kind]
        assert facts.shown == (KINDS[facts.kind] not in ("medium", "camera"))
        assert facts.tilt @ facts.tilt == pytest.approx(float(facts.shown))
    moved = [np.ptp(frames.astype(float), axis=0).max() for frames in clips.frames]
    assert np.mean(np.array(moved) > 20) > 0.9


def test_the_track_is_where_the_figure_is() -> None:
    """Before a still camera what changes most lies around the middle of what moves."""
    near, across = [], []
    for number in range(300):
        rng = np.random.default_rng([9, number])
        if rng.random() >= 0.5 or ALL[int(rng.integers(len(ALL)))][0] not in ("shape", "craft"):
            continue
        frames, facts = make_clip(9, number)
        for k in range(1, FRAMES):
            x, y = facts.track[k, :2]
            if facts.camera != 0 or not 0.1 < min(x, y) < max(x, y) < 0.9 or abs(x - y) < 0.2:
                continue
            change = np.abs(frames[k].astype(float) - frames[k - 1]).sum(-1) ** 3
            if not change.any():
                continue
            rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
            seen = (columns * change).sum() / change.sum(), (rows * change).sum() / change.sum()
            near.append(math.dist(seen, (x, y)))
            across.append(math.dist(seen, (y, x)))
    assert len(near) > 5
    assert np.median(near) < 0.2
    assert np.median(near) < 0.6 * np.median(across)


def test_facts_follow_the_view(clips: Clips) -> None:
    facts, spans = clips.facts[:8], [slice(0, 8)] * 8
    straight = torch.tensor([[1.0, 0, 0], [0, 1, 0]]).expand(8, 2, 3)
    mirrored = torch.tensor([[-1.0, 0, 0], [0, 1, 0]]).expand(8, 2, 3)
    closer = torch.tensor([[0.5, 0, 0.2], [0, 0.5, 0]]).expand(8, 2, 3)
    plain, other, near = (
        as_seen(facts, spans, view, torch.arange(3).repeat(8, 1))
        for view in (straight, mirrored, closer)
    )
    inside = (plain["place"].abs() < 0.9).all(-1) & (near["place"].abs() < 1.9).all(-1)
    assert inside.any()
    flip = torch.tensor([-1.0, 1, 1])
    assert torch.allclose(other["place"][inside], plain["place"][inside] * flip)
    assert torch.equal(other["facing"] - 1, 1 - plain["facing"])
    assert torch.equal(other["turning"], -plain["turning"])
    assert torch.allclose(
        other["camera_motion"], plain["camera_motion"] * torch.tensor([-1.0, 1, 1, -1])
    )
    expected = (plain["place"][..., :2] - torch.tensor([0.2, 0])) * 2
    assert torch.allclose(near["place"][..., :2][inside], expected[inside])
    larger = plain["place"][..., 2] + math.log(2)
    assert torch.allclose(near["place"][..., 2][inside], larger[inside], atol=1e-5)


def test_a_network_learns_from_them(clips: Clips) -> None:
    torch.manual_seed(0)
    learner, generator = Learner(), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(learner.parameters(), 2e-3)
    losses = []
    for _ in range(12):
        loss, logits = learner(clips.windows(range(6), generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert logits.shape == (6, HEADS["action"])
    assert np.mean(losses[-3:]) < 0.85 * losses[0]
    assert total([torch.ones(()), torch.ones(())]) == 2
