"""The network at once, frame by frame, and in sliding windows: the same numbers."""

import pytest
import torch

from vidgru.nn.choices import CORES, INPUTS
from vidgru.nn.inputs import changes, normalise
from vidgru.tasks.classify import sliding
from vidgru.tasks.classify.build import AnyNetwork
from vidgru.tasks.classify.network import Network, NetworkConfig
from vidgru.tasks.classify.rows import RowsNetwork
from vidgru.tasks.classify.sliding import SlidingWindows
from vidgru.tasks.classify.spec import stride_of

ROWS = [core for core in CORES if core != "convgru"]
MAPS = ("convgru", "both")
BOTH = [
    *((core, "both") for core in CORES),
    ("gru", "diff"),
    ("gru", "rgb"),
    ("convgru", "diff"),
    ("convgru", "rgb"),
    *((core, "rows") for core in ROWS),
]


def network(core: str, seen: str, size: int = 32) -> AnyNetwork:
    torch.manual_seed(0)
    if seen == "rows":
        return RowsNetwork(NetworkConfig("rgb", core, 3, size=size)).eval()
    net = Network(NetworkConfig(seen, core, 3, 24 if core == "convgru" else 128, size=size))
    # Batch norms that have seen pictures: fresh ones would hide what flows through them.
    for _ in range(3):
        net.train()(torch.randn(4, 8, 3, size, size))
    return net.eval()


@pytest.mark.parametrize(("core", "seen"), BOTH)
def test_step_equals_forward_after_every_frame(core: str, seen: str) -> None:
    net = network(core, seen)
    clip = torch.randn(2, 11, 3, 32, 32)
    with torch.inference_mode():
        whole = net(clip)  # (B, T, 3)
        state = None
        for t in range(11):
            out, state = net.step(clip[:, t], state)
            torch.testing.assert_close(out, whole[:, t], rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [16, 33, 40, 47, 48, 49, 63])
def test_maps_of_any_size(size: int) -> None:
    net = network("convgru", "both", size)
    side = -(-size // 16)
    clip = torch.randn(1, 6, 3, size, size)
    with torch.inference_mode():
        whole, state = net(clip), None
        for t in range(6):
            out, state = net.step(clip[:, t], state)
        assert state is not None
        assert [s.shape for s in state.core] == [(1, 24, side, side)]
        torch.testing.assert_close(out, whole[:, -1], rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [33, 64])
def test_the_head_reads_mean_and_maximum_of_maps(size: int) -> None:
    net = network("convgru", "diff", size)
    clip = torch.randn(2, 4, 3, size, size)
    maps = net.trace(clip)["hidden"]  # (B, T, hidden, h, w)
    pooled = torch.cat([maps.flatten(3).mean(3), maps.flatten(3).max(3).values], 2).mean(1)
    with torch.inference_mode():
        expected = pooled @ net.head.weight.T + net.head.bias
        torch.testing.assert_close(net(clip)[:, -1], expected, rtol=0, atol=1e-5)


def test_dropout_takes_whole_channels_of_maps() -> None:
    net = network("convgru", "both", 48).train()
    kept = net._ready(torch.ones(5, 224, 3, 3) + torch.rand(5, 224, 3, 3)) != 0
    places = kept.flatten(2).sum(2)
    assert set(places.unique().tolist()) == {0, 9}
    assert places.eq(9).float().mean().item() == pytest.approx(0.6, abs=0.05)
    assert not torch.equal(kept[0], kept[1])


def test_still_ground_stays_below_what_moves() -> None:
    net = network("convgru", "diff")
    maps = 0.01 * torch.rand(1, 128, 3, 3)
    maps[:, :, 1, 1] = torch.rand(128)
    with torch.inference_mode():
        ready = net._ready(maps)
    spread = ready.std(dim=1)[0]
    assert spread[1, 1] > 30 * spread[0, 0]


def test_windows_of_many_values_are_decided_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net, frames = network("convgru", "both", 64), torch.randn(20, 3, 64, 64)
    whole = SlidingWindows(net, 8, 2).push(frames)
    seen, decide = [], net.decide
    monkeypatch.setattr(sliding, "TOGETHER", 3 * 8 * 128 * 4 * 4)
    monkeypatch.setattr(net, "decide", lambda *maps: [seen.append(len(maps[0])), decide(*maps)][1])
    few = SlidingWindows(net, 8, 2).push(frames)
    assert seen == [3, 3, 1]
    assert [(w.start, w.end) for w in few] == [(w.start, w.end) for w in whole]
    for one, other in zip(few, whole, strict=True):
        torch.testing.assert_close(one.output, other.output, rtol=0, atol=1e-5)


@pytest.mark.parametrize("count", [1, 3, 5, 12, 13, 30, 41])
@pytest.mark.parametrize(
    ("window", "stride"),
    [(4, None), (5, None), (12, None), (16, None), (12, 2), (16, 4), (5, 1), (6, 3)],
)
@pytest.mark.parametrize(("core", "seen"), [*(("gru", seen) for seen in INPUTS), MAPS])
def test_windows_equal_forward_on_their_frames(
    core: str, seen: str, window: int, stride: int | None, count: int
) -> None:
    side = 20 if core == "convgru" else 16
    net = network(core, seen, side)
    frames = torch.randn(count, 3, side, side)
    sliding = SlidingWindows(net, window, stride)
    found = []
    for start in range(0, count, 7):
        found += sliding.push(frames[start : start + 7])
    found += sliding.finish()
    covered = set()
    for item in found:
        covered |= set(range(item.start, item.end))
        with torch.inference_mode():
            expected = net(frames[None, item.start : item.end])[0, -1]
        torch.testing.assert_close(item.output, expected, rtol=0, atol=1e-5)
    # A last piece of less than half a window is left out, unless it is all there is.
    assert set(range(count - (window - 1) // 2 if count >= window else count)) <= covered
    full = [item.start for item in found if item.end - item.start == window]
    assert full == [s for s in range(0, count, stride or stride_of(window)) if s + window <= count]
    assert len(found) - len(full) <= 1


def test_windows_keep_a_bounded_number_of_features() -> None:
    sliding = SlidingWindows(network("gru", "both"), 16)
    sizes = []
    for _ in range(20):
        sliding.push(torch.randn(10, 3, 16, 16))
        assert sliding._main is not None
        sizes.append(len(sliding._main))
    assert max(sizes) <= 16 + 10 + 8


@pytest.mark.parametrize(("core", "seen"), BOTH)
def test_every_parameter_gets_a_gradient(core: str, seen: str) -> None:
    side = 32 if seen == "rows" else 64
    net = network(core, seen, side).train()
    net(torch.randn(2, 6, 3, side, side))[:, -1].square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_diff_sees_no_still_picture_and_rgb_does() -> None:
    still = torch.randn(1, 1, 3, 32, 32).expand(1, 6, 3, 32, 32)
    other = torch.randn(1, 1, 3, 32, 32).expand(1, 6, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(network("gru", "diff")(still), network("gru", "diff")(other))
        for seen in ("rgb", "both"):
            assert not torch.allclose(network("gru", seen)(still), network("gru", seen)(other))


def test_changes_are_twice_the_difference_now_and_before() -> None:
    clip = torch.randn(2, 4, 3, 5, 5)
    now, before = changes(clip).split(3, dim=2)
    assert (now[:, 0] == 0).all()
    torch.testing.assert_close(now[:, 1:], 2 * (clip[:, 1:] - clip[:, :-1]))
    assert (before[:, 0] == 0).all()
    assert torch.equal(before[:, 1:], now[:, :-1])


def test_pixels_are_normalised_and_planar() -> None:
    pixels = torch.randint(0, 256, (2, 5, 4, 6, 3), dtype=torch.uint8)
    planes = normalise(pixels)
    assert planes.shape == (2, 5, 3, 4, 6)
    expected = (pixels[1, 2, 3, 4] / 255 - 0.45) / 0.25
    torch.testing.assert_close(planes[1, 2, :, 3, 4], expected)


@pytest.mark.parametrize("core", CORES)
def test_trace_shows_what_the_core_did(core: str) -> None:
    clip = torch.randn(2, 5, 3, 32, 32)
    net = network(core, "both")
    seen = net.trace(clip)
    maps = (2, 2) if core == "convgru" else ()
    assert {value.shape for value in seen.values()} == {(2, 5, net.config.hidden, *maps)}
    if maps:
        return  # what the head makes of maps, see above
    means = seen["hidden"].cumsum(1) / torch.arange(1, 6).view(1, 5, 1)
    with torch.inference_mode():
        torch.testing.assert_close(net.head(means), net(clip), rtol=0, atol=1e-5)
    rows = network(core, "rows")
    seen = rows.trace(clip)
    assert {value.shape for value in seen.values()} == {(10, 32, rows.config.hidden)}
    with torch.inference_mode():
        outputs = rows.head(seen["hidden"][:, -1]).view(2, 5, 3)
        torch.testing.assert_close(outputs, rows(clip), rtol=0, atol=1e-5)


def test_rows_are_read_from_top_to_bottom_three_colours_a_pixel() -> None:
    net = network("gru", "rows")
    clip = torch.randn(1, 1, 3, 32, 32)
    rows, side = net.encode(clip)
    assert side is None
    pixel = 0.25 * clip[0, 0, :, 7, 5] + 0.45
    torch.testing.assert_close(rows[0, 0, 7, 3 * 5 : 3 * 5 + 3], pixel)
    assert [layer.out_features for layer in net.head if hasattr(layer, "out_features")] == [
        1024,
        512,
        3,
    ]


def test_windows_of_one_frame_are_all_the_frames() -> None:
    for net, side in ((network("gru", "rows"), 32), (network("gru", "rgb"), 16)):
        frames = torch.randn(9, 3, side, side)
        sliding = SlidingWindows(net, 1)
        found = [*sliding.push(frames[:4]), *sliding.push(frames[4:]), *sliding.finish()]
        assert [(item.start, item.end) for item in found] == [(n, n + 1) for n in range(9)]
        with torch.inference_mode():
            expected = net(frames[:, None])[:, 0]
        outputs = torch.stack([item.output for item in found])
        torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9])
def test_batches_come_in_few_sizes(count: int) -> None:
    net, sizes = network("gru", "rgb"), []

    def encoder(frames: torch.Tensor) -> torch.Tensor:
        sizes.append(len(frames))
        return net.main(frames)

    frames = torch.randn(count, 3, 16, 16)
    with torch.inference_mode():
        found = sliding._encoded(encoder, frames)
        assert len(found) == count
        assert sizes == [8 * -(-count // 8)] * (count > 0)
        for frame, features in zip(frames, found, strict=True):
            torch.testing.assert_close(net.main(frame[None])[0], features, rtol=0, atol=1e-5)
