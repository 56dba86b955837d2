"""Finding labelled clips, their parts and their groups."""

import os
from pathlib import Path

import pytest
from helpers import touch

from vidgru.core.errors import DataError, OptionError
from vidgru.core.results import Failure
from vidgru.data.account import find_clips
from vidgru.data.folder import read_folder, read_videos
from vidgru.video.find import ROOT, find_sources


def test_classes_and_clips_in_natural_order(tmp_path: Path) -> None:
    touch(
        tmp_path, "b/10.mp4", "b/9.AVI", "a/x y.mkv", "a/.hidden.mp4", "a/notes.txt", ".git/c/1.mp4"
    )
    touch(tmp_path, "a/deep/er/1.mov", "a/pictures/1.png", "a/pictures/2.png", "stray.mp4")
    clips = read_folder(tmp_path)
    assert [(c.name, c.label, c.part) for c in clips] == [
        ("a/deep/er/1.mov", "a", None),
        ("a/pictures", "a", None),
        ("a/x y.mkv", "a", None),
        ("b/9.AVI", "b", None),
        ("b/10.mp4", "b", None),
    ]


def test_parts(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.mp4", "validation/a/2.mp4", "Test/a/3.mp4", "train/b/4.mp4")
    clips = read_folder(tmp_path)
    assert {c.name: (c.label, c.part) for c in clips} == {
        "train/a/1.mp4": ("a", "train"),
        "train/b/4.mp4": ("b", "train"),
        "validation/a/2.mp4": ("a", "val"),
        "Test/a/3.mp4": ("a", "test"),
    }


def test_classes_may_be_called_like_parts(tmp_path: Path) -> None:
    touch(tmp_path, "train/1.mp4", "bus/2.mp4", "test/3.mp4")
    assert {c.label for c in read_folder(tmp_path)} == {"train", "bus", "test"}


def test_a_part_without_classes_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "train/a/1.mp4", "train/b/2.mp4", "val/3.mp4")
    with pytest.raises(DataError, match=r"/val holds no class folders, but other parts do"):
        read_folder(tmp_path)
    # Two classes that are called so.
    touch(tmp_path / "other", "train/1.mp4", "test/2.mp4")
    assert {c.label for c in read_folder(tmp_path / "other")} == {"train", "test"}


def test_runs_in_the_folder_are_no_class_and_a_class_may_be_called_runs(tmp_path: Path) -> None:
    touch(tmp_path, "runs/a-1/model.safetensors", "runs/a-1/curves.png", "a/1.mp4")
    touch(tmp_path, "comparisons/a-compare-1/gru-seed0/model.safetensors")
    touch(tmp_path, "my-run/model.safetensors", "my-run/curves.png")
    assert {c.label for c in read_folder(tmp_path)} == {"a"}
    touch(tmp_path / "other", "runs/1.mp4", "walks/1.mp4")
    assert {c.label for c in read_folder(tmp_path / "other")} == {"runs", "walks"}


def test_single_images_are_clips_where_there_are_no_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "b/10.png", "b/9.JPG", "a/x y.webp", "a/.hidden.png", "a/notes.txt", "0.png")
    touch(tmp_path, "a/album.png/notes.txt", "b/sub/.1.png", ".git/c/1.mp4")
    clips = read_folder(tmp_path)
    assert [(c.name, c.label, c.part) for c in clips] == [
        ("a/x y.webp", "a", None),
        ("b/9.JPG", "b", None),
        ("b/10.png", "b", None),
    ]
    assert [c.path for c in clips] == [tmp_path / c.name for c in clips]
    assert not caplog.messages


def test_single_images_in_parts_and_in_classes_called_like_parts(tmp_path: Path) -> None:
    touch(tmp_path / "parts", "train/a/1.png", "train/b/2.png", "val/a/3.png", "test/b/4.png")
    by_name = {c.name: (c.label, c.part) for c in read_folder(tmp_path / "parts")}
    assert by_name == {
        "train/a/1.png": ("a", "train"),
        "train/b/2.png": ("b", "train"),
        "val/a/3.png": ("a", "val"),
        "test/b/4.png": ("b", "test"),
    }
    touch(tmp_path / "classes", "train/1.png", "bus/2.png", "test/3.png")
    found = read_folder(tmp_path / "classes")
    assert [(c.label, c.part) for c in found] == [("bus", None), ("test", None), ("train", None)]


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (("a/1.mp4", "b/deep/2.mp4"), ("a", "b")),
        (("a/first/1.png", "b/second/1.png"), ("a", "b")),
        (("test/a/1.mp4", "train/a/first/1.png"), ("test/a", "train/a")),
    ],
)
def test_single_images_beside_other_clips_are_left_out(
    tmp_path: Path, names: tuple[str, ...], classes: tuple[str, str]
) -> None:
    clips = read_folder(touch(tmp_path, *names))
    touch(tmp_path, *[f"{folder}/{n}.jpg" for folder in classes for n in (10, 9)])
    found, account = find_clips(tmp_path)
    assert found == clips
    (left,) = account.left_out
    assert (left.kind, left.severity) == ("loose", "warning")
    assert left.files == tuple(f"{folder}/{n}.jpg" for folder in classes for n in (9, 10))


def test_a_class_of_single_images_next_to_videos(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "b/1.png")
    with pytest.raises(DataError, match=r"b holds no clips: .* Its images do not count, as other"):
        read_folder(tmp_path)
    touch(tmp_path, "c/1.txt")
    with pytest.raises(DataError, match=r"folders \S+b and \S+c hold no clips: .* Their images do"):
        read_folder(tmp_path)


def test_the_disk_is_not_asked_about_every_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands of images on a network's disk would take minutes."""
    asked = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda path, **kw: asked.append(path) or stat(path, **kw))
    counts = []
    for count in (1, 100):
        touch(tmp_path, *[f"{label}/{n}.png" for label in ("train", "b") for n in range(count)])
        asked.clear()
        assert len(read_folder(tmp_path)) == 2 * count
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_links_to_clips_and_classes_are_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path / "real", "a/1.mp4", "b/2.mp4")
    (tmp_path / "linked/a").mkdir(parents=True)
    (tmp_path / "linked/a/1.mp4").symlink_to(tmp_path / "real/a/1.mp4")
    (tmp_path / "linked/b").symlink_to(tmp_path / "real/b")
    (tmp_path / "linked/a/loop").symlink_to(tmp_path / "linked")
    (tmp_path / "linked/a/self").symlink_to("self")
    (tmp_path / "linked/top").symlink_to(tmp_path)
    assert [c.name for c in read_folder(tmp_path / "linked")] == ["a/1.mp4", "b/2.mp4"]
    linked = tmp_path / "linked"
    assert caplog.messages == [
        f"Left out {linked / 'top'}: it leads to a folder that is searched anyway.",
        f"Left out {linked / 'a/self'}: the link leads nowhere.",
        f"Left out {linked / 'a/loop'}: it leads to a folder that is searched anyway.",
    ]


def test_links_to_folders_in_classes_are_followed_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(
        tmp_path, "data/a/1.mp4", "data/a/in/2.mp4", "data/b/3.mp4", "far/deep/4.mp4", "far/5.mp4"
    )
    (tmp_path / "data/a/far").symlink_to(tmp_path / "far")
    (tmp_path / "data/a/again").symlink_to(tmp_path / "data/a/in")
    (tmp_path / "far/back").symlink_to(tmp_path / "far/deep")
    (tmp_path / "far/loop").symlink_to(tmp_path / "far")
    (tmp_path / "data/b/gone").symlink_to(tmp_path / "nowhere")
    own, linked = ["a/1.mp4", "a/in/2.mp4"], ["a/far/5.mp4", "a/far/deep/4.mp4"]
    left_out = ["a/again", "a/far/back", "a/far/loop", "b/gone"]
    # Links come last, in each class or where there are none.
    orders = {read_folder: [*own, *linked, "b/3.mp4"], read_videos: [*own, "b/3.mp4", *linked]}
    for read, expected in orders.items():
        caplog.clear()
        assert [clip.name for clip in read(tmp_path / "data")] == expected
        named = [message.split(":")[0] for message in caplog.messages]
        assert sorted(named) == [f"Left out {tmp_path / 'data' / name}" for name in left_out]


def test_links_to_folders_are_searched_for_videos(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "clips/a/1.mp4", "far/2.mp4", "far/.hidden/3.mp4")
    (tmp_path / "clips/a/far").symlink_to(tmp_path / "far")
    (tmp_path / "clips/a/twice").symlink_to(tmp_path / "far")
    (tmp_path / "clips/up").symlink_to(tmp_path)
    (tmp_path / "clips/gone").symlink_to("nowhere")
    (tmp_path / "clips/root").symlink_to("/")
    clips = tmp_path / "clips"
    dead, root, *videos = find_sources(clips)
    assert videos == [clips / "a/1.mp4", clips / "a/far/2.mp4"]
    gone = clips / "gone"
    assert dead == Failure(str(gone), f"Cannot read {gone}: the link leads nowhere.")
    assert root == Failure(str(clips / "root"), ROOT.format(clips / "root"))
    assert sorted(caplog.messages) == [
        f"Left out {clips / name}: it leads to a folder that is searched anyway."
        for name in ("a/twice", "up")
    ]


def test_groups_from_names(tmp_path: Path) -> None:
    touch(tmp_path, "a/seq01_x.mp4", "b/seq02_y.mp4")
    by_group = {c.name: c.group for c in read_folder(tmp_path, r"seq(\d+)_")}
    assert by_group == {"a/seq01_x.mp4": "01", "b/seq02_y.mp4": "02"}
    assert [c.group for c in read_folder(tmp_path, r"seq\d+")] == ["seq01", "seq02"]


def test_groups_from_a_column(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "b/2.mp4")
    (tmp_path / "groups.csv").write_text("clip,day\na/1.mp4,mon\nb/2.mp4,tue\n")
    assert [c.group for c in read_folder(tmp_path, "day")] == ["mon", "tue"]


@pytest.mark.parametrize(
    ("group_by", "error", "words"),
    [
        ("(", OptionError, "neither a column of groups.csv nor a regular expression"),
        ("nowhere", DataError, "gives no group for 2 of 2 clips, the first of them a/1.mp4"),
        ("day", DataError, "gives no group for 1 of 2 clips, the first of them b/2.mp4"),
    ],
)
def test_bad_groups(tmp_path: Path, group_by: str, error: type[Exception], words: str) -> None:
    touch(tmp_path, "a/1.mp4", "b/2.mp4")
    (tmp_path / "groups.csv").write_text("clip,day\na/1.mp4,mon\n")
    with pytest.raises(error, match=words.replace(".", r"\.")):
        read_folder(tmp_path, group_by)


def test_a_clip_of_two_groups_and_one_without(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "b/2.mp4")
    table = tmp_path / "groups.csv"
    table.write_text("clip,day\na/1.mp4,mon\na/1.mp4,mon\na/1.mp4,\nb/2.mp4,tue\n")
    assert [c.group for c in read_folder(tmp_path, "day")] == ["mon", "tue"]
    table.write_text("clip,day\na/1.mp4,mon\nb/2.mp4,tue\na/1.mp4,wed\n")
    with pytest.raises(DataError) as found:
        read_folder(tmp_path, "day")
    assert str(found.value) == (
        f"{table}, line 4: a/1.mp4 has the group 'wed' there, but 'mon' further up."
    )
    table.write_text("clip,day\na/1.mp4,mon\nb/2.mp4,\n")
    with pytest.raises(DataError, match=r"gives no group for 1 of 2 clips, .* b/2\.mp4"):
        read_folder(tmp_path, "day")


def test_a_groups_file_that_is_no_text(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "b/2.mp4")
    (tmp_path / "groups.csv").write_bytes(b"\xff\xfe\x00clip,day")
    with pytest.raises(DataError, match="Cannot read"):
        read_folder(tmp_path, "day")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "No class folders found"),
        (("clip.mp4",), "No class folders found"),
        (("a/1.mp4", "b/notes.txt"), "b holds no clips"),
    ],
)
def test_folders_without_clips(tmp_path: Path, names: tuple[str, ...], words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_folder(touch(tmp_path, *names))


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such folder"):
        read_folder(tmp_path / "absent")
    with pytest.raises(DataError, match="is not a folder"):
        read_folder(touch(tmp_path, "file") / "file")


@pytest.mark.parametrize("inner", [".", "clips/a", "{root}/clips/a"])
def test_a_class_in_place_of_all_classes(
    inner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "clips/a/1.mp4", "clips/b/2.mp4", "alone/a/1.mp4", "alone/notes/x.txt")
    monkeypatch.chdir(tmp_path / "clips/a" if inner == "." else tmp_path)
    folder = Path(inner.format(root=tmp_path))
    parent = {".": ".."}.get(inner, str(folder.parent))
    with pytest.raises(DataError) as error:
        read_folder(folder)
    question = f"It holds clips itself, as folders beside it do: did you mean {parent}?"
    assert str(error.value) == f"No class folders found in {folder}. {question}"
    with pytest.raises(DataError, match="Expected FOLDER/<class>/<clip>"):
        read_folder(tmp_path / "alone/a")
