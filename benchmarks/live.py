"""How late the answers to a live stream are, and whether memory stays flat.

    python benchmarks/live.py [--model RUN] [--seconds 180]

An HTTP server (FFmpeg) streams 30 frames/s, each marked with the time when it was drawn; half-way
the server is killed, and is back two seconds later. Needs ffmpeg. Without --model it trains one.
"""

import argparse
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray

import vidgru
from vidgru.tasks.classify import live as verb
from vidgru.video import live
from vidgru.video.live import LiveFrame, live_frames
from vidgru.video.read import shrink
from vidgru.video.results import LiveEvent

SAMPLES = Path(__file__).parents[1] / "sample_videos"
WIDTH, HEIGHT, FPS = 640, 480, 30
BITS = 32  # of the time, in milliseconds, as 16 x 2 squares
SIDE = WIDTH // 16
AWAY = 2.0  # seconds without a server


def draw(number: int, stamp: int) -> NDArray[np.uint8]:
    """Return a picture with a square that moves, under the time in black and white squares."""
    picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    x, y = number * 4 % (WIDTH - 100), 230 + round(80 * np.sin(number / 20))
    picture[y : y + 100, x : x + 100] = 200, 220, 240
    bits = np.array([stamp >> n & 1 for n in range(BITS)], np.uint8).reshape(2, 16)
    picture[: 2 * SIDE] = np.kron(bits, np.full((SIDE, SIDE), 255, np.uint8))[..., None]
    return picture


def read_stamp(picture: NDArray[np.uint8]) -> int:
    """Return the time that `draw` wrote into a picture, whatever its codec made of it."""
    squares = picture[: 2 * SIDE].mean(2).reshape(2, SIDE, 16, SIDE).mean((1, 3)) > 127
    return sum(int(bit) << n for n, bit in enumerate(squares.ravel()))


def now() -> int:
    """Return milliseconds that fit into the squares."""
    return time.monotonic_ns() // 1_000_000 % (1 << BITS)


def serve(url: str, codec: str) -> None:
    """Draw frames and let FFmpeg send them, endlessly; this is a process of its own."""
    formats = {
        "h264": ["libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "30"],
        "mjpeg": ["mjpeg", "-q:v", "4"],
    }
    sizes = ["-video_size", f"{WIDTH}x{HEIGHT}", "-framerate", str(FPS), "-pixel_format", "bgr24"]
    command = [
        *["ffmpeg", "-loglevel", "quiet", "-f", "rawvideo", *sizes, "-i", "pipe:0"],
        *["-c:v", *formats[codec], "-f", "mpegts" if codec == "h264" else "mpjpeg"],
        *["-flush_packets", "1", "-listen", "1", url],
    ]
    sender = subprocess.Popen(command, stdin=subprocess.PIPE)

    def end(number: int, frame: object) -> None:
        sender.kill()
        sys.exit()

    signal.signal(signal.SIGTERM, end)
    if sender.stdin is None:
        sys.exit("A pipe was asked for.")
    due, number = time.monotonic(), 0
    while True:
        try:
            sender.stdin.write(draw(number, now()).tobytes())
            sender.stdin.flush()
        except BrokenPipeError:
            return
        number += 1
        due = max(due + 1 / FPS, time.monotonic() - 0.1)  # it stood still until a client came
        time.sleep(max(due - time.monotonic(), 0))


class Server:
    """The server's process, started anew whenever it ends, unless it is away."""

    def __init__(self, url: str, codec: str) -> None:
        self.command = [sys.executable, __file__, "--serve", url, "--codec", codec]
        self.away, self.done = threading.Event(), threading.Event()
        self.process = subprocess.Popen(self.command)
        threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        while not self.done.is_set():
            if self.process.poll() is not None and not self.away.is_set():
                self.process = subprocess.Popen(self.command)
            time.sleep(0.05)

    def kill(self) -> None:
        """End it, and let it come back after a while."""
        self.away.set()
        self.process.terminate()
        threading.Timer(AWAY, self.away.clear).start()

    def close(self) -> None:
        """End it finally."""
        self.done.set()
        self.process.terminate()
        self.process.wait()


def megabytes() -> float:
    """Return the memory that this process holds."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def describe(name: str, values: list[float]) -> None:
    """Print median, 95th percentile and maximum of seconds, as milliseconds."""
    ranked = sorted(values)
    found = statistics.median(ranked), ranked[int(0.95 * (len(ranked) - 1))], ranked[-1]
    print(f"{name:28}" + "".join(f"{1000 * value:9.0f}" for value in found))


def measure(model: str, seconds: float, codec: str) -> None:
    """Read the stream for some seconds, and print the results."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/live"
    stamps: dict[bytes, int] = {}
    last: list[int] = [0, 0]  # time written into the newest picture, number of the newest sample

    def noting(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        small = shrink(image, size)
        stamps[small.tobytes()] = read_stamp(image)
        while len(stamps) > 50:
            stamps.pop(next(iter(stamps)))
        return small

    def watched(*args: object) -> Iterator[LiveFrame]:
        inner = live_frames(*args)  # type: ignore[arg-type]
        try:
            for frame in inner:
                last[:] = stamps.get(frame.rgb[..., ::-1].tobytes(), 0), frame.index
                yield frame
        finally:
            inner.close()

    def tell(event: LiveEvent) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {event.sentence}", flush=True)

    mock.patch.object(live, "shrink", noting).start()
    mock.patch.object(verb, "live_frames", watched).start()
    loaded = vidgru.load(model, threads=1)
    size, rate = loaded.spec.size, loaded.spec.fps
    print(f"{codec}, {WIDTH}x{HEIGHT}, {FPS} frames/s; model: {size}x{size}, {rate:g} frames/s")
    server = Server(url, codec)
    began, killed = time.monotonic(), False
    whole: list[float] = []
    delays: list[float] = []
    memory: dict[int, float] = {}
    held_again = dropped = reconnects = seen = 0
    for moment in verb.watch(loaded, url, tell):
        passed = time.monotonic() - began
        if last[1] == seen:
            held_again += 1
        elif last[0]:
            whole.append((now() - last[0]) % (1 << BITS) / 1000)
        seen = last[1]
        delays.append(moment.delay)
        dropped, reconnects = moment.dropped, moment.reconnects
        memory.setdefault(int(passed) // 30 * 30, megabytes())
        if passed > seconds / 2 and not killed:
            killed = True
            server.kill()
        if passed > seconds:
            break
    server.close()
    print(f"answers {len(delays)}, with a stamp {len(whole)}, of held frames {held_again}, "
          f"dropped {dropped}, reconnects {reconnects}")  # fmt: skip
    print(f"{'milliseconds':28}{'median':>9}{'95 %':>9}{'most':>9}")
    describe("frame drawn -> answer", whole)
    describe("frame arrived -> answer", delays)
    memory[int(seconds)] = megabytes()
    print("memory: " + ", ".join(f"{at} s {size:.1f} MB" for at, size in memory.items()))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model")
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--codec", choices=["h264", "mjpeg"], default="h264")
    parser.add_argument("--serve", metavar="URL", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.codec)
        return
    if shutil.which("ffmpeg") is None:
        sys.exit("This needs ffmpeg.")
    with tempfile.TemporaryDirectory() as name:
        model = args.model
        if model is None:
            model = str(Path(name) / "run")
            vidgru.train(SAMPLES, epochs=4, size=16, threads=1, out=model)
        measure(model, args.seconds, args.codec)


if __name__ == "__main__":
    main()
