"""How much moves in a video, and where scenes begin, while nobody waits for anything."""

import time
from array import array
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import noise, write_clip, write_images

from vidgru.core.errors import VideoError
from vidgru.tools.label import activity
from vidgru.tools.label.activity import Track
from vidgru.tools.label.frames import FrameSource
from vidgru.video.seek import FrameIndex


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of stillness, two of a bar that moves, and two of another scene."""
    frames = np.concatenate([noise(1, seed=seed).repeat(20, 0) for seed in (0, 0, 1)])
    for number in range(20, 40):
        frames[number, :, number % 32] = 255
    return write_clip(tmp_path_factory.mktemp("activity") / "a.avi", frames, 10)


@pytest.fixture
def source(video: Path) -> Iterator[FrameSource]:
    source = FrameSource([video, video])
    yield source
    source.close()


def energy(source: FrameSource, number: int, known: int) -> list[float]:
    """Return how much moves once so much is known."""
    until = time.monotonic() + 60
    while source.describe(number)["activity"]["known"] < known:
        assert time.monotonic() < until
        time.sleep(0.01)
    return array("f", source.energy(number, 0)).tolist()


def test_motion_and_scenes_are_found_beside_all_else(source: FrameSource) -> None:
    found = energy(source, 0, 60)
    assert source.describe(0)["activity"]["fps"] == 10
    assert len(found) == 60
    assert {*found[:20], *found[41:]} == {0.0}
    assert min(found[20:40]) > 5
    assert [number for number, value in enumerate(found) if value < 0] == [40]
    assert array("f", source.energy(0, 59)).tolist() == found[59:]


def test_it_lets_those_pass_who_wait_for_a_frame(source: FrameSource) -> None:
    index = source.open(0).index
    index.urgent += 1
    known = energy(source, 0, 0)
    time.sleep(0.3)
    assert len(energy(source, 0, 0)) <= len(known) + 1
    index.urgent -= 1
    assert len(energy(source, 0, 60)) == 60


def test_two_videos_give_way_to_each_other_and_nothing_is_lost(
    source: FrameSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "LEFT", 0.0)
    first = source.open(0)
    first.index.urgent += 1  # until the second one is asked for
    energy(source, 0, 0)
    source.open(1)
    assert len(energy(source, 1, 0)) == 0
    first.index.urgent -= 1
    assert len(energy(source, 1, 60)) == 60
    assert energy(source, 0, 60) == energy(source, 1, 60)


def test_videos_that_nobody_asks_for_any_more_are_read_to_the_end(
    video: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "LEFT", 0.0)
    reading, tracks = activity.Activity(), [Track(video, FrameIndex(video)) for _ in range(2)]
    for track in tracks:
        reading.ask(track)
    until = time.monotonic() + 30
    while not all(track.complete for track in tracks):
        assert time.monotonic() < until
        time.sleep(0.01)
    reading.close()
    assert [len(track.energy) for track in tracks] == [60, 60]


def test_reading_resumes_where_it_was_left(video: Path) -> None:
    whole, parts = (Track(video, FrameIndex(video)) for _ in range(2))
    for _ in whole.read():
        pass
    for most in (5, 30, 100):
        for number, _ in enumerate(parts.read()):
            if number == most:
                break
    assert (parts.complete, parts.energy) == (True, whole.energy)


def test_pictures_of_several_sizes_are_compared_in_one(tmp_path: Path) -> None:
    folder = write_images(
        tmp_path / "images", noise(1).repeat(9, 0), [f"{n}.png" for n in range(9)]
    )
    for number in (3, 4):
        cv2.imwrite(str(folder / f"{number}.png"), np.zeros((50, 20, 3), np.uint8))
    track = Track(folder, FrameIndex(folder))
    for _ in track.read():
        pass
    # Of 25 pictures a second, every other one is compared.
    assert [value != 0 for value in track.energy] == [False, False, True, True, False]


def test_a_video_that_is_gone_is_left_out(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.avi", noise(30), 10)
    track = Track(path, FrameIndex(path))
    path.unlink()
    with pytest.raises(VideoError):
        next(track.read())
    source = activity.Activity()
    source.ask(track)
    until = time.monotonic() + 60
    while not track.complete and time.monotonic() < until:
        time.sleep(0.01)
    source.close()
    assert (track.complete, len(track.energy)) == (True, 0)
