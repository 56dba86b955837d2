"""The sample clips: drawn again byte for byte, and the ones in the repository are these."""

import importlib.util
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vidgru.data.folder import read_folder

FOLDER = Path(__file__).parents[1] / "sample_videos"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_sample_videos", FOLDER / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def decode(path: Path) -> NDArray[np.uint8]:
    """Return bgr frames (T, H, W, 3), read without any of our own code."""
    capture, frames = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG), []
    while (answer := capture.read())[0]:
        frames.append(answer[1])
    return np.stack(frames)


def test_all_clips_are_there(maker: ModuleType) -> None:
    clips = read_folder(FOLDER)
    counts = {
        (part, label): sum(c.part == part and c.label == label for c in clips)
        for part in ("train", "val", "test")
        for label in maker.CLASSES
    }
    assert len(maker.CLASSES) == 8
    for (part, _), count in counts.items():
        assert count == {"train": 25, "val": 5, "test": 5}[part]
    assert len(clips) == sum(counts.values()) == 280


def test_the_same_seed_draws_the_same_bytes(
    maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maker, "SPLITS", ["train"] * 5)  # one clip of every codec
    monkeypatch.setattr(maker, "CLASSES", {"right": ("x", True)})
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        maker.make(tmp_path / name, seed)
    files = {
        name: {
            p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")
        }
        for name in "abc"
    }
    assert len(files["a"]) == 5
    assert {path.suffix for path in files["a"]} == {".mp4", ".avi", ".webm"}
    assert files["a"] == files["b"]
    assert not set(files["a"].values()) & set(files["c"].values())


@pytest.mark.parametrize(("number", "index"), [(0, 0), (3, 1), (6, 34)])
def test_the_clips_in_the_repository_are_drawn_by_this_program(
    maker: ModuleType, number: int, index: int
) -> None:
    name = list(maker.CLASSES)[number]
    (path,) = (FOLDER / maker.SPLITS[index] / name).glob(f"clip_{index:02d}.*")
    found = decode(path)
    # A clip's rate is part of the drawing; the file knows it.
    fps = round(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS))
    drawn = np.stack(maker.render(np.random.default_rng([0, number, index]), name, fps))
    assert found.shape == drawn.shape
    # What a codec loses differs a little from build to build.
    assert np.abs(found.astype(float) - drawn).mean() < 3
    other = np.stack(maker.render(np.random.default_rng([1, number, index]), name, fps))
    same_size = other[: len(found), : found.shape[1], : found.shape[2]]
    cropped = found[: len(other), : same_size.shape[1], : same_size.shape[2]]
    assert np.abs(cropped.astype(float) - same_size).mean() > 10
