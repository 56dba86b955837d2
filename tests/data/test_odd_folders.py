"""Folders that nobody would make by hand: one sentence each, and soon."""

import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from time import process_time
from typing import Any

import numpy as np
import pytest
from helpers import noise, touch, write_images

from vidgru.core.errors import DataError, OutputError
from vidgru.core.results import Failure
from vidgru.data.account import find_clips
from vidgru.data.annotations import videos
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.data.annotations.read import annotated_videos
from vidgru.data.cache import content_hash
from vidgru.data.checks import _findings_by_pairs
from vidgru.data.decode import Readings, without_stills
from vidgru.data.duplicates import Duplicate
from vidgru.data.folder import Clip, read_folder
from vidgru.data.learnable import once_each, refusals, refusals_once_read
from vidgru.data.sources import read_source
from vidgru.data.split_config import SplitConfig
from vidgru.engine.run_folder import check_run
from vidgru.tools.extract.extract import extract
from vidgru.tools.extract.options import ExtractConfig
from vidgru.video.find import find_videos
from vidgru.video.read import open_video


def first_time(folder: Path) -> None:
    with open_video(folder) as video:
        assert video.grab() == 0


def in_groups(folder: Path) -> None:
    with pytest.raises(DataError, match=r"Cannot read .*groups\.csv: not a regular file"):
        read_folder(folder.parent.parent, "person")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="There are no pipes.")
@pytest.mark.parametrize(
    ("pipe", "read"),
    [
        ("9.png", content_hash),
        ("frames.csv", first_time),
        ("../../groups.csv", in_groups),
    ],
)
def test_a_pipe_is_not_waited_for(
    tmp_path: Path, pipe: str, read: Callable[[Path], object]
) -> None:
    folder = write_images(tmp_path / "a/one", noise(3), [f"{n}.png" for n in range(3)])
    touch(tmp_path, "b/two.mp4")
    os.mkfifo(folder / pipe)
    failed: list[BaseException] = []

    def run() -> None:
        try:
            read(folder)
        except BaseException as error:
            failed.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert not failed


def test_folders_in_folders_without_end(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.mp4", "b/x.mp4")
    inside = tmp_path / "a" / "/".join(200 * "d")
    inside.mkdir(parents=True)
    touch(inside, "y.mp4")
    with pytest.raises(DataError, match=r"lies 100 folders deep"):
        find_clips(tmp_path)
    found = find_videos([tmp_path])
    assert [isinstance(item, Path) for item in found] == [False, True, True]
    (inside / "y.mp4").unlink()
    hidden = tmp_path / "a" / ".h"
    (tmp_path / "a/d").rename(hidden)
    _, account = find_clips(tmp_path)
    assert account.clips == {"": 2}


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that holds a.mp4 and a folder `shut`, which the system refuses to enter.

    Permissions would not do: there are none for root.
    """
    touch(tmp_path, "clips/a.mp4")
    (tmp_path / "clips" / "shut").mkdir()

    def refusing(call: Callable[..., Any], reached: Callable[[str], bool]) -> Callable[..., Any]:
        def refused(path: Any = ".", *args: Any, **options: Any) -> Any:
            if not isinstance(path, int) and reached(os.fspath(path)):
                raise PermissionError(13, "Permission denied", os.fspath(path))
            return call(path, *args, **options)

        return refused

    def below(path: str) -> bool:
        return "/shut/" in path

    for name in ("scandir", "listdir"):
        listing = refusing(getattr(os, name), lambda path: path.endswith("/shut") or below(path))
        monkeypatch.setattr(os, name, listing)
    monkeypatch.setattr(os, "stat", refusing(os.stat, below))
    return tmp_path / "clips"


def test_a_folder_that_may_not_be_entered_is_named(closed: Path) -> None:
    shut = closed / "shut"
    sentence = f"Cannot read {shut}: Permission denied."
    assert find_videos(closed) == [Failure(str(shut), sentence), closed / "a.mp4"]
    with pytest.raises(DataError) as failed:
        read_source(shut)
    assert str(failed.value) == sentence
    for out in (shut, shut / "a" / "b"):
        with pytest.raises(OutputError, match=r"Cannot make the run folder .*: Permission denied"):
            check_run(closed, str(out))
    with pytest.raises(OutputError) as unwritten:
        list(extract(closed / "a.mp4", shut, ExtractConfig()))
    assert str(unwritten.value) == sentence


def test_videos_below_are_searched_once_for_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, *(f"v{n}.mp4" for n in range(3)), *(f"v{n}.srt" for n in range(3)))
    for n in range(3):
        (tmp_path / f"v{n}.srt").write_text("00:00:01,000 --> 00:00:02,000\nrun\n")
    searched: list[Path] = []
    find_files = videos.find_files

    def counted(folder: Path, suffixes: frozenset[str]) -> object:
        searched.append(folder)
        return find_files(folder, suffixes)

    monkeypatch.setattr(videos, "find_files", counted)
    files = [tmp_path / f"v{n}.srt" for n in range(3)]
    clips = annotated_videos(files, AnnotationConfig(), None)
    assert [clip.name for clip in clips] == ["v0.mp4", "v1.mp4", "v2.mp4"]
    assert searched == [tmp_path]


def test_a_link_that_is_left_out_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path / "two", "a/1.mp4", "b/2.mp4")
    (tmp_path / "two/a/loop").symlink_to(tmp_path / "two")
    (tmp_path / "two/b/gone").symlink_to("nowhere")
    # A class that is called as a part is, and so searched for classes first.
    touch(tmp_path / "three", "train/1.mp4", "train/x/1.mp4", "a/2.mp4", "b/3.mp4")
    (tmp_path / "three/train/loop").symlink_to(tmp_path / "three")
    touch(tmp_path / "cut", "v/x.mp4")
    (tmp_path / "cut/loop").symlink_to(tmp_path / "cut")
    cues = "1\n00:00:00,000 --> 00:00:01,000\na\n\n2\n00:00:01,000 --> 00:00:02,000\nb\n"
    (tmp_path / "cut/x.srt").write_text(cues)
    touch(tmp_path / "none", "a/1.txt")
    (tmp_path / "none/loop").symlink_to(tmp_path / "none")

    def messages(name: str, **options: Any) -> list[str]:
        caplog.clear()
        with caplog.at_level("INFO"):
            read_source(tmp_path / name, **options)
        return caplog.messages

    again = "link that leads nowhere, or to what is searched anyway"
    assert (
        messages("two")
        == messages("two", labelled=False)
        == [
            f"Found 4 files: 2 clips, 2 left out: a/loop ({again}).",
            "1 file is left out (link that leads nowhere): b/gone.",
        ]
    )
    found = f"Found 5 files: 4 clips, 1 left out: train/loop ({again})."
    assert messages("three")[:-1] == [found]
    loop = tmp_path / "cut/loop"
    assert messages("cut", annotations=AnnotationConfig(videos=str(tmp_path / "cut"))) == [
        f"Left out {loop}: it leads to a folder that is searched anyway.",
        "Found 1 file: 2 clips.",
    ]
    with pytest.raises(DataError, match="holds no clips"):
        messages("none")
    loop = tmp_path / "none/loop"
    assert caplog.messages == [f"Left out {loop}: it leads to a folder that is searched anyway."]


def test_a_link_to_itself_beside_annotations(tmp_path: Path) -> None:
    touch(tmp_path, "x.mp4")
    cues = "1\n00:00:00,000 --> 00:00:01,000\na\n\n2\n00:00:01,000 --> 00:00:02,000\nb\n"
    (tmp_path / "x.srt").write_text(cues)
    (tmp_path / "self").symlink_to("self")
    assert [clip.label for clip in read_source(tmp_path)] == ["a", "b"]


def test_rows_of_groups_that_name_no_clip_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "b/2.mp4")
    table = tmp_path / "groups.csv"
    table.write_text("clip,day\na/1.mp4,mon\nb/2.mp4,tue\n")
    assert find_clips(tmp_path)[1].notes == ()
    more = "".join(f"{name},wed\n" for name in ("1.mp4", "b/3.mp4", "b/3.mp4", "a", "c"))
    table.write_text(table.read_text() + more)
    for options in ({}, {"group_by": "day"}, {"labelled": False}):
        (note,) = find_clips(tmp_path, **options)[1].notes
        assert note.severity == "warning"
        assert note.sentence == (
            "groups.csv names 4 clips that are not there: '1.mp4', 'b/3.mp4', 'a' and 1 more. "
            f"Clips are named by their paths in {tmp_path}, such as 'a/1.mp4'."
        )


def test_groups_that_cannot_be_kept_apart_are_refused_once() -> None:
    clips = [
        Clip(
            Path(f"{label}{n}.mp4"),
            f"{label}/{n}.mp4",
            label,
            None,
            f"{label}{n if n > end else 0}",
        )
        for label, end in (("a", 4), ("b", 0))
        for n in range(4)
    ]
    data = Readings(dict.fromkeys(clips[1:], np.zeros(1)), {}, {}, {}, (Failure("a0.mp4", "Bad."),))
    folder, config = Path("clips"), SplitConfig(group_by="subject")
    all_clips, readable = (
        refusals(clips, folder, config),
        refusals_once_read(clips, data, folder, config),
    )
    assert "its 4 clips are of 1 group" in all_clips[0]
    assert "its 3 clips are of 1 group" in readable[0]
    assert once_each([*all_clips, *readable]) == readable
    two = ["The class 'a' has no clip, or leave it out: b.", "The class 'b' has no clip."]
    assert once_each([*two, two[0]]) == two


def test_thousands_of_stills_are_left_out_soon() -> None:
    clips = [Clip(Path(f"{n}.png"), f"{n}.png", "") for n in range(5000)]
    still = np.zeros((1, 1, 2, 2, 3), np.uint8)
    began = process_time()
    left = without_stills(Readings(dict.fromkeys(clips, still), {}, {}, {}, ()))
    assert process_time() - began < 5
    assert not left.frames
    assert len(left.skipped) == 5000


def test_thousands_of_copies_are_told_soon() -> None:
    clips = [Clip(Path(f"{n}.mp4"), f"{n}.mp4", "a") for n in range(6001)]
    pairs = [Duplicate(clips[0], other, exact=True, certain=True) for other in clips[1:]]
    sides = {clip: "val" if n > 3000 else "train" for n, clip in enumerate(clips)}
    began = process_time()
    found = {one.kind: one.sentence for one in _findings_by_pairs(pairs, sides)}
    assert process_time() - began < 5
    assert found["leak"].startswith("3000 pairs show the same in different parts")
    assert found["duplicate"].startswith("3000 pairs hold the same file twice")
