"""Videos saved with what they show drawn on them: pixels, timing, players, and what goes wrong."""

import base64
import os
import shutil
import stat
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from browser import CHROMIUM, browser
from helpers import moving_squares, noise, retime, turn, write_clip, write_images
from numpy.typing import NDArray

from vidgru import TrainResult
from vidgru.errors import OptionError, OutputError, VideoError
from vidgru.results import Failure, Progress
from vidgru.timeline import Segment, Timeline
from vidgru.verbs.annotate import annotate, save_one
from vidgru.verbs.places import plan_files
from vidgru.verbs.predict import Model
from vidgru.video import record
from vidgru.video.draw import GREY, PALETTE, Overlay, label_color
from vidgru.video.facts import Facts
from vidgru.video.panel import WHITE
from vidgru.video.read import open_video
from vidgru.video.record import open_recorder
from vidgru.video.text import draw_text

LABELS = ("left", "right", "up")
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg is installed")
both = pytest.mark.parametrize("way", [pytest.param("ffmpeg", marks=needs_ffmpeg), "wheel"])


@pytest.fixture
def without_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def hide() -> None:
        monkeypatch.setenv("PATH", str(tmp_path / "no programs"))

    return hide


def segment(start: float, end: float, label: int, sure: float = 0.8, **more: bool) -> Segment:
    shares = [(1 - sure) / 2] * 3
    shares[label] = sure
    return Segment(start, end, LABELS, tuple(shares), **more)


def timeline(seconds: float) -> Timeline:
    """Left for a quarter, unsure for a quarter, then up."""
    quarter, half = seconds / 4, seconds / 2
    parts = (
        segment(0, quarter, 0),
        segment(quarter, half, 1, unsure=True),
        segment(half, seconds, 2),
    )
    return Timeline("clip", LABELS, parts, 10, seconds)


def read(path: Path) -> tuple[list[NDArray[np.uint8]], Facts]:
    with open_video(path) as video:
        return [frame.rgb for frame in video], video.facts()


def save(source: Path, path: Path) -> tuple[list[NDArray[np.uint8]], Facts, Facts]:
    """Annotate a source; return the saved frames and the facts of the saved and the source."""
    facts = read(source)[1]
    steps = list(annotate(source, timeline(facts.seconds), path))
    assert [step.done for step in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].total - len(steps) in (0, 1)  # the last frame's length is anyone's guess
    frames, saved = read(path)
    assert len(frames) == len(steps)
    assert abs(saved.seconds - facts.seconds) <= 1 / saved.fps + 1e-3
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".")] == []
    return frames, saved, facts


def smooth(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return frames that a codec keeps well, each darker or lighter than its neighbours."""
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([60 + 80 * x / width, 60 + 80 * y / height, 90 + 0 * x], axis=-1)
    step = (np.arange(count) * 7 % 40)[:, None, None, None]
    return np.asarray(base[None] + step, np.uint8)


# Drawing


def test_outside_of_band_strip_and_mark_nothing_is_touched() -> None:
    picture = noise(1, 240, 320)[0]
    overlay = Overlay((320, 240), timeline(8))
    drawn = overlay.draw(picture, 1.0)
    changed = (drawn != picture).any(axis=2)
    rows = np.flatnonzero(changed.any(axis=1))
    assert (overlay.band, overlay.strip) == (20, 7)
    assert changed[:20].mean() > 0.95
    assert changed[233:].mean() > 0.95
    # The mark stands out of the strip a little.
    assert set(rows) - set(range(20)) - set(range(233, 240)) == {231, 232}
    assert changed[231:233].sum(axis=1).max() <= 7
    assert np.array_equal(picture, noise(1, 240, 320)[0])


def test_the_strip_has_each_labels_colour_where_it_is_and_the_mark_moves() -> None:
    overlay = Overlay((320, 240), timeline(8))
    picture = np.zeros((240, 320, 3), np.uint8)
    places = []
    for time in (0.0, 2.5, 4.0, 7.9, 99.0):
        row = overlay.draw(picture, time)[-2]
        white = np.flatnonzero((row == WHITE).all(axis=1))
        places.append(round(white.mean()))
        for x in set(range(320)) - set(range(white[0] - 2, white[-1] + 3)):
            wanted = PALETTE[0] if x < 80 else GREY if x < 160 else PALETTE[2]
            assert tuple(row[x]) == wanted, (time, x)
    assert places == [0, 100, 160, 315, 318]


def test_the_bar_is_as_long_as_the_confidence_and_the_patch_tells_the_label() -> None:
    lengths = []
    for sure in (0.4, 0.5, 1.0):
        one = Timeline("clip", LABELS, (segment(0, 4, 2, sure),), 9, 4.0)
        drawn = Overlay((640, 480), one).draw(np.zeros((480, 640, 3), np.uint8), 1.0)
        overlay = Overlay((640, 480), one)
        assert tuple(drawn[overlay.band // 2, overlay.text]) == label_color(one, one.segments[0])
        line = drawn[overlay.band // 2, 200:]
        ends = np.flatnonzero((line == (90, 90, 90)).all(axis=1))
        first = np.flatnonzero((line == WHITE).all(axis=1))[0]
        full = np.flatnonzero((line[first:] != WHITE).any(axis=1))[0]
        lengths.append(full)
        assert len(ends) in (0, 136 - full)
    assert lengths == [54, 68, 136]


def test_labels_have_colours_of_their_own() -> None:
    labels = tuple(f"label {n}" for n in range(21))
    one = Segment(0, 1, labels, (0.0,) * 21)
    shares = np.eye(21)
    whole = Timeline("clip", labels, (one,), 1, 1.0)
    colors = [label_color(whole, replace(one, probabilities=tuple(row))) for row in shares]
    assert len(set(colors)) == 21
    assert GREY not in colors


@pytest.mark.parametrize(
    ("size", "band", "strip"),
    [((64, 48), 0, 3), ((16, 16), 0, 0), ((1, 1), 0, 0), ((64, 480), 0, 3), ((160, 120), 20, 3)],
)
def test_what_cannot_be_read_is_left_out(size: tuple[int, int], band: int, strip: int) -> None:
    overlay = Overlay(size, timeline(8))
    assert (overlay.band, overlay.strip) == (band, strip)
    picture = noise(1, size[1], size[0])[0]
    drawn = overlay.draw(picture, 3.0)
    assert drawn.shape == picture.shape
    changed = (drawn != picture).any(axis=2).mean()
    assert changed <= 1 / 6 + 0.08
    assert (changed > 0) == bool(band or strip)


def test_very_many_segments_and_labels_take_no_memory_each() -> None:
    parts = tuple(segment(n / 10, (n + 1) / 10, n % 3) for n in range(2000))
    overlay = Overlay((320, 240), Timeline("clip", LABELS, parts, 9, 200.0))
    for n in range(0, 2000, 100):
        overlay.draw(np.zeros((240, 320, 3), np.uint8), n / 10)
    assert overlay._layer.cache_info().currsize <= 4


# Text


def test_text_comes_out_verbatim() -> None:
    plain, mathematics = draw_text("x", 20, 400), draw_text("$x$", 20, 400)
    assert mathematics.shape[1] > 2.5 * plain.shape[1]
    assert draw_text("a_b^2", 20, 400).shape[1] > draw_text("ab2", 20, 400).shape[1] + 15
    assert draw_text(r"\frac{$", 20, 400).max() > 200
    assert not np.array_equal(draw_text("Ж", 20, 400), draw_text("Ω", 20, 400))
    assert not np.array_equal(draw_text("é", 20, 400), draw_text("e", 20, 400))


def test_text_is_one_line_of_a_bounded_width(capfd: pytest.CaptureFixture[str]) -> None:
    long = draw_text("a long label " * 1000, 20, 200)
    assert long.shape[0] == 34
    assert 180 <= long.shape[1] <= 200
    assert long[:, -30:].max() > 200
    assert draw_text("x\ny\x1b[31m\udcff", 20, 400).shape[0] == 34
    strange = draw_text("日本 \U0001f600 \U0010ffff \u0378", 20, 400)
    assert strange.max() > 100
    assert draw_text("wide", 20, 1).shape == (34, 1)
    assert draw_text("", 20, 100).max() == 0
    assert capfd.readouterr() == ("", "")


def test_letters_stay_within_their_line() -> None:
    letters = draw_text("ÅgjpqÇ|", 40, 900)
    rows = np.flatnonzero(letters.max(axis=1) > 128)
    assert rows[0] > 0
    assert rows[-1] < 67


# Timing


@both
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_every_frame_once(
    tmp_path: Path, suffix: str, way: str, without_ffmpeg: Callable[[], None]
) -> None:
    frames = smooth(20, 96, 128)
    clip = write_clip(tmp_path / "clip.mkv", frames, 10)
    if way == "wheel":
        without_ffmpeg()
    saved, facts, _ = save(clip, tmp_path / f"out{suffix}")
    assert (facts.width, facts.height, facts.fps) == (128, 96, 10)
    assert facts.codec == ("h264" if suffix == ".mp4" and way == "ffmpeg" else "vp90") or (
        facts.codec == "vp09"
    )
    assert len(saved) == 20
    overlay = Overlay((128, 96), timeline(2.0))
    assert (overlay.band, overlay.strip) == (0, 3)
    for old, new in zip(frames, saved, strict=True):
        # Away from the edges of what is drawn.
        off = np.abs(old[:84].astype(int) - new[:84])
        assert off.mean() < 3
        assert off.max() < 16


@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(25, 2)])
@needs_ffmpeg
def test_rates_of_television_stay_exact(tmp_path: Path, fps: Fraction) -> None:
    clip = tmp_path / "clip.mp4"
    with open_recorder(clip, (64, 48), fps) as recorder:
        for frame in noise(70, 48, 64):
            recorder.write(frame)
    saved, facts, source = save(clip, tmp_path / "out.mp4")
    assert len(saved) == source.frames == 70
    assert facts.fps == pytest.approx(float(fps), abs=1e-9)


@needs_ffmpeg
def test_at_a_variable_rate_frames_are_held_as_long_as_they_are_shown(tmp_path: Path) -> None:
    frames = smooth(16, 48, 64)
    clip = write_clip(tmp_path / "clip.mp4", frames, 10, "mp4v")
    # The clock of this file ticks 10240 times a second.
    retime(clip, [512, 512, 512, 2560] * 4)
    saved, facts, source = save(clip, tmp_path / "out.mp4")
    assert source.variable
    assert facts.fps == pytest.approx(20)
    light = [round(frame[10:30].mean()) for frame in saved]
    wanted = [round(frame[10:30].mean()) for frame in read(clip)[0]]
    holds = [1, 1, 1, 5] * 3 + [1, 1, 1]
    held = [value for value, times in zip(wanted[:-1], holds, strict=True) for _ in range(times)]
    assert np.abs(np.array(light[: len(held)]) - held).max() <= 2


@needs_ffmpeg
def test_times_that_jitter_neither_drop_nor_double_a_frame(tmp_path: Path) -> None:
    # The second frame comes late, and the others keep to the beat of that.
    times = [0.0] + [n / 20 + (0.006, 0.010, 0.003)[n % 3] for n in range(1, 40)]
    names = [f"{n}.png" for n in range(40)]
    folder = write_images(tmp_path / "images", smooth(40, 48, 64), names)
    rows = [f"{name},x,0,{time:.6f}" for name, time in zip(names, times, strict=True)]
    (folder / "frames.csv").write_text("\n".join(["file,source,index,seconds", *rows]))
    saved, _, source = save(folder, tmp_path / "out.mp4")
    light = [frame[10:30].mean() for frame in read(folder)[0]]
    assert len(saved) == source.frames
    assert np.abs(np.array([frame[10:30].mean() for frame in saved]) - light).max() < 2


@needs_ffmpeg
def test_frames_that_come_too_fast_are_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = ["file,source,index,seconds"]
    rows += [f"{n}.png,x,{n},{n / 1000:.6f}" for n in range(50)]
    folder = write_images(tmp_path / "images", smooth(50, 48, 64), [f"{n}.png" for n in range(50)])
    (folder / "frames.csv").write_text("\n".join(rows))
    saved, facts, _ = save(folder, tmp_path / "out.mp4")
    assert facts.fps == 240
    assert len(saved) == 12
    assert caplog.messages == [
        f"{folder} has 50 frames, some faster than 240 a second: {tmp_path}/out.mp4 shows 12 of "
        "them."
    ]


@needs_ffmpeg
def test_pictures_make_videos_too(tmp_path: Path) -> None:
    frames = smooth(6, 48, 64)
    folder = write_images(tmp_path / "images", frames, [f"{n}.png" for n in range(6)])
    saved, facts, _ = save(folder, tmp_path / "folder.mp4")
    assert (len(saved), facts.fps) == (6, 25)
    assert np.abs(saved[3][:36].astype(int) - frames[3][:36]).mean() < 3
    write_images(folder, smooth(1, 30, 30), ["7.png"])
    assert read(folder)[0][6].shape == (30, 30, 3)
    assert save(folder, tmp_path / "sizes.mp4")[0][6].shape == (48, 64, 3)
    saved, facts, _ = save(folder / "2.png", tmp_path / "one.mp4")
    assert (len(saved), facts.fps) == (1, 25)


@both
@pytest.mark.parametrize("size", [(65, 47), (33, 64), (3, 1)])
def test_odd_sides_become_even_by_one(
    tmp_path: Path, size: tuple[int, int], way: str, without_ffmpeg: Callable[[], None]
) -> None:
    width, height = size
    frames = smooth(4, height, width)
    write_images(tmp_path / "images", frames, [f"{n}.png" for n in range(4)])
    if way == "wheel":
        without_ffmpeg()
    saved, facts, _ = save(tmp_path / "images", tmp_path / "out.mp4")
    assert (facts.width, facts.height) == (width + width % 2, height + height % 2)
    new = saved[2][: height * 3 // 4 or 1].astype(int)
    old = frames[2][: height * 3 // 4 or 1]
    assert np.abs(new[:, :width] - old).mean() < 9  # of so few pixels, codecs keep little
    assert np.abs(new[:, -1] - new[:, width - 1]).max() < 8


@needs_ffmpeg
def test_a_turned_video_is_saved_upright(tmp_path: Path) -> None:
    clip = turn(write_clip(tmp_path / "clip.mp4", smooth(5, 48, 64), 10, "mp4v"))
    _, facts, _ = save(clip, tmp_path / "out.mp4")
    assert (facts.width, facts.height, facts.rotation) == (48, 64, 0)


# Players


@both
def test_colours_come_back_right(
    tmp_path: Path, way: str, without_ffmpeg: Callable[[], None]
) -> None:
    if way == "wheel":
        without_ffmpeg()
    colors = (*PALETTE, (255, 0, 0), (0, 255, 0), (0, 0, 255))
    picture = np.repeat(np.array([colors], np.uint8), 32, axis=1).repeat(720, axis=0)
    for suffix in (".mp4", ".webm"):
        path = tmp_path / f"out{suffix}"
        with open_recorder(path, (320, 720), Fraction(10)) as recorder:
            for _ in range(2):
                recorder.write(picture)
        (frame, _), _ = read(path)
        for number, color in enumerate(colors):
            assert np.abs(frame[300, 32 * number + 16].astype(int) - color).max() <= 6


def as_page(path: Path) -> str:
    # Of a file of its own, a page may not see the pixels.
    data = base64.b64encode(path.read_bytes()).decode()
    return f'<video muted src="data:video/{path.suffix[1:]};base64,{data}"></video>'


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_a_browser_plays_what_is_saved(tmp_path: Path, without_ffmpeg: Callable[[], None]) -> None:
    colors = np.array([PALETTE[n] for n in (0, 2, 4, 5)], np.uint8)
    # At 720 lines and above, browsers take other colours for granted.
    frames = np.broadcast_to(colors.repeat(8, axis=0)[:, None, None], (32, 720, 320, 3))
    names = [f"{n:02}.png" for n in range(32)]
    source = write_images(tmp_path / "images", frames, names)
    rows = ["file,source,index,seconds"]
    rows += [f"{name},x,{n},{n / 16:.6f}" for n, name in enumerate(names)]
    (source / "frames.csv").write_text("\n".join(rows))
    files = [tmp_path / f"{way}.{end}" for way in ("ffmpeg", "wheel") for end in ("mp4", "webm")]
    with browser(tmp_path / "profile") as view:
        for number, path in enumerate(files):
            if number == 2:
                without_ffmpeg()
            list(annotate(source, timeline(2.0), path))
            page = tmp_path / "page.html"
            page.write_text(as_page(path))
            view.open(page, 1200)
            told = view.value(
                "new Promise(done => { const video = document.querySelector('video');"
                "video.onerror = () => done(video.error.message);"
                "const tell = () => done([video.videoWidth, video.videoHeight, video.duration]);"
                "if (video.readyState > 1) tell(); else video.onloadeddata = tell; })"
            )
            assert told[:2] == [320, 720], (path.name, told)
            assert told[2] == pytest.approx(2.0, abs=1 / 16), path.name
            for part in range(4):
                place = (part + 0.5) / 2
                pixels = view.value(
                    "new Promise(done => { const video = document.querySelector('video');"
                    "video.requestVideoFrameCallback(() => {"
                    "const canvas = document.createElement('canvas');"
                    "canvas.width = 320; canvas.height = 720;"
                    "const context = canvas.getContext('2d', {willReadFrequently: true});"
                    "context.drawImage(video, 0, 0);"
                    "const look = (x, y) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)];"
                    "done([look(160, 360), look(40, 716), look(300, 716)]); });"
                    f"video.currentTime = {place}; }})"
                )
                wanted = [colors[part], PALETTE[0], PALETTE[2]]
                off = np.abs(np.array(pixels) - np.array(wanted)).max()
                assert off <= 8, (path.name, part, pixels)
            # And it runs.
            ran = (
                "new Promise(done => { const video = document.querySelector('video');"
                "video.onended = () => done(video.currentTime); video.currentTime = 1.5;"
                "video.playbackRate = 4; video.play(); })"
            )
            assert view.value(ran) == pytest.approx(2.0, abs=1 / 16), path.name
            assert view.complaints() == []
            # The looking itself must see a file that does not play.
        bad = write_clip(tmp_path / "bad.mp4", smooth(4, 48, 64), 10, "mp4v")
        page.write_text(as_page(bad))
        view.open(page, 1200)
        failed = (
            "new Promise(done => { const video = document.querySelector('video');"
            "if (video.error) done(video.error.code);"
            "else video.onerror = () => done(video.error.code); })"
        )
        assert view.value(failed) == 4


# What goes wrong


def write_some(path: Path, count: int = 50) -> None:
    with open_recorder(path, (64, 48), Fraction(10)) as recorder:
        for frame in noise(count, 48, 64):
            recorder.write(frame)


def left_in(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir())


@needs_ffmpeg
@pytest.mark.parametrize("late", [False, True])
def test_a_killed_ffmpeg_is_told_of_and_leaves_the_old_file(tmp_path: Path, late: bool) -> None:
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


def test_without_ffmpeg_it_says_so_once_and_opencv_says_nothing(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    without_ffmpeg: Callable[[], None],
) -> None:
    without_ffmpeg()
    record._miss.cache_clear()
    write_some(tmp_path / "out.webm", 2)
    write_some(tmp_path / "two.webm", 2)
    assert caplog.messages == [
        "There is no ffmpeg program with libvpx-vp9, so OpenCV writes VP9, several times as slowly."
    ]
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


# Where they go


def plan_saves(
    target: str | Path, sources: Sequence[str | Path], found: Sequence[Path | Failure]
) -> dict[Path, Path]:
    return plan_files("--save", str(target), (".mp4", ".webm"), sources, found)


def test_one_file_for_one_video(tmp_path: Path) -> None:
    clip = tmp_path / "a.avi"
    clip.touch()
    assert plan_saves("out.webm", [clip], [clip]) == {clip: Path("out.webm")}
    two = [clip, tmp_path / "b.avi"]
    with pytest.raises(OptionError) as error:
        plan_saves("out.mp4", two, two)
    assert str(error.value) == "--save out.mp4 is one file for 2 videos: give a folder."
    with pytest.raises(OptionError, match=r"Cannot write out\.v2: the name must end with"):
        plan_saves("out.v2", [clip], [clip])
    with pytest.raises(OptionError, match=r"--save is empty: give a file or a folder\."):
        plan_saves("", [clip], [clip])


def test_a_folder_keeps_names_apart(tmp_path: Path) -> None:
    found = [Path("clips/x/a.avi"), Path("clips/x/a.mp4"), Path("clips/X/A.mkv"), Path("other.mp4")]
    sources = ["clips", "other.mp4"]
    names = ["x/a.mp4", "x/a-2.mp4", "X/A-3.mp4", "other.mp4"]
    for save_to in ("out", "out.v2/", tmp_path):
        plan = plan_saves(save_to, sources, [*found, Failure("gone", "Cannot read gone.")])
        assert plan == dict(zip(found, (Path(save_to, name) for name in names), strict=True))
    (tmp_path / "images.2").mkdir()
    one = tmp_path / "images.2"
    assert plan_saves("out", [one], [one]) == {one: Path("out/images.2.mp4")}


def test_a_source_is_never_written_over(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clips" / "a.mp4", noise(3), 10, "mp4v")
    before = clip.read_bytes()
    (tmp_path / "link.mp4").symlink_to(clip)
    os.link(clip, tmp_path / "hard.mp4")
    for save_to in (clip, clip.parent, tmp_path / "link.mp4", tmp_path / "hard.mp4"):
        with pytest.raises(OptionError) as error:
            plan_saves(save_to, [clip.parent], [clip])
        assert str(error.value) == f"{clip} cannot be read and written at once: write elsewhere."
    with pytest.raises(OptionError):
        list(annotate(clip, timeline(0.3), tmp_path / "hard.mp4"))
    assert clip.read_bytes() == before


def test_a_source_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    gone = tmp_path / "gone.mp4"
    steps = save_one(timeline(2.0), gone, tmp_path / "out.mp4")
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == Failure(str(gone), f"Cannot read {gone}: no such file or folder.")


# The command line


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(self: Model, source: Path) -> Generator[Progress, None, Timeline]:
        yield Progress(str(source), 1, 2)
        whole = timeline(read(source)[1].seconds)
        two = whole.labels[:2]  # those that the model knows
        parts = [
            replace(part, labels=two, probabilities=part.probabilities[:2])
            for part in whole.segments[:2]
        ]
        return replace(whole, source=str(source), labels=two, segments=tuple(parts))

    monkeypatch.setattr(Model, "timeline_steps", told)


@pytest.mark.usefixtures("timed")
def test_predict_saves(
    vidgru: Callable[..., tuple[int, str, str]], trained: TrainResult, data: Path, tmp_path: Path
) -> None:
    clip, out = data / "left" / "0.avi", tmp_path / "new" / "out.mp4"
    plain = vidgru("predict", clip, "--timeline", "--model", trained.run)
    code, said, err = vidgru("predict", clip, "--model", trained.run, "--save", out)
    assert (code, said) == (0, plain[1])
    assert err == f"Saved: {out}\n"
    assert len(read(out)[0]) == 14
    code, said, err = vidgru("predict", clip, "--model", trained.run, "--save", out, "-q", "--json")
    assert (code, said.count("\n"), err) == (0, 1, "")
    code, said, err = vidgru("predict", clip, "--model", trained.run, "--save", "x.avi")
    assert (code, said) == (2, "")
    assert (
        err == "Error: Cannot write x.avi: the name must end with .mp4 or .webm, or be a folder.\n"
    )


@pytest.mark.usefixtures("timed")
def test_predict_saves_many_but_those_that_cannot_be_read(
    vidgru: Callable[..., tuple[int, str, str]], trained: TrainResult, data: Path, tmp_path: Path
) -> None:
    clips = tmp_path / "clips"
    for name in ("a/x.avi", "b.avi"):
        (clips / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(data / "left" / "0.avi", clips / name)
    (clips / "c.mp4").write_text("no video")
    code, _, err = vidgru("predict", clips, "--model", trained.run, "--save", tmp_path / "out")
    assert code == 1
    assert err == (
        f"Saved: {tmp_path}/out/a/x.mp4\nSaved: {tmp_path}/out/b.mp4\n"
        f"Error: Cannot read {clips}/c.mp4: not a video that can be opened.\n"
    )
    assert left_in(tmp_path / "out") == ["a", "b.mp4"]


@pytest.mark.usefixtures("timed")
def test_a_video_that_cannot_be_written_costs_only_itself(
    vidgru: Callable[..., tuple[int, str, str]],
    trained: TrainResult,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(source: Path, timeline: Timeline, path: Path) -> Generator[Progress, None, None]:
        if source.name == "1.avi":
            raise OutputError(f"Cannot write {path}: ffmpeg says: no.")
        yield from annotate(source, timeline, path)

    monkeypatch.setattr("vidgru.verbs.annotate.annotate", refuse)
    clips = [data / "left" / f"{n}.avi" for n in (0, 1, 2)]
    words = ("--model", trained.run, "--save", tmp_path / "out", "--csv", tmp_path / "t.csv")
    code, _, err = vidgru("predict", *clips, clips[0], *words)
    assert code == 1
    out = tmp_path / "out"
    # And a source that is given twice is saved once.
    assert err == (
        f"Saved: {out}/0.mp4\nError: Cannot write {out}/1.mp4: ffmpeg says: no.\n"
        f"Saved: {out}/2.mp4\n"
    )
    rows = (tmp_path / "t.csv").read_text().splitlines()[1:]
    assert {row.split(",")[0] for row in rows} == {str(clip) for clip in clips}


def test_what_is_there_in_a_folder_is_kept(
    vidgru: Callable[..., tuple[int, str, str]], trained: TrainResult, data: Path, tmp_path: Path
) -> None:
    clip = shutil.copy(data / "left" / "0.avi", tmp_path / "a.avi")
    for option, name in (("--save", "a.mp4"), ("--subtitles", "a.srt")):
        (tmp_path / name).write_text("of the user")
        code, out, err = vidgru("predict", clip, "--model", trained.run, option, tmp_path)
        assert (code, out) == (1, "")
        sentence = f"{tmp_path / name} is there already. Give {option} another folder."
        assert err == f"Error: {sentence}\n"
        assert (tmp_path / name).read_text() == "of the user"


def test_a_table_takes_nobodys_place(
    vidgru: Callable[..., tuple[int, str, str]], trained: TrainResult, data: Path, tmp_path: Path
) -> None:
    clip = Path(shutil.copy(data / "left" / "0.avi", tmp_path / "a.avi"))
    before, words = clip.read_bytes(), ("predict", clip, "--model", trained.run)
    code, _, err = vidgru(*words, "--csv", clip)
    assert (code, err) == (
        2,
        f"Error: {clip} cannot be read and written at once: write elsewhere.\n",
    )
    assert clip.read_bytes() == before
    both = tmp_path / "x.mp4"
    code, _, err = vidgru(*words, "--save", both, "--csv", both)
    assert (code, err) == (2, f"Error: {both} would be written twice: give --csv another name.\n")
    for name in ("", tmp_path):
        code, _, err = vidgru(*words, "--csv", name)
        assert (code, err) == (1, f"Error: Cannot write {name or '.'}: give the name of a file.\n")


def test_labels_are_never_latex(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib as mpl

    plain = draw_text("a_b $x^2$ \\input{x}", 21, 400)
    draw_text.cache_clear()
    with mpl.rc_context({"text.usetex": True}):
        assert (draw_text("a_b $x^2$ \\input{x}", 21, 400) == plain).all()
