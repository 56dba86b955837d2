"""Timelines written for other programs, and read back as annotations."""

import csv
import json
import shutil
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from annotation_files import told
from conftest import Done
from helpers import noise, retime, write_clip

from vidgru import TrainResult, load
from vidgru.core.errors import DataError
from vidgru.data.annotations import clips as annotated_clips
from vidgru.data.annotations.config import AnnotationConfig
from vidgru.data.sources import read_source
from vidgru.tasks.classify import events, subtitles
from vidgru.tasks.classify.events import event_rows, write_events, write_frames
from vidgru.tasks.classify.subtitles import write_subtitles
from vidgru.tasks.classify.timeline import Segment, Timeline
from vidgru.video.file_clock import FileClock
from vidgru.video.read import open_video

# What a spreadsheet would compute, what separates cells, and names of columns.
LABELS = ("=1+1", "a,\t;b", 'c"d', "seconds", "Behavior", "-1", "@x", "'=löpa")


def timeline(source: Path, labels: tuple[str, ...] = LABELS, step: float = 1 / 3) -> Timeline:
    """Return a timeline of a video, a segment a label, the third one of them unsure."""
    segments = tuple(
        Segment(
            number * step,
            (number + 1) * step,
            labels,
            tuple(0.9 if n == number else 0.1 / (len(labels) - 1) for n in range(len(labels))),
            0.95,
            number == 2,
        )
        for number in range(len(labels))
    )
    times = array("d")
    with open_video(source) as video:
        while (time := video.grab()) is not None:
            times.append(time)
    return Timeline(str(source), labels, segments, len(times), len(labels) * step, times)


def table(path: Path, delimiter: str) -> list[list[str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter=delimiter))


@pytest.fixture
def films(tmp_path: Path) -> list[Path]:
    names = ("=a.avi", "b;c|d.avi")
    return [write_clip(tmp_path / n, noise(30, seed=k), 10) for k, n in enumerate(names)]


def test_events_are_read_back_as_they_were(films: list[Path], tmp_path: Path) -> None:
    for suffix in ("tsv", "csv"):
        path = tmp_path / f"events.{suffix}"
        write_events(path, [row for film in films for row in event_rows(timeline(film))])
        assert told(read_source(path)) == [
            (film.name, label, round(number / 3, 6), round((number + 1) / 3, 6))
            for film in films
            for number, label in enumerate(LABELS)
            if number != 2
        ]
        rows = table(path, "," if suffix == "csv" else "\t")
        assert not [cell for row in rows for cell in row if cell.startswith(("=", "@", "\t"))]


def test_frames_are_read_back_as_they_were(films: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for film in films:
        write_frames(timeline(film), tmp_path / "out" / f"{film.stem}.csv")
    clips = read_source(tmp_path / "out", annotations=AnnotationConfig(videos=str(tmp_path)))
    # A frame is of the segment in which it is first shown: every tenth of a second there is one.
    wanted = [
        (film.name, label, start, end)
        for film in films
        for label, start, end in zip(
            LABELS, [0, 0.4, 0.7, 1, 1.4, 1.7, 2, 2.4], [0.4, 0.7, 1, 1.4, 1.7, 2, 2.4, 3],
            strict=True,
        )
        if label != LABELS[2]
    ]  # fmt: skip
    assert sorted(told(clips)) == sorted(wanted)
    again = tmp_path / "again.csv"
    write_frames(timeline(films[0]), again)
    assert again.read_text() == (tmp_path / "out" / "=a.csv").read_text()
    assert again.read_text().startswith("seconds,'=1+1,")


def test_frames_that_come_unevenly_have_their_own_times(tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.mp4", noise(40), 10, "mp4v")
    retime(film, [512] * 20 + [1536] * 20)
    write_frames(timeline(film, ("x", "y"), 1.0), tmp_path / "a.csv")
    rows = table(tmp_path / "a.csv", ",")
    assert len(rows) == 41
    assert [rows[20], rows[22]] == [["0.95", "1", "0"], ["1.15", "0", "1"]]
    assert told(read_source(tmp_path / "a.csv")) == [
        ("a.mp4", "x", 0.0, 1.0), ("a.mp4", "y", 1.0, 4.0),
    ]  # fmt: skip


@pytest.mark.parametrize("workers", ["1", "2"])
def test_predict_writes_both(
    workers: str, trained: TrainResult, squares: Path, tmp_path: Path, vidgru: Callable[..., Done]
) -> None:
    other = shutil.copy(squares, tmp_path / "other.avi")
    given = (squares, other, squares)  # twice, but written once
    words = ("predict", *given, "--model", trained.run, "--workers", workers)
    done = vidgru(*words, "--events", tmp_path / "e.tsv", "--per-frame", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    assert f"Saved: {tmp_path / 'e.tsv'}" in done.err
    files = sorted((tmp_path / "out").iterdir())
    assert [(f.name, len(f.read_text().splitlines())) for f in files] == [
        ("other.csv", 49), ("right.csv", 49),
    ]  # fmt: skip
    segments = [
        (Path(line["source"]).name, s["label"], s["start"], s["end"])
        for line in map(json.loads, done.out.splitlines()[:2])
        for s in line["segments"]
    ]
    beside = AnnotationConfig(videos=str(tmp_path))
    assert told(read_source(tmp_path / "e.tsv", annotations=beside)) == segments
    assert sorted(told(read_source(tmp_path / "out", annotations=beside))) == sorted(segments)


def test_videos_of_one_name_are_found_again(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vidgru: Callable[..., Done]
) -> None:
    monkeypatch.chdir(tmp_path)
    for seed in (1, 2):
        write_clip(Path(f"tree/m{seed}/cam.avi"), noise(20, seed=seed), 10)
    words = ("--per-frame", "out", "--events", "e.csv", "--model", run)
    assert vidgru("predict", "tree/m1/cam.avi", "tree/m2/cam.avi", *words).code == 0
    assert sorted(map(str, Path("out").rglob("*.csv"))) == ["out/m1/cam.csv", "out/m2/cam.csv"]
    assert {row[0] for row in table(Path("e.csv"), ",")[1:]} == {"m1/cam", "m2/cam"}
    for path, folder in (("out", "tree"), ("e.csv", "tree"), ("e.csv", None)):
        clips = read_source(Path(path), annotations=AnnotationConfig(videos=folder))
        assert sorted({str(clip.path) for clip in clips}) == ["tree/m1/cam.avi", "tree/m2/cam.avi"]


def test_all_tables_end_with_the_video(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vidgru: Callable[..., Done]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_clip(Path("a.avi"), noise(33), 25)
    words = ("--events", "e.csv", "--per-frame", "out/", "--csv", "t.csv", "--subtitles", "a.srt")
    done = vidgru("predict", "a.avi", "--model", run, "--json", *words)
    line = json.loads(done.out)
    assert line["frames"] > 1.32 * load(run).spec.fps
    assert (line["seconds"], line["segments"][-1]["end"]) == (1.32, 1.32)
    assert table(Path("t.csv"), ",")[-1][2] == "1.320"
    last = dict(zip(*(table(Path("e.csv"), ",")[n] for n in (0, -1)), strict=True))
    assert (last["Media duration (s)"], last["Time"]) == ("1.32", "1.32")
    beside = AnnotationConfig(videos=".")
    for path in ("e.csv", "a.srt", "out"):
        assert told(read_source(Path(path), annotations=beside))[-1][3] == 1.32
    shown = vidgru("predict", "a.avi", "--model", run, "--timeline").out
    assert "0:01.32 in all." in shown


def test_an_interruption_counts_what_is_written(
    run: Path,
    squares: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vidgru: Callable[..., Done],
) -> None:
    def stop(timeline: Timeline, path: Path) -> None:
        if path.stem == "other":
            raise KeyboardInterrupt
        write_frames(timeline, path)

    monkeypatch.setattr(events, "write_frames", stop)
    monkeypatch.chdir(tmp_path)
    shutil.copy(squares, "other.avi")
    words = ("predict", "right.avi", "other.avi", "--model", run, "--per-frame", "out", "--torch")
    done = vidgru(*words, "--events", "e.csv")
    assert (done.code, done.err) == (
        130,
        "Saved: out/right.csv\nSaved: e.csv\n\n"
        "Stopped: Interrupted. 1 of 2 sources were predicted.\n",
    )
    assert {row[0] for row in table(Path("e.csv"), ",")[1:]} == {"right"}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--events", "e.txt"], "Cannot write e.txt: the name must end with .tsv or .csv."),
        (["--per-frame", "e.txt"], "Cannot write e.txt: the name must end with .csv, or be"),
        (["--events", "x.csv", "--csv", "x.csv"], "x.csv would be written twice"),
        (["--events", "x.csv", "--per-frame", "x.csv"], "x.csv would be written twice"),
        (["--events", "x.csv", "--out", "y"], "--out writes predictions only: leave out --events."),
        (["--per-frame", "x.csv", "--out", "y"], "leave out --per-frame."),
    ],
)
def test_files_that_cannot_be_written_are_refused_before_anything_is_read(
    options: list[str], sentence: str, run: Path, squares: Path, vidgru: Callable[..., Done]
) -> None:
    done = vidgru("predict", squares, "--model", run, *options)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err


def test_a_table_without_events_has_none_to_learn_from(tmp_path: Path) -> None:
    write_events(tmp_path / "e.tsv", [])
    with pytest.raises(DataError, match="gives no time with a label"):
        read_source(tmp_path / "e.tsv")


def test_bouts_of_a_timeline() -> None:
    spans = [("a", 0.0, 1.0), ("b", 1.0, 4.0), ("a", 4.0, 4.5), ("b", 4.5, 5.0)]
    segments = tuple(
        Segment(start, end, ("a", "b"), (1.0, 0.0) if label == "a" else (0.0, 1.0))
        for label, start, end in spans
    )
    bouts = Timeline("x.avi", ("a", "b"), segments, 50, 5.0).bouts()
    assert [(b.label, b.count, b.seconds, b.first) for b in bouts] == [
        ("b", 2, 3.5, 1.0), ("a", 2, 1.5, 0.0),
    ]  # fmt: skip


def test_events_and_subtitles_keep_to_the_clock_of_the_file(
    films: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, labels = films[0].rename(tmp_path / "a.avi"), ("x", "y")
    for module in (annotated_clips, events, subtitles):
        monkeypatch.setattr(module, "file_clock", lambda path: FileClock(0.5))
    shown = timeline(film, labels, 1.0)
    write_events(tmp_path / "e.csv", list(event_rows(shown)))
    times = [row[9] for row in table(tmp_path / "e.csv", ",")]
    assert times == ["Time", "0.5", "1.5", "1.5", "2.5"]
    assert {row[4] for row in table(tmp_path / "e.csv", ",")[1:]} == {"2.5"}
    write_subtitles(shown, tmp_path / "a.srt")
    assert "00:00:00,500 --> 00:00:01,500" in (tmp_path / "a.srt").read_text()
    write_frames(shown, tmp_path / "a.csv")
    for path, end in ((tmp_path / "e.csv", 2), (tmp_path / "a.srt", 2), (tmp_path / "a.csv", 3)):
        assert [(clip.start, clip.end) for clip in read_source(path)] == [(0, 1), (1, end)]
