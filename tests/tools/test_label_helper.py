"""What the model's suggestions say about where to look, and how far a job is."""

import json
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from helpers import touch

from vidgru.cli.label_job import _Lines
from vidgru.core.errors import ProcessError
from vidgru.core.results import Progress
from vidgru.engine.run_folder import create_run
from vidgru.tools.label import helper
from vidgru.tools.label.doubts import Doubt, doubts
from vidgru.tools.label.rows import Row
from vidgru.tools.label.store import Store

NOW = [(0.0, 4.0, "run", 0.9), (4.0, 6.0, "jump", 0.7), (6.0, 9.0, "run", 0.4)]


def row(start: float | None, end: float | None) -> Row:
    return Row(1, 0, "run", start, end)


def test_doubts_are_where_there_is_no_label() -> None:
    assert list(doubts(0, NOW, [], [row(5.5, 20.0), row(0.0, 1.0)])) == [
        Doubt(0, 1.0, 0.9, "run", ""), Doubt(0, 4.0, 0.7, "jump", ""),
    ]  # fmt: skip
    # What is left free of the second one is too short to be in doubt.
    assert [one.start for one in doubts(0, NOW, [], [row(4.05, 9.0)])] == [0.0]
    assert list(doubts(0, NOW, [], [row(None, None)])) == []
    # Rows of other programs may overlap: a long one reaches over short ones.
    long = [row(0.0, 8.0), row(1.0, 2.0), row(3.0, 3.5)]
    assert list(doubts(0, NOW, [], long)) == [Doubt(0, 8.0, 0.4, "run", "")]


def test_where_two_models_disagree_is_in_doubt() -> None:
    before = [(0.0, 2.0, "run", 1.0), (2.0, 3.0, "jump", 1.0), (3.0, 4.2, "walk", 1.0),
              (4.2, 9.0, "jump", 1.0)]  # fmt: skip
    assert list(doubts(0, NOW, before, [])) == [
        Doubt(0, 3.0, 0.5, "run", "walk"),  # the longest stretch of two
        Doubt(0, 4.0, 0.7, "jump", ""),  # a fifth of a second of walking is where it begins
        Doubt(0, 6.0, 0.4, "run", "jump"),
    ]
    # What has a label is not disputed any more.
    assert next(doubts(0, NOW, before, [row(1.8, 4.0)])) == Doubt(0, 0.0, 0.9, "run", "")
    assert next(doubts(0, NOW, before, [row(2.8, 3.8)])) == Doubt(0, 2.0, 0.5, "run", "jump")


def test_the_share_of_a_training_that_is_done_counts_all_of_its_parts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = _Lines()
    for stage, done in [
        ("reading clips", 9), ("checking mirrored clips", 5), ("fold 1 of 3", 5),
        ("checking mirrored clips", 9), ("fold 2 of 3", 0), ("fold 3 of 3", 5),
        ("training on all clips", 10),
    ]:  # fmt: skip
        lines.training(Progress(stage, done, 10))
    found = [json.loads(line)["share"] for line in capsys.readouterr().out.splitlines()]
    assert found == [0, 0, 0.125, 0.125, 0.25, 0.625, 1.0]
    alone = _Lines()
    alone.training(Progress("training", 5, 10))
    assert json.loads(capsys.readouterr().out)["share"] == 0.5
    together = _Lines()
    together.training(Progress("training 3 models", 1500, 3000))
    assert json.loads(capsys.readouterr().out)["share"] == 0.5
    two = _Lines()
    two.training(Progress("training without validation clips", 5, 10))
    two.training(Progress("training on all clips", 5, 10))
    found = [json.loads(line)["share"] for line in capsys.readouterr().out.splitlines()]
    assert found == [0.25, 0.75]


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (8, 4)])
def test_a_training_leaves_half_of_the_cores_to_the_page(
    cores: int, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.mp4")
    videos, jobs = [tmp_path / "a.mp4"], list[dict[str, Any]]()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(helper, "cores", lambda: cores)
    monkeypatch.setattr(helper.Helper, "_run", lambda self, job, take: jobs.append(job))
    labels = Store(tmp_path / "labels.csv", videos, ["run"])
    helper.Helper(videos, labels)._learn()
    helper.Helper(videos, labels, {"epochs": 1})._learn()
    assert [job["options"] for job in jobs if "options" in job] == [
        {"threads": threads}, {"threads": threads, "epochs": 1},
    ]  # fmt: skip


def test_a_training_that_fails_removes_no_run_of_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.mp4")
    videos, others = [tmp_path / "a.mp4"], list[Path]()
    monkeypatch.chdir(tmp_path)

    def fail(self: helper.Helper, job: dict[str, Any], take: Any) -> None:
        # Meanwhile, `vidgru train labels.csv` begins elsewhere.
        others.append(create_run(Path("labels.csv"), None))
        touch(others[0], "last.ckpt")
        raise ProcessError("It failed.")

    monkeypatch.setattr(helper.Helper, "_run", fail)
    labels = Store(tmp_path / "labels.csv", videos, ["run"])
    labels.put(0, "run", 0, 1)
    with pytest.raises(ProcessError, match="It failed"):
        helper.Helper(videos, labels)._learn()
    assert [path.name for path in others[0].iterdir()] == ["last.ckpt"]
    assert list(others[0].parent.iterdir()) == others


def test_a_process_that_cannot_be_started_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(*arguments: Any, **options: Any) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(helper.subprocess, "Popen", refused)
    video = touch(tmp_path, "a.mp4") / "a.mp4"
    busy = helper.Helper([video], Store(tmp_path / "labels.csv", [video]))
    busy.learn()
    until = monotonic() + 20
    while busy.job()["running"] and monotonic() < until:
        sleep(0.01)
    assert busy.job()["error"] == "A process cannot be run: Cannot allocate memory."
