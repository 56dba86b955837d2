"""`vidgru motion`: its tables, JSON and CSV, what it saves, and how it fails."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import Done
from helpers import noise, save_model, write_clip, write_images
from motion_fields import CAR, scene
from motion_models import SPEC, Known, driving, network

from vidgru import MotionField, TrainResult
from vidgru.core.errors import ModelError, OptionError
from vidgru.tasks.motion import model as motion

Vidgru = Callable[..., Done]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let the model give known results, and return a video for it."""
    fields = driving(1, CAR) + [
        scene(pan=(300, 0), zoom=1.25, turn=10, time=n / 12.5) for n in range(13, 26)
    ]
    fields += [scene(time=n / 12.5) for n in range(26, 38)]
    predicted = Known(fields, 38)
    monkeypatch.setattr(motion, "load_motion", lambda *path, **options: predicted)
    return write_clip(tmp_path / "clip.avi", noise(3), 12.5)


def test_table(vidgru: Vidgru, known: Path) -> None:
    done = vidgru("motion", known, known)
    assert (done.code, done.err) == (0, "")
    lines = [
        f"{known}",
        "   time  moves    px/s  width/s  moving +0.25 s +0.5 s  +1 s    camera",
        "   0:00  E   90°   300   23.4 %   7.5 % E  300  E  300  E  300  still",
        "   0:01  -           -        -   0.0 % -       -       -       E 300 x1.25 +10°",
        "   0:02  -           -        -   0.0 % -       -       -       still",
        "0:03.04 in all, 1280x720 pixels, 38 frames at 12.5/s.",
        "",
    ]
    assert done.out.splitlines() == 2 * lines
    assert max(map(len, lines[1:])) <= 80


def test_json(vidgru: Vidgru, known: Path) -> None:
    done = vidgru("motion", known, "--json")
    assert (done.code, done.err) == (0, "")
    (line,) = done.out.splitlines()
    said = json.loads(line)
    assert said.keys() == {
        "source", "width", "height", "fps", "frames", "model", "per_second", "heat"
    }  # fmt: skip
    assert said["source"] == str(known)
    assert said["model"] == "motion.safetensors"
    assert np.shape(said["heat"]) == (8, 8)
    first, second, last = said["per_second"]
    assert first.keys() == {
        "start", "end", "motion", "moving", "objects", "camera", "ahead", "field", "things"
    }  # fmt: skip
    assert first["objects"] == {
        "compass": "E",
        "degrees": pytest.approx(90),
        "speed": pytest.approx(300, rel=0.01),
        "share": pytest.approx(300 / 1280, rel=0.01),
    }
    assert first["camera"] == {"words": "still", "pan": None, "zoom": 1, "turn": 0}
    assert [ahead["seconds"] for ahead in first["ahead"]] == [0.25, 0.5, 1]
    assert first["ahead"][0]["heading"]["compass"] == "E"
    assert np.shape(first["field"]) == (8, 8, 2)
    assert second["camera"] == {
        "words": "pans right, zooms in, turns clockwise",
        "pan": {
            "compass": "E",
            "degrees": pytest.approx(90, abs=0.1),
            "speed": pytest.approx(300, rel=0.01),
            "share": pytest.approx(300 / 1280, rel=0.01),
        },
        "zoom": pytest.approx(1.25, rel=0.001),
        "turn": pytest.approx(10, rel=0.01),
    }
    assert (last["motion"], last["objects"], last["moving"]) == (None, None, 0)


def test_csv(vidgru: Vidgru, known: Path, tmp_path: Path) -> None:
    strange = tmp_path / '=cmd,"x"\n.avi'
    strange.write_bytes(known.read_bytes())
    absent = tmp_path / "absent.avi"
    table = tmp_path / "table.csv"
    done = vidgru("motion", strange, absent, known, "--csv", table, "--quiet")
    assert done.code == 1
    assert done.err == f"Error: Cannot read {absent}: no such file or folder.\n"
    assert '=cmd,"x"\\n.avi' in done.out  # the name keeps to its line
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == [str(strange)] * 3 + [str(absent)] + [str(known)] * 3
    assert rows[3]["error"] == f"Cannot read {absent}: no such file or folder."
    assert {value for name, value in rows[3].items() if name not in ("source", "error")} == {""}
    first, second, last = rows[:3]
    assert (first["start"], first["end"], first["compass"], first["degrees"]) == (
        "0.000", "1.000", "E", "90.00"
    )  # fmt: skip
    assert float(first["speed"]) == pytest.approx(300, rel=0.01)
    assert float(first["moving"]) == pytest.approx(0.075, rel=0.03)
    assert first["compass_0.25s"] == first["compass_0.5s"] == first["compass_1s"] == "E"
    assert float(first["x_1s"]) == pytest.approx(0.325, abs=0.02)
    assert first["pan_compass"] == first["error"] == ""
    assert (first["zoom"], first["turn"]) == ("1.000000", "0.000")
    assert (second["pan_compass"], second["motion_compass"]) == ("E", "W")
    assert float(second["zoom"]) == pytest.approx(1.25, rel=0.001)
    assert (last["compass"], last["speed"], last["spread_1s"], last["x_1s"]) == ("", "", "", "")


def test_names_that_a_spreadsheet_would_compute(
    vidgru: Vidgru, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("=1+1.avi").write_bytes(known.read_bytes())
    assert vidgru("motion", "=1+1.avi", "@none.avi", "--csv", "t.csv", "--quiet").code == 1
    with open("t.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["source"] for row in rows] == ["./=1+1.avi"] * 3 + ["./@none.avi"]


def test_one_bad_source_costs_itself_only(vidgru: Vidgru, known: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.avi").write_text("no video")
    (folder / "b.avi").write_bytes(known.read_bytes())
    done = vidgru("motion", folder, "--json")
    assert done.code == 1
    assert done.err == f"Error: Cannot read {folder}/a.avi: not a video that can be opened.\n"
    bad, good = map(json.loads, done.out.splitlines())
    assert bad == {
        "source": f"{folder}/a.avi",
        "error": f"Cannot read {folder}/a.avi: not a video that can be opened.",
    }
    assert good["source"] == f"{folder}/b.avi"


def test_one_frame_does_not_move(vidgru: Vidgru, model_file: Path, tmp_path: Path) -> None:
    one = write_clip(tmp_path / "one.avi", noise(1), 10)
    picture = write_images(tmp_path / "images", noise(1), ["1.png"]) / "1.png"
    done = vidgru("motion", one, picture, "--model", model_file)
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines() == [
        f"Error: {source} has only one frame: nothing moves." for source in (one, picture)
    ]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["camera:0"], 2, "camera:0 is no file or folder. Live sources"),
        (["rtsp://me:secret@host/x"], 2, "rtsp://***@host/x is no file or folder."),
        (["clip.avi", "--threads", 0], 2, "Invalid --threads 0. It must be at least 1."),
        (["clip.avi", "--model", "nowhere"], 1, "No model at nowhere: give a run folder"),
        (["clip.avi", "--csv", "clip.avi"], 2, "clip.avi cannot be read and written at once"),
        (["clip.avi", "--save", "x.txt"], 2, "Cannot write x.txt: the name must end with .mp4"),
        (["clip.avi", "--heatmap", "x.jpg"], 2, "Cannot write x.jpg: the name must end with .png"),
        (["clip.avi", "a.avi", "--heatmap", "x.png"], 2, "--heatmap x.png is one file for 2"),
        (["clip.avi", "--heatmap", "x.png", "--csv", "x.png"], 2, "x.png would be written twice"),
    ],
    ids=str,
)
def test_what_cannot_be(
    vidgru: Vidgru, clip: Path, monkeypatch: pytest.MonkeyPatch,
    words: list[object], code: int, sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(clip.parent)
    done = vidgru("motion", *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(f"Error: {sentence}")
    assert len(done.err.splitlines()) == 1


def test_models(
    model_file: Path, trained: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert motion.load_motion(model_file, threads=1).spec == SPEC
    with pytest.raises(ModelError, match="is a classifier: use `vidgru predict`"):
        motion.load_motion(trained.run, threads=1)
    shipped = tmp_path / "models" / "motion.safetensors"
    monkeypatch.setattr(motion, "SHIPPED_MOTION", shipped)
    with pytest.raises(ModelError, match=r"^This vidgru comes without its model of motion: reinst"):
        motion.load_motion(threads=1)
    shipped.parent.mkdir()
    shipped.write_bytes(model_file.read_bytes())
    assert motion.load_motion(threads=1).path == shipped
    with pytest.raises(OptionError, match=r"^camera:0 is no file"):
        motion.load_motion(threads=1).fields("camera:0")


def test_weights_that_overflow(vidgru: Vidgru, tmp_path: Path, clip: Path) -> None:
    made = network()
    made.output.weight.data[:] = 3e38
    path = tmp_path / "large.safetensors"
    save_model(path, made.state_dict(), SPEC, {})
    done = vidgru("motion", clip, "--model", path)
    assert (done.code, done.out) == (1, "")
    assert done.err == f"Error: {path} is damaged: its answers are not finite numbers.\n"


def test_interrupted(vidgru: Vidgru, known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Printed seconds stay printed."""
    whole = Known._read

    def broken(self: Known, source: Path, *others: Any) -> Iterator[list[MotionField]]:
        fields = list(whole(self, source, *others))
        yield fields[0]
        if source.name == "other.avi":
            yield fields[1]
            raise KeyboardInterrupt
        yield fields[1]

    monkeypatch.setattr(Known, "_read", broken)
    other = known.with_name("other.avi")
    other.write_bytes(known.read_bytes())
    table = known.with_name("table.csv")
    done = vidgru("motion", known, other, "--csv", table)
    assert done.code == 130
    assert done.err == f"Saved: {table}\n\nStopped: Interrupted. 1 of 2 sources were finished.\n"
    rows = [line for line in done.out.splitlines() if line.startswith("   0:0")]
    assert [row.split()[0] for row in rows] == ["0:00", "0:01", "0:02", "0:00"]
    assert len(table.read_text().splitlines()) == 5


def test_video_and_picture(vidgru: Vidgru, model_file: Path, tmp_path: Path) -> None:
    clips = [write_clip(tmp_path / f"{n}.avi", noise(16, 48, 64, n), 12.5) for n in range(2)]
    saved, maps = tmp_path / "saved", tmp_path / "maps"
    options = "--model", model_file, "--save", saved, "--heatmap", maps
    done = vidgru("motion", *clips, *options)
    assert done.code == 0
    assert done.err.splitlines() == [
        f"Saved: {path}" for n in range(2) for path in (maps / f"{n}.png", saved / f"{n}.mp4")
    ]
    for n in range(2):
        capture = cv2.VideoCapture(str(saved / f"{n}.mp4"))
        count = 0
        while capture.read()[0]:
            count += 1
        assert count == 16
        assert cv2.imread(str(maps / f"{n}.png")) is not None
    quiet = vidgru("motion", clips[0], *options[:2], "--save", tmp_path / "x.mp4", "--quiet")
    assert (quiet.code, quiet.err) == (0, "")
