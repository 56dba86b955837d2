"""Saved pictures of motion: videos with arrows, and heat maps."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import noise, retime, turn, write_clip, write_images
from motion_fields import GRID, field
from numpy.typing import NDArray

from vidgru.core.errors import OptionError, OutputError, VideoError
from vidgru.core.results import Progress
from vidgru.tasks.motion.results import MotionField
from vidgru.tasks.motion.save import save_motion
from vidgru.video.heat import read_picture, save_heat
from vidgru.video.info import VideoInfo
from vidgru.video.read import open_video

SIZE = (640, 480)  # cells of 80 x 60


def grey(size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    return np.full((size[1], size[0], 3), 90, np.uint8)


# Saved videos


def smooth(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return frames that a codec keeps well, each darker or lighter than its neighbours."""
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([60 + 60 * x / width, 60 + 60 * y / height, 90 + 0 * x], axis=-1)
    step = (np.arange(count) * 7 % 40)[:, None, None, None]
    return np.asarray(base[None] + step, np.uint8)


def read(path: Path) -> tuple[list[NDArray[np.uint8]], VideoInfo]:
    with open_video(path) as video:
        return [frame.rgb for frame in video], video.info()


def save(
    source: Path,
    path: Path,
    fields: Iterable[MotionField] = (),
    captions: Callable[[float], str] | None = None,
) -> tuple[list[NDArray[np.uint8]], VideoInfo, VideoInfo]:
    """Save a source's motion; return the saved frames and the info of the saved and the source."""
    steps: list[Progress] = list(save_motion(source, iter(fields), path, captions))
    frames, saved = read(path)
    info = read(source)[1]
    assert [step.done for step in steps] == list(range(1, len(frames) + 1))
    assert all(step.total >= step.done for step in steps)
    assert abs(saved.seconds - info.seconds) <= 1 / saved.fps + 1e-3
    return frames, saved, info


def where_white(frame: NDArray[np.uint8]) -> set[tuple[int, int]]:
    """Return rows and columns of the cells from whose middle something white goes right."""
    rows, columns = frame.shape[0] // GRID, frame.shape[1] // GRID
    found = set()
    for r, c in np.ndindex(GRID, GRID):
        y, x = r * rows + rows // 2, c * columns + columns // 2
        if frame[y - 2 : y + 2, x + 4 : x + 12].min(axis=2).max() > 190:
            found.add((r, c))
    return found


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_each_frame_shows_the_field_of_its_time(tmp_path: Path, suffix: str) -> None:
    clip = write_clip(tmp_path / "clip.mkv", smooth(25, 240, 320), 10)
    # At half the rate, from the fourth frame on.
    fields = (field(n / 5, {(0, 3, n % GRID): (60, 0)}) for n in range(2, 13))
    frames, saved, source = save(clip, tmp_path / f"out{suffix}", fields)
    assert (len(frames), saved.fps, saved.width, saved.height) == (25, 10, 320, 240)
    assert source.frames == 25
    assert len(where_white(frames[0])) == 0
    shown = [where_white(frame) for frame in frames]
    assert shown == [set()] * 4 + [{(3, n // 2 % GRID)} for n in range(4, 25)]
    for old, new in zip(smooth(25, 240, 320), frames, strict=True):
        off = np.abs(old[:80].astype(int) - new[:80])
        assert off.mean() < 3
        assert off.max() < 20


def test_of_fields_that_come_faster_than_frames_the_latest_is_shown(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", smooth(8, 240, 320), 10)
    fields = (field(n / 30, {(0, 3, n % GRID): (60, 0)}) for n in range(24))
    frames, _, _ = save(clip, tmp_path / "out.mp4", fields)
    # A frame stands for its middle, half a tenth of a second after it begins.
    assert [where_white(frame) for frame in frames] == [{(3, (3 * n + 1) % GRID)} for n in range(8)]


def test_a_source_that_does_not_say_how_long_it_is(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mjpeg"
    clip.write_bytes(b"".join(cv2.imencode(".jpg", f)[1].tobytes() for f in smooth(9, 48, 64)))
    assert len(save(clip, tmp_path / "out.mp4")[0]) == 9


def test_a_text_can_tell_of_its_whole_second_and_few_fields_are_held(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", smooth(35, 96, 128), 10)
    taken: list[float] = []

    def fields() -> Iterator[MotionField]:
        for n in range(35):
            taken.append(n / 10)
            yield field(n / 10)
        taken.append(np.inf)

    asked: list[float] = []

    def caption(time: float) -> str:
        # All of its second was taken, and one more at most.
        end = int(time) + 1
        assert taken[-1] == (end if end < 4 else np.inf)
        asked.append(time)
        return f"second {int(time)}"

    frames, _, _ = save(clip, tmp_path / "out.mp4", fields(), caption)
    assert asked == pytest.approx([0.05 + n / 10 for n in range(35)])
    assert len(frames) == 35


def test_the_text_is_drawn(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", smooth(20, 240, 320), 10)
    frames, _, _ = save(clip, tmp_path / "out.mp4", captions=lambda time: "IMI" if time < 1 else "")
    first, second = frames[3][4:16, :60], frames[13][4:16, :60]
    assert first.min(axis=2).max() > 200
    assert second.max() < 180


def test_at_a_variable_rate_the_time_counts(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", smooth(16, 240, 320), 10, "mp4v")
    # The clock of this file ticks 10240 times a second.
    retime(clip, [512, 512, 512, 2560] * 4)
    fields = (field(n / 10, {(0, 3, n % GRID): (60, 0)}) for n in range(17))
    frames, saved, source = save(clip, tmp_path / "out.mp4", fields)
    assert source.variable
    assert saved.fps == pytest.approx(20)
    assert [where_white(frame) for frame in frames] == [
        {(3, n // 2 % GRID)} for n in range(len(frames))
    ]


@pytest.mark.parametrize("size", [(65, 47), (33, 64), (3, 1)])
def test_images_of_odd_and_tiny_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    folder = write_images(
        tmp_path / "images", smooth(4, height, width), [f"{n}.png" for n in range(4)]
    )
    fields = (field(n / 25, {(0, 3, 3): (60, 0)}) for n in range(4))
    frames, saved, _ = save(folder, tmp_path / "out.mp4", fields)
    assert len(frames) == 4
    assert (saved.width, saved.height) == (width + width % 2, height + height % 2)


def test_a_turned_video_is_upright(tmp_path: Path) -> None:
    clip = turn(write_clip(tmp_path / "clip.mp4", smooth(5, 240, 320), 10, "mp4v"))
    fields = (field(n / 10, {(0, 6, 1): (60, 0)}) for n in range(5))
    frames, saved, _ = save(clip, tmp_path / "out.mp4", fields)
    assert (saved.width, saved.height, saved.rotation) == (240, 320, 0)
    assert where_white(frames[2]) == {(6, 1)}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, VideoError])
def test_when_the_fields_break_off_nothing_is_left_behind(
    tmp_path: Path, stop: type[BaseException]
) -> None:
    clip = write_clip(tmp_path / "clip.mkv", smooth(25, 48, 64), 10)

    def fields() -> Iterator[MotionField]:
        yield from (field(n / 10) for n in range(15))
        raise stop

    (tmp_path / "out.mp4").write_text("old")
    with pytest.raises(stop):
        list(save_motion(clip, fields(), tmp_path / "out.mp4"))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["clip.mkv", "out.mp4"]
    assert (tmp_path / "out.mp4").read_text() == "old"


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mkv", smooth(3, 48, 64), 10)
    with pytest.raises(OptionError) as error:
        list(save_motion(clip, iter(()), tmp_path / "out.avi"))
    assert str(error.value) == (
        f"Cannot write {tmp_path / 'out.avi'}: the name of the video must end with .mp4 or .webm."
    )
    own = clip.rename(tmp_path / "clip.mp4")
    with pytest.raises(OptionError) as error:
        list(save_motion(own, iter(()), own))
    assert str(error.value) == f"{own} cannot be read and written at once: write elsewhere."


# Heat maps


def load(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None
    return image[..., ::-1]  # type: ignore[return-value]


def hot(at: tuple[int, int], speed: float = 30.0) -> NDArray[np.float32]:
    heat = np.zeros((GRID, GRID), np.float32)
    heat[at] = speed
    return heat


@pytest.mark.parametrize("at", [(1, 6), (7, 0), (4, 3)])
def test_the_hottest_place_lies_in_its_cell(tmp_path: Path, at: tuple[int, int]) -> None:
    picture = smooth(1, 480, 640)[0]
    path = tmp_path / "heat.png"
    save_heat(path, picture, hot(at))
    image = load(path)
    assert image.shape[0] == 480
    shown = image[:, :640].astype(int)
    # Grey where nothing moves, coloured where something does.
    color = shown.max(axis=2) - shown.min(axis=2)
    y, x = np.argwhere(color > 0.9 * color.max()).mean(axis=0)
    assert (int(y // 60), int(x // 80)) == at
    far = np.hypot(
        *(np.mgrid[0:480, 0:640] - np.reshape([60 * at[0] + 30, 80 * at[1] + 40], (2, 1, 1)))
    )
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    assert np.array_equal(shown[far > 250], luma[far > 250][:, None].repeat(3, 1))


def test_the_bar_tells_the_speeds(tmp_path: Path) -> None:
    picture = smooth(1, 480, 640)[0]
    bars = []
    for name, speed in (("slow", 30.0), ("same", 30.0), ("fast", 70.0)):
        save_heat(tmp_path / f"{name}.png", picture, hot((2, 2), speed))
        image = load(tmp_path / f"{name}.png")
        assert image.shape == (480, 640 + 8 * 17, 3)
        bars.append(image[:, 640:])
        # Colours from dark to light, and letters beside and above.
        strip = cv2.cvtColor(bars[-1], cv2.COLOR_RGB2GRAY)[:, 17 + 10].astype(int)
        assert strip[70] > strip[250] > 0
        assert (bars[-1].max(axis=2) < 60).sum() > 200
        assert image[:70, 640:].min() < 60
        assert (image[:, -3:] == 255).all()  # no number is cut off
    assert np.array_equal(bars[0], bars[1])
    assert not np.array_equal(bars[0], bars[2])


@pytest.mark.parametrize("heat", [0.0, np.nan, np.inf, -1.0])
def test_where_nothing_moves_the_picture_is_plain_and_says_so(tmp_path: Path, heat: float) -> None:
    picture = smooth(1, 480, 640)[0]
    save_heat(tmp_path / "heat.png", picture, np.full((GRID, GRID), heat, np.float32))
    image = load(tmp_path / "heat.png")
    assert image.shape == picture.shape
    assert np.array_equal(image[40:], picture[40:])
    assert (image[:30, :150] > 200).all(axis=2).sum() > 100


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((64, 48), (480, 360)),
        ((1, 1), (480, 480)),
        ((1920, 1080), (1280, 720)),
        ((1600, 40), (1280, 32)),
        ((20, 1600), (32, 2560)),
        ((301, 533), (480, 850)),
        ((640, 113), (640, 113)),
    ],
)
def test_heat_maps_of_any_shape(
    tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    path = tmp_path / "folder" / "heat.png"
    save_heat(path, grey(size), hot((0, 0), 1e-4))
    image = load(path)
    text = max(round(min(shown) / 28), 11)
    assert image.shape[:2] == (max(shown[1], 9 * text), shown[0] + 8 * text)
    assert (image[:, -2:] == 255).all()
    rows = image[: shown[1], shown[0] - 1].astype(int)
    assert (rows[-shown[1] // 3 :] == 90).all()
    save_heat(path, grey(size), hot((0, 0), 0))
    assert load(path)[0, 0].max() < 90


def test_heat_maps_are_png_alone(tmp_path: Path) -> None:
    for name in ("heat.jpg", "heat", "heat.mp4"):
        with pytest.raises(OptionError) as error:
            save_heat(tmp_path / name, grey(), hot((0, 0)))
        assert str(error.value) == (
            f"Cannot write {tmp_path / name}: the name of the picture must end with .png."
        )
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        save_heat(tmp_path / "file" / "heat.png", grey(), hot((0, 0)))
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_the_picture_is_of_the_middle_but_not_late(tmp_path: Path) -> None:
    frames = noise(30, 24, 32)
    clip = write_clip(tmp_path / "clip.avi", frames, 10)
    assert np.array_equal(read_picture(clip, 3.0), frames[15])
    # The length that is told may be wrong.
    assert np.array_equal(read_picture(clip, 300.0), frames[0])
    slow = write_clip(tmp_path / "slow.avi", frames, 1)
    assert np.array_equal(read_picture(slow, 30.0), frames[10])
    assert np.array_equal(
        read_picture(write_clip(tmp_path / "one.avi", frames[:1], 10), 0.1), frames[0]
    )
    wide = write_clip(tmp_path / "wide.avi", noise(1, 20, 2000), 10)
    assert read_picture(wide, 0.1).shape == (13, 1280, 3)
    with pytest.raises(VideoError):
        read_picture(tmp_path / "no.mp4", 1.0)
