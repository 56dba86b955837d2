"""Splits that do not test on training footage: footage that is there twice, suggested groups."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from helpers import gathered, write_clip

from vidgru.core.errors import DataError
from vidgru.data import dataset as gather_module
from vidgru.data.dataset import Dataset, read_clips
from vidgru.data.duplicates import Duplicate, find_duplicates
from vidgru.tasks.classify import check as check_module
from vidgru.tasks.classify.check import check
from vidgru.tasks.classify.check_options import CheckConfig
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.terminal.results import splitting
from vidgru.video.read import open_video


def encode_anew(path: Path, copy: Path) -> Path:
    """Write a clip once more, twice as large and with losses."""
    with open_video(path) as video:
        frames = [frame.rgb for frame in video]
    larger = np.stack([cv2.resize(frame, None, fx=2, fy=2) for frame in frames])
    return write_clip(copy, larger, 10, "MJPG")


@pytest.fixture
def folder(data: Path, tmp_path: Path) -> Path:
    """Return a folder with two copies: one is the same file, one is encoded anew."""
    place = Path(shutil.copytree(data, tmp_path / "folder"))
    encode_anew(place / "left" / "0.avi", place / "left" / "copy.avi")
    shutil.copy(place / "right" / "3.avi", place / "right" / "9.avi")
    return place


@pytest.fixture(params=["certain", "look-alike"])
def certain(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Let all copies that are not the same file be found for sure, or only look alike."""
    sure = bool(request.param == "certain")

    def found(*args: Any) -> list[Duplicate]:
        return [replace(pair, certain=pair.exact or sure) for pair in find_duplicates(*args)]

    for module in (gather_module, check_module):
        monkeypatch.setattr(module, "find_duplicates", found)
    return sure


def sides_of(data: Dataset) -> dict[str, str]:
    return {clip.name: part for part, clips in data.parts.items() for clip in clips}


def test_copies_stay_on_one_side_and_look_alikes_are_only_reported(
    folder: Path, certain: bool, caplog: pytest.LogCaptureFixture
) -> None:
    sides = []
    for seed in range(24):
        caplog.clear()
        data = gathered(folder, seed=seed)
        sides.append(sides_of(data))
        assert sides[-1]["right/3.avi"] == sides[-1]["right/9.avi"]
        assert (data.split.together, data.split.apart) == (1 + certain, 0)
        # Look-alike clips are reported by `check`.
        assert caplog.records == []
    # Both sides get them, and other pairs are parted.
    assert {side["left/copy.avi"] for side in sides} == {"train", "val"}
    assert any(side["left/0.avi"] != side["left/1.avi"] for side in sides)
    assert certain == all(side["left/0.avi"] == side["left/copy.avi"] for side in sides)


@pytest.mark.parametrize("by", [r"(\w)\.avi", "none", "who"])
@pytest.mark.parametrize("certain", ["certain"], indirect=True)
def test_copies_never_join_what_the_user_keeps_apart(
    folder: Path, by: str, certain: bool, caplog: pytest.LogCaptureFixture
) -> None:
    names = sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.avi"))
    rows = [f"{name},{name[-5]}" for name in names]
    (folder / "groups.csv").write_text("\n".join(["clip,who", *rows]))
    apart = set()
    for seed in range(24):
        caplog.clear()
        data = gathered(folder, seed=seed, group_by=by)
        sides = sides_of(data)
        if by != "none":
            parts = [
                {name[-5] for name, side in sides.items() if side == p} for p in sides.values()
            ]
            assert all(one == other or not one & other for one in parts for other in parts)
            assert data.split.noun == ("person" if by == "who" else "group")
        copies = [("left/0.avi", "left/copy.avi"), ("right/3.avi", "right/9.avi")]
        parted = [pair for pair in copies if sides[pair[0]] != sides[pair[1]]]
        assert (data.split.together, data.split.apart) == (2 - len(parted), len(parted))
        apart.add(len(parted))
        shown = " and ".join(f"{first} = {second}" for first, second in parted)
        verb = "shows" if len(parted) == 1 else "show"
        told = (
            f"{len(parted)} pair{'s' * (len(parted) > 1)} {verb} the same in different parts, so "
            f"training clips are tested on: {shown}."
        )
        assert [record.getMessage() for record in caplog.records] == ([told] if parted else [])
    assert apart == {0, 1, 2}


@pytest.mark.parametrize("certain", ["certain"], indirect=True)
def test_a_lists_groups_are_not_joined_either(folder: Path, tmp_path: Path, certain: bool) -> None:
    rows = [f"{path},{path.parent.name},{path.stem[0]}" for path in sorted(folder.glob("*/*.avi"))]
    listed = tmp_path / "list.csv"
    listed.write_text("\n".join(["path,label,group", *rows]))
    seen = set()
    for seed in range(24):
        data = gathered(listed, seed=seed)
        groups = [{clip.group for clip in data.parts[part]} for part in ("train", "val")]
        assert not groups[0] & groups[1]
        seen.add(data.split.apart)
    assert seen == {0, 1, 2}


@pytest.mark.parametrize("by", [r"\[(\S+)-", "none"])
def test_cuts_of_one_video_do_not_join_what_the_user_keeps_apart(
    by: str, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listed = tmp_path / "list.csv"
    rows = [
        f"{path},{path.parent.name},{times}"
        for path in sorted(data.glob("*/*.avi"))
        for times in ("0,0.4", "0.4,0.8", "0.8,")
    ]
    listed.write_text("\n".join(["path,label,start,end", *rows]))
    gathered(listed)
    assert not caplog.records
    parts = gathered(listed, group_by=by).parts
    if by != "none":
        assert not {c.start for c in parts["train"]} & {c.start for c in parts["val"]}
    broken = {clip.path for clip in parts["train"]} & {clip.path for clip in parts["val"]}
    assert [record.getMessage() for record in caplog.records] == [
        "Clips cut from one video are on both sides of the split, so the scores are too optimistic:"
        f" those of {len(broken)} of 12 videos."
    ]
    assert len(broken) == (7 if by == "none" else 12)


@pytest.mark.parametrize("certain", ["certain", "look-alike"], indirect=True)
def test_footage_that_a_folder_has_on_both_sides_is_reported(
    folder: Path, tmp_path: Path, certain: bool, caplog: pytest.LogCaptureFixture
) -> None:
    apart = tmp_path / "apart"
    for path in folder.glob("*/*.avi"):
        part = "val" if path.stem in ("copy", "9", "5") else "train"
        place = apart / part / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    data = gathered(apart)
    assert {clip.name for clip in data.parts["val"]} == {
        f"val/{name}.avi" for name in ("left/copy", "left/5", "right/9", "right/5")
    }
    assert (data.split.given, data.split.together, data.split.apart) == (True, 0, 1 + certain)
    said = [record.getMessage() for record in caplog.records]
    pairs = "train/left/0.avi = val/left/copy.avi", "train/right/3.avi = val/right/9.avi"
    leak = "show{} the same in different parts, so training clips are tested on: {}."
    if certain:
        assert f"2 pairs {leak.format('', ' and '.join(pairs))}" in said
    else:
        assert f"1 pair {leak.format('s', pairs[1])}" in said
        assert not any(pairs[0] in sentence for sentence in said)
    assert splitting(data.split) == (
        "10 clips train, 4 clips validate (split as given). Copies of the same footage: "
        f"{'2 pairs' if certain else '1 pair'} on both sides of the split."
    )


@pytest.mark.parametrize("certain", ["certain", "look-alike"], indirect=True)
def test_labels_contradict_only_where_clips_are_the_same_for_sure(
    folder: Path, certain: bool
) -> None:
    shutil.move(folder / "left" / "copy.avi", folder / "right" / "copy.avi")
    found = {finding.kind: finding for finding in check(folder, CheckConfig()).findings}
    kind = "contradictory labels" if certain else "look-alike"
    assert found[kind].clips == ("left/0.avi", "right/copy.avi")
    assert found[kind].severity == ("error" if certain else "note")
    assert ("contradictory labels" in found) == certain
    assert found["duplicate"].clips == ("right/3.avi", "right/9.avi")


@pytest.mark.parametrize("certain", ["certain"], indirect=True)
def test_copies_are_counted_by_the_folds_that_they_lie_in(folder: Path, certain: bool) -> None:
    for seed in range(6):
        split = gathered(folder, folds=3, seed=seed).split
        assert (split.together, split.apart) == (2, 0)
    apart = {gathered(folder, folds=3, seed=n, group_by="none").split.apart for n in range(12)}
    assert apart == {0, 1, 2}


def test_copies_stay_together_where_cuts_of_one_video_cannot(data: Path, tmp_path: Path) -> None:
    rows = [f"{data}/right/0.avi,right,{n / 5},{(n + 1) / 5}" for n in range(6)]
    for name in ("1", "2", "3", "4", "copy"):
        shutil.copy(data / "left" / f"{name.replace('copy', '4')}.avi", tmp_path / f"{name}.avi")
        rows.append(f"{name}.avi,left,,")
    listed = tmp_path / "list.csv"
    listed.write_text("\n".join(["path,label,start,end", *rows]))
    for seed in range(12):
        sides = sides_of(gathered(listed, seed=seed))
        assert sides["4.avi"] == sides["copy.avi"]
        assert {sides[f"{data}/right/0.avi [{n / 5:g}-{(n + 1) / 5:g} s]"] for n in range(6)} == {
            "train",
            "val",
        }


def test_a_class_of_one_clip_is_refused_by_check_as_by_train(data: Path, tmp_path: Path) -> None:
    folder = named(data, tmp_path / "named", "person{g}_{n}.avi")
    (folder / "one").mkdir()
    shutil.copy(folder / "left" / "person0_0.avi", folder / "one" / "person0_9.avi")
    with pytest.raises(DataError, match="The class 'one' has only one clip") as refused:
        read_clips(folder, ClassifyTrainConfig())
    checked = check(folder, CheckConfig())
    assert (checked.refused, checked.findings[0].sentence) == (1, str(refused.value))
    assert str(refused.value).endswith("leave it out: --labels=left,right.")
    assert len(checked.findings) > 1


def test_a_class_of_one_footage_is_reported(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = Path(shutil.copytree(data, tmp_path / "folder"))
    for path in (place / "left").iterdir():
        path.unlink()
    for number in range(3):
        shutil.copy(data / "left" / "0.avi", place / "left" / f"{number}.avi")
    split = gathered(place).split
    assert splitting(split) == (
        "7 clips train, 2 clips validate (no groups). Copies of the same footage: "
        "1 pair kept on one side, 1 pair on both sides of the split."
    )
    assert "1 pair shows the same in different parts" in caplog.text


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
    assert splitting(split) == (
        "8 clips of 2 persons train, 4 clips of 1 person validate "
        r"(names match 'person(\d+)_'). Change: --group-by REGEX, or none."
    )
    folds = gathered(folder, folds=3).split
    assert splitting(folds, 3) == (
        "12 clips of 3 persons train in 3 folds "
        r"(names match 'person(\d+)_'). Change: --group-by REGEX, or none."
    )
    none = gathered(folder, group_by="none").split
    assert none.groups is None
    assert splitting(none) == "10 clips train, 2 clips validate (no groups)."
    given = gathered(folder, group_by=r"_(\d)\.avi").split
    assert (given.group_by, given.suggested) == (r"_(\d)\.avi", False)
    assert splitting(given) == (
        "10 clips of 5 groups train, 2 clips of 1 group validate "
        r"(names match '_(\d)\.avi')."
    )


@pytest.mark.parametrize("certain", ["certain"], indirect=True)
def test_suggested_groups_stay_when_copies_would_join_them_all(
    data: Path, tmp_path: Path, certain: bool, caplog: pytest.LogCaptureFixture
) -> None:
    folder = named(data, tmp_path / "named", "person{g}_{n}.avi")
    shutil.copy(folder / "left" / "person0_0.avi", folder / "left" / "person1_7.avi")
    shutil.copy(folder / "left" / "person1_2.avi", folder / "left" / "person2_7.avi")
    split = gathered(folder).split
    assert split.groups == {"train": 2, "val": 1, "test": 0}
    assert (split.together, split.apart) in {(1, 1), (0, 2)}
    assert "the same in different parts, so training clips are tested on" in caplog.text
    # Where they join but two of three, they are kept together.
    (folder / "left" / "person2_7.avi").unlink()
    assert all(gathered(folder, seed=seed).split.apart == 0 for seed in range(6))


def test_given_groups_are_those_of_a_validation_folder_too(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, part in enumerate("0123452"):
        for label in ("left", "right"):
            place = tmp_path / ("val" if number > 2 else "train") / label
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(data / label / f"{number % 6}.avi", place / f"p{part}_{number}.avi")
    val = str(tmp_path / "val")
    split = gathered(tmp_path / "train", folds=None, val_folder=val, group_by=r"p(\d)_").split
    assert split.groups == {"train": 3, "val": 4, "test": 0}
    (said,) = [text for text in caplog.messages if "in several parts" in text]
    assert said.endswith("are trained and tested on: 2 (train, val).")
    names = [path.relative_to(tmp_path / "train") for path in tmp_path.glob("train/*/*")]
    rows = [f"{name},x{name.stem[1]}" for name in names]
    (tmp_path / "train" / "groups.csv").write_text("\n".join(["clip,who", *rows]))
    caplog.clear()
    split = gathered(tmp_path / "train", folds=None, val_folder=val, group_by="who").split
    assert split.groups == {"train": 3, "val": 8, "test": 0}
    assert caplog.messages[0].startswith(
        f"The clips of {val} have no groups. --group-by 'who' gives no group for 8 of 8 clips"
    )
