"""Generated scenes: their ground truth is the motion in their pictures."""

import math

import cv2
import numpy as np
import pytest
from drawn_scenes import (
    CAMERAS,
    KINDS,
    STAGES,
    Scene,
    Shot,
    _path,
    make_scene,
    render,
    texture,
)


def scene(seed: int, **wanted: object) -> Scene:
    return make_scene(np.random.default_rng(seed), 3.0, **wanted)  # type: ignore[arg-type]


def unexplained(shot: Shot, fps: float) -> tuple[float, float]:
    """Return how many grey levels pixels are off the ones that they came from, and off the same."""
    height, width = shot.frames.shape[1:3]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    moved, still = [], []
    for number in range(1, len(shot.frames)):
        before, now = shot.frames[number - 1], shot.frames[number].astype(float)
        u, v = np.moveaxis(shot.velocity[number] * np.float32([width, height]) / fps, -1, 0)
        flow_back = cv2.remap(before, x - u, y - v, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT_101)
        # Most pixels: edges of shapes are mixed, and what comes into view came from nowhere.
        off, same = (np.sort(np.abs(seen - now).max(-1).ravel()) for seen in (flow_back, before))
        moved.append(off[: int(0.8 * off.size)].mean())
        still.append(same[: int(0.8 * same.size)].mean())
    return float(np.mean(moved)), float(np.mean(still))


@pytest.mark.parametrize("camera", [name for name in CAMERAS if name != "still"])
def test_pixels_came_from_where_the_motion_says(camera: str) -> None:
    off, same = zip(
        *(
            unexplained(render(scene(seed, camera=camera), 12.5, 8, (128, 96)), 12.5)
            for seed in range(8)
        ),
        strict=True,
    )
    assert np.median(off) < 4
    assert np.median(off) < 0.65 * np.median(same)


def test_where_the_camera_is_still_only_shapes_move() -> None:
    for seed in range(6):
        shot = render(scene(seed, camera="still", most=1), 10.0, 6, (128, 96))
        moves = np.abs(shot.velocity[1:]).max((0, 3)) > 1e-6
        assert moves.mean() < 0.9
        same = np.ptp(shot.frames.astype(int), axis=0).max(-1) == 0
        assert (
            not moves.any() or same[~moves].mean() > 0.9
        )  # but for the borders of the shape, which are mixed
    empty = render(scene(0, camera="still", most=0), 10.0, 3, (64, 48))
    assert np.abs(empty.velocity).max() < 1e-6
    assert np.ptp(empty.frames.astype(int), axis=0).max() == 0


def test_the_first_frame_came_from_nowhere() -> None:
    assert not render(scene(3, camera="pan"), 10.0, 3, (64, 48)).velocity[0].any()


def test_the_same_seed_gives_the_same_scene() -> None:
    one, other, third = (render(scene(seed), 10.0, 3, (64, 48)) for seed in (5, 5, 6))
    assert np.array_equal(one.frames, other.frames)
    assert np.array_equal(one.velocity, other.velocity)
    assert not np.array_equal(one.frames, third.frames)


def test_velocity_does_not_depend_on_size_and_rate() -> None:
    large = render(scene(7, camera="pan", most=0), 10.0, 3, (256, 128)).velocity[2]
    small = render(scene(7, camera="pan", most=0), 20.0, 5, (64, 64)).velocity[4]
    assert np.allclose(large.mean((0, 1)), small.mean((0, 1)), rtol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_move_as_their_kind_says(kind: str) -> None:
    times, stops, turns = np.linspace(0, 3, 601), 0, 0
    for seed in range(10):
        path = _path(np.random.default_rng(seed), kind, 0.1, 0.75, 3.0)
        places = np.array([path(float(t)) for t in times])
        steps = np.diff(places, axis=0) * 200
        speed, angle = np.hypot(*steps.T), np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
        if kind == "constant":
            assert np.ptp(steps, axis=0).max() < 1e-9
        elif kind == "accelerating":
            gain = np.diff(steps, axis=0) * 200
            assert np.ptp(gain, axis=0).max() < 1e-6 < np.abs(gain).max()
        elif kind == "turning":
            assert np.ptp(speed) < 1e-3 * speed.mean()
            assert abs(angle[-1] - angle[0]) > 0.5 * 3 * 0.6
            assert np.ptp(np.diff(angle)) < 1e-6
        elif kind == "stopping":
            still, fast = speed < 1e-6, speed > 0.999 * speed.max()
            assert (~still & ~fast).sum() <= STAGES  # the moments at which that changes
            ways = np.exp(1j * angle[fast])
            assert np.allclose((ways / ways[0]).imag, 0, atol=1e-6)
            stops += still.any()
            turns += (ways / ways[0]).real.min() < 0
        else:
            assert places.min() >= 0.09 - 1e-9
            assert (places.max(0) <= np.array([0.91, 0.66]) + 1e-9).all()
            away = np.sort(np.abs(steps), axis=0)
            assert np.allclose(away[50:], away[50], atol=1e-6)  # but where it bounces
    assert kind != "stopping" or (stops > 5 and turns > 2)


def test_textures_are_of_many_kinds() -> None:
    seen = [texture(np.random.default_rng(seed), 64) for seed in range(12)]
    assert all(one.shape == (64, 64, 3) and one.dtype == np.uint8 for one in seen)
    fine = [float(np.abs(np.diff(one.astype(int), axis=0)).mean()) for one in seen]
    assert max(fine) > 4 * min(fine)
    assert not math.isclose(np.mean(seen[0]), np.mean(seen[1]), rel_tol=0.01)
