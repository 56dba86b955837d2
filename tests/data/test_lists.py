"""Lists as people and programs write them: dialects, names of columns, and those of data sets."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from helpers import noise, touch, write_clip

from vidgru.core.errors import DataError
from vidgru.data.account import find_clips, sentence
from vidgru.data.columns import part_in, seconds_in
from vidgru.data.csv_list import apply_split, read_list
from vidgru.data.dataset import read_clips
from vidgru.data.folder import Clip
from vidgru.data.sources import read_source
from vidgru.tasks.classify.options import ClassifyTrainConfig

ROWS = (("a1.mp4", "run"), ("a2.mp4", "run"), ("b 1.mp4", "walk"), ("b2.mp4", "walk"))


def write(path: Path, *lines: str, code: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}\n" for line in lines).encode(code))
    return path


def table(mark: str, header: str, rows: Sequence[Sequence[str]] = ROWS) -> list[str]:
    head = [header.replace(",", mark)] if header else []
    return [*head, *(mark.join(row) for row in rows)]


def pairs(clips: Sequence[Clip]) -> list[tuple[str, str]]:
    return [(clip.listed, clip.label) for clip in clips]


def used_as(path: Path) -> list[tuple[Path, str, str, str | None]]:
    """Return file, name, label and part of each clip of a list that `train` may be given."""
    return [(clip.path, clip.name, clip.label, clip.part) for clip in read_source(path)]


@pytest.mark.parametrize("code", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("header", ["path,label", "File name,Class", ""])
@pytest.mark.parametrize("name", ["list.csv", "list.txt"])
def test_dialects(tmp_path: Path, code: str, mark: str, header: str, name: str) -> None:
    rows = [*ROWS, ("c é.mp4", "gehen, schnell" if mark != "," else "gehen")]
    path = write(tmp_path / name, *table(mark, header, rows), code=code)
    clips, account = find_clips(path)
    assert pairs(clips) == rows
    assert sentence(account) == "Found 5 rows: 5 clips."
    assert account.notes == ()


def test_what_excel_writes(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "sep=;", "Datei;path;label;start;end", "1;a.mp4;x;0,5;1,25")
    (clip,) = read_list(path)
    assert (clip.name, clip.start, clip.end) == ("a.mp4 [0.5-1.25 s]", 0.5, 1.25)


def test_latin_1_and_names_that_are_no_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "path,label", "caf\xe9.mp4,g\xe4hnen", code="latin-1")
    assert pairs(read_list(path)) == [("caf\xe9.mp4", "g\xe4hnen")]
    touch(tmp_path, "caf\udce9.mp4")  # a file that is called by that byte
    assert pairs(read_list(path)) == [("caf\udce9.mp4", "g\udce4hnen")]


@pytest.mark.parametrize(
    "header",
    [
        "path,label,split,start,end",
        "filename,class,subset,begin,stop",
        "Video,Category,Set,Start time,End time",
        "clip_path,behaviour,partition,start_sec,end_sec",
        "file,action,part,begin_time,stop_time",
        "video,label,split,start_s,end_s",
    ],
)
def test_columns_by_their_usual_names(tmp_path: Path, header: str) -> None:
    path = write(tmp_path / "a.csv", header, "a.mp4,x,training,1,2", "b.mp4,y,Dev,0:01.5,")
    assert [(c.name, c.label, c.part, c.start, c.end) for c in read_list(path)] == [
        ("a.mp4 [1-2 s]", "x", "train", 1.0, 2.0),
        ("b.mp4 [1.5- s]", "y", "val", 1.5, None),
    ]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12", 12), ("1.5", 1.5), ("1e1", 10), ("90.25", 90.25), ("1:30", 90), ("01:02.5", 62.5),
        ("1:02:03.25", 3723.25), ("00:00:01,500", 1.5), ("100:00", 6000), ("0,5", 0.5),
    ],
)  # fmt: skip
def test_times(text: str, seconds: float) -> None:
    assert seconds_in(Path("a.csv"), 1, {"start": text}, "start") == seconds


@pytest.mark.parametrize("text", ["1:60", "1:99:00", "0:00:01:12", "-1:30", "1:2,3,4", "1;5"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(DataError, match="is not a time in seconds, mm:ss or hh:mm:ss"):
        seconds_in(Path("a.csv"), 1, {"start": text}, "start")


def test_times_in_frames(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.avi", noise(20), 10)
    header = "path,label,start_frame,end_frame"
    path = write(tmp_path / "a.csv", header, "a.avi,x,5,15", "a.avi,y,,4")
    assert [(c.start, c.end) for c in read_list(path)] == [(0.5, 1.5), (None, 0.4)]
    path = write(tmp_path / "b.csv", "path,label,fps,start_frame", "a.avi,x,5,10")
    assert [c.start for c in read_list(path)] == [2.0]
    for cells, words in (("5.5,", "'5.5' is not the number of a frame"), ("x,", "'x' is not the")):
        path = write(tmp_path / "c.csv", header, f"a.avi,x,{cells}")
        with pytest.raises(DataError, match=f"line 2: first frame {words}"):
            read_list(path)
    path = write(tmp_path / "d.csv", "path,label,fps,start_frame", "a.avi,x,fast,10")
    with pytest.raises(DataError, match="line 2: fps 'fast' is not a frame rate"):
        read_list(path)


def test_columns_that_are_not_understood_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    header = "path,label,colour,fold,subject"
    path = write(tmp_path / "a.csv", header, "a.mp4,x,red,train,1", "b.mp4,y,,test,2")
    caplog.set_level("INFO", "vidgru")
    assert {clip.part for clip in read_source(path)} == {None}
    assert caplog.messages == [
        "Found 2 rows: 2 clips.",
        "The list has 2 columns whose names mean nothing here: 'colour' and 'fold'.",
        "The column 'fold' says train, val or test but is not used: call it split.",
    ]
    write(path, "path,lable", "a.mp4,x")
    with pytest.raises(DataError, match=r"has no column 'label'\..* Not understood: 'lable'\."):
        read_list(path)


def test_times_in_columns_that_are_not_understood(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "path,label,von,bis", "a.mp4,x,1,2", "a.mp4,y,2,3")
    with pytest.raises(DataError, match=r"has two labels, .* Not understood: von, bis\."):
        read_list(path)


def test_two_labels_for_one_clip(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "path,label", "a.mp4,x", "b.mp4,y", "a.mp4,y")
    with pytest.raises(DataError) as error:
        read_list(path)
    assert str(error.value) == (
        f"{path}: a.mp4 has two labels, 'x' in line 2 and 'y' in line 4. A clip has one class: "
        "remove one of them, give both the name of a class of their own, or, where each label "
        "holds for a part of the video, columns start and end."
    )


UCF = ("Archery/v_Archery_g01_c01.avi", "Biking/v_Biking_g01_c01.avi")


def test_lists_of_ucf101(tmp_path: Path) -> None:
    touch(tmp_path / "UCF-101", *UCF)
    lists = tmp_path / "ucfTrainTestlist"
    write(lists / "classInd.txt", "1 Archery", "2 Biking")
    train = write(lists / "trainlist01.txt", *(f"{name} {n}" for n, name in enumerate(UCF, 1)))
    test = write(lists / "testlist01.txt", *UCF)
    for path in (train, test):
        assert used_as(path) == [
            (tmp_path / "UCF-101" / name, name, name.split("/")[0], None) for name in UCF
        ]
    notes = [note.sentence for note in find_clips(train)[1].notes]
    assert notes == [
        f"2 clips of the list lie in {tmp_path / 'UCF-101'}.",
        f"The names of the classes are those of {lists / 'classInd.txt'}.",
    ]
    write(lists / "classInd.txt", "1 Archery")
    with pytest.raises(DataError, match=r"list01.txt, line 2: .*classInd.txt has no class for"):
        read_list(train)


def test_splits_of_hmdb51(tmp_path: Path) -> None:
    names = {"brush_hair": ("April_a_0.avi", "b (x)_1.avi", "c.avi")}
    names["cartwheel"] = ("d.avi", "e.avi")
    lists = tmp_path / "testTrainMulti_7030_splits"
    for label, videos in names.items():
        touch(tmp_path / "hmdb51_org" / label, *videos)
        rows = [f"{video} {number} " for video, number in zip(videos, "120", strict=False)]
        write(lists / f"{label}_test_split1.txt", *rows)
        write(lists / f"{label}_test_split2.txt", *(f"{video} 1" for video in videos))
    path = lists / "cartwheel_test_split1.txt"
    place = tmp_path / "hmdb51_org"
    assert used_as(path) == [
        (place / "brush_hair/April_a_0.avi", "brush_hair/April_a_0.avi", "brush_hair", "train"),
        (place / "brush_hair/b (x)_1.avi", "brush_hair/b (x)_1.avi", "brush_hair", "test"),
        (place / "cartwheel/d.avi", "cartwheel/d.avi", "cartwheel", "train"),
        (place / "cartwheel/e.avi", "cartwheel/e.avi", "cartwheel", "test"),
    ]
    account = find_clips(path)[1]
    assert (account.found, account.clips) == (5, {"train": 2, "test": 2})
    (left,) = account.left_out
    assert left.files == ("brush_hair/c.avi",)
    for folder, labelled in ((lists, True), (lists, False), (tmp_path, True)):
        touch(tmp_path, "other/1.avi")  # the folders of classes may lie elsewhere
        with pytest.raises(DataError) as error:
            find_clips(folder, labelled=labelled)
        assert str(error.value) == (
            f"{lists} holds 4 lists, one for each class and split: give one of them, which stands "
            f"for that split of all classes, as in `vidgru train {lists}/brush_hair_test_split1.txt"
            "`."
        )
    write(path, "d.avi 3")
    with pytest.raises(DataError, match=r"split1\.txt, line 1: no name with 0, 1 or 2 behind it"):
        read_list(path)


@pytest.mark.parametrize(
    "header",
    [
        "label,youtube_id,time_start,time_end,split",
        "Class label,YouTube Identifier,Start time,End time,Subset",
    ],
)
@pytest.mark.parametrize("folder", ["train", "train/abseiling", "."])
def test_the_table_of_kinetics(tmp_path: Path, header: str, folder: str) -> None:
    """Times are those in the whole video, of which the files are cuts already."""
    touch(tmp_path / folder, "-3B32lodo2M_000059_000069.mp4")
    rows = ("abseiling,-3B32lodo2M,59,69,train", "zumba,x_y,1,11,train")
    path = write(tmp_path / "train.csv", header, *rows)
    clip, missing = read_list(path)
    name = "-3B32lodo2M_000059_000069"
    assert (clip.path, clip.name, clip.start) == (tmp_path / folder / f"{name}.mp4", name, None)
    assert (missing.name, missing.label) == ("x_y [1-11 s]", "zumba")


def test_something_something(tmp_path: Path) -> None:
    content = [
        {
            "id": "7",
            "label": "holding a pen",
            "template": "Holding [something]",
            "placeholders": ["a pen"],
        },
        {
            "id": "8",
            "label": "lifting a mug",
            "template": "Lifting [something]",
            "placeholders": ["a mug"],
        },
    ]
    path = tmp_path / "labels" / "train.json"
    write(path, json.dumps(content))
    touch(tmp_path / "20bn-something-something-v2", "7.webm", "8.webm")
    place = tmp_path / "20bn-something-something-v2"
    assert used_as(path) == [
        (place / "7.webm", "7", "Holding something", None),
        (place / "8.webm", "8", "Lifting something", None),
    ]
    for text, words in [
        ("{", "no JSON"),
        ("{}", "a list in JSON is"),
        ("[1]", "a list in JSON is"),
        ('[{"id": "7"}]', "has no column 'label'"),
        ('[{"id": "7", "label": ""}]', "line 1: no label"),
        ("[" * 10_000, "no JSON"),
    ]:
        with pytest.raises(DataError, match=words):
            read_list(write(path, text))


def test_jester(tmp_path: Path) -> None:
    for number in (34870, 56557):
        touch(tmp_path / "20bn-jester-v1", f"{number}/00001.jpg", f"{number}/00002.jpg")
    path = write(tmp_path / "jester-v1-train.csv", "34870;Drumming Fingers", "56557;Swiping, left")
    place = tmp_path / "20bn-jester-v1"
    assert used_as(path) == [
        (place / "34870", "34870", "Drumming Fingers", None),
        (place / "56557", "56557", "Swiping, left", None),
    ]
    write(path, "34870", "56557")
    with pytest.raises(DataError, match="line 1: no label"):
        read_list(path)


def test_paths_and_numbers_with_a_file_of_classes(tmp_path: Path) -> None:
    touch(tmp_path, "videos/a.mp4", "videos/b c.mp4", "frames/d/1.jpg", "frames/e/1.jpg")
    videos = write(tmp_path / "train_videos.txt", "videos/a.mp4 0", "videos/b c.mp4 1")
    frames = write(tmp_path / "train_frames.csv", "frames/d 163 0", "frames/e 120 1")
    assert [clip.label for clip in read_list(videos)] == ["0", "1"]
    write(tmp_path / "label_map_k400.txt", "abseiling", "air drumming")
    assert pairs(read_list(videos)) == [
        ("videos/a.mp4", "abseiling"),
        ("videos/b c.mp4", "air drumming"),
    ]
    assert pairs(read_list(frames)) == [("frames/d", "abseiling"), ("frames/e", "air drumming")]
    # Some count from 1.
    write(videos, "videos/a.mp4 1", "videos/b c.mp4 2")
    assert [clip.label for clip in read_list(videos)] == ["abseiling", "air drumming"]
    write(frames, "frames/d 163 0 1", "frames/e 120 1 0")
    with pytest.raises(DataError, match=r"line 1: frames/d has several labels \(0 1\)\. A"):
        read_list(frames)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["a.mp4,x,1", "b.mp4,y,2"], "does not name its columns, and has 3 of them"),
        (["a.mp4,x", "b.mp4"], "does not name its columns, and has 1 or 2 of them"),
        (["what,which", "b.mp4,y"], "has no column 'path': neither does its first line name"),
        (["a.mp4", "b.mp4"], "line 1: no label"),
        (["a.mp4,", "b.mp4,y"], "line 1: no label"),
    ],
)
def test_lists_without_names_of_columns_that_say_too_little(
    tmp_path: Path, lines: list[str], words: str
) -> None:
    path = write(tmp_path / "a.csv", *lines)
    with pytest.raises(DataError, match=words) as error:
        read_list(path)
    assert str(path) in str(error.value)


def test_where_clips_are_looked_for_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "films/1.mp4")
    write(tmp_path / "lists" / "a.csv", "path,label", "1.mp4,x")
    for place, given, found in (
        (".", "lists/a.csv", "films"),
        ("lists", "a.csv", "../films"),
        ("films", "../lists/a.csv", "../films"),
    ):
        monkeypatch.chdir(tmp_path / place)
        assert [clip.path for clip in read_list(Path(given))] == [Path(found, "1.mp4")]


def test_where_clips_are_looked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "lists" / "a.csv", "path,label", "1.mp4,x", "2.mp4,y")
    touch(tmp_path / "films", "1.mp4", "2.mp4")
    assert [clip.path for clip in read_list(path)] == [tmp_path / f"films/{n}.mp4" for n in (1, 2)]
    # What lies in several places is in none, as nobody knows which is meant.
    touch(tmp_path / "more", "1.mp4")
    assert [clip.path for clip in read_list(path)] == [
        path.parent / "1.mp4",
        tmp_path / "films/2.mp4",
    ]
    # Where any clip lies beside the list, all do.
    touch(path.parent, "1.mp4")
    assert [clip.path for clip in read_list(path)] == [path.parent / f"{n}.mp4" for n in (1, 2)]
    write(path, "path,label", r"films\2.mp4,x")  # from Windows
    assert [clip.path for clip in read_list(path)] == [tmp_path / "films/2.mp4"]


def test_a_split_in_another_dialect(tmp_path: Path) -> None:
    names = ("a/1.mp4", "a/2.mp4", "b/1.mp4", "b/2.mp4")
    clips = read_source(touch(tmp_path / "clips", *names))
    rows = [(name, name[0], "training" if "1" in name else "dev") for name in names]
    path = write(tmp_path / "split.csv", *table(";", "filename,class,subset", rows), code="utf-16")
    chosen, unnamed = apply_split(clips, path)
    assert ([clip.part for clip in chosen], unnamed) == (["train", "val", "train", "val"], [])


def test_a_list_to_validate_with(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "a/2.mp4", "b/1.mp4", "b/2.mp4")
    train = write(tmp_path / "train.txt", "a/1.mp4 0", "b/1.mp4 1")
    val = write(tmp_path / "val.txt", "a/2.mp4 0", "b/2.mp4 1")
    clips = read_clips(train, ClassifyTrainConfig(val_folder=str(val)))
    assert [(c.name, c.part) for c in clips] == [
        *(("a/1.mp4", "train"), ("b/1.mp4", "train"), ("a/2.mp4", "val"), ("b/2.mp4", "val"))
    ]


def test_words_for_parts() -> None:
    assert part_in(Path("a.csv"), 1, "validation set") == "val"
    with pytest.raises(DataError, match="line 1: split 'blue' is not train, val or test"):
        part_in(Path("a.csv"), 1, "blue")
