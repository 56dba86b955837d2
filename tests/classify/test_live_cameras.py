"""Cameras, as far as OpenCV shows them."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from live_clock import Clock

from vidgru import TrainResult, load
from vidgru.core.errors import VideoError
from vidgru.tasks.classify.live import watch
from vidgru.video import live
from vidgru.video.live import live_frames
from vidgru.video.read import open_video
from vidgru.video.results import LiveEvent

Vidgru = Callable[..., Any]
SIZE = (16, 16)


def test_no_such_camera(vidgru: Vidgru, trained: TrainResult) -> None:
    done = vidgru("predict", "camera:99", "--model", trained.run, "--quiet")
    sentence = "Error: Cannot open camera:99: there is no such camera, or it is in use.\n"
    assert (done.code, done.out, done.err) == (1, "", sentence)
    with pytest.raises(VideoError, match="no such camera"):
        next(load(trained.run).stream("camera:99"))


class Camera:
    """Stands for cv2.VideoCapture: returns one picture at each request."""

    def __init__(self, pictures: list[np.ndarray], asked: threading.Semaphore) -> None:
        self.pictures, self.asked = iter(pictures), asked
        self.opened = bool(pictures)
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def grab(self) -> bool:
        self.asked.acquire()
        self.picture = next(self.pictures, None)
        return self.picture is not None

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        return self.picture is not None, self.picture

    def get(self, prop: int) -> float:
        return -1.0

    def set(self, prop: int, value: float) -> bool:
        return True

    def release(self) -> None:
        self.released = True


@pytest.mark.usefixtures("quick_retries")
def test_a_camera_that_is_unplugged_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    blue, red = np.zeros((2, 24, 32, 3), np.uint8)
    blue[..., 0] = red[..., 2] = 200
    asked = threading.Semaphore(3)
    sessions = [[blue], [], [cv2.resize(red, (100, 50))] * 3]
    cameras = [Camera(pictures, asked) for pictures in sessions]
    left = iter(cameras)
    monkeypatch.setattr(live.cv2, "VideoCapture", lambda number: next(left))
    events: list[LiveEvent] = []
    frames = live_frames("camera:7", 1000, SIZE, events.append)
    shown = [next(frames)]
    while shown[-1].connection == 0:
        shown.append(next(frames))
    frames.close()
    assert {frame.rgb.shape for frame in shown} == {(16, 16, 3)}
    assert (shown[0].time, shown[0].connection, shown[0].dropped) == (0, 0, 0)
    # OpenCV says blue first.
    assert shown[0].rgb[8, 8].tolist() == [0, 0, 200]
    assert shown[-1].rgb[8, 8].tolist() == [200, 0, 0]
    assert cameras[0].released
    assert [event.to_dict() | {"wall": 0} for event in events] == [
        {"event": "connected", "source": "camera:7", "wall": 0},
        {"event": "lost", "source": "camera:7", "wall": 0, "error": "it broke off",
         "retry_in": 0.02},
        {"event": "lost", "source": "camera:7", "wall": 0, "retry_in": 0.04,
         "error": "it cannot be opened, or shows no video that OpenCV can read"},
        {"event": "connected", "source": "camera:7", "wall": 0},
    ]  # fmt: skip


@pytest.mark.usefixtures("quick_retries")
def test_a_camera_says_what_a_file_says(
    trained: TrainResult, squares: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(trained.run)
    expected = [moment.probabilities for moment in model.stream(squares)]
    with open_video(squares) as video:
        pictures = [np.ascontiguousarray(frame.rgb[..., ::-1]) for frame in video]
    asked = threading.Semaphore(1)
    sessions = iter([Camera(pictures[:30], asked), Camera(pictures, asked)])
    monkeypatch.setattr(live.cv2, "VideoCapture", lambda number: next(sessions))
    monkeypatch.setattr(live._Reader, "_is_wanted", lambda self, arrived: True)
    # However slow this machine is, no sample comes due by itself.
    monkeypatch.setattr(live, "time", Clock())
    answers: list[list[tuple[float, ...]]] = [[], []]
    moments = watch(model, "camera:7")
    for moment in moments:
        answers[moment.reconnects].append(moment.probabilities)
        assert moment.dropped == 0
        if len(answers[1]) == len(pictures):
            break
        # The next one is made on request; one more signals the end.
        asked.release(1 + (len(answers[0]) == 30 and not answers[1]))
    moments.close()
    # It begins afresh.
    assert answers == [expected[:30], expected]
    assert len(set(expected)) > 20
