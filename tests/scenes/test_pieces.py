"""Videos cut into one piece a scene."""

import os
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from helpers import retime, write_clip, write_images
from scene_films import FFMPEG, LENGTHS, numbered, open_frames, read, read_numbers

from vidgru.core.errors import VideoError
from vidgru.core.results import run_to_end
from vidgru.video import pieces, record
from vidgru.video.file_clock import FileClock
from vidgru.video.pieces import cut_video

needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="no ffmpeg is installed")


def cut(source: Path, lengths: list[int], out: Path, variable: bool = False) -> list[pieces.Piece]:
    ends = list(np.cumsum(lengths))
    spans = [(int(end) - length, int(end)) for end, length in zip(ends, lengths, strict=True)]
    times = [0.0, *(float(end) / 10 for end in ends)]
    steps = cut_video(
        source, spans, times, 10.0, lambda n: out / f"scene-{n + 1:03}", variable=variable
    )
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            made: list[pieces.Piece] = stop.value
            return made


def ffmpeg(*words: object) -> None:
    import subprocess

    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, words)]
    subprocess.run(command, check=True, capture_output=True)


def check_pieces(made: list[pieces.Piece], lengths: list[int]) -> None:
    numbers = [read_numbers(piece.path) for piece in made]
    assert [len(each) for each in numbers] == lengths
    assert [number for each in numbers for number in each] == list(range(sum(lengths)))


@needs_ffmpeg
def test_pieces_between_key_frames_are_copied(film: Path, tmp_path: Path) -> None:
    lengths = [24, 12, 24]  # OpenCV's FFV1 has a key frame every 12 frames
    made = cut(film, lengths, tmp_path / "out")
    assert [piece.made for piece in made] == ["copied"] * 3
    check_pieces(made, lengths)
    frames = np.concatenate([read(piece.path) for piece in made])
    assert (frames == numbered(LENGTHS)).all()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "scene-001.mkv", "scene-002.mkv", "scene-003.mkv"
    ]  # fmt: skip


@needs_ffmpeg
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("bframes", [0, 3])
def test_only_what_must_be_is_encoded_anew(
    film: Path, tmp_path: Path, suffix: str, bframes: int
) -> None:
    long, sound = tmp_path / f"100 %d{suffix}", ("-f", "lavfi", "-i", "sine=duration=6")
    ffmpeg(
        "-i", film, *sound, "-c:v", "libx264", "-bf", bframes, "-pix_fmt", "yuv420p", "-g", 20,
        "-keyint_min", 20, "-sc_threshold", 0, "-c:a", "aac", f"file:{long}",
    )  # fmt: skip
    lengths = [20, 15, 5, 20]  # key frames at 0, 20 and 40
    made = cut(long, lengths, tmp_path / "out %d")
    check_pieces(made, lengths)
    assert [piece.made for piece in made] == ["copied", "encoded", "encoded", "copied"]
    assert {piece.path.suffix for piece in made} == {".mp4" if suffix == ".mp4" else ".mkv"}
    for piece, length in zip(made, lengths, strict=True):
        assert sound_of(piece.path) == pytest.approx(length / 10, abs=0.06)


@needs_ffmpeg
@pytest.mark.parametrize("kind", ["yuv420p", "yuv422p10le", "yuv444p"])
def test_all_pieces_store_pixels_as_the_source_does(film: Path, tmp_path: Path, kind: str) -> None:
    source = tmp_path / "a.mkv"
    keys = ("-g", 20, "-keyint_min", 20, "-sc_threshold", 0)
    ffmpeg("-i", film, "-c:v", "libx264", "-pix_fmt", kind, *keys, source)
    made = cut(source, [20, 15, 5, 20], tmp_path / "out")
    assert {piece.made for piece in made} == {"copied", "encoded"}
    for piece in made:
        with av.open(str(piece.path)) as container:
            assert container.streams.video[0].pix_fmt == kind


def sound_of(path: Path) -> float:
    """Return how many seconds of sound a file holds."""
    raw = path.with_suffix(".raw")
    ffmpeg("-i", f"file:{path}", "-map", "0:a:0", "-f", "s16le", "-ac", 1, "-ar", 8000, raw)
    seconds = raw.stat().st_size / 16000
    raw.unlink()
    return seconds


@needs_ffmpeg
def test_open_groups_are_not_cut_where_frames_would_be_lost(film: Path, tmp_path: Path) -> None:
    open_gop = tmp_path / "open.mp4"
    ffmpeg(
        "-i", film, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-x264-params",
        "open-gop=1:keyint=20:min-keyint=20:scenecut=0:bframes=3:b-adapt=0", open_gop,
    )  # fmt: skip
    lengths = [20, 20, 20]
    check_pieces(cut(open_gop, lengths, tmp_path / "out"), lengths)


@needs_ffmpeg
def test_uneven_times_stay_in_pieces(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", numbered([20]), 10, "mp4v")
    retime(clip, [512] * 10 + [1536] * 10)
    times = [frame.time for frame in open_frames(clip)]
    made = cut(clip, [5, 15], tmp_path / "out")
    check_pieces(made, [5, 15])
    got = [frame.time for frame in open_frames(made[1].path)]
    assert got == pytest.approx([time - times[5] for time in times[5:]], abs=0.002)


@needs_ffmpeg
@pytest.mark.parametrize("encoder", ["libx264", "mpeg4"])
def test_times_of_no_rate_stay_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: str
) -> None:
    monkeypatch.setattr(pieces, "ENCODERS", {encoder: pieces.ENCODERS[encoder]})
    clip = write_clip(tmp_path / "clip.mp4", numbered([20]), 10, "mp4v")
    retime(clip, [97 + 397 * n % 911 for n in range(20)])
    times = [frame.time for frame in open_frames(clip)]
    made = cut(clip, [5, 15], tmp_path / "out", variable=True)
    assert [piece.made for piece in made] == ["encoded", "encoded"]
    check_pieces(made, [5, 15])
    got = [frame.time for frame in open_frames(made[1].path)]
    assert got == pytest.approx([time - times[5] for time in times[5:]], abs=0.002)


@needs_ffmpeg
def test_odd_sides_and_one_scene(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", numbered([12]), 10, "MJPG")
    (whole,) = cut(clip, [12], tmp_path / "whole")
    assert whole.made == "copied"
    check_pieces([whole], [12])
    odd = tmp_path / "odd.mp4"
    ffmpeg(
        "-i",
        clip,
        "-vf",
        "format=yuv444p,crop=63:47:0:0,format=yuv420p",
        "-c:v",
        "mpeg4",
        "-q:v",
        2,
        odd,
    )
    assert read(odd)[0].shape == (47, 63, 3)
    made = cut(odd, [5, 7], tmp_path / "out")
    assert [piece.made for piece in made] == ["encoded", "encoded"]
    check_pieces(made, [5, 7])
    assert read(made[1].path)[0].shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("packets", "wanted"),
    [
        ("0,K__ 20,___ 10,___ 30,K__ 40,___", {0, 3}),
        ("0,K__ 30,K__ 10,___ 20,___ 40,___", {0}),  # frames after it are shown before it
        ("0,K__ 10,___ 40,___ 30,K__ 50,___", {0}),  # a frame before it is shown after it
        ("0,K__ 10,___  20,K__,  30,___ 40,K__", {0, 2, 4}),  # other versions, other lines
        ("0,K__ 10,K__ 20,K__ 30,K__", set()),  # it says less than is read
        ("N/A,K__ 10,___ 20,___ 30,___ 40,___", set()),
    ],
)
def test_where_a_file_can_be_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packets: str, wanted: set[int]
) -> None:
    lines = packets.replace(" ", "\\n")
    programs(tmp_path / "one", monkeypatch, ffprobe=f"printf '{lines}\\n'")
    work = pieces._Work("ffmpeg", "libx264", ".mkv", tmp_path, FileClock())
    steps = work._key_frames(tmp_path / "v.mp4", 5)
    assert run_to_end(steps) == wanted


def programs(folder: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """Let only these programs be found."""
    folder.mkdir()
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_without_ffmpeg_pieces_are_silent(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    programs(tmp_path / "none", monkeypatch)
    made = cut(film, LENGTHS, tmp_path / "out")
    assert [piece.made for piece in made] == ["silent"] * 3
    assert [piece.path.name for piece in made] == [f"scene-00{n}.mp4" for n in (1, 2, 3)]
    check_pieces(made, LENGTHS)
    assert (
        f"{film}: 3 of 3 pieces are written without sound and at an even rate: there is no ffmpeg"
        " program that can encode it."
    ) in caplog.text


@needs_ffmpeg
def test_without_ffprobe_all_is_encoded_anew(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(tmp_path / "one", monkeypatch, ffmpeg=f'exec {FFMPEG} "$@"')
    made = cut(film, LENGTHS, tmp_path / "out")
    assert [piece.made for piece in made] == ["encoded"] * 3
    check_pieces(made, LENGTHS)


@needs_ffmpeg
def test_without_x264_it_is_mpeg4(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = FFMPEG
    listing = f'case "$*" in *-encoders*) {real} "$@" | /bin/grep -v 264;; *) {real} "$@";; esac'
    programs(tmp_path / "one", monkeypatch, ffmpeg=listing)
    made = cut(film, LENGTHS, tmp_path / "out")
    check_pieces(made, LENGTHS)
    capture = cv2.VideoCapture(str(made[0].path))
    assert int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little") in (b"FMP4", b"mp4v")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo No space left on device. >&2; exit 1", "ffmpeg says: No space left on device"),
        ("exit 0", "what ffmpeg makes of it are not its frames"),
    ],
)
def test_a_program_that_fails_costs_no_piece(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    script: str, reason: str,
) -> None:  # fmt: skip
    answer = f'case "$*" in *-encoders*) echo " V..... libx264 x";; *) {script};; esac'
    programs(tmp_path / "one", monkeypatch, ffmpeg=answer)
    # The recorder would ask the same program.
    monkeypatch.setattr(record, "ENCODERS", {".mp4": {}, ".webm": {}})
    made = cut(film, LENGTHS, tmp_path / "out")
    assert [piece.made for piece in made] == ["silent"] * 3
    check_pieces(made, LENGTHS)
    assert f"even rate: {reason}." in caplog.text


def test_a_program_that_hangs_is_ended(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answer = 'case "$*" in *-encoders*) echo " V..... libx264 x";; *) exec /bin/sleep 60;; esac'
    programs(tmp_path / "one", monkeypatch, ffmpeg=answer)
    monkeypatch.setattr(pieces, "STUCK", 0.2)
    monkeypatch.setattr(record, "ENCODERS", {".mp4": {}, ".webm": {}})
    made = cut(film, LENGTHS, tmp_path / "out")
    check_pieces(made, LENGTHS)
    assert "ffmpeg wrote nothing for 0 s." in caplog.text


def test_ctrl_c_ends_the_program_and_leaves_nothing(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "pid"
    answer = (
        'case "$*" in *-encoders*) echo " V..... libx264 x";; '
        f"*) echo $$ > {note}; exec /bin/sleep 60;; esac"
    )
    programs(tmp_path / "one", monkeypatch, ffmpeg=answer)
    spans, times = [(0, 30), (30, 60)], [0.0, 3.0, 6.0]
    steps = cut_video(film, spans, times, 10.0, lambda n: tmp_path / f"out/{n}")
    while not note.exists() or not note.read_text().strip():
        next(steps)
    with pytest.raises(KeyboardInterrupt):
        steps.throw(KeyboardInterrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)
    assert list((tmp_path / "out").iterdir()) == []


def test_pictures_become_pieces_without_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"{n}.png" for n in range(12)]
    folder = write_images(tmp_path / "pictures", numbered([12]), names)
    made = cut(folder, [7, 5], tmp_path / "out")
    check_pieces(made, [7, 5])
    assert "sound" not in caplog.text


def test_a_video_that_has_become_shorter(film: Path, tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"film.mkv has changed: it ends before frame 99."):
        cut(film, [30, 70], tmp_path / "out")
