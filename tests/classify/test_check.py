"""`vidgru check`: every planted fault is reported, and nothing about clips without any."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import Done
from helpers import retime, turn, write_clip, write_images
from numpy.typing import NDArray

import vidgru as library
from vidgru.commands.train import run_to_end
from vidgru.data import decode
from vidgru.data.dataset import build_dataset, read_clips
from vidgru.data.duplicates import Duplicate, find_duplicates
from vidgru.data.results import Checked, Finding
from vidgru.nn.choices import stored_side
from vidgru.tasks.classify import check as verb
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.tasks.classify.sampling import choose_sampling

Pixels = NDArray[np.uint8]
Run = Callable[..., Done]


def scene(seed: int, step: float, count: int = 24) -> Pixels:
    """Return a disc (T, 72, 96, 3) that moves `step` pixels a frame over its own background."""
    random = np.random.default_rng(seed)
    small = random.integers(30, 200, (6, 8, 3), dtype=np.uint8)
    picture = cv2.resize(small, (96, 72), interpolation=cv2.INTER_CUBIC)
    frames = picture[None].repeat(count, axis=0).astype(np.uint8)
    x, y = random.uniform(20, 76), int(random.integers(15, 57))
    for t, frame in enumerate(frames):
        cv2.circle(frame, (round(x + step * (t - count / 2)), y), 11, (250, 250, 250), -1)
    return frames


def clean(root: Path, clips: int = 9, parts: tuple[str, ...] = ("",)) -> Path:
    for part in parts:
        for label, step in (("left", -2.0), ("right", 2.0)):
            for n in range(clips):
                seed = 100 * n + len(label) + 1000 * len(part)
                write_clip(root / part / label / f"clip_{n}.mp4", scene(seed, step), 10, "mp4v")
    return root


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clean(tmp_path_factory.mktemp("clean") / "clips")


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "clips"))


@pytest.fixture
def sure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pairs that are found be certain, however much a copy lost."""

    def found(*args: Any) -> list[Duplicate]:
        return [replace(pair, certain=True) for pair in find_duplicates(*args)]

    monkeypatch.setattr(verb, "find_duplicates", found)


def told(checked: Checked) -> dict[str, Finding]:
    found = {finding.kind: finding for finding in checked.findings}
    assert len(found) == len(checked.findings)
    return found


def test_a_clean_folder_says_so(original: Path, vidgru: Run) -> None:
    done = vidgru("check", original)
    text = "18 clips in 2 classes, 9 each.\nFound 18 files: 18 clips.\nNo problems found.\n"
    assert done == (0, text, "")


@pytest.mark.usefixtures("sure")
def test_every_planted_fault_is_found(folder: Path) -> None:
    left, right = folder / "left", folder / "right"
    (left / "text.mp4").write_text("no video")
    (right / "empty.mp4").write_bytes(b"")
    warp = write_clip(left / "cut.avi", scene(1, 1.5), 10, "FFV1")
    warp.write_bytes(warp.read_bytes()[: warp.stat().st_size * 4 // 5])
    irregular = write_clip(right / "irregular.mp4", scene(2, -1.5), 10, "mp4v")
    retime(irregular, [256, 1792] * 12)
    turn(write_clip(left / "turned.mp4", scene(3, 1), 10, "mp4v"))
    shutil.copy(left / "clip_0.mp4", left / "same.mp4")
    smaller = np.stack([cv2.resize(f, (64, 64)) for f in scene(4, -1)]).astype(np.uint8)
    write_clip(right / "large.mp4", scene(4, -1), 10, "mp4v")
    write_clip(right / "small.avi", smaller, 10, "MJPG")
    write_clip(left / "short.mp4", scene(5, 1, 3), 10, "mp4v")
    shutil.copy(left / "clip_1.mp4", right / "wrong.mp4")
    for n in range(3):
        write_clip(folder / "up" / f"{n}.mp4", scene(50 + n, 1.7), 10, "mp4v")
    write_clip(left / "black.mp4", np.zeros((24, 72, 96, 3), np.uint8), 10, "mp4v")
    write_clip(right / "frozen.mp4", scene(6, 0), 10, "mp4v")
    (left / "notes.txt").write_text("hello")
    (right / ".hidden").write_text("hello")
    write_images(left / "images", scene(7, 0.5, 45), [f"{n}.png" for n in range(45)])
    (left / "images" / "3.png").write_text("no image")

    checked = library.check(folder)
    found = told(checked)
    expected = {
        "unreadable": ("error", f"1 clip cannot be read: {left / 'text.mp4'}."),
        "empty": ("error", f"1 clip is an empty file: {right / 'empty.mp4'}."),
        "contradictory labels": (
            "error",
            "1 pair shows the same under different classes: left/clip_1.mp4 = right/wrong.mp4.",
        ),
        "truncated": (
            "warning",
            "1 clip ends before 90 % of the declared duration: left/cut.avi.",
        ),
        "damaged": ("warning", "1 clip is damaged in places: left/images."),
        "duplicate": (
            "warning",
            "1 pair holds the same file twice: left/clip_0.mp4 = left/same.mp4.",
        ),
        "near duplicate": (
            "warning",
            "1 pair shows the same footage: right/large.mp4 = right/small.avi.",
        ),
        "blank": ("warning", "1 clip shows a single colour: left/black.mp4."),
        "still": ("warning", "1 clip shows no motion: right/frozen.mp4."),
        "tiny class": ("warning", "1 class has fewer than 5 clips: up (3)."),
        "unbalanced": (
            "warning",
            "Classes are unbalanced, from 3 clips (up) to 15 (left): "
            "look at the balanced accuracy.",
        ),
        "rotated": (
            "note",
            "1 clip is rotated in the file, and read upright: left/turned.mp4.",
        ),
        "variable frame rate": ("note", "1 clip has a variable frame rate: right/irregular.mp4."),
        "too short": (
            "note",
            "1 clip is shorter than half a window of 16 frames, 1.6 s: left/short.mp4.",
        ),
        "ignored": ("note", "1 file is left out (neither video nor picture): left/notes.txt."),
        "hidden": ("note", "1 file is left out (hidden): right/.hidden."),
    }
    assert {kind: (f.severity, f.sentence) for kind, f in found.items()} == expected
    severities = [finding.severity for finding in checked.findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert found["near duplicate"].clips == ("right/large.mp4", "right/small.avi")
    assert checked.clips == {"left": 15, "right": 14, "up": 3}


def test_clips_that_declare_more_frames_than_they_hold_are_counted(folder: Path) -> None:
    for n, more in enumerate((1, 2)):
        path = write_clip(folder / "left" / f"more{n}.avi", scene(60 + n, -2), 10, "FFV1")
        data = bytearray(path.read_bytes())
        at = data.index(b"strh") + 8 + 32  # the stream's length in frames
        assert data[at : at + 4] == (24).to_bytes(4, "little")
        data[at : at + 4] = (24 + more).to_bytes(4, "little")
        path.write_bytes(data)
    assert told(library.check(folder)) == {
        "declares more": Finding(
            "declares more",
            "note",
            "2 clips declare more frames than they hold, by 1 to 2, which is harmless: "
            "left/more0.avi and left/more1.avi.",
            ("left/more0.avi", "left/more1.avi"),
        )
    }


def test_a_shortcut_is_found(folder: Path) -> None:
    for n, path in enumerate(sorted((folder / "right").iterdir())):
        wide = np.stack([cv2.resize(f, (96, 48)) for f in scene(300 + n, 2)]).astype(np.uint8)
        write_clip(path, wide, 10, "mp4v")
    checked = library.check(folder)
    assert list(told(checked)) == ["shortcut"]
    cues = {s.cue: s for s in checked.shortcuts}
    assert cues["aspect ratio"].found
    assert cues["aspect ratio"].accuracy == 1.0
    assert not cues["duration"].found
    assert "aspect ratio 100 %" in checked.findings[0].sentence
    assert "(balanced accuracy; chance is 50 %)" in checked.findings[0].sentence


def test_more_than_three_are_counted_and_all_are_in_json(folder: Path, vidgru: Run) -> None:
    for n in range(5):
        (folder / "left" / f"notes{n}.txt").write_text("hello")
    done = vidgru("check", folder)
    assert done.out.splitlines()[1:] == [
        "Found 23 files: 18 clips, 5 left out.",
        "note     5 files are left out (neither video nor picture): left/notes0.txt, "
        "left/notes1.txt, left/notes2.txt and 2 more.",
    ]
    (finding,) = json.loads(vidgru("check", folder, "--json").out)["findings"]
    assert finding["clips"] == [f"left/notes{n}.txt" for n in range(5)]


def test_what_clips_have_in_common_is_suggested_or_taken(folder: Path, vidgru: Run) -> None:
    for path in [*folder.rglob("clip_*.mp4")]:
        n = int(path.stem[-1])
        path.rename(path.with_name(f"person{n % 3}_{'abc'[n // 3]}.mp4"))
    checked = library.check(folder)
    assert (checked.group_by, checked.groups) == (r"person(\d+)_", 3)
    assert told(checked)["groups"].sentence == (
        "Clips seem to be of 3 persons; train keeps each on one side of the split, as with "
        r"--group-by 'person(\d+)_'."
    )
    checked = library.check(folder, group_by="_(.)")
    assert (checked.group_by, checked.groups, checked.findings) == ("_(.)", 3, ())
    done = vidgru("check", folder, "--group-by", "(")
    assert (done.code, done.out) == (2, "")
    assert "neither a column of groups.csv nor a regular expression" in done.err


@pytest.mark.usefixtures("sure")
def test_leaks_between_parts_are_errors(tmp_path: Path) -> None:
    root = clean(tmp_path / "clips", 5, ("train", "val"))
    smaller = np.stack([cv2.resize(f, (64, 64)) for f in scene(4, -1)]).astype(np.uint8)
    write_clip(root / "train/left/a.mp4", scene(4, -1), 10, "mp4v")
    write_clip(root / "val/left/b.avi", smaller, 10, "MJPG")
    leak = told(library.check(root))["leak"]
    assert leak == Finding(
        "leak",
        "error",
        "1 pair shows the same in different parts, so training clips are tested on: "
        "train/left/a.mp4 = val/left/b.avi.",
        ("train/left/a.mp4", "val/left/b.avi"),
    )


def test_groups_across_parts(tmp_path: Path) -> None:
    root = clean(tmp_path / "clips", 4, ("train", "val"))
    for path in [*root.rglob("clip_*.mp4")]:
        n = int(path.stem[-1]) + (0 if "train" in path.parts else 4)
        path.rename(path.with_name(f"person{n if n != 7 else 0}_x.mp4"))
    found = told(library.check(root))
    assert "groups" not in found  # there is nothing left to split
    assert found["groups across parts"].sentence == (
        "1 group has clips in several parts of the folder, so the same persons or places are "
        "trained and tested on: 0 (train, val)."
    )
    assert len(found["groups across parts"].clips) == 4


def test_training_finds_all_decoded(original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library.check(original)
    monkeypatch.setattr(decode, "Pool", None)  # no worker can be made
    config = ClassifyTrainConfig()
    clips = read_clips(original, config)
    sampling = choose_sampling(clips, config, stored_side(config.side))
    assert len(run_to_end(build_dataset(clips, sampling, config, original)).frames) == 18


def test_a_folder_that_cannot_be_trained_on(folder: Path, vidgru: Run) -> None:
    shutil.rmtree(folder / "right")
    done = vidgru("check", folder)
    assert (done.code, done.out) == (1, "")
    assert done.err == (f"Error: {folder} has only one class ('left'); at least two are needed.\n")


def test_all_that_train_refuses_is_told_at_once(folder: Path, vidgru: Run) -> None:
    for label, seed in (("up", 60), ("down", 61)):
        write_clip(folder / label / "0.mp4", scene(seed, 1.7), 10, "mp4v")
    for label in ("one", "two"):
        write_clip(folder / label / "0.mp4", scene(62, 1.7), 10, "mp4v").write_bytes(b"")
        write_clip(folder / label / "1.mp4", scene(62, 1.7), 10, "mp4v").write_bytes(b"")
    (folder / "left" / "clip_0.mp4").write_text("no video")
    done = vidgru("check", folder)
    lines = done.out.splitlines()
    assert lines[0] == "19 clips in 4 classes, 1 to 9 each."
    assert lines[2:6] == [
        "error    2 classes ('down' and 'up') have only one clip each: at least two are needed, "
        "one to train on and one to validate with. Add clips of them, or leave them out: "
        "--labels=left,right.",
        "error    No clip of 2 classes ('one' and 'two') can be read: repair or remove them, or "
        "leave them out: --labels=down,left,right,up. The first problem: Cannot read "
        f"{folder}/one/0.mp4: the file is empty.",
        f"error    1 clip cannot be read: {folder}/left/clip_0.mp4.",
        f"error    4 clips are empty files: {folder}/one/0.mp4, {folder}/one/1.mp4, "
        f"{folder}/two/0.mp4 and 1 more.",
    ]
    assert done.err == f"Error: `vidgru train` refuses {folder}: mend the first 2 errors.\n"
    done = vidgru("check", folder, "--labels=left,right", "--json")
    assert (done.code, json.loads(done.out)["refused"]) == (0, 0)


def test_nothing_that_can_be_read(tmp_path: Path, vidgru: Run) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "x.mp4").write_text("no video")
    done = vidgru("check", tmp_path)
    assert done.out.startswith("0 clips in 0 classes, 0 each.\nFound 2 files: 2 clips.\nerror ")
    assert (done.code, done.err.count("\n")) == (1, 1)


def test_names_cannot_steer_a_terminal(folder: Path, vidgru: Run) -> None:
    name = "[bold]\x1b[31m.txt"
    (folder / "left" / name).write_text("x")
    done = vidgru("check", folder)
    assert "left/[bold]\\x1b[31m.txt." in done.out
    assert "\x1b" not in done.out
    (finding,) = json.loads(vidgru("check", folder, "--json").out)["findings"]
    assert finding["clips"] == [f"left/{name}"]
