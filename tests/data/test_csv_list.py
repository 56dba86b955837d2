"""Lists of clips, and splits given back."""

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Done
from helpers import noise, write_clip

from vidgru import TrainResult, train
from vidgru.core.errors import DataError, VideoError
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.data.cache import Sampling, decode_clip
from vidgru.data.csv_list import apply_split, read_list
from vidgru.data.dataset import read_clips
from vidgru.data.folder import read_folder
from vidgru.data.sources import read_source
from vidgru.tasks.classify.options import ClassifyTrainConfig


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_list_gives_labels_parts_groups_and_times(tmp_path: Path) -> None:
    path = write(
        tmp_path / "list.csv",
        "﻿Path, Label ,split,group,start,end",
        "a/1.mp4,run,train,anna,,",
        "",
        '"b, c.mp4",walk,Validation,,1.5,3',
        '"b, c.mp4",walk,,,3,',
        "/data/x.mp4,run,test,bob,,2",
    )
    clips = read_list(path)
    assert [(c.path, c.listed, c.label, c.part, c.group, c.start, c.end) for c in clips] == [
        (tmp_path / "a/1.mp4", "a/1.mp4", "run", "train", "anna", None, None),
        (tmp_path / "b, c.mp4", "b, c.mp4", "walk", "val", None, 1.5, 3.0),
        (tmp_path / "b, c.mp4", "b, c.mp4", "walk", None, None, 3.0, None),
        (Path("/data/x.mp4"), "/data/x.mp4", "run", "test", "bob", None, 2.0),
    ]
    names = [c.name for c in clips]
    assert names == ["a/1.mp4", "b, c.mp4 [1.5-3 s]", "b, c.mp4 [3- s]", "/data/x.mp4 [0-2 s]"]


def test_groups_of_a_list(tmp_path: Path) -> None:
    path = write(
        tmp_path / "list.csv", "path,label,group,day", "p1_a.avi,x,g1,mon", "p2_b.avi,y,g2,tue"
    )
    assert [c.group for c in read_list(path)] == ["g1", "g2"]
    assert [c.group for c in read_list(path, "day")] == ["mon", "tue"]
    assert [c.group for c in read_list(path, r"p(\d)_")] == ["1", "2"]
    with pytest.raises(DataError, match=r"--group-by '_a' gives no group for 1 of 2 clips"):
        read_list(path, "_a")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["path,split", "a,train"], "has no column 'label'"),
        (["path,label,Label", "a,x,y"], "has two columns 'label'"),
        ([], "has no column 'path'"),
        (["path,label"], "lists no clips"),
        (["\t", ""], "lists no clips"),
        (["path,label", "a"], "line 2: 1 cells, but there are 2 columns"),
        (["path,label", "a,x,y"], "line 2: 3 cells, but there are 2 columns"),
        (["path,label", "a,"], "line 2: no label"),
        (["path,label", "a\0b,x"], "line 2: no path"),
        (["path,label,split", "a,x,blue"], "line 2: split 'blue' is not train, val or test"),
        (["path,label,start", "a,x,soon"], "line 2: start 'soon' is not a time in seconds"),
        (["path,label,start", "a,x,-1"], "line 2: start '-1' is not a time in seconds"),
        (["path,label,end", "a,x,inf"], "line 2: end 'inf' is not a time in seconds"),
        (["path,label,start,end", "a,x,3,2"], "line 2: end 2 must be later than start"),
        (["path,label", "a,x", "b,y", "a,x"], "a stands in lines 2 and 4"),
        (["path,label", '"a,x'], "Cannot read"),
    ],
)
def test_a_wrong_list_is_reported_with_its_line(
    tmp_path: Path, lines: list[str], message: str
) -> None:
    path = write(tmp_path / "list.csv", *lines)
    with pytest.raises(DataError, match=message) as caught:
        read_list(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 300, "absent"])
def test_a_split_that_cannot_be_a_file(data: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"^Cannot read "):
        apply_split(read_folder(data), Path(f"{name}.csv"))


def test_a_part_of_a_video_is_cut_out(tmp_path: Path) -> None:
    shades = np.arange(40, dtype=np.uint8) * 6
    frames = np.broadcast_to(shades[:, None, None, None], (40, 24, 32, 3)).copy()
    clip = write_clip(tmp_path / "clip.mkv", frames, 10)
    cut, _ = decode_clip(clip, Sampling(10, 16, 4), 1.0, 2.5)
    assert cut[0, :, 0, 0, 0].tolist() == shades[10:25].tolist()
    rest, _ = decode_clip(clip, Sampling(10, 16, 4), 3.5)
    assert rest[0, :, 0, 0, 0].tolist() == shades[35:].tolist()
    with pytest.raises(VideoError, match=r"clip.mkv from 9 s to its end: no frame there"):
        decode_clip(clip, Sampling(10, 16, 4), 9.0)


@pytest.fixture(scope="module")
def listed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a list of `data`'s clips, each cut in two halves, in groups of two clips."""
    rows = ["path,label,group,start,end"]
    for path in sorted(data.glob("*/*.avi")):
        number = int(path.stem)
        for times in ("0,0.7", "0.7,"):
            rows.append(f"{path},{path.parent.name},{number // 2},{times}")
    return write(tmp_path_factory.mktemp("lists") / "halves.csv", *rows)


def learn(folder: Path, out: Path, **options: object) -> TrainResult:
    settings = {"epochs": 1, "size": 16, "batch_size": 4, "threads": 1, **options}
    return train(folder, out=str(out), **settings)


def rows_of(run: Path) -> list[dict[str, str]]:
    with open(run / "split.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_list_is_trained_on_and_its_split_given_back(listed: Path, tmp_path: Path) -> None:
    first = learn(listed, tmp_path / "one")
    rows = rows_of(first.run)
    assert len(rows) == 24
    assert {row["end"] for row in rows} == {"0.7", ""}
    sides = {part: {r["group"] for r in rows if r["split"] == part} for part in ("train", "val")}
    assert sides["train"] | sides["val"] == {"0", "1", "2"}
    assert not sides["train"] & sides["val"]
    assert first.split.groups == {"train": 2, "val": 1, "test": 0}
    # Another seed would split otherwise; the file decides.
    again = learn(listed, tmp_path / "two", seed=5, split=str(first.run / "split.csv"))
    assert rows_of(again.run) == rows
    assert learn(listed, tmp_path / "three", seed=5, group_by="none").split.groups is None


def test_what_a_split_leaves_out_and_what_it_gets_wrong(
    data: Path, tmp_path: Path, vidgru: Callable[..., Done]
) -> None:
    lines = ["path,label,split"]
    lines += [
        f"{c}/{n}.avi,{c},{'val' if n == 0 else 'train'}"
        for c in ("left", "right")
        for n in range(5)
    ]
    split = write(tmp_path / "split.csv", *lines)
    options = ["--epochs", 1, "--size", 16, "--batch-size", 4, "--threads", 1, "--json", "-q"]
    done = vidgru("train", data, "--split", split, "--out", tmp_path / "run", *options)
    assert done.code == 0
    assert done.err.startswith(
        f"Warning: Clips left out, as {split} does not list them: 2; the first is left/5.avi.\n"
    )
    assert [row["split"] for row in rows_of(tmp_path / "run")] == ["train"] * 8 + ["val"] * 2
    for wrong, message in [
        ("left/9.avi,left,train", "line 12: there is no clip left/9.avi here."),
        ("left/5.avi,right,train", "left/5.avi is of the class 'right' there, but now of 'left'."),
        ("left/5.avi,left,", "line 12: no split."),
        ("left/4.avi,left,train", "line 12: left/4.avi stands there twice."),
    ]:
        write(split, *lines, wrong)
        done = vidgru("train", data, "--split", split, "--out", tmp_path / "bad", *options)
        assert done.code == 1
        assert done.err.startswith(f"Error: {split}")
        assert message in done.err
        assert not (tmp_path / "bad").exists()


def test_a_split_without_training_clips(data: Path, tmp_path: Path) -> None:
    split = write(tmp_path / "split.csv", "path,label,split", "left/0.avi,left,val")
    with pytest.raises(DataError, match="has no clip to train on"):
        apply_split(read_folder(data), split)


def test_a_split_of_more_labels_than_are_wanted(data: Path, tmp_path: Path) -> None:
    rows = [f"{path.parent.name}/{path.name},{path.parent.name}" for path in data.glob("*/*.avi")]
    rows = [f"{row},{'val' if '/5' in row else 'train'}" for row in rows]
    folder = Path(shutil.copytree(data, tmp_path / "folder"))
    shutil.copytree(data / "left", folder / "up")
    rows += [f"up/{number}.avi,up,train" for number in range(6)]
    split = write(tmp_path / "split.csv", "path,label,split", *rows)
    clips = read_clips(folder, ClassifyTrainConfig(split=str(split), labels="left,right"))
    assert Counter((clip.label, clip.part) for clip in clips) == {
        **{(label, "train"): 5 for label in ("left", "right")},
        **{(label, "val"): 1 for label in ("left", "right")},
    }
    write(tmp_path / "split.csv", "path,label,split", *rows, "left/6.avi,left,train")
    with pytest.raises(DataError, match=r"line 20: there is no clip left/6\.avi here"):
        read_clips(folder, ClassifyTrainConfig(split=str(split), labels="left,right"))


def test_rows_of_one_label_that_overlap_are_one_with_overlap(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_clip(tmp_path / "a.avi", noise(80), 10)
    rows = ["kick,train,0,4", "kick,train,2,6", "rest,train,5,7", "kick,val,1,3", "walk,train,7,"]
    path = write(tmp_path / "l.csv", "path,label,split,start,end", *(f"a.avi,{r}" for r in rows))

    def read(**options: str) -> list[tuple[object, ...]]:
        clips = read_source(path, annotations=AnnotationConfig(**options))
        return [(c.label, c.part, c.start, c.end) for c in clips]

    assert read(overlap="first") == [
        ("kick", "train", 0, 6), ("rest", "train", 6, 7), ("walk", "train", 7, None),
    ]  # fmt: skip
    # Clips to validate with are no part of those to train on.
    lost = "Left out, since an earlier label has that time: 2.0 s of 'kick', 1.0 s of 'rest'."
    assert caplog.messages == [lost]
    caplog.clear()
    assert [row[2:] for row in read()] == [(0, 4), (2, 6), (5, 7), (1, 3), (7, None)]
    assert "gives one time two labels once, first in a.avi: 'kick' 2-6 s" in caplog.text


def test_cuts_of_one_video_stay_together(data: Path, tmp_path: Path) -> None:
    rows = ["path,label,start,end"]
    for path in sorted(data.glob("*/*.avi")):
        rows += [f"{path},{path.parent.name},{times}" for times in ("0,0.4", "0.4,0.8", "0.8,")]
    result = learn(write(tmp_path / "cuts.csv", *rows), tmp_path / "run")
    sides = {
        part: {r["path"] for r in rows_of(result.run) if r["split"] == part}
        for part in ("train", "val")
    }
    assert len(sides["train"] | sides["val"]) == 12
    assert not sides["train"] & sides["val"]


def test_what_is_cut_from_one_video_counts_as_one_group(
    data: Path, tmp_path: Path, vidgru: Callable[..., Done]
) -> None:
    def cuts_of(*names: int) -> Path:
        labels, times = ("left", "right"), ("0,0.7", "0.7,")
        rows = [f"{data}/{c}/{n}.avi,{c},{t}" for c in labels for n in names for t in times]
        return write(tmp_path / f"cuts{names[0]}.csv", "path,label,start,end", *rows)

    cuts = cuts_of(0, 1)
    assert vidgru("check", cuts).out.startswith("8 clips in 2 classes, 4 each; 4 groups.")
    options = ["--epochs", 1, "--size", 16, "--threads", 1]
    done = vidgru("train", cuts, *options, "--out", tmp_path / "run")
    assert "4 clips of 2 videos train, 4 clips of 2 validate." in done.out
    done = vidgru("evaluate", cuts_of(2), "--model", tmp_path / "run", "--json")
    assert json.loads(done.out)["groups"] == 2
    done = vidgru("train", cuts, *options, "--group-by", "none", "--out", tmp_path / "none")
    assert "(no groups)" in done.out


def test_cuts_that_cannot_stay_together(
    data: Path, tmp_path: Path, vidgru: Callable[..., Done]
) -> None:
    rows = [
        f"{data}/{label}/0.avi,{label},{n / 5},{(n + 1) / 5}"
        for label in ("left", "right")
        for n in range(6)
    ]
    cuts = write(tmp_path / "cuts.csv", "path,label,start,end", *rows)
    options = ["--epochs", 1, "--size", 16, "--batch-size", 4, "--threads", 1, "--out"]
    done = vidgru("train", cuts, *options, tmp_path / "run")
    assert done.code == 0
    assert (
        "Warning: Clips cut from one video are on both sides of the split, so the scores are too "
        "optimistic: those of 2 of 2 videos.\n"
    ) in done.err
    # What lies beside a list is no part of it.
    done = vidgru("check", cuts)
    assert done.code == 0
    assert "ignored" not in done.out
    assert "declares" not in done.out
