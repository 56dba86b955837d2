"""Fixtures of models and trainings of scenes."""

from pathlib import Path

import pytest
from helpers import write_clip
from scene_films import LENGTHS, Network, find, loaded, numbered, watch
from scene_shots import SETTINGS, shot

from vidgru import train
from vidgru.tasks.scenes import model as verb
from vidgru.tasks.scenes import model_file as scenes_file
from vidgru.tasks.scenes import (
    task,  # noqa: F401  (it reads where the shipped model lies, which fixtures change)
)
from vidgru.tasks.scenes import training as scene_training
from vidgru.tasks.scenes.model import ScenesModel
from vidgru.tasks.scenes.scores import SceneTrainResult

Run = SceneTrainResult


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    made = Network()
    monkeypatch.setattr(verb, "find", find)
    monkeypatch.setattr(verb, "watch", watch)
    monkeypatch.setattr(verb, "load_scenes", lambda *_, **__: loaded(made))
    return made


@pytest.fixture
def model(network: Network) -> ScenesModel:
    return loaded(network)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "film.mkv", numbered(LENGTHS), 10)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of ten clips of 30 to 39 frames at two depths; not to be changed."""
    root = tmp_path_factory.mktemp("films") / "films"
    for number in range(10):
        place = root / ("a" if number % 2 else "") / f"{number}.avi"
        write_clip(place, shot(number, 30 + number), 25)
    return root


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Begin with random weights, and measure on few windows."""
    monkeypatch.setattr(scenes_file, "SHIPPED_SCENES", tmp_path / "none")
    monkeypatch.setattr(scene_training, "VALIDATED", 5)
    monkeypatch.setattr(scene_training, "MEASURED", 7)


@pytest.fixture(scope="session")
def learned(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return what a short training made; tests must not change its run folder."""
    place = tmp_path_factory.mktemp("learned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGRU_CACHE", str(place / "cache"))
        patch.setattr(scenes_file, "SHIPPED_SCENES", place / "none")
        patch.setattr(scene_training, "VALIDATED", 5)
        patch.setattr(scene_training, "MEASURED", 7)
        return train(films, task="scenes", **SETTINGS, out=str(place / "run"))
