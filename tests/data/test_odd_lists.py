"""Lists and annotations that nobody would write by hand: one sentence each, and soon."""

import json
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import pytest
from helpers import touch

from vidgru.core.errors import DataError
from vidgru.data.annotations.boris import Aggregated
from vidgru.data.annotations.reader import Document
from vidgru.data.annotations.subtitles import Subtitles
from vidgru.data.csv_list import listed_groups, read_list, search_list
from vidgru.data.folder import Clip, clip_name
from vidgru.video.read import natural_key


def test_a_number_of_thousands_of_digits_is_a_text() -> None:
    names = ["1" * 5000, "b", "2", "10", "1" * 5000 + "b"]
    assert sorted(names, key=natural_key) == ["2", "10", "1" * 5000, "1" * 5000 + "b", "b"]


def test_a_path_that_no_file_can_have_beside_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"path,label\n" + 300 * b"a" + b"\xe9.mp4,x\nb.mp4,y\n")
    assert [clip.label for clip in read_list(path)] == ["x", "y"]


def test_slashes_that_say_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "videos/a.mp4", "videos/sub/b.mp4")
    path = tmp_path / "lists/list.csv"
    path.parent.mkdir()
    path.write_text("path,label\n./a.mp4,x\nsub" + 20 * "/" + "b.mp4,y\n")
    assert search_list(path).places == {tmp_path / "videos": 2}


def test_json_with_a_name_for_each_row_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps([{f"video{number}": "run"} for number in range(20_000)]))
    began = process_time()
    with pytest.raises(DataError, match=r"20000 different names.*path,label"):
        read_list(path)
    assert process_time() - began < 10


@pytest.mark.parametrize("behind", [50_000 * " " + "b", 25_000 * " 1" + " b"])
def test_a_line_that_is_no_path_is_refused_at_once(tmp_path: Path, behind: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"a{behind}\n")
    began = process_time()
    with pytest.raises(DataError, match="has no column 'path'"):
        read_list(path)
    assert process_time() - began < 5


def test_subtitles_by_the_thousand(tmp_path: Path) -> None:
    path = tmp_path / "film.srt"
    cue = "00:00:01,000 --> 00:00:02,000\nrun\nfast\n\n"
    path.write_text(30_000 * cue)
    began = process_time()
    events = Subtitles().read(Document(path)).events
    assert process_time() - began < 10
    assert len(events) == 30_000
    assert {event.label for event in events} == {"run fast"}


def test_a_table_of_thousands_of_videos(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    head = "Observation id,Media file name,Behavior,Behavior type,Start (s),Stop (s)\n"
    rows = [f"o{n},v{n}.mp4,run,STATE,1,2\n" for n in range(10_000)]
    path.write_text(head + "".join(rows))
    began = process_time()
    videos = Aggregated().read(Document(path)).videos
    assert process_time() - began < 10
    assert [video.name for video in videos] == [f"v{n}.mp4" for n in range(10_000)]


def test_groups_of_thousands_of_rows_of_one_video(tmp_path: Path) -> None:
    path, rows = tmp_path / "list.csv", ["a.mp4,c,,,all"]
    rows += [f"a.mp4,c,{n},{n + 1 + n % 3},s{n % 7}" for n in range(4000)]
    path.write_text("\n".join(["path,label,start,end,subject", *rows]))
    spans: list[tuple[float, float | None]] = [(n + 0.25, n + 0.75) for n in range(1, 4000)]
    spans += [(0.5, None), (2.5, 4.5), (2.5, 5.5)]
    names = [clip_name("a.mp4", *span) for span in spans]
    video = Path("a.mp4")
    clips = [Clip(video, n, "c", None, None, *s) for n, s in zip(names, spans, strict=True)]
    began = process_time()
    found = listed_groups(path, "subject", clips)
    assert process_time() - began < 10
    assert set(found) == {"all"}  # the first row that holds them
    path.write_text("\n".join(["path,label,start,end,subject", *rows[1:]]))
    ends = [n + 1 + n % 3 for n in range(4000)]
    held = [[n for n, e in enumerate(ends) if n <= a and (b or 9999) <= e] for a, b in spans[-9:]]
    assert listed_groups(path, "subject", clips)[-9:] == tuple(
        f"s{min(own, default=0) % 7}" for own in held
    )


def test_a_folder_above_that_nobody_may_list_holds_no_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "home/user/a.mp4")
    path = tmp_path / "home/user/list.txt"
    path.write_text("a.mp4 1\n")
    iterdir = Path.iterdir

    def refused(folder: Path) -> Iterator[Path]:
        if folder.name == "..":
            raise PermissionError(13, "Permission denied", str(folder))
        return iterdir(folder)

    monkeypatch.setattr(Path, "iterdir", refused)
    assert [clip.label for clip in read_list(path)] == ["1"]
