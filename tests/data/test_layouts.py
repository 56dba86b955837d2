"""Folders as people lay them out: what is found, what it is taken for, and what of it is not."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from conftest import Done
from helpers import make_folder, moving_squares, noise, touch, write_images

from vidgru.core.errors import DataError
from vidgru.data.account import find_clips, report_left_out, sentence
from vidgru.data.dataset import read_clips
from vidgru.data.folder import read_folder, read_videos
from vidgru.data.results import Account
from vidgru.tasks.classify.check import check
from vidgru.tasks.classify.check_options import CheckConfig
from vidgru.tasks.classify.options import ClassifyTrainConfig
from vidgru.video.find import find_sources

Run = Callable[..., Done]


def files_below(folder: Path) -> int:
    """Count files, and links to folders, that there are."""
    count = 0
    for parent, folders, names in os.walk(folder):
        count += len(names) + sum(Path(parent, name).is_symlink() for name in folders)
    return count


def left_out(account: Account) -> dict[str, tuple[str, ...]]:
    """Return what is left out by its reason, where nothing is counted twice or not at all."""
    found = {left.kind: left.files for left in account.left_out}
    assert account.found == sum(account.used.values()) + sum(map(len, found.values()))
    return found


def ways(folder: Path) -> dict[str, tuple[str, str | None]]:
    return {clip.name: (clip.label, clip.part) for clip in read_folder(folder)}


TRAIN = ("train/a/1.mp4", "train/a/2.mp4", "train/b/1.mp4", "train/b/2.mp4")
TRAINED = {name: (name.split("/")[1], "train") for name in TRAIN}


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (("training", "testing"), "test"),
        (("train", "Validate"), "val"),
        (("train", "valid"), "val"),
        (("train", "dev"), "val"),
        (("Train", "eval"), "val"),
        (("videos_train", "videos_val"), "val"),
        (("train_videos", "test_videos"), "test"),
        (("trainset", "testset"), "test"),
        (("Train Set", "Validation Set"), "val"),
    ],
)
def test_parts_by_their_usual_names(tmp_path: Path, names: tuple[str, str], part: str) -> None:
    train, held = names
    touch(tmp_path, f"{train}/a/1.mp4", f"{train}/b/2.mp4", f"{held}/a/3.mp4", f"{held}/b/4.mp4")
    assert ways(tmp_path) == {
        f"{train}/a/1.mp4": ("a", "train"),
        f"{train}/b/2.mp4": ("b", "train"),
        f"{held}/a/3.mp4": ("a", part),
        f"{held}/b/4.mp4": ("b", part),
    }
    clips, account = find_clips(tmp_path)
    assert len(clips) == 4
    assert sentence(account) == f"Found 4 files: 4 clips (2 train, 2 {part})."
    assert {clip.part for clip in read_videos(tmp_path)} == {"train", part}


def test_a_class_called_train(tmp_path: Path) -> None:
    names = ("train/1.mp4", "train/day/2.mp4", "bus/1.mp4", "bus/night/2.mp4", "car/1.mp4")
    touch(tmp_path, *names)
    assert ways(tmp_path) == {name: (name.split("/")[0], None) for name in names}
    (note,) = find_clips(tmp_path)[1].notes
    assert note.sentence.startswith("train is taken for a class, as there are other folders")
    # Folders of pictures instead of videos.
    names = ("train/1/1.png", "train/2/1.png", "bus/1/1.png", "car/1/1.png")
    touch(tmp_path / "pictures", *names)
    assert {clip.label for clip in read_folder(tmp_path / "pictures")} == {"train", "bus", "car"}


def test_a_part_beside_folders_that_are_none(tmp_path: Path) -> None:
    touch(tmp_path, *TRAIN, "raw/x.mp4", "extra/a/9.mp4", "stray.mp4", "train/odd.mp4")
    assert ways(tmp_path) == TRAINED
    account = find_clips(tmp_path)[1]
    assert left_out(account) == {
        "outside": ("extra/a/9.mp4", "raw/x.mp4"),
        "stray": ("stray.mp4", "train/odd.mp4"),
    }
    assert [finding.sentence for finding in report_left_out(account)] == [
        "2 files are left out (outside train, val and test): extra/a/9.mp4 and raw/x.mp4.",
        "2 files are left out (outside the class folders): stray.mp4 and train/odd.mp4. Move them "
        "into the folder of their class, or remove them.",
    ]
    assert {finding.severity for finding in report_left_out(account)} == {"warning"}
    # Without classes, what lies right in a part is a clip.
    clips, account = find_clips(tmp_path, labelled=False)
    assert [clip.name for clip in clips] == [*TRAIN, "train/odd.mp4"]
    assert set(left_out(account)) == {"outside", "stray"}


def test_a_flat_test_folder(tmp_path: Path) -> None:
    touch(tmp_path, *TRAIN, "test/1.mp4", "test/2.mp4", "docs/readme.txt")
    assert ways(tmp_path) == TRAINED
    account = find_clips(tmp_path)[1]
    assert left_out(account) == {
        "no classes": ("test/1.mp4", "test/2.mp4"),
        "ignored": ("docs/readme.txt",),
    }
    assert "`vidgru predict` tells what they show." in report_left_out(account)[0].sentence


def test_only_what_is_to_be_evaluated_on(tmp_path: Path) -> None:
    touch(tmp_path, "test/a/1.mp4", "test/b/2.mp4")
    assert {clip.part for clip in read_folder(tmp_path)} == {"test"}
    with pytest.raises(DataError, match="has clips to validate or test with, but none to learn"):
        read_clips(tmp_path, ClassifyTrainConfig())


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ("data/a/1.mp4", "data/b/2.mp4", "data/about.txt"),
            "has only one class ('data'); at least two are needed. If the folders in {0}/data are "
            "the classes or parts (a, b), give {0}/data.",
        ),
        (
            ("UCF-101/a/1.mp4", "UCF-101/b/2.mp4", "ucfTrainTestlist/trainlist01.txt"),
            "ucfTrainTestlist holds no clips: add some or remove it. If the folders in {0}/UCF-101 "
            "are the classes or parts (a, b), give {0}/UCF-101.",
        ),
        (
            ("1.mp4", "2.mp4"),
            "No class folders found in {0}. It holds clips itself, as folders beside it do",
        ),
        (
            ("train/a/1.mp4", "train/b/1.mp4", "val/a/1.mp4", "val/b/1.mp4", "val/c/1.mp4"),
            "The class 'c' is validated or tested but has no training clips: move some",
        ),
        (("a/1.mp4", "b/1.mp4", "b/2.mp4"), "The class 'a' has only one clip"),
        (("train/a/1.mp4", "train/b/1.mp4"), "2 classes ('a' and 'b') have only one clip each"),
    ],
)
def test_what_train_refuses_check_refuses(
    tmp_path: Path, names: tuple[str, ...], words: str
) -> None:
    touch(tmp_path, *names)
    with pytest.raises(DataError) as refused:
        read_clips(tmp_path, ClassifyTrainConfig())
    assert words.format(tmp_path) in str(refused.value)
    try:
        sentence = check(tmp_path, CheckConfig()).findings[0].sentence
    except DataError as error:  # no clips are found at all
        sentence = str(error)
    assert sentence == str(refused.value)


def test_what_cannot_be_learned_from_once_it_was_read(tmp_path: Path, vidgru: Run) -> None:
    folder = make_folder(tmp_path / "clips", 2)
    (folder / "left/0.avi").write_bytes(b"")
    said = [vidgru(verb, folder, "-q") for verb in ("check", "train")]
    assert [done.code for done in said] == [1, 1]
    error = "The class 'left' has only one clip"
    assert f"\nError: {error}" in said[1].err
    assert f"\nerror    {error}" in said[0].out
    assert said[0].err == f"Error: `vidgru train` refuses {folder}: mend the first error.\n"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ("anna/walk/1.mp4", "anna/wave/2.mp4", "bert/walk/3.mp4", "bert/wave/4.mp4"),
            "Every class folder (anna and bert) holds the same folders (walk and wave). If those "
            "are the classes, move anna/walk to walk/anna and so on, or give a list with rows such "
            "as anna/walk/CLIP,walk, and --group-by '^([^/]+)/' to keep anna on one side.",
        ),
        (
            ("a/train/1.mp4", "a/val/2.mp4", "b/train/3.mp4", "b/val/4.mp4"),
            "Every class folder holds the folders train and val, which are not taken for parts. If "
            "they are, put them above the classes: train/a/...",
        ),
    ],
)
def test_levels_that_are_turned(tmp_path: Path, names: tuple[str, ...], words: str) -> None:
    clips, account = find_clips(touch(tmp_path, *names))
    assert [clip.label for clip in clips] == [name.split("/")[0] for name in names]
    assert [(note.severity, note.sentence) for note in account.notes] == [("warning", words)]


@pytest.mark.parametrize(
    "names",
    [
        ("a/subject1/1.mp4", "a/subject2/2.mp4", "b/subject1/3.mp4", "b/subject2/4.mp4"),
        ("a/1/1.mp4", "a/2/2.mp4", "b/1/3.mp4", "b/2/4.mp4"),
        ("a/x/1.mp4", "a/y/2.mp4", "b/z/3.mp4", "b/w/4.mp4"),
        ("a/x/1.mp4", "a/2.mp4", "b/x/3.mp4", "b/y/4.mp4"),
        ("a/clip/1.png", "a/take/1.png", "b/clip/1.png", "b/take/1.png"),
    ],
)
def test_levels_that_are_right(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert find_clips(touch(tmp_path, *names))[1].notes == ()


PICTURES = [
    # What lies in a class folder, and which clips that makes.
    (("s/1.mp4", "s/1.jpg", "s/2.mp4", "cover.jpg"), ["s/1.mp4", "s/2.mp4"]),
    (("s/cover.jpg", "s/c1/1.png", "s/c1/2.png", "s/c2/1.png"), ["s/c1", "s/c2"]),
    (("s/1.png", "s/2.png", "s/masks/1.png"), ["s"]),
    (("s/1.png", "s/2.png", "s/raw/film.mp4"), ["s/raw/film.mp4"]),
    (("s/1.png", "s/notes.txt", "s/empty/notes.txt"), ["s"]),
    (("s/@eaDir/1.mp4/SYNO.jpg", "s/1.mp4", "__MACOSX/s/._1.mp4"), ["s/1.mp4"]),
]


@pytest.mark.parametrize(("names", "clips"), PICTURES)
def test_pictures_beside_clips(tmp_path: Path, names: tuple[str, ...], clips: list[str]) -> None:
    folder = touch(tmp_path / "clips", *(f"{label}/{name}" for label in "ab" for name in names))
    wanted = [f"{label}/{name}" for label in "ab" for name in clips]
    assert [clip.name for clip in read_folder(folder)] == wanted
    # All that is learned from, whatever the task, is predicted and evaluated, too.
    assert [clip.name for clip in read_videos(folder)] == wanted
    assert find_sources(folder) == [folder / name for name in wanted]
    assert set(left_out(find_clips(folder)[1])) <= {"cover", "below", "loose", "ignored", "system"}


def test_a_class_folder_that_the_system_made(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "b/2.mp4", "__MACOSX/a/._1.mp4", "@eaDir/x.jpg", "lost+found/3.mp4")
    assert [clip.name for clip in read_folder(tmp_path)] == ["a/1.mp4", "b/2.mp4"]
    account = find_clips(tmp_path)[1]
    assert left_out(account) == {
        "system": ("@eaDir/x.jpg", "__MACOSX/a/._1.mp4", "lost+found/3.mp4")
    }


ODD = {
    "hidden": (".DS_Store", "a/._1.mp4", ".git/config", ".thumbnails/a.jpg", "b/.hidden/1.mp4"),
    "system": (
        *("Thumbs.db", "a/desktop.ini", "__MACOSX/._a", "__MACOSX/a/._1.mp4", "#recycle/9.mp4"),
        *("a/@eaDir/1.mp4/SYNO.jpg", "b/Thumbs.db", "$RECYCLE.BIN/1.avi", "a/__pycache__/x.pyc"),
    ),
    "ignored": (
        *("README.md", "classes.txt", "a/notes.txt", "a/1.srt", "b/labels.json", "b/audio.wav"),
        *("a/archive.zip", "docs.pdf", "a/deep/er/list.xlsx", "b/noext", "b/frames/info.xml"),
    ),
    "unread video": ("a/old.rmvb", "b/raw.y4m"),
    "unread picture": ("b/phone.heic", "b/raw.cr2"),
    "cover": ("a/1.jpg", "a/cover.png", "b/poster.webp", "a/deep/thumb_2.jpg", "b/folder.jpg"),
    "loose": ("a/scan.png", "b/scan2.tif"),
    "below": ("b/frames/masks/1.png", "b/frames/masks/2.png"),
    "stray": ("stray.mp4", "chart.png"),
    "run": ("a/run-1/model.safetensors", "a/run-1/curves.png", "a/run-1/film.mp4"),
}
CLIPS = ("a/1.mp4", "a/2.MOV", "a/deep/er/3.avi", "b/1.gif", "b/x y.mkv", "b/empty.mp4")
FRAMES = ("b/frames/1.png", "b/frames/2.png", "b/frames/10.png", "a/seq/1.jpg")


def odd_things(root: Path) -> Path:
    folder = touch(root / "clips", *CLIPS, *FRAMES, *(n for names in ODD.values() for n in names))
    touch(folder, "groups.csv", "b/frames/frames.csv")
    (folder / "groups.csv").write_text("clip,who\n")
    touch(root / "far", "7.mp4", "8.txt", "inner/9.mp4")
    (folder / "a/far").symlink_to(root / "far")
    (folder / "a/again").symlink_to(folder / "a/deep")
    (folder / "a/gone").symlink_to("nowhere")
    (folder / "a/lost.mp4").symlink_to("nowhere.mp4")
    (folder / "b/link.mp4").symlink_to(root / "far/7.mp4")
    (folder / "up").symlink_to(root)
    return folder


def test_nothing_is_lost_among_sixty_odd_things(tmp_path: Path) -> None:
    folder = odd_things(tmp_path)
    clips, account = find_clips(folder)
    linked = ("a/far/7.mp4", "a/far/inner/9.mp4", "a/lost.mp4", "b/link.mp4")
    assert sorted(c.name for c in clips) == sorted((*CLIPS, "b/frames", "a/seq", *linked))
    found = left_out(account)
    assert {kind: sorted(files) for kind, files in found.items()} == {
        **{kind: sorted(names) for kind, names in ODD.items()},
        "ignored": sorted((*ODD["ignored"], "a/far/8.txt")),
        "dead": ["a/gone"],
        "link": ["a/again", "up"],
    }
    assert account.used == {"videos": 10, "frames": 4, "tables": 2}
    # A link to a folder that is followed stands for what is in it.
    assert account.found == files_below(folder) - 1 + files_below(tmp_path / "far")
    assert account.found > 60


def test_the_account_is_told_by_all_commands(
    tmp_path: Path, vidgru: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder(tmp_path / "clips", 4)
    write_images(folder / "left" / "frames", noise(12), [f"{n}.png" for n in range(12)])
    moving_squares(folder / "stray.avi", 1, 9)
    touch(folder, ".DS_Store", *(f"left/notes{n}.txt" for n in range(5)))
    found = "Found 27 files: 9 clips (8 videos, 12 pictures in folders)"
    told = (
        f"{found}, 7 left out: left/notes0.txt, left/notes1.txt, left/notes2.txt and 2 more "
        "(neither video nor picture); .DS_Store (hidden).\n"
        "Warning: 1 file is left out (outside the class folders): stray.avi. Move them into the "
        "folder of their class, or remove them.\n"
    )
    monkeypatch.chdir(tmp_path)
    options = ["--epochs", 1, "--size", 16, "--batch-size", 4, "--threads", 1, "--folds", 1]
    done = vidgru("train", folder, *options, "--out", "run")
    assert done.code == 0
    assert done.err.startswith(told)
    touch(folder, "right/clip.bad")
    (folder / "right" / "0.avi").unlink()
    moving_squares(folder / "right" / "new.avi", 2, 99)
    done = vidgru("evaluate", folder, "--model", "run")
    assert done.code == 0
    assert done.err.startswith("Found 28 files: 9 clips (8 videos, 12 pictures in folders), 8 left")
    done = vidgru("check", folder)
    assert done.code == 0
    assert "Found 28 files: 9 clips (8 videos, 12 pictures in folders), 8 left out." in done.out
    assert "Found" not in done.err
    assert "stray" not in vidgru("check", folder, "--json", "-q").err


def test_classes_that_are_called_alike(tmp_path: Path) -> None:
    touch(tmp_path, "Run/1.mp4", "run/2.mp4", "open_door/1.mp4", "open door /2.mp4", "1-0/1.mp4")
    touch(tmp_path, "10/1.mp4")
    words = "Classes are called alike: 'Run' = 'run' and 'open door ' = 'open_door'. If they are"
    (note,) = find_clips(tmp_path)[1].notes
    assert note.sentence == f"{words} one, give them one name."
    table = tmp_path / "list.csv"
    table.write_text("path,label\nRun/1.mp4,run\nrun/2.mp4,Run\n10/1.mp4,walk\n")
    assert [note.kind for note in find_clips(table)[1].notes] == ["alike classes"]
    table.write_text("path,label\nRun/1.mp4,run\nrun/2.mp4,run\n10/1.mp4,walk\n")
    assert find_clips(table)[1].notes == ()


def test_pictures_that_may_be_frames_of_clips(tmp_path: Path) -> None:
    names = [f"{c}/v{v}_{n:03}.jpg" for c in ("run", "walk") for v in (1, 2) for n in range(4)]
    clips, account = find_clips(touch(tmp_path / "frames", *names))
    assert len(clips) == 16
    (note,) = account.notes
    assert (note.severity, note.sentence) == (
        "warning",
        "Pictures are called as the frames of 4 clips are, such as run/v1_000.jpg, and each is a "
        "clip of its own. If they are frames, give each clip a folder of its own.",
    )
    # One series a class are pictures; so are a few, and others between them.
    for place, some in (("one", names[:4] + names[8:12]), ("few", names[:7] + names[8:])):
        assert find_clips(touch(tmp_path / place, *some))[1].notes == ()
    assert find_clips(touch(tmp_path / "more", *names, "run/x.jpg"))[1].notes == ()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("videos/1.mp4", "videos/2.mp4", "labels.csv"), "give that: {}/labels.csv."),
        (("1.mp4", "2.mp4", "labels.tsv", "groups.csv"), "give that: {}/labels.tsv."),
        (
            [f"data/raw/2024/{c}/{n}.mp4" for c in ("run", "walk") for n in (1, 2)],
            "are the classes or parts (run, walk), give {}/data/raw/2024.",
        ),
    ],
)
def test_where_the_classes_are_said_instead(
    tmp_path: Path, names: Sequence[str], words: str
) -> None:
    folder = touch(tmp_path / "here", *names)
    for look in (check, read_clips):
        with pytest.raises(DataError) as error:
            look(folder, CheckConfig() if look is check else ClassifyTrainConfig())  # type: ignore[operator]
        assert str(error.value).endswith(words.format(folder))


def test_lists_that_are_refused_in_a_sentence(tmp_path: Path) -> None:
    for name, text, words in (
        ("a.json", '{"a.mp4": "run", "b.mp4": "walk"}', "a list in JSON is [{...}, ...]"),
        ("b.csv", "path,run,walk\na.mp4,1,0\n", "Not understood: 'run', 'walk'."),
        ("c.csv", "path,label\nhttps://x.org/a.mp4,run\n", "is no file or folder"),
        ("d.csv", "path,label\na.mp4,run\nb.mp4,\n", "line 3: no label"),
        ("e.csv", "path,label,split\na.mp4,run,0\n", "split '0' is not train, val or test"),
        ("f.jsonl", '{"path": "a.mp4", "label": "run"}\n', "Or give a .csv list: path,label"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match=re.escape(words)):
            find_clips(tmp_path / name)
