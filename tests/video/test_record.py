"""Saving a video where something goes wrong: no half file stays, and the old one does."""

import os
import shutil
import stat
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from helpers import moving_squares, noise
from saving import both, left_in, needs_ffmpeg, read, timeline

from vidgru.core.errors import OptionError, OutputError, VideoError
from vidgru.tasks.classify.annotate import annotate
from vidgru.video import record
from vidgru.video.record import open_recorder


def write_some(path: Path, count: int = 50) -> None:
    with open_recorder(path, (64, 48), Fraction(10)) as recorder:
        for frame in noise(count, 48, 64):
            recorder.write(frame)


@needs_ffmpeg
@pytest.mark.parametrize("late", [False, True])
def test_a_killed_ffmpeg_is_reported_and_leaves_the_old_file(tmp_path: Path, late: bool) -> None:
    path = tmp_path / "out.mp4"
    path.write_text("old")

    def record_and_kill() -> None:
        with open_recorder(path, (64, 48), Fraction(10)) as recorder:
            for number, frame in enumerate(noise(200, 48, 64)):
                if number == 100:
                    recorder._writer.process.kill()
                    if late:  # only the end finds out
                        break
                recorder.write(frame)

    with pytest.raises(OutputError) as error:
        record_and_kill()
    assert str(error.value) == f"Cannot write {path}: ffmpeg was ended by SIGKILL."
    assert left_in(tmp_path) == ["out.mp4"]
    assert path.read_text() == "old"


@needs_ffmpeg
@pytest.mark.parametrize("stop", [KeyboardInterrupt, VideoError])
def test_broken_off_nothing_is_left_behind(tmp_path: Path, stop: type[BaseException]) -> None:
    path = tmp_path / "out.mp4"
    processes = []

    def break_off() -> None:
        with open_recorder(path, (64, 48), Fraction(10)) as recorder:
            processes.append(recorder._writer.process)
            recorder.write(noise(1, 48, 64)[0])
            assert os.getpgid(processes[0].pid) == processes[0].pid  # Ctrl-C is ours alone
            raise stop

    with pytest.raises(stop):
        break_off()
    assert processes[0].returncode is not None
    assert left_in(tmp_path) == []


def test_a_generator_closed_half_way_leaves_nothing(tmp_path: Path) -> None:
    clip = moving_squares(tmp_path / "clip.avi", 1, 1)
    steps = annotate(clip, timeline(1.4), tmp_path / "out.mp4")
    next(steps)
    steps.close()
    assert left_in(tmp_path) == ["clip.avi"]


def fake_ffmpeg(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "ffmpeg"
    folder.mkdir()
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *-encoders*) echo " V libx264";exit;; esac\n{script}\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "echo 'x: No space left on device.' >&2; exit 1",
            "ffmpeg says: x: No space left on device",
        ),
        ("cat >/dev/null; echo one >&2; echo two >&2; exit 1", "ffmpeg says: two"),
        ("exit 3", "ffmpeg ended with 3"),
        ("yes complaint | head -c 3000000 >&2; cat >/dev/null; exit 1", "ffmpeg says: complaint"),
    ],
)
def test_what_ffmpeg_says_is_passed_on(
    tmp_path: Path, script: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_ffmpeg(tmp_path / "bin", script, monkeypatch)
    path = tmp_path / "out.mp4"
    with pytest.raises(OutputError) as error:
        write_some(path)
    assert str(error.value) == f"Cannot write {path}: {said}."
    assert left_in(tmp_path) == ["bin"]


@needs_ffmpeg
@pytest.mark.parametrize(
    "name", ["-y.mp4", "http:x.mp4", "http:y/x.mp4", "%d.webm", "a'b $(c).MP4", "ö\n.mp4"]
)
def test_any_name_stays_a_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_some(Path(name), 3)
    assert left_in(tmp_path) == [name.split("/")[0]]
    assert len(read(tmp_path / name)[0]) == 3


def test_without_ffmpeg_a_full_disk_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_ffmpeg: Callable[[], None]
) -> None:
    without_ffmpeg()
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
        with pytest.raises(OutputError) as error:
            write_some(tmp_path / "out.webm")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert str(error.value).startswith(f"Cannot write {tmp_path}/out.webm: of 50 frames, the disk ")
    assert left_in(tmp_path) == []


@needs_ffmpeg
def test_a_disk_that_is_full_at_the_very_end_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So few bytes ffmpeg keeps back until it ends.
    script = f"trap '' XFSZ; ulimit -f 8; exec {shutil.which('ffmpeg')} \"$@\""
    fake_ffmpeg(tmp_path / "bin", script, monkeypatch)
    (path := tmp_path / "a.mp4").write_bytes(b"old")
    with pytest.raises(OutputError, match=r"ffmpeg says: .*: File too large\.$"):
        write_some(path)
    assert left_in(tmp_path) == ["a.mp4", "bin"]
    assert path.read_bytes() == b"old"


def test_without_ffmpeg_it_warns_once_and_opencv_is_silent(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    without_ffmpeg: Callable[[], None],
) -> None:
    without_ffmpeg()
    record._miss.cache_clear()
    # Before there is anything to write.
    record.plan_videos("--save", str(tmp_path / "out.webm"), ["a.mp4"], [Path("a.mp4")])
    said = [
        "There is no ffmpeg program with libvpx-vp9, so OpenCV writes VP9, several times as slowly."
        " Install ffmpeg; on Debian and Ubuntu: apt install ffmpeg"
    ]
    assert caplog.messages == said
    write_some(tmp_path / "out.webm", 2)
    write_some(tmp_path / "two.webm", 2)
    assert caplog.messages == said
    assert capfd.readouterr() == ("", "")
    os.write(2, b"back")
    assert capfd.readouterr().err == "back"


@both
@pytest.mark.parametrize("name", ["out.xyz", "out.avi", "out", ".mp4"])
def test_other_suffixes_are_refused(
    tmp_path: Path, name: str, way: str, without_ffmpeg: Callable[[], None]
) -> None:
    if way == "wheel":
        without_ffmpeg()
    with pytest.raises(OptionError) as error:
        write_some(tmp_path / name)
    assert str(error.value) == (
        f"Cannot write {tmp_path / name}: the name of the video must end with .mp4 or .webm."
    )


@both
def test_a_folder_that_cannot_be_written_to(
    tmp_path: Path, way: str, without_ffmpeg: Callable[[], None]
) -> None:
    if way == "wheel":
        without_ffmpeg()
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "out.mp4", Path("/proc/out.mp4")):
        with pytest.raises(OutputError) as error:
            write_some(path)
        assert str(error.value).startswith(f"Cannot write {path}: ")
        assert str(error.value).count("\n") == 0


def test_the_encoders_of_what_is_no_ffmpeg(tmp_path: Path) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("no program")
    program.chmod(0o755)
    assert record.encoders(str(program)) == frozenset()
    assert record.encoders(str(tmp_path / "missing")) == frozenset()
