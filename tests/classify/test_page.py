"""Pictures that hold several pictures, and deep grey."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import noise, write_images
from PIL import Image, TiffImagePlugin

from vidgru.core.errors import VideoError
from vidgru.video.info import VideoInfo
from vidgru.video.read import Frame, open_video


def read(path: Path) -> tuple[list[Frame], VideoInfo]:
    with open_video(path) as video:
        return list(video), video.info()


def save(path: Path, pictures: list[Image.Image], **options: object) -> Path:
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **options)
    return path


def pictures(count: int = 6) -> list[Image.Image]:
    return [Image.fromarray(frame) for frame in noise(count)]


@pytest.mark.parametrize(
    ("name", "options"), [("a.webp", {"lossless": True}), ("a.png", {}), ("a.PNG", {})]
)
def test_animations_are_sequences_with_their_times(
    tmp_path: Path, name: str, options: dict[str, object]
) -> None:
    path = save(tmp_path / name, pictures(), duration=[50, 50, 400, 50, 50, 50], **options)
    got, info = read(path)
    assert np.stack([frame.rgb for frame in got]).tobytes() == noise(6).tobytes()
    assert [frame.time for frame in got] == pytest.approx([0, 0.05, 0.1, 0.5, 0.55, 0.6])
    assert (info.reader, info.why) == ("pillow", "it holds several pictures")
    assert (info.frames, info.declared, info.codec) == (6, 6, path.suffix[1:].lower())
    assert (info.width, info.height, info.fps) == (32, 24, 20)


def test_a_picture_for_those_who_know_no_animations_is_left_out(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", pictures(), duration=50, default_image=True)
    got, _ = read(path)
    assert np.stack([frame.rgb for frame in got]).tobytes() == noise(6)[1:].tobytes()


def test_a_gif_is_a_sequence(tmp_path: Path) -> None:
    got, info = read(save(tmp_path / "a.gif", pictures(), duration=50))
    assert (info.frames, info.reader) == (6, "opencv")
    assert [frame.time for frame in got] == pytest.approx(np.arange(6) / 20)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK", "L"])
@pytest.mark.parametrize("pages", [1, 6])
def test_pages_of_a_tiff(tmp_path: Path, mode: str, pages: int) -> None:
    shown = [picture.convert(mode) for picture in pictures(pages)]
    for picture in shown if mode == "RGBA" else ():
        picture.putalpha(128)
    got, info = read(save(tmp_path / "a.tif", shown))
    assert info.reader == ("opencv" if pages == 1 else "pillow")
    right = [
        np.asarray(picture.convert("L" if mode == "L" else "RGB")) for picture in pictures(pages)
    ]
    for frame, pixels in zip(got, right, strict=True):
        want = pixels if pixels.ndim == 3 else pixels[..., None]
        assert np.abs(frame.rgb.astype(int) - want).max() <= 1
    assert [frame.time for frame in got] == pytest.approx(np.arange(pages) / 25)


def test_palettes_are_colours(tmp_path: Path) -> None:
    few = [picture.quantize(16) for picture in pictures()]
    few[0].save(tmp_path / "one.png")
    for path in (save(tmp_path / "a.tif", few), tmp_path / "one.png"):
        assert (read(path)[0][0].rgb == np.asarray(few[0].convert("RGB"))).all()


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_pages_of_longer_numbers_are_scaled_as_16_bit_grey(tmp_path: Path, kind: type) -> None:
    ramp = np.linspace(0, 4000, 48).reshape(6, 8)
    pages = [Image.fromarray((ramp * share).astype(kind)) for share in (1, 0.5)]
    got, info = read(save(tmp_path / "a.tif", pages))
    for frame, share in zip(got, (1, 0.5), strict=True):
        assert np.abs(frame.rgb[..., 0] - ramp * share * 255 / 4095).max() < 0.6
    assert "of which 12 bits are used" in info.notes[0]


@pytest.mark.parametrize("white", [1, -1, 70_000])
def test_pages_that_are_no_levels_are_refused(tmp_path: Path, white: int) -> None:
    ramp = np.linspace(0, white, 48, dtype=np.float32).reshape(6, 8)
    path = save(tmp_path / "a.tif", [Image.fromarray(ramp)] * 2)
    with pytest.raises(VideoError, match=r"a.tif: no image in it can be read\."):
        read(path)


def test_smaller_copies_in_a_tiff_are_no_pages(tmp_path: Path) -> None:
    first, second, third = pictures(3)
    path = tmp_path / "a.tif"
    with TiffImagePlugin.AppendingTiffWriter(str(path)) as out:
        for picture, kind in ((first, 0), (second.resize((8, 6)), 1), (third, 0)):
            picture.save(out, format="TIFF", tiffinfo={254: kind})
            out.newFrame()
    got, info = read(path)
    assert info.frames == 2
    assert (got[1].rgb == np.asarray(third)).all()


def test_an_animation_in_a_folder_is_named_and_not_cut_to_one(tmp_path: Path) -> None:
    write_images(tmp_path, noise(2), ["1.png", "3.png"])
    path = save(tmp_path / "2.png", pictures(), duration=50)
    got, info = read(tmp_path)
    assert [frame.index for frame in got] == [0, 1]
    assert info.warnings == (f"Skipped {path}: it holds several pictures; read it on its own.",)


def test_an_animation_cut_short_gives_what_it_holds(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", pictures())
    data = path.read_bytes()
    middle = data.index(noise(6)[3].tobytes()[:40])
    path.write_bytes(data[:middle])
    with open_video(path) as video:
        got = list(video)
    assert 0 < len(got) <= 4
    assert video.warnings == [f"{path} ends early: after {len(got)} pictures it is damaged."]


RAMP = (np.arange(64) * 4095 // 63).astype(np.uint16) * np.ones((8, 1), np.uint16)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize(
    ("bits", "note"),
    [
        (8, "of which 8 bits are used: 255 is shown as white."),
        (10, "of which 10 bits are used: 1023 is shown as white."),
        (12, "of which 12 bits are used: 4095 is shown as white."),
        (16, ""),
    ],
)
def test_deep_grey_is_scaled_by_what_it_holds(
    tmp_path: Path, name: str, bits: int, note: str
) -> None:
    deep = RAMP >> (12 - bits) if bits < 12 else RAMP << (bits - 12)
    cv2.imwrite(str(tmp_path / name), deep)
    (frame,), info = read(tmp_path / name)
    right = np.round(deep.astype(float) * 255 / (2**bits - 1))
    assert np.abs(frame.rgb.astype(int) - right[..., None]).max() <= 1
    assert [note in text for text in info.notes] == ([True] if note else [])
    assert info.warnings == ()


def test_all_pictures_of_a_folder_are_scaled_alike_and_reported_once(
    tmp_path: Path,
) -> None:
    for number, bright in enumerate((1, 8, 4, 2)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), RAMP * bright // 8)
    got, info = read(tmp_path)
    assert [int(frame.rgb.max()) for frame in got] == [32, 255, 127, 64]
    assert len(info.notes) == 1


def test_pages_of_deep_grey(tmp_path: Path) -> None:
    deep = [Image.fromarray(RAMP // bright) for bright in (8, 1, 2)]
    got, info = read(save(tmp_path / "a.tif", deep))
    assert [int(frame.rgb.max()) for frame in got] == [32, 255, 127]
    assert info.notes == (
        f"{tmp_path / 'a.tif'} holds 16-bit grey of which 12 bits are used: "
        "4095 is shown as white.",
    )


def test_brighter_pictures_that_come_later_are_reported(tmp_path: Path) -> None:
    for number in range(40):
        cv2.imwrite(str(tmp_path / f"{number:02}.png"), RAMP // (1 if number == 33 else 8))
    got, info = read(tmp_path)
    assert int(got[33].rgb.max()) == 255
    assert info.warnings == (
        f"{tmp_path} holds later pictures brighter than 1023: these are clipped.",
    )


def test_deep_colour_is_not_scaled(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((7, 5, 3), 512, np.uint16))
    (frame,), info = read(tmp_path / "a.png")
    assert (int(frame.rgb.max()), info.notes) == (2, ())


def test_a_single_picture_is_read_from_the_disk_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(1)[0].save(tmp_path / "a.png")
    reads: list[Path] = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: reads.append(path) or read_bytes(path))
    assert len(read(tmp_path / "a.png")[0]) == 1
    assert reads == [tmp_path / "a.png"]
