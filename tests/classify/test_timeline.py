"""Timelines: what happens when, with boundaries where they belong, in constant memory."""

import contextlib
import csv
import json
import os
import pty
import sys
import termios
from collections.abc import Callable, Generator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from helpers import make_folder, moving_squares, noise, running, write_clip, write_images

from vidgru import TrainResult, load, train
from vidgru.core.results import Progress
from vidgru.tasks.classify import sliding
from vidgru.tasks.classify.model import Model
from vidgru.tasks.classify.results import Prediction
from vidgru.tasks.classify.subtitles import subtitles
from vidgru.tasks.classify.tables import show_timeline
from vidgru.tasks.classify.timeline import Segment, Timeline
from vidgru.video.read import open_video


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """Return a training that distinguishes left and right with certainty."""
    place = tmp_path_factory.mktemp("good")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGRU_CACHE", str(place / "cache"))
        data = make_folder(place / "squares", clips=24)
        options = {"epochs": 30, "size": 16, "batch_size": 8, "augment": "none", "threads": 1}
        return train(data, out=str(place / "run"), **options)


def joined(path: Path, steps: list[int], count: int = 40) -> Path:
    """Write squares that move by each of these steps for so many frames, one after the other."""
    clips = []
    for seed, step in enumerate(steps):
        part = moving_squares(path.with_name("part.avi"), step, 70 + seed, count)
        with open_video(part) as video:
            clips += [frame.rgb for frame in video]
    return write_clip(path, np.stack(clips), 10)


def told(timeline: Timeline) -> list[tuple[float, float, str]]:
    return [(round(s.start, 6), round(s.end, 6), s.label) for s in timeline.segments]


def test_segments_lie_where_the_labels_change(good: TrainResult, tmp_path: Path) -> None:
    video = joined(tmp_path / "three.avi", [2, -2, 2])
    timeline = load(good.run).timeline(video)
    assert told(timeline) == [(0, 4, "right"), (4, 8, "left"), (8, 12, "right")]
    assert (timeline.source, timeline.labels) == (str(video), ("left", "right"))
    assert (timeline.frames, timeline.seconds) == (120, 12)
    assert all(segment.confidence > 0.6 for segment in timeline.segments)
    assert timeline.to_dict()["segments"][1]["start"] == 4


def test_a_change_without_a_cut_is_found_to_a_quarter_of_a_second(
    good: TrainResult, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    frames = rng.integers(60, 120, (1, 40, 48, 3), dtype=np.uint8).repeat(100, axis=0)
    for t in range(100):
        frames[t, 12:22, (2 * min(t, 100 - t) + np.arange(10)) % 48] = 230
    timeline = load(good.run).timeline(write_clip(tmp_path / "turn.avi", frames, 10))
    assert [segment.label for segment in timeline.segments] == ["right", "left"]
    assert timeline.segments[0].end == pytest.approx(5, abs=0.3)


def test_a_segment_is_unsure_like_a_video_of_its_own(good: TrainResult, tmp_path: Path) -> None:
    model = load(good.run)
    alone = model.predict(joined(tmp_path / "one.avi", [2]))
    (segment,) = model.timeline(tmp_path / "one.avi").segments
    # Only that windows lie closer together.
    assert segment.probabilities == pytest.approx(alone.probabilities, abs=0.05)


def test_a_short_video_and_a_single_picture_have_a_timeline(
    good: TrainResult, tmp_path: Path
) -> None:
    model = load(good.run)
    short = moving_squares(tmp_path / "short.avi", 2, 1, count=5)
    assert told(model.timeline(short)) == [(0, 0.5, model.predict(short).label)]
    picture = tmp_path / "one.png"
    cv2.imwrite(str(picture), np.zeros((20, 20, 3), np.uint8))
    assert [s[:2] for s in told(model.timeline(picture))] == [(0, 0.1)]


def test_every_frame_is_read_and_encoded_once(
    good: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(good.run)
    video = joined(tmp_path / "long.avi", [2, -2])
    seen: list[tuple[int, int]] = []
    opened: list[str] = []
    encode = sliding._encoded

    def counted(encoder: torch.nn.Module, frames: torch.Tensor) -> torch.Tensor:
        seen.append((frames.shape[0], frames.shape[1]))
        return encode(encoder, frames)

    monkeypatch.setattr(sliding, "_encoded", counted)
    monkeypatch.setattr("vidgru.video.sample.open_video", count_opened(opened))
    stride, frames = 2, model.timeline(video).frames
    assert frames == 80
    assert opened == [str(video)]
    mains = sum(rows for rows, channels in seen if channels == 6)
    sides = sum(rows for rows, channels in seen if channels == 3)
    # A window's second frame is encoded once more.
    assert mains == frames + frames // stride
    assert sides == frames // stride


def count_opened(opened: list[str]) -> object:
    def counted(source: str | Path) -> object:
        opened.append(str(source))
        return open_video(source)

    return counted


def timeline_of(*segments: tuple[float, float, str]) -> Timeline:
    labels = tuple(dict.fromkeys(label for *_, label in segments))
    made = []
    for start, end, label in segments:
        row = tuple(0.9 if name == label else 0.1 for name in labels)
        made.append(Segment(start, end, labels, row))
    return Timeline("x.mp4", labels, tuple(made), 10, segments[-1][1])


def test_subtitles_are_what_players_read() -> None:
    timeline = timeline_of((0, 1.5, "run <fast>"), (1.5, 3725.0625, "a & {b}\n--> c"))
    assert subtitles(timeline, ".srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nrun \u2039fast\u203a 90 %\n\n"
        "2\n00:00:01,500 --> 01:02:05,062\na & (b)\ufffd--\u203a c 90 %\n"
    )
    assert subtitles(timeline, ".vtt") == (
        "WEBVTT\n\n"
        "1\n00:00:00.000 --> 00:00:01.500\nrun &lt;fast&gt; 90 %\n\n"
        "2\n00:00:01.500 --> 01:02:05.062\na &amp; {b}\ufffd--&gt; c 90 %\n"
    )


def test_a_class_called_unsure_is_told_from_what_is_unsure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = ("run", "unsure")
    segments = [
        Segment(0, 2, labels, (0.1, 0.9), 0.8),
        Segment(2, 5, labels, (0.6, 0.4), 0.8, unsure=True),
        Segment(5, 6, labels, (0.1, 0.9), 0.8),
        Segment(6, 10, labels, (0.45, 0.55), 0.8, unsure=True),
    ]
    timeline = Timeline("x.mp4", labels, tuple(segments), 100, 10.0)
    assert [(b.label, b.unsure, b.count, b.seconds, b.first) for b in timeline.bouts()] == [
        ("unsure", True, 2, 7, 2),
        ("unsure", False, 2, 3, 0),
    ]
    monkeypatch.setenv("COLUMNS", "120")
    for top in (1, 2):
        show_timeline(timeline, top)
        rows = [line.split("  ") for line in capsys.readouterr().out.splitlines() if ":" in line]
        names = [[cell.strip() for cell in row if "unsure" in cell] for row in rows]
        assert [cells[0] for cells in names if cells] == [
            *("unsure", "unsure (no class)") * 2,
            *("unsure (no class)", "unsure"),
        ]
    cues = subtitles(timeline, ".srt").splitlines()[2::4]
    no_class = [f"unsure (no class) {share} %" for share in (60, 55)]
    assert cues == ["unsure 90 %", no_class[0], "unsure 90 %", no_class[1]]


def test_the_command_prints_segments(
    good: TrainResult, tmp_path: Path, vidgru: Callable[..., tuple[int, str, str]]
) -> None:
    video = joined(tmp_path / "two.avi", [2, -2])
    table = tmp_path / "t.csv"
    code, out, err = vidgru("predict", video, "--timeline", "--model", good.run, "--csv", table)
    assert (code, err) == (0, f"Saved: {table}\n")
    rows = [line.split() for line in out.splitlines() if ":" in line and "all" not in line]
    assert [row[:3] for row in rows[:2]] == [
        ["0:00.00", "0:04.00", "right"],
        ["0:04.00", "0:08.00", "left"],
    ]
    assert rows[2:] == [
        ["right", "1", "0:04.00", "50.0", "%", "0:04.00", "0:00.00"],
        ["left", "1", "0:04.00", "50.0", "%", "0:04.00", "0:04.00"],
    ]
    assert "0:08.00 in all." in out
    with open(tmp_path / "t.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [(r["start"], r["end"], r["label"], r["answered"], r["error"]) for r in table] == [
        ("0.000", "4.000", "right", "yes", ""),
        ("4.000", "8.000", "left", "yes", ""),
    ]


def test_a_bad_file_costs_its_own_line(
    good: TrainResult, tmp_path: Path, vidgru: Callable[..., tuple[int, str, str]]
) -> None:
    joined(tmp_path / "clips" / "b.avi", [2, -2])
    (tmp_path / "clips" / "part.avi").unlink()
    (tmp_path / "clips" / "a.mp4").write_text("no video")
    code, out, err = vidgru(
        "predict", tmp_path / "clips", "--timeline", "--json", "--model", good.run
    )
    assert code == 1
    broken, fine = map(json.loads, out.splitlines())
    sentence = f"Cannot read {tmp_path / 'clips' / 'a.mp4'}: not a video that can be opened."
    assert broken == {"source": str(tmp_path / "clips" / "a.mp4"), "error": sentence}
    assert err == f"Error: {sentence}\n"
    assert [segment["label"] for segment in fine["segments"]] == ["right", "left"]
    assert fine["segments"][0].keys() >= {"start", "end", "confidence", "probabilities", "unsure"}


def test_everything_is_unsure_without_validation_answers(
    good: TrainResult, tmp_path: Path, vidgru: Callable[..., tuple[int, str, str]]
) -> None:
    video = joined(tmp_path / "two.avi", [2, -2])
    words = ("predict", video, "--timeline", "--json", "--model", good.run, "--max-error", "0.001")
    code, out, err = vidgru(*words)
    assert code == 0
    assert "So every answer is 'unsure'." in err
    (segment,) = json.loads(out)["segments"]
    assert (segment["start"], segment["end"], segment["label"]) == (0, 8, "unsure")
    assert segment["threshold"] is None


def test_subtitles_are_written(
    good: TrainResult, tmp_path: Path, vidgru: Callable[..., tuple[int, str, str]]
) -> None:
    clips = tmp_path / "clips"
    video = joined(clips / "deep" / "two.avi", [2, -2])
    (clips / "deep" / "part.avi").unlink()
    (clips / "bad.mp4").write_text("no video")
    words = ("predict", video, "--model", good.run, "--subtitles")
    code, out, err = vidgru(*words, tmp_path / "two.VTT")
    assert (code, err) == (0, f"Saved: {tmp_path}/two.VTT\n")
    assert "right" in out
    lines = (tmp_path / "two.VTT").read_text().splitlines()
    assert lines[:3] == ["WEBVTT", "", "1"]
    assert lines[3] == "00:00:00.000 --> 00:00:04.000"
    assert lines[4].startswith("right ")
    code, _, err = vidgru("predict", clips, "--model", good.run, "--subtitles", tmp_path / "subs")
    sentence = f"Cannot read {clips}/bad.mp4: not a video that can be opened."
    assert (code, err) == (1, f"Error: {sentence}\nSaved: {tmp_path}/subs/deep/two.srt\n")
    assert [
        path.relative_to(tmp_path / "subs").as_posix() for path in (tmp_path / "subs").rglob("*.*")
    ] == ["deep/two.srt"]
    assert "00:00:04,000 --> 00:00:08,000\nleft " in (tmp_path / "subs/deep/two.srt").read_text()
    code, _, err = vidgru(*words, tmp_path / "two.txt")
    wrong = "the name must end with .srt or .vtt, or be a folder."
    assert (code, err) == (2, f"Error: Cannot write {tmp_path}/two.txt: {wrong}\n")
    code, _, err = vidgru(*words, tmp_path / "x.srt", "--out", tmp_path / "x.jsonl")
    assert code == 2
    assert err == "Error: --out writes predictions only: leave out --subtitles.\n"


def test_workers_and_files_hold_the_same_timelines(
    good: TrainResult, tmp_path: Path, vidgru: Callable[..., tuple[int, str, str]]
) -> None:
    videos = [joined(tmp_path / f"{n}.avi", [2 * n - 1, -2]) for n in (0, 1)]
    words = ("predict", *videos, "--timeline", "--model", good.run)
    one, two = vidgru(*words, "--json"), vidgru(*words, "--json", "--workers", "2")
    assert one == two
    lines = [json.loads(line) for line in one[1].splitlines()]
    table = tmp_path / "table.csv"
    assert vidgru(*words, "--csv", table, "--workers", "2")[0] == 0
    text = table.read_bytes()
    assert vidgru(*words, "--csv", table)[0] == 0
    assert table.read_bytes() == text
    code, out, err = vidgru(*words, "--out", tmp_path / "out.jsonl")
    assert (code, err) == (0, "")
    assert "2 sources, all predicted" in out
    kept = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [{name: line[name] for name in lines[0]} for line in kept] == lines
    assert [line["timeline"] for line in kept] == [True, True]


def test_a_table_has_the_same_columns_whatever_could_be_read(
    good: TrainResult, tmp_path: Path, vidgru: Callable[..., tuple[int, str, str]]
) -> None:
    (tmp_path / "bad.mp4").write_text("no video")
    words = ("--timeline", "--model", good.run, "--csv", tmp_path / "t.csv")
    assert vidgru("predict", tmp_path / "bad.mp4", *words)[0] == 1
    header = "source,start,end,label,answered,likeliest,confidence,p_left,p_right,error"
    lines = (tmp_path / "t.csv").read_text().splitlines()
    assert lines[0] == header
    assert lines[1].count(",") >= header.count(",")


def test_what_was_predicted_before_an_interruption_is_printed(
    good: TrainResult,
    tmp_path: Path,
    vidgru: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    videos = [moving_squares(tmp_path / f"{n}.avi", 2, n) for n in range(3)]
    steps = Model.steps

    def stop(self: Model, source: Path) -> Generator[Progress, None, Prediction]:
        if source == videos[2]:
            raise KeyboardInterrupt
        return (yield from steps(self, source))

    monkeypatch.setattr(Model, "steps", stop)
    words = ("predict", *videos, "--model", good.run, "--torch")
    stopped = "\nStopped: Interrupted. 2 of 3 sources were predicted."
    assert vidgru(*words)[::2] == (130, f"{stopped} With --out they could be resumed.\n")
    code, out, err = vidgru(*words, "--csv", tmp_path / "t.csv")
    # --out excludes a table.
    assert (code, err) == (130, f"Saved: {tmp_path / 't.csv'}\n{stopped}\n")
    assert all(str(video) in out for video in videos[:2])
    rows = (tmp_path / "t.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == [str(video) for video in videos[:2]]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal device")
def test_the_bar_makes_room_in_a_terminal(good: TrainResult, tmp_path: Path) -> None:
    videos = [str(joined(tmp_path / f"{n}.avi", [2, -2])) for n in range(2)]
    command = [sys.executable, "-m", "vidgru", "predict", *videos, "--timeline"]
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (30, 120))
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    with running([*command, "--model", str(good.run)], **streams) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # how Linux signals the end
            while part := os.read(ours, 4096):
                seen += part
        os.close(ours)
        assert process.wait() == 0
    screen = seen.decode().replace("\r\n", "\n")
    # What a carriage return goes back over is not seen.
    lines = [line.rsplit("\r", 1)[-1].rstrip() for line in screen.split("\n")]
    for video in videos:
        assert [line for line in lines if video.endswith(line.strip()) and line.strip()]
    assert "x real time" in screen
    assert "2/2 sources" in screen
    assert not [line for line in lines if "%|" in line and "from" in line]


def test_a_folder_of_pictures_is_one_timeline(
    data: Path, tmp_path: Path, vidgru: Callable[..., tuple[int, str, str]]
) -> None:
    options = {"epochs": 1, "size": 16, "batch_size": 4, "threads": 1, "encoder": "rows"}
    run = train(data, out=str(tmp_path / "run"), **options).run
    pictures = write_images(tmp_path / "pictures", noise(20), [f"{n}.png" for n in range(20)])
    code, out, _ = vidgru("predict", pictures, "--timeline", "--json", "--model", run)
    assert (code, out.count("\n")) == (0, 1)
    assert json.loads(out)["source"] == str(pictures)
