"""Fixtures of models and trainings of motion."""

from pathlib import Path

import pytest
from helpers import save_model, write_images
from motion_films import film, shifting
from motion_models import SPEC, network

from vidgru import train
from vidgru.tasks.motion import model_file as motion_file
from vidgru.tasks.motion import (
    task,  # noqa: F401  (it reads where the shipped model lies, which fixtures change)
)
from vidgru.tasks.motion.scores import MotionTrainResult

Run = MotionTrainResult


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "model" / "motion.safetensors"
    save_model(path, network().state_dict(), SPEC, {})
    return path


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def learned(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return what a short training made; tests must not change its run folder."""
    place = tmp_path_factory.mktemp("learned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGRU_CACHE", str(place / "cache"))
        patch.setattr(motion_file, "SHIPPED_MOTION", place / "none")
        return train(
            films, task="motion", size=32, batch_size=4, threads=1, epochs=4, out=str(place / "run")
        )


@pytest.fixture
def nothing_shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(motion_file, "SHIPPED_MOTION", tmp_path / "none")
