"""The made sets: drawn again byte for byte, and nothing predicts the class but what should."""

from pathlib import Path

import cv2
import made_sets
import numpy as np
import pytest
from made_sets import Plan, plans, render
from numpy.typing import NDArray

Frames = NDArray[np.float32]


def decode(path: Path) -> Frames:
    """Return grey frames (T, H, W), read without any of our own code."""
    capture, frames = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), []
    while (answer := capture.read())[0]:
        frames.append(answer[1].mean(axis=2))
    return np.stack(frames).astype(np.float32)


def draw(name: str, plan: Plan) -> Frames:
    return np.stack(render(name, plan)).mean(axis=3, dtype=np.float32)


def way(frames: Frames) -> int:
    """Return 1 if what moves before a fixed camera goes right, -1 if it goes left."""
    moving = np.abs(frames - np.median(frames, axis=0)) > 30
    centres = (moving.sum(axis=1) @ np.arange(frames.shape[2])) / moving.sum(axis=(1, 2))
    half = len(centres) // 2
    return int(np.sign(centres[half:].mean() - centres[:half].mean()))


def turning(frames: Frames) -> float:
    """Return how strongly what moves before a fixed camera turns clockwise about its middle."""
    total, (height, width) = 0.0, frames.shape[1:]
    y, x = np.mgrid[:height, :width]
    still = np.zeros((height, width, 2), np.float32)
    for one, other in zip(frames.astype(np.uint8), frames[1:].astype(np.uint8), strict=False):
        flow = cv2.calcOpticalFlowFarneback(one, other, still.copy(), 0.5, 2, 9, 3, 5, 1.1, 0)
        weight = np.hypot(*np.moveaxis(flow, 2, 0))
        right, down = x - np.average(x, weights=weight), y - np.average(y, weights=weight)
        total += float((right * flow[..., 1] - down * flow[..., 0]).sum())
    return total


@pytest.mark.parametrize("name", made_sets.SETS)
def test_the_same_seed_draws_the_same_bytes(name: str, tmp_path: Path) -> None:
    for folder, seed, test_clips in (("a", 3, 1), ("b", 3, 0), ("c", 4, 0)):
        made_sets.make(name, tmp_path / folder, seed, clips=1, test_clips=test_clips)
    a, b, c = (
        {p.relative_to(home).as_posix(): p.read_bytes() for p in home.rglob("*.*")}
        for home in (tmp_path / "a", tmp_path / "b", tmp_path / "c")
    )
    labels = made_sets.SETS[name][0]
    assert set(a) == {
        f"{part}/{label}/clip_00.mp4" for part in ("train", "test") for label in labels
    }
    assert len(set(a.values())) == 2 * len(labels)
    assert b == {path: data for path, data in a.items() if path.startswith("train")}
    assert set(b) == set(c)
    assert not set(b.values()) & set(c.values())


def test_no_clip_of_another_run_is_mixed_in(tmp_path: Path) -> None:
    made_sets.make("places", tmp_path, 0, clips=1, test_clips=0)
    with pytest.raises(SystemExit, match="is there already"):
        made_sets.make("places", tmp_path, 1, clips=1, test_clips=0)


@pytest.mark.parametrize("name", made_sets.SETS)
@pytest.mark.parametrize("part", ["train", "test"])
def test_size_length_rate_light_and_camera_do_not_predict_the_class(name: str, part: str) -> None:
    conditions: dict[str, list[tuple[object, ...]]] = {}
    found = plans(name, part, 5, 16)
    for p in found:
        conditions.setdefault(p.label, []).append(
            (p.width, p.height, p.fps, p.frames, p.light, p.noise, p.moving_camera)
        )
    assert tuple(conditions) == made_sets.SETS[name][0]
    first, *others = conditions.values()
    assert len(set(first)) == 16
    assert sum(bool(one[-1]) for one in first) == 8
    for other in others:
        assert sorted(other, key=str) == sorted(first, key=str)
        assert other != first  # not clip for clip: a number would predict the class
    assert all(15 <= p.fps <= 25 and 1.15 <= p.frames / p.fps <= 2.05 for p in found)
    assert len({p.seed for p in found}) == len(found)


def test_the_seed_chooses_which_two_gaits_go_one_way_in_training_only() -> None:
    chosen = set()
    for seed in range(6):
        ways = {label: set[int]() for label in made_sets.GAITS}
        for p in plans("gaits", "train", seed, 8):
            ways[p.label].add(p.heading)
        (right,) = (label for label, found in ways.items() if found == {1})
        (left,) = (label for label, found in ways.items() if found == {-1})
        assert sorted(map(len, ways.values())) == [1, 1, 2]
        chosen.add((right, left))
        tested = [(p.label, p.heading, p.moving_camera) for p in plans("gaits", "test", seed, 8)]
        assert all(tested.count(one) == 2 for one in tested)
        assert len(set(tested)) == 3 * 2 * 2
    assert len(chosen) == 6
    assert {p.heading for p in plans("gaits", "train", 0, 4) if p.label == "walk"} == {1}
    assert {p.heading for p in plans("gaits", "train", 0, 4) if p.label == "hop"} == {-1}


def test_figures_go_the_way_that_was_planned(tmp_path: Path) -> None:
    made_sets.make("gaits", tmp_path, 0, clips=4, test_clips=4)
    seen: dict[tuple[str, str], list[int]] = {}
    for part in ("train", "test"):
        for p in plans("gaits", part, 0, 4):
            frames = decode(tmp_path / part / p.label / f"clip_{p.seed[-1]:02d}.mp4")
            assert frames.shape == (p.frames, p.height, p.width)
            if not p.moving_camera:
                seen.setdefault((part, p.label), []).append(way(frames))
    assert {key: sorted(found) for key, found in seen.items()} == {
        ("train", "walk"): [1, 1],
        ("train", "hop"): [-1, -1],
        ("train", "limp"): [-1, 1],
        **{("test", label): [-1, 1] for label in ("walk", "hop", "limp")},
    }


def test_objects_move_and_turn_as_their_class() -> None:
    fixed = [p for p in plans("directions", "test", 0, 6) if not p.moving_camera]
    assert len(fixed) == 4 * 3
    for p in fixed:
        frames = draw("directions", p)
        if p.label in ("left", "right"):
            assert way(frames) == (1 if p.label == "right" else -1), p
        else:
            assert (turning(frames) > 0) == (p.label == "clockwise"), p


def test_what_shakes_is_where_its_class_says() -> None:
    fixed = [p for p in plans("places", "test", 0, 6) if not p.moving_camera]
    assert len(fixed) == 4 * 3
    for p in fixed:
        change = draw("places", p).std(axis=0)
        y, x = np.unravel_index(cv2.GaussianBlur(change, (0, 0), 4).argmax(), change.shape)
        distances = {
            label: np.hypot(x / p.width - centre[0], y / p.height - centre[1])
            for label, centre in made_sets.CENTRES.items()
        }
        assert min(distances, key=lambda label: distances[label]) == p.label, p
