"""Live sources over the network: real servers on loopback."""

import json
import logging
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import cv2
import pytest
from helpers import noise, write_clip
from stream_server import FFMPEG, free_port, http_server, rtsp_server

from vidgru import TrainResult, load
from vidgru.core.errors import VideoError
from vidgru.tasks.classify import live_cli as cli
from vidgru.tasks.classify.live import watch
from vidgru.tasks.classify.timeline import LiveMoment
from vidgru.video import live
from vidgru.video.live import live_frames
from vidgru.video.results import LiveEvent

Vidgru = Callable[..., Any]
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg is installed")
SIZE = (16, 16)


@needs_ffmpeg
def test_over_http_with_the_server_killed_and_restarted(
    trained: TrainResult,
    squares: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "FIRST_RETRY", 0.2)
    monkeypatch.setattr(live, "FIRST_TRIES", 8)  # on a busy machine the server is slow to start
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
    tries = sentences.index(f"Connected to {server.url}.")
    again = sentences[tries + 1 :]
    # After many tries, what was seen before it broke off may have lasted no longer than the last.
    pause = "0.2" if tries < 2 else "[0-9.]+"
    broken = rf"Lost {re.escape(server.url)}: it broke off\. Trying again in {pause} s\."
    assert re.fullmatch(broken, again[0])
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


def test_a_silent_server(monkeypatch: pytest.MonkeyPatch) -> None:
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
    ],
)  # fmt: skip
@pytest.mark.usefixtures("quick_retries")
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


@pytest.mark.usefixtures("quick_retries")
def test_nothing_at_an_address_of_rtsp(vidgru: Vidgru, trained: TrainResult) -> None:
    with rtsp_server() as url:
        if url is None:
            pytest.skip("no GStreamer RTSP server (gir1.2-gst-rtsp-server-1.0) is installed")
        url = url.replace("ball", "none")
        done = vidgru("predict", url, "--model", trained.run, "--json")
    said = f"Cannot connect to {url}: there is nothing at this address (404 Not Found)."
    assert (done.code, done.err.splitlines()[-1]) == (1, f"Error: {said}")
    assert [json.loads(line)["event"] for line in done.out.splitlines()] == ["failed"] * 3


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


def test_an_index_at_the_end_of_a_file_that_is_sent_whole(
    vidgru: Vidgru, trained: TrainResult, tmp_path: Path
) -> None:
    codec = cv2.VideoWriter.fourcc(*"mp4v")  # OpenCV writes the index behind the pictures
    writer = cv2.VideoWriter(str(tmp_path / "clip.mp4"), codec, 10, (64, 48))
    for frame in noise(200, 48, 64):
        writer.write(frame)
    writer.release()
    with web_server(tmp_path) as server:
        url = f"{server}/clip.mp4"
        done = vidgru("predict", url, "--model", trained.run, "--quiet")
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"Error: Cannot read {url}: it says that it has 20.0 s, but sends no frame, as where the "
        "index of an mp4 is at its end and its server sends no parts. Download it, or write it "
        "anew with ffmpeg -movflags +faststart.\n"
    )


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
