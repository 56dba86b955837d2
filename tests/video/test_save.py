"""Saved videos: every frame once, at the right time, in colours that players show."""

import base64
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from conftest import Opened
from helpers import noise, retime, turn, write_clip, write_images
from numpy.typing import NDArray
from saving import both, needs_ffmpeg, read, timeline

from vidgru.tasks.classify.annotate import annotate
from vidgru.tasks.classify.overlay import PALETTE, Overlay
from vidgru.video.info import VideoInfo
from vidgru.video.record import open_recorder


def save(source: Path, path: Path) -> tuple[list[NDArray[np.uint8]], VideoInfo, VideoInfo]:
    """Annotate a source; return the saved frames and the info of the saved and the source."""
    info = read(source)[1]
    steps = list(annotate(source, timeline(info.seconds), path))
    assert [step.done for step in steps] == list(range(1, len(steps) + 1))
    assert steps[-1].total - len(steps) in (0, 1)  # the last frame's length is anyone's guess
    frames, saved = read(path)
    assert len(frames) == len(steps)
    assert abs(saved.seconds - info.seconds) <= 1 / saved.fps + 1e-3
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".")] == []
    return frames, saved, info


def smooth(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return frames that a codec keeps well, each darker or lighter than its neighbours."""
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([60 + 80 * x / width, 60 + 80 * y / height, 90 + 0 * x], axis=-1)
    step = (np.arange(count) * 7 % 40)[:, None, None, None]
    return np.asarray(base[None] + step, np.uint8)


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
    saved, info, _ = save(clip, tmp_path / f"out{suffix}")
    assert (info.width, info.height, info.fps) == (128, 96, 10)
    assert info.codec == ("h264" if suffix == ".mp4" and way == "ffmpeg" else "vp90") or (
        info.codec == "vp09"
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
    saved, info, source = save(clip, tmp_path / "out.mp4")
    assert len(saved) == source.frames == 70
    assert info.fps == pytest.approx(float(fps), abs=1e-9)


@needs_ffmpeg
def test_at_a_variable_rate_frames_are_held_as_long_as_they_are_shown(tmp_path: Path) -> None:
    frames = smooth(16, 48, 64)
    clip = write_clip(tmp_path / "clip.mp4", frames, 10, "mp4v")
    # The clock of this file ticks 10240 times a second.
    retime(clip, [512, 512, 512, 2560] * 4)
    saved, info, source = save(clip, tmp_path / "out.mp4")
    assert source.variable
    assert info.fps == pytest.approx(20)
    light = [round(frame[10:30].mean()) for frame in saved]
    wanted = [round(frame[10:30].mean()) for frame in read(clip)[0]]
    holds = [1, 1, 1, 5] * 3 + [1, 1, 1]
    held = [value for value, times in zip(wanted[:-1], holds, strict=True) for _ in range(times)]
    assert np.abs(np.array(light[: len(held)]) - held).max() <= 2


@needs_ffmpeg
def test_a_pause_is_held_and_costs_no_frames(tmp_path: Path) -> None:
    times = [n / 20 + (3 if n > 5 else 0) for n in range(16)]
    names = [f"{n:02}.png" for n in range(16)]
    folder = write_images(tmp_path / "images", smooth(16, 48, 64), names)
    rows = [f"{name},x,0,{time:.6f}" for name, time in zip(names, times, strict=True)]
    (folder / "frames.csv").write_text("\n".join(["file,source,index,seconds", *rows]))
    list(annotate(folder, timeline(3.8), tmp_path / "out.mp4"))
    (saved, info), (frames, source) = read(tmp_path / "out.mp4"), read(folder)
    assert (source.variable, info.fps) == (False, pytest.approx(20))
    light = [frame[10:30].mean() for frame in frames]
    held = [*light[:5], *light[5:6] * 61, *light[6:]]
    assert np.abs(np.array([frame[10:30].mean() for frame in saved]) - held).max() < 2


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
def test_frames_that_come_too_fast_are_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = ["file,source,index,seconds"]
    rows += [f"{n}.png,x,{n},{n / 1000:.6f}" for n in range(50)]
    folder = write_images(tmp_path / "images", smooth(50, 48, 64), [f"{n}.png" for n in range(50)])
    (folder / "frames.csv").write_text("\n".join(rows))
    saved, info, _ = save(folder, tmp_path / "out.mp4")
    assert info.fps == 240
    assert len(saved) == 12
    assert caplog.messages == [
        f"{folder} has 50 frames, some faster than 240 a second: {tmp_path}/out.mp4 shows 12 of "
        "them."
    ]


@needs_ffmpeg
def test_pictures_make_videos_too(tmp_path: Path) -> None:
    frames = smooth(6, 48, 64)
    folder = write_images(tmp_path / "images", frames, [f"{n}.png" for n in range(6)])
    saved, info, _ = save(folder, tmp_path / "folder.mp4")
    assert (len(saved), info.fps) == (6, 25)
    assert np.abs(saved[3][:36].astype(int) - frames[3][:36]).mean() < 3
    write_images(folder, smooth(1, 30, 30), ["7.png"])
    assert read(folder)[0][6].shape == (30, 30, 3)
    assert save(folder, tmp_path / "sizes.mp4")[0][6].shape == (48, 64, 3)
    saved, info, _ = save(folder / "2.png", tmp_path / "one.mp4")
    assert (len(saved), info.fps) == (1, 25)


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
    saved, info, _ = save(tmp_path / "images", tmp_path / "out.mp4")
    assert (info.width, info.height) == (width + width % 2, height + height % 2)
    new = saved[2][: height * 3 // 4 or 1].astype(int)
    old = frames[2][: height * 3 // 4 or 1]
    assert np.abs(new[:, :width] - old).mean() < 9  # of so few pixels, codecs keep little
    assert np.abs(new[:, -1] - new[:, width - 1]).max() < 8


@needs_ffmpeg
def test_a_turned_video_is_saved_upright(tmp_path: Path) -> None:
    clip = turn(write_clip(tmp_path / "clip.mp4", smooth(5, 48, 64), 10, "mp4v"))
    _, info, _ = save(clip, tmp_path / "out.mp4")
    assert (info.width, info.height, info.rotation) == (48, 64, 0)


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
    return f'<video id="video" muted src="data:video/{path.suffix[1:]};base64,{data}"></video>'


def test_a_browser_plays_what_is_saved(
    tmp_path: Path, without_ffmpeg: Callable[[], None], browse: Callable[..., Opened]
) -> None:
    colors = np.array([PALETTE[n] for n in (0, 2, 4, 5)], np.uint8)
    # At 720 lines and above, browsers take other colours for granted.
    frames = np.broadcast_to(colors.repeat(8, axis=0)[:, None, None], (32, 720, 320, 3))
    names = [f"{n:02}.png" for n in range(32)]
    source = write_images(tmp_path / "images", frames, names)
    rows = ["file,source,index,seconds"]
    rows += [f"{name},x,{n},{n / 16:.6f}" for n, name in enumerate(names)]
    (source / "frames.csv").write_text("\n".join(rows))
    files = [tmp_path / f"{way}.{end}" for way in ("ffmpeg", "wheel") for end in ("mp4", "webm")]
    html = tmp_path / "page.html"
    for number, path in enumerate(files):
        if number == 2:
            without_ffmpeg()
        list(annotate(source, timeline(2.0), path))
        html.write_text(as_page(path))
        page, _, complaints = browse(html, 1200)
        page.wait_for_function("video.readyState > 1 || video.error")
        told = page.evaluate("video.error?.message ?? [video.videoWidth, video.videoHeight]")
        assert told == [320, 720], (path.name, told)
        assert page.evaluate("video.duration") == pytest.approx(2.0, abs=1 / 16), path.name
        for part in range(4):
            page.evaluate(
                "place => { window.pixels = null; video.requestVideoFrameCallback(() => {"
                "const canvas = document.createElement('canvas');"
                "canvas.width = 320; canvas.height = 720;"
                "const context = canvas.getContext('2d', {willReadFrequently: true});"
                "context.drawImage(video, 0, 0);"
                "const look = (x, y) => [...context.getImageData(x, y, 1, 1).data.slice(0, 3)];"
                "window.pixels = [look(160, 360), look(40, 716), look(300, 716)]; });"
                "video.currentTime = place; }",
                (part + 0.5) / 2,
            )
            pixels = page.wait_for_function("window.pixels").json_value()
            wanted = [colors[part], PALETTE[0], PALETTE[2]]
            off = np.abs(np.array(pixels) - np.array(wanted)).max()
            assert off <= 8, (path.name, part, pixels)
        # And it runs.
        page.evaluate("() => { video.currentTime = 1.5; video.playbackRate = 4; video.play(); }")
        page.wait_for_function("video.ended")
        assert page.evaluate("video.currentTime") == pytest.approx(2.0, abs=1 / 16), path.name
        assert complaints == []
    # The looking itself must see a file that does not play.
    bad = write_clip(tmp_path / "bad.mp4", smooth(4, 48, 64), 10, "mp4v")
    html.write_text(as_page(bad))
    page, _, _ = browse(html, 1200)
    assert page.wait_for_function("video.error?.code").json_value() == 4
