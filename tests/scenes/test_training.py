"""Learning to find scenes: joined shots, their measures, and from folders to a model file."""

import csv
import itertools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from conftest import Done
from helpers import build, noise, save_model, write_clip, write_images
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import vidgru as library
from vidgru import TrainResult, evaluate, train
from vidgru.core.errors import DataError, ModelError, OptionError
from vidgru.data.cache import Sampling
from vidgru.data.folder import read_videos
from vidgru.engine.initial_weights import Beginning
from vidgru.engine.model_file import load_checkpoint
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.registry import find_task, train_config
from vidgru.tasks.registry import load as load_any
from vidgru.tasks.scenes import evaluation as evaluate_scenes
from vidgru.tasks.scenes import model_file as scenes_file
from vidgru.tasks.scenes import train_step as scene_loop
from vidgru.tasks.scenes import training as scene_training
from vidgru.tasks.scenes import transitions
from vidgru.tasks.scenes.finder import Watcher
from vidgru.tasks.scenes.metrics import count, matched
from vidgru.tasks.scenes.model_file import load_scenes
from vidgru.tasks.scenes.network import SceneNetwork
from vidgru.tasks.scenes.reader import loss, tellable
from vidgru.tasks.scenes.results import KINDS, Boundary
from vidgru.tasks.scenes.scores import BoundaryScores, SceneTrainResult
from vidgru.tasks.scenes.shots import boundaries_of, joined, shots_of
from vidgru.tasks.scenes.spec import SceneSpec
from vidgru.tasks.scenes.train_step import THRESHOLDS, SceneTrainer, find_ahead, read, stacked
from vidgru.tasks.scenes.transitions import Joined, join_shots

Vidgru = Callable[..., Done]
Run = SceneTrainResult
Frames = NDArray[np.uint8]
SPEC = SceneSpec("scenes", "gru", 64, 64, 32, 0.5)
SETTINGS: dict[str, Any] = {"size": 32, "frames": 64, "batch_size": 4, "threads": 1, "epochs": 1}
OPTIONS = ("--task", "scenes", *itertools.chain(
    *((f"--{name.replace('_', '-')}", value) for name, value in SETTINGS.items())
))  # fmt: skip


def shot(seed: int, count: int = 30, side: int = 32) -> Frames:
    """Return a smooth coloured picture that slides by a pixel a frame, (count, side, side, 3)."""
    rough = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    large = cv2.resize(rough, (side + count, side), interpolation=cv2.INTER_CUBIC)
    return np.stack([large[:, step : step + side] for step in range(count)])


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of ten clips of 30 to 39 frames at two depths; not to be changed."""
    root = tmp_path_factory.mktemp("films") / "films"
    for number in range(10):
        place = root / ("a" if number % 2 else "") / f"{number}.avi"
        write_clip(place, shot(number, 30 + number), 25)
    return root


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Begin with random weights, and measure on few windows."""
    monkeypatch.setattr(scenes_file, "SHIPPED_SCENES", tmp_path / "none")
    monkeypatch.setattr(scene_training, "VALIDATED", 5)
    monkeypatch.setattr(scene_training, "MEASURED", 7)


@pytest.fixture(scope="module")
def learned(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return what a short training made; tests must not change its run folder."""
    place = tmp_path_factory.mktemp("learned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGRU_CACHE", str(place / "cache"))
        patch.setattr(scenes_file, "SHIPPED_SCENES", place / "none")
        patch.setattr(scene_training, "VALIDATED", 5)
        patch.setattr(scene_training, "MEASURED", 7)
        return train(films, task="scenes", **SETTINGS, out=str(place / "run"))


# What counts as found.


def cut(frame: int) -> Boundary:
    return Boundary(frame, "cut", 1.0, frame, frame)


def gradual(start: int, end: int) -> Boundary:
    return Boundary((start + end) // 2, "dissolve", 1.0, start, end)


def ways(found: Sequence[int], truth: Sequence[Boundary], off: int) -> Iterator[tuple[int, float]]:
    """Yield how many are found, and how far from their middles, for every way to match them."""
    for places in itertools.product(range(-1, len(found)), repeat=len(truth)):
        used = [place for place in places if place >= 0]
        if len(set(used)) < len(used):
            continue
        far = 0.0
        for place, true in zip(places, truth, strict=True):
            last = max(true.end - 1, true.start)
            if place < 0:
                continue
            if not true.start - off <= found[place] <= last + off:
                break
            far += abs(found[place] - (true.start + last) / 2)
        else:
            yield len(used), -far


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[int], list[Boundary], int]:
    truth, at = [], 0
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), max_size=4)):
        at += gap + 1
        truth.append(gradual(at, at + length) if length else cut(at))
        at += length
    found = draw(st.lists(st.integers(0, at + 4), max_size=4))
    return sorted(found), truth, draw(st.integers(0, 3))


@settings(max_examples=300, deadline=None)
@given(cases())
def test_matches_are_the_best_of_all_ways(case: tuple[list[int], list[Boundary], int]) -> None:
    found, truth, off = case
    hits = matched(found, truth, off)
    most, near = max(ways(found, truth, off))
    assert len(hits) == most
    own = [boundary for number, boundary in enumerate(truth) if number in hits]
    assert max(ways(found, own, off)) == (most, pytest.approx(near))


def test_boundaries_counted_by_hand() -> None:
    truth = [cut(10), gradual(20, 32), cut(40), cut(60)]
    found = [cut(11), gradual(17, 19), cut(31), cut(33), cut(42), cut(50)]
    # Off by 0: 31 alone, which the dissolve shows. By 1: 11 too. By 2: 42 too; 33 and 18 would do
    # for the dissolve, but that is found already.
    assert count(found[::-1], truth[::-1]) == [[1, 3, 5, 0, 3], [2, 2, 4, 1, 2], [3, 1, 3, 2, 1]]
    assert count([], truth) == [[0, 4, 0, 0, 3]] * 3
    assert count(found, []) == [[0, 0, 6, 0, 0]] * 3


def test_shares_by_hand() -> None:
    scores = BoundaryScores(2, found=6, missed=2, false=4, found_cuts=5, missed_cuts=0)
    shares = {"precision": 0.6, "recall": 0.75, "f1": 12 / 18, "recall_cuts": 1.0,
              "recall_gradual": 1 / 3}  # fmt: skip
    told = scores.to_dict()
    assert {name: told[name] for name in shares} == pytest.approx(shares)
    nothing = BoundaryScores(0, 0, 0, 0, 0, 0).to_dict()
    assert [nothing[name] for name in shares] == [None] * 5


# Shots, and how they are joined.


def test_shots_lie_between_cuts() -> None:
    parts = [shot(1, 20), shot(2, 30), shot(3, 9)]
    segments = [np.concatenate(parts), shot(4, 20), shot(5, 7)]
    found = shots_of(segments)
    assert [len(one) for one in found] == [20, 30, 9, 20]
    for one, wanted in zip(found, [*parts, segments[1]], strict=True):
        assert np.array_equal(one, wanted)


def test_clips_joined_by_cuts() -> None:
    clips = [shot(1, 9), shot(2, 12), shot(3, 8)]
    frames = np.stack(list(joined(clips, 0)))
    assert np.array_equal(frames, np.concatenate(clips))
    assert boundaries_of([9, 12, 8], 0) == [cut(9), cut(21)]


def test_clips_joined_by_dissolves() -> None:
    clips = [shot(1, 20), shot(2, 15), shot(3, 18)]
    frames = np.stack(list(joined(clips, 4)))
    assert boundaries_of([20, 15, 18], 4) == [gradual(16, 20), gradual(27, 31)]
    wanted = np.zeros((45, 32, 32, 3))
    for start, clip in zip((0, 16, 27), clips, strict=True):
        weights = np.ones(len(clip))
        if start:
            weights[:4] = np.arange(1, 5) / 5
        if start < 27:
            weights[-4:] = np.arange(4, 0, -1) / 5
        wanted[start : start + len(clip)] += weights[:, None, None, None] * clip
    assert frames.shape == wanted.shape
    assert np.abs(frames - wanted).max() <= 0.51


def test_joined_clips_are_read_one_by_one() -> None:
    """Of a thousand clips, those that come later are not touched before their time."""

    class Touchy(list[Frames]):
        def __getitem__(self, item: Any) -> Any:
            raise AssertionError(item)

    late: Any = Touchy(shot(3, 10))
    frames = joined([shot(1, 10), shot(2, 10), late], 0)
    assert len(list(itertools.islice(frames, 20))) == 20
    with pytest.raises(AssertionError):
        next(frames)


FAMILIES = [[shot(n, 40, 48)] for n in range(6)]


def window(seed: int, frames: int = 96) -> Joined:
    return join_shots(np.random.default_rng(seed), FAMILIES, frames, 32)


@pytest.mark.parametrize("seed", range(12))
def test_windows_tell_where_their_boundaries_are(seed: int) -> None:
    made = window(seed)
    assert made.frames.shape == (96, 32, 32, 3)
    assert made.frames.dtype == np.uint8
    assert made.boundary.shape == made.inside.shape == made.kind.shape == (96,)
    assert {b.frame for b in made.boundaries} <= set(np.flatnonzero(made.boundary > 0.99).tolist())
    for boundary in made.boundaries:
        assert 0 <= boundary.frame < 96
        assert boundary.start <= boundary.frame <= boundary.end
        assert (boundary.start == boundary.end) == (boundary.kind == "cut")
        own = slice(max(boundary.start, 0), boundary.end)
        if boundary.kind != "cut":
            assert made.inside[own].all()
            assert (made.kind[own] == KINDS.index(boundary.kind)).all()


# Training.


def make_trainer(seed: int = 0, batch: int = 3) -> SceneTrainer:
    torch.manual_seed(seed)
    return SceneTrainer(
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
    for window in trainer._coming[1]:
        window.result()
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
        told = torch.full((*frames.shape[:2], 6), -9.0)
        for row, pixels in zip(told, frames, strict=True):
            made = self.truth[pixels.numpy().tobytes()]
            row[:, 1] = torch.from_numpy(18 * made.inside - 9)
            for boundary in made.boundaries:
                row[boundary.frame, 0] = self.sure
            known = made.kind >= 0
            row[known, 2 + made.kind[known]] = 9.0
        return told, told


@pytest.mark.parametrize("sure", [9.0, -0.5])
def test_who_knows_scores_best(sure: float) -> None:
    """Scores are those of what is told, at the best threshold; -0.5 is a chance of 0.38."""
    trainer = make_trainer()
    windows = [trainer._join(FAMILIES, (scene_loop.SEED, n)) for n in range(16)]
    trainer.network = Knowing(windows, sure)  # type: ignore[assignment]
    measured = trainer.measure(FAMILIES, 16)
    truth = [b for made in windows for b in made.boundaries if tellable(b, SPEC.frames)]
    exact = measured.scores.tolerances[0]
    assert len(truth) > 5
    # Of boundaries less than five frames apart, only one is told.
    assert exact.found >= 0.8 * len(truth)
    assert exact.false == 0
    assert measured.threshold == (0.5 if sure == 9 else 0.35)
    strict = trainer.measure(FAMILIES, 16, 0.4)
    assert strict.threshold == 0.4
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
            told = [b for b in made.boundaries if b.start >= 8 and b.end <= 56]
            near = [b for b in made.boundaries if b not in told]
            found = [
                f for f in read(both[0], threshold)
                if not any(b.start - 2 <= f.frame <= max(b.end - 1, b.start) + 2 for b in near)
            ]  # fmt: skip
            row += count(found, told)
    assert measured.loss == pytest.approx(torch.stack(losses).mean().item(), rel=1e-4)
    own = counts[THRESHOLDS.index(measured.threshold)]
    assert [list(row.to_dict().values())[1:6] for row in measured.scores.tolerances] == own.tolist()
    right, missed, false = counts[:, 2, 0], counts[:, 2, 1], counts[:, 2, 2]
    assert measured.scores.f1 == pytest.approx((2 * right / (2 * right + missed + false)).max())


def test_forward_only_in_pieces_is_frame_by_frame(learned: Run) -> None:
    network = load_scenes(learned.run).network
    frames = list(joined([shot(n, 40) for n in range(4)], 0))
    watcher, threshold = Watcher(network, 0.02), 0.02
    wanted = [boundary for frame in frames for boundary in watcher.push(frame)]
    wanted += watcher.finish()
    found = list(find_ahead(network, iter(frames), threshold))
    assert len(found) >= 1
    assert [b.frame for b in found] == [b.frame for b in wanted]


# From a folder to a run.


def test_the_run_folder(learned: Run) -> None:
    names = {path.name for path in learned.run.iterdir()}
    assert names == {
        "model.safetensors", "last.ckpt", "metrics.csv", "config.json", "split.csv", "curves.png"
    }  # fmt: skip
    loaded = load_scenes(learned.run)
    assert loaded.spec == replace(SPEC, threshold=learned.threshold)
    assert learned.threshold in THRESHOLDS
    assert loaded.metrics["validation"] == learned.validation.to_dict()
    assert loaded.metrics["test"] is None
    kept = json.loads((learned.run / "config.json").read_text())
    assert (kept["task"], kept["chosen"]) == (
        "scenes", {"core": "gru", "hidden": 64, "frames": 64, "size": 32, "histogram": "soft"}
    )  # fmt: skip
    with open(learned.run / "metrics.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["epoch"], row["step"]) == ("1.0", "2")
    assert 0 <= float(row["val_f1"]) <= 1
    assert float(row["val_loss"]) > 0
    assert (learned.train_clips, learned.began_with) == (8, "random weights")


def test_the_same_seed_gives_the_same_bits(
    films: Path, learned: Run, vidgru: Vidgru, tmp_path: Path
) -> None:
    done = vidgru("train", films, *OPTIONS, "--out", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["validation"] == learned.validation.to_dict()
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == learned.model.read_bytes()


def test_resuming_gives_the_same_bits(
    films: Path, vidgru: Vidgru, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*OPTIONS, "--epochs", 2)
    assert vidgru("train", films, *words, "--out", tmp_path / "whole").code == 0
    monkeypatch.setattr("vidgru.engine.trainer.SOONEST", 0.0)
    with monkeypatch.context() as patch:
        real = SceneTrainer.step

        def step(self: SceneTrainer, done: float) -> float:
            if self.steps == 3:
                raise KeyboardInterrupt
            return real(self, done)

        patch.setattr(SceneTrainer, "step", step)
        done = vidgru("train", films, *words, "--out", tmp_path / "parts")
    assert done.code == 130
    assert load_checkpoint(tmp_path / "parts" / "last.ckpt")["steps"] == 2
    assert vidgru("train", "--resume", tmp_path / "parts").code == 0
    one, other = ((tmp_path / n / "model.safetensors").read_bytes() for n in ("whole", "parts"))
    assert one == other


def test_tables_and_what_to_type_next(films: Path, vidgru: Vidgru, tmp_path: Path) -> None:
    """Clips of FOLDER/test are tested; short ones, single pictures and one cut twice are fine."""
    folder = tmp_path / "films"
    for number in range(4):
        write_clip(folder / "train" / f"{number}.avi", shot(number), 25)
        write_clip(folder / "val" / f"{number}.avi", shot(10 + number), 25)
    write_clip(folder / "test" / "0.avi", np.concatenate([shot(20), shot(21)]), 25)
    write_clip(folder / "train" / "short.avi", shot(30, 7), 25)
    write_images(folder / "train" / "still", shot(31, 1), ["1.png"])
    done = vidgru("train", folder, *OPTIONS, "--out", tmp_path / "run", "-q")
    assert done.code == 0, done.err
    assert f"Skipped: {folder / 'train' / 'still'} has only one frame" in done.err
    assert (
        "1 clips are left out: they have not the 8 frames of a scene; the first is train/short.avi."
        in done.err
    )
    flat = " ".join(done.out.split())
    assert "how well boundaries are found in windows of joined shots" in flat
    assert "validation clips" in flat
    assert "test clips" in flat
    assert "Trained on 4 clips for 1 epochs, best at epoch 1, beginning with random " in flat
    assert (
        "weights: windows of 64 frames, 32x32 pixels; boundaries count from a confidence of 0."
        in flat
    )
    assert f"Next: vidgru scenes VIDEO --model {tmp_path / 'run'}" in flat


def test_it_begins_with_what_is_shipped(
    films: Path, learned: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes_file, "SHIPPED_SCENES", learned.model)
    begun: list[dict[str, torch.Tensor]] = []
    init = SceneTrainer.__init__

    def seen(self: SceneTrainer, network: SceneNetwork, *args: Any, **kwargs: Any) -> None:
        begun.append({name: t.clone() for name, t in network.state_dict().items()})
        init(self, network, *args, **kwargs)

    monkeypatch.setattr(SceneTrainer, "__init__", seen)
    options = {name: value for name, value in SETTINGS.items() if name != "size"}
    result = train(films, task="scenes", **options, out=str(tmp_path / "run"))
    assert (result.began_with, result.size) == ("the model that comes with vidgru", 32)
    weights = load_scenes(learned.run).network.state_dict()
    assert all(torch.equal(begun[0][name], weights[name]) for name in weights)
    other = train(films, task="scenes", **options, size=48, out=str(tmp_path / "other"))
    assert (other.began_with, other.size) == ("random weights", 48)


def test_every_frame_of_a_clip_is_sampled(tmp_path: Path) -> None:
    write_clip(tmp_path / "one.avi", noise(20, 16, 16), 24)
    found = find_task("scenes").sampling(
        read_videos(tmp_path), train_config({"task": "scenes"}), Beginning(48, 1)
    )
    assert found == Sampling(30.0, 72, 112, even=True)
    assert [found.rate(fps) for fps in (24, 25, 30, 60, 0.5)] == [24, 25, 30, 30, 0.5]


def test_too_few_clips(tmp_path: Path, vidgru: Vidgru) -> None:
    for number in range(3):
        write_clip(tmp_path / "films" / f"{number}.avi", shot(number), 25)
    done = vidgru("train", tmp_path / "films", *OPTIONS, "--out", tmp_path / "run")
    assert done.code == 1
    assert done.err.endswith(
        "Error: There are not the two shots of 8 frames or more to validate with that it takes to "
        "join scenes: give more clips.\n"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"core": "lstm"}, "--core is for classes only: leave it out with --task scenes."),
        ({"folds": 3}, "--folds is for classes only: leave it out with --task scenes."),
        ({"init": "x"}, "--init is for classes only: leave it out with --task scenes."),
        ({"ahead": 3}, "--ahead is for forecasts: add --task forecast, or leave it out."),
        ({"grey": True}, "--grey is for forecasts: add --task forecast, or leave it out."),
        (
            {"frames": 63},
            "Invalid --frames 63 for --task scenes. It must be at least 64.",
        ),
        (
            {"fps": 10.0},
            "--fps is not for scenes, which are found frame by frame: leave it out with --task"
            " scenes.",
        ),
        (
            {"size": 50},
            "Invalid --size 50 for --task scenes. Give a multiple of 16, from 32 to 256.",
        ),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        train_config({"task": "scenes", **options})
    assert str(caught.value) == sentence


# The model file.


def test_a_model_for_something_else(
    learned: Run, trained: TrainResult, vidgru: Vidgru, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError) as caught:
        load_scenes(trained.model)
    assert str(caught.value) == f"{trained.model} tells classes: use `vidgru predict`."
    with pytest.raises(ModelError) as caught:
        load_model(learned.model)
    assert str(caught.value) == f"{learned.model} finds scenes: use `vidgru scenes`."
    done = vidgru("train", data, "--init", learned.run, "--out", tmp_path / "run")
    assert (done.code, done.err) == (
        1,
        f"Error: {learned.model} finds scenes, with an encoder of its own: give --init a model of "
        "`vidgru train --task forecast`, or one that tells classes.\n",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"core": "convgru"}, {"hidden": 0}, {"hidden": 64.0}, {"hidden": True}, {"hidden": 1 << 20},
        {"frames": 63}, {"frames": 1 << 30}, {"size": 33}, {"size": 1 << 20}, {"threshold": 0},
        {"threshold": 1.0}, {"threshold": math.nan}, {"threshold": "half"}, {"threshold": True},
    ],
)  # fmt: skip
def test_a_description_that_makes_no_sense(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "strange.safetensors"
    save_model(path, build(SPEC).state_dict(), replace(SPEC, **change), {})
    with pytest.raises(ModelError) as caught:
        load_any(path)
    assert str(caught.value) == f"{path} is damaged: its description makes no sense."


def test_a_description_of_another_network(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_model(path, build(SPEC).state_dict(), replace(SPEC, hidden=32), {})
    with pytest.raises(ModelError) as caught:
        load_any(path)
    assert str(caught.value) == f"{path} is damaged: its weights do not fit its description."


@pytest.mark.parametrize("part", ["early", "late"])
def test_weights_that_overflow(part: str, vidgru: Vidgru, films: Path, tmp_path: Path) -> None:
    made = build(SPEC)
    getattr(made, part).weight.data[:] = 3e38
    path, film = tmp_path / "large.safetensors", films / "0.avi"
    save_model(path, made.state_dict(), SPEC, {})
    sentence = f"{path} is damaged: its answers are not finite numbers."
    for words in (("scenes", film, "--threads", 1), ("evaluate", films)):
        done = vidgru(*words, "--model", path, "-q")
        assert (done.code, done.out) == (1, "")
        assert done.err.splitlines()[-1] == f"Error: {sentence}"
    if part == "early":
        with pytest.raises(ModelError) as error:
            list(library.load_scenes(path, device="cpu", threads=1).stream(film))
        assert str(error.value) == sentence


# Evaluation.


def read_frames(path: Path) -> Frames:
    video, frames = cv2.VideoCapture(str(path)), []
    while (read := video.read())[0]:
        frames.append(np.asarray(read[1], np.uint8)[..., ::-1])
    return np.stack(frames)


def test_evaluating_by_hand(
    learned: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vidgru: Vidgru
) -> None:
    """A finder that is off by known numbers of frames, on clips of known lengths."""
    lengths = (40, 30, 50, 60)
    for number, length in enumerate(lengths):
        write_clip(tmp_path / "new" / f"{number}.avi", shot(50 + number, length), 25)
    seen: list[Frames] = []
    order = np.random.default_rng(0).permutation(4)
    clips = [read_frames(tmp_path / "new" / f"{number}.avi") for number in order]
    ends = np.cumsum([len(clip) for clip in clips])[:3]

    def finder(network: object, frames: Any, threshold: float) -> Iterator[Boundary]:
        assert threshold == learned.threshold
        seen.append(np.stack(list(frames)))
        # The first exactly, the second one frame late, the third three late.
        places = [ends[0], ends[1] + 1, ends[2] + 3] if len(seen) == 1 else []
        yield from (cut(int(place)) for place in places)

    def ahead(network: object, frames: Any, threshold: float) -> Iterator[Boundary]:
        assert sum(1 for _ in frames) == len(seen[-1])
        yield cut(int(ends[1]) - 2)

    monkeypatch.setattr(evaluate_scenes, "find", finder)
    monkeypatch.setattr(evaluate_scenes, "find_ahead", ahead)
    found = json.loads(vidgru("evaluate", tmp_path / "new", "--model", learned.run, "--json").out)
    assert np.array_equal(seen[0], np.concatenate(clips))
    # The clip of 30 frames is too short for two dissolves and a scene between them.
    assert len(seen[1]) == 40 + 50 + 60 - 2 * 12
    cuts, dissolves = found["joined"]
    assert (cuts["joined_by"], cuts["clips"]) == ("cut", 4)
    assert (dissolves["joined_by"], dissolves["clips"]) == ("dissolve", 3)
    told = [
        [row[name] for name in ("tolerance", "found", "missed", "false")]
        for row in cuts["both"]["tolerances"]
    ]
    assert told == [[0, 1, 2, 2], [1, 2, 1, 1], [2, 2, 1, 1]]
    assert cuts["both"]["tolerances"][2]["f1"] == pytest.approx(2 / 3)
    assert [row["found"] for row in cuts["ahead"]["tolerances"]] == [0, 0, 1]
    assert [row["missed"] for row in cuts["ahead"]["tolerances"]] == [3, 3, 2]
    assert dissolves["both"]["tolerances"][2]["recall_gradual"] == 0
    assert (found["clips"], found["dissolve"], found["part"]) == (4, 12, "all")
    assert found["threshold"] == learned.threshold


def test_evaluating_on_what_was_not_learned(learned: Run, films: Path, vidgru: Vidgru) -> None:
    done = vidgru("evaluate", films, "--model", learned.run, "--json")
    found = json.loads(done.out)
    assert (found["clips"], found["trained_on"], found["validated_on"]) == (2, 8, 2)
    assert "Left out 8 of 10 clips" in done.err
    assert [one["clips"] for one in found["joined"]] == [2, 2]
    assert json.loads(vidgru("evaluate", films, "--model", learned.run, "--json").out) == found
    flat = " ".join(vidgru("evaluate", films, "--model", learned.run).out.split())
    assert "2 joined by cuts, forward only" in flat
    assert "2 joined by dissolves of 12 frames, forward only" in flat


def test_clips_with_cuts_of_their_own_are_named(
    learned: Run, tmp_path: Path, vidgru: Vidgru
) -> None:
    write_clip(tmp_path / "new" / "a.avi", np.concatenate([shot(1, 20), shot(2, 20)]), 25)
    write_clip(tmp_path / "new" / "b.avi", shot(3, 20), 25)
    write_clip(tmp_path / "new" / "c.avi", shot(4, 7), 25)
    done = vidgru("evaluate", tmp_path / "new", "--model", learned.run, "--json")
    assert (
        "1 clips have cuts of their own, which count as wrong where they are found; the first is "
        "a.avi." in done.err
    )
    assert "1 clips are left out: they have not the 8 frames of a scene; the first is c.avi." in (
        done.err
    )
    assert [one["joined_by"] for one in json.loads(done.out)["joined"]] == ["cut"]


def test_evaluating_what_cannot_be_joined(learned: Run, tmp_path: Path) -> None:
    write_clip(tmp_path / "new" / "one.avi", shot(99), 25)
    with pytest.raises(DataError) as caught:
        evaluate(tmp_path / "new", learned.run)
    assert str(caught.value) == (
        f"There are not the two clips of 8 frames or more in {tmp_path / 'new'} that it takes to "
        "join scenes."
    )


@pytest.mark.parametrize("options", [{"max_error": 0.1}, {"group_by": "x"}, {"out": "x.html"}])
def test_evaluating_with_options_for_classes(
    learned: Run, films: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(OptionError) as caught:
        evaluate(films, learned.run, **options)
    (name,) = options
    assert str(caught.value) == (
        f"--{name.replace('_', '-')} is for classes only: leave it out with a model that finds "
        "scenes."
    )
