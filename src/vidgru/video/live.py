"""Read a camera or a network stream: newest frame first, at a fixed rate, reconnecting."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass

import cv2

from vidgru.core.address import CAMERA, masked
from vidgru.core.errors import OptionError, VideoError
from vidgru.video.connect import host, why_not
from vidgru.video.read import MAX_PIXELS, Frame, Image, shrink
from vidgru.video.results import LiveEvent

FIRST_RETRY, LONGEST_RETRY = 0.5, 30.0  # seconds
OPEN_SECONDS = READ_SECONDS = 10  # without data, after which the connection counts as lost
CATCH_UP_SECONDS = 2.0
# FFmpeg delays one frame for each thread after the first.
DECODE_THREADS = 2
FIRST_TRIES = 4  # to connect for the first time
MAX_WAITING = 64  # unread events
CUT_SECONDS, CUT_SHARE = 1.0, 0.05  # a recording counts as cut if it lacks that much
UNDECODED = "its frames cannot be decoded"
PATIENCE = 0.5  # seconds to wait at the end for a reader that may hang in a network call

SCHEMES = ("rtsp", "rtsps", "http", "https")

log = logging.getLogger("vidgru")


@dataclass(frozen=True, eq=False)
class LiveFrame(Frame):
    """A frame of a live source; `time` counts from the very first frame.

    arrived: by the monotonic clock; wall: by the wall clock, unix seconds; dropped: samples that
    were due so far and were left out; connection: its number, from 0.
    """

    arrived: float
    wall: float
    dropped: int
    connection: int


def check_live(source: str) -> None:
    """Raise OptionError when a source of this name can never be read."""
    if camera := CAMERA.fullmatch(source):
        # From 100 on OpenCV takes a camera number for a backend.
        if len(camera[1]) > 2:
            raise OptionError(f"Invalid source {source}. Cameras are camera:0 to camera:99.")
        return
    if source.split(":")[0].lower() not in SCHEMES:
        names = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise OptionError(f"Invalid source {masked(source)}. Live are camera:0 and {names};"
                          " give a file by its path.")  # fmt: skip
    # OpenCV would crash on broken surrogates, and cut the address at a zero.
    if not source.isprintable() or " " in source:
        raise OptionError(f"Invalid source {masked(source)}. An address holds neither blanks nor"
                          " control characters.")  # fmt: skip
    if not host(source):
        raise OptionError(f"Invalid source {masked(source)}. There is no host in this address.")


def live_frames(
    source: str,
    fps: float,
    size: tuple[int, int],
    report: Callable[[LiveEvent], None],
    large: tuple[int, int] | None = None,
) -> Generator[LiveFrame, None, None]:
    """Yield the newest frame at a rate of `fps`, rgb uint8 of `size` (width, height).

    `large` is the size of `Frame.large`, if wanted.

    Samples are due at a fixed rate. Each is the first frame that arrives from half a period before
    it is due; if none has come a whole period after, the source is slower than `fps`, and its last
    frame is repeated, as with files. A reader thread reads continuously and keeps one frame only:
    of the samples that come due while the caller is busy, all but the newest are dropped, counted,
    and `time` skips them. So nothing ever falls behind, but to the network, which was trained at
    `fps`, objects then seem to move faster than they do.

    A lost connection is retried after 0.5 s, then twice as long each time up to 30 s, and 0.5 s
    again once frames came for longer than that; `report` gets each loss and connection in the
    caller's thread. A stream of which nothing can be decoded for 10 s counts as lost. A source that
    never gave a frame is given up after four tries. Otherwise it ends only with a recording: a web
    address whose video has a known length is played once, at its own speed, and `report` is called
    when it was incomplete. Raises OptionError, and VideoError for a source that is given up.
    """
    check_live(source)
    reader = _Reader(source, fps, size, large)
    thread = threading.Thread(target=reader.run, name="vidgru live", daemon=True)
    thread.start()
    try:
        while (item := reader.next()) is not None:
            if isinstance(item, LiveFrame):
                yield item
            else:
                report(item)
    finally:
        reader.stop.set()
        thread.join(PATIENCE)


def _open(source: str) -> cv2.VideoCapture:
    if camera := CAMERA.fullmatch(source):
        capture = cv2.VideoCapture(int(camera[1]))
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture
    params = {
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: 1000 * OPEN_SECONDS,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC: 1000 * READ_SECONDS,
        cv2.CAP_PROP_N_THREADS: DECODE_THREADS,
    }
    # Other FFmpeg options come from OPENCV_FFMPEG_CAPTURE_OPTIONS, which is not changed, since
    # files that are opened meanwhile would be read with them, too.
    pairs = [number for pair in params.items() for number in pair]
    return cv2.VideoCapture(source, cv2.CAP_FFMPEG, pairs)


def _length(capture: cv2.VideoCapture) -> float:
    """Return the declared length of a capture in seconds; absurd for endless ones."""
    return capture.get(cv2.CAP_PROP_FRAME_COUNT) / (capture.get(cv2.CAP_PROP_FPS) or 1)


class _Reader:
    """Reads in a thread of its own (`run`), and gives frames to another (`next`)."""

    def __init__(
        self, source: str, fps: float, size: tuple[int, int], large: tuple[int, int] | None = None
    ) -> None:
        self.source, self.fps, self.size, self.large = source, fps, size, large
        self.name = masked(source)
        self.stop = threading.Event()
        self._news = threading.Condition()  # guards all below
        # At most one frame among them, the newest, at the end.
        self._items: deque[LiveFrame | LiveEvent | BaseException | None] = deque(maxlen=MAX_WAITING)
        # Picture, arrived, wall, large picture.
        self._held: tuple[Image, float, float, Image | None] | None = None
        self._start = 0.0  # when the first frame of all arrived
        self._slot = 0  # number of the next sample
        self._dropped = self._index = 0
        self._connection = -1

    def next(self) -> LiveFrame | LiveEvent | None:
        """Wait for the next sample or event and return it; None at the end of a recording."""
        with self._news:
            while True:
                if self._items:
                    item = self._items.popleft()
                    if isinstance(item, BaseException):
                        raise item
                    return item
                wait = 0.5
                if self._held is not None:
                    late = (time.monotonic() - self._start) * self.fps - self._slot
                    if late >= 1:
                        self._skip(int(late - 1))
                        return self._sample(*self._held)
                    wait = min(wait, (1 - late) / self.fps)
                self._news.wait(wait)

    def _sample(self, rgb: Image, arrived: float, wall: float, large: Image | None) -> LiveFrame:
        due = self._slot / self.fps
        self._slot += 1
        at = self._index, arrived, wall, self._dropped, self._connection
        return LiveFrame(rgb, due, *at, large=large)

    def _skip(self, samples: int) -> None:
        """Skip samples that there was no time for."""
        self._slot += samples
        self._dropped += samples

    def run(self) -> None:
        """Reconnect until `stop` is set or a recording ends."""
        retry, tries = 0.0, 0
        try:
            while not self.stop.is_set():
                lost, seconds = self._read()
                if lost is None:
                    break
                tries += 1
                if self._connection < 0 and tries == FIRST_TRIES:
                    raise VideoError(f"Cannot connect to {self.name}: {lost}.")
                retry = min(2 * retry, LONGEST_RETRY) if 0 < retry >= seconds else FIRST_RETRY
                with self._news:
                    self._held = None
                    event = "failed" if self._connection < 0 else "lost"
                    self._put(LiveEvent(event, self.name, time.time(), lost, retry))
                self.stop.wait(retry)
            with self._news:
                self._put(None)
        except BaseException as error:  # raised in the caller's thread
            with self._news:
                self._put(error)

    def _put(self, item: LiveFrame | LiveEvent | BaseException | None) -> None:
        if isinstance(item, LiveFrame) and self._items and isinstance(self._items[-1], LiveFrame):
            self._items.pop()
        self._items.append(item)
        self._news.notify()

    def _read(self) -> tuple[str | None, float]:
        """Read one connection to its end.

        Return why it was lost, None at the end of a recording, and for how long frames came.
        """
        capture = _open(self.source)
        try:
            if not capture.isOpened():
                if self._connection < 0 and CAMERA.fullmatch(self.source):
                    raise VideoError(
                        f"Cannot open {self.name}: there is no such camera, or it is in use."
                    )
                known = None
                if self._connection < 0:
                    known = why_not(self.source, OPEN_SECONDS, READ_SECONDS)
                return known or "it cannot be opened, or shows no video that OpenCV can read", 0.0
            capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
            return self._read_from(capture)
        except cv2.error:  # out of memory, mostly
            return "OpenCV fails on a frame", 0.0
        finally:
            capture.release()

    def _read_from(self, capture: cv2.VideoCapture) -> tuple[str | None, float]:
        size = [capture.get(p) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
        if size[0] * size[1] > MAX_PIXELS:
            raise VideoError(
                f"Cannot read {self.name}: frames of {size[0]:.0f}x{size[1]:.0f} pixels are too"
                " large."
            )
        recorded = self._is_recording(capture)
        # Frames buffered while the stream was opened are not the newest.
        catching_up = not recorded and CAMERA.fullmatch(self.source) is None
        rate = capture.get(cv2.CAP_PROP_FPS)
        brief = 0.5 / rate if 1 <= rate <= 240 else 0.02  # no frame is encoded in less
        opened = before = time.monotonic()
        first: float | None = None  # when the first good picture came
        bad: float | None = None  # since when decoding fails
        frames, seconds = self._index, 0.0
        while not self.stop.is_set():
            if not capture.grab():
                break
            arrived = time.monotonic()
            if catching_up:
                catching_up = arrived - before < brief and arrived - opened < CATCH_UP_SECONDS
                before = arrived
                if catching_up:
                    continue
            if recorded:
                seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                self.stop.wait(min(max(opened + seconds - arrived, 0), READ_SECONDS))
                arrived = time.monotonic()
            self._index += 1
            if not self._is_wanted(arrived):
                continue
            good, bgr = capture.retrieve()
            if not good or bgr is None or not bgr.size:
                bad = arrived if bad is None else bad
                # A recording cannot be resumed in the middle; it may recover.
                if arrived - bad >= READ_SECONDS and not (recorded and first is not None):
                    return UNDECODED, 0.0 if first is None else bad - first
                continue
            bad = None
            if first is None:
                first = arrived
                self._begin(arrived)
            rgb = cv2.cvtColor(shrink(bgr, self.size), cv2.COLOR_BGR2RGB)  # type: ignore[arg-type]
            large = None
            if self.large is not None:
                large = cv2.cvtColor(shrink(bgr, self.large), cv2.COLOR_BGR2RGB)  # type: ignore[arg-type]
            self._offer(rgb, arrived, large)  # type: ignore[arg-type]
        ended = time.monotonic()
        if self.stop.is_set():
            return None, 0.0
        if first is None and recorded and frames == self._index:
            raise VideoError(
                f"Cannot read {self.name}: it says that it has {_length(capture):.1f} s, but sends"
                " no frame, as where the index of an mp4 is at its end and its server sends no"
                " parts. Download it, or write it anew with ffmpeg -movflags +faststart."
            )
        if first is None:
            nothing = "it opens, but sends no more than a moment of video"
            return nothing if bad is None else UNDECODED, 0.0
        if recorded:
            self._report_cut(capture, self._index - frames, seconds)
            return None, 0.0
        silent = f", after {READ_SECONDS} s without a frame" if ended - arrived > 1 else ""
        return f"it broke off{silent}", arrived - first

    def _is_recording(self, capture: cv2.VideoCapture) -> bool:
        """Return whether this is a file on a web server, which declares its length."""
        return self.source.lower().startswith("http") and 0 < _length(capture) < 1e7

    def _report_cut(self, capture: cv2.VideoCapture, frames: int, last: float) -> None:
        """Report a recording that lacks frames and ends clearly too early (`last`, in seconds)."""
        length = _length(capture)
        end = last + 1 / (capture.get(cv2.CAP_PROP_FPS) or 1)
        # Where frames come unevenly, the last one may be shown for long.
        whole = frames >= (1 - CUT_SHARE) * capture.get(cv2.CAP_PROP_FRAME_COUNT)
        if not whole and length - end > max(CUT_SECONDS, CUT_SHARE * length):
            error = f"it ended at {end:.1f} s of {length:.1f} s"
            with self._news:
                self._put(LiveEvent("cut", self.name, time.time(), error))

    def _begin(self, arrived: float) -> None:
        """Note a connection whose first frame arrives."""
        with self._news:
            if self._connection < 0:
                self._start = arrived
            self._connection += 1
            # Time passed meanwhile, but no sample was dropped for lack of it.
            self._slot = max(self._slot, round((arrived - self._start) * self.fps))
            self._put(LiveEvent("connected", self.name, time.time()))

    def _is_wanted(self, arrived: float) -> bool:
        with self._news:
            return (arrived - self._start) * self.fps >= self._slot - 0.5

    def _offer(self, rgb: Image, arrived: float, large: Image | None = None) -> None:
        with self._news:
            self._dropped += bool(self._items) and isinstance(self._items[-1], LiveFrame)
            late = (arrived - self._start) * self.fps - self._slot
            self._skip(max(int(late - 1), 0))
            # The clock may have moved on since it arrived.
            self._held = rgb, arrived, time.time() - (time.monotonic() - arrived), large
            self._put(self._sample(*self._held))


def log_event(event: LiveEvent) -> None:
    """Log what went wrong as a warning, all else as information."""
    log.log(logging.INFO if event.error is None else logging.WARNING, "%s", event.sentence)
