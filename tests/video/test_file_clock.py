"""A file's own clock in what others read: subtitles, edit lists, saved videos and pieces."""

import re
import shutil
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from conftest import Done
from films import cuts_at

from vidgru import TrainResult
from vidgru.tasks.scenes.edl import edit_list, write_edl
from vidgru.video import record
from vidgru.video.file_clock import FileClock, Timecode, file_clock, read_timecode
from vidgru.video.pieces import Piece, cut_video
from vidgru.video.read import open_video

Vidgru = Callable[..., Done]
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg is installed")
BEEP = 3.5  # seconds after which there is sound to be heard


def make_film(
    path: Path,
    seconds: float = 2.0,
    fps: Fraction = Fraction(25),
    *,
    start: float = 0.0,
    sound: float | None = None,
    heard: float = 0.0,
    codec: str = "aac",
    rate: int = 44100,
    bframes: int = 0,
    timecode: str = "",
) -> Path:
    """Write a film whose picture begins at `start`, in seconds, and its sound at `sound`, if any.

    The sound is silent before `heard`, by the clock of the file, and ends with the picture.
    """
    with av.open(str(path), "w") as out:
        if timecode:
            out.metadata["timecode"] = timecode
        film = out.add_stream("libx264", fps, options={"preset": "ultrafast", "bf": str(bframes)})
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        film.codec_context.time_base = 1 / fps
        voice = None if sound is None else out.add_stream(codec, rate, layout="mono")
        for number in range(round(seconds * fps)):
            picture = np.full((48, 64, 3), 40 + number % 200, np.uint8)
            picture[:, number % 60 : number % 60 + 4] = 255
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts = number + round(start * fps)
            frame.time_base = 1 / fps
            out.mux(film.encode(frame))
        if voice is not None and sound is not None:
            times = np.arange(round(sound * rate), round((start + seconds) * rate)) / rate
            wave = (np.sin(2763 * times) * (times >= heard) * 20000).astype(np.int16)
            block = voice.codec_context.frame_size or 1024
            resampler = av.AudioResampler(voice.codec_context.format, "mono", rate, block)
            whole = av.AudioFrame.from_ndarray(wave[None], "s16", "mono")
            whole.rate, whole.pts = rate, round(sound * rate)
            whole.time_base = Fraction(1, rate)
            for part in (*resampler.resample(whole), *resampler.resample(None)):
                out.mux(voice.encode(part))
            out.mux(voice.encode(None))
        out.mux(film.encode(None))
    return path


NTSC = Fraction(30000, 1001)


# ---- timecodes ----


@pytest.mark.parametrize("rate", [30, 60])
def test_drop_frame_leaves_out_numbers_and_no_frames(rate: int) -> None:
    frame = 0
    for minute in range(61):
        for number in range(60 * rate):
            if minute % 10 and number < rate // 15:
                continue
            text = f"{minute // 60:02}:{minute % 60:02}:{number // rate:02};{number % rate:02}"
            assert str(Timecode(frame, rate, True)) == text
            assert read_timecode(text, rate * 1000 / 1001) == Timecode(frame, rate, True)
            frame += 1


@pytest.mark.parametrize(
    ("text", "fps", "later", "expected"),
    [
        ("10:00:00:00", 25.0, 40, "10:00:01:15"),
        ("01:00:00;00", 29.97, 1800, "01:01:00;02"),
        ("01:00:00.00", 29.97, 1, "01:00:00;01"),  # as some write it
        ("00:59:59:23", 23.976, 1, "01:00:00:00"),
        ("23:59:59:24", 25.0, 1, "00:00:00:00"),
        ("01:00:00;00", 25.0, 25, "01:00:01:00"),  # no rate for drop frame
    ],
)
def test_timecodes_count_on(text: str, fps: float, later: int, expected: str) -> None:
    code = read_timecode(text, fps)
    assert code is not None
    assert str(code.after(later)) == expected


@pytest.mark.parametrize("text", ["", "soon", "10:00:00", "10:60:00:00", "10:00:00:25"])
def test_what_is_no_timecode(text: str) -> None:
    assert read_timecode(text, 25.0) is None


# ---- the clock of a file ----


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("bframes", [0, 3])
@pytest.mark.parametrize(
    ("start", "sound", "expected"), [(2.0, 0.0, 2.0), (0.0, 1.0, 0.0), (1.0, 0.5, 0.5)]
)
def test_when_the_picture_begins_relative_to_the_sound(
    tmp_path: Path, suffix: str, bframes: int, start: float, sound: float, expected: float
) -> None:
    film = make_film(tmp_path / f"film{suffix}", start=start, sound=sound, bframes=bframes)
    # Sound is encoded with a lead of a packet, which Matroska moves all by.
    assert file_clock(film).start == pytest.approx(expected, abs=0.024)


def test_a_transport_stream_begins_where_its_clock_does(tmp_path: Path) -> None:
    clock = file_clock(make_film(tmp_path / "film.ts", start=3.0, sound=3.0))
    assert clock.origin == pytest.approx(3, abs=0.03)
    assert clock.start == pytest.approx(0, abs=0.03)


def test_what_has_no_clock(tmp_path: Path) -> None:
    (tmp_path / "words.mp4").write_text("no video")
    for path in (tmp_path, tmp_path / "words.mp4", tmp_path / "none.mp4"):
        assert file_clock(path) == FileClock()


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
def test_the_timecode_of_a_file(tmp_path: Path, suffix: str) -> None:
    film = make_film(tmp_path / f"film{suffix}", fps=NTSC, timecode="01:00:00;00")
    assert file_clock(film).timecode == "01:00:00;00"


# ---- edit lists ----


def events(text: str) -> list[list[str]]:
    return re.findall(r"^\d{3}  AX .*?(\S+) (\S+) (\S+) (\S+)$", text, re.MULTILINE)


def test_source_times_begin_at_the_timecode_of_the_file(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mov", fps=NTSC, timecode="00:59:59;00")
    scenes = cuts_at([(40, 40 / NTSC)], 60, float(60 / NTSC), fps=float(NTSC), source=str(film))
    write_edl(scenes, tmp_path / "film.edl")
    text = (tmp_path / "film.edl").read_text()
    assert text.splitlines()[1] == "FCM: DROP FRAME"
    # The hour is a tenth minute: nothing is left out.
    assert events(text) == [
        ("00:59:59;00", "01:00:00;10", "00:00:00;00", "00:00:01;10"),
        ("01:00:00;10", "01:00:01;00", "00:00:01;10", "00:00:02;00"),
    ]


@pytest.mark.parametrize(
    ("clock", "first"),
    [
        (FileClock(timecode="10:00:00:00"), ("10:00:00:00", "10:00:04:00")),
        (FileClock(start=2.0), ("00:00:02:00", "00:00:06:00")),
        (FileClock(start=2.0, timecode="nonsense"), ("00:00:02:00", "00:00:06:00")),
        (FileClock(), ("00:00:00:00", "00:00:04:00")),
    ],
)
def test_source_times_without_drop_frame(clock: FileClock, first: tuple[str, str]) -> None:
    text = edit_list(cuts_at([(40, 4.0)], 60, 6.0), clock)
    assert text.splitlines()[1] == "FCM: NON-DROP FRAME"
    assert events(text)[0] == (*first, "00:00:00:00", "00:00:04:00")


# ---- subtitles and saved videos ----


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("program", [pytest.param(True, marks=needs_ffmpeg), False])
def test_subtitles_and_saved_videos_keep_to_the_clock_of_the_file(
    vidgru: Vidgru, trained: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    suffix: str, program: bool,
) -> None:  # fmt: skip
    if not program:
        monkeypatch.setattr(record.shutil, "which", lambda name: None)
    film, cues = make_film(tmp_path / "film.mp4", start=2.0, sound=0.0), tmp_path / "film.srt"
    saved = tmp_path / f"saved{suffix}"
    done = vidgru(
        "predict", film, "--model", trained.run, "--timeline", "--subtitles", cues, "--save", saved
    )
    assert done.code == 0
    spans = re.findall(r"(\S+) --> (\S+)", cues.read_text())
    assert (spans[0][0], spans[-1][1]) == ("00:00:02,000", "00:00:04,000")
    with av.open(str(saved)) as video:
        times = [float(frame.time) for frame in video.decode(video=0)]
    assert times == pytest.approx([2 + number / 25 for number in range(50)], abs=0.002)
    # What is printed counts from the first picture.
    with open_video(film) as video:
        assert video.grab() == 0


# ---- pieces ----


def cut(film: Path, lengths: list[int], out: Path) -> list[tuple[Piece, float, float]]:
    """Return the pieces of so many frames, and from when to when they are in the film."""
    with open_video(film) as video:
        fps, seen = video.fps, [frame.time for frame in video]
    ends = np.cumsum([0, *lengths]).tolist()
    times = [*(seen[end] for end in ends[:-1]), seen[-1] + 1 / fps]
    steps = cut_video(film, list(pairwise(ends)), times, fps, lambda n: out / f"{n}")
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return list(zip(stop.value, times[:-1], times[1:], strict=True))


def samples(path: Path, rate: int = 8000) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Return the sound of a file from 0 on, int16 samples; before it begins there is silence."""
    resampler = av.AudioResampler("s16", "mono", rate)
    parts, gap = [], 0.0
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            gap = gap if parts else frame.time
            parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
        parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    return np.concatenate([np.zeros(round(gap * rate), np.int16), *parts])


KINDS = [
    (suffix, {"fps": fps, "bframes": bframes, **more})
    for suffix in (".mp4", ".mkv")
    for fps in (Fraction(25), Fraction(5))
    for bframes in (0, 3)
    for more in ({"sound": 0.0}, {"sound": 0.0, "start": 2.0})
] + [
    (".ts", {"sound": 0.0, "bframes": 3}),
    (".mkv", {"sound": 0.0, "codec": "flac"}),  # whose packets last a tenth of a second
    (".mp4", {"sound": 0.0, "rate": 8000}),
    (".mov", {"sound": 0.0, "codec": "pcm_s16le"}),
    (".mkv", {"sound": 0.0, "codec": "libmp3lame"}),
    (".mkv", {"sound": 0.0, "codec": "libopus", "rate": 48000}),
]


@needs_ffmpeg
@pytest.mark.parametrize(("suffix", "kind"), KINDS)
def test_the_sound_of_a_piece_is_that_of_its_pictures(
    tmp_path: Path, suffix: str, kind: dict[str, Any]
) -> None:
    start, fps = kind.get("start", 0.0), kind.get("fps", Fraction(25))
    film = make_film(tmp_path / f"film{suffix}", 6.0, heard=BEEP, **kind)
    lengths = [round(share * 6 * fps) for share in (0.3, 0.2, 0.3)]
    lengths.append(round(6 * fps) - sum(lengths))
    for piece, begin, end in cut(film, lengths, tmp_path / "out"):
        sound = samples(piece.path)
        assert len(sound) / 8000 == pytest.approx(end - begin, abs=0.06)
        clock = file_clock(piece.path)
        assert (clock.start, clock.origin) == pytest.approx((0, 0), abs=0.001)
        first = np.flatnonzero(abs(sound.astype(int)) > 5000)
        beep = BEEP - start - begin  # by the clock of the piece
        if beep >= end - begin - 0.06:
            assert not len(first) or first[0] / 8000 > end - begin - 0.1
        else:
            # A packet of MP3 cannot be decoded without those before it.
            off = 0.12 if kind.get("codec") == "libmp3lame" else 0.045
            assert first[0] / 8000 == pytest.approx(max(beep, 0), abs=off)


@needs_ffmpeg
def test_sound_that_begins_late_begins_late_in_its_piece(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mp4", 6.0, sound=1.0)
    first, *_ = cut(film, [50, 50, 50], tmp_path / "out")
    sound = samples(first[0].path)
    assert len(sound) / 8000 == pytest.approx(2, abs=0.06)
    assert np.flatnonzero(sound)[0] / 8000 == pytest.approx(1, abs=0.045)


@needs_ffmpeg
@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
@pytest.mark.parametrize("sound", [None, 0.0])
def test_pieces_do_not_carry_the_timecode_of_the_whole(
    tmp_path: Path, suffix: str, sound: float | None
) -> None:
    film = make_film(tmp_path / f"film{suffix}", sound=sound, timecode="10:00:00:00")
    assert file_clock(film).timecode == "10:00:00:00"
    for piece, _, _ in cut(film, [20, 30], tmp_path / "out"):
        assert file_clock(piece.path).timecode == ""


@needs_ffmpeg
def test_sound_that_cannot_be_copied_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    film = make_film(tmp_path / "film.mp4", sound=0.0)

    def fail(*words: Any, **more: Any) -> None:
        raise ValueError("no")

    monkeypatch.setattr("vidgru.video.pieces.join", fail)
    made = cut(film, [20, 30], tmp_path / "out")
    assert [piece.made for piece, _, _ in made] == ["silent"] * 2
    assert caplog.messages == [
        f"{film}: 2 of 2 pieces are written without their sound, which cannot be copied."
    ]
