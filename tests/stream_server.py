"""Real servers of endless video on loopback: FFmpeg over HTTP, GStreamer over RTSP."""

import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FFMPEG = shutil.which("ffmpeg")
DEBIAN_PYTHON = (
    "/usr/bin/python3"  # which finds the bindings of Debian's gir1.2-gst-rtsp-server-1.0
)
RTSP = """
import sys
import gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
needed = "videotestsrc", "x264enc", "rtph264pay"
sys.exit("lacks a plugin") if not all(map(Gst.ElementFactory.find, needed)) else None
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=96,height=72,framerate=30/1"
    " ! x264enc tune=zerolatency key-int-max=15 ! rtph264pay name=pay0 pt=96 )"
)
server.get_mount_points().add_factory("/ball", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
"""


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


class HttpServer:
    """Streams a clip again and again at its own speed, by FFmpeg's HTTP listener.

    That serves one client and ends when it goes, so it is started anew each time.
    """

    def __init__(self, clip: Path) -> None:
        self.clip, self.port = clip, free_port()
        self.url = f"http://127.0.0.1:{self.port}/live"
        self.stopping = threading.Event()
        self.up = threading.Event()
        self.process: subprocess.Popen[bytes] | None = None
        self.lock = threading.Lock()
        self.up.set()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        loop = ["-re", "-stream_loop", "-1", "-i", str(self.clip)]
        video = ["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj444p", "-f", "mpjpeg"]
        while not self.stopping.is_set():
            if not self.up.wait(0.05):
                continue
            with self.lock:
                if not self.up.is_set():
                    continue
                self.process = subprocess.Popen(
                    [str(FFMPEG), "-loglevel", "quiet", *loop, *video, "-listen", "1", self.url],
                    stdin=subprocess.DEVNULL,
                )
            self.process.wait()

    def kill(self) -> None:
        """Break the stream off, and stay away until `restart`."""
        self.up.clear()
        with self.lock:
            if self.process is not None:
                self.process.kill()
                self.process.wait()

    def freeze(self) -> None:
        """Keep the connection, and send nothing any more."""
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def restart(self) -> None:
        self.up.set()


@contextmanager
def http_server(clip: Path) -> Iterator[HttpServer]:
    server = HttpServer(clip)
    try:
        yield server
    finally:
        server.stopping.set()
        server.kill()
        server.thread.join()


@contextmanager
def rtsp_server() -> Iterator[str | None]:
    """Serve a ball that bounces at 30 frames/s; None where GStreamer's RTSP server is absent."""
    if not Path(DEBIAN_PYTHON).exists():
        yield None
        return
    port = free_port()
    process = subprocess.Popen(
        [DEBIAN_PYTHON, "-c", RTSP, str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    if process.stdout is None:
        sys.exit("A pipe was asked for.")
    try:
        ready = process.stdout.readline() == b"ready\n"
        yield f"rtsp://127.0.0.1:{port}/ball" if ready else None
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
