"""Learning to foresee frames: the network, its measures, and from folders to a model file."""

import csv
import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from conftest import Done
from helpers import build, noise, save_model, write_clip
from numpy.typing import NDArray

from vidgru import TrainResult, evaluate, train
from vidgru.core.errors import DataError, ModelError, OptionError
from vidgru.data.cache import Sampling
from vidgru.data.folder import Clip, read_videos
from vidgru.engine.initial_weights import InitialWeights
from vidgru.engine.model_file import load_checkpoint
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.forecast import task as forecast_task
from vidgru.tasks.forecast.metrics import COPY, MODEL, Tally, errors, guesses, loss, ssim
from vidgru.tasks.forecast.model_file import load_forecast
from vidgru.tasks.forecast.network import WAYS, ForecastNetwork
from vidgru.tasks.forecast.options import ForecastTrainConfig
from vidgru.tasks.forecast.score_tables import show_forecast_evaluation, show_forecast_training
from vidgru.tasks.forecast.scores import (
    ForecastEvaluation,
    ForecastScores,
    ForecastTrainResult,
    FrameErrors,
    HorizonScores,
)
from vidgru.tasks.forecast.spec import ForecastSpec, forecast_frames
from vidgru.tasks.forecast.task import TASK, is_grey
from vidgru.tasks.forecast.train_step import LUMA, ForecastTrainer, add_windows, as_clip, windows
from vidgru.tasks.forecast.training import ForecastTraining
from vidgru.tasks.registry import load as load_any
from vidgru.tasks.registry import train_config
from vidgru.terminal.results import figure

Vidgru = Callable[..., Done]
Run = ForecastTrainResult
SPEC = ForecastSpec("forecast", "convgru", 8, 10.0, 4, 3, 32, 3)
OPTIONS = ("--task", "forecast", "--size", 32, "--frames", 4, "--ahead", 3, "--batch-size", 4,
           "--threads", 1, "--epochs", 3)  # fmt: skip


def network(channels: int = 3, size: int = 32) -> ForecastNetwork:
    torch.manual_seed(1)
    return ForecastNetwork(size, 8, channels).eval()


def clip_of(batch: int, frames: int, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.rand(batch, frames, channels, 32, 32, generator=generator)


def ball(path: Path, seed: int, count: int = 14, color: bool = True) -> Path:
    """Write a clip of a ball that crosses a still, smooth ground."""
    rng = np.random.default_rng(seed)
    rough = rng.integers(40, 120, (5, 5, 3 if color else 1), dtype=np.uint8)
    ground = cv2.resize(rough, (32, 32), interpolation=cv2.INTER_CUBIC).reshape(32, 32, -1)
    start, speed = rng.uniform(8, 24, 2), rng.choice([-2.0, 2.0], 2)
    frames = np.empty((count, 32, 32, 3), np.uint8)
    for number, frame in enumerate(frames):
        frame[:] = ground
        x, y = ((start + number * speed) % 32).astype(int).tolist()
        cv2.circle(frame, (x, y), 4, (250, 230 if color else 250, 80 if color else 250), -1)
    return write_clip(path, frames, 10)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of ten clips at two depths; not to be changed."""
    root = tmp_path_factory.mktemp("films") / "films"
    for number in range(10):
        ball(root / ("a" if number % 2 else "") / f"{number}.avi", number)
    return root


@pytest.fixture(scope="module")
def learned(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return what a short training made; tests must not change its run folder."""
    place = tmp_path_factory.mktemp("learned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGRU_CACHE", str(place / "cache"))
        return train(
            films, task="forecast", size=32, frames=4, ahead=3, batch_size=4, threads=1, epochs=30,
            out=str(place / "run"),
        )  # fmt: skip


# The network.


@pytest.mark.parametrize("channels", [1, 3])
def test_a_clip_at_once_is_frame_by_frame(channels: int) -> None:
    net, clip = network(channels), clip_of(2, 6, channels)
    state, told = None, []
    with torch.no_grad():
        for frame in clip.unbind(1):
            state = net.see(frame, state)
        assert state is not None
        for _ in range(4):
            told.append(net.tell(state))
            state = net.see(told[-1], state)
        assert torch.allclose(net(clip, 4), torch.stack(told, dim=1), atol=1e-5)


def test_reading_goes_on_where_it_stopped() -> None:
    net, clip = network(), clip_of(2, 7)
    with torch.no_grad():
        whole, parts = net.read(clip), net.read(clip[:, 3:], net.read(clip[:, :3]))
    for one, other in zip(
        (whole.frame, whole.change, *whole.fine, *whole.coarse),
        (parts.frame, parts.change, *parts.fine, *parts.coarse),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-5)


def test_a_step_tells_the_next_frame() -> None:
    net, clip = network(), clip_of(1, 3)
    state = None
    with torch.no_grad():
        for frame in clip.unbind(1):
            told, state = net.step(frame, state)
        assert torch.allclose(told, net(clip, 1)[:, 0], atol=1e-5)


def test_what_is_shown_replaces_what_was_foreseen() -> None:
    net, clip = network(), clip_of(2, 8)
    seen, true = clip[:, :4], clip[:, 4:]
    shown = torch.zeros(2, 4, dtype=torch.bool)
    shown[1] = True
    with torch.no_grad():
        told, free = net(seen, 4, true, shown), net(seen, 4)
        assert torch.allclose(told[0], free[0], atol=1e-6)
        for ahead in range(4):
            one = net(clip[1:, : 4 + ahead], 1)[:, 0]
            assert torch.allclose(told[1:, ahead], one, atol=1e-5)
    assert not torch.allclose(told[1, 1:], free[1, 1:], atol=1e-4)


def test_pixels_stay_between_0_and_1() -> None:
    net = network()
    with torch.no_grad():
        for weights in net.parameters():
            weights.mul_(5)
        told = net(clip_of(1, 4).round(), 5)
    assert told.min() >= 0
    assert told.max() <= 1 + 1e-6


def test_copies_move_where_their_fields_say() -> None:
    """With a field of one cell to the right, what is 4 pixels to the right comes here."""
    net, frame = network(1), clip_of(1, 1, 1)
    with torch.no_grad():
        net.move.bias.copy_(torch.tensor([1.0, 0.0] * WAYS))  # type: ignore[union-attr]
        net.choose[2].weight.zero_()  # type: ignore[operator, union-attr]
        net.choose[2].bias.copy_(torch.tensor([-50.0] + [50.0] * WAYS + [-50.0]))  # type: ignore[operator, union-attr]
        told = net(frame, 1)[0, 0, 0]
    assert torch.allclose(told[:, :28], frame[0, 0, 0, :, 4:], atol=1e-5)
    assert torch.allclose(told[:, 28:], frame[0, 0, 0, :, 31:].expand(-1, 4), atol=1e-5)


def test_norms_are_learned_from_seen_frames_alone() -> None:
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


@pytest.mark.parametrize("channels", [1, 3])
def test_every_parameter_learns(channels: int) -> None:
    net = network(channels).train()
    with torch.no_grad():
        net.move.weight.normal_(std=0.1)  # it begins at zero, through which nothing passes
    loss(net(clip_of(2, 4, channels), 3), clip_of(2, 3, channels)).backward()  # type: ignore[no-untyped-call]
    for name, weights in net.named_parameters():
        assert weights.grad is not None, name
        assert weights.grad.abs().sum() > 0, name


# Measures.


def ssim_by_hand(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the structural similarity of (H, W), window by window (Wang et al. 2004, eq. 13)."""
    c1, c2, found = (0.01 * 2) ** 2, (0.03 * 2) ** 2, []
    for y in range(a.shape[0] - 6):
        for x in range(a.shape[1] - 6):
            p, q = a[y : y + 7, x : x + 7].ravel(), b[y : y + 7, x : x + 7].ravel()
            joint = np.cov(p, q, ddof=1)
            above = (2 * p.mean() * q.mean() + c1) * (2 * joint[0, 1] + c2)
            below = (p.mean() ** 2 + q.mean() ** 2 + c1) * (joint[0, 0] + joint[1, 1] + c2)
            found.append(above / below)
    return float(np.mean(found))


def test_measures_by_hand() -> None:
    told, true = clip_of(2, 3, 2).double(), clip_of(4, 3, 2)[2:].double()
    found = errors(told, true)
    for place in np.ndindex(2, 3):
        a, b = told[place].numpy(), true[place].numpy()
        mean = ((a - b) ** 2).mean()
        wanted = (
            ((a - b) ** 2).sum(),
            np.abs(a - b).sum(),
            np.mean([ssim_by_hand(x, y) for x, y in zip(a, b, strict=True)]),
            20 * math.log10(1 / math.sqrt(mean)),
        )
        assert found[place].tolist() == pytest.approx(wanted, rel=1e-9)


def test_a_frame_without_error() -> None:
    clip = clip_of(1, 1)
    assert errors(clip, clip)[0, 0].tolist() == pytest.approx(
        [0, 0, 1, 10 * math.log10(12 * 255**2)]
    )


def test_guesses_by_hand() -> None:
    seen = torch.tensor([0.1, 0.5, 0.6]).view(1, 3, 1, 1, 1)
    copy, linear = guesses(seen, 5)
    assert copy.flatten().tolist() == pytest.approx([0.6] * 5)
    assert linear.flatten().tolist() == pytest.approx([0.7, 0.8, 0.9, 1.0, 1.0])
    copy, linear = guesses(seen[:, :1], 2)
    assert copy.flatten().tolist() == linear.flatten().tolist() == pytest.approx([0.1, 0.1])


def test_the_loss_is_squared_error_and_structure() -> None:
    told, true = clip_of(2, 3), clip_of(4, 3)[2:]
    structure = 1 - ssim(told.flatten(0, 1), true.flatten(0, 1)).mean()
    assert loss(told, true).item() == pytest.approx(
        40 * (told - true).square().mean().item() + structure.item(), rel=1e-5
    )


def test_scores_are_means_over_windows() -> None:
    tally, clip = Tally(3), clip_of(3, 7)
    assert tally.scores(10) is None
    seen, true = clip[:, :4], clip[:, 4:]
    told = true.flip(0)
    tally.add(seen[:1], told[:1], true[:1])
    tally.add(seen[1:], told[1:], true[1:])
    scores = tally.scores(10)
    assert scores is not None
    assert scores.windows == 3
    wanted = errors(told, true).mean(0)
    last = errors(seen[:, -1:].expand(-1, 3, -1, -1, -1), true).mean(0)
    for number, horizon in enumerate(scores.horizons):
        assert (horizon.frame, horizon.seconds) == (number + 1, pytest.approx((number + 1) / 10))
        assert list(asdict(horizon.model).values()) == pytest.approx(wanted[number].tolist())
        assert list(asdict(horizon.copy).values()) == pytest.approx(last[number].tolist())
    assert scores.mean("model").mse == pytest.approx(wanted[:, 0].mean().item())
    assert (MODEL, COPY) == (0, 1)


def test_shades_of_grey() -> None:
    frames = noise(3, 32, 32)[None]
    grey = as_clip(frames, 1)
    wanted = (frames @ np.array(LUMA)).astype(np.float32) / 255
    assert grey.shape == (1, 3, 1, 32, 32)
    assert np.allclose(grey[:, :, 0].numpy(), wanted, atol=1e-5)
    assert np.allclose(as_clip(frames, 3).numpy(), frames.transpose(0, 1, 4, 2, 3) / 255.0)


# Training.


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


def make_trainer(pieces: list[NDArray[np.uint8]], seed: int = 0) -> ForecastTrainer:
    torch.manual_seed(seed)
    return ForecastTrainer(
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
    tally = Tally(3)
    add_windows(tally, trainer.network.eval(), trainer.pieces, [(0, 0), (1, 0), (2, 0)], SPEC)
    assert tally.scores(10.0) == some
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


def test_it_learns(learned: Run) -> None:
    scores = learned.validation
    assert scores.mean("model").mse < 0.8 * scores.mean("copy").mse
    with open(learned.run / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    assert float(rows[-1]["val_mse"]) < 0.8 * float(rows[0]["val_mse"])
    assert 1 <= learned.best_epoch <= 30 == learned.epochs


def test_the_run_folder(learned: Run) -> None:
    names = {path.name for path in learned.run.iterdir()}
    assert names == {
        "model.safetensors", "last.ckpt", "metrics.csv", "config.json", "split.csv", "curves.png"
    }  # fmt: skip
    spec = load_forecast(learned.run).spec
    assert spec == replace(SPEC, hidden=spec.hidden)
    settings = json.loads((learned.run / "config.json").read_text())
    assert (settings["task"], settings["chosen"]) == (
        "forecast", {"core": "convgru", "fps": 10.0, "frames": 4, "ahead": 3, "size": 32}
    )  # fmt: skip


def test_the_same_seed_gives_the_same_bits(films: Path, vidgru: Vidgru, tmp_path: Path) -> None:
    for name in "ab":
        done = vidgru("train", films, *OPTIONS, "--out", tmp_path / name, "--json", "--seed", 3)
        assert done.code == 0, done.err
        assert json.loads(done.out)["ahead"] == 3
    one, other = (load_forecast(tmp_path / name).network.state_dict() for name in "ab")
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    metrics = [(tmp_path / name / "metrics.csv").read_text().splitlines() for name in "ab"]
    cut = [[line.rpartition(",")[0] for line in lines] for lines in metrics]
    assert cut[0] == cut[1]


def test_resuming_gives_the_same_bits(
    films: Path, vidgru: Vidgru, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert vidgru("train", films, *OPTIONS, "--out", tmp_path / "whole").code == 0
    with monkeypatch.context() as patch:
        real, steps = ForecastTrainer.step, []

        def step(self: ForecastTrainer, done: float) -> float:
            steps.append(done)
            if len(steps) == 5:
                raise KeyboardInterrupt
            return real(self, done)

        patch.setattr(ForecastTrainer, "step", step)
        done = vidgru("train", films, *OPTIONS, "--out", tmp_path / "parts")
    assert done.code == 130
    assert "Go on with: vidgru train --resume" in done.err
    assert vidgru("train", "--resume", tmp_path / "parts").code == 0
    one, other = (load_forecast(tmp_path / name) for name in ("whole", "parts"))
    for name, value in one.network.state_dict().items():
        assert torch.equal(value, other.network.state_dict()[name]), name
    kept = [load_checkpoint(tmp_path / name / "last.ckpt") for name in ("whole", "parts")]
    assert torch.equal(kept[0]["generator"], kept[1]["generator"])


def test_a_table_and_what_to_type_next(films: Path, vidgru: Vidgru, tmp_path: Path) -> None:
    done = vidgru("train", films, *OPTIONS, "--out", tmp_path / "run")
    assert done.code == 0
    assert "how good 4 forecasts of validation clips are (model / copy / linear)" in done.out
    assert "from 4 frames, the next 3, at 10 frames/s; 32x32 pixels; " in done.out
    assert f"Next:  vidgru forecast VIDEO --model {tmp_path / 'run'}" in done.out.replace("\n", "")


@pytest.mark.parametrize(
    ("spot", "black", "grey"),
    [(0, False, True), (1, False, True), (4, False, False), (4, True, False)],
)
def test_a_spot_of_colour_is_colour(spot: int, black: bool, grey: bool) -> None:
    frames = noise(9, 32, 32)[..., :1].repeat(3, axis=-1)
    if black:
        frames[0] = 0
    frames[4, :spot, :spot] = (250, 20, 20)
    clip = Clip(Path("clip.avi"), "clip.avi", "")
    data = SimpleNamespace(parts={"train": [clip]}, frames={clip: frames[None]})
    assert is_grey(data) == grey  # type: ignore[arg-type]


def test_short_clips_beside_long_ones_are_named(vidgru: Vidgru, tmp_path: Path) -> None:
    for number in range(6):
        ball(tmp_path / "films" / f"{number}.avi", number, 14)
    split = tmp_path / "split.csv"
    for number in (6, 7):
        ball(tmp_path / "films" / f"{number}.avi", number, 6)
    rows = [f"{number}.avi,{'val' if number in (0, 7) else 'train'}" for number in range(8)]
    split.write_text("path,split\n" + "\n".join(rows) + "\n")
    words = (*OPTIONS, "--split", split, "--out", tmp_path / "run", "--json")
    done = vidgru("train", tmp_path / "films", *words)
    assert done.code == 0, done.err
    wanted = "1 clips are left out: they have not the 7 frames of a window; the first is {}."
    assert wanted.format("6.avi") in done.err
    assert wanted.format("7.avi") in done.err
    found = json.loads(done.out)
    assert (found["train_clips"], found["validation"]["windows"]) == (5, 2)
    done = vidgru("evaluate", tmp_path / "films", "--model", tmp_path / "run", "--json")
    assert wanted.format("7.avi") in done.err
    assert json.loads(done.out)["clips"] == 1


def test_long_clips_count_for_more(learned: Run) -> None:
    runs = ForecastTraining._runs(SimpleNamespace(spec=SPEC), np.arange(50))  # type: ignore[arg-type]
    assert [len(run) for run in runs] == [17, 17, 16]
    (short,) = ForecastTraining._runs(SimpleNamespace(spec=SPEC), np.arange(9))  # type: ignore[arg-type]
    assert short.tolist() == list(range(9))


def test_seconds_are_those_of_the_clips(learned: Run, tmp_path: Path) -> None:
    frames = noise(7, 32, 32)
    write_clip(tmp_path / "slow" / "one.avi", frames, 8)
    result = evaluate(tmp_path / "slow", learned.run)
    seconds = [horizon.seconds for horizon in result.scores.horizons]  # type: ignore[union-attr]
    assert seconds == pytest.approx([1 / 8, 2 / 8, 3 / 8])


def test_grey_clips_make_a_grey_model(vidgru: Vidgru, tmp_path: Path, films: Path) -> None:
    for number in range(5):
        ball(tmp_path / "grey" / f"{number}.avi", number, color=False)
    done = vidgru("train", tmp_path / "grey", *OPTIONS, "--out", tmp_path / "a", "--json")
    assert json.loads(done.out)["channels"] == 1
    done = vidgru("train", films, *OPTIONS, "--grey", "--out", tmp_path / "b", "--json")
    assert json.loads(done.out)["channels"] == 1
    done = vidgru("train", films, *OPTIONS, "--out", tmp_path / "c", "--json")
    assert json.loads(done.out)["channels"] == 3


# What is sampled, and what is refused.


@pytest.mark.parametrize(
    ("given", "window", "wanted"),
    [
        ((None, None), 20, (10, 10)),
        ((None, None), 16, (8, 8)),
        ((None, None), 15, (8, 7)),
        ((12, None), 22, (12, 10)),
        ((None, 20), 30, (10, 20)),
        ((None, 20), 25, (5, 20)),
        ((4, 3), 7, (4, 3)),
    ],
)
def test_frames_seen_and_foreseen(
    given: tuple[int | None, int | None], window: int, wanted: tuple[int, int]
) -> None:
    assert forecast_frames(*given, window) == wanted


@pytest.mark.parametrize(
    ("fps", "count", "options", "wanted"),
    [
        (10, 30, {}, (10, 20)),
        (30, 60, {}, (30, 20)),
        (60, 60, {}, (30, 20)),
        (10, 16, {}, (10, 16)),
        (10, 40, {"ahead": 25}, (10, 35)),
        (10, 8, {"frames": 9}, (10, 10)),
        (10, 30, {"frames": 4, "ahead": 3}, (10, 7)),
        (30, 60, {"fps": 10.0}, (10, 20)),
    ],
)
def test_sampling(
    tmp_path: Path, fps: float, count: int, options: dict[str, float], wanted: tuple[float, int]
) -> None:
    for number in range(2):
        write_clip(tmp_path / f"{number}.avi", noise(count, 16, 16, number), fps)
    config = ForecastTrainConfig(size=32, **options)  # type: ignore[arg-type]
    found = TASK.sampling(read_videos(tmp_path), config, InitialWeights())
    assert found == Sampling(*map(pytest.approx, (wanted[0],)), 32, wanted[1], even=True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"ahead": 3}, "--ahead is for forecasts: add --task forecast, or leave it out."),
        ({"grey": True}, "--grey is for forecasts: add --task forecast, or leave it out."),
        ({"frames": 3}, "Invalid --frames 3. It must be at least 4."),
        (
            {"task": "forecast", "core": "gru"},
            "--core is for classes only: leave it out with --task forecast.",
        ),
        (
            {"task": "forecast", "size": 50},
            "Invalid --size 50 for --task forecast. Give a multiple of 16, from 32 to 256.",
        ),
        ({"task": "forecast", "ahead": 0}, "Invalid --ahead 0. It must be at least 1."),
    ],
)
def test_options_that_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        train_config(options)
    assert str(caught.value) == sentence


def test_sampling_a_picture_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast_task, "probe", lambda clips: ([1 / 86400], [100 * 86400.0]))
    found = TASK.sampling([], ForecastTrainConfig(), InitialWeights())
    assert (found.fps, found.window) == (pytest.approx(1 / 86400), 20)


def test_clips_too_short_for_a_window(vidgru: Vidgru, tmp_path: Path) -> None:
    for number in range(5):
        ball(tmp_path / "films" / f"{number}.avi", number, 6)
    done = vidgru("train", tmp_path / "films", *OPTIONS, "--out", tmp_path / "run")
    assert done.code == 1
    assert done.err.endswith(
        "Error: No training clip has the 7 frames of a window, 4 seen and 3 foreseen: give longer "
        "clips, or smaller --frames and --ahead.\n"
    )
    assert not (tmp_path / "run").exists()


def test_a_model_for_something_else(
    learned: Run, trained: TrainResult, vidgru: Vidgru, data: Path
) -> None:
    with pytest.raises(ModelError) as caught:
        load_forecast(trained.model)
    assert str(caught.value) == f"{trained.model} tells classes: use `vidgru predict`."
    with pytest.raises(ModelError) as caught:
        load_model(learned.model)
    assert str(caught.value) == f"{learned.model} foresees frames: use `vidgru forecast`."
    done = vidgru("predict", next(data.rglob("*.avi")), "--model", learned.run)
    assert (done.code, done.out) == (1, "")
    assert "foresees frames: use `vidgru forecast`" in done.err


@pytest.mark.parametrize(
    "change",
    [
        {"core": "gru"}, {"hidden": 12}, {"hidden": 8.0}, {"hidden": 1 << 20}, {"frames": 0},
        {"ahead": 0}, {"ahead": 10**9}, {"size": 33}, {"size": 1 << 20}, {"channels": 2},
        {"channels": True}, {"fps": 0}, {"fps": math.inf}, {"fps": "ten"},
    ],
)  # fmt: skip
def test_a_description_that_makes_no_sense(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "strange.safetensors"
    save_model(path, network().state_dict(), replace(SPEC, **change), {})  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="is damaged"):
        load_any(path)


# Whether it is of use.


def of_errors(*rows: tuple[float, float, float]) -> ForecastScores:
    """Return scores of MSEs of the model, a copy and a linear guess, a frame ahead in a row."""
    horizons = [
        HorizonScores(number, number / 10, *(FrameErrors(mse, 0, 0, 0) for mse in row))
        for number, row in enumerate(rows, 1)
    ]
    return ForecastScores(1, tuple(horizons))


BETTER, WORSE = (1.0, 2.0, 3.0), (3.125, 2.5, 4.0)
NOT_USEFUL = (
    "Not useful yet: its mean MSE on {}, 3.125, is not below that of the last frame repeated, 2.5. "
    "Train longer (--minutes or --epochs) or on more clips."
)


@pytest.mark.parametrize(
    ("scores", "useful", "sentence"),
    [
        (of_errors(BETTER, BETTER), True, ""),
        (of_errors(WORSE, WORSE), False, NOT_USEFUL.format("clips")),
        # No better than the best is not better.
        (
            of_errors((2000, 3000, 2000)),
            False,
            "Not useful yet: its mean MSE on clips, 2,000, is not below that of pixels that go on "
            "to change, 2,000. Train",
        ),
        (
            of_errors(WORSE, BETTER, BETTER),
            True,
            "Useful from +2 on only: elsewhere the MSE of a guess is as low or lower.",
        ),
        (of_errors(BETTER, BETTER, (2.1, 2, 3)), True, "Useful up to +2 only: elsewhere"),
        (of_errors(BETTER, WORSE, BETTER, WORSE), True, "Useful at +1, +3 only: elsewhere"),
        (of_errors(WORSE, (0.1, 2, 3), WORSE), True, "Useful at +2 only: elsewhere"),
        (of_errors(WORSE, WORSE, BETTER), False, "repeated, 2.333, though it is from +3 on. Train"),
        (
            of_errors((2, 9, 1), (2, 1, 9)),
            True,
            "Useful on average, though everywhere the MSE of a guess is as low or lower.",
        ),
    ],
)
def test_whether_it_is_useful(
    scores: ForecastScores, useful: bool, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ForecastEvaluation(Path("m"), Path("clips"), "all", 1, scores, 0, 0, ())
    assert (scores.useful, found.to_dict()["useful"]) == (useful, useful)
    show_forecast_evaluation(found)
    said = " ".join(capsys.readouterr().out.split())
    assert sentence in said
    assert sentence or "seful" not in said


def test_a_test_set_tells_whether_training_was_of_use(
    learned: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = of_errors(BETTER), of_errors(WORSE)
    for validation, test, sentence in (
        (good, bad, NOT_USEFUL.format("test clips")),
        (bad, None, NOT_USEFUL.format("validation clips")),
        (bad, good, ""),
    ):
        result = replace(learned, validation=validation, test=test)
        assert result.to_dict()["useful"] is (sentence == "")
        show_forecast_training(result)
        said = " ".join(capsys.readouterr().out.split())
        assert sentence in said
        assert ("Not useful yet" in said) == bool(sentence)


def test_figures_have_no_exponents() -> None:
    assert [figure(value) for value in (0.01234, 12.345, 999.96, 123456.7)] == [
        "0.01234", "12.35", "1000", "123,457"
    ]  # fmt: skip


# Evaluation.


def test_evaluating_on_what_was_not_learned(learned: Run, films: Path, vidgru: Vidgru) -> None:
    done = vidgru("evaluate", films, "--model", learned.run, "--json")
    found = json.loads(done.out)
    assert (found["clips"], found["trained_on"], found["validated_on"]) == (2, 8, 2)
    assert "Left out 8 of 10 clips" in done.err
    # The same clips, the same weights.
    for kind, mean in found["scores"]["mean"].items():
        wanted = asdict(learned.validation.mean(kind))
        assert mean == pytest.approx(wanted, rel=1e-4)


def test_evaluating_new_clips_by_hand(learned: Run, tmp_path: Path) -> None:
    path = ball(tmp_path / "new" / "one.avi", 99, 7)
    result = evaluate(path.parent, learned.run)
    frames = np.stack([frame for frame in read_frames(path)])[None]
    clip = torch.from_numpy(frames).permute(0, 1, 4, 2, 3) / 255
    with torch.no_grad():
        told = load_forecast(learned.run).network(clip[:, :4], 3)
    wanted = (told - clip[:, 4:]).square().sum((0, 2, 3, 4))
    found = [horizon.model.mse for horizon in result.scores.horizons]  # type: ignore[union-attr]
    assert found == pytest.approx(wanted.tolist(), rel=1e-4)


def read_frames(path: Path) -> list[NDArray[np.uint8]]:
    video, frames = cv2.VideoCapture(str(path)), []
    while (read := video.read())[0]:
        frames.append(np.asarray(read[1], np.uint8)[..., ::-1])
    return frames


def test_evaluating_with_options_for_classes(learned: Run, films: Path) -> None:
    with pytest.raises(OptionError) as caught:
        evaluate(films, learned.run, max_error=0.1)
    assert str(caught.value) == (
        "--max-error is for classes only: leave it out with a forecasting model."
    )


def test_evaluating_clips_too_short(learned: Run, tmp_path: Path) -> None:
    ball(tmp_path / "short" / "one.avi", 99, 6)
    with pytest.raises(DataError) as caught:
        evaluate(tmp_path / "short", learned.run)
    assert str(caught.value) == (
        f"No clip in {tmp_path / 'short'} has the 7 frames that it takes to tell how good the model"
        " is."
    )
