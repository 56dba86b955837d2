"""The network of forecasts: clips at once and frame by frame, and what it learns."""

import pytest
import torch
from forecast_clips import clip_of
from torch.nn import functional

from vidgru.tasks.forecast.metrics import loss
from vidgru.tasks.forecast.network import KNOWN, WAYS, ForecastNetwork, without_traces


def network(channels: int = 3, size: int = 32) -> ForecastNetwork:
    torch.manual_seed(1)
    return ForecastNetwork(size, 8, channels).eval()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_clip_at_once_is_frame_by_frame(channels: int) -> None:
    net, clip = network(channels), clip_of(2, 6, channels)
    state, predicted = None, []
    with torch.no_grad():
        for frame in clip.unbind(1):
            state = net.observe(frame, state)
        assert state is not None
        for _ in range(4):
            predicted.append(net.predict(state))
            state = net.observe(predicted[-1], state)
        assert torch.allclose(net(clip, 4), torch.stack(predicted, dim=1), atol=1e-5)


def test_reading_continues_where_it_stopped() -> None:
    net, clip = network(), clip_of(2, 7)
    with torch.no_grad():
        whole, parts = net.read(clip), net.read(clip[:, 3:], net.read(clip[:, :3]))
    for one, other in zip(
        (whole.frame, whole.change, *whole.fine, *whole.coarse),
        (parts.frame, parts.change, *parts.fine, *parts.coarse),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-5)


def test_states_move_along_with_what_moves() -> None:
    net, side = network(), 8  # a cell is 4 pixels
    states, xs = torch.rand(2, 8, side, side), torch.rand(2, net.fine.input_size, side, side)
    right, still = torch.zeros(2, 2, side, side), torch.zeros(2, 2, side, side)
    right[:, 0] = 2 / side  # by one cell
    shifted = torch.cat([states[..., :1], states[..., :-1]], dim=-1)
    with torch.no_grad():
        found = net._recur(net.fine, xs, (states,), right)
        assert torch.allclose(found, net._recur(net.fine, xs, (shifted,), still), atol=1e-6)
        assert torch.allclose(found[:, 0], net.fine(xs, (shifted,))[0], atol=1e-6)


def test_what_moves_to_the_right_takes_its_state_along() -> None:
    net = network(1)
    texture = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    seen: list[torch.Tensor] = []
    recur = net._recur
    net._recur = lambda cell, xs, state, shifts: (  # type: ignore[method-assign]
        seen.append(shifts),
        recur(cell, xs, state, shifts),
    )[1]
    with torch.no_grad():
        net.read(torch.stack([texture, texture.roll(2, 3)], dim=1))
    fine, coarse = seen
    # Nothing moves before the first frame, then two pixels of the 32 that are 2 wide.
    for frame, right in ((0, 0.0), (1, 2 * 2 / 32)):
        apart = fine[frame, :, 2:-2, 2:-2] - torch.tensor([right, 0.0]).view(2, 1, 1)
        assert apart.abs().max() < 0.02
    assert torch.allclose(coarse, functional.avg_pool2d(fine, 2))


def test_what_stands_still_is_forecast_to_the_bit() -> None:
    frame = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    trace, change = torch.full_like(frame, 0.45 / 255), torch.zeros_like(frame)
    change[:, 1, :8, :8] = 0.1
    shown = without_traces(frame, frame + trace + change)
    assert torch.equal(shown[..., 12:, 12:], frame[..., 12:, 12:])
    assert torch.allclose(shown[0, 1, :4, :4], (frame + trace + change)[0, 1, :4, :4], atol=1e-4)
    assert torch.equal(without_traces(frame, frame), frame)
    for step in (0.2, 0.5, 0.6, 1.0, 20.0):  # grey levels
        expected = frame + step / 255 * max(0, 1 - 0.25 / step**2)
        assert torch.allclose(without_traces(frame, frame + step / 255), expected, atol=1e-6)


def test_a_step_predicts_the_next_frame() -> None:
    net, clip = network(), clip_of(1, 3)
    state = None
    with torch.no_grad():
        for frame in clip.unbind(1):
            predicted, state = net.step(frame, state)
        assert torch.allclose(predicted, net(clip, 1)[:, 0], atol=1e-5)


def test_true_frames_replace_forecast_ones() -> None:
    net, clip = network(), clip_of(2, 8)
    context, true = clip[:, :4], clip[:, 4:]
    shown = torch.zeros(2, 4, dtype=torch.bool)
    shown[1] = True
    with torch.no_grad():
        predicted, free = net.learn(context, 4, true, shown)[0], net(context, 4)
        assert torch.allclose(predicted[0], free[0], atol=1e-6)
        for ahead in range(4):
            one = net(clip[1:, : 4 + ahead], 1)[:, 0]
            assert torch.allclose(predicted[1:, ahead], one, atol=1e-5)
    assert not torch.allclose(predicted[1, 1:], free[1, 1:], atol=1e-4)


def test_pixels_stay_between_0_and_1() -> None:
    net = network()
    with torch.no_grad():
        for weights in net.parameters():
            weights.mul_(5)
        predicted = net(clip_of(1, 4).round(), 5)
    assert predicted.min() >= 0
    assert predicted.max() <= 1 + 1e-6


def test_copies_move_where_their_fields_say() -> None:
    """With a field of one cell to the right, what is 4 pixels to the right comes here."""
    net, frame = network(1), clip_of(1, 1, 1)
    with torch.no_grad():
        net.move.bias.copy_(torch.tensor([1.0, 0.0] * WAYS))  # type: ignore[union-attr]
        net.choose[2].weight.zero_()  # type: ignore[operator, union-attr]
        net.choose[2].bias.copy_(torch.tensor([-50.0] + [50.0] * WAYS + [-50.0]))  # type: ignore[operator, union-attr]
        predicted = net(frame, 1)[0, 0, 0]
    assert torch.allclose(predicted[:, :28], frame[0, 0, 0, :, 4:], atol=1e-4)
    assert torch.allclose(predicted[:, 28:], frame[0, 0, 0, :, 31:].expand(-1, 4), atol=1e-4)


def test_norms_are_trained_on_context_frames_alone() -> None:
    clip, kept = clip_of(2, 4), []
    for ahead in (1, 5):
        net = network().train()
        net(clip, ahead)
        kept.append({name: value.clone() for name, value in net.named_buffers()})
        assert all(module.training for module in net.modules())
    assert all(torch.equal(value, kept[1][name]) for name, value in kept[0].items())
    assert any("running_mean" in name and value.abs().sum() > 0 for name, value in kept[0].items())


def test_what_is_still_stays_to_the_bit() -> None:
    net, frame = network(3), clip_of(1, 1)
    with torch.no_grad():
        net.choose[2].weight.zero_()  # type: ignore[operator, union-attr]
        net.choose[2].bias.copy_(torch.tensor([200.0] + [-200.0] * (WAYS + 1)))  # type: ignore[operator, union-attr]
        assert torch.equal(net(frame, 4), frame.expand(-1, 4, -1, -1, -1))


def test_at_first_the_next_frame_is_nearly_the_last() -> None:
    net, clip = network(), functional.avg_pool2d(clip_of(1, 6).flatten(0, 1), 5, 1, 2)
    with torch.no_grad():
        logits = net._blend(net.read(clip.view(1, 6, 3, 32, 32)))[1].softmax(1).mean((0, 2, 3))
        # About 1, 0, 0 and -2: what the network does not see yet has little to say.
        assert torch.allclose(logits, torch.tensor([1.0, 0, 0, -2]).softmax(0), atol=0.15)
        assert net.move.bias.abs().max() < 0.4  # cells


def test_the_size_is_that_of_all_logits() -> None:
    net, clip, true = network(), clip_of(2, 5), clip_of(2, 3)
    kept = list[torch.Tensor]()
    net.choose.register_forward_hook(lambda module, given, found: kept.append(found.double()))
    with torch.no_grad():
        size = net.learn(clip, 3, true, torch.zeros(2, 3, dtype=torch.bool))[2]
    assert [len(one) for one in kept] == [6, 2, 2, 2]  # of context frames, then of those ahead
    assert size == pytest.approx(float(sum((one**2).mean() for one in kept) / 4), rel=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_parameter_learns(channels: int) -> None:
    net = network(channels).train()
    with torch.no_grad():
        net.move.weight.normal_(std=0.1)  # it begins at zero, through which nothing passes
    loss(net(clip_of(2, 4, channels), 3), clip_of(2, 3, channels)).backward()  # type: ignore[no-untyped-call]
    for name, weights in net.named_parameters():
        assert weights.grad is not None, name
        assert weights.grad.abs().sum() > 0, name


@pytest.mark.parametrize("frames", [1, 2, 3, 6])
def test_context_frames_are_forecast_from_those_before(frames: int) -> None:
    net, clip, true = network(), clip_of(2, frames), clip_of(2, 3)
    shown = torch.tensor([[True, False, True], [False, True, False]])
    with torch.no_grad():
        within = net.learn(clip, 3, true, shown)[1]
        assert within.shape == (2, max(0, frames - KNOWN), 3, 32, 32)
        for number in range(within.shape[1]):
            one = net(clip[:, : KNOWN + number], 1)[:, 0]
            assert torch.allclose(within[:, number], one, atol=1e-5)
