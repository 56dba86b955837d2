"""Fixtures that several test files of the classifier use."""

import shutil
from pathlib import Path

import pytest
from helpers import moving_squares

from vidgru import TrainResult


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of seven clips that no model of the tests has learned from."""
    folder = tmp_path_factory.mktemp("fresh")
    for number in range(4):
        moving_squares(folder / "left" / f"day{number // 2}_{number}.avi", -2, 100 + number)
    for number in range(3):
        moving_squares(folder / "right" / f"day{number // 2}_{number}.avi", 2, 200 + number)
    # One that shows the wrong thing.
    moving_squares(folder / "right" / "day2_7.avi", -2, 300)
    return folder


@pytest.fixture
def run(trained: TrainResult, tmp_path: Path) -> Path:
    """Return a copy of the run folder that a test may change."""
    return Path(shutil.copytree(trained.run, tmp_path / "run"))
