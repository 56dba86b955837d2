"""`vidgru evaluate`: which clips it judges by, and what damage to a run folder costs."""

import csv
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Done
from helpers import moving_squares

import vidgru as library
from vidgru import TrainResult
from vidgru.core.errors import DataError, ModelError
from vidgru.data.cache import Sampling, cache_key, content_of

Vidgru = Callable[..., Done]
ONE = ("--threads", 1)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_training_clips_are_left_out_wherever_they_lie(
    trained: TrainResult,
    run: Path,
    data: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with open(trained.run / "split.csv", newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    held = {row["path"] for row in rows if row["split"] == "val"}
    count = len(rows) - len(held)
    said = library.evaluate(data, run, threads=1)
    assert {answer.clip for answer in said.answers} == held
    assert said.trained_on == count
    assert said.scores == replace(trained.validation)
    assert said.calibration == trained.calibration
    first, second, *more = warnings(caplog)
    assert first == f"Left out {count} of 12 clips: the model was trained on them."
    assert second == (
        f"These clips ({len(held)} of {len(held)}) validated the training, so the figures may be "
        "too optimistic."
    )
    assert all("every answer is 'unsure'" in sentence for sentence in more)

    caplog.clear()
    for number, row in enumerate(rows):
        place = tmp_path / "moved" / row["label"] / f"renamed{number}.avi"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(data / row["path"], place)
    moving_squares(tmp_path / "moved" / "left" / "new.avi", -2, 77)
    again = library.evaluate(tmp_path / "moved", run, threads=1)
    assert again.trained_on == count
    assert len(again.answers) == len(held) + 1
    assert f"These clips ({len(held)} of {len(held) + 1}) validated" in warnings(caplog)[1]


def test_a_clip_that_was_also_trained_on_counts_as_such(run: Path, data: Path, fresh: Path) -> None:
    clip = next(iter((fresh / "left").iterdir()))
    said = library.evaluate(fresh, run, threads=1)
    with open(run / "split.csv", newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    content = content_of(cache_key(clip, Sampling(1.0, 16, 4)))
    row = dict(rows[0], content=content)
    for parts in (("train", "val"), ("val", "train")):
        with open(run / "split.csv", "w", newline="", encoding="utf-8") as table:
            writer = csv.DictWriter(table, list(row))
            writer.writeheader()
            writer.writerows([dict(row, split=part) for part in parts])
        again = library.evaluate(fresh, run, threads=1)
        assert again.trained_on == 1
        assert len(again.answers) == len(said.answers) - 1


def test_nothing_left(vidgru: Vidgru, run: Path, data: Path, tmp_path: Path) -> None:
    with open(run / "split.csv", newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            if row["split"] == "train":
                place = tmp_path / "old" / row["path"]
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(data / row["path"], place)
    count = len(list((tmp_path / "old").rglob("*.avi")))
    done = vidgru("evaluate", tmp_path / "old", "--model", run, *ONE)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"Error: The model was trained on all clips in {tmp_path / 'old'} ({count}): give other "
        "clips.\n"
    )


def test_a_bare_model_file_cannot_tell(
    trained: TrainResult, data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(shutil.copy(trained.model, tmp_path / "model.safetensors"))
    said = library.evaluate(data, path, threads=1)
    assert (len(said.answers), said.trained_on) == (12, None)
    expected = (
        f"There is no split.csv beside {path}: which clips it was trained on is unknown, and these "
        "are not left out."
    )
    assert warnings(caplog)[0] == expected
    # One that does not know contents is no help either.
    (tmp_path / "split.csv").write_text("path,label,split,group\na,left,train,\n")
    caplog.clear()
    assert len(library.evaluate(data, path, threads=1).answers) == 12
    assert warnings(caplog)[0] == expected


def test_a_damaged_split(run: Path, fresh: Path) -> None:
    for content in (b"path,content\na,b\n", b'path,split,content\n"' + b"x" * 200_000):
        (run / "split.csv").write_bytes(content)
        with pytest.raises(ModelError) as error:
            library.evaluate(fresh, run, threads=1)
        assert str(error.value) == (
            f"Cannot read which clips {run} was trained on: {run / 'split.csv'} is damaged."
        )


def test_background_videos_are_measured_beside_whatever_part_is_chosen(
    run: Path, fresh: Path, tmp_path: Path
) -> None:
    for label in ("left", "right"):
        shutil.copytree(fresh / label, tmp_path / "parts" / "test" / label)
    moving_squares(tmp_path / "hall" / "a.avi", -2, 77)
    options = {"background": "left", "background_videos": str(tmp_path / "hall")}
    said = library.evaluate(tmp_path / "parts", run, threads=1, **options)
    assert (said.part, len(said.answers)) == ("test", len([*fresh.glob("*/*.avi")]) + 1)
    assert [a.label for a in said.answers if a.clip == "hall/a.avi"] == ["left"]


@pytest.mark.parametrize(("parts", "chosen"), [(("val", "test"), "test"), (("val",), "val")])
def test_of_a_folder_with_parts(
    run: Path, fresh: Path, data: Path, tmp_path: Path, parts: tuple[str, ...], chosen: str
) -> None:
    shutil.copytree(data, tmp_path / "all" / "train")
    for part in parts:
        shutil.copytree(fresh, tmp_path / "all" / part)
    said = library.evaluate(tmp_path / "all", run, threads=1)
    assert said.part == chosen
    assert len(said.answers) == 8
    assert all(answer.clip.startswith(f"{chosen}/") for answer in said.answers)


def test_damaged_curves(run: Path, fresh: Path, caplog: pytest.LogCaptureFixture) -> None:
    (run / "metrics.csv").write_text("epoch,val_loss\n1,many\n")
    library.evaluate(fresh, run, threads=1)
    wanted = f"The report shows no curves: {run / 'metrics.csv'} is damaged."
    assert wanted in warnings(caplog)
    assert "validation accuracy" not in (run / "report.html").read_text(encoding="utf-8")


def test_parts_of_a_video_that_was_trained_on(
    run: Path, fresh: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = tmp_path / "fresh" / "left" / "0.avi"
    moving_squares(whole, -2, 91, 40)
    content = content_of(cache_key(whole, Sampling(1.0, 16, 4)))
    text = f"path,label,split,start,end,content,video\nx,left,train,1.0,2.0,x,{content}\n"
    (run / "split.csv").write_text(text)
    table = tmp_path / "fresh" / "list.csv"
    rows = ["path,label,start,end", *(f"left/0.avi,left,{span}" for span in ("0,1", "2,3", ",1.1"))]
    table.write_text("\n".join([*rows, "left/0.avi,left,1.9,2.5"]) + "\n")
    # Those that show some of what was trained on are left out; others of the video are not.
    said = library.evaluate(table, run, threads=1)
    assert (said.trained_on, len(said.answers)) == (2, 2)
    assert warnings(caplog)[:2] == [
        "Left out 2 of 4 clips: the model was trained on them.",
        "2 of 2 clips are cut from videos that the model was trained on, at other times: the"
        " figure is too optimistic.",
    ]
    # A run of an earlier version does not say what a part was cut from, but knows whole clips.
    row = "path,label,split,start,end,content\nx,left,train,{},{}\n"
    (run / "split.csv").write_text(row.format("1.0,2.0", "x"))
    assert library.evaluate(table, run, threads=1).trained_on == 0
    (run / "split.csv").write_text(row.format(",", content))
    with pytest.raises(DataError, match="The model was trained on all clips"):
        library.evaluate(table, run, threads=1)
