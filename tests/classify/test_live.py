"""The clockwork of live sources, by a clock that stands still between steps."""

from collections import Counter
from collections.abc import Callable, Container
from contextlib import suppress
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_clock import Clock, Nothing, nothing

from vidgru.core.errors import VideoError
from vidgru.video import live
from vidgru.video.live import LiveFrame
from vidgru.video.results import LiveEvent

SIZE = (16, 16)


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
    monkeypatch.setattr(reader, "_offer", lambda rgb, arrived, large: offered.append(rgb[0, 0, 0]))
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
    # Of ten samples the newest is kept, as nothing was requested meanwhile.
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
