"""Fixtures that several test files of the classifier use."""

import shutil
import sys
from pathlib import Path

import pytest
from helpers import moving_squares
from quick_workers import SCRIPT

from vidgru import TrainResult
from vidgru.tasks.classify import many
from vidgru.video import live


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


@pytest.fixture
def quick_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let children answer that need no torch; return their command."""
    (tmp_path / "worker.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "worker.py")]
    monkeypatch.setattr(many, "WORKER", command)
    monkeypatch.chdir(tmp_path)
    return command


@pytest.fixture
def main(quick_workers: list[str], tmp_path: Path) -> Path:
    """Return a script that is `vidgru` with such children."""
    path = tmp_path / "main.py"
    path.write_text(
        "from vidgru.cli.main import main\n"
        "from vidgru.tasks.classify import many\n"
        f"many.WORKER = {quick_workers}\n"
        "main()\n"
    )
    return path


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """Return a clip of a square that moves right for ever, when looped: 24 steps lead around."""
    return moving_squares(tmp_path / "right.avi", 2, 5, count=48)


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FIRST_RETRY", 0.02)
    monkeypatch.setattr(live, "LONGEST_RETRY", 0.08)
