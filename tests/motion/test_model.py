"""Motion from a model: the network's numbers in the source's units, by frame and by second."""

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from helpers import noise, retime, turn, write_clip, write_images
from motion_fields import CAR, scene
from motion_models import SPEC, Known, loaded, network

from vidgru import MotionField
from vidgru.core.errors import VideoError
from vidgru.nn.inputs import normalise
from vidgru.tasks.motion import model as motion
from vidgru.tasks.motion.fields import read_outputs
from vidgru.tasks.motion.flow import FlowMeter, cell_means
from vidgru.tasks.motion.model import MotionModel, Probe
from vidgru.video.read import Frame


@pytest.fixture
def model() -> MotionModel:
    return MotionModel(loaded(), torch.device("cpu"))


@pytest.mark.parametrize("things", [False, True])
def test_who_stops_early_lets_go_of_the_video(
    model: MotionModel, things: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, closed, sampled = write_clip(tmp_path / "a.avi", noise(150), 25), [], motion.sample_frames

    def watched(*args: Any, **kwargs: Any) -> Iterator[Frame]:
        try:
            yield from sampled(*args, **kwargs)
        finally:
            closed.append(clip)

    monkeypatch.setattr(motion, "sample_frames", watched)
    fields = model.fields(clip, things=things)
    next(fields)
    assert closed == []
    fields.close()
    assert closed == [clip]


def stepped(frames: list[np.ndarray], rate: float, width: int, height: int) -> list[np.ndarray]:
    """Return velocity, spread and moving of each frame by driving the network step by step."""
    made, state, found, meter = network(), None, [], FlowMeter(rate)
    for frame in frames:
        small = cv2.resize(frame, (SPEC.size, SPEC.size), interpolation=cv2.INTER_AREA)
        with torch.inference_mode():
            pixels = normalise(torch.from_numpy(small)[None])
            flow = torch.from_numpy(cell_means(meter.next(small)))[None]
            outputs, state = made.step(pixels, flow, torch.tensor([rate]), state)
        predicted = read_outputs(outputs[0])
        scaled = predicted.velocity.numpy() * np.array([width, height])
        moving = 1 / (1 + np.exp(-predicted.moving.numpy()))
        found.append(
            np.concatenate(
                [scaled.ravel() / width, predicted.spread.numpy().ravel(), moving.ravel()]
            )
        )
    return found


def flat(field: MotionField, width: int) -> np.ndarray:
    parts = field.velocity / width, field.spread / width, field.moving
    return np.concatenate([part.ravel() for part in parts])


def test_chunks_give_what_steps_give(
    model: MotionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = noise(45, 64, 96)
    clip = write_clip(tmp_path / "clip.avi", frames, 12.5)
    fields = list(model.fields(clip))
    assert [field.time for field in fields] == pytest.approx(np.arange(1, 45) / 12.5)
    direct = stepped(list(frames), 12.5, 96, 64)
    assert np.abs(np.diff(direct, axis=0)).max() > 0.01  # they differ from frame to frame
    for field, wanted in zip(fields, direct[1:], strict=True):
        assert field.velocity.shape == (4, 2, 2, 2)
        assert flat(field, 96) == pytest.approx(wanted, abs=1e-5)
        either = field.outcomes
        assert either is not None
        assert either.velocity.shape == (2, 4, 2, 2, 2)
        # What is predicted lies between the two, nearer to the likelier, or where that is narrow.
        before, after = (
            np.linalg.norm(field.velocity - velocity, axis=-1) for velocity in either.velocity
        )
        way = np.linalg.norm(np.subtract(*either.velocity), axis=-1)
        assert before + after == pytest.approx(way, rel=0.02, abs=0.02)
        expected = either.chance * np.hypot(either.spread[0], before)
        expected += (1 - either.chance) * np.hypot(either.spread[1], after)
        assert field.spread == pytest.approx(expected, rel=0.35)  # heights count as widths
    model._most = 8  # other chunks
    again = list(model.fields(clip))
    for field, other in zip(fields, again, strict=True):
        assert flat(field, 96) == pytest.approx(flat(other, 96), abs=1e-5)


def test_pieces_are_of_few_sizes() -> None:
    frames = [Frame(np.zeros((1, 1, 3), np.uint8), float(n), n) for n in range(32)]
    flow = np.zeros((8, 8, 2), np.float32)
    marked = [motion._FlowFrame(frame, frame.index in (0, 9, 10), flow) for frame in frames]
    pieces = [([s.frame.index for s in shown], new) for shown, new in motion._pieces(marked)]
    assert [(len(indices), new) for indices, new in pieces] == [
        (8, True), (1, False), (1, True), (16, True), (4, False), (2, False)
    ]  # fmt: skip
    assert [index for indices, _ in pieces for index in indices] == list(range(32))


def test_a_shot_begins_afresh(model: MotionModel, tmp_path: Path) -> None:
    base = noise(1, 32, 32)[0] // 4
    one = np.stack([np.roll(base, n, axis=1) for n in range(20)])
    two = np.stack([np.roll(255 - base, n, axis=0) for n in range(17)])
    both = write_clip(tmp_path / "both.avi", np.concatenate([one, two]), 12.5)
    alone = write_clip(tmp_path / "alone.avi", two, 12.5)
    fields = list(model.fields(both))
    missing = set(range(37)) - {round(field.time * 12.5) for field in fields}
    assert missing == {0, 20}
    for field, other in zip(fields[19:], model.fields(alone), strict=True):
        assert field.time == pytest.approx(other.time + 20 / 12.5)
        assert flat(field, 32) == pytest.approx(flat(other, 32), abs=1e-5)


def test_a_rotated_video_is_predicted_upright(model: MotionModel, tmp_path: Path) -> None:
    frames = noise(14, 48, 96)
    turned = turn(write_clip(tmp_path / "turned.mp4", frames, 12.5, "mp4v"))
    flat_one = write_clip(tmp_path / "flat.mp4", frames, 12.5, "mp4v")
    assert model.probe(flat_one) == Probe(96, 48, 12.5)
    assert model.probe(turned) == Probe(48, 96, 12.5)
    images = write_images(tmp_path / "images", frames[:3], ["1.png", "2.png", "3.png"])
    assert model.probe(images) == Probe(96, 48, 25.0)
    upright = list(model.fields(turned))
    assert len(upright) == 13
    said = model.analyse(turned)
    assert (said.width, said.height, said.frames, said.fps) == (48, 96, 14, 12.5)


@pytest.mark.parametrize(
    ("fps", "rate"),
    [(30, 15), (25, 12.5), (12.5, 12.5), (24, 12), (60, 12), (8, 8), (1, 1), (240, 240 / 19)],
)
def test_the_rate(model: MotionModel, tmp_path: Path, fps: float, rate: float) -> None:
    clip = write_clip(tmp_path / "clip.avi", noise(13), fps)
    assert model.probe(clip).rate == pytest.approx(rate)


def test_the_rate_where_frames_come_unevenly(model: MotionModel, tmp_path: Path) -> None:
    """One long hold makes the mean rate, which a file declares, far too low."""
    clip = write_clip(tmp_path / "clip.mp4", noise(20), 20, "mp4v")
    retime(clip, [512] * 15 + [100_000] + [512] * 4)
    capture = cv2.VideoCapture(str(clip))
    assert capture.get(cv2.CAP_PROP_FPS) < 4
    assert model.probe(clip).rate == pytest.approx(10)


def test_a_few_frames(model: MotionModel, tmp_path: Path) -> None:
    # A change that is large would be a cut.
    two = write_clip(tmp_path / "two.avi", noise(2) // 32, 30)
    assert [round(field.time, 4) for field in model.fields(two)] == [0.0333]
    (second,) = model.analyse(two).seconds
    assert (second.start, second.end) == (0, pytest.approx(2 / 30))
    fast = write_clip(tmp_path / "fast.avi", noise(2), 120)
    with pytest.raises(VideoError, match=f"^{fast} is too short to measure motion: 0.03 s.$"):
        model.analyse(fast)


@pytest.mark.parametrize(
    ("frames", "spans"),
    [(5, [(0, 0.4)]), (13, [(0, 1.04)]), (18, [(0, 1.44)]), (19, [(0, 1), (1, 1.52)]),
     (25, [(0, 1), (1, 2)]), (31, [(0, 1), (1, 2.48)]), (32, [(0, 1), (1, 2), (2, 2.56)])],
)  # fmt: skip
def test_seconds(tmp_path: Path, frames: int, spans: list[tuple[float, float]]) -> None:
    clip = write_clip(tmp_path / "clip.avi", noise(3), 12.5)
    fields = [scene([CAR._replace(vx=100 + n)], time=n / 12.5, spread=1) for n in range(1, frames)]
    said = Known(fields, frames).analyse(clip)
    found = [(second.start, second.end) for second in said.seconds]
    assert found == [pytest.approx(span) for span in spans]
    assert said.frames == frames
    for second in said.seconds:
        # Motion in a frame happened since the one before.
        within = [n for n in range(1, frames) if second.start < n / 12.5 <= second.end]
        assert second.field[4][2][0] == pytest.approx(100 + np.mean(within), abs=0.01)
    assert said.heat[4][2] == pytest.approx(100 + frames / 2, abs=0.01)
    assert said.heat[0][0] == 0


def test_a_gap_is_no_row(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", noise(3), 12.5)
    fields = [scene(time=t) for t in (0.5, 0.9, 3.2, 3.3)]
    said = Known(fields, 43).analyse(clip)
    assert [(second.start, second.end) for second in said.seconds] == [(0, 1), (3, 43 / 12.5)]


def test_a_long_video_is_never_held_in_memory(
    model: MotionModel, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = most = 0

    def gone() -> None:
        nonlocal alive
        alive -= 1

    def endless(source: Path, fps: float, **_: Any) -> Iterator[Frame]:
        nonlocal alive, most
        for n in range(1500):
            picture = np.full((32, 32, 3), n % 256, np.uint8)
            weakref.finalize(picture, gone)
            alive += 1
            most = max(most, alive)
            yield Frame(picture, n / fps, n)

    monkeypatch.setattr(motion, "sample_frames", endless)
    said = model.analyse(clip)
    assert said.frames == 1500
    assert len(said.seconds) == 150
    assert most <= 4 * motion.CHUNK
