"""What a source may be: one path or many, and never the root of a file system."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Done
from helpers import build, make_folder, save_model

import vidgru as library
from vidgru import TrainResult
from vidgru.core.address import NO_FILE
from vidgru.core.errors import DataError
from vidgru.core.results import Failure
from vidgru.data.folder import read_folder, read_videos
from vidgru.tasks.forecast.spec import ForecastSpec
from vidgru.video.find import find_sources

Vidgru = Callable[..., Done]
SENTENCE = (
    "Cannot read {}: it is the root of a file system, which is never searched. "
    "Give the folder that holds the videos."
)

SPEC = ForecastSpec("forecast", "convgru", 8, 10.0, 4, 3, 32, 3)


@pytest.fixture(autouse=True)
def no_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail at once where a root is looked into, since walking it would take hours."""
    look = os.scandir

    def guarded(path: Any = ".") -> Iterator[os.DirEntry[str]]:
        assert os.path.realpath(path) != "/", "the root was looked into"
        return look(path)

    monkeypatch.setattr(os, "scandir", guarded)


@pytest.fixture
def link(tmp_path: Path) -> Path:
    path = tmp_path / "link"
    path.symlink_to("/")
    return path


def up(folder: Path) -> str:
    """Return the root by a name that goes down before it goes up."""
    return str(folder) + "/.." * (len(folder.parts) - 1)


@pytest.mark.parametrize("kind", [str, Path])
def test_one_path_is_one_source(clip: Path, tmp_path: Path, kind: Callable[[Path], Any]) -> None:
    frames = list(library.extract(kind(clip), kind(tmp_path / "out"), count=2))
    assert [
        (item.source, item.file.parent) for item in frames if not isinstance(item, Failure)
    ] == [(str(clip), tmp_path / "out")] * 2
    assert find_sources(kind(clip)) == [clip]
    assert find_sources(iter([kind(clip), "b.mp4"])) == [clip, Path("b.mp4")]


@pytest.mark.parametrize(
    "words",
    [
        ["check"],
        ["train"],
        ["train", "--task", "motion"],
        ["train", "--task", "scenes"],
        ["compare"],
        ["evaluate", "--model", "RUN"],
        ["predict", "--model", "RUN"],
        ["predict", "--model", "RUN", "--timeline"],
        ["motion"],
        ["forecast", "--model", "FORECAST"],
        ["scenes"],
        ["scenes", "--objects", "-q"],
        ["changes"],
        ["extract", "-o", "out"],
    ],
    ids=" ".join,
)
def test_no_verb_searches_a_root(
    vidgru: Vidgru, trained: TrainResult, link: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, words: list[str],
) -> None:  # fmt: skip
    save_model(tmp_path / "forecast.safetensors", build(SPEC).state_dict(), SPEC, {})
    names = {"RUN": str(trained.run), "FORECAST": str(tmp_path / "forecast.safetensors")}
    words = [names.get(word, word) for word in words]
    monkeypatch.chdir(tmp_path)
    there = set(tmp_path.rglob("*"))
    for root in ("/", "link", up(tmp_path)):
        done = vidgru(words[0], root, *words[1:])
        assert done.code == 1
        assert done.err == f"Error: {SENTENCE.format(root)}\n"
        assert set(tmp_path.rglob("*")) == there


def test_neither_a_class_nor_a_part_is_a_root(tmp_path: Path, link: Path) -> None:
    folder = make_folder(tmp_path / "clips", 1)
    link.rename(folder / "all")
    with pytest.raises(DataError) as error:
        read_folder(folder)
    assert str(error.value) == SENTENCE.format(folder / "all")
    (folder / "all").rename(folder / "train")
    for read in (read_folder, read_videos):
        with pytest.raises(DataError) as error:
            read(folder)
        assert str(error.value) == SENTENCE.format(folder / "train")


def test_a_root_costs_no_other_source(
    vidgru: Vidgru, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    done = vidgru("extract", ".", clip, "-o", tmp_path / "out", "--count", 1)
    assert done.code == 1
    assert done.err == f"Error: {SENTENCE.format('.')}\n"
    where = tmp_path / "out" / "clip"
    assert done.out == f"{clip}: 1 frame in {where}\n1 frame of 1 source, 1 failed\n"


ADDRESSES = [
    f"{scheme}://me:secret@host:1/a?token=secret"
    for scheme in ("rtsp", "RTSPS", "http", "https", "rtmp", "srt", "udp", "rtp", "tcp", "s3")
]


@pytest.mark.parametrize(
    "words",
    [
        ["check", "X"],
        ["train", "X"],
        ["train", "X", "--task", "motion"],
        ["train", "X", "--task", "forecast"],
        ["train", "X", "--task", "scenes"],
        ["train", "clips", "--val-folder", "X"],
        ["train", "clips", "--out", "X"],
        ["train", "clips", "--init", "X"],
        ["train", "--resume", "X"],
        ["compare", "X"],
        ["evaluate", "X", "--model", "RUN"],
        ["evaluate", "clips", "--model", "X"],
        ["predict", "clip.mp4", "--model", "RUN", "--save", "X"],
        ["predict", "clip.mp4", "--model", "RUN", "--csv", "X"],
        ["motion", "X"],
        ["motion", "clip.mp4", "X"],
        ["motion", "clip.mp4", "--csv", "X"],
        ["forecast", "X", "--model", "RUN"],
        ["scenes", "X"],
        ["scenes", "X", "--objects", "-q"],
        ["changes", "X"],
        ["scenes", "clip.mp4", "--split", "X"],
        ["extract", "X", "-o", "out"],
        ["extract", "clip.mp4", "-o", "X"],
    ],
    ids=" ".join,
)
def test_an_address_is_refused_by_one_sentence(
    vidgru: Vidgru, trained: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    for address in ADDRESSES:
        names = {"RUN": str(trained.run), "X": address}
        done = vidgru(*(names.get(word, word) for word in words))
        shown = f"{address.split(':')[0]}://***@host:1/a?***"
        assert done.err == f"Error: {NO_FILE.format(shown)}\n"
        assert (done.code, done.out) == (2, "")
    assert not list(tmp_path.iterdir())


def test_an_address_in_a_list_is_refused(vidgru: Vidgru, tmp_path: Path) -> None:
    (tmp_path / "clips.csv").write_text(f"path,label\n{ADDRESSES[0]},a\n")
    done = vidgru("check", tmp_path / "clips.csv")
    sentence = NO_FILE.format("rtsp://***@host:1/a?***")
    assert done.err == f"Error: {tmp_path / 'clips.csv'}, line 2: {sentence}\n"
    assert done.code == 1
