"""`vidgru motion --things`: rows, JSON, CSV, and what is drawn."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Done
from helpers import noise, write_clip
from motion_fields import RATE, fields, scene, straight
from motion_models import Known
from numpy.typing import NDArray

from vidgru.tasks.motion import model as motion
from vidgru.tasks.motion.overlay import ThingOverlay
from vidgru.tasks.motion.results import Heading, MovingThing

Vidgru = Callable[..., Done]
TITLES = "   id  seen               left   top right bottom  px/s  moves    in 0.5 s at"
SIZE = (640, 480)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.avi", noise(3), RATE)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, clip: Path) -> Path:
    """Let the model give two things, and return a video for it."""
    ways = straight(240, 160, 300, 0), straight(1000, 560, -200, 0)
    seen = fields(ways, 2)
    predicted = Known(seen, len(seen) + 1)
    monkeypatch.setattr(motion, "load_motion", lambda *path, **options: predicted)
    return clip


def test_rows(vidgru: Vidgru, two: Path) -> None:
    done = vidgru("motion", two, "--things")
    assert (done.code, done.err) == (0, "")
    source, titles, *rows, foot, empty = done.out.splitlines()
    assert (source, titles, empty) == (str(two), TITLES, "")
    assert foot == "0:02.00 in all, 1280x720 pixels, 25 frames at 12.5/s; 2 things that moved."
    assert [row[:24] for row in rows] == [
        "    1  0:00.08-0:00.96  ", "    2  0:00.08-0:00.96  ",
        "    1  0:00.08-0:01.92  ", "    2  0:00.08-0:01.92  ",
    ]  # fmt: skip
    words = rows[2].replace(",", "").split()
    # At 1.92 s the first one's middle is at 816, 160; its sides are 200 and 160 pixels.
    assert [float(word) for word in words[2:6]] == pytest.approx([716, 80, 916, 240], abs=25)
    assert float(words[6]) == pytest.approx(300, abs=15)
    assert words[7:9] == ["E", "90°"]
    assert [float(word) for word in words[9:]] == pytest.approx([966, 160], abs=25)
    assert "W  270°" in rows[1]
    assert max(map(len, rows)) <= 80


def test_nothing_moves(vidgru: Vidgru, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    still = [scene(time=n / RATE) for n in range(1, 25)]
    monkeypatch.setattr(motion, "load_motion", lambda *path, **options: Known(still, 25))
    done = vidgru("motion", clip, "--things")
    assert done.out.splitlines() == [
        str(clip), TITLES,
        "0:02.00 in all, 1280x720 pixels, 25 frames at 12.5/s; no thing moved.", "",
    ]  # fmt: skip


def test_json(vidgru: Vidgru, two: Path) -> None:
    done = vidgru("motion", two, two, "--things", "--json")
    assert (done.code, done.err) == (0, "")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert lines[:25] == lines[25:]  # each source by itself: ids begin anew
    *frames, whole = lines[:25]
    assert [frame["time"] for frame in frames] == pytest.approx([n / RATE for n in range(1, 25)])
    assert all(frame.keys() == {"source", "time", "things"} for frame in frames)
    assert frames[0] == {"source": str(two), "time": 0.08, "things": []}
    first, second = frames[-1]["things"]
    assert (first["id"], second["id"]) == (1, 2)
    assert first.keys() == {
        "id", "time", "first_seen", "last_seen", "box", "heading", "turn", "middle", "velocity",
        "ahead",
    }  # fmt: skip
    assert second["heading"]["compass"] == "W"
    assert second["middle"] == pytest.approx([1000 - 200 * 1.92, 560], abs=20)
    assert np.shape(second["ahead"]) == (3, 2)
    assert whole["source"] == str(two)
    assert [len(part["things"]) for part in whole["per_second"]] == [2, 2]
    assert whole["per_second"][1]["things"] == frames[-1]["things"]


def test_csv(vidgru: Vidgru, two: Path, tmp_path: Path) -> None:
    table, absent = tmp_path / "table.csv", tmp_path / "absent.avi"
    assert vidgru("motion", two, absent, "--things", "--csv", table, "--quiet").code == 1
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[-1]["error"] == f"Cannot read {absent}: no such file or folder."
    assert {row["source"] for row in rows[:-1]} == {str(two)}
    assert {row["id"] for row in rows[:-1]} == {"1", "2"}
    times = [row["time"] for row in rows if row["id"] == "1"]
    assert times == sorted(set(times))
    assert (times[-1], len(times)) == ("1.920", 20)
    last = rows[-2]
    assert (last["id"], last["compass"], last["error"]) == ("2", "W", "")
    assert float(last["left"]) == pytest.approx(1000 - 200 * 1.92 - 100, abs=25)
    assert float(last["x_0.5s"]) == pytest.approx(1000 - 200 * 2.42, abs=25)
    assert float(last["y_1s"]) == pytest.approx(560, abs=25)


def test_saved(vidgru: Vidgru, model_file: Path, tmp_path: Path) -> None:
    clips = write_clip(tmp_path / "a.avi", noise(16, 48, 64), 12.5)
    saved = tmp_path / "saved.mp4"
    done = vidgru("motion", clips, "--things", "--model", model_file, "--save", saved)
    # Without ffmpeg a warning precedes it.
    assert (done.code, done.err.splitlines()[-1]) == (0, f"Saved: {saved}")
    assert saved.stat().st_size > 0


# What is drawn


def thing(**values: object) -> MovingThing:
    made = MovingThing(
        7, 1.0, 0.2, 1.0, (200.0, 150.0, 300.0, 250.0), Heading(90.0, 100.0, 100 / 640), 0.0,
        (250.0, 200.0), (100.0, 0.0), ((275.0, 200.0), (300.0, 200.0), (350.0, 200.0)),
    )  # fmt: skip
    return replace(made, **values)  # type: ignore[arg-type]


def drawn(*things: MovingThing, level: int = 90, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    field = replace(scene(time=1.0), things=things)
    picture = np.full((size[1], size[0], 3), level, np.uint8)
    made = ThingOverlay(size).draw(picture, field)
    assert (picture == level).all()
    return made


def orange(picture: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the places (N, 2), x and y, that are orange."""
    red, blue = picture[..., 0].astype(int), picture[..., 2].astype(int)
    return np.argwhere((red > 150) & (blue < 90))[:, ::-1]


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_box_its_id_and_its_path(level: int) -> None:
    made = drawn(thing(), level=level)
    for y, x in ((150, 250), (249, 250), (200, 200), (200, 299)):
        around = made[y - 4 : y + 5, x - 4 : x + 5]
        assert around.min() < 40, (x, y)
        assert around.max() > 220, (x, y)
    path = orange(made)
    assert (path[:, 0].min(), path[:, 0].max()) == pytest.approx((250, 350), abs=4)
    assert abs(path[:, 1] - 200).max() < 8
    dot = path[abs(path[:, 0] - 300) < 4, 1]
    line = path[abs(path[:, 0] - 330) < 4, 1]
    assert np.ptp(dot) > np.ptp(line)
    label = made[120:150, 200:230]
    assert (label != level).any()
    assert not np.array_equal(label, drawn(thing(id=8), level=level)[120:150, 200:230])


def test_what_does_not_move_has_no_path() -> None:
    made = drawn(thing(last_seen=0.5))
    assert len(orange(made)) == 0
    assert (made != 90).sum() < (drawn(thing()) != 90).sum()
    assert (drawn() == 90).all()


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (64, 48), (120, 240)])
@pytest.mark.parametrize("far", [0.0, 1e30, -1e30, float("nan"), float("inf")])
def test_no_size_and_no_place_breaks_it(size: tuple[int, int], far: float) -> None:
    box = (0.0, 0.0, float(size[0]), float(size[1]))
    made = drawn(thing(id=10**12, box=box, ahead=((far, 0.0), (0.0, far), (far, far))), size=size)
    assert made.shape == (size[1], size[0], 3)
