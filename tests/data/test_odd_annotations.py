"""Files of annotations that are damaged, or of another form than programs write by themselves."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from annotation_files import FILES, frames, told, write
from conftest import Done
from helpers import noise, write_clip

from vidgru.core.errors import DataError
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.data.sources import find_source, read_source


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in "ab":
        write_clip(tmp_path / f"{name}.avi", noise(40), 10)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_cell_that_is_no_number_is_named_with_its_line(place: Path) -> None:
    write(place / "a_labels.csv", frames().replace("\n0,0,0", "\n0,NA,0"))
    for config in (AnnotationConfig(), AnnotationConfig(videos=".")):
        with pytest.raises(DataError) as caught:
            read_source(Path("a_labels.csv"), annotations=config)
        sentence = "a_labels.csv, line 2: only 0, 1 and -1 may stand there, not 'NA'."
        assert str(caught.value) == sentence


def test_files_that_are_not_read_are_named(
    place: Path, vidgru: Any, caplog: pytest.LogCaptureFixture
) -> None:
    write(place / "a.csv", "note\nnone of it\n")
    (place / "b_labels.csv").write_bytes(frames().encode("utf-16-le"))
    kinds = "none of the annotations that can be read"
    for source, what in ((".", "a.csv and b_labels.csv are"), ("b_labels.csv", "b_labels.csv is")):
        with pytest.raises(DataError, match=f"^{what} {kinds}: BORIS project"):
            read_source(Path(source), annotations=AnnotationConfig(videos="."))
    write(place / "a_labels.csv", frames())
    write(place / "groups.csv", "clip,subject\na.avi,anna\n")
    write(place / "list.csv", ",path,label,fold\n0,a.avi,0,1\n")
    write(place / ".hidden.csv", "none\n")
    write(place / "run" / "config.json", "{}")
    (place / "run" / "model.safetensors").touch()
    with caplog.at_level("INFO"):
        assert len(read_source(Path("."), annotations=AnnotationConfig(videos="."))) == 2
    found = "Found 6 files: 2 clips, 1 table of groups or times, 4 left out"
    assert caplog.messages == [
        f"{found}: list.csv and run/config.json (list of clips, or part of a run).",
        f"2 files are left out ({kinds}): a.csv and b_labels.csv.",
    ]
    done: Done = vidgru("check", ".", "--videos", ".")
    assert done.out.splitlines()[1] == f"{found}."
    assert f"warning  2 files are left out ({kinds}): a.csv and b_labels.csv." in done.out


def test_an_account_counts_files_of_annotations(place: Path) -> None:
    write(place / "times.csv", FILES["segments.csv"] + "a.avi;3.5;3.5;walk\n")
    clips, account = find_source(
        place / "times.csv", annotations=AnnotationConfig(background="none")
    )
    assert (len(clips), account.found, account.used) == (7, 1, {"annotations": 1})


@pytest.mark.parametrize("name", ["tabular.tsv", "aggregated.csv", "a.csv", "segments.csv"])
def test_tables_that_a_german_spreadsheet_has_saved(name: str, place: Path) -> None:
    clips = read_source(write(place / name, FILES[name]))
    text = FILES[name].replace(",", ";").replace("\t", ";")
    assert read_source(write(place / name, re.sub(r"(\d)\.(\d)", r"\1,\2", text))) == clips


@pytest.mark.parametrize("labelled", [True, False])
def test_a_video_that_one_of_several_files_lacks(
    labelled: bool, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("one/zz", "two/yy", "a"):
        write(place / f"{name}.srt", FILES["a.srt"])
    config = AnnotationConfig(videos=".")
    clips = read_source(Path("."), annotations=config, labelled=labelled)
    assert {clip.listed for clip in clips} == {"a.avi"}
    assert caplog.messages == [
        "2 of 3 videos of . were not found and are left out: the first is called 'zz'. Put them "
        "beside it, or give --videos DIR."
    ]
    (place / "a.srt").unlink()
    with pytest.raises(DataError, match=r"^\. is about 2 videos, and none was found: the first is"):
        read_source(Path("."), annotations=config, labelled=labelled)


def test_boris_events_before_a_negative_offset_has_passed(place: Path) -> None:
    head = "Observation id,Time offset (s),Behavior,Media file name,"
    rows = [("START", -3), ("STOP", -1), ("POINT", 0)]
    text = "".join(f"x,-3,walk,a.avi,{kind},{time}.000\n" for kind, time in rows)
    write(place / "t.csv", f"{head}Behavior type,Time\n{text}")
    write(place / "g.csv", f"{head}Start (s),Stop (s)\nx,-3,walk,a.avi,-3.000,-1.000\n")
    for name in ("t.csv", "g.csv"):
        assert told(read_source(place / name)) == [("a.avi", "walk", 0.0, 2.0)]
    write(place / "t.csv", f"{head}Behavior type,Time\n{text.replace('-3,', '0,')}")
    with pytest.raises(DataError, match="line 2: the event lies before its media file begins"):
        read_source(place / "t.csv")


def test_only_a_stretch_behind_the_end_cannot_be_read(place: Path, vidgru: Any) -> None:
    write(place / "times.csv", FILES["segments.csv"] + "a.avi;100;120;walk\n")
    done: Done = vidgru("check", "times.csv", "--json")
    (found,) = [f for f in json.loads(done.out)["findings"] if f["kind"] == "unreadable"]
    part = "a.avi from 100 s to 120 s: no frame there"
    assert (found["sentence"], found["clips"]) == (f"1 clip cannot be read: {part}.", [part])


@pytest.mark.parametrize("suffix", ["srt", "vtt"])
def test_subtitles_without_blank_lines_between_them(suffix: str, place: Path) -> None:
    text = FILES[f"a.{suffix}"]
    clips = read_source(write(place / f"a.{suffix}", text))
    for tight in (text.replace("\n\n", "\n"), re.sub(r"\n\n\d\n", "\n", text)):
        assert read_source(write(place / f"a.{suffix}", tight)) == clips
    empty = text.replace("<i>walk</i>\n\n", "")
    with pytest.raises(DataError, match=r"line \d: there is no label"):
        read_source(write(place / f"a.{suffix}", empty))


def test_an_end_far_behind_that_of_the_video(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    late = "a.avi;3.5;9000;walk\nb.avi;3.5;4.5;walk\nb.avi;60;70;rest\n"
    clips = read_source(write(place / "times.csv", FILES["segments.csv"] + late))
    assert [(c.name, c.draws) for c in clips[4:]] == [
        ("a.avi [3.5-4 s]", 1), ("b.avi [3.5-4.5 s]", 1), ("b.avi [60-70 s]", 3),
    ]  # fmt: skip
    assert caplog.messages == [
        "1 stretch ends after its video does and is cut there: 'walk' 3.5-9000 s in a.avi, of 4 s."
    ]
    # What nobody knows the length of stays as it is.
    (place / "a.avi").write_bytes(b"none")
    assert read_source(place / "times.csv")[4].end == 9000
