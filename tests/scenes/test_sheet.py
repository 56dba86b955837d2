"""Contact sheets of scenes."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Done
from helpers import write_clip
from scene_films import LENGTHS, Network, numbered

from vidgru.tasks.scenes.sheet import MAX_SCENES, contact_sheet, pick, thumbnail_size
from vidgru.video.read import shrink

Vidgru = Callable[..., Done]


def test_a_contact_sheet_shows_middle_frames(
    vidgru: Vidgru, network: Network, tmp_path: Path
) -> None:
    frames = numbered(LENGTHS, 180, 320)
    film, sheet = write_clip(tmp_path / "film.mkv", frames, 10), tmp_path / "sheet.png"
    done = vidgru("scenes", film, "--sheet", sheet)
    assert done.code == 0
    picture = cv2.imread(str(sheet))
    assert picture is not None
    shown = picture[..., ::-1]
    for index, middle in enumerate((10, 27, 47)):  # in two columns
        y, x = 8 + 28 + index // 2 * (135 + 28 + 8), 8 + index % 2 * (240 + 8)
        assert (shown[y : y + 135, x : x + 240] == shrink(frames[middle], (240, 135))).all()


def test_sheets_are_bounded() -> None:
    assert pick(5) == [0, 1, 2, 3, 4]
    shown = pick(1000)
    assert (len(shown), shown[0], shown[-1]) == (MAX_SCENES, 0, 999)
    for size in [(1920, 1080), (48, 64), (1, 4000), (4000, 1)]:
        width, height = thumbnail_size(*size)
        assert 32000 < width * height < 52000
        assert width >= 144
    picture = np.zeros((135, 240, 3), np.uint8)
    full = contact_sheet([picture] * MAX_SCENES, [(n, n) for n in range(MAX_SCENES)], "t" * 300, "note")
    assert full.shape[0] < 3000
    assert full.shape[1] < 4000
    assert contact_sheet([picture[:, :90]], [(1, 0.0)], "name", "1 scene").shape[1] > 90


def test_a_sheet_that_leaves_scenes_out_says_so(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidgru.tasks.scenes import save as scenes_save
    from vidgru.tasks.scenes import sheet

    notes = []
    draw = contact_sheet
    monkeypatch.setattr(sheet, "MAX_SCENES", 2)
    monkeypatch.setattr(
        scenes_save, "contact_sheet", lambda *words: notes.append(words[1:]) or draw(*words)
    )
    assert vidgru("scenes", film, "--sheet", tmp_path / "s.png").code == 0
    assert notes == [([(1, 0.0), (3, 3.5)], "film.mkv", "2 of 3 scenes")]
