"""Finding labelled clips, their parts and their groups."""

from pathlib import Path

import pytest

from vidgru.data.folder import read_folder
from vidgru.errors import DataError, OptionError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


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


def test_runs_in_the_folder_are_no_class_and_a_class_may_be_called_runs(tmp_path: Path) -> None:
    touch(tmp_path, "runs/a-1/model.safetensors", "runs/a-1/curves.png", "a/1.mp4")
    assert {c.label for c in read_folder(tmp_path)} == {"a"}
    touch(tmp_path / "other", "runs/1.mp4", "walks/1.mp4")
    assert {c.label for c in read_folder(tmp_path / "other")} == {"runs", "walks"}


def test_links_to_clips_and_classes_are_followed(tmp_path: Path) -> None:
    touch(tmp_path / "real", "a/1.mp4", "b/2.mp4")
    (tmp_path / "linked/a").mkdir(parents=True)
    (tmp_path / "linked/a/1.mp4").symlink_to(tmp_path / "real/a/1.mp4")
    (tmp_path / "linked/b").symlink_to(tmp_path / "real/b")
    (tmp_path / "linked/a/loop").symlink_to(tmp_path / "linked")
    assert [c.name for c in read_folder(tmp_path / "linked")] == ["a/1.mp4", "b/2.mp4"]


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


def test_a_groups_file_that_is_no_text(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "b/2.mp4")
    (tmp_path / "groups.csv").write_bytes(b"\xff\xfe\x00clip,day")
    with pytest.raises(DataError, match="Cannot read"):
        read_folder(tmp_path, "day")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "No video clips found"),
        (("clip.mp4",), "No video clips found"),
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
