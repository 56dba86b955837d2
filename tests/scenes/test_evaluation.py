"""`vidgru evaluate` with models of scenes."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import Done
from helpers import write_clip
from numpy.typing import NDArray
from scene_shots import cut, shot

from vidgru import evaluate
from vidgru.core.errors import DataError, OptionError
from vidgru.tasks.scenes import evaluation as evaluate_scenes
from vidgru.tasks.scenes.results import Boundary
from vidgru.tasks.scenes.scores import SceneTrainResult

pytestmark = pytest.mark.usefixtures("small")

Vidgru = Callable[..., Done]
Run = SceneTrainResult
Frames = NDArray[np.uint8]


def read_frames(path: Path) -> Frames:
    video, frames = cv2.VideoCapture(str(path)), []
    while (read := video.read())[0]:
        frames.append(np.asarray(read[1], np.uint8)[..., ::-1])
    return np.stack(frames)


def test_evaluating_by_hand(
    learned: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vidgru: Vidgru
) -> None:
    """A finder that is off by known numbers of frames, on clips of known lengths."""
    lengths = (40, 30, 50, 60)
    for number, length in enumerate(lengths):
        write_clip(tmp_path / "new" / f"{number}.avi", shot(50 + number, length), 25)
    seen: list[Frames] = []
    order = np.random.default_rng(0).permutation(4)
    clips = [read_frames(tmp_path / "new" / f"{number}.avi") for number in order]
    ends = np.cumsum([len(clip) for clip in clips])[:3]

    def finder(network: object, frames: Any, threshold: float) -> Iterator[Boundary]:
        assert threshold == learned.threshold
        seen.append(np.stack(list(frames)))
        # The first exactly, the second one frame late, the third three late.
        places = [ends[0], ends[1] + 1, ends[2] + 3] if len(seen) == 1 else []
        yield from (cut(int(place)) for place in places)

    def ahead(network: object, frames: Any, threshold: float) -> Iterator[Boundary]:
        assert sum(1 for _ in frames) == len(seen[-1])
        yield cut(int(ends[1]) - 2)

    monkeypatch.setattr(evaluate_scenes, "find", finder)
    monkeypatch.setattr(evaluate_scenes, "find_ahead", ahead)
    found = json.loads(vidgru("evaluate", tmp_path / "new", "--model", learned.run, "--json").out)
    assert np.array_equal(seen[0], np.concatenate(clips))
    # The clip of 30 frames is too short for two dissolves and a scene between them.
    assert len(seen[1]) == 40 + 50 + 60 - 2 * 12
    cuts, dissolves = found["joined"]
    assert (cuts["joined_by"], cuts["clips"]) == ("cut", 4)
    assert (dissolves["joined_by"], dissolves["clips"]) == ("dissolve", 3)
    predicted = [
        [row[name] for name in ("tolerance", "found", "missed", "false")]
        for row in cuts["both"]["tolerances"]
    ]
    assert predicted == [[0, 1, 2, 2], [1, 2, 1, 1], [2, 2, 1, 1]]
    assert cuts["both"]["tolerances"][2]["f1"] == pytest.approx(2 / 3)
    assert [row["found"] for row in cuts["ahead"]["tolerances"]] == [0, 0, 1]
    assert [row["missed"] for row in cuts["ahead"]["tolerances"]] == [3, 3, 2]
    assert dissolves["both"]["tolerances"][2]["recall_gradual"] == 0
    assert (found["clips"], found["dissolve"], found["part"]) == (4, 12, "all")
    assert found["threshold"] == learned.threshold


def test_evaluating_on_what_was_not_learned(learned: Run, films: Path, vidgru: Vidgru) -> None:
    done = vidgru("evaluate", films, "--model", learned.run, "--json")
    found = json.loads(done.out)
    assert (found["clips"], found["trained_on"], found["validated_on"]) == (2, 8, 2)
    assert "Left out 8 of 10 clips" in done.err
    assert [one["clips"] for one in found["joined"]] == [2, 2]
    assert json.loads(vidgru("evaluate", films, "--model", learned.run, "--json").out) == found
    flat = " ".join(vidgru("evaluate", films, "--model", learned.run).out.split())
    assert "2 joined by cuts, forward only" in flat
    assert "2 joined by dissolves of 12 frames, forward only" in flat


def test_clips_with_cuts_of_their_own_are_named(
    learned: Run, tmp_path: Path, vidgru: Vidgru
) -> None:
    write_clip(tmp_path / "new" / "a.avi", np.concatenate([shot(1, 20), shot(2, 20)]), 25)
    write_clip(tmp_path / "new" / "b.avi", shot(3, 20), 25)
    write_clip(tmp_path / "new" / "c.avi", shot(4, 7), 25)
    done = vidgru("evaluate", tmp_path / "new", "--model", learned.run, "--json")
    assert (
        "Clips with cuts of their own, which count as false where they are found: 1; the first is "
        "a.avi." in done.err
    )
    assert (
        "Clips left out: 1. They have fewer than the 8 frames of a scene; the first is c.avi."
        in (done.err)
    )
    found = json.loads(done.out)
    assert [one["joined_by"] for one in found["joined"]] == ["cut"]
    assert [one["source"] for one in found["skipped"]] == [str(tmp_path / "new" / "c.avi")]


def test_evaluating_what_cannot_be_joined(learned: Run, tmp_path: Path) -> None:
    write_clip(tmp_path / "new" / "one.avi", shot(99), 25)
    with pytest.raises(DataError) as caught:
        evaluate(tmp_path / "new", learned.run)
    assert str(caught.value) == (
        f"{tmp_path / 'new'} needs at least two clips of 8 frames or more, which are joined to "
        "scenes."
    )


@pytest.mark.parametrize("options", [{"max_error": 0.1}, {"group_by": "x"}, {"out": "x.html"}])
def test_evaluating_with_options_for_classes(
    learned: Run, films: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(OptionError) as caught:
        evaluate(films, learned.run, **options)
    (name,) = options
    assert str(caught.value) == (
        f"{name} is for classes only: leave it out with a model of scenes."
    )
