"""`vidgru detect changes`: its table, JSON, CSV and pictures, and the options it refuses."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from changed_scenes import THING, folder, put, still, taken
from conftest import Done

from vidgru.core.errors import OutputError
from vidgru.tools.changes.options import ChangesConfig
from vidgru.tools.changes.tables import COLUMNS, report_changes
from vidgru.video.find import find_sources


def test_the_command_line_prints_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = still(40)
    put(frames[17:], THING)
    source = folder(tmp_path / "seq", taken(frames))
    table, heat, images = (tmp_path / name for name in ("t.csv", "heat.png", "pictures"))
    config = ChangesConfig(csv=str(table), heatmap=str(heat), images=str(images))
    found = find_sources([source])
    assert report_changes([str(source)], found, config, False, False) is False
    out, err = capsys.readouterr()
    assert "appeared" in out
    assert out.rstrip().endswith(f"{source}: 1 lasting change; 40 frames at 25/s.")
    assert err == f"Saved: {heat}\nSaved: {images}\nSaved: {table}\n"
    (row,) = csv.DictReader(table.read_text("utf-8").splitlines())
    assert tuple(row) == COLUMNS
    assert (row["frame"], row["seconds"], row["kind"]) == ("17", "0.680", "appeared")
    assert (row["before_x"], row["error"]) == ("", "")
    names = sorted(path.name for path in images.iterdir())
    assert names == ["001-appeared-after.jpg", "001-appeared-before.jpg"]
    picture = cv2.imread(str(heat))
    assert picture is not None
    middle = picture[3 * THING.y + 24, 3 * THING.x + 10].astype(int)
    assert np.ptp(middle) > 20  # coloured
    assert np.ptp(picture[280, 20].astype(int)) < 3  # grey

    with pytest.raises(OutputError, match=r"001-appeared-before.jpg exists\. Choose"):
        report_changes([str(source)], found, config, False, False)


def test_pictures_are_not_written_among_those_of_a_source(
    tmp_path: Path, vidgru: Callable[..., Done]
) -> None:
    frames = still(40)
    put(frames[17:], THING)
    source = folder(tmp_path / "seq", taken(frames))
    before = sorted(source.iterdir())
    done = vidgru("changes", source, "--images", tmp_path / "seq/../seq", "--overwrite")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"Error: {source} cannot be read and written at once: write elsewhere.\n"
    assert sorted(source.iterdir()) == before


def test_names_that_a_spreadsheet_would_compute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vidgru: Callable[..., Done]
) -> None:
    monkeypatch.chdir(tmp_path)
    frames = still(40)
    put(frames[17:], THING)
    folder(Path("=1+1"), taken(frames))
    folder(Path("-short"), taken(still(3)))
    done = vidgru("changes", "--csv", "t.csv", "-q", "--", "=1+1", "-short")
    assert done.code == 1
    one, other = csv.DictReader(Path("t.csv").read_text("utf-8").splitlines())
    assert (one["source"], other["source"]) == ("./=1+1", "./-short")
    assert other["error"].startswith("'-short has only 3 frames")


def test_json_has_an_object_for_each_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = folder(tmp_path / "seq", taken(still(20)))
    missing = tmp_path / "none.mp4"
    found = find_sources([source, missing])
    config = ChangesConfig()
    assert report_changes([str(source), str(missing)], found, config, True, True) is True
    out, err = capsys.readouterr()
    first, second = map(json.loads, out.splitlines())
    assert (first["source"], first["frames"], first["changes"]) == (str(source), 20, [])
    assert second == {
        "source": str(missing),
        "error": f"Cannot read {missing}: no such file or folder.",
    }
    assert err == f"Error: {second['error']}\n"


def test_the_old_name_does_the_same_and_says_the_new_one(
    tmp_path: Path, vidgru: Callable[..., Done]
) -> None:
    frames = still(40)
    put(frames[17:], THING)
    source = folder(tmp_path / "seq", taken(frames))
    new, old = vidgru("changes", source, "--json"), vidgru("scenes", source, "--objects", "--json")
    assert (old.code, old.out) == (new.code, new.out) == (0, new.out)
    assert json.loads(new.out)["changes"][0]["frame"] == 17
    note = "Note: use `vidgru changes`; --objects will be removed in the next version."
    assert (new.err, old.err) == ("", f"{note}\n")


@pytest.mark.parametrize(("name", "value"), [("device", "auto"), ("threads", "1")])
def test_what_objects_does_not_use_is_refused_at_its_default_too(
    name: str, value: str, vidgru: Callable[..., Done]
) -> None:
    done = vidgru("scenes", "none.mp4", "--objects", f"--{name}", value)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"Error: --objects does not use --{name}: leave it out.\n"
