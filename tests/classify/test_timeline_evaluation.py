"""`evaluate LIST --timeline`: annotated videos against what a model says happens when."""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import make_folder, moving_squares, noise, write_clip

from vidgru import evaluate, load, train
from vidgru.core.errors import DataError, OptionError
from vidgru.tasks.classify.model_file import load_model, save_model
from vidgru.tasks.classify.options import ClassifyEvaluateConfig
from vidgru.video.read import open_video

SPANS = [("right", 0.0, 4.0), ("left", 4.0, 8.0)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run of a model that tells left from right for certain."""
    place = tmp_path_factory.mktemp("good")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGRU_CACHE", str(place / "cache"))
        data = make_folder(place / "squares", clips=24)
        options = {"epochs": 30, "size": 16, "batch_size": 8, "augment": "none", "threads": 1}
        return train(data, out=str(place / "run"), **options).run


def annotated(folder: Path, rows: list[tuple[str, str, float, float]]) -> Path:
    """Write two videos, right and then left, and a list of what is said of them."""
    folder.mkdir()
    for number in range(2):
        frames = []
        for seed, step in enumerate((2, -2)):
            part = moving_squares(folder / "part.avi", step, 70 + 2 * number + seed, 40)
            with open_video(part) as video:
                frames += [frame.rgb for frame in video]
            part.unlink()
        write_clip(folder / f"{number}.avi", np.stack(frames), 10)
    with open(folder / "list.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "start", "end"), *rows])
    return folder / "list.csv"


def both(spans: list[tuple[str, float, float]]) -> list[tuple[str, str, float, float]]:
    return [(f"{n}.avi", *span) for n in range(2) for span in spans]


def test_right_annotations_are_met_and_wrong_ones_are_not(run: Path, tmp_path: Path) -> None:
    found = evaluate(annotated(tmp_path / "a", both(SPANS)), run, timeline=True, threads=1)
    scores = found.scores
    assert (scores.accuracy.value, scores.edit.value) == (1, 1)
    assert {key: one.value for key, one in scores.segmental_f1.items()} == {
        "10": 1,
        "25": 1,
        "50": 1,
    }
    assert (scores.frames, scores.bouts["left"].true_seconds) == (160, pytest.approx(8))
    assert (found.trained_on, found.validated_on, len(found.videos)) == (0, 0, 2)
    swapped = [("left", 0.0, 4.0), ("right", 4.0, 8.0)]
    found = evaluate(annotated(tmp_path / "b", both(swapped)), run, timeline=True, threads=1)
    assert found.scores.accuracy.value == 0
    assert found.scores.segmental_f1["10"].value == 0


def test_time_without_a_label_counts_only_as_background(run: Path, tmp_path: Path) -> None:
    table = annotated(tmp_path / "a", both([("right", 0.0, 2.0)]))
    plain = evaluate(table, run, timeline=True, threads=1)
    assert (plain.scores.frames, plain.scores.accuracy.value) == (40, 1)
    whole = evaluate(table, run, timeline=True, background="left", threads=1)
    # 2 s of 8 are the background's that the model calls right.
    assert (whole.scores.frames, whole.scores.accuracy.value) == (160, 0.75)
    assert set(whole.scores.bouts) == {"right"}


def test_frames_that_nobody_looked_at_are_no_background(run: Path, tmp_path: Path) -> None:
    annotated(tmp_path / "a", [])
    table = tmp_path / "a" / "0_labels.csv"
    flags = ["0,1"] * 20 + ["0,0"] * 40 + ["-1,-1"] * 20  # of the second, half show right
    rows = [f"{number},{flag}" for number, flag in enumerate(flags)]
    table.write_text("\n".join(["frame,left,right", *rows]))
    found = evaluate(table, run, timeline=True, background="left", threads=1)
    assert (found.scores.frames, found.scores.accuracy.value) == (60, pytest.approx(2 / 3))


@pytest.mark.parametrize(("change", "frames"), [(2.25, 23), (2.3, 23), (2.3005, 23), (2.35, 24)])
def test_a_sampled_frame_has_the_label_of_its_time(
    change: float, frames: int, run: Path, tmp_path: Path
) -> None:
    table = annotated(tmp_path / "a", both([("right", 0.0, change), ("left", change, 8.0)]))
    scores = evaluate(table, run, timeline=True, threads=1).scores
    assert scores.frames == 160
    assert scores.bouts["right"].true_seconds == pytest.approx(2 * frames / 10)


def test_a_video_may_end_within_its_last_sample(run: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "a.avi", noise(33), 27)
    (tmp_path / "list.csv").write_text("path,label,start,end\na.avi,right,0,9\n")
    found = evaluate(tmp_path / "list.csv", run, timeline=True, threads=1)
    (video,) = found.videos
    assert (found.scores.frames, video.seconds) == (13, pytest.approx(33 / 27, abs=1e-3))
    assert video.true[-1].end == video.predicted[-1].end == video.seconds


def test_the_label_that_is_named_first_counts_and_that_is_said(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = annotated(tmp_path / "a", both([*SPANS, ("right", 4.0, 6.0)]))
    found = evaluate(table, run, timeline=True, threads=1)
    assert found.scores.accuracy.value == 1
    assert "has two labels at once for 2.0 s: the one that is listed first counts." in caplog.text


@pytest.mark.parametrize("options", [{"max_error": 0.1}, {"group_by": "none"}, {"explain": 3}])
def test_options_about_clips_are_refused(options: dict[str, Any]) -> None:
    name = next(iter(options)).replace("_", "-")
    with pytest.raises(OptionError, match=f"--{name} is for clips: leave out --timeline"):
        ClassifyEvaluateConfig(timeline=True, **options)
    ClassifyEvaluateConfig(**options)


def test_videos_that_the_model_learned_from_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = annotated(tmp_path / "a", both(SPANS))
    short = {"epochs": 1, "size": 16, "batch_size": 4, "augment": "none", "threads": 1}
    own = train(table, out=str(tmp_path / "own"), folds=2, **short).run
    # A new video is judged by the model itself.
    moving_squares(tmp_path / "fresh.avi", 2, 99, 40)
    new = tmp_path / "fresh.csv"
    new.write_text("path,label,start,end\nfresh.avi,right,0,4\n")
    found = evaluate(new, own, timeline=True, threads=1)
    assert (found.folds, found.trained_on, len(found.videos)) == (False, 0, 1)
    # By its folds, each video is judged by the one that did not learn from it.
    found = evaluate(table, own, timeline=True, threads=1)
    assert (found.folds, found.trained_on, len(found.videos)) == (True, 0, 2)
    assert not [text for text in caplog.messages if "validated the training" in text]
    for fold in (1, 2):
        part = evaluate(table, own / f"fold-{fold}", timeline=True, threads=1)
        assert (part.folds, part.trained_on, len(part.videos)) == (False, 1, 1)
    assert load(own).spec.bout == 4
    # What a fold fitted on its held-out video is no part of how that video is judged.
    judge = load_model(own / "fold-1")
    (by_it,) = evaluate(table, own / "fold-1", timeline=True, threads=1).videos
    held = [one.video for one in found.videos].index(by_it.video)
    hot = replace(judge.confidence, temperature=20.0, windows=20.0)
    weights = judge.network.state_dict()
    save_model(own / "fold-1" / "model.safetensors", weights, judge.spec, judge.metrics, hot)
    again = evaluate(table, own, timeline=True, threads=1)
    assert again.videos[held] == found.videos[held]
    assert again.videos[1 - held] != found.videos[1 - held]
    # A video is known by its content, whatever it is called and at whatever times it has labels.
    for number in range(2):
        (tmp_path / "a" / f"{number}.avi").rename(tmp_path / "a" / f"new{number}.avi")
    other = [(f"new{number}.avi", "right", 1.5, 2.5) for number in range(2)]
    with open(table, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "start", "end"), *other])
    part = evaluate(table, own / "fold-1", timeline=True, threads=1)
    assert (part.trained_on, part.validated_on, len(part.videos)) == (1, 1, 1)
    clips = evaluate(table, own / "fold-1", threads=1)
    assert (clips.trained_on, clips.validated_on, len(clips.answers)) == (1, 1, 1)
    with pytest.raises(DataError, match="The model was trained on all clips"):
        evaluate(table, own, threads=1)


def test_a_single_fold_judges_what_it_validated_with_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("vidgru.tasks.classify.training.MIN_STEPS", 4)
    monkeypatch.setattr("vidgru.tasks.classify.training.DEFAULT_EPOCHS", 1)
    monkeypatch.setattr("vidgru.data.dataset.FEW_TO_VALIDATE", 2)
    table = annotated(tmp_path / "a", both(SPANS))
    own = train(table, out=str(tmp_path / "own"), size=16, batch_size=4, threads=1).run
    found = evaluate(table, own, timeline=True, threads=1)
    # The temperature was fitted on this very video.
    assert (found.folds, found.trained_on, found.validated_on) == (True, 1, 1)
    warning = "These videos (1 of 1) validated the training, so the figures may be too optimistic."
    assert warning in caplog.messages
    alone = evaluate(table, own / "fold-1", timeline=True, threads=1)
    assert (alone.folds, alone.trained_on, alone.validated_on) == (False, 1, 1)
    assert found.videos == alone.videos


def test_what_makes_no_sense_is_refused(run: Path, tmp_path: Path) -> None:
    table = annotated(tmp_path / "a", both([("sideways", 0.0, 2.0)]))
    with pytest.raises(DataError, match="the class 'sideways' is unknown to"):
        evaluate(table, run, timeline=True, threads=1)
    table.write_text("path,label\n0.avi,left\n")
    with pytest.raises(DataError, match="has no times: timeline needs a list with the columns"):
        evaluate(table, run, timeline=True, threads=1)
    with pytest.raises(OptionError, match="min_seconds needs timeline"):
        evaluate(table, run, min_seconds=1.0, threads=1)


def test_the_command_prints_and_draws_it(
    run: Path, tmp_path: Path, vidgru: Callable[..., tuple[int, str, str]]
) -> None:
    table, page = annotated(tmp_path / "<b>a", both(SPANS)), tmp_path / "page.html"
    words = ("evaluate", table, "--timeline", "--model", run, "--out", page)
    code, out, err = vidgru(*words)
    assert (code, err) == (0, "")
    assert "Segmental F1 at 50 % overlap: 100.0 % (100.0 to 100.0 %)" in out
    assert "2 videos; 95 % intervals over videos." in out
    text = page.read_text("utf-8")
    assert text.count("<rect ") == 8
    assert "<title>left, 4.00 to 8.00 s</title>" in text
    assert re.search(r"<title>left, 4\.00 to 8\.00 s, \d+\.\d %</title>", text)
    assert "<b>a" not in text
    code, out, _ = vidgru(*words, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["scores"]["accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert len(told["videos"][0]["true"]) == 2


def test_of_one_video_there_are_no_intervals(
    run: Path, tmp_path: Path, vidgru: Callable[..., tuple[int, str, str]]
) -> None:
    rows = [("0.avi", *span) for span in SPANS]
    table, page = annotated(tmp_path / "a", rows), tmp_path / "page.html"
    _, out, _ = vidgru("evaluate", table, "--timeline", "--model", run, "--out", page)
    assert "\n1 video, too few for intervals.\n" in out
    assert " on 1 video of " in re.sub("<[^>]*>", "", page.read_text("utf-8"))
    assert "intervals over videos" not in page.read_text("utf-8")


def test_a_shortest_bout_holds_for_predict(
    run: Path, tmp_path: Path, vidgru: Callable[..., tuple[int, str, str]]
) -> None:
    annotated(tmp_path / "a", both(SPANS))
    video = tmp_path / "a" / "0.avi"
    words = ("predict", video, "--model", run, "--json", "--timeline")
    counts = [
        len(json.loads(vidgru(*words, "--min-seconds", length)[1])["segments"])
        for length in ("3", "5")
    ]
    assert counts == [2, 1]
    code, _, err = vidgru("predict", video, "--model", run, "--min-seconds", "3")
    assert code != 0
    assert "--min-seconds needs --timeline." in err
