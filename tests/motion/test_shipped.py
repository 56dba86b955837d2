"""The shipped model of motion, on scenes that it was not trained on."""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Done
from drawn_scenes import make_scene, render, texture
from motion_films import film

import vidgru as package
from vidgru.nn.inputs import normalise
from vidgru.tasks.motion.fields import read_outputs
from vidgru.tasks.motion.flow import FlowMeter, cell_means
from vidgru.tasks.motion.footage import Footage
from vidgru.tasks.motion.metrics import MetricAccumulator
from vidgru.tasks.motion.model import MotionModel
from vidgru.tasks.motion.model_file import SHIPPED_MOTION
from vidgru.tasks.motion.results import Motion
from vidgru.tasks.motion.train_step import follow
from vidgru.video.record import open_recorder


@pytest.fixture(scope="module")
def model() -> Iterator[MotionModel]:
    threads = torch.get_num_threads()
    yield package.load("motion", threads=1)
    torch.set_num_threads(threads)


def test_the_file_is_small_and_holds_its_recipe(model: MotionModel) -> None:
    assert SHIPPED_MOTION.stat().st_size <= 1_000_000
    recipe = model.metrics["recipe"]
    assert (Path(__file__).parents[2] / "scripts" / recipe["script"]).is_file()
    assert recipe["seed"] == 2
    assert model.spec.grid == 8


def footage(seed: int, camera: str, kinds: tuple[str, ...]) -> Footage:
    rng, rate = np.random.default_rng([seed, 77]), 12.5
    scene = make_scene(rng, 3.0, kinds=kinds, camera=camera)
    shot = render(scene, rate, 36, (128, 128))
    meter = FlowMeter(rate)
    measured = np.stack([cell_means(meter.next(frame)) for frame in shot.frames])
    velocity = np.stack([cell_means(field) for field in shot.velocity])
    moving = (np.abs(velocity).max(-1) > 0).astype(np.float32)
    height = round(1000 * scene.aspect)
    return Footage(shot.frames, velocity, moving, measured, rate, 1000, height)


def test_it_sees_and_foresees(model: MotionModel) -> None:
    accumulator = MetricAccumulator()
    for seed in range(16):
        piece = footage(seed, "still", ("bouncing", "turning"))
        fields = np.concatenate([piece.velocity, piece.measured, piece.moving[..., None]], -1)
        coarse = torch.from_numpy(fields.reshape(36, 8, 4, 8, 4, 5).mean((2, 4)))
        accumulator.add(follow(model.network, piece), coarse, piece.rate, piece.width, piece.height)
    scores = accumulator.scores()
    assert scores.angle is not None
    assert scores.speed is not None
    assert scores.angle < 7
    assert scores.speed < 0.3  # small shapes, which fill cells in part
    for field in scores.fields[2:]:
        assert field.widths is not None
        assert field.widths.persistence is not None
        assert field.widths.model < 0.7 * field.widths.persistence


def test_a_stream_predicts_what_a_clip_does(model: MotionModel) -> None:
    piece = footage(5, "pan", ("constant",))
    whole = follow(model.network, piece)
    state, rate = None, torch.tensor([piece.rate])
    for number, (frame, flow) in enumerate(zip(piece.frames, piece.measured, strict=True)):
        with torch.inference_mode():
            outputs, state = model.network.step(
                normalise(torch.from_numpy(frame)[None]), torch.from_numpy(flow)[None], rate, state
            )
        predicted = read_outputs(outputs[0])
        assert torch.allclose(predicted.velocity, whole.velocity[number], atol=1e-5, rtol=0)
        assert torch.allclose(predicted.spread, whole.spread[number], atol=1e-5, rtol=0)
        assert torch.allclose(predicted.moving, whole.moving[number], atol=1e-4, rtol=0)
    assert whole.velocity.abs().max() > 0.05


def analysed(model: MotionModel, folder: Path, seed: int, camera: str) -> tuple[Motion, np.ndarray]:
    """Return the prediction for a scene, and how its ground moves, in pixels/s."""
    scene = make_scene(np.random.default_rng([seed, 88]), 2.0, camera=camera, aspect=0.75)
    shot = render(scene, 25.0, 50, (320, 240))
    path = folder / f"{camera}{seed}.mp4"
    with open_recorder(path, (320, 240), Fraction(25)) as recorder:
        for frame in shot.frames:
            recorder.write(frame)
    return model.analyse(path), np.median(shot.velocity[25].reshape(-1, 2), axis=0) * [320, 240]


def test_a_still_camera_is_detected(model: MotionModel, tmp_path: Path) -> None:
    for seed in range(4):
        predicted, _ = analysed(model, tmp_path, seed, "still")
        assert [second.camera.words for second in predicted.seconds] == ["still"] * 2


def test_a_panning_camera_is_detected(model: MotionModel, tmp_path: Path) -> None:
    right = []
    for seed in range(6):
        predicted, ground = analysed(model, tmp_path, seed, "pan")
        speed = np.hypot(*ground)
        for second in predicted.seconds:
            pan = second.camera.pan
            if pan is None:
                right.append(speed < 0.03 * 320)
                continue
            away = np.degrees(np.arctan2(-ground[0], ground[1])) % 360
            off = abs((pan.degrees - away + 180) % 360 - 180)
            right.append(bool(off < 10) and abs(pan.speed / speed - 1) < 0.15)
    assert sum(right) >= 11


def test_evaluate_takes_it_by_name(
    vidgru: Callable[..., Done], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film(tmp_path / "new" / "x.avi", 3, 1, 99)
    monkeypatch.chdir(tmp_path)
    done = vidgru("evaluate", "new", "--model", "motion", "--json", "-q")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert (found["model"], found["trained_on"]) == (str(SHIPPED_MOTION), 0)
    assert 0 < found["scores"]["fields"][1]["crps"] < found["scores"]["fields"][1]["widths"]["zero"]
    # A file of that name comes first.
    (tmp_path / "motion").write_text("no model")
    done = vidgru("evaluate", "new", "--model", "motion", "--json", "-q")
    wanted = "Error: Cannot read the model motion: it is damaged, cut short or no model.\n"
    assert (done.code, done.err) == (1, wanted)


@pytest.mark.parametrize("speed", [25, 75, 125])
def test_the_speed_is_that_of_the_thing(model: MotionModel, tmp_path: Path, speed: int) -> None:
    """Not of its cells, which it fills in part."""
    thing, ground = texture(np.random.default_rng(3), 60), texture(np.random.default_rng(4), 320)
    path = tmp_path / "a.mp4"
    with open_recorder(path, (320, 240), Fraction(25)) as recorder:
        for number in range(50):
            frame = ground[:240].copy()
            left = round(10 + speed * number / 25)
            frame[90:150, left : left + 60] = thing
            recorder.write(frame)
    for second in model.analyse(path).seconds:
        assert second.objects is not None
        assert second.objects.compass == "E"
        assert second.objects.speed == pytest.approx(speed, rel=0.06)
        assert second.motion is not None
        assert second.motion.speed == second.objects.speed
