"""What read-outs of looks and changes choose, and say."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from helpers import moving_squares, needs_onnx, write_clip
from looks_encoders import write_encoder

from vidgru import TrainResult, train
from vidgru.core.results import run_to_end
from vidgru.data.folder import Clip
from vidgru.tasks.classify import looks_choice
from vidgru.tasks.classify.looks_choice import (
    _balanced,
    _best,
    _held_out,
    _nearest_mean,
    _ridge,
    background_warning,
    choose_steps,
)
from vidgru.tasks.classify.model_file import load_model
from vidgru.tasks.classify.results import LooksChoice

SETTINGS: dict[str, Any] = {"size": 32, "epochs": 1, "batch_size": 4, "threads": 1, "folds": 1}


def test_read_outs_find_what_there_is() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    folds = [np.arange(60)[k::4] for k in range(4)]
    noise = rng.normal(size=(60, 40))
    told = noise.copy()
    told[:, 7:10] += 4 * np.eye(3)[labels]
    for predict in (_ridge, _nearest_mean):
        assert _balanced(_held_out(predict, [noise], labels, folds), labels) < 0.55
        assert _balanced(_held_out(predict, [told], labels, folds), labels) > 0.6
    # A wide block of noise does not hide a narrow one.
    wide = rng.normal(size=(60, 4000))
    assert _balanced(_held_out(_ridge, [told[:, 7:10], wide], labels, folds), labels) > 0.8


def test_classes_that_only_one_fold_has_are_never_found() -> None:
    labels = np.array([0] * 8 + [1] * 8 + [2] * 4)
    folds = [np.array([*range(4), *range(8, 12)]), np.array([*range(4, 8), *range(12, 20)])]
    rows = np.eye(3)[labels] + 0.01 * np.random.default_rng(0).normal(size=(20, 3))
    for predict in (_ridge, _nearest_mean):
        assert _balanced(_held_out(predict, [rows], labels, folds), labels) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("looks", "changes", "both", "chosen"),
    [
        (0.9, 0.5, 0.9, "both"),
        (0.9, 0.5, 0.7, "looks"),
        (0.8, 0.5, 0.78, "both"),
        (0.75, 0.5, 0.78, "changes"),
        (0.4, 0.8, 0.7, "changes"),
        (0.4, 0.8, 0.8, "changes"),
        (0.7, 0.6, 0.9, "changes"),  # read-outs of both promise more than a training keeps
    ],
)
def test_what_is_chosen(looks: float, changes: float, both: float, chosen: str) -> None:
    assert _best(looks, changes, both, 60) == chosen


def test_looks_that_know_the_place_are_warned_of() -> None:
    known = LooksChoice("both", 0.5, 0.4, 0.6, 0.5, 0.9, 4)
    sentence = background_warning(known)
    assert sentence.startswith("Looks alone classify 90 % of clips if others of their group")
    assert "and 50 % if none is" in sentence
    assert background_warning(LooksChoice("both", 0.8, 0.4, 0.6, 0.5, 0.9, 4)) == ""
    assert background_warning(LooksChoice("changes", 0.5, 0.4, 0.6, 0.5, 0.9, 4)) == ""


@pytest.mark.parametrize(
    ("groups", "count", "sentence"),
    [("ab", 8, ""), ("a", 8, "cannot be divided by group"), ("a", 1, "too few training clips")],
)
def test_one_group_is_divided_by_clip(
    groups: str, count: int, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    clips = [Clip(Path("x"), f"{label}{n}", label) for label in "xy" for n in range(count)]
    rng = np.random.default_rng(0)
    data: Any = SimpleNamespace(
        parts={"train": clips},
        units={clip: groups[n % len(groups)] for n, clip in enumerate(clips)},
        labels=("x", "y"),
        features={c: rng.normal(c.label == "x", 0.1, (1, 4, 3, 5)) for c in clips},
        frames={c: rng.integers(0, 255, (1, 9, 48, 48, 3), dtype=np.uint8) for c in clips},
    )
    found = run_to_end(choose_steps(data, 32, 0, True), None)
    assert [sentence in record.getMessage() for record in caplog.records] == [True] * bool(sentence)
    assert (found is None) == (count == 1)
    if found is not None:
        assert (found.looks, found.shuffled, found.folds) == (1.0, 1.0, 2 if len(groups) > 1 else 4)
        assert found.changes is not None


@needs_onnx
def test_the_clips_decide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = str(write_encoder(tmp_path / "tiny.onnx"))
    colours, moves = tmp_path / "colours", tmp_path / "moves"
    rng = np.random.default_rng(0)
    for n in range(8):
        for label, colour in (("red", (200, 40, 40)), ("blue", (40, 40, 200))):
            noise = rng.integers(0, 40, (14, 40, 48, 3), dtype=np.uint8)
            frames = noise + np.array(colour, np.uint8)
            write_clip(colours / label / f"{n}.avi", frames, 10)
        moving_squares(moves / "left" / f"{n}.avi", -2, n)
        moving_squares(moves / "right" / f"{n}.avi", 2, 100 + n)
    found = {}
    for folder in (colours, moves):
        with monkeypatch.context() as patch:
            if folder == colours:  # colours that encoders of vidgru know, too
                patch.setattr(looks_choice, "_changes_of", lambda *given: np.zeros(4))
            out = str(tmp_path / f"of {folder.name}")
            result = train(folder, looks=encoder, input="auto", out=out, **SETTINGS)
        assert isinstance(result, TrainResult)
        assert result.looks is not None
        found[folder.name] = result
    looks = found["colours"].looks
    assert looks.looks == looks.nearest_mean == 1.0
    assert (looks.input, looks.both) == ("both", 1.0)
    assert load_model(found["colours"].run).spec.looks
    moving = found["moves"].looks
    assert moving.changes > moving.looks + 0.2
    monkeypatch.setattr(looks_choice, "_best", lambda *given: "changes")
    plain = train(moves, looks=encoder, input="auto", out=str(tmp_path / "plain"), **SETTINGS)
    spec = load_model(plain.run).spec
    assert (spec.input, spec.looks) == ("both", "")
    from vidgru.tasks.classify.score_tables import show

    show(plain)
    shown = " ".join(capsys.readouterr().out.split())
    assert "Without training, changes classify" in shown
    assert "changes alone are trained on. Nearest class mean of looks:" in shown


@needs_onnx
def test_too_few_clips_to_decide_keep_to_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = str(write_encoder(tmp_path / "tiny.onnx"))
    for n in range(2):
        moving_squares(tmp_path / "clips" / "left" / f"{n}.avi", -2, n)
        moving_squares(tmp_path / "clips" / "right" / f"{n}.avi", 2, 100 + n)
    out = str(tmp_path / "run")
    result = train(tmp_path / "clips", looks=encoder, input="auto", out=out, **SETTINGS)
    assert "changes alone are trained on" in caplog.text
    assert (result.looks, load_model(result.run).spec.looks) == (None, "")
