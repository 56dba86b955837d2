import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import noise, write_clip, write_images

from vidgru.core.errors import VideoError
from vidgru.video.read import Frame, Image, image_files, open_video, shrink


def read(source: Path) -> tuple[list[Frame], list[str]]:
    with open_video(source) as video:
        return list(video), video.warnings


@pytest.mark.parametrize("suffix", [".avi", ".mkv"])
@pytest.mark.parametrize("fps", [7.5, 10, 29.97])
def test_every_pixel_time_and_index(tmp_path: Path, frames: Image, suffix: str, fps: float) -> None:
    got, warnings = read(write_clip(tmp_path / f"a{suffix}", frames, fps))
    assert warnings == []
    assert [frame.index for frame in got] == list(range(20))
    assert np.stack([frame.rgb for frame in got]).tobytes() == frames.tobytes()
    assert [frame.time for frame in got] == pytest.approx(np.arange(20) / fps, abs=6e-4)


def test_grab_skips_and_retrieve_fetches(clip: Path, frames: Image) -> None:
    with open_video(clip) as video:
        assert video.fps == 10
        assert [video.grab() for _ in range(3)] == pytest.approx([0, 0.1, 0.2])
        assert (video.retrieve() == frames[2]).all()
        assert (video.retrieve() == frames[2]).all()


@pytest.mark.parametrize(("size", "shape"), [((8, 6), (6, 8)), (16, (12, 16)), (64, (48, 64))])
def test_retrieve_resizes(
    clip: Path, frames: Image, size: tuple[int, int] | int, shape: tuple[int, int]
) -> None:
    with open_video(clip) as video:
        video.grab()
        small = video.retrieve(size)
    assert small.shape == (*shape, 3)
    if size == (8, 6):
        means = frames[0].reshape(6, 4, 8, 4, 3).mean((1, 3))
        assert np.abs(small - means).max() <= 0.5


@pytest.mark.parametrize(("height", "width"), [(1080, 1920), (360, 640), (405, 720)])
def test_large_pictures_are_averaged_as_if_at_once(height: int, width: int) -> None:
    image = cv2.GaussianBlur(noise(1, height, width)[0], (0, 0), 2)
    small = shrink(image, (96, 80)).astype(int)
    exact = cv2.resize(image.astype(float), (96, 80), interpolation=cv2.INTER_AREA)
    assert small.shape == (80, 96, 3)
    # Each halving rounds, and pixels on a border fall to one side in pairs.
    assert np.abs(small - exact).mean() < 0.6
    assert np.abs(small - exact).max() < 3.5


def test_a_picture_never_shrinks_to_nothing(tmp_path: Path) -> None:
    write_images(tmp_path, noise(1, 1, 40), ["thin.png"])
    with open_video(tmp_path / "thin.png") as video:
        video.grab()
        assert video.retrieve(8).shape == (1, 8, 3)


@pytest.mark.parametrize(
    "name",
    ["img_%02d.avi", "http:x.avi", "concat:clip.avi", "-v.avi", "a b.avi", "é☃.avi", "a\nb.avi"],
)
def test_a_name_stays_a_name(clip: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clip.rename(clip.with_name(name))
    monkeypatch.chdir(clip.parent)
    assert len(read(Path(name))[0]) == 20


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf8(clip: Path, tmp_path: Path) -> None:
    bad = os.fsdecode(b"\xff")
    with pytest.raises(VideoError, match="not UTF-8"):
        read(clip.rename(tmp_path / f"{bad}.avi"))
    write_images(tmp_path, noise(1), [f"{bad}.png"])
    assert len(read(tmp_path / f"{bad}.png")[0]) == 1


def test_a_file_cut_short_gives_its_frames_and_a_warning(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "cut.mkv", noise(20), 10)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    got, warnings = read(path)
    assert 9 <= len(got) <= 12
    assert len(warnings) == 1
    assert "cut.mkv ends early: it declares 2.00 s" in warnings[0]


def test_reading_continues_past_damage_and_warns_once(tmp_path: Path) -> None:
    frames = noise(40)
    path = write_clip(tmp_path / "hurt.avi", frames, 10)
    data = bytearray(path.read_bytes())
    for spot in (len(data) // 4, len(data) * 6 // 10):
        data[spot : spot + 1000] = b"\xff" * 1000
    path.write_bytes(data)
    got, warnings = read(path)
    assert 36 <= len(got) <= 38
    assert (got[-1].rgb == frames[-1]).all()
    assert len(warnings) == 1
    assert "hurt.avi is damaged after" in warnings[0]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.mp4", b"", "the file is empty"),
        ("text.mp4", b"hello\n" * 100, "not a video that can be opened"),
        ("text.png", b"hello\n" * 100, "no image in it can be read"),
        ("none.mp4", None, "no such file or folder"),
        ("x" * 300, None, "File name too long"),
    ],
)
def test_what_cannot_be_read_gives_one_sentence(
    tmp_path: Path, name: str, data: bytes | None, message: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(VideoError, match=message) as error:
        read(tmp_path / name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_why_a_file_cannot_be_opened(clip: Path, tmp_path: Path) -> None:
    data = clip.read_bytes()
    bad = {
        "its codec is unknown": data.replace(b"FFV1", b"WXYZ"),
        "it is cut short or damaged": data[:200],
        "it holds no stream": b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x08moov",
    }
    for why, content in bad.items():
        path = tmp_path / f"{why}.avi"
        path.write_bytes(content)
        with pytest.raises(VideoError) as error:
            read(path)
        assert str(error.value) == f"Cannot read {path}: not a video that can be opened: {why}."


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="holds no images"):
        read(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("name", ["pipe.mp4", "pipe.png", "."])
def test_a_pipe_is_refused_at_once(tmp_path: Path, name: str) -> None:
    write_images(tmp_path / "in", noise(1), ["1.png"])
    os.mkfifo(tmp_path / "in" / ("2.png" if name == "." else name))
    code = """if 1:
        import sys
        from vidgru.video.read import open_video
        with open_video(sys.argv[1]) as video:
            print(len(list(video)))"""
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "in" / name],
        capture_output=True,
        text=True,
        timeout=30,
    )
    if name == ".":
        assert done.stdout == "1\n"
    else:
        assert "not a regular file" in done.stderr


def test_image_folder_in_natural_order(tmp_path: Path, frames: Image) -> None:
    names = ["img10.png", "img2.PNG", "Img1.png", "img2b.png", "b.png"]
    folder = write_images(tmp_path / "images", frames[:5], names)
    (folder / ".hidden.png").write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"x")
    order = ["b.png", "Img1.png", "img2.PNG", "img2b.png", "img10.png"]
    assert [path.name for path in image_files(folder)] == order
    got, _ = read(folder)
    assert all((f.rgb == frames[names.index(n)]).all() for f, n in zip(got, order, strict=True))
    assert [frame.time for frame in got] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])


def test_bad_images_are_skipped_and_named(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images", noise(2), ["1.png", "4.png"])
    (folder / "2.png").write_bytes(b"no picture")
    (folder / "3.png").write_bytes(promise(60000, 60000))
    got, warnings = read(folder)
    assert [frame.index for frame in got] == [0, 1]
    assert [Path(w.split(":")[0]).name for w in warnings] == ["2.png", "3.png"]


def promise(width: int, height: int) -> bytes:
    """Return a PNG file whose header announces more pixels than it holds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


def test_extracted_times_are_read_back(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images", noise(3), ["1.png", "2.png", "3.png"])
    table = folder / "frames.csv"
    table.write_text("file,seconds\n1.png,2.0\n2.png,2.1\n3.png,2.5\n")
    with open_video(folder) as video:
        assert [frame.time for frame in video] == pytest.approx([0, 0.1, 0.5])
        assert video.fps == pytest.approx(4)


@pytest.mark.parametrize(
    "rows",
    ["1.png,0\n2.png,1\n", "1.png,0\n2.png,2\n3.png,1\n", "1.png,a\n2.png,1\n3.png,2\n", "\0\xff"],
)
def test_a_table_that_does_not_fit_is_ignored(tmp_path: Path, rows: str) -> None:
    folder = write_images(tmp_path / "images", noise(3), ["1.png", "2.png", "3.png"])
    (folder / "frames.csv").write_text("file,seconds\n" + rows, encoding="latin-1")
    assert [frame.time for frame in read(folder)[0]] == pytest.approx([0, 0.04, 0.08])


def test_grey_transparent_and_16_bit_images_come_as_rgb_uint8(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1.png"), np.full((4, 5), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "2.png"), np.full((6, 5, 4), 9, np.uint8))
    cv2.imwrite(str(tmp_path / "3.png"), np.full((7, 5, 3), 512, np.uint16))
    got = [frame.rgb for frame in read(tmp_path)[0]]
    assert [rgb.shape for rgb in got] == [(4, 5, 3), (6, 5, 3), (7, 5, 3)]
    assert [(rgb.dtype, rgb.max()) for rgb in got] == [("uint8", 7), ("uint8", 9), ("uint8", 2)]
