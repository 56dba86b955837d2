"""Films that OpenCV shows wrongly, or whose clocks are odd, against what players show."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import Done
from films import FLIPS, Frames, blocks, two_moments, write_film, write_sound
from helpers import noise

import vidgru
from vidgru.core.errors import VideoError
from vidgru.video import source
from vidgru.video.info import VideoInfo
from vidgru.video.opencv_file import OpenCVFile
from vidgru.video.read import open_video
from vidgru.video.streams import look

COVER = np.full((32, 32, 3), 250, np.uint8)


def read(path: Path) -> tuple[Frames, list[float], VideoInfo]:
    with open_video(path) as video:
        frames = list(video)
        return np.stack([f.rgb for f in frames]), [f.time for f in frames], video.info()


def corners(image: Any) -> list[tuple[int, ...]]:
    """Return the colours in the middle of a picture's quarters, rounded coarsely."""
    height, width = image.shape[:2]
    spots = [(y * height // 4, x * width // 4) for y in (1, 3) for x in (1, 3)]
    return [tuple(round(int(c) / 32) for c in image[spot]) for spot in spots]


def joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def test_an_ordinary_film_stays_with_opencv(tmp_path: Path) -> None:
    pictures, times, info = read(write_film(tmp_path / "a.mp4", blocks(20)))
    assert (info.reader, info.why, info.warnings, info.notes) == ("opencv", "", (), ())
    assert times == pytest.approx(np.arange(20) / 25)
    assert corners(pictures[7]) == corners(blocks(20)[7])


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mkv", "libx264"),
        ("a.ts", "mpeg2video"),
        ("a.avi", "mpeg4"),
        ("b.avi", "libx264"),
    ],
)
def test_interlaced_films_are_shown_without_combs(tmp_path: Path, name: str, codec: str) -> None:
    frames = two_moments(20)
    path = write_film(tmp_path / name, frames, codec=codec, interlaced=True)
    pictures, times, info = read(path)
    assert (info.reader, info.why) == ("pyav", "it may hold interlaced frames")
    assert (len(pictures), info.seconds) == (20, pytest.approx(0.8))
    assert times == pytest.approx(np.arange(20) / 25)
    assert abs(pictures.mean() - frames.mean()) < 4

    def combs(shown: Any) -> float:
        lines = shown[..., 0].astype(int)
        return float(np.abs(2 * lines[:, 1:-1] - lines[:, :-2] - lines[:, 2:]).mean())

    assert combs(pictures) < 0.3 * combs(frames)


def test_fields_of_one_moment_are_left_as_they_are(tmp_path: Path) -> None:
    texture = cv2.normalize(cv2.GaussianBlur(noise(1, 48, 64)[0], (0, 0), 1.5), None, 0, 255, 32)
    frames = np.stack([np.roll(texture, 3 * number, axis=1) for number in range(12)])
    path = write_film(tmp_path / "i.mkv", frames, pixels="yuv444p", interlaced=True)
    pictures, _, info = read(path)
    assert info.reader == "pyav"
    assert np.abs(pictures.astype(int) - frames).mean() < 2.5


def test_a_film_that_becomes_interlaced_later(tmp_path: Path) -> None:
    # A sequence header that allows fields, with a first frame that has none.
    options = {"x264-params": "fake-interlaced=1"}
    first = write_film(tmp_path / "1.ts", blocks(10), options=options)
    second = write_film(tmp_path / "2.ts", two_moments(10), interlaced=True)
    pictures, _, info = read(joined(tmp_path / "a.ts", first, second))
    assert (info.reader, info.frames) == ("pyav", 20)
    assert abs(pictures[10:].mean() - two_moments(10).mean()) < 4


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mkv", "libx264", "yuv420p"),
        ("a.mp4", "mjpeg", "yuvj420p"),
    ],
)
def test_a_cover_that_comes_first_is_not_the_film(
    tmp_path: Path, name: str, codec: str, pixels: str
) -> None:
    path = write_film(tmp_path / name, blocks(20), codec=codec, pixels=pixels, cover=COVER)
    pictures, _, info = read(path)
    assert info.why == "its video is not the first one: attached pictures come before it"
    assert (info.reader, info.frames, info.seconds) == ("pyav", 20, pytest.approx(0.8))
    assert (info.width, info.height, info.warnings) == (64, 48, ())
    assert corners(pictures[7]) == corners(blocks(20)[7])


@pytest.mark.parametrize(
    ("name", "cover", "words"),
    [
        ("a.mp4", None, "it holds no video, only sound or data"),
        ("a.mkv", None, "it holds no video, only sound or data"),
        ("a.mp4", COVER, "it holds no video, only an attached picture"),
        ("a.mkv", COVER, "it holds no video, only an attached picture"),
    ],
)
def test_sound_is_no_video(tmp_path: Path, name: str, cover: Any, words: str) -> None:
    path = write_sound(tmp_path / name, cover)
    with pytest.raises(VideoError, match=words) as error:
        read(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_of_several_videos_the_default_one_is_read(tmp_path: Path, name: str) -> None:
    path = write_film(tmp_path / name, blocks(20), second=blocks(10, 96, 128))
    pictures, _, info = read(path)
    assert (info.frames, pictures.shape[1:3], info.reader) == (10, (96, 128), "pyav")
    assert info.why == "it holds 2 videos, and players take another than the first"
    assert info.notes == (f"{path} holds 2 videos; stream 1 is read (128x96), as players do.",)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mov"])
@pytest.mark.parametrize(
    ("aspect", "width"), [(Fraction(2), 128), (Fraction(64, 45), 91), (Fraction(1, 2), 32)]
)
def test_pixels_are_made_square(tmp_path: Path, name: str, aspect: Fraction, width: int) -> None:
    path = write_film(tmp_path / name, blocks(5), aspect=aspect)
    pictures, _, info = read(path)
    assert (info.width, info.height, pictures.shape) == (width, 48, (5, 48, width, 3))
    assert info.why == f"its pixels are not square ({aspect.numerator}:{aspect.denominator})"
    assert corners(pictures[3]) == corners(blocks(5)[3])


def test_nearly_square_pixels_are_square(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", blocks(5), aspect=Fraction(224, 225))
    assert (read(path)[2].width, read(path)[2].reader) == (64, "opencv")


@pytest.mark.parametrize("name", FLIPS)
def test_all_ways_to_turn_and_mirror(tmp_path: Path, name: str) -> None:
    matrix, shown = FLIPS[name]
    pictures, _, info = read(write_film(tmp_path / "a.mp4", blocks(5), matrix=matrix))
    assert corners(pictures[3]) == corners(shown(blocks(5)[3]))
    assert (info.height, info.width) == shown(blocks(1)[0]).shape[:2]
    determinant = matrix[0] * matrix[3] - matrix[1] * matrix[2]
    assert info.reader == ("opencv" if determinant > 0 else "pyav")


def test_a_turned_film_of_oblong_pixels(tmp_path: Path) -> None:
    matrix, shown = FLIPS["a quarter turn right"]
    film = write_film(tmp_path / "a.mp4", blocks(5), aspect=Fraction(2), matrix=matrix)
    pictures, _, info = read(film)
    assert (info.width, info.height, info.rotation) == (48, 128, 90)
    assert corners(pictures[3]) == corners(shown(blocks(5)[3]))


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg is installed")
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_frames_before_an_edit_list_are_not_shown(tmp_path: Path, suffix: str) -> None:
    film = write_film(tmp_path / "a.mp4", blocks(50), options={"g": "25"})
    cut = tmp_path / f"cut{suffix}"
    ffmpeg = ["ffmpeg", "-v", "error", "-ss", "0.4", "-i", film, "-c", "copy", cut]
    subprocess.run(ffmpeg, check=True)
    pictures, times, info = read(cut)
    assert (info.why, info.warnings) == ("it has frames that are not to be shown", ())
    assert (len(pictures), info.seconds) == (40, pytest.approx(1.6))
    assert times == pytest.approx(np.arange(40) / 25)
    assert corners(pictures[0]) == corners(blocks(50)[10])


def test_a_start_in_the_middle_of_a_group_of_pictures(tmp_path: Path) -> None:
    options = {"g": "30", "x264-params": "scenecut=0"}
    film = write_film(tmp_path / "a.ts", blocks(60), options=options)
    data = film.read_bytes()
    packets = [data[place : place + 188] for place in range(0, len(data), 188)]
    # The second frame of the film begins where a payload begins the second time.
    starts = [n for n, p in enumerate(packets) if p[1] & 0x40 and p[1] & 0x1F == 1 and p[2] == 0]
    film.write_bytes(b"".join([*packets[:3], *packets[starts[10] :]]))
    pictures, times, info = read(film)
    assert len(pictures) == 30
    assert times == pytest.approx(np.arange(30) / 25)
    assert corners(pictures[0]) == corners(blocks(60)[30])
    assert len(info.warnings) == 1
    assert "begins in the middle of a group of pictures: the start (0.8" in info.warnings[0]
    assert not info.ends_early
    clips = tmp_path / "clips"
    for label in ("one", "other"):
        (clips / label).mkdir(parents=True)
        for number, name in enumerate(("whole.mp4", "more.mp4")):
            write_film(clips / label / name, blocks(30 + len(label) + 5 * number))
    film.rename(clips / "one" / "a.ts")
    found = {finding.kind: finding.sentence for finding in vidgru.check(clips).findings}
    assert found["no start"] == "1 clip lacks its start, cut off before a key frame: one/a.ts."
    assert "damaged" not in found


@pytest.mark.parametrize(
    ("name", "rate", "base", "count"),
    [
        ("a.mp4", Fraction(2000), Fraction(1, 16000), 40),
        ("a.mkv", Fraction(2000), Fraction(1, 2000), 40),
        ("a.mp4", Fraction(1, 300), Fraction(1, 100), 40),
        ("a.mkv", Fraction(1, 300), Fraction(1, 100), 40),
        ("a.mkv", Fraction(1, 10), Fraction(1, 1000), 5),
    ],
)
def test_extreme_rates(
    tmp_path: Path, name: str, rate: Fraction, base: Fraction, count: int
) -> None:
    stamps = [round(number / rate / base) for number in range(count)]
    options = {"bf": "0"} if count < 40 else None
    path = tmp_path / name
    write_film(path, blocks(count), rate=rate, stamps=stamps, time_base=base, options=options)
    _, times, info = read(path)
    assert (info.frames, info.warnings) == (count, ())
    assert times == pytest.approx(np.arange(count) / float(rate), abs=6e-4)
    assert info.seconds == pytest.approx(count / float(rate), rel=0.03)
    assert info.fps == pytest.approx(float(rate), rel=0.05)


def test_a_film_that_starts_late_does_not_end_early(tmp_path: Path) -> None:
    stamps = range(100_000, 101_000, 40)
    path = write_film(tmp_path / "a.mkv", blocks(25), stamps=stamps, time_base=Fraction(1, 1000))
    _, times, info = read(path)
    assert (info.frames, info.declared, info.warnings) == (25, 25, ())
    assert times[-1] == pytest.approx(0.96)


def test_a_rate_that_is_not_declared_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    write_film(path, blocks(60), rate=2000, stamps=range(60), time_base=Fraction(1, 2000))
    data = path.read_bytes()
    place = data.index(b"\x23\xe3\x83\x83")  # how long a frame is to last, made nothing
    path.write_bytes(data[:place] + b"\xec\x85" + data[place + 2 :])
    _, times, info = read(path)
    assert info.fps == pytest.approx(2000, rel=0.05)
    assert times == pytest.approx(np.arange(60) / 2000, abs=6e-4)
    assert (info.seconds, info.warnings) == (pytest.approx(0.03, abs=0.001), ())


def test_a_pause_of_a_screen_recording_is_real(tmp_path: Path) -> None:
    stamps = [*range(0, 400, 40), *range(6400, 6800, 40)]
    path = write_film(tmp_path / "a.mkv", blocks(20), stamps=stamps, time_base=Fraction(1, 1000))
    _, times, info = read(path)
    assert times == pytest.approx([stamp / 1000 for stamp in stamps])
    assert (info.warnings, info.variable) == ((), False)


@pytest.mark.parametrize("shift", [60, 40_000, -100])
@pytest.mark.parametrize("interlaced", [False, True])
def test_joined_recordings_follow_each_other(
    tmp_path: Path, shift: int, interlaced: bool, vidgru: Callable[..., Done]
) -> None:
    def part(name: str, start: int) -> Path:
        stamps = [start * 25 + number for number in range(50)]
        return write_film(tmp_path / name, blocks(50), stamps=stamps, interlaced=interlaced)

    path = joined(tmp_path / "a.ts", part("1.ts", 200), part("2.ts", 202 + shift))
    _, times, info = read(path)
    assert info.reader == ("pyav" if interlaced else "opencv")
    assert times == pytest.approx(np.arange(100) / 25)
    assert info.seconds == pytest.approx(4)
    assert not info.ends_early
    (warning,) = info.warnings
    assert warning.startswith(f"{path}: the clock jumps by {shift + 0.04:+.2f} s at 1.96 s")
    done = vidgru("extract", path, "-o", tmp_path / "out", "--fps", 1)
    assert done.code == 0
    assert done.err.count("the clock jumps") == 1
    assert len(list((tmp_path / "out").glob("*.jpg"))) == 4


def test_an_avi_with_frames_in_another_order_has_even_times(tmp_path: Path) -> None:
    options = {"bf": "2"}
    film = write_film(tmp_path / "a.avi", blocks(20), options=options, aspect=Fraction(2, 1))
    _, times, info = read(film)
    assert info.reader == "pyav"
    assert times == pytest.approx([number / 25 for number in range(20)])


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_is_shown_as_opencv_shows_it(tmp_path: Path, transfer: str) -> None:
    colours = cv2.GaussianBlur(noise(1, 96, 128)[0], (0, 0), 4)
    colours = cv2.normalize(colours, None, 30, 200, cv2.NORM_MINMAX)
    greys = cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY)[..., None]
    frames = np.stack([(0.4 * colours + 0.6 * greys).astype(np.uint8)] * 3)
    options = {"color_primaries": "bt2020", "color_trc": transfer, "colorspace": "bt2020nc"}
    film = write_film(tmp_path / "a.mp4", frames, pixels="yuv420p10le", options=options)
    pictures, _, info = read(film)
    kind = "PQ" if transfer == "smpte2084" else "HLG"
    assert info.why == f"it is HDR ({kind}), which OpenCV converts slowly"
    slow = OpenCVFile(film)
    slow.grab()
    right = slow.retrieve().astype(int)
    slow.close()
    assert np.abs(right - frames[0]).mean() > 10  # it makes a difference
    assert np.abs(pictures[0] - right).mean() < 4
    with open_video(film) as video:
        video.grab()
        small = video.retrieve((32, 24))
        assert np.abs(small - cv2.resize(video.retrieve(), (32, 24)).astype(int)).mean() < 4


@pytest.mark.parametrize("name", ["img_%02d.mkv", "concat:a.mkv", "-v.mkv", "a b.mkv", "a\nb.mkv"])
def test_a_name_stays_a_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_film(tmp_path / "film.mkv", two_moments(5), interlaced=True).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    info = read(Path(name))[2]
    assert (info.frames, info.reader) == (5, "pyav")


def test_one_thread_gives_the_same_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_film(tmp_path / "a.mkv", two_moments(20), interlaced=True)
    many = read(path)[0]
    monkeypatch.setattr(source, "decoder_threads", 1)
    assert (read(path)[0] == many).all()


def test_what_pyav_reads_may_be_damaged_or_cut_short(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.ts", two_moments(100), codec="mpeg2video", interlaced=True)
    whole = bytearray(path.read_bytes())
    path.write_bytes(whole[: len(whole) // 2])
    assert 40 < read(path)[2].frames < 60
    film = write_film(tmp_path / "a.mkv", two_moments(100), interlaced=True)
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    info = read(film)[2]
    assert 30 < info.frames < 70
    assert info.ends_early
    assert "ends early: it declares 4.00 s" in info.warnings[0]


def test_no_frame_at_all_is_an_error(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", blocks(5))
    data = path.read_bytes()
    place = data.index(b"mdat") + 4
    path.write_bytes(data[:place] + bytes(len(data) - place))
    with pytest.raises(VideoError):
        read(path)


def test_the_reader_is_in_the_json(tmp_path: Path, vidgru: Callable[..., Done]) -> None:
    path = write_film(tmp_path / "a.mkv", two_moments(5), interlaced=True)
    done = vidgru("extract", path, "-o", tmp_path / "out", "--json")
    (reader,) = {(line["reader"], line["why"]) for line in map(json.loads, done.out.splitlines())}
    assert reader == ("pyav", "it may hold interlaced frames")


def test_what_is_known_of_a_file(tmp_path: Path) -> None:
    stamps = [50 + number for number in range(10)]
    path = write_film(tmp_path / "a.ts", blocks(10), stamps=stamps)
    known = look(path)
    assert known is not None
    assert known.start == pytest.approx(2)
    assert (known.rate, known.joined, known.videos, known.covers) == (25, True, 1, 0)
    assert known.whole_start
    os.utime(path, (1, 1))
    write_film(path, blocks(10, 96, 128))
    again = look(path)
    assert again is not None
    assert again.shown == (128, 96)
