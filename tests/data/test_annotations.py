"""Files of annotations: each kind is recognised by its content, and says what it says."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from annotation_files import (
    EVENTS,
    FILES,
    ONE_VIDEO,
    VIDEOS,
    frames,
    label_studio,
    project,
    told,
    write,
)
from helpers import noise, retime, write_clip

from vidgru.core.errors import DataError
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.data.annotations.read import READERS, find_reader
from vidgru.data.annotations.reader import Document, pure_path, to_seconds
from vidgru.data.sources import read_source


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for video in VIDEOS:
        write_clip(tmp_path / video, noise(40), 10)
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_each_kind_of_file_says_the_same(name: str, place: Path) -> None:
    videos = VIDEOS[:1] if name in ONE_VIDEO else VIDEOS
    clips = read_source(write(place / name, FILES[name]))
    assert told(clips) == [(video, *event) for video in videos for event in EVENTS]
    assert {clip.path for clip in clips} == {place / video for video in videos}
    assert all(clip.group == clip.listed for clip in clips)


def test_every_reader_is_tried_by_those_files(tmp_path: Path) -> None:
    found = {find_reader(Document(write(tmp_path / n, text))) for n, text in FILES.items()}
    assert found == {*READERS}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings(encoding: str, place: Path) -> None:
    text = FILES["tabular.tsv"].replace("walk", "löpa")
    (place / "t.tsv").write_bytes(text.replace("\n", "\r\n").encode(encoding))
    assert {clip.label for clip in read_source(place / "t.tsv")} == {"löpa", "rest"}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (2, 2.0), (0.5, 0.5), ("12.5", 12.5), (" 7 ", 7.0), (".5", 0.5), ("1e2", 100.0),
        ("1,8", 1.8), ("1,234.5", None), ("100:09", 6009.0), ("1:100:09", None),
        ("1:02.5", 62.5), ("0:01:02,25", 62.25), ("01:00:00", 3600.0), ("-1", None), (-1, None),
        ("nan", None), ("1e9", None), (True, None), (None, None), ("soon", None), (10**400, None),
        ("1_0", None), ("", None), ("9" * 400, None), ("9" * 300 + ":00:00", None),
    ],
)  # fmt: skip
def test_times(value: object, seconds: float | None) -> None:
    assert to_seconds(value) == seconds


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("films/a.avi", "a.avi"), (r"C:\films\a.avi", "a.avi"), ("s3://films/x/a.avi", "a.avi"),
        ("https://x.org/data/local-files/?d=films/a.avi", "a.avi"), ("file:///D:/a.avi", "a.avi"),
        ("https://x.org/a.avi?sig=abc", "a.avi"), ("s3://x/b=a.avi", "b=a.avi"),
        ("http://x.org/get?f=x/a.avi&sig=abc", "a.avi"), ("http://x.org/get?a", "a"),
        ("", ""), ("/", ""), ("rtsp://x/", "x"),
    ],
)  # fmt: skip
def test_names_of_videos(text: str, name: str) -> None:
    assert pure_path(text).name == name


def test_rows_are_frames_however_they_are_timed(tmp_path: Path) -> None:
    gaps = [512] * 20 + [1536] * 20  # of 10,240 a second
    retime(write_clip(tmp_path / "a.mp4", noise(40), 10, "mp4v"), gaps)
    clips = read_source(write(tmp_path / "a_labels.csv", frames()))
    assert [(clip.start, clip.end) for clip in clips] == [(0.25, 1.0), (1.0, 2.8)]


def test_a_table_with_more_rows_than_frames(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = frames().rstrip("\n") + "".join(f"\n{n},1,0" for n in range(40, 60))
    clips = read_source(write(place / "a_labels.csv", text))
    assert told(clips)[:2] == [("a.avi", *event) for event in EVENTS]
    assert len(clips) == 2  # what is behind the end is none
    assert "has 40 frames, but its annotations more rows" in caplog.text


def test_a_frame_that_nobody_has_looked_at_is_no_background(place: Path) -> None:
    text = frames().replace("\n35,0,0", "\n35,-1,-1").replace("\n39,0,0", "\n39,-1,-1")
    config = AnnotationConfig(background="none")
    clips = read_source(write(place / "a_labels.csv", text), annotations=config)
    assert told(clips)[-1] == ("a.avi", "none", 0.0, 0.5)
    # Nor is what lies behind the last row.
    short = "".join(frames("seconds").splitlines(keepends=True)[:37])
    assert told(read_source(write(place / "a.csv", short), annotations=config))[-1] == (
        "a.avi", "none", 0.0, 0.5
    )  # fmt: skip
    whole = read_source(write(place / "a_labels.csv", frames()), annotations=config)
    assert told(whole)[-1] == ("a.avi", "none", 3.2, 4.0)


def test_a_project_of_several_files_in_one_observation(place: Path) -> None:
    events = [[1.0, "", "walk", ""], [5.5, "", "walk", ""], [6.0, "", "rest", "fast"]]
    events += [[7.0, "", "rest", ""], [7.5, "", "rest", "fast"], [7.9, "", "rest", ""]]
    info = {"length": {"a.avi": 4.0}}
    text = project(
        file={"1": ["a.avi", "b.avi"]}, media_info=info, events=events, **{"time offset": 0.5}
    )
    data = json.loads(text)
    del data["observations"]["cage b"]
    clips = read_source(write(place / "p.boris", json.dumps(data)))
    # Modifiers tell starts and stops of one behaviour apart.
    assert told(clips) == [
        ("a.avi", "walk", 0.5, 4.0), ("b.avi", "walk", 0.0, 1.0), ("b.avi", "rest", 1.5, 3.4),
    ]  # fmt: skip


def test_an_offset_of_an_old_table_is_taken_off(place: Path) -> None:
    head = "Time offset (s)\t0.25" + 7 * "\t" + "\nTime\tMedia"
    text = FILES["old_tabular.tsv"].replace("\nTime\tMedia", "\n" + head, 1)
    clips = read_source(write(place / "t.tsv", text))
    assert told(clips)[:2] == [("a.avi", "walk", 0.25, 1.75), ("a.avi", "rest", 1.75, 2.95)]


def test_a_table_of_several_files_in_one_observation(place: Path) -> None:
    rows = ["Observation id,Source,Media duration (s),Subject,Behavior,Start (s),Stop (s),"]
    rows[0] += "Media file name"
    start = "x,player #1:a.avi;b.avi|player #2:c.avi,4.0;4.0|4.0,,"
    rows += [f"{start}walk,0.5,2,a.avi", f"{start}rest,6,7.5,b.avi"]
    path = write(place / "t.csv", "\n".join(rows))
    assert told(read_source(path)) == [("a.avi", "walk", 0.5, 2.0), ("b.avi", "rest", 2.0, 3.5)]
    for old, new, sentence in (
        ("6,7.5", "3,7.5", "line 3: the event lies before its media file begins"),
        ("0.5,2,", "0.5,5,", "line 2: the event goes on in another media file"),
        ("4.0;4.0", "4.0", "line 2: when its media file begins is not said"),
    ):
        with pytest.raises(DataError, match=sentence):
            read_source(write(place / "t.csv", "\n".join(rows).replace(old, new)))


def test_what_is_left_out_is_said(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = json.loads(project())
    data["observations"]["seen"] = {"type": "LIVE", "events": [], "file": {}}
    data["observations"]["cage a"]["events"].insert(1, [1.0, "", "sneeze", ""])
    data["observations"]["cage b"]["file"] = {"1": ["lost.avi"]}
    clips = read_source(write(place / "p.boris", json.dumps(data)))
    assert told(clips) == [("a.avi", *event) for event in EVENTS]
    assert [record.getMessage() for record in caplog.records] == [
        f"Left out of {place / 'p.boris'}: the observation 'seen' is a live one.",
        f"Left out of {place / 'p.boris'}: 1 point events, which last no time: 'sneeze' (1). Give "
        "them a start and a stop to learn from them.",
        f"1 of 2 videos of {place / 'p.boris'} were not found and are left out: the first is called"
        " 'lost.avi'. Put them beside it, or give --videos DIR.",
    ]


WRONG: list[tuple[str, str, str]] = [
    ("p.boris", project(events=[[1.0, "m", "walk", ""]]), "of 'm' starts at 1 s and never stops"),
    ("p.boris", project(events=[[1.0, "m", "fly", ""]]), "which the project does not define"),
    ("p.boris", project(events=[[-1.0, "", "sneeze", ""]]), "lies before its media file begins"),
    ("p.boris", project(file={"1": []}), "has no media file"),
    ("p.boris", project(file={"1": ["b.avi", "a.avi"]}), "the length of 'b.avi' is not known"),
    ("p.boris", project(media_creation_date_as_offset=True), "are dates"),
    ("p.boris", project(events=[[1.0, "walk"]]), "an event of the observation 'cage a' is damaged"),
    ("p.boris", "{}", "is none of the annotations that can be read: BORIS project"),
    ("t.tsv", FILES["tabular.tsv"].replace("START", "STOP", 1), "line 2: 'walk' stops, but did"),
    ("t.tsv", FILES["tabular.tsv"].replace("STOP", "START", 1), "line 3: 'walk' starts twice"),
    ("t.tsv", FILES["tabular.tsv"].replace("STOP", "POINT"), "starts there and never stops"),
    ("t.tsv", FILES["tabular.tsv"].replace("STOP", "HALT"), "'HALT' is not START, STOP or POINT"),
    (
        "t.tsv",
        FILES["tabular.tsv"].replace("\t2.000\t", "\t0.2\t"),
        "line 2: the event lies before",
    ),
    (
        "g.csv",
        FILES["aggregated.csv"].replace("2.000,3.200", "2.000,x"),
        "line 3: end 'x' is not a",
    ),
    (
        "o.tsv",
        FILES["old_tabular.tsv"].replace("\n2.000\ta.avi", "\n2.000\tb.avi"),
        "several media",
    ),
    ("g.csv", FILES["aggregated.csv"].replace("player #1:films/a", "a;b"), "several media files"),
    ("g.csv", FILES["aggregated.csv"].replace("0.500,2.000", "2.5,2.0"), "end 2 is before start"),
    ("a.csv", frames("seconds").replace("\n0.7,1,0", "\n0.7,2,0"), "line 9: only 0, 1 and -1 may"),
    ("a.csv", frames("seconds").replace("\n0.7,", "\n0.6,"), "line 9: its time 0.6 is not after"),
    ("a.csv", frames("seconds").replace("\n0.7,1,0", "\n0.7,1"), "line 9: 2 cells instead of 3"),
    ("a.csv", frames("seconds").replace("rest", "walk"), "line 1: two columns have the same name"),
    ("l.json", label_studio(data={}), "task 1 names no video"),
    ("l.json", label_studio(annotations=[{}, {}]), "task 1 has 2 annotations: keep one"),
    ("l.json", label_studio(annotations=[{}]), "the annotation of task 1 is damaged"),
    ("l.json", FILES["label_studio.json"].replace('["walk"]', '["walk", "x"]'), "has 2 labels"),
    ("l.json", FILES["label_studio.json"].replace("walk", r"\ud83d", 1), "is no text"),
    ("v.json", FILES["via.json"].replace('"2": ""', '"2": "x"'), "has values of 'what', 'note'"),
    ("v.csv", FILES["via.csv"].replace("[2.0, 3.2]", "[2.0, 3.2, 4]"), "line 5: an entry has more"),
    ("v.csv", FILES["via.csv"].replace("[2.0, 3.2]", "[2.0,"), "line 5: what stands there is"),
    ("a.txt", FILES["a.txt"].replace("2000\t3200", "2000\tx"), "line 3: time 'x' is not a time"),
    ("e.txt", FILES["elan.txt"].replace("offset: 0", "offset: 40"), "a.avi has an offset"),
    ("a.srt", FILES["a.srt"].replace("<i>walk</i>", "<i></i>"), "line 2: there is no label"),
    ("s.csv", FILES["segments.csv"].replace("a.avi;0.5", "a.avi;x", 1), "line 2: start 'x' is not"),
    (
        "s.csv",
        FILES["segments.csv"].replace(".avi", ".x.avi"),
        "none was found",
    ),
]


@pytest.mark.parametrize(("name", "text", "sentence"), WRONG)
def test_what_is_wrong_is_said_with_its_place(
    name: str, text: str, sentence: str, place: Path
) -> None:
    path = write(place / name, text)
    with pytest.raises(DataError) as caught:
        read_source(path)
    assert sentence in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "Begin Time - ss.msec\tDuration - ss.msec\tmove\n0.5\t1.5\twalk\n2.0\t1.2\trest\n",
        "Tier\tBegin Time - ss.msec\tEnd Time - ss.msec\tAnnotation\tFile Path\n"
        "walk\t0.5\t2.0\t\tfile:///D:/x/a.eaf\nx\t2.0\t3.2\trest\tfile:///D:/x/a.eaf\n",
        "walk\t\t500\t2000\t1500\t\nx\t\t2000\t3200\t1200\trest\n",
        "walk\tme\t0.50\t2.00\t1.50\t\nx\tme\t2.00\t3.20\t1.20\trest\n",
    ],
)
def test_ways_in_which_elan_writes_times(text: str, place: Path) -> None:
    clips = read_source(write(place / "a.txt", text))
    assert told(clips) == [("a.avi", *event) for event in EVENTS]


def test_columns_that_say_nothing_are_named(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(place / "t.csv", "who,file,onset,stop,mood,label\nx,a.avi,1,2,good,walk\n")
    assert told(read_source(path)) == [("a.avi", "walk", 1.0, 2.0)]
    sentence = f"Left out of {path}: columns of which nothing is known ('who', 'mood')."
    assert [record.getMessage() for record in caplog.records] == [sentence]
    # Those of lists are for lists.
    listed = Document(write(path, "video,label,start,end,split\na.avi,walk,1,2,val\n"))
    assert find_reader(listed) is None


def test_label_studio_counts_by_a_rate_of_its_own(place: Path) -> None:
    data: list[dict[str, Any]] = json.loads(label_studio())
    box = {"type": "videorectangle", "value": {"framesCount": 96, "duration": 4.0, "sequence": []}}
    for task in data:
        task["annotations"][0]["result"].append(box)
    clips = read_source(write(place / "l.json", json.dumps(data)))
    spans = [(clip.start, clip.end) for clip in clips[:2]]
    assert spans == [(0.208333, 0.833333), (0.833333, 1.333333)]


def test_an_annotation_that_is_the_truth_counts(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data: list[dict[str, Any]] = json.loads(label_studio())
    good = data[0]["annotations"][0]
    data[0]["annotations"] = [{**good, "result": []}, {**good, "ground_truth": True}]
    data[1]["annotations"] = [{**good, "was_cancelled": True}]
    with caplog.at_level(logging.WARNING):
        clips = read_source(write(place / "l.json", json.dumps(data)))
    assert told(clips) == [("a.avi", *event) for event in EVENTS]
    assert "task 2 (3d3ad63e-b.avi) has no annotation" in caplog.text


PAGE = (Path(__file__).parents[2] / "docs" / "annotations.md").read_text("utf-8")
EXAMPLES = re.findall(r"`([\w.]+)`[^`]*:\n\n```\w+\n(.*?)^```$", PAGE, re.M | re.S)


@pytest.mark.parametrize(("name", "text"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_the_examples_of_the_page_are_read(name: str, text: str, tmp_path: Path) -> None:
    slow = name == "mouse1_labels.csv"
    write_clip(tmp_path / "mouse1.mp4", noise(10 if slow else 100), 1 if slow else 10, "mp4v")
    times = (1.0, 3.0, 5.0) if slow else (1.2, 3.5, 9.0)
    assert told(read_source(write(tmp_path / name, text))) == [
        ("mouse1.mp4", "groom", *times[:2]), ("mouse1.mp4", "rest", *times[1:]),
    ]  # fmt: skip


def test_the_page_has_an_example_of_each_reader(tmp_path: Path) -> None:
    found = {find_reader(Document(write(tmp_path / n, text))) for n, text in EXAMPLES}
    assert found == {*READERS}
