"""Fixtures that several test files of videos use."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def hide() -> None:
        monkeypatch.setenv("PATH", str(tmp_path / "no programs"))

    return hide
