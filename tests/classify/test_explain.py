"""Explanations: exact parts, maps that depend on the model and the clip, and refusals."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Done
from helpers import build, moving_squares, noise, save_model, write_clip
from torch import Tensor

import vidgru
from vidgru import Frames, TrainResult, VidgruError
from vidgru.core.results import run_to_end
from vidgru.tasks.classify.explain import analyse as analysing
from vidgru.tasks.classify.explain import explain as explaining
from vidgru.tasks.classify.explain.analyse import Analysis, analyse, smoothed
from vidgru.tasks.classify.explain.explain import hold_area, hold_frames, most_relevant
from vidgru.tasks.classify.explain.gates import KEPT_MAPS, gate_curves
from vidgru.tasks.classify.explain.occlusion import occlusion_maps, patch_masks
from vidgru.tasks.classify.explain.relevance import blurred, forward, odds, relevance_maps
from vidgru.tasks.classify.network import Network, NetworkConfig
from vidgru.tasks.classify.sliding import SlidingWindows, window_spans
from vidgru.tasks.classify.spec import ModelSpec

CORES = ("gru", "lstm", "rnn", "gated", "convgru")
INPUTS = ("both", "diff", "rgb")


def network_of(core: str, inputs: str, size: int = 32, update: str = "blend") -> Network:
    torch.manual_seed(3)
    network = Network(NetworkConfig(inputs, core, 3, 8, update, size)).eval()
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):  # as after training, not as new
            layer.running_mean = 0.3 * torch.randn(len(layer.weight))
            torch.nn.init.uniform_(layer.bias, -0.3, 0.3)
    return network


def clip_of(frames: int, seed: int = 0, side: int = 32) -> Tensor:
    return torch.randn(frames, 3, side, side, generator=torch.Generator().manual_seed(seed))


def analysis(
    network: Network, clip: Tensor, label: int = 0, window: int = 8, occlude: bool = False
) -> Analysis:
    steps = analyse(
        network, lambda a, b: clip[a:b], len(clip), window, lambda _: label, None, occlude
    )
    return run_to_end(steps)


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("inputs", INPUTS)
def test_parts_of_frames_sum_to_the_logits(
    core: str, inputs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = network_of(core, inputs)
    monkeypatch.setattr(analysing, "KEPT", 100)
    for frames in (3, 8, 21, 150):  # shorter than a window, one, several, many batches
        clip = clip_of(frames)
        found = analysis(network, clip)
        sliding = SlidingWindows(network, 8)
        outputs = torch.stack([w.output for w in [*sliding.push(clip), *sliding.finish()]])
        assert found.outputs.shape == outputs.shape
        torch.testing.assert_close(found.outputs, outputs, atol=1e-5, rtol=0)
        assert found.contributions.shape == (frames, 3)
        total = found.contributions.double().sum(0)
        torch.testing.assert_close(total, outputs.mean(0).double(), atol=1e-5, rtol=0)


def test_what_a_frame_adds_is_that_of_the_running_outputs() -> None:
    network, clip = network_of("gru", "both"), clip_of(8)
    with torch.no_grad():
        means = network(clip[None])[0]
    totals = means * torch.arange(1, 9)[:, None]
    own = torch.diff(totals, dim=0, prepend=torch.zeros(1, 3)) / 8
    torch.testing.assert_close(analysis(network, clip).contributions, own, atol=1e-5, rtol=0)


@pytest.mark.parametrize("window", [1, 4, 7, 16])
def test_windows_are_those_of_a_prediction(window: int) -> None:
    network = network_of("rnn", "rgb", 16)
    for frames in range(1, 50):
        sliding, clip = SlidingWindows(network, window), clip_of(frames, side=16)
        found = [*sliding.push(clip), *sliding.finish()]
        assert window_spans(frames, window) == [(one.start, one.end) for one in found]


@pytest.mark.parametrize(
    ("core", "update", "names"),
    [
        ("gru", "blend", {"reset", "update", "kept"}),
        ("convgru", "blend", {"reset", "update", "kept"}),
        ("lstm", "blend", {"input", "forget", "output", "kept"}),
        ("gated", "blend", {"input", "forget", "update", "output", "kept"}),
        ("gated", "printed", {"input", "forget", "update", "output", "kept"}),
        ("rnn", "blend", set()),
    ],
)
def test_gates(core: str, update: str, names: set[str]) -> None:
    network, clips = network_of(core, "both", update=update), clip_of(6)[None]
    traced = network.trace(clips)
    found = gate_curves(network, forward(network, clips).read)
    if core == "convgru":
        kept_maps = found.pop(KEPT_MAPS)
        torch.testing.assert_close(kept_maps, traced["update"].mean(2))
        torch.testing.assert_close(kept_maps.flatten(2).mean(2), found["kept"])
    assert {*found} == names
    for name in names - {"kept"}:
        torch.testing.assert_close(found[name], traced[name].flatten(2).mean(2))
    if core == "gated":
        mixed = traced["update"] * traced["forget"] + 1 - traced["update"]
        kept = mixed if update == "blend" else traced["forget"]
        # It is what goes from the old cell state into the new one.
        gain = traced["input"] * traced["candidate"]
        gain = traced["update"] * gain if update == "blend" else gain
        old, new = traced["cell"][:, :-1], traced["cell"][:, 1:]
        torch.testing.assert_close(kept[:, 1:] * old + gain[:, 1:], new)
        torch.testing.assert_close(found["kept"], kept.mean(2))


@pytest.mark.parametrize("core", ["gru"])
@pytest.mark.parametrize("inputs", INPUTS)
def test_maps_sum_to_what_the_clip_changes(core: str, inputs: str) -> None:
    network, clips = network_of(core, inputs).double(), clip_of(10)[None].double()
    direction = torch.tensor([[1.0, -1.0, 0.0]], dtype=torch.float64)
    passed = forward(network, clips)
    # The same clip where nothing changes, and only blotches are shown.
    frames = blurred(clips[0])[None]
    plain = forward(network, frames if inputs != "diff" else frames[:, :1].repeat(1, 10, 1, 1, 1))
    if inputs == "both":
        side = network.encode(frames)[1]
        main = network.main(torch.zeros(10, 6, 32, 32).double())[None]
        logits = network.decide(main, side)[:, -1].detach()
    else:
        logits = plain.contributions.sum(1)
    maps, strength = relevance_maps(network, passed, direction, steps=300)
    difference = float(((passed.contributions.sum(1) - logits) * direction).sum())
    assert abs(difference) > 1e-5
    assert float(maps.sum()) == pytest.approx(difference, rel=0.03)
    assert len(strength) == (2 if inputs == "both" else 1)


def test_the_direction_is_that_of_the_odds() -> None:
    logits = torch.tensor([[2.0, 1.0, -1.0]])
    assert odds(logits, 1, 0).tolist() == [[-1, 1, 0]]
    weights = odds(logits, 0, None)[0]
    weights_of_others = logits[0, 1:].softmax(0)
    torch.testing.assert_close(weights, torch.cat([torch.ones(1), -weights_of_others]))


@pytest.mark.parametrize("occlude", [False, True], ids=["gradient", "occlusion"])
def test_where_nothing_changes_nothing_is_relevant(occlude: bool) -> None:
    network = network_of("gru", "diff", 64)
    still = clip_of(1, side=64).repeat(8, 1, 1, 1)
    moving = still.clone()
    moving[:, :, 40:52, 8:20] = clip_of(8, 1, 12)
    assert float(analysis(network, still, occlude=occlude).maps.abs().max()) < 1e-5
    found = max(
        (analysis(network, moving, label, occlude=occlude).maps.sum(0) for label in range(3)),
        key=lambda maps: float(maps.max()),
    )
    row, column = divmod(int(found.argmax()), 16)
    assert 9 <= row <= 13
    assert column <= 5
    far = found[:6].sum() + found[:, 10:].sum()
    assert float(far) < 0.05 * float(found.sum())


def test_occlusion_is_what_hiding_and_showing_a_patch_change() -> None:
    network, clip, direction = network_of("gru", "rgb"), clip_of(6), torch.tensor([1.0, -0.5, 0.2])
    found = torch.cat(list(occlusion_maps(network, clip, direction)))
    plain, masks = blurred(clip), patch_masks(32)
    expected = []
    with torch.no_grad():

        def score(frames: Tensor) -> float:
            return float(network(frames[None])[0, -1] @ direction)

        for stretch in (slice(0, 4), slice(4, 6)):
            for mask in masks:
                hidden, shown = clip.clone(), plain.clone()
                hidden[stretch] = plain[stretch] * mask + clip[stretch] * (1 - mask)
                shown[stretch] = clip[stretch] * mask + plain[stretch] * (1 - mask)
                change = score(clip) - score(hidden) + score(shown) - score(plain)
                expected.append(change / 2)
    maps = torch.tensor(expected).view(1, 2, 8, 8)
    maps = torch.nn.functional.interpolate(maps, (16, 16), mode="bilinear")[0]
    torch.testing.assert_close(found, maps[[0, 0, 0, 0, 1, 1]], rtol=0, atol=1e-5)


def test_smoothing_keeps_a_constant_and_spreads_a_point() -> None:
    torch.testing.assert_close(smoothed(torch.full((9, 4, 5), 2.0)), torch.full((9, 4, 5), 2.0))
    point = torch.zeros(9, 5, 5)
    point[4, 2, 2] = 1
    found = smoothed(point)
    assert int(found.argmax()) == int(point.argmax())
    assert found[3, 2, 2] == pytest.approx(float(found[5, 2, 2]))
    assert 0 < found[4, 1, 2] < found[4, 2, 2]


def test_what_is_held_still() -> None:
    frames = noise(10, 8, 8)
    held = np.zeros(10, bool)
    held[[0, 4, 5]] = True
    assert (hold_frames(frames, held) == frames[[1, 1, 2, 3, 3, 3, 6, 7, 8, 9]]).all()
    assert (hold_frames(frames, np.ones(10, bool)) == frames[:1]).all()
    area = np.zeros((4, 4), bool)
    area[1, 3] = True
    found = hold_area(frames, area)
    assert (found[:, 2:4, 6:8] == frames[:1, 2:4, 6:8]).all()
    changed = (found != frames).any((0, 3))
    assert {*zip(*np.nonzero(changed), strict=True)} == {(2, 6), (2, 7), (3, 6), (3, 7)}
    relevance = np.arange(40, dtype=np.float32) % 17
    chosen = most_relevant(relevance)
    assert chosen.sum() == 4
    assert relevance[chosen].min() >= relevance[~chosen].max()


@pytest.fixture(scope="module")
def square(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moving_squares(tmp_path_factory.mktemp("square") / "right.avi", 2, 77)


def test_of_a_trained_model(trained: TrainResult, square: Path) -> None:
    model = vidgru.load(trained.run)
    found, said = model.explain(square), model.predict(square)
    assert found.label == said.likeliest
    assert found.prediction.probabilities == pytest.approx(said.probabilities, abs=1e-6)
    assert len(found.seconds) == said.frames == len(found.maps) == len(found.relevance)
    assert sum(found.relevance) == pytest.approx(1, abs=1e-5)
    assert float(found.maps.min()) >= 0
    assert float(found.maps.max()) == 1
    assert sum(found.curve("left")) == pytest.approx(found.logits[0], abs=1e-5)
    again = model.explain(square)
    assert (again.maps == found.maps).all()
    assert again == found
    plain = found.to_dict()
    assert plain["contributions"].keys() == plain["logits"].keys() == {"left", "right"}
    assert np.asarray(plain["maps"]).shape == found.maps.shape
    # The square is where it says: its rows are those that move.
    other = next(label for label in model.spec.labels if label != found.label)
    against = model.explain(square, label=other, against=found.label)
    assert (against.label, against.against) == (other, found.label)
    assert abs(np.corrcoef(against.maps.ravel(), found.maps.ravel())[0, 1]) < 0.99


def test_other_weights_give_other_maps(trained: TrainResult, square: Path) -> None:
    model, other = vidgru.load(trained.run), vidgru.load(trained.run)
    torch.manual_seed(1)
    for parameter in other.network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.kaiming_uniform_(parameter)
    one, two = (m.explain(square, label="right").maps.ravel() for m in (model, other))
    assert np.corrcoef(one, two)[0, 1] < 0.6


def test_frames_in_memory_and_a_single_frame(trained: TrainResult) -> None:
    model = vidgru.load(trained.run)
    found = model.explain(Frames(noise(1), 10, "one"))
    assert (len(found.seconds), found.source, len(found.maps)) == (1, "one", 1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"label": "up"}, "does not know the class 'up'. It knows 'left', 'right'."),
        ({"against": "up"}, "does not know the class 'up'."),
        ({"label": "left", "against": "left"}, "against 'left' is the explained class: give"),
        ({"method": "magic"}, "Invalid method 'magic'. Choose one of: gradient, occlusion."),
    ],
)
def test_a_question_without_an_answer(
    trained: TrainResult, square: Path, options: dict[str, str], sentence: str
) -> None:
    with pytest.raises(VidgruError, match=sentence.replace(".", r"\.")):
        vidgru.load(trained.run).explain(square, **options)


def test_why_not_the_predicted_class_needs_another(trained: TrainResult, square: Path) -> None:
    model = vidgru.load(trained.run)
    with pytest.raises(VidgruError, match="is the predicted class: choose which to explain, too"):
        model.explain(square, against=model.predict(square).likeliest)


def test_a_video_that_is_too_long(
    trained: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "MAX_FRAMES", 10)
    path = write_clip(tmp_path / "a.avi", noise(30), 10)
    with pytest.raises(VidgruError, match="is longer than 1 s, the most that can be explained"):
        vidgru.load(trained.run).explain(path)


def test_rows_are_refused(tmp_path: Path) -> None:
    spec = ModelSpec("classify", ("a", "b"), "rgb", "gru", 8, 10, 1, 16, "rows")
    save_model(tmp_path / "rows.safetensors", build(spec).state_dict(), spec, {})
    with pytest.raises(VidgruError, match="reads rows of pixels: only a model of encoder cnn"):
        vidgru.load(tmp_path / "rows.safetensors").explain(Frames(noise(1), 10))


def test_a_broken_source_is_one_sentence(
    trained: TrainResult, square: Path, tmp_path: Path, vidgru: Callable[..., Done]
) -> None:
    (tmp_path / "no.mp4").write_text("no video")
    out = tmp_path / "out"
    done = vidgru("explain", tmp_path / "no.mp4", square, "--model", trained.run, "-o", out, "-q")
    assert done.code == 1
    errors = [line for line in done.err.splitlines() if "There is no ffmpeg" not in line]
    assert len(errors) == 1
    assert errors[0].startswith(f"Error: Cannot read {tmp_path / 'no.mp4'}")
    assert (out / "right" / "explanation.html").is_file() or list(out.glob("*/explanation.html"))
