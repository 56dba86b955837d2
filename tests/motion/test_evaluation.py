"""`vidgru evaluate` with models of motion."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Done
from motion_films import film

from vidgru import evaluate
from vidgru.tasks.motion.scores import MotionTrainResult

pytestmark = pytest.mark.usefixtures("nothing_shipped")

Vidgru = Callable[..., Done]
Run = MotionTrainResult


def test_evaluating_on_what_was_not_learned(
    films: Path, learned: Run, vidgru: Vidgru, tmp_path: Path
) -> None:
    done = vidgru("evaluate", films, "--model", learned.run, "--json", "-q")
    assert done.code == 0
    said = json.loads(done.out)
    assert (said["clips"], said["trained_on"], said["validated_on"]) == (2, 6, 2)
    assert said["part"] == "all"
    assert said["scores"] == json.loads(json.dumps(learned.validation.to_dict()))
    table = vidgru("evaluate", films, "--model", learned.run, "-q")
    assert (table.code, "Mean error of velocities on clips" in table.out) == (0, True)
    new = tmp_path / "new"
    film(new / "x.avi", 3, 1, 99)
    found = evaluate(new, learned.run)
    assert found.to_dict()["clips"] == 1
    assert found.trained_on == 0


@pytest.mark.parametrize(
    "option", [("--out", "report.html"), ("--max-error", 0.1), ("--group-by", "x")], ids=str
)
def test_evaluating_with_options_for_classes(
    films: Path, learned: Run, vidgru: Vidgru, option: tuple[object, ...]
) -> None:
    done = vidgru("evaluate", films, "--model", learned.run, *option)
    wanted = f"Error: {option[0]} is for classes only: leave it out with a model of motion.\n"
    assert (done.code, done.out, done.err) == (2, "", wanted)


def test_evaluating_on_clips_too_short(learned: Run, vidgru: Vidgru, tmp_path: Path) -> None:
    film(tmp_path / "new" / "x.avi", 3, 1, 99, 3)
    done = vidgru("evaluate", tmp_path / "new", "--model", learned.run, "-q")
    wanted = f"No clip in {tmp_path / 'new'} is long enough to measure the model on."
    assert (done.code, done.out, done.err) == (1, "", f"Error: {wanted}\n")
