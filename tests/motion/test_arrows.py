"""Pictures of motion: arrows on frames and in saved videos, and heat maps."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import noise, retime, turn, write_clip, write_images
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidgru.core.errors import OptionError, OutputError, VideoError
from vidgru.core.results import Progress
from vidgru.tasks.motion.arrows import (
    LASTING,
    LATER,
    LONGEST,
    NOW,
    STILL,
    FieldOverlay,
    arrow_length,
)
from vidgru.tasks.motion.results import AHEAD, MotionField
from vidgru.tasks.motion.save import save_motion
from vidgru.video.facts import Facts
from vidgru.video.heat import read_picture, save_heat
from vidgru.video.read import open_video

GRID = 8
SIZE = (640, 480)  # cells of 80 x 60
Cell = tuple[int, int, int]  # which field, row, column


def field(
    time: float = 0.0, cells: dict[Cell, tuple[float, float]] | None = None, spread: float = 0.0
) -> MotionField:
    shape = (1 + len(AHEAD), GRID, GRID)
    velocity = np.zeros((*shape, 2), np.float32)
    for cell, way in (cells or {}).items():
        velocity[cell] = way
    moving = (np.abs(velocity[0]).sum(-1) > 0).astype(np.float32)
    return MotionField(time, velocity, np.full(shape, spread, np.float32), moving)


def grey(size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    return np.full((size[1], size[0], 3), 90, np.uint8)


def bare(size: tuple[int, int] = SIZE) -> FieldOverlay:
    """Return an overlay without its legend."""
    overlay = FieldOverlay(size)
    overlay.legend = None
    return overlay


def changed(drawn: NDArray[np.uint8], picture: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Return x and y (N, 2) of pixels that differ."""
    return np.argwhere((drawn != picture).any(axis=2))[:, ::-1]


def colored(drawn: NDArray[np.uint8], color: tuple[int, int, int]) -> NDArray[np.intp]:
    return np.argwhere((drawn == color).all(axis=2))[:, ::-1]


# Arrows


@pytest.mark.parametrize(("index", "color"), [(0, NOW), (2, LATER)])
@pytest.mark.parametrize("way", [(1, 0), (-1, 0), (0, 1), (0, -1), (0.6, 0.8), (-0.8, 0.6)])
def test_an_arrow_goes_from_its_cell_the_way_the_field_says(
    way: tuple[float, float], index: int, color: tuple[int, int, int]
) -> None:
    speed = 100.0
    cells = {(index, 3, 5): (speed * way[0], speed * way[1])}
    drawn = bare().draw(grey(), field(cells=cells))
    points = colored(drawn, color)
    center = np.array([5.5 * 80, 3.5 * 60]) - 0.5
    along = (points - center) @ np.array(way)
    across = (points - center) @ np.array([-way[1], way[0]])
    # v m / (v + m), with v = 150 and m = 90 pixels.
    assert along.max() == pytest.approx(56.25, abs=2.5)
    assert along.min() == pytest.approx(0, abs=2)
    # The head is wide, and pointed at its end.
    wings = along[np.abs(across) > 0.7 * np.abs(across).max()]
    assert 35 < wings.min() <= wings.max() < 56.25 - 3
    assert np.abs(across[along > 54]).max() <= 2
    assert abs(across.mean()) < 0.5
    other = LATER if color == NOW else NOW
    assert len(colored(drawn, other)) == 0


def test_a_longer_arrow_is_faster_and_none_is_much_longer_than_its_cell() -> None:
    speeds = np.array([20.0, 100, 300, 1000, 1e5])
    tips = []
    for speed in speeds:
        drawn = bare().draw(grey(), field(cells={(0, 4, 2): (speed, 0)}))
        tips.append(colored(drawn, NOW)[:, 0].max() - (2.5 * 80 - 0.5))
    assert tips == sorted(set(tips))
    assert tips == pytest.approx(arrow_length(speeds, 60).tolist(), abs=2.5)
    assert arrow_length(np.array([1e-6]), 60)[0] == pytest.approx(LASTING * 1e-6)
    assert max(tips) <= LONGEST * 60


@given(st.floats(1e-3, 1e9), st.floats(1.001, 10), st.floats(0.1, 500))
def test_arrow_lengths_grow_with_the_speed(speed: float, times: float, side: float) -> None:
    shorter, longer = arrow_length(np.array([speed, speed * times]), side)
    assert 0 < shorter <= longer <= LONGEST * side
    if longer < 0.99 * LONGEST * side:
        assert shorter < longer


def test_the_prediction_is_bolder_and_lies_under_what_is_now() -> None:
    now = bare().draw(grey(), field(cells={(0, 3, 3): (200, 0)}))
    later = bare().draw(grey(), field(cells={(2, 3, 3): (200, 0)}))

    def thick(drawn: NDArray[np.uint8]) -> int:
        return int((drawn[:, round(3.5 * 80) + 10] != 90).any(axis=1).sum())

    assert thick(later) >= thick(now) + 3
    both = bare().draw(grey(), field(cells={(0, 3, 3): (200, 0), (2, 3, 3): (200, 0)}))
    middle = both[round(3.5 * 60) - 1, 300]
    assert tuple(middle) == NOW
    assert len(colored(both, LATER)) > 100


def test_only_the_field_ahead_that_is_asked_for_is_drawn() -> None:
    cells = {(index, 2, 2): (0.0, 300.0) for index in (1, 3)}
    assert np.array_equal(bare().draw(grey(), field(cells=cells)), grey())
    overlay = FieldOverlay(SIZE, ahead=3)
    assert overlay.legend is not None
    assert overlay.legend.light.shape != FieldOverlay(SIZE, ahead=1).legend.light.shape  # type: ignore[union-attr]
    overlay.legend = None
    assert len(colored(overlay.draw(grey(), field(cells=cells)), LATER)) > 50


def test_what_is_still_or_unsure_has_no_arrow() -> None:
    least = STILL * SIZE[0]
    plain = grey()
    for speed, spread, seen in (
        (0.0, 0.0, False),
        (0.99 * least, 0.0, False),
        (1.01 * least, 0.0, True),
        (100.0, 101.0, False),
        (100.0, 99.0, True),
        (np.nan, 0.0, False),
        (np.inf, 0.0, False),
    ):
        for index in (0, 2):
            drawn = bare().draw(plain, field(cells={(index, 1, 1): (0.0, speed)}, spread=spread))
            assert np.array_equal(drawn, plain) != seen, (speed, spread, index)
    assert np.array_equal(plain, grey())


def test_around_arrows_legend_and_band_nothing_is_touched() -> None:
    picture = noise(1, SIZE[1], SIZE[0])[0]
    overlay = FieldOverlay(SIZE)
    drawn = overlay.draw(picture, field(cells={(0, 3, 5): (100, 0), (2, 3, 5): (0, 100)}), "east")
    assert np.array_equal(picture, noise(1, SIZE[1], SIZE[0])[0])
    places = changed(drawn, picture)
    x, y = places[:, 0], places[:, 1]
    band = overlay.band
    assert overlay.legend is not None
    legend = (y >= SIZE[1] - band) & (x < overlay.legend.light.shape[1])
    arrows = (x > 425) & (x < 505) & (y > 195) & (y < 275)
    assert (legend | (y < band) | arrows).all()
    assert (y < band).sum() > 0.95 * band * SIZE[0]
    assert arrows.sum() > 300
    # Neither a field nor a text: only the legend is left.
    x, y = changed(overlay.draw(picture, None), picture).T
    assert (x < overlay.legend.light.shape[1]).all()
    assert (y >= SIZE[1] - band).all()


def test_arrows_show_on_any_ground() -> None:
    for level in (0, 90, 255):
        picture = np.full((480, 640, 3), level, np.uint8)
        for index in (0, 2):
            drawn = bare().draw(picture, field(cells={(index, 3, 3): (200, 0)}))
            luma = cv2.cvtColor(drawn, cv2.COLOR_RGB2GRAY)[180:240, 280:370].astype(int)
            assert luma.max() - luma.min() > 120, (level, index)


def test_the_legend_and_the_text_say_what_is_what() -> None:
    overlay = FieldOverlay(SIZE)
    drawn = overlay.draw(grey(), None, "one")
    legend = drawn[-overlay.band :, : overlay.legend.light.shape[1]]  # type: ignore[union-attr]
    assert len(colored(legend, LATER)) > 40
    assert len(colored(legend, NOW)) > 40
    other = overlay.draw(grey(), None, "other")
    assert not np.array_equal(drawn[: overlay.band], other[: overlay.band])
    assert np.array_equal(drawn[overlay.band :], other[overlay.band :])
    for number in range(20):
        overlay.draw(grey(), None, str(number))
    assert overlay._layer.cache_info().currsize <= 4


@pytest.mark.parametrize(
    ("size", "band", "legend"),
    [
        ((64, 48), 0, False),
        ((1, 1), 0, False),
        ((7, 300), 0, False),
        ((120, 240), 20, False),
        ((320, 568), 20, True),
        ((3840, 2160), 139, True),
    ],
)
def test_frames_of_any_size(size: tuple[int, int], band: int, legend: bool) -> None:
    overlay = FieldOverlay(size)
    assert (overlay.band, overlay.legend is not None) == (band, legend)
    everywhere = {
        (n, r, c): (size[0], -size[1]) for n in (0, 2) for r in range(8) for c in range(8)
    }
    drawn = overlay.draw(grey(size), field(cells=everywhere), "a text")
    assert drawn.shape == grey(size).shape
    assert len(changed(drawn, grey(size)))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.floats(-1e30, 1e30), st.floats(-1e30, 1e30))
def test_no_velocity_and_no_size_breaks_it(width: int, height: int, x: float, y: float) -> None:
    cells = {(n, r, 7 - r): (x, y) for n in (0, 2) for r in range(8)}
    drawn = FieldOverlay((width, height)).draw(grey((width, height)), field(cells=cells), "")
    assert drawn.shape == (height, width, 3)


# Saved videos


def smooth(count: int, height: int, width: int) -> NDArray[np.uint8]:
    """Return frames that a codec keeps well, each darker or lighter than its neighbours."""
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([60 + 60 * x / width, 60 + 60 * y / height, 90 + 0 * x], axis=-1)
    step = (np.arange(count) * 7 % 40)[:, None, None, None]
    return np.asarray(base[None] + step, np.uint8)


def read(path: Path) -> tuple[list[NDArray[np.uint8]], Facts]:
    with open_video(path) as video:
        return [frame.rgb for frame in video], video.facts()


def save(
    source: Path,
    path: Path,
    fields: Iterable[MotionField] = (),
    captions: Callable[[float], str] | None = None,
) -> tuple[list[NDArray[np.uint8]], Facts, Facts]:
    """Save a source's motion; return the saved frames and the facts of the saved and the source."""
    steps: list[Progress] = list(save_motion(source, iter(fields), path, captions))
    frames, saved = read(path)
    facts = read(source)[1]
    assert [step.done for step in steps] == list(range(1, len(frames) + 1))
    assert all(step.total >= step.done for step in steps)
    assert abs(saved.seconds - facts.seconds) <= 1 / saved.fps + 1e-3
    return frames, saved, facts


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
