"""Live sources: real servers on loopback, cameras as OpenCV shows them, and the clockwork."""

import json
import logging
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from helpers import moving_squares, noise, running, write_clip
from hypothesis import given
from hypothesis import strategies as st
from stream_server import FFMPEG, free_port, http_server, rtsp_server

from vidgru import TrainResult, load
from vidgru.core.address import is_live, masked
from vidgru.core.errors import OptionError, VideoError
from vidgru.core.text import clock
from vidgru.tasks.classify import live_cli as cli
from vidgru.tasks.classify.live import watch
from vidgru.tasks.classify.timeline import LiveMoment
from vidgru.video import live
from vidgru.video.live import LiveFrame, live_frames
from vidgru.video.read import open_video
from vidgru.video.results import LiveEvent

Vidgru = Callable[..., Any]
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg is installed")
SIZE = (16, 16)


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """Return a clip of a square that moves right for ever, when looped: 24 steps lead around."""
    return moving_squares(tmp_path / "right.avi", 2, 5, count=48)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FIRST_RETRY", 0.02)
    monkeypatch.setattr(live, "LONGEST_RETRY", 0.08)


# What is live, and what of it may be shown


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("camera:0", True),
        ("CAMERA:12", True),
        ("rtsp://host/a", True),
        ("https://host/a", True),
        ("ftp://host/a", True),
        ("camera:", False),
        ("camera:x", False),
        ("./camera:0", False),
        ("http:x", False),
        ("./http://x", False),
        (Path("camera:0"), False),
        ("clip.mp4", False),
        ("C:\\clip.mp4", False),
        ("C://clip.mp4", False),
    ],
)
def test_what_is_live(source: object, expected: bool) -> None:
    assert is_live(source) is expected


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("camera:0", "camera:0"),
        ("rtsp://host:554/a", "rtsp://host:554/a"),
        ("rtsp://me:secret@host/a", "rtsp://***@host/a"),
        ("rtsp://me:se@c/r?e#t@host/a", "rtsp://***@host/a"),
        ("http://host/a?user=me&pwd=secret", "http://host/a?***"),
        ("http://host/a#secret", "http://host/a?***"),
        ("http://me:secret@host/a?pwd=secret\nsecret", "http://***@host/a?***"),
    ],
)
def test_secrets_are_masked(source: str, shown: str) -> None:
    assert masked(source) == shown


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["ftp://me:secret@host/a"], "Invalid source ftp://***@host/a. Live are camera:0 and "
         "rtsp://, rtsps://, http://, https://; give a file by its path."),
        (["file:///clips/a.mp4"], "Invalid source file:///clips/a.mp4. Live are camera:0 and "
         "rtsp://, rtsps://, http://, https://; give a file by its path."),
        (["camera:100"], "Invalid source camera:100. Cameras are camera:0 to camera:99."),
        (["http://me:secret@host/a b"], "Invalid source http://***@host/a b. An address holds "
         "neither blanks nor control characters."),
        (["http://host/a\0b"], "Invalid source http://host/a\\x00b. An address holds neither "
         "blanks nor control characters."),
        (["clip.mp4", "rtsp://me:secret@host/a"],
         "Give rtsp://***@host/a by itself: it is live, without an end."),
        (["camera:0", "camera:1"], "Give camera:0 by itself: it is live, without an end."),
        (["camera:0", "--csv", "a.csv"], "Leave out --csv: camera:0 is live."),
        (["camera:0", "--top", "3"], "Leave out --top: camera:0 is live."),
    ],
)  # fmt: skip
def test_wrong_usage(vidgru: Vidgru, words: list[str], sentence: str) -> None:
    done = vidgru("predict", *words)
    assert (done.code, done.out, done.err) == (2, "", f"Error: {sentence}\n")


def test_a_file_may_be_called_like_a_camera(
    vidgru: Vidgru, trained: TrainResult, squares: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(squares.parent)
    squares.rename("camera:0")
    done = vidgru("predict", "./camera:0", "--model", trained.run, "--json")
    assert (done.code, json.loads(done.out)["source"]) == (0, "camera:0")


def test_a_whole_answer_needs_an_end(trained: TrainResult) -> None:
    with pytest.raises(OptionError, match=r"^rtsp://\*\*\*@host/a is no file or folder\."):
        load(trained.run).predict("rtsp://me:secret@host/a")


# Cameras, as far as OpenCV shows them


def test_no_such_camera(vidgru: Vidgru, trained: TrainResult) -> None:
    done = vidgru("predict", "camera:99", "--model", trained.run, "--quiet")
    sentence = "Error: Cannot open camera:99: there is no such camera, or it is in use.\n"
    assert (done.code, done.out, done.err) == (1, "", sentence)
    with pytest.raises(VideoError, match="no such camera"):
        next(load(trained.run).stream("camera:99"))


class Camera:
    """Stands for cv2.VideoCapture: shows one picture each time that one is asked for."""

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


@pytest.mark.usefixtures("quick")
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


@pytest.mark.usefixtures("quick")
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
        # The next one is made when it is asked for; one more tells of the end.
        asked.release(1 + (len(answers[0]) == 30 and not answers[1]))
    moments.close()
    # It begins afresh.
    assert answers == [expected[:30], expected]
    assert len(set(expected)) > 20


# The clockwork, by a clock that stands still between steps


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now + 5e8


class Nothing(Exception):  # noqa: N818
    """There is nothing to take yet."""


def nothing(seconds: float) -> None:
    assert 0 < seconds <= 0.5
    raise Nothing


def simulate(
    fps: float, arrivals: list[float], cost: float, behind: list[tuple[bool, float]] | None = None
) -> tuple[list[LiveFrame], int]:
    """Return the samples of frames that arrive at these times, each taking `cost` to answer.

    `behind` gets whether each was held, and how long it was due, or its frame there, by then.
    """
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "time", clock)
        reader = live._Reader("http://host/", fps, SIZE)
        patch.setattr(reader._news, "wait", nothing)
        picture = np.zeros((16, 16, 3), np.uint8)
        taken: list[LiveFrame] = []
        free, begun = 1000.0, False
        steps = sorted({*arrivals, *np.arange(0, arrivals[-1], 0.1 / fps).tolist()})
        for step in steps:
            clock.now = 1000.0 + step
            if step in arrivals:
                reader._index += 1
                if not begun:
                    reader._begin(clock.now)
                    reader.next()  # that it is connected
                    begun = True
                if reader._is_wanted(clock.now):
                    reader._offer(picture, clock.now)
            if begun and clock.now >= free:
                with suppress(Nothing):
                    item = reader.next()
                    assert isinstance(item, LiveFrame)
                    if behind is not None:
                        again = bool(taken) and taken[-1].index == item.index
                        since = 1000 + item.time if again else max(1000 + item.time, item.arrived)
                        behind.append((again, clock.now - since))
                    taken.append(item)
                    free = clock.now + cost
        return taken, reader._dropped


@given(st.lists(st.floats(-0.45, 0.45), min_size=20, max_size=60), st.floats(1, 60))
def test_frames_that_jitter_are_each_taken_once(jitter: list[float], fps: float) -> None:
    arrivals = [0.0, *((n + 1 + late) / fps for n, late in enumerate(jitter))]
    taken, dropped = simulate(fps, arrivals, 0)
    assert [frame.index for frame in taken] == list(range(1, len(arrivals) + 1))
    assert [frame.time for frame in taken] == pytest.approx(np.arange(len(arrivals)) / fps)
    assert dropped == 0


@pytest.mark.parametrize("rate", [10.01, 12.5, 25, 29.97, 30, 60])
def test_of_faster_sources_frames_are_taken_at_the_rate(rate: float) -> None:
    taken, dropped = simulate(10, [n / rate for n in range(round(20 * rate))], 0)
    assert len(taken) == pytest.approx(200, abs=1)
    assert dropped == 0
    assert all(b.index > a.index for a, b in pairwise(taken))
    # From half a period early on, the first one that comes.
    early = [1000 + frame.time - 0.05 - frame.arrived for frame in taken[1:]]
    assert max(early) < 1e-9
    assert min(early) > -1 / rate - 1e-9


@pytest.mark.parametrize("rate", [1, 2.5, 5, 7, 9.99])
def test_of_slower_sources_frames_are_held(rate: float) -> None:
    taken, dropped = simulate(10, [n / rate for n in range(round(20 * rate))], 0)
    assert len(taken) == pytest.approx(200, abs=10 / rate + 2)
    assert dropped == 0
    assert [frame.time for frame in taken] == pytest.approx(np.arange(len(taken)) / 10)
    shown = Counter(frame.index for frame in taken)
    assert set(shown) >= set(range(1, round(20 * rate)))
    assert max(shown.values()) <= np.ceil(10 / rate) + 1


@pytest.mark.parametrize("rate", [0.5, 5, 10, 30])
@pytest.mark.parametrize("cost", [0.13, 0.25, 1.7])
def test_a_slow_machine_drops_frames_and_never_falls_behind(rate: float, cost: float) -> None:
    behind: list[tuple[bool, float]] = []
    taken, dropped = simulate(10, [n / rate for n in range(round(20 * rate))], cost, behind)
    assert 0.8 * 18 / cost < len(taken) <= 20 / cost + 2
    # Each sample was either answered or is counted.
    assert len(taken) + dropped == pytest.approx(200, abs=10 / rate + 12)
    assert [frame.dropped for frame in taken] == sorted(frame.dropped for frame in taken)
    # No longer than until the next frame, or for two samples where there is none.
    assert max([late for held, late in behind if held], default=0) < 0.22
    assert max(late for held, late in behind if not held) < 1 / rate + 0.22


class Flood:
    """Stands for cv2.VideoCapture: some frames lie ready, then one comes every 40 ms.

    Frames whose numbers, counted down to 0, are among `bad` cannot be decoded.
    """

    def __init__(self, clock: Clock, ready: int, then: int, bad: Container[int] = ()) -> None:
        self.clock, self.ready, self.left, self.bad = clock, ready, ready + then, bad
        self.frame = -1
        self.says = dict.fromkeys((cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT), 16.0)
        self.says |= {cv2.CAP_PROP_FPS: 25.0, cv2.CAP_PROP_FRAME_COUNT: -1e17}

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def set(self, prop: int, value: float) -> bool:
        return True

    def release(self) -> None:
        pass

    def grab(self) -> bool:
        self.ready -= 1
        self.left -= 1
        self.frame += 1
        self.clock.now += 0.04 if self.ready < 0 else 0.001
        return self.left >= 0

    def retrieve(self) -> tuple[bool, np.ndarray | None]:
        if self.left in self.bad:
            return False, None
        return True, np.full((16, 16, 3), self.left % 256, np.uint8)

    def get(self, prop: int) -> float:
        return 40.0 * self.frame if prop == cv2.CAP_PROP_POS_MSEC else self.says[prop]


@pytest.mark.parametrize(("ready", "first"), [(0, 9), (1, 9), (30, 9), (5000, 3009)])
def test_what_lies_ready_at_first_is_not_the_newest(
    ready: int, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(live, "time", clock)
    reader = live._Reader("rtsp://host/", 25, SIZE)
    offered: list[int] = []
    monkeypatch.setattr(reader, "_offer", lambda rgb, arrived: offered.append(rgb[0, 0, 0]))
    lost, seconds = reader._read_from(Flood(clock, ready, 10))  # type: ignore[arg-type]
    # For ever it does not wait: that is no live stream then.
    assert offered[0] == first % 256
    assert offered[-1] == 0
    assert lost == "it broke off"
    assert seconds > 0.3


def test_frames_that_are_too_large() -> None:
    flood = Flood(Clock(), 0, 1)
    flood.says = dict.fromkeys(flood.says, 20000.0)
    reader = live._Reader("rtsp://me:secret@host/", 25, SIZE)
    sentence = r"^Cannot read rtsp://\*\*\*@host/: frames of 20000x20000 pixels are too large\.$"
    with pytest.raises(VideoError, match=sentence):
        reader._read_from(flood)  # type: ignore[arg-type]


@pytest.fixture
def by_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[LiveFrame | LiveEvent]]:
    """Return what runs a reader of 25 samples/s through these connections, each one a Flood.

    Its time is a clock that goes on 60 s between them, in which nothing must be shown. After the
    last one it stops.
    """

    def run(source: str, *sessions: Flood) -> list[LiveFrame | LiveEvent]:
        clock, left = sessions[0].clock, list(sessions)
        reader = live._Reader(source, 25, SIZE)
        shown: list[LiveFrame | LiveEvent] = []

        def drain() -> None:
            with suppress(Nothing):
                while (item := reader.next()) is not None:
                    shown.append(item)

        def wait(seconds: float) -> None:
            if reader._items and isinstance(reader._items[-1], LiveEvent):  # between two
                drain()
                reader.stop.set() if not left else None
                clock.now += 60
                drain()
            else:  # a recording's next frame
                clock.now += seconds

        monkeypatch.setattr(live, "time", clock)
        monkeypatch.setattr(live, "_open", lambda source: left.pop(0))
        monkeypatch.setattr(reader._news, "wait", nothing)
        monkeypatch.setattr(reader.stop, "wait", wait)
        reader.run()
        drain()
        return shown

    return run


def words(shown: list[LiveFrame | LiveEvent]) -> list[str]:
    return [item.sentence for item in shown if isinstance(item, LiveEvent)]


def test_time_without_a_stream_is_not_dropped(by_clock: Callable[..., Any]) -> None:
    clock = Clock()
    shown = by_clock("rtsp://host/", Flood(clock, 0, 10), Flood(clock, 0, 10))
    before, after = (item for item in shown if isinstance(item, LiveFrame))
    # Of ten samples the newest is kept, as nobody asked meanwhile.
    assert (before.dropped, after.dropped) == (9, 18)
    assert (before.connection, after.connection) == (0, 1)
    assert after.time - before.time == pytest.approx(60 + 0.04 * 11, abs=0.04)


FOREVER = range(10**6)


def test_a_stream_that_cannot_be_decoded_is_lost(by_clock: Callable[..., Any]) -> None:
    clock = Clock()
    # The third ends at once; the fourth has a good picture, then is bad for too long.
    floods = [Flood(clock, 0, 10**5, FOREVER) for _ in range(2)]
    floods += [Flood(clock, 0, 20, FOREVER), Flood(clock, 0, 1000, range(990))]
    # What has shown a picture is tried for ever.
    floods += [Flood(clock, 0, 10**5, FOREVER) for _ in range(6)]
    began = clock.now
    shown = by_clock("rtsp://host/", *floods)
    said = " rtsp://host/: its frames cannot be decoded. Trying again in {} s."
    delays = "0.5", "1", "2", "4", "8", "16", "30", "30", "30", "30"
    expected = [("Cannot connect to" + said).format(delay) for delay in delays[:3]]
    expected += ["Connected to rtsp://host/.", *[("Lost" + said).format(d) for d in delays[3:]]]
    assert words(shown) == expected
    # Ten seconds each but for the third.
    assert clock.now - began == pytest.approx(9 * 10 + 10 * 60, abs=2)


def test_a_stream_that_never_shows_a_picture_is_given_up(by_clock: Callable[..., Any]) -> None:
    clock = Clock()
    floods = [Flood(clock, 0, 20, FOREVER) for _ in range(9)]
    sentence = r"^Cannot connect to http://\*\*\*@host/: its frames cannot be decoded\.$"
    with pytest.raises(VideoError, match=sentence):
        by_clock("http://me:secret@host/", *floods)


def test_a_stream_may_be_bad_for_a_while(by_clock: Callable[..., Any]) -> None:
    clock = Clock()
    shown = by_clock("rtsp://host/", Flood(clock, 0, 1000, [*range(30, 270), *range(500, 740)]))
    assert words(shown) == [
        "Connected to rtsp://host/.",
        "Lost rtsp://host/: it broke off. Trying again in 0.5 s.",
    ]


@pytest.mark.parametrize(
    ("frames", "count", "fps", "ending"),
    [
        (500, 500, 25, None),
        (480, 500, 25, None),  # 4 %
        (24, 48, 25, None),  # 0.96 s
        (500, 600, 30, None),  # ends in time, whatever their number
        (464, 500, 25, "18.6 s of 20.0 s"),
        (250, 500, 25, "10.0 s of 20.0 s"),
        (10, 10, 0.1, None),  # comes whole, but the last one is to be shown for long
    ],
)
def test_a_recording_that_ends_too_early(
    by_clock: Callable[..., Any], frames: int, count: int, fps: float, ending: str | None
) -> None:
    flood = Flood(Clock(), frames, 0)
    flood.says |= {cv2.CAP_PROP_FRAME_COUNT: float(count), cv2.CAP_PROP_FPS: fps}
    expected = ["Connected to http://***@host/."]
    if ending is not None:
        expected.append(f"Only a part of http://***@host/ came: it ended at {ending}.")
    assert words(by_clock("http://me:secret@host/", flood)) == expected


def test_a_recording_plays_on_when_some_of_it_is_bad(by_clock: Callable[..., Any]) -> None:
    flood = Flood(Clock(), 1000, 0, range(100, 900))
    flood.says[cv2.CAP_PROP_FRAME_COUNT] = 1000.0
    shown = by_clock("http://host/", flood)
    assert words(shown) == ["Connected to http://host/."]
    assert shown[-1].index == 1000


# Real streams


@needs_ffmpeg
def test_over_http_with_the_server_killed_and_restarted(
    trained: TrainResult,
    squares: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "FIRST_RETRY", 0.2)
    caplog.set_level(logging.INFO, "vidgru")
    model = load(trained.run)
    with http_server(squares) as server:
        moments = model.stream(server.url)
        before = list(islice(moments, 8))
        assert all(isinstance(moment, LiveMoment) for moment in before)
        server.kill()
        server.restart()
        after: list[LiveMoment] = []
        for moment in moments:
            assert isinstance(moment, LiveMoment)
            if moment.reconnects:
                after.append(moment)
            if len(after) == 7:
                break
        moments.close()  # type: ignore[attr-defined]
    for session in (before, after):
        # It begins afresh; where a slow machine drops frames, the same number covers more time.
        fresh = [m.time - session[0].time + 0.1 for m in session[:7]]
        assert [m.seconds for m in session[:7]] == pytest.approx(fresh)
    times = [moment.time for moment in (*before, *after)]
    assert all(a < b for a, b in pairwise(times))
    assert [t * 10 for t in times] == pytest.approx([round(t * 10) for t in times])
    assert after[0].wall - before[0].wall == pytest.approx(after[0].time, abs=0.3)
    sentences = [record.getMessage() for record in caplog.records]
    again = sentences[sentences.index(f"Connected to {server.url}.") + 1 :]
    assert again[0] == f"Lost {server.url}: it broke off. Trying again in 0.2 s."
    assert again[-1] == f"Connected to {server.url}."
    # The first time, too, it may have been there before its server.
    assert all(
        re.fullmatch(rf"Lost {server.url}: it cannot be opened, or .* in [0-9.]+ s\.", sentence)
        for sentence in again[1:-1]
    )


@needs_ffmpeg
def test_a_server_that_falls_silent(squares: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "READ_SECONDS", 1)
    events: list[LiveEvent] = []

    def tell(event: LiveEvent) -> None:
        events.append(event)
        if event.event == "lost" and "connected" in [event.event for event in events]:
            raise KeyboardInterrupt

    with http_server(squares) as server:
        frames = live_frames(server.url, 10, SIZE, tell)
        next(frames)
        server.freeze()
        held: defaultdict[int, list[float]] = defaultdict(list)
        with suppress(KeyboardInterrupt):
            for frame in frames:
                held[frame.index].append(frame.time)
    assert events[-1].error == "it broke off, after 1 s without a frame"
    # Until then, the last frame is shown, for about a second.
    last = held[max(held)]
    assert len(last) > 3
    assert 0.6 < last[-1] - last[0] < 5


def test_a_server_that_never_says_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "OPEN_SECONDS", 1)
    monkeypatch.setattr(live, "READ_SECONDS", 1)

    def tell(event: LiveEvent) -> None:
        raise VideoError(event.sentence)

    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/a"
        sentence = f"^Cannot connect to {url}: it does not answer within 1 s. Trying again in"
        with pytest.raises(VideoError, match=sentence):
            next(live_frames(url, 10, SIZE, tell))
    assert 0.9 < time.monotonic() - began < 10


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


class Refusing(Quiet):
    """Answers with the code that an address ends with, and a page."""

    def do_GET(self) -> None:
        page = b"<!doctype html><html><body><p>Welcome</p></body></html>" * 50
        self.send_response(int(self.path.partition("?")[0][-3:]))
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("127.0.0.1:{server}/401", "it asks for a user name and password, or for others (401 "
         "Unauthorized)"),
        ("127.0.0.1:{server}/403", "it refuses access (403 Forbidden)"),
        ("127.0.0.1:{server}/404", "there is nothing at this address (404 Not Found)"),
        ("127.0.0.1:{server}/410", "the server refuses the request (an error of the 400s)"),
        ("127.0.0.1:{server}/503", "the server fails (an error of the 500s)"),
        ("127.0.0.1:{server}/200", "what comes from there is no video, but perhaps a web page"),
        ("127.0.0.1:{free}/a", "nobody answers there: the connection is refused"),
        ("nobody.invalid/a", "there is no such host, or no network"),
        ("/a", "there is no host in this address"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("quick")
def test_what_never_connects_ends_with_its_reason(
    vidgru: Vidgru, trained: TrainResult, place: str, why: str
) -> None:
    with web_server(Path(), Refusing) as server:
        place = place.format(server=server.rpartition(":")[2], free=free_port())
        url = f"http://me:secret@{place}?pwd=secret"
        done = vidgru("predict", url, "--model", trained.run, "--quiet")
    said = f"Cannot connect to http://***@{place}?***: {why}."
    tries = [f"Warning: {said} Trying again in {s} s." for s in ("0.02", "0.04", "0.08")]
    assert done.err.splitlines() == [*tries, f"Error: {said}"]
    assert (done.code, done.out) == (1, "")


@pytest.mark.usefixtures("quick")
def test_nothing_at_an_address_of_rtsp(vidgru: Vidgru, trained: TrainResult) -> None:
    with rtsp_server() as url:
        if url is None:
            pytest.skip("no GStreamer RTSP server (gir1.2-gst-rtsp-server-1.0) is installed")
        url = url.replace("ball", "none")
        done = vidgru("predict", url, "--model", trained.run, "--json")
    said = f"Cannot connect to {url}: there is nothing at this address (404 Not Found)."
    assert (done.code, done.err.splitlines()[-1]) == (1, f"Error: {said}")
    assert [json.loads(line)["event"] for line in done.out.splitlines()] == ["failed"] * 3


def test_a_host_that_is_gone_after_it_was_there_is_tried_for_ever(
    by_clock: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    closed = Flood(clock, 0, 0)
    closed.isOpened = lambda: False  # type: ignore[method-assign]
    shown = by_clock("rtsp://nobody.invalid/", Flood(clock, 0, 10), *[closed] * 7)
    connected, broken, *lost = words(shown)
    assert connected == "Connected to rtsp://nobody.invalid/."
    assert broken.startswith("Lost rtsp://nobody.invalid/: it broke off.")
    assert len(lost) == 7
    assert all(sentence.startswith("Lost rtsp://nobody.invalid/: it can") for sentence in lost)


class Cut(Quiet):
    """Breaks off after the first half of a file."""

    def copyfile(self, source: Any, outputfile: Any) -> None:
        data = source.read()
        outputfile.write(data[: len(data) // 2])


@contextmanager
def web_server(folder: Path, handler: type[SimpleHTTPRequestHandler] = Quiet) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_file_on_a_web_server_is_played_once(
    vidgru: Vidgru, trained: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "log_event", refuse)
    write_clip(tmp_path / "clip.avi", noise(10), 10)
    with web_server(tmp_path) as server:
        url = f"{server}/clip.avi"
        done = vidgru("predict", url, "--model", trained.run, "--json")
    assert done.code == 0
    assert done.err == f"Connecting to {url} ...\nConnected to {url}.\n"
    connected, *answers, summary = map(json.loads, done.out.splitlines())
    assert connected["event"] == "connected"
    assert len(answers) == summary["answers"]
    # At its own speed, however fast it comes.
    assert 0.6 < answers[-1]["wall"] - answers[0]["wall"] < 5
    assert 0.6 < answers[-1]["time"] < 5
    assert summary["reconnects"] == 0


def test_a_file_that_breaks_off_on_its_way(
    vidgru: Vidgru, trained: TrainResult, tmp_path: Path
) -> None:
    write_clip(tmp_path / "clip.avi", noise(20), 10)
    ended = r"it ended at 0\.[3-9] s of 2\.0 s"
    with web_server(tmp_path, Cut) as server:
        url = f"{server}/clip.avi"
        done = vidgru("predict", url, "--model", trained.run, "--json")
    *_, event, summary = map(json.loads, done.out.splitlines())
    assert (done.code, event["event"], summary["event"]) == (1, "cut", "summary")
    assert re.fullmatch(ended, event["error"])
    assert summary["answers"] > 2
    # Warned of by the logger, as in Python.
    assert re.fullmatch(
        rf"Warning: Only a part of {url} came: {ended}\.", done.err.splitlines()[-1]
    )


def test_over_rtsp(trained: TrainResult) -> None:
    with rtsp_server() as url:
        if url is None:
            pytest.skip("no GStreamer RTSP server (gir1.2-gst-rtsp-server-1.0) is installed")
        moments = watch(load(trained.run), url, refuse)
        answers = list(islice(moments, 10))
        moments.close()
    assert answers[-1].wall - answers[0].wall == pytest.approx(answers[-1].time, abs=0.5)
    assert {answer.reconnects for answer in answers} == {0}


def refuse(event: LiveEvent) -> None:
    assert event.error is None, event.sentence


# The command line


@pytest.mark.parametrize(
    ("seconds", "digits", "shown"),
    [
        (0, 2, "0:00.00"),
        (59.994, 2, "0:59.99"),
        (59.996, 2, "1:00.00"),
        (3725.5, 2, "1:02:05.50"),
        (9.4, 0, "0:09"),
        (59.6, 0, "1:00"),
        (3599.9, 0, "1:00:00"),
        (36000, 0, "10:00:00"),
    ],
)
def test_a_time_is_told_like_a_clock(seconds: float, digits: int, shown: str) -> None:
    assert clock(seconds, digits) == shown


@contextmanager
def started(*words: object, **streams: Any) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "vidgru", "predict", *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | streams
    with running(command, **pipes) as process:
        yield process


@needs_ffmpeg
def test_lines_for_programs_until_it_is_interrupted(
    vidgru: Vidgru, trained: TrainResult, squares: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = cli._Screen.show

    def show_five(screen: cli._Screen, moment: LiveMoment) -> None:
        show(screen, moment)
        if screen.answers.total() == 5:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(cli._Screen, "show", show_five)
    with http_server(squares) as server:
        done = vidgru("predict", server.url, "--model", trained.run, "--json", "--quiet")
    assert done.code == 0
    lines = [json.loads(line) for line in done.out.splitlines()]
    answers = [line for line in lines if "event" not in line]
    assert set(answers[0]) == {
        "time", "seconds", "label", "unsure", "likeliest", "confidence", "threshold",
        "probabilities", "wall", "delay", "dropped", "reconnects",
    }  # fmt: skip
    # It may have been there before its server.
    assert {line["event"] for line in lines[: lines.index(answers[0])]} <= {"failed", "connected"}
    tries = "Warning: Cannot connect to http://127"
    assert all(line.startswith(tries) for line in done.err.splitlines())
    summary = lines[-1]
    assert (summary["event"], summary["source"]) == ("summary", server.url)
    assert summary["answers"] == len(answers) == 5
    assert sum(summary["shares"].values()) == pytest.approx(1)


def test_interrupted_while_it_waits_for_a_server_that_says_nothing(trained: TrainResult) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://me:secret@127.0.0.1:{silent.getsockname()[1]}/a"
        with started(url, "--model", trained.run) as process:
            connection, _ = silent.accept()  # so it waits
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=8)  # less than it would wait by itself
            connection.close()
    shown = url.replace("me:secret", "***")
    assert process.returncode == 1
    assert err == f"Connecting to {shown} ...\n"
    counts = "answers 0, sampled frames dropped 0, reconnects 0."
    assert re.fullmatch(rf"Watched {re.escape(shown)} for 0:0\d: {counts}\n", out)


@needs_ffmpeg
def test_in_a_terminal_one_line_changes(trained: TrainResult, squares: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    with (
        http_server(squares) as server,
        started(server.url, "--model", trained.run, **streams) as process,
    ):
        os.close(theirs)
        shown, interrupted = b"", False
        while True:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # the other side is closed
                break
            if not interrupted and shown.count(b" % ") >= 4:
                process.send_signal(signal.SIGTERM)
                interrupted = True
        os.close(ours)
        assert process.wait() == 0
    text = shown.decode()
    lines = re.findall(r"\r0:0\d  [█░]{10}  *\d+\.\d %  (?:left|right)  [^\r\n]* dropped", text)
    assert len(lines) >= 3
    last = text.splitlines()[-2:]
    assert last[0].startswith(f"Watched {server.url} for 0:0")
    assert re.fullmatch(r"Of the answers: (left|right) \d+\.\d %.*\.", last[1])
