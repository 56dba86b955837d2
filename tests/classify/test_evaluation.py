"""`vidgru evaluate`: the right numbers, and answers that may be `unsure`."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Done
from helpers import noise, save_model, write_clip

import vidgru as library
from vidgru import Evaluation, TrainResult
from vidgru.commands.evaluate import evaluate
from vidgru.core.errors import DataError, OptionError
from vidgru.data.decode import Decoded
from vidgru.data.folder import Clip
from vidgru.tasks.classify.evaluation import HeldOut, evaluation_of, mistake_strips
from vidgru.tasks.classify.metrics import accuracy_interval
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.spec import Confidence
from vidgru.terminal.tables import points

Vidgru = Callable[..., Done]
ONE = ("--threads", 1)


def trust(run: Path, confidence: Confidence) -> None:
    model = load_model(run)
    weights = model.network.state_dict()
    save_model(model.path, weights, model.spec, model.metrics, confidence)


def test_it_is_what_predict_says_of_each_clip(run: Path, fresh: Path) -> None:
    trust(run, Confidence(1.7, ((0.55, True),) * 30))
    said = library.evaluate(fresh, run, threads=1)
    model = library.load(run, threads=1)
    assert said.part == "all"
    assert [answer.clip for answer in said.answers] == [
        *[f"left/day{n // 2}_{n}.avi" for n in range(4)],
        *[f"right/day{n // 2}_{n}.avi" for n in range(3)],
        "right/day2_7.avi",
    ]
    confusion = np.zeros((2, 2), int)
    hits, true = [], []
    for answer in said.answers:
        prediction = model.predict(fresh / answer.clip)
        assert answer.label == Path(answer.clip).parent.name
        assert answer.predicted == prediction.label
        assert answer.confidence == pytest.approx(prediction.confidence, abs=1e-6)
        assert answer.right == (answer.label == prediction.label)
        assert answer.group == Path(answer.clip).name[3]  # of day0_1.avi: the names suggest it
        hits.append(answer.right)
        true.append(dict(prediction.top(2))[answer.label])
        labels = said.scores.labels
        confusion[labels.index(answer.label), labels.index(prediction.label)] += 1
    assert said.scores.confusion == tuple(map(tuple, confusion.tolist()))
    assert said.scores.accuracy == np.mean(hits)
    assert said.scores.loss == pytest.approx(-np.log(true).mean(), abs=1e-5)
    assert said.majority == 0.5
    assert said.top == {1: pytest.approx(np.mean(hits))}
    assert said.groups == 3
    assert said.interval[0] < said.scores.accuracy <= said.interval[1]
    assert said.macro_f1 == pytest.approx(np.mean([v for v in said.f1.values() if v is not None]))
    assert said.calibration.temperature == 1.7
    (last,) = [one for one in said.calibration.bins if one.count and one.high == 1] or [None]
    if last is not None:
        inside = [a for a in said.answers if a.confidence > last.low]
        assert last.count == len(inside)
        assert last.accuracy == np.mean([a.right for a in inside])
    assert (said.trained_on, said.skipped) == (0, ())
    assert {cue.cue for cue in said.shortcuts} >= {"aspect ratio", "first frame"}
    assert (said.model, said.folder) == (run / "model.safetensors", fresh)


def test_calibration_before_and_after(run: Path, fresh: Path) -> None:
    trust(run, Confidence(5.0))
    said = library.evaluate(fresh, run, threads=1)
    trust(run, Confidence(1.0))
    plain = library.evaluate(fresh, run, threads=1)
    assert said.calibration.ece_before == plain.calibration.ece == plain.calibration.ece_before
    assert said.calibration.bins_before == plain.calibration.bins
    assert said.calibration.ece != said.calibration.ece_before
    assert max(a.confidence for a in said.answers) < max(a.confidence for a in plain.answers)


def test_classes(run: Path, fresh: Path, tmp_path: Path) -> None:
    shutil.copytree(fresh / "left", tmp_path / "some" / "left")
    said = library.evaluate(tmp_path / "some", run, threads=1)
    assert said.scores.count == {"left": 4, "right": 0}
    assert said.scores.recall["right"] is None
    assert said.majority == 1
    shutil.copytree(fresh / "left", tmp_path / "some" / "up")
    with pytest.raises(DataError) as error:
        library.evaluate(tmp_path / "some", run, threads=1)
    assert str(error.value) == (
        f"{tmp_path / 'some'} holds the class 'up', which {run / 'model.safetensors'} does not "
        "know: rename or remove it. It knows 'left', 'right'."
    )


def test_the_unreadable_are_named_and_left_out(
    vidgru: Vidgru, run: Path, fresh: Path, tmp_path: Path
) -> None:
    shutil.copytree(fresh, tmp_path / "some")
    bad = tmp_path / "some" / "left" / "bad.avi"
    bad.write_text("no video")
    done = vidgru("evaluate", tmp_path / "some", "--model", run, "--json", *ONE)
    said = json.loads(done.out)
    assert done.code == 0
    assert [item["source"] for item in said["skipped"]] == [str(bad)]
    assert len(said["answers"]) == 8
    assert f"Warning: Skipped: Cannot read {bad}: " in done.err
    for clip in tmp_path.glob("some/*/*.avi"):
        clip.write_text("no video")
    with pytest.raises(DataError, match=r"^No clip in .*some can be read. The first problem: "):
        library.evaluate(tmp_path / "some", run, threads=1)


def test_the_interval_is_that_of_the_groups(run: Path, fresh: Path) -> None:
    plain = library.evaluate(fresh, run, threads=1, group_by="none")
    assert library.evaluate(fresh, run, threads=1).groups == 3  # as the names suggest
    grouped = library.evaluate(fresh, run, threads=1, group_by=r"(day\d)_")
    assert grouped.groups == 3
    assert {a.clip: a.group for a in grouped.answers}["right/day2_7.avi"] == "day2"
    assert grouped.scores == plain.scores
    assert plain.groups is None
    classes = library.evaluate(fresh, run, threads=1, group_by="left|right")
    assert classes.groups == 2
    right = [a.right for a in classes.answers]
    assert classes.interval == accuracy_interval(right, ["a"] * 4 + ["b"] * 4)
    assert plain.interval == accuracy_interval(right)


def test_thresholds_and_unsure_answers(
    vidgru: Vidgru, run: Path, fresh: Path, tmp_path: Path
) -> None:
    trust(run, Confidence(2.0))
    sure = sorted(a.confidence for a in library.evaluate(fresh, run, threads=1).answers)
    middle = (sure[3] + sure[4]) / 2
    trust(run, Confidence(2.0, ((middle / 2, False), *((middle, True),) * 30)))
    said = library.evaluate(fresh, run, threads=1, max_error=0.04)
    assert said.answered.threshold == middle
    assert (said.answered.answered, said.answered.share) == (4, 0.5)
    kept = [a for a in said.answers if a.confidence >= middle]
    assert said.answered.error == 1 - np.mean([a.right for a in kept])

    model = library.load(run, threads=1, max_error=0.04)
    for answer in said.answers:
        prediction = model.predict(fresh / answer.clip)
        unsure = answer.confidence < middle
        assert (prediction.unsure, prediction.threshold) == (unsure, middle)
        assert prediction.likeliest == answer.predicted
        assert prediction.label == ("unsure" if unsure else answer.predicted)
        told = prediction.to_dict()
        assert told["label"] == prediction.label
        assert told["likeliest"] == answer.predicted
        assert (told["unsure"], told["threshold"]) == (unsure, middle)
    done = vidgru("evaluate", fresh, "--model", run, "--max-error", 0.04, *ONE)
    error = f"{100 * (said.answered.error or 0):.1f} %"
    assert (
        f"With an error limit of 4 % (confidence of at least {100 * middle:.1f} %), 4 of 8 clips "
        f"get a label, {error} of them a wrong one." in done.out
    )


def test_the_table(vidgru: Vidgru, run: Path, fresh: Path) -> None:
    trust(run, Confidence(2.0))
    said = library.evaluate(fresh, run, threads=1, group_by="day.")
    done = vidgru("evaluate", fresh, "--model", run, "--group-by", "day.", *ONE)
    assert done.code == 0
    lines = [" ".join(line.split()) for line in done.out.splitlines()]

    def percent(value: float | None) -> str:
        return "-" if value is None else f"{100 * value:.1f} %"

    for label in ("left", "right"):
        shares = said.scores.recall[label], said.precision[label], said.f1[label]
        assert " ".join([label, "4", *map(percent, shares)]) in lines
    means = f"{percent(said.scores.balanced)} {percent(said.macro_f1)}"
    assert f"mean of the classes 8 {means}" in lines
    right = sum(a.right for a in said.answers)
    low, high = said.interval
    assert (
        f"Accuracy: {percent(right / 8)}, {right} of 8 clips (95 % interval: {percent(low)} to "
        f"{percent(high)}, by 3 groups)." in lines
    )
    assert "Baseline, always the most frequent class: 50.0 %." in lines
    assert (
        f"Stated confidence differs from accuracy by {points(said.calibration.ece)} on average "
        f"({points(said.calibration.ece_before)} before temperature scaling by 2.00)." in lines
    )
    assert "With an error limit of 5 %, every answer is 'unsure'." in lines
    wrong = [line for line in lines if line.startswith("Wrong: ")]
    (mistake,) = [a for a in said.answers if not a.right and a.clip == "right/day2_7.avi"]
    assert f"Wrong: {mistake.clip} predicted as left, {percent(mistake.confidence)}" in wrong
    assert len(wrong) == min(5, 8 - right)


def test_json_and_the_newest_run(
    vidgru: Vidgru, run: Path, fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run.parent)
    (run.parent / "runs").mkdir()
    run.rename(run.parent / "runs" / "a-1")
    done = vidgru("evaluate", fresh, "--json", *ONE)
    assert done.code == 0
    assert done.err.splitlines()[0] == f"Model: {Path('runs') / 'a-1'}"
    said = json.loads(done.out)
    direct = evaluate(fresh, {})
    assert isinstance(direct, Evaluation)
    assert said == json.loads(json.dumps(direct.to_dict()))
    assert said["scores"]["accuracy"] == direct.scores.accuracy
    assert len(said["answers"]) == 8


@pytest.mark.parametrize("value", [0, 1, -0.1, float("nan")])
def test_an_error_that_makes_no_sense(vidgru: Vidgru, run: Path, fresh: Path, value: float) -> None:
    done = vidgru("evaluate", fresh, "--model", run, "--max-error", value)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"Error: Invalid --max-error {float(value)}. It must be ")
    with pytest.raises(OptionError, match="Invalid max_error="):
        library.load(run, max_error=value)


def test_names_cannot_steer_the_terminal(
    vidgru: Vidgru, run: Path, fresh: Path, tmp_path: Path
) -> None:
    shutil.copytree(fresh, tmp_path / "some")
    shutil.copy(fresh / "right" / "day2_7.avi", tmp_path / "some" / "right" / "[red]\x1b[31m.avi")
    write_clip(tmp_path / "some" / "right" / "plain.avi", noise(12), 10)
    done = vidgru("evaluate", tmp_path / "some", "--model", run, *ONE)
    assert done.code == 0
    assert "\x1b" not in done.out
    assert "Wrong: right/[red]\\x1b[31m.avi predicted as left" in done.out


def test_the_report(
    vidgru: Vidgru, run: Path, trained: TrainResult, fresh: Path, tmp_path: Path
) -> None:
    done = vidgru("evaluate", fresh, "--model", run, *ONE)
    assert done.out.endswith(f"\nReport: {run / 'report.html'}\n")
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "day2_7.avi" in page
    assert "validation accuracy" in page  # of the training's curves
    # A bare model has no folder of its own, and no curves.
    bare = Path(shutil.copy(trained.model, tmp_path / "bare.safetensors"))
    done = vidgru("evaluate", fresh, "--model", bare, *ONE)
    assert "Report:" not in done.out
    assert {path.name for path in tmp_path.iterdir()} == {"run", "bare.safetensors"}
    out = tmp_path / "new" / "page.html"
    done = vidgru("evaluate", fresh, "--model", bare, "--out", out, *ONE)
    assert done.out.endswith(f"\nReport: {out}\n")
    other = out.read_text(encoding="utf-8")
    assert "validation accuracy" not in other
    # Else the pages are alike in length; what differs are paths and curves.
    assert "day2_7.avi" in other
    done = vidgru("evaluate", fresh, "--model", bare, "--out", bare / "page.html", *ONE)
    assert (done.code, done.out) == (1, "")
    assert f"Error: Cannot write {bare / 'page.html'}: " in done.err


def test_a_report_is_neither_the_list_nor_the_model(
    vidgru: Vidgru, run: Path, fresh: Path, tmp_path: Path
) -> None:
    model, clips = tmp_path / "m.safetensors", tmp_path / "list.csv"
    shutil.copy(run / "model.safetensors", model)
    rows = [f"{path},{path.parent.name}" for path in sorted(fresh.glob("*/*.avi"))]
    clips.write_text("\n".join(["path,label", *rows]))
    for taken in (clips, model):
        before = taken.read_bytes()
        done = vidgru("evaluate", clips, "--model", model, "--out", taken, *ONE)
        assert (done.code, done.out) == (2, "")
        assert f"{taken} cannot be read and written at once: write elsewhere." in done.err
        assert taken.read_bytes() == before


def test_strips_show_the_surest_mistakes(run: Path, tmp_path: Path) -> None:
    """Clips of one grey each, brighter frame by frame, all of them labelled with a wrong class."""
    model = load_model(run)
    clips, answers = [], []
    for number in range(20):
        segments = np.empty((2, 11, 24, 24, 3), np.uint8)
        segments[:] = 10 * number + np.arange(22).reshape(2, 11, 1, 1, 1)
        clip = Clip(tmp_path / f"{number}.avi", f"left/{number}.avi", "left")
        clips.append(Decoded(clip, segments))
        # Sure of 0 and 19, least of those in the middle; right about 19.
        answers.append([abs(number - 9.5), 0.0] if number == 19 else [0.0, abs(number - 9.6)])
    held = HeldOut("all", tuple(clips), 0, 0, ())
    outputs = [torch.tensor([answer]) for answer in answers]
    said = evaluation_of(tmp_path, model, held, outputs, None, 0.05)
    strips = mistake_strips(said, held)
    order = sorted(range(19), key=lambda number: -abs(number - 9.6))[:12]
    assert list(strips) == [f"left/{number}.avi" for number in order]
    for number, strip in zip(order, strips.values(), strict=True):
        assert all(frame.shape == (96, 96, 3) and frame.dtype == np.uint8 for frame in strip)
        # The first and the last frame, and four evenly between.
        assert [int(frame.min()) for frame in strip] == [
            10 * number + place for place in (0, 4, 8, 13, 17, 21)
        ]
        assert all(frame.min() == frame.max() for frame in strip)


def test_the_page_names_what_is_printed(vidgru: Vidgru, run: Path, fresh: Path) -> None:
    page = Path(__file__).parents[2].joinpath("docs", "evaluate.md").read_text("utf-8")
    named = re.findall(r"^\| `([A-Z][^`]+)` \|", page, re.M)
    done = vidgru("evaluate", fresh, "--model", run, "--explain", 1, *ONE)
    printed = done.out.rpartition("mean of the classes")[2].splitlines()[1:]
    begun = {name for name in named for line in printed if line.startswith(name)}
    assert {*named} - begun <= {"Shortcuts"}
    lines = [line for line in printed if line.strip() and not line.startswith(tuple(named))]
    assert all(line.startswith("and ") for line in lines)  # more mistakes
