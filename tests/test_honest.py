"""Splits that do not test on what was learned: footage that is there twice, suggested groups."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import write_clip

from vidgru.data.gather import Gathered, choose_sampling, gather, read_clips
from vidgru.errors import DataError
from vidgru.train_config import TrainConfig
from vidgru.verbs.train import run_to_end
from vidgru.video.read import open_video


def gathered(folder: Path, **options: object) -> Gathered:
    config = TrainConfig(**options)
    clips = read_clips(folder, config)
    return run_to_end(gather(clips, choose_sampling(clips, config, 96), config, folder))


def encode_anew(path: Path, copy: Path) -> Path:
    """Write a clip once more, twice as large and with losses."""
    with open_video(path) as video:
        frames = [frame.rgb for frame in video]
    larger = np.stack([cv2.resize(frame, None, fx=2, fy=2) for frame in frames])
    return write_clip(copy, larger, 10, "MJPG")


@pytest.fixture
def folder(data: Path, tmp_path: Path) -> Iterator[Path]:
    place = Path(shutil.copytree(data, tmp_path / "folder"))
    encode_anew(place / "left" / "0.avi", place / "left" / "copy.avi")
    shutil.copy(place / "right" / "3.avi", place / "right" / "9.avi")
    return place


@pytest.mark.parametrize("seed", range(8))
def test_the_same_footage_stays_on_one_side(folder: Path, seed: int) -> None:
    data = gathered(folder, seed=seed)
    sides = {clip.name: part for part, clips in data.parts.items() for clip in clips}
    assert sides["left/0.avi"] == sides["left/copy.avi"]
    assert sides["right/3.avi"] == sides["right/9.avi"]
    assert data.split.together == 2


def test_it_is_not_so_by_chance(folder: Path) -> None:
    parts = [
        {
            clip.name: part
            for part, clips in gathered(folder, seed=seed).parts.items()
            for clip in clips
        }
        for seed in range(24)
    ]
    # Both sides get them, and other pairs are parted.
    assert {part["left/copy.avi"] for part in parts} == {"train", "val"}
    assert any(part["left/0.avi"] != part["left/1.avi"] for part in parts)


def test_footage_that_a_folder_has_on_both_sides_is_told(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    apart = tmp_path / "apart"
    for path in folder.glob("*/*.avi"):
        part = "val" if path.stem in ("copy", "9", "5") else "train"
        place = apart / part / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    caplog.set_level(logging.WARNING, "vidgru")
    data = gathered(apart)
    assert {clip.name for clip in data.parts["val"]} == {
        f"val/{name}.avi" for name in ("left/copy", "left/5", "right/9", "right/5")
    }
    said = [record.getMessage() for record in caplog.records]
    assert (
        "2 pairs show the same in different parts, so that what is learned is tested: "
        "train/left/0.avi = val/left/copy.avi and train/right/3.avi = val/right/9.avi."
    ) in said


def test_a_class_of_one_footage_cannot_be_split(data: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(data, tmp_path / "folder"))
    for path in (place / "left").iterdir():
        path.unlink()
    for number in range(3):
        shutil.copy(data / "left" / "0.avi", place / "left" / f"{number}.avi")
    with pytest.raises(DataError, match=r"class 'left'.*show the same footage stay together"):
        gathered(place)


def named(data: Path, folder: Path, name: str) -> Path:
    """Copy `data` with other names for the clips, made of the class and a number."""
    for path in data.glob("*/*.avi"):
        label = path.parent.name
        copy = folder / label / name.format(label=label, n=int(path.stem), g=int(path.stem) // 2)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return folder


def test_groups_that_names_suggest_are_kept_together(data: Path, tmp_path: Path) -> None:
    folder = named(data, tmp_path / "named", "person{g}_{label}_{n}.avi")
    split = gathered(folder).split
    assert (split.group_by, split.suggested) == (r"person(\d+)_", True)
    assert split.groups == {"train": 2, "val": 1, "test": 0}
    assert gathered(folder, group_by="none").split.groups is None
    given = gathered(folder, group_by=r"_(\d)\.avi").split
    assert (given.group_by, given.suggested) == (r"_(\d)\.avi", False)


def test_suggested_groups_that_cannot_be_kept_apart(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for label, who in (("left", "person1"), ("right", "person2")):
        for number in range(6):
            whose = "person3" if label == "right" and number > 2 else who
            copy = tmp_path / "named" / label / f"{whose}_{number}.avi"
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(data / label / f"{number}.avi", copy)
    split = gathered(tmp_path / "named").split
    assert (split.groups, split.suggested) == (None, False)
    said = caplog.records[0].getMessage()
    assert said.startswith(
        r"Names or tables suggest groups (--group-by 'person(\d+)_'), but these cannot be kept "
        "apart, so that scores may flatter. Cannot split by group: no clip of the class 'left' "
        "is left to "
    )
