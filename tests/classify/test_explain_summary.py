"""The summary of many videos: which place decides, and that none is named without reason."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Done
from helpers import noise, write_clip, write_images
from numpy.typing import NDArray

import vidgru
from vidgru import Frames, TrainResult
from vidgru.core.results import run_to_end
from vidgru.tasks.classify.explain.results import Explanation, Summary
from vidgru.tasks.classify.explain.summary import PLACES, Summarizer, share_in, with_place

SIDE = 32
LABELS = ("dark", "light", "none")


@pytest.fixture(scope="module")
def found(trained: TrainResult) -> Explanation:
    explanation: Explanation = vidgru.load(trained.run).explain(
        Frames(np.zeros((8, 24, 32, 3), np.uint8), 10)
    )
    return explanation


def views_of(label: str, place: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return noise with a mark in the middle of a place, which is missing in the third class."""
    views = rng.integers(90, 160, (6, SIDE, SIDE, 3)).astype(np.uint8)
    left, top, right, bottom = PLACES[place]
    x, y = round((left + right) / 2 * SIDE), round((top + bottom) / 2 * SIDE)
    if label != "none":
        views[:, y - 1 : y + 2, x - 1 : x + 2] = 0 if label == "dark" else 255
    return views


def summary(
    found: Explanation,
    predict: Callable[[NDArray[np.uint8]], str],
    place: str = "upper left corner",
    videos: int = 24,
) -> Summary:
    rng, adding = np.random.default_rng(1), Summarizer(LABELS, 6)
    for number in range(videos):
        label = LABELS[number % 3]
        adding.add(replace(found, label=label), views_of(label, place, rng))
    return run_to_end(adding.steps(predict))


def by_mark(place: str) -> Callable[[NDArray[np.uint8]], str]:
    """Return a model that decides by the mark in a place alone."""
    left, top, right, bottom = PLACES[place]
    x, y = round((left + right) / 2 * SIDE), round((top + bottom) / 2 * SIDE)

    def predict(views: NDArray[np.uint8]) -> str:
        mean = views[:, y, x].mean()
        return "dark" if mean < 60 else "light" if mean > 200 else "none"

    return predict


@pytest.mark.parametrize("place", PLACES)
def test_a_mark_that_decides_is_named_and_no_other_place(found: Explanation, place: str) -> None:
    result = summary(found, by_mark(place), place)
    assert {one.place for one in result.places if one.decides} == {place}
    assert result.findings
    assert all(sentence.startswith(f"The {place} decides for ") for sentence in result.findings)


def test_nothing_is_named_without_reason(found: Explanation) -> None:
    middle = SIDE // 2

    def by_the_middle(views: NDArray[np.uint8]) -> str:
        return LABELS[int(views[0, middle, middle, 0]) % 3]

    coins = np.random.default_rng(0)
    for predict in (
        by_the_middle,
        lambda views: "light",  # always the same
        lambda views: LABELS[int(coins.integers(3))],  # any change changes it
    ):
        assert summary(found, predict).findings == ()
    # Too few videos say nothing.
    few = summary(found, by_mark("upper left corner"), videos=6)
    assert max(one.follows for one in few.places) == 1
    assert few.findings == ()


def test_shares_of_relevance() -> None:
    even = np.ones((16, 16), np.float32)
    assert share_in(even, PLACES["upper left corner"]) == pytest.approx(1 / 16)
    assert share_in(even, (0, 0, 0.2, 1)) == pytest.approx(0.2)
    point = np.zeros((4, 8), np.float32)
    point[3, 7] = 2
    assert share_in(point, PLACES["lower right corner"]) == 1
    assert share_in(point, PLACES["lower left corner"]) == 0


def test_a_place_of_another_video() -> None:
    one, two = np.zeros((2, 8, 8, 3), np.uint8), np.ones((2, 8, 8, 3), np.uint8)
    mixed = with_place(one, two, PLACES["upper right corner"])
    assert mixed[:, :2, 6:].all()
    assert mixed.sum() == 2 * 4 * 3
    assert not one.any()


def test_the_command(
    trained: TrainResult, data: Path, tmp_path: Path, vidgru: Callable[..., Done]
) -> None:
    words = ("explain", data, "--summary", "--model", trained.run)
    done = vidgru(*words, "-o", tmp_path / "a", "-q")
    assert done.code == 0, done.err
    assert "No place at the border decides by itself." in done.out
    again = vidgru(*words, "-o", tmp_path / "b", "--json", "-q")
    content = json.loads(again.out)
    assert content == json.loads((tmp_path / "a" / "summary.json").read_text())
    assert sum(one["videos"] for one in content["classes"]) == 12
    assert (tmp_path / "a" / "summary.png").stat().st_size > 1000
    (tmp_path / "no.mp4").write_text("no video")
    broken = vidgru("explain", tmp_path / "no.mp4", *words[2:], "-o", tmp_path / "c")
    assert (broken.code, broken.out) == (1, "")
    assert broken.err.startswith("Error: No video can be read. The first problem: Cannot read ")


def test_too_long_a_video_is_not_to_be_cut_by_options_that_are_refused(
    trained: TrainResult, tmp_path: Path, vidgru: Callable[..., Done]
) -> None:
    path = write_clip(tmp_path / "a.avi", noise(30), 10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vidgru.tasks.classify.explain.explain.MAX_FRAMES", 10)
        done = vidgru("explain", path, "--summary", "--model", trained.run, "-o", tmp_path / "out")
    assert done.code == 1
    assert done.err.endswith("the most that can be explained at once: cut it, or leave it out.\n")


def test_a_picture_that_is_read_is_not_written_over(
    trained: TrainResult, tmp_path: Path, vidgru: Callable[..., Done]
) -> None:
    write_images(tmp_path, noise(1), ["summary.png"])
    before = (tmp_path / "summary.png").read_bytes()
    words = ("--summary", "--model", trained.run, "-o", tmp_path)
    for source in (tmp_path / "summary.png", tmp_path):
        done = vidgru("explain", source, *words)
        assert (done.code, "cannot be read and written at once" in done.err) == (2, True)
    assert (tmp_path / "summary.png").read_bytes() == before
    assert not (tmp_path / "summary.json").exists()
