"""Learning motion: from folders without classes to a model file, and how good that is."""

import csv
import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from conftest import Done
from helpers import build, save_model, write_clip, write_images
from numpy.typing import NDArray

from vidgru import evaluate, train
from vidgru.core.errors import DataError, OptionError
from vidgru.data.augment import Augmentation
from vidgru.data.folder import read_videos
from vidgru.engine.model_file import load_checkpoint
from vidgru.tasks.motion import flow
from vidgru.tasks.motion import model_file as motion_file
from vidgru.tasks.motion import train_step as motion_loop
from vidgru.tasks.motion import training as motion_training
from vidgru.tasks.motion.fields import (
    MOVING_WEIGHT,
    SCALE,
    SMOOTH,
    Told,
    known_times,
    loss,
    read_outputs,
    targets,
)
from vidgru.tasks.motion.flow import MOVING, measure
from vidgru.tasks.motion.footage import Footage, seen_through
from vidgru.tasks.motion.metrics import Tally, guesses
from vidgru.tasks.motion.model_file import load_motion
from vidgru.tasks.motion.network import FIELDS, MotionNetwork
from vidgru.tasks.motion.options import MotionTrainConfig
from vidgru.tasks.motion.results import AHEAD
from vidgru.tasks.motion.score_tables import show_motion_evaluation, show_motion_training
from vidgru.tasks.motion.scores import (
    EndpointErrors,
    FieldScores,
    MotionEvaluation,
    MotionScores,
    MotionTrainResult,
)
from vidgru.tasks.motion.spec import MOTION_HIDDEN, MotionSpec
from vidgru.tasks.motion.train_step import MotionTrainer, fields_of, follow, pooled, random_parts
from vidgru.tasks.motion.training import fit_spread

Vidgru = Callable[..., Done]
Run = MotionTrainResult
OPTIONS = ("--task", "motion", "--size", 32, "--batch-size", 4, "--threads", 1, "--epochs", 4)


def texture(side: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return a smooth random picture, rgb uint8 (side, side, 3)."""
    rough = np.random.default_rng(seed).integers(0, 256, (side // 4, side // 4, 3), dtype=np.uint8)
    return cv2.resize(rough, (side, side), interpolation=cv2.INTER_CUBIC)


def shifting(count: int, dx: float, dy: float, side: int = 64, seed: int = 0) -> NDArray[np.uint8]:
    """Return a picture that moves by so many pixels a frame, uint8 (count, side, side, 3)."""
    large = texture(4 * side, seed)
    start = 1.5 * side
    return np.stack(
        [
            cv2.getRectSubPix(
                large, (side, side), (start + side / 2 - dx * t, start + side / 2 - dy * t)
            )
            for t in range(count)
        ]
    )


def film(path: Path, dx: float, dy: float, seed: int, count: int = 30) -> Path:
    return write_clip(path, shifting(count, dx, dy, seed=seed)[:, :48], 10)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of eight clips at several depths, and what is none; not to be changed."""
    root = tmp_path_factory.mktemp("films") / "films"
    for number in range(6):
        film(root / "a" / f"{number}.avi", 1.5 * (number - 2), 0.5, number)
    film(root / "6.avi", 2, 0, 6)
    write_images(root / "b" / "c", shifting(30, 0, -2, seed=7), [f"{n:02}.png" for n in range(30)])
    write_images(root / "a", shifting(1, 0, 0), ["poster.png"])
    (root / "b" / "notes.txt").write_text("no clip")
    return root


@pytest.fixture(scope="module")
def learned(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return what a short training made; tests must not change its run folder."""
    place = tmp_path_factory.mktemp("learned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGRU_CACHE", str(place / "cache"))
        patch.setattr(motion_file, "SHIPPED_MOTION", place / "none")
        return train(
            films, task="motion", size=32, batch_size=4, threads=1, epochs=4, out=str(place / "run")
        )


@pytest.fixture(autouse=True)
def nothing_shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(motion_file, "SHIPPED_MOTION", tmp_path / "none")


# What is learned from: measured flow.


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


# What is asked: fields now and ahead.


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
    outputs = torch.randn(3, 5, 3 * FIELDS + 1, 2, 2)
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
            du, dv = 0.2 * x[b, t, 3 * h : 3 * h + 2, i, j] - y[b, t, h, i, j, :2]
            spread = 0.2 * math.exp(min(max(x[b, t, 3 * h + 2, i, j], -8), 4)) + 1e-3
            error = math.sqrt(du**2 + (dv * float(aspect[b])) ** 2 + SMOOTH**2)
            surprise = error / (spread / 2) + 2 * math.log(spread / 2 / SCALE)
            total += math.sqrt(spread / SCALE) * surprise / 4
            if h == 0:
                p = 1 / (1 + math.exp(-x[b, t, 3 * FIELDS, i, j]))
                share = y[b, t, 0, i, j, 2]
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
        told = Told(
            torch.zeros(1, 1, FIELDS, 100, 200, 2),
            spread.expand(1, 1, FIELDS, 100, 200),
            torch.zeros(1, 1, 100, 200),
        )
        counts = known.sum(), known[..., 0].sum()
        loss(told, target, known, torch.ones(1), counts).backward()
        assert spread.grad is not None
        return spread.grad.item()

    assert slope(0.097) < 0 < slope(0.103)
    assert lengths.mean() == pytest.approx(0.1, rel=0.02)


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


# What is measured: errors beside those of guesses.


def field_of(values: list[float]) -> torch.Tensor:
    """Return a field that is the same all over, and moves right at these speeds (T, 2, 2, 5)."""
    field = torch.zeros(len(values), 2, 2, 5)
    field[..., 0] = field[..., 2] = torch.tensor(values)[:, None, None]
    return field


def told(fields: torch.Tensor, off: float, spread: float) -> Told:
    velocity = fields[:, None, ..., :2].repeat(1, FIELDS, 1, 1, 1)
    velocity[..., 0] += off
    return Told(velocity, torch.full(velocity.shape[:-1], spread), torch.zeros(len(fields), 2, 2))


def test_steady_motion_is_what_persistence_guesses() -> None:
    tally, fields = Tally(), field_of([0.0, *[0.3] * 29])
    tally.add(told(fields, 0.1, 0.2), fields, 10.0, 200, 100)
    found = tally.scores()
    assert found.pieces == 1
    for field, ahead in zip(found.fields, (0.0, *AHEAD), strict=True):
        # From 1 + 0.25 * 10 on, so that acceleration can be told of, to the end.
        last = math.floor(29 - ahead * 10 + 1e-6)
        assert field.cells == 4 * (last - 3)
        assert field.widths is not None
        assert field.pixels is not None
        assert field.widths.model == pytest.approx(0.1)
        assert field.widths.zero == pytest.approx(0.3)
        assert field.pixels.zero == pytest.approx(60)
        if ahead:
            assert field.widths.persistence == pytest.approx(0, abs=1e-6)
            assert field.widths.acceleration == pytest.approx(0, abs=1e-6)
        else:
            assert (field.widths.persistence, field.widths.acceleration) == (None, None)
        assert field.covered == 1
        assert field.spread == pytest.approx(0.5)
    assert found.error == pytest.approx(0.1)
    assert found.angle == pytest.approx(0, abs=0.05)
    assert found.speed == pytest.approx(1 / 3, abs=0.001)


def test_accelerated_motion_is_what_acceleration_guesses() -> None:
    fields = field_of([0.0, *(0.1 + 0.02 * t for t in range(29))])
    tally = Tally()
    tally.add(told(fields, 0.0, 0.01), fields, 10.0, 100, 100)
    for field, ahead in list(zip(tally.scores().fields, (0.0, *AHEAD), strict=True))[1:]:
        assert field.widths is not None
        assert field.widths.acceleration == pytest.approx(0, abs=1e-6)
        assert field.widths.persistence == pytest.approx(0.02 * 10 * ahead)
        # The model says what is now; that is off as persistence is, and more than it thinks.
        assert field.widths.model == pytest.approx(0.2 * ahead)
        assert field.ratio is not None
        assert field.covered == 0
    said = guesses(fields[..., :2].double(), 10.0)
    assert said[20, 3, 2, 0, 0, 0] == pytest.approx(0.1 + 0.02 * 24)


def test_down_counts_by_the_width() -> None:
    fields = torch.zeros(20, 2, 2, 5)
    fields[1:, ..., 1] = 0.4  # heights/s
    tally = Tally()
    tally.add(told(torch.zeros_like(fields), 0.0, 0.1), fields, 10.0, 100, 50)
    found = tally.scores()
    assert found.fields[0].pixels is not None
    assert found.fields[0].pixels.model == pytest.approx(0.4 * 50)
    assert found.speed == pytest.approx(1, abs=0.001)
    tally = Tally()
    right = fields.roll(-1, -1)  # as far to the right, in widths/s
    assert right[1, 0, 0].tolist() == pytest.approx([0.4, 0, 0, 0, 0])
    tally.add(told(right, 0.0, 0.1), fields, 10.0, 100, 50)
    assert tally.scores().angle == pytest.approx(90, abs=0.06)


def test_clips_too_short_to_tell() -> None:
    tally, fields = Tally(), field_of([0.1, 0.1])
    tally.add(told(fields, 0, 0.1), fields, 10.0, 100, 100)
    found = tally.scores()
    assert found.error is None
    assert (found.angle, found.speed) == (None, None)
    assert {(field.cells, field.widths, field.ratio) for field in found.fields} == {(0, None, None)}


def test_the_ratio_is_to_the_best_guess() -> None:
    errors = EndpointErrors(0.2, 0.5, 0.4, 0.8)
    assert FieldScores(0.5, 1, errors, errors, 0.5, 1.0).ratio == 0.5
    nothing = EndpointErrors(0.2, 0.0, 0.4, 0.8)
    assert FieldScores(0.5, 1, nothing, nothing, 0.5, 1.0).ratio is None


def of_errors(*rows: tuple[float, ...], now: tuple[float, float] = (0.1, 0.4)) -> MotionScores:
    """Return scores of errors now, and ahead by 0.25, 0.5 ... s; model and guesses in a row."""
    errors = [EndpointErrors(*now, None, None), *(EndpointErrors(*row) for row in rows)]
    fields = [
        FieldScores(seconds, 1, each, each, None, None)
        for seconds, each in zip((0.0, *AHEAD), errors, strict=False)
    ]
    return MotionScores(1, tuple(fields), None, None)


BETTER, WORSE = (0.1, 0.3, 0.2, 0.4), (0.3125, 0.4, 0.25, 0.5)
NOT_USEFUL = (
    "Not useful yet: its mean error ahead on {}, 31.25 % of the width a second, is not below that "
    "of motion that goes on, 25 %. Train longer (--minutes or --epochs) or on more clips."
)


@pytest.mark.parametrize(
    ("scores", "useful", "sentence"),
    [
        (of_errors(BETTER, BETTER, BETTER), True, ""),
        (of_errors(BETTER, BETTER, BETTER, now=(0.5, 0.4)), True, ""),
        # What is told now does not make up for it, however good it is.
        (of_errors(WORSE, WORSE, WORSE, now=(0.0, 9.0)), False, NOT_USEFUL.format("clips")),
        # No better than the best is not better.
        (
            of_errors((0.2, 0.2, 0.3, 0.4)),
            False,
            "Not useful yet: its mean error ahead on clips, 20 % of the width a second, is not "
            "below that of nothing moving, 20 %. Train",
        ),
        (
            of_errors(BETTER, BETTER, (0.5, 0.7, 0.6, 0.4)),
            True,
            "Useful up to +0.5 s only: elsewhere the error",
        ),
        (
            of_errors((0.19, 0.3, 0.2, 0.4), WORSE, WORSE),
            False,
            "of motion that goes on, 23.33 %, though it is up to +0.25 s. Train longer",
        ),
        # Of clips too short to tell of anything ahead.
        (of_errors(now=(0.5, 0.4)), False, "Not useful yet: its mean error now on clips, 50 % of"),
        (of_errors(), True, ""),
        (MotionScores(1, (FieldScores(0.0, 0, None, None, None, None),), None, None), None, ""),
    ],
)
def test_whether_it_is_useful(
    scores: MotionScores, useful: bool | None, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = MotionEvaluation(Path("m"), Path("clips"), "all", 1, scores, 0, 0, ())
    assert (scores.useful, found.to_dict()["useful"]) == (useful, useful)
    show_motion_evaluation(found)
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
        show_motion_training(result)
        said = " ".join(capsys.readouterr().out.split())
        assert sentence in said
        assert ("Not useful yet" in said) == bool(sentence)


def measured(frames: np.ndarray, width: int = 100, height: int = 100) -> Footage:
    """Return a clip at 10 frames/s as footage whose motion is known from measuring it."""
    fields = measure(frames[None], 10.0, height / width)[0].astype(np.float32)
    velocity = fields[..., :2]
    return Footage(frames, velocity, fields[..., 2], velocity, 10.0, width, height)


SPEC = MotionSpec(task="motion", core="convgru", hidden=4, fps=10.0, frames=8, size=32)


def test_following_a_clip_in_pieces_is_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network, frames = build(SPEC).eval(), shifting(20, 4, 0, side=32)
    for parameter in network.parameters():
        parameter.data *= 2  # or what a new network sees hardly changes what it says
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
    for _ in range(2):
        tally = Tally()
        tally.add(follow(network, measured(frames)), fields, 10.0, 100, 100)
        scores.append(tally.scores())
        fit_spread(network, scores[0])
    for before, after in zip(scores[0].fields, scores[1].fields, strict=True):
        assert before.spread is not None
        assert abs(before.spread - 1) > 0.2
        assert after.spread == pytest.approx(1, abs=0.01)
        assert after.widths == before.widths


# The batches.


def test_a_batch_shows_what_it_asks_about(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = shifting(40, 0.6, 0, side=32)
    footage, short = [measured(frames, 200)] * 2, measured(frames[:5])
    torch.manual_seed(0)
    trainer = MotionTrainer(
        build(SPEC), [*footage, short, short], SPEC,
        batch_size=4, lr=1e-3, seed=1, device=torch.device("cpu"),
    )  # fmt: skip
    for _ in range(3):
        order = [*trainer._order]
        shown, flow, asked, known, rate, aspect = trainer._draw()
        assert shown.shape == (4, 8, 3, 32, 32)
        assert flow.shape == (4, 8, 8, 8, 2)
        # What is read is what is asked about, but for the first frame, which has none before it.
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
                # Held still behind its end, about which nothing is asked.
                assert torch.equal(shown[row, 4], shown[row, 7])
                assert not known[row, 5:].any()
        assert not known[:, 0].any()
        assert order == []


def test_windows_and_fields_begin_together(monkeypatch: pytest.MonkeyPatch) -> None:
    # Brightness and what moves both tell the number of the frame.
    number = np.arange(40, dtype=np.float32)
    frames = np.ones((40, 32, 32, 3), np.uint8) * number.astype(np.uint8)[:, None, None, None]
    moving = np.ones((40, 8, 8), np.float32) * number[:, None, None] / 40
    velocity = np.zeros((40, 8, 8, 2), np.float32)
    monkeypatch.setattr(motion_loop, "LIGHT", Augmentation())
    trainer = MotionTrainer(
        build(SPEC), [Footage(frames, velocity, moving, velocity, 10.0, 100, 100)] * 4, SPEC,
        batch_size=4, lr=1e-3, seed=1, device=torch.device("cpu"),
    )  # fmt: skip
    starts = set()
    for _ in range(5):
        shown, _, asked, *_ = trainer._draw()
        seen = (shown[:, :, 0, 0, 0] * 0.25 + 0.45) * 255
        told = asked[:, :8, 0, 0, 2] * 40
        assert torch.allclose(seen, told, atol=0.01)
        assert torch.allclose(told - told[:, :1], torch.arange(8.0), atol=0.01)
        starts |= {round(start) for start in told[:, 0].tolist()}
    assert len(starts) > 8
    assert min(starts) >= 0
    assert max(starts) <= 32


def test_it_learns(learned: Run) -> None:
    with open(learned.run / "metrics.csv", newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert set(rows[0]) == {"epoch", "step", "train_loss", "val_error", "seconds"}
    assert rows[-1]["val_error"] < rows[0]["val_error"]
    assert learned.validation.error is not None
    chosen = load_motion(learned.run)
    assert chosen.metrics["validation"] == json.loads(json.dumps(learned.validation.to_dict()))
    # No spread is told below a thousandth of the width a second, where steady squares come to.
    *near, last = (field.spread for field in learned.validation.fields)
    assert last == pytest.approx(1, abs=0.05)
    assert all(spread is not None and spread < 1.05 for spread in near)


# From a folder to a model file, on the command line.


def test_the_run_folder(learned: Run, films: Path) -> None:
    names = {"model.safetensors", "last.ckpt", "metrics.csv", "config.json", "split.csv"}
    assert {path.name for path in learned.run.iterdir()} == {*names, "curves.png"}
    loaded = load_motion(learned.run)
    assert asdict(loaded.spec) == {
        "task": "motion", "core": "convgru", "hidden": MOTION_HIDDEN,
        "fps": 10.0, "frames": 25, "size": 32,
    }  # fmt: skip
    config = json.loads((learned.run / "config.json").read_text())
    assert config["chosen"] == {
        "core": "convgru", "hidden": MOTION_HIDDEN, "fps": 10.0, "frames": 25, "size": 32,
    }  # fmt: skip
    with open(learned.run / "split.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["path"] for row in rows} == {clip.name for clip in read_videos(films)}
    assert {row["label"] for row in rows} == {""}
    assert sorted({row["split"] for row in rows}) == ["train", "val"]
    assert learned.began_with == "random weights"
    assert (learned.train_clips, learned.fps, learned.frames, learned.size) == (6, 10.0, 25, 32)


def test_what_is_found_in_a_folder(films: Path, learned: Run, tmp_path: Path) -> None:
    wanted = ["6.avi", *(f"a/{n}.avi" for n in range(6)), "b/c"]
    found = read_videos(films)
    assert [clip.name for clip in found] == wanted
    assert {(clip.label, clip.part) for clip in found} == {("", None)}
    (tmp_path / "train" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "val").mkdir()
    for name in ("train/deep/er/1.avi", "val/2.avi", "3.avi"):
        (tmp_path / name).write_bytes(b"")
    # A run folder holds pictures, but is no clip.
    run = tmp_path / "train" / "run-1"
    run.mkdir()
    (run / "model.safetensors").write_bytes(b"")
    (run / "curves.png").write_bytes(b"")
    parts = {clip.name: clip.part for clip in read_videos(tmp_path)}
    assert parts == {"train/deep/er/1.avi": "train", "val/2.avi": "val"}
    for empty in (tmp_path / "none", tmp_path / "3.avi", run):
        with pytest.raises(DataError):
            read_videos(empty)


def test_a_table_and_what_to_type_next(films: Path, vidgru: Vidgru, tmp_path: Path) -> None:
    done = vidgru("train", films, *OPTIONS, "--out", tmp_path / "run", "-q")
    assert (done.code, done.err) == (0, "")
    heads = ["model", "zero", "persistence", "acceleration", "model / best other"]
    lines = done.out.splitlines()
    assert any(all(head in line for head in heads) for line in lines)
    rows = [line.split()[0:2] for line in lines if line.strip().startswith(("now ", "+"))]
    assert [row[0] for row in rows] == ["now", "+0.25", "+0.5", "+1"]
    assert "Split clip by clip: 6 clips train, 2 clips validate." in done.out
    assert "beginning with random weights; " in done.out
    assert f"Next:  vidgru motion VIDEO --model {tmp_path / 'run'}" in done.out


def test_the_same_seed_gives_the_same_bits_and_json(
    films: Path, learned: Run, vidgru: Vidgru, tmp_path: Path
) -> None:
    done = vidgru("train", films, *OPTIONS, "--out", tmp_path / "run", "--json")
    assert (done.code, done.err) == (0, "")
    said = json.loads(done.out)
    wanted = learned.to_dict()
    for name in ("run", "model", "seconds", "step_seconds"):
        said.pop(name), wanted.pop(name)
    assert said == json.loads(json.dumps(wanted))
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == learned.model.read_bytes()


@pytest.mark.parametrize("steps", [1, 3])
def test_resuming_gives_the_same_bits(
    films: Path,
    learned: Run,
    vidgru: Vidgru,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
) -> None:
    run, step = tmp_path / "run", MotionTrainer.step

    def interrupted(self: MotionTrainer, done: float) -> float:
        if self.steps == steps:
            raise KeyboardInterrupt
        return step(self, done)

    with monkeypatch.context() as patch:
        patch.setattr("vidgru.engine.trainer.LATEST", -1.0)
        patch.setattr(MotionTrainer, "step", interrupted)
        done = vidgru("train", films, *OPTIONS, "--out", run, "-q")
    assert done.code == 130
    assert f"Go on with: vidgru train --resume {run}" in done.err
    assert load_checkpoint(run / "last.ckpt")["steps"] == steps
    assert vidgru("train", "--resume", run, "-q").code == 0
    assert (run / "model.safetensors").read_bytes() == learned.model.read_bytes()


def test_a_checkpoint_of_another_kind(
    films: Path, learned: Run, vidgru: Vidgru, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.json", "split.csv"):
        (run / name).write_bytes((learned.run / name).read_bytes())
    state = load_checkpoint(learned.run / "last.ckpt")
    torch.save({**state, "rows": [{"step": 1}]}, run / "last.ckpt")
    done = vidgru("train", "--resume", run)
    wanted = f"Error: Cannot go on from {run / 'last.ckpt'}: it is damaged.\n"
    assert (done.code, done.err.splitlines(True)[-1]) == (1, wanted)


def test_it_begins_with_what_is_shipped(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = MotionSpec(task="motion", core="convgru", hidden=5, fps=12.5, frames=16, size=48)
    torch.manual_seed(9)
    weights = build(spec).state_dict()
    save_model(tmp_path / "shipped.safetensors", weights, spec, {})
    monkeypatch.setattr(motion_file, "SHIPPED_MOTION", tmp_path / "shipped.safetensors")
    begun: list[dict[str, torch.Tensor]] = []
    init = MotionTrainer.__init__

    def seen(self: MotionTrainer, network: MotionNetwork, *args: Any, **kwargs: Any) -> None:
        begun.append({name: t.clone() for name, t in network.state_dict().items()})
        init(self, network, *args, **kwargs)

    monkeypatch.setattr(MotionTrainer, "__init__", seen)
    options: dict[str, Any] = {"epochs": 1, "batch_size": 4, "threads": 1}
    result = train(films, task="motion", out=str(tmp_path / "run"), **options)
    assert result.began_with == "the model that comes with vidgru"
    assert load_motion(result.run).spec.hidden == 5
    assert result.size == 48
    assert all(torch.equal(begun[0][name], weights[name]) for name in weights)
    other = train(films, task="motion", size=32, out=str(tmp_path / "other"), **options)
    assert other.began_with == "random weights"


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (("--folds", 3), "--folds"),
        (("--encoder", "rows"), "--encoder"),
        (("--core", "gru"), "--core"),
        (("--gated-update", "printed"), "--gated-update"),
        (("--input", "rgb"), "--input"),
        (("--augment", "strong"), "--augment"),
        (("--rotation", 0), "--rotation"),
        (("--shift", 0.1), "--shift"),
        (("--shear", 0.1), "--shear"),
        (("--zoom", 0.1), "--zoom"),
        (("--no-flip",), "--flip"),
        (("--preset", "article"), "--preset"),
    ],
    ids=str,
)
def test_options_that_need_classes(
    vidgru: Vidgru, tmp_path: Path, options: tuple[object, ...], name: str
) -> None:
    done = vidgru("train", tmp_path, "--task", "motion", *options)
    wanted = f"Error: {name} is for classes only: leave it out with --task motion.\n"
    assert (done.code, done.out, done.err) == (2, "", wanted)


@pytest.mark.parametrize("size", [16, 72, 272])
def test_sizes_of_motion(size: int) -> None:
    with pytest.raises(OptionError) as failed:
        MotionTrainConfig(size=size)
    assert str(failed.value) == (
        f"Invalid --size {size} for --task motion. Give a multiple of 16, from 32 to 256."
    )


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ({}, "No videos found in {0}. Expected videos or folders of images anywhere below it"),
        ({"a.avi": 30}, "The folder has only one clip: at least two are needed"),
        ({"a.avi": 3, "b.avi": 3}, "No validation clip is longer than 0.45 s"),
        ({"a.avi": 1, "b.avi": 1}, "No clip can be read: mend or remove them."),
    ],
    ids=["none", "one", "short", "stills"],
)
def test_folders_that_cannot_be_learned_from(
    vidgru: Vidgru, tmp_path: Path, clips: dict[str, int], message: str
) -> None:
    root = tmp_path / "clips"
    root.mkdir()
    for seed, (name, count) in enumerate(clips.items()):
        film(root / name, 1, 0, seed, count)
    done = vidgru("train", root, *OPTIONS, "--out", tmp_path / "run", "-q")
    assert (done.code, done.out) == (1, "")
    assert message.format(root) in done.err.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_a_list_without_labels(films: Path, tmp_path: Path, vidgru: Vidgru) -> None:
    table = tmp_path / "list.csv"
    names = [f"a/{n}.avi" for n in range(4)]
    lines = [f"{films / name},{'val' if name == 'a/3.avi' else 'train'}" for name in names]
    table.write_text("\n".join(["path,split", *lines, ""]))
    run = tmp_path / "run"
    done = vidgru("train", table, *OPTIONS, "--epochs", 1, "--out", run, "--json")
    assert done.code == 0
    assert json.loads(done.out)["split"]["clips"] == {"train": 3, "val": 1, "test": 0}
    # The split of a run can be given again.
    again = vidgru(
        "train", table, *OPTIONS, "--epochs", 1, "--out", tmp_path / "b", "--json",
        "--split", run / "split.csv",
    )  # fmt: skip
    assert again.code == 0
    assert (tmp_path / "b" / "model.safetensors").read_bytes() == (
        (run / "model.safetensors").read_bytes()
    )


def test_a_second_training_measures_nothing(
    films: Path, tmp_path: Path, vidgru: Vidgru, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (*OPTIONS, "--epochs", 1, "--json")
    first = vidgru("train", films, *options, "--out", tmp_path / "a")
    monkeypatch.setattr("vidgru.tasks.motion.flow.Pool", None)
    assert vidgru("train", films, *options, "--out", tmp_path / "b").code == first.code == 0
    models = [(tmp_path / run / "model.safetensors").read_bytes() for run in "ab"]
    assert models[0] == models[1]


def test_damaged_flow_is_measured_again(
    films: Path, tmp_path: Path, vidgru: Vidgru, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDGRU_CACHE", str(tmp_path / "cache"))
    options = (*OPTIONS, "--epochs", 1, "--json")
    vidgru("train", films, *options, "--out", tmp_path / "a")
    flows = sorted((tmp_path / "cache").glob(f"*-flow{flow.VERSION}.npy"))
    assert len(flows) == 8
    whole = flows[0].read_bytes()
    for content in (whole[:-100], b"", whole[:20], whole + b"more"):
        flows[0].write_bytes(content)
        assert vidgru("train", films, *options, "--out", tmp_path / str(len(content))).code == 0
        assert flows[0].read_bytes() == whole


# Evaluation.


def test_evaluating_on_what_was_not_learned(
    films: Path, learned: Run, vidgru: Vidgru, tmp_path: Path
) -> None:
    done = vidgru("evaluate", films, "--model", learned.run, "--json", "-q")
    assert done.code == 0
    said = json.loads(done.out)
    assert (said["clips"], said["trained_on"], said["validated_on"]) == (2, 6, 2)
    assert said["part"] == "all"
    assert said["scores"] == json.loads(json.dumps(learned.validation.to_dict()))
    table = vidgru("evaluate", films, "--model", learned.run, "-q")
    assert (table.code, "how far velocities are off on clips" in table.out) == (0, True)
    assert "model / best other" in table.out
    new = tmp_path / "new"
    film(new / "x.avi", 3, 1, 99)
    found = evaluate(new, learned.run)
    assert found.to_dict()["clips"] == 1
    assert found.trained_on == 0


@pytest.mark.parametrize(
    "option", [("--out", "report.html"), ("--max-error", 0.1), ("--group-by", "x")], ids=str
)
def test_evaluating_with_options_for_classes(
    films: Path, learned: Run, vidgru: Vidgru, option: tuple[object, ...]
) -> None:
    done = vidgru("evaluate", films, "--model", learned.run, *option)
    wanted = f"Error: {option[0]} is for classes only: leave it out with a model of motion.\n"
    assert (done.code, done.out, done.err) == (2, "", wanted)


def test_evaluating_on_clips_too_short(learned: Run, vidgru: Vidgru, tmp_path: Path) -> None:
    film(tmp_path / "new" / "x.avi", 3, 1, 99, 3)
    done = vidgru("evaluate", tmp_path / "new", "--model", learned.run, "-q")
    wanted = f"No clip in {tmp_path / 'new'} is long enough to tell how good the model is."
    assert (done.code, done.out, done.err) == (1, "", f"Error: {wanted}\n")


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
