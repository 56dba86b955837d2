"""Input and targets of motion: measured flow, and fields now and ahead."""

import math

import cv2
import numpy as np
import pytest
import torch
from motion_fields import alone
from motion_films import measured, shifting, texture

from vidgru.tasks.motion import training as motion_training
from vidgru.tasks.motion.fields import (
    MOVING_WEIGHT,
    PLACES,
    SCALE,
    SMOOTH,
    known_times,
    loss,
    read_outputs,
    targets,
)
from vidgru.tasks.motion.flow import MOVING
from vidgru.tasks.motion.flow_cache import measure
from vidgru.tasks.motion.footage import Footage, seen_through
from vidgru.tasks.motion.network import FIELDS, FIRST, OUTPUTS
from vidgru.tasks.motion.train_step import fields_of, pooled, random_parts

# Input: measured flow.


@pytest.mark.parametrize(("dx", "dy"), [(2.0, 0.0), (-1.5, 1.0), (0.0, -2.5)])
def test_the_flow_of_a_known_shift(dx: float, dy: float) -> None:
    frames = shifting(4, dx, dy)
    found = measure(frames[None], 12.5, 0.75).astype(np.float32)
    assert found.shape == (1, 4, 16, 16, 3)
    assert not found[0, 0].any()
    inner = found[0, 1:, 3:-3, 3:-3]
    wanted = np.array([dx, dy]) * 12.5 / 64  # widths/s, heights/s
    assert np.abs(np.median(inner[..., :2], (0, 1, 2)) - wanted).max() < 0.02
    assert inner[..., 2].min() == 1


def test_the_flow_belongs_to_the_frame_that_shows_it() -> None:
    # A picture that grows by a tenth: what is at p now was at p / 1.1, seen from the middle.
    picture, middle = texture(128, 1), 63.5
    grow = cv2.getRotationMatrix2D((middle, middle), 0, 1.1)
    frames = np.stack([picture, cv2.warpAffine(picture, grow, (128, 128))])
    found = measure(frames[None], 10.0, 1.0)[0, 1, 6:-6, 6:-6, :2].astype(float) * 128 / 10
    places = np.arange(6, 26) * 4 + 1.5 - middle
    for axis in (0, 1):
        mean = np.median(found[..., axis], axis=axis)
        slope = (mean * places).sum() / (places**2).sum()
        assert slope == pytest.approx(1 - 1 / 1.1, abs=0.004)  # not 0.1


def test_no_flow_between_pieces_of_a_clip() -> None:
    first, second = shifting(3, 1, 0, seed=1), shifting(3, 1, 0, seed=2)
    both = measure(np.stack([first, second]), 10.0, 1.0)
    assert not both[:, 0].any()
    assert np.array_equal(both[1], measure(second[None], 10.0, 1.0)[0])


def test_slow_is_still_and_down_counts_by_the_width() -> None:
    # Down by MOVING heights/s, of a picture half as high as wide, is half of MOVING in widths/s.
    step = 1.2 * MOVING * 64 / 10
    for aspect, wanted in ((1.0, True), (0.5, False)):
        found = measure(shifting(3, 0, step)[None], 10.0, aspect)[0, 2, 3:-3, 3:-3, 2]
        assert (np.median(found) > 0.5) == wanted


@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_a_part_of_the_picture_and_its_motion_fit(mirror: float) -> None:
    frames = shifting(3, 1.6, -0.8, side=128)
    # A turning field, so that places count, too.
    middle = (128 - 1) / 2
    turned = [
        cv2.warpAffine(
            frames[0], cv2.getRotationMatrix2D((middle, middle), -1.2 * t, 1), (128, 128),
            borderMode=cv2.BORDER_REFLECT,
        )
        for t in range(3)
    ]  # fmt: skip
    for clip in (frames, np.stack(turned)):
        fields = fields_of(measured(clip), 0, 3)
        view = torch.tensor([[0.75 * mirror, 0, 0.2], [0, 0.75, -0.15]])
        seen, shown = seen_through(view, clip, fields, 128)
        again = measure(seen[None], 10.0, 1.0)[0].astype(np.float32)
        inner = np.s_[2, 4:-4, 4:-4, :2]
        assert np.abs(shown[inner] - again[inner]).mean() < 0.01 < np.abs(again[inner]).mean() / 4
        assert np.array_equal(shown[..., 2:4], shown[..., :2])


def test_random_parts_lie_within_the_picture() -> None:
    views = random_parts(2000, torch.Generator().manual_seed(0))
    corners = torch.tensor([[x, y, 1.0] for x in (-1, 1) for y in (-1, 1)])
    reach = torch.einsum("bij,cj->bci", views, corners)
    assert 0.99 < reach.abs().max() <= 1 + 1e-6
    share = views[:, 1, 1]
    assert 0.75 <= share.min() < 0.76
    assert 0.45 < (share == 1).float().mean() < 0.55
    assert 0.99 < share[share < 1].max() < 1
    assert torch.equal(views[:, 0, 0].abs(), share)
    assert 0.45 < (views[:, 0, 0] < 0).float().mean() < 0.55


# Targets: fields now and ahead.


def test_targets_ahead_lie_between_frames() -> None:
    # A field that grows by 1 a frame, so that its value is the frame's number.
    fields = torch.arange(12.0).view(1, 12, 1, 1, 1).expand(2, 12, 3, 3, 2)
    rate = torch.tensor([10.0, 5.0])
    found = targets(fields, rate, 6)[..., 0, 0, 0]
    for clip, per_second in enumerate((10, 5)):
        for t in range(6):
            wanted = [min(t + h * per_second, 11) for h in (0, 0.25, 0.5, 1)]
            assert found[clip, t].tolist() == pytest.approx(wanted)
    known = known_times(torch.tensor([12, 7]), rate, 6)
    for clip, (per_second, length) in enumerate(((10, 12), (5, 7))):
        for t in range(6):
            wanted = [t >= 1 and t + h * per_second <= length - 1 for h in (0, 0.25, 0.5, 1)]
            assert known[clip, t].tolist() == wanted


def test_a_time_on_a_frame_survives_rounding() -> None:
    rate = torch.tensor([29.97 / 3], dtype=torch.float64)
    known = known_times(torch.tensor([8]), torch.tensor([12.0]), 8)
    assert known[0, :, 2].tolist() == [False, True, *[False] * 6]  # 1 + 0.5 * 12 = 7, the last
    assert targets(torch.arange(9.0).view(1, 9, 1, 1, 1), rate, 2).isfinite().all()


def make_batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    outputs = torch.randn(3, 5, OUTPUTS, 2, 2)
    target = torch.randn(3, 5, FIELDS, 2, 2, 3) * 0.3
    target[..., 2] = torch.rand(target.shape[:-1])
    known = torch.rand(3, 5, FIELDS) < 0.6
    return outputs, target, known, torch.tensor([0.5, 1.0, 1.8])


def test_the_loss_by_hand() -> None:
    outputs, target, known, aspect = make_batch()
    counts = known.sum(), known[..., 0].sum()
    found = loss(read_outputs(outputs), target, known, aspect, counts)
    x, y = outputs.double().numpy(), target.double().numpy()
    total, moving, asked, now = 0.0, 0.0, 0, 0
    for b, t, h in np.ndindex(3, 5, FIELDS):
        if not known[b, t, h]:
            continue
        asked += 1
        now += h == 0
        for i, j in np.ndindex(2, 2):
            out, true = x[b, t, :, i, j], y[b, t, h, i, j]
            chance = 1 / (1 + math.exp(-out[2 * FIRST + 1 + h]))
            density, ways = 0.0, []
            for first, share in ((0, chance), (FIRST + 1, 1 - chance)):
                u, v, log = out[first + 3 * h : first + 3 * h + 3]
                half = (0.2 * math.exp(min(max(log, -8), 4)) + 1e-3) / 2
                ways.append((0.2 * np.array([u, v]), 2 * half, share))
                du, dv = ways[-1][0] - true[:2]
                error = math.sqrt(du**2 + (dv * float(aspect[b])) ** 2 + SMOOTH**2)
                density += share * math.exp(-error / half) / (half / SCALE) ** 2
            (one, wide, _), (other, broad, _) = ways
            apart = np.linalg.norm(one - other)
            spread = min(
                chance * math.hypot(wide, part * apart)
                + (1 - chance) * math.hypot(broad, (1 - part) * apart)
                for part in np.linspace(0, 1, PLACES)
            )
            total -= math.sqrt(spread / SCALE) * math.log(density) / 4
            if h == 0:
                p, share = 1 / (1 + math.exp(-out[FIRST])), true[2]
                moving -= (share * math.log(p) + (1 - share) * math.log(1 - p)) / 4
    assert found.item() == pytest.approx(total / asked + MOVING_WEIGHT * moving / now, rel=1e-5)


def test_the_best_spread_is_the_mean_error() -> None:
    # Errors of this density have a mean length of twice its scale, and no other spread costs less.
    generator = np.random.default_rng(0)
    lengths = generator.gamma(2, 0.05, 20_000)  # |e| of exp(-|e| / s) / (2 pi s^2), s = 0.05
    errors = torch.from_numpy(lengths).float()
    target = torch.zeros(1, 1, FIELDS, 100, 200, 3)
    target[..., 0] = errors.view(100, 200)
    known = torch.ones(1, 1, FIELDS, dtype=torch.bool)

    def slope(value: float) -> float:
        spread = torch.tensor(value, requires_grad=True)
        predicted = alone(
            torch.zeros(1, 1, FIELDS, 100, 200, 2),
            spread.expand(1, 1, FIELDS, 100, 200),
            torch.zeros(1, 1, 100, 200),
        )
        counts = known.sum(), known[..., 0].sum()
        loss(predicted, target, known, torch.ones(1), counts).backward()
        assert spread.grad is not None
        return spread.grad.item()

    assert slope(0.097) < 0 < slope(0.103)
    assert lengths.mean() == pytest.approx(0.1, rel=0.02)


def test_of_two_things_the_likelier_is_predicted() -> None:
    # Stay with a spread of 0.02, or move on by 0.4 with one of 0.05.
    outputs = torch.zeros(OUTPUTS, 1, 1)
    outputs[0:FIRST:3] = 2.0  # x of the first
    outputs[2:FIRST:3] = math.log(0.05 / SCALE)
    outputs[FIRST + 3 : 2 * FIRST + 1 : 3] = math.log(0.02 / SCALE)
    for chance, wanted in ((0.95, 0.4), (0.8, 0.4), (0.3, 0.0), (0.05, 0.0)):
        outputs[-FIELDS:] = math.log(chance / (1 - chance))
        found = read_outputs(outputs)
        assert found.velocity[..., 0].flatten().tolist() == pytest.approx([wanted] * FIELDS)
        assert not found.velocity[..., 1].any()
        stays = 0.051 * chance + math.hypot(0.021, 0.4) * (1 - chance)
        goes = math.hypot(0.051, 0.4) * chance + 0.021 * (1 - chance)
        wanted = stays if chance > 0.5 else goes
        assert found.spread.flatten().tolist() == pytest.approx([wanted] * FIELDS, rel=1e-5)
        error = found.expected_error(torch.zeros_like(found.velocity))
        assert error.flatten().tolist() == pytest.approx([goes] * FIELDS, rel=1e-5)


def test_between_two_wide_ones_lies_the_middle() -> None:
    outputs = torch.zeros(OUTPUTS, 1, 1)
    outputs[0:FIRST:3] = 1.0
    outputs[FIRST + 1 : 2 * FIRST + 1 : 3] = -1.0
    assert not read_outputs(outputs).velocity.any()
    outputs[2:FIRST:3] = -2.0  # the narrower draws it near
    assert read_outputs(outputs).velocity[..., 0].min() > 0.1


def test_losses_of_parts_of_a_batch_add_up() -> None:
    outputs, target, known, aspect = make_batch()
    counts = known.sum(), known[..., 0].sum()
    whole = loss(read_outputs(outputs), target, known, aspect, counts)
    parts = [
        loss(read_outputs(outputs[own]), target[own], known[own], aspect[own], counts)
        for own in (slice(0, 1), slice(1, 3))
    ]
    assert sum(parts).item() == pytest.approx(whole.item(), rel=1e-6)  # type: ignore[union-attr]


def test_nothing_known_costs_nothing() -> None:
    outputs, target, known, aspect = make_batch()
    outputs.requires_grad_()
    none = torch.zeros_like(known)
    found = loss(read_outputs(outputs), target, none, aspect, (none.sum(), none.sum()))
    found.backward()
    assert found.item() == 0
    assert outputs.grad is not None
    assert not outputs.grad.any()


def test_footage_is_pooled_by_its_means() -> None:
    frames = np.zeros((2, 32, 32, 3), np.uint8)
    velocity = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype(np.float32)
    piece = Footage(frames, velocity, velocity[..., 0] > 0, -velocity, 10.0, 100, 50)
    found = pooled(fields_of(piece, 0, 2), 2).numpy()
    assert found.shape == (2, 2, 2, 5)
    assert np.allclose(found[..., 2:4], -found[..., :2])
    assert np.allclose(found[1, 0, 1, :2], velocity[1, :4, 4:].mean((0, 1)), atol=1e-6)
    assert np.allclose(found[1, 1, 0, 4], (velocity[1, 4:, :4, 0] > 0).mean(), atol=1e-6)
    assert piece.aspect == 0.5
    assert motion_training.VALIDATIONS >= 2
