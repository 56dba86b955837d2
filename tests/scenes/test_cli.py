"""`vidgru scenes`: all that is written of scenes, and how it fails."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from conftest import Done
from edit_lists import parse
from helpers import write_clip
from scene_films import PIECES, Network, gradual, number_of, numbered, read_numbers

from vidgru.core.errors import OutputError
from vidgru.tasks.scenes.model import ScenesModel
from vidgru.tasks.scenes.results import Boundary
from vidgru.video.read import Image

Vidgru = Callable[..., Done]


def test_the_table(vidgru: Vidgru, network: Network, film: Path) -> None:
    network.predicted = gradual()[:2]
    done = vidgru("scenes", film)
    assert done.code == 0
    lines = [" ".join(line.split()) for line in done.out.splitlines() if line.strip()]
    assert lines[0] == str(film)
    assert lines[1] == "scene from to frames begins with confidence"
    assert lines[3:] == [
        "1 0:00.00 0:02.00 0-19 - -",
        "2 0:02.00 0:03.50 20-34 dissolve (10) 80.0 %",
        "3 0:03.50 0:06.00 35-59 fade (5) 75.0 %",
        "3 scenes in 0:06.00, 60 frames at 10/s, 64x48 pixels.",
    ]


def test_json_and_csv(vidgru: Vidgru, network: Network, film: Path, tmp_path: Path) -> None:
    broken, table = tmp_path / "broken.mp4", tmp_path / "t.csv"
    broken.write_text("no video")
    done = vidgru("scenes", film, broken, film, "--json", "--csv", table)
    assert done.code == 1
    sentence = f"Cannot read {broken}: not a video that can be opened."
    assert done.err == f"Error: {sentence}\nSaved: {table}\n"
    first, failure = map(json.loads, done.out.splitlines())
    assert failure == {"source": str(broken), "error": sentence}
    assert [scene["start"] for scene in first["scenes"]] == [0, 20, 35]
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert rows[1] == {
        "source": str(film), "scene": "2", "start": "00:00:02.000", "end": "00:00:03.500",
        "start_seconds": "2.000000", "end_seconds": "3.500000", "start_frame": "20",
        "end_frame": "35", "transition": "cut", "transition_start": "20", "transition_end": "20",
        "confidence": "0.900000", "error": "",
    }  # fmt: skip
    assert (rows[3]["source"], rows[3]["error"]) == (str(broken), sentence)


def test_names_that_would_do_harm(
    vidgru: Vidgru, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("=cmd|x.mkv", "[red]a\x1b[31m\nb.mkv", "-dash.mkv"):
        write_clip(tmp_path / name, numbered([4, 4]), 10)
    options = ["--csv", "t.csv", "--edl", "edl", "--images", "im", "--sheet", "sh", "--split", "sp"]
    done = vidgru("scenes", *options, "--", "=cmd|x.mkv", "[red]a\x1b[31m\nb.mkv", "-dash.mkv")
    assert done.code == 0, done.err
    assert r"[red]a\x1b[31m\nb.mkv" in done.out
    assert "\x1b" not in done.out + done.err
    with open("t.csv", newline="") as file:
        sources = [row["source"] for row in csv.DictReader(file)]
    assert sources[::2] == ["./=cmd|x.mkv", "[red]a\x1b[31m\nb.mkv", "./-dash.mkv"]
    names = {path.name for path in Path("edl").iterdir()}
    assert names == {"=cmd|x.edl", "[red]a\x1b[31m\nb.edl", "-dash.edl"}
    assert sorted(path.name for path in Path("sp/-dash").iterdir()) == [
        f"scene-001{PIECES}", f"scene-002{PIECES}"
    ]  # fmt: skip


def test_frames_of_scenes_as_pictures(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path
) -> None:
    network.predicted = gradual()
    out = tmp_path / "pictures"
    done = vidgru("scenes", film, "--images", out)
    assert done.code == 0
    assert done.err == f"Saved: {out}\n"
    wanted = [(0, 7, 14), (25, 29, 32), (38, 44, 49), (51, 55, 59)]
    kinds = "first", "last", "middle"
    names = [f"scene-00{n}-{kind}.jpg" for n in (1, 2, 3, 4) for kind in kinds]
    assert sorted(path.name for path in out.iterdir()) == names
    for number, frames in enumerate(wanted, 1):
        for what, frame in zip(("first", "middle", "last"), frames, strict=True):
            picture = cv2.imread(str(out / f"scene-00{number}-{what}.jpg"))
            assert picture is not None
            assert picture.shape == (48, 64, 3)
            assert number_of(picture) == frame


def test_a_scene_of_one_frame_has_three_pictures(
    vidgru: Vidgru, network: Network, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.mkv", numbered([1, 1, 1]), 10)
    assert vidgru("scenes", clip, "--images", tmp_path / "out", "-q").code == 0
    pictures = {path.name: cv2.imread(str(path)) for path in (tmp_path / "out").iterdir()}
    assert len(pictures) == 9
    assert {number_of(pictures[f"scene-002-{w}.jpg"]) for w in ("first", "middle", "last")} == {1}


def test_several_sources_have_folders_of_their_own(
    vidgru: Vidgru, network: Network, tmp_path: Path
) -> None:
    for name in ("a/one.mkv", "b/two.mkv"):
        write_clip(tmp_path / "films" / name, numbered([4, 4]), 10)
    broken = tmp_path / "films/c.mkv"
    broken.write_text("no video")
    folders = [tmp_path / name for name in ("im", "sp", "edl", "sh")]
    done = vidgru(
        "scenes", tmp_path / "films", "--images", folders[0], "--split", folders[1],
        "--edl", folders[2], "--sheet", folders[3],
    )  # fmt: skip
    assert done.code == 1
    assert done.err.count("Saved: ") == 8
    assert done.err.count("Error: ") == 1
    for name in ("a/one", "b/two"):
        assert len(list((folders[0] / name).iterdir())) == 6
        assert [read_numbers(folders[1] / name / f"scene-00{n}{PIECES}") for n in (1, 2)] == [
            [0, 1, 2, 3], [4, 5, 6, 7]
        ]  # fmt: skip
        assert len(parse((folders[2] / f"{name}.edl").read_text(), 10)) == 2
        assert (folders[3] / f"{name}.png").is_file()


OUTPUTS = [
    ("--csv", "t.csv", "t.csv"),
    ("--edl", "t.edl", "t.edl"),
    ("--edl", "lists/", "lists/film.edl"),
    ("--sheet", "t.png", "t.png"),
    ("--images", "out", "out/scene-003-last.jpg"),
    ("--split", "out", "out/scene-003.mkv"),
]


@pytest.mark.parametrize(("option", "target", "file"), OUTPUTS, ids=str)
def test_nothing_is_overwritten_unless_requested(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, option: str, target: str, file: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    other = tmp_path / file
    other.parent.mkdir(exist_ok=True)
    other.write_text("mine")
    (other.parent / "note.txt").write_text("mine")
    done = vidgru("scenes", film, option, target)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Error: {file} exists")
    assert other.read_text() == "mine"
    network.predicted = [
        Boundary(20, "cut", 0.9, 20, 20)
    ]  # two scenes: the third one's file is old
    assert vidgru("scenes", film, option, target, "--overwrite").code == 0
    assert not other.exists() or other.read_bytes() != b"mine"
    assert other.exists() == (target != "out")
    assert (other.parent / "note.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--csv", "film.mkv"], "film.mkv cannot be read and written at once: write elsewhere."),
        (["--images", ""], "--images is empty: give a path."),
        (["--edl", "t.txt"], "Cannot write t.txt: the name must end with .edl, or be a folder."),
        (["--sheet", "t.jpg"], "Cannot write t.jpg: the name must end with .png, or be a folder."),
        (["--csv", "t.edl", "--edl", "t.edl"], "t.edl would be written twice: give another name."),
        (
            ["--heatmap", "t.png"],
            "--heatmap needs --objects: give that, too.",
        ),
        (["--threshold", "1"], "Invalid --threshold 1.0. It must be less than 1."),
    ],
    ids=str,
)
def test_wrong_usage(
    vidgru: Vidgru, network: Network, film: Path, monkeypatch: pytest.MonkeyPatch,
    options: list[str], sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(film.parent)
    done = vidgru("scenes", "film.mkv", *options)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"Error: {sentence}\n"
    assert network.seen == []


def test_a_source_is_never_written_over(vidgru: Vidgru, network: Network, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "scene-001.mkv", numbered([4, 4]), 10)
    done = vidgru("scenes", clip, "--split", tmp_path, "--overwrite")
    assert done.code == 2
    assert done.err == (
        f"Error: {clip} cannot be read and written at once: give another --split.\n"
    )
    assert read_numbers(clip) == list(range(8))


def test_live_sources_are_for_python(vidgru: Vidgru, network: Network) -> None:
    done = vidgru("scenes", "camera:0")
    assert done.code == 2
    assert "camera:0 is no file or folder." in done.err


def test_a_folder_that_is_a_file(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("mine")
    done = vidgru("scenes", film, "--images", tmp_path / "out", "--overwrite")
    assert done.code == 1
    assert done.err == f"Error: Cannot write to {tmp_path / 'out'}: it is a file, not a folder.\n"


@pytest.mark.parametrize("option", ["--split", "--images"])
def test_a_folder_that_cannot_be_made(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path, option: str
) -> None:
    note = tmp_path / "note"
    note.touch()
    done = vidgru("scenes", film, option, note / "x", "--edl", tmp_path / "t.edl")
    sentence = f"Cannot write to {note}/x: {note} is a file, not a folder."
    assert done == (1, "", f"Error: {sentence}\n")
    assert not (tmp_path / "t.edl").exists()


def test_a_full_disk_costs_one_output_only(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidgru.tasks.scenes import save as scenes_save

    def full(path: Path, rgb: Image) -> None:
        raise OutputError(f"Cannot write {path}: No space left on device.")

    monkeypatch.setattr(scenes_save, "write_image", full)
    other = write_clip(tmp_path / "other.mkv", numbered([4, 4]), 10)
    done = vidgru("scenes", film, other, "--images", tmp_path / "im", "--edl", tmp_path / "edl")
    assert done.code == 1
    assert done.err.count("No space left on device.") == 2
    assert {path.name for path in (tmp_path / "edl").iterdir()} == {"film.edl", "other.edl"}
    assert "2 scenes in" in done.out


def test_interrupted(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_clip(tmp_path / "other.mkv", numbered([4, 4]), 10)
    steps = ScenesModel.steps

    def stopped(self: ScenesModel, source: Path, threshold: float | None) -> Iterator[Any]:
        if source == other:
            raise KeyboardInterrupt
        return steps(self, source, threshold)

    monkeypatch.setattr(ScenesModel, "steps", stopped)
    table = tmp_path / "t.csv"
    done = vidgru("scenes", film, other, "--csv", table)
    assert done.code == 130
    assert done.err == f"Saved: {table}\n\nStopped: Interrupted. 1 of 2 sources were finished.\n"
    assert len(table.read_text().splitlines()) == 4


def test_without_ffmpeg_split_says_so_before_it_reads(
    vidgru: Vidgru, network: Network, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.predicted = gradual()[:2]
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    done = vidgru("scenes", film, "--split", tmp_path / "out")
    first, *_ = done.err.splitlines()
    assert first == (
        "Warning: There is no ffmpeg program with libx264 or mpeg4, so all pieces are encoded by "
        "OpenCV: slowly, without sound and at an even rate. Install ffmpeg; on Debian and Ubuntu: "
        "apt install ffmpeg"
    )
    assert done.code == 0
