"""What changed for good before a fixed camera: found in scenes whose changes are known."""

import logging
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from changed_scenes import HEIGHT, OTHER, THING, WIDTH, folder, put, still, taken
from films import write_film
from helpers import noise, write_clip, write_images
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidgru import Box, Change, Changes, Failure, detect_changes
from vidgru.core.errors import OptionError, VideoError
from vidgru.tasks.scenes.options import ScenesConfig
from vidgru.tools.changes.detect import MAX_LOOKS, ChangeDetector, find, median_of_nine, steady
from vidgru.tools.changes.find import change_steps, changes_each, save_heatmap, save_images
from vidgru.tools.changes.persistence import Region


def near(one: Box, other: Box, by: int = 3) -> bool:
    pairs = zip(
        (one.x, one.y, one.x + one.width, one.y + one.height),
        (other.x, other.y, other.x + other.width, other.y + other.height),
        strict=True,
    )
    return all(abs(a - b) <= by for a, b in pairs)


def test_what_appears_is_detected_to_the_frame(tmp_path: Path) -> None:
    frames = still(40)
    put(frames[17:], THING)
    found = detect_changes(folder(tmp_path / "seq", taken(frames)))
    assert (found.frames, found.width, found.height, found.every) == (40, WIDTH, HEIGHT, 1)
    (change,) = found.changes
    assert (change.frame, change.seconds, change.kind) == (17, 0.68, "appeared")
    assert near(change.box, THING)
    assert change.before is None
    assert change.confidence == 1


def test_what_vanishes_and_what_moves(tmp_path: Path) -> None:
    frames = still(60)
    put(frames[:20], THING)
    put(frames[:40], Box(90, 10, 24, 16), seed=3)
    put(frames[40:], OTHER, seed=3)
    gone, moved = detect_changes(folder(tmp_path / "seq", taken(frames))).changes
    assert (gone.frame, gone.kind) == (20, "vanished")
    assert near(gone.box, THING)
    assert (moved.frame, moved.kind) == (40, "moved")
    assert moved.before is not None
    assert near(moved.box, OTHER)
    assert near(moved.before, Box(90, 10, 24, 16))


def test_light_is_no_change(tmp_path: Path) -> None:
    frames = still(80)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for number, frame in enumerate(frames):
        far = (x - 2 * number) ** 2 + (y - 40) ** 2
        gain = 0.8 + 0.2 * np.sin(number / 10) - 0.25 * (number > 50)
        frame *= (gain * (1 + 0.5 * np.exp(-far / 800)))[..., None]
    assert detect_changes(folder(tmp_path / "seq", taken(frames))).changes == ()


@pytest.mark.parametrize(("wait", "moment"), [(0, 30), (6, 50)])
def test_passers_by_are_no_change_and_hide_none(wait: int, moment: int, tmp_path: Path) -> None:
    frames = still(80)
    put(frames[moment:], THING)
    way = [*range(-20, 60, 4), *[60] * wait, *range(60, 170, 4)]
    for number, left in enumerate(way, 10):
        right = max(left + 14, 0)
        frames[number, 20:70, max(left, 0) : right] = (30, 60, 200)
    (change,) = detect_changes(folder(tmp_path / "seq", taken(frames))).changes
    assert change.kind == "appeared"
    assert moment <= change.frame <= moment + 3
    assert near(change.box, THING)


def test_shake_is_no_change(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    frames = still(50)
    for frame in frames:
        frame[:] = np.roll(frame, rng.integers(-2, 3, 2), (0, 1))
    assert detect_changes(folder(tmp_path / "seq", taken(frames))).changes == ()


def moments(frames: NDArray[np.float32]) -> list[tuple[int, str]]:
    """Return when what changes, without reading files."""
    items = find(taken(frames))
    return [(item.look, item.kind) for item in items if isinstance(item, Region)]


def test_what_stays_briefly_is_detected_unless_somebody_brought_it() -> None:
    thing, person = still(160), still(160)
    put(thing[60:74], THING)
    assert moments(thing) == [(60, "appeared"), (74, "vanished")]
    way = [*range(-20, 60, 20), *[60] * 14, *range(80, 170, 20)]
    for number, left in enumerate(way, 56):
        if left < WIDTH - 24:
            put(person[number : number + 1], Box(max(left, 0), 30, 24, 16))
    assert moments(person) == []
    waiting = still(160)
    put(waiting[60:70], THING)
    assert moments(waiting) == []


def test_what_something_else_ends_is_detected() -> None:
    frames = still(90)
    put(frames[20:36], THING)
    put(frames[36:], Box(THING.x - 4, THING.y - 4, 40, 30), seed=7)
    assert [moment for moment, _ in moments(frames)] == [20, 36]


def test_changes_soon_after_the_beginning_and_before_the_end() -> None:
    frames = still(40)
    put(frames[4:], THING)
    put(frames[33:], OTHER, seed=3)
    assert moments(frames) == [(4, "appeared"), (33, "appeared")]


def test_what_hides_an_object_at_the_end_does_not_undo_it() -> None:
    frames = still(200)
    put(frames[181:], THING)
    put(frames[196:], Box(30, 20, 50, 40), seed=8)
    assert moments(frames) == [(181, "appeared")]


def test_neither_light_nor_objects_count_as_shake_and_shake_is_undone() -> None:
    frames = still(30)
    x = np.arange(WIDTH)
    for number, frame in enumerate(frames):
        frame *= (1 + 0.5 * np.exp(-((x - 6 * number) ** 2) / 800))[:, None]
    put(frames[12:], Box(20, 8, 40, 40))
    looks = taken(frames)
    assert np.abs(steady(looks).astype(int) - looks).mean() < 0.2
    plain = still(30)
    shaken = plain.copy()
    for number in range(0, 30, 3):
        shaken[number] = np.roll(plain[number], (number // 3 % 2, 1), (0, 1))
    inside = np.s_[::3, 8:-8, 8:-8]
    rest = steady(taken(shaken))[inside] - plain[inside]
    assert np.abs(rest).mean() < 2.2
    assert np.abs(shaken[inside] - plain[inside]).mean() > 2.5


def test_a_moving_camera_is_reported_and_not_taken_for_objects(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = np.concatenate([still(30), still(40, seed=9)])
    put(frames[50:], THING)
    source = folder(tmp_path / "seq", taken(frames))
    with caplog.at_level(logging.WARNING, "vidgru"):
        (change,) = detect_changes(source).changes
    assert (change.frame, change.kind) == (50, "appeared")
    assert caplog.messages == [
        f"{source}: the camera moves or the scene changes at frame 30 (1.20 s); changes are"
        " detected before and after it, not across."
    ]


@pytest.mark.parametrize("lengths", [(30, 60, 30), (20, 20, 20), (30, 30, 30, 30, 30)])
def test_each_move_of_the_camera_is_reported_however_far_apart(lengths: tuple[int, ...]) -> None:
    # To and fro, so that one move is as large as the other: between them there is none.
    frames = np.concatenate([still(count, n % 2) for n, count in enumerate(lengths)])
    moves = np.cumsum(lengths)[:-1].tolist()
    assert find(frames.astype(np.uint8)) == pytest.approx(moves, abs=1)


def test_a_long_sequence_is_reported_as_it_runs_in_constant_memory() -> None:
    watch, items = ChangeDetector(), []
    moments = [100, 250, 400]
    for look in range(490):
        frames = still(1)
        for number, moment in enumerate(moments):
            if look >= moment:
                put(frames, Box(10 + 36 * number, 30, 24, 16), seed=number)
        items += watch.push(taken(frames, seed=look)[0])
        assert len(watch._kept) < MAX_LOOKS
    items += watch.finish()
    assert [item.look for item in items if isinstance(item, Region)] == moments
    assert len(items) == 3


def test_nothing_is_found_twice_where_it_is_reported_in_parts() -> None:
    frames = still(MAX_LOOKS + 20)
    put(frames[MAX_LOOKS // 2 :], THING)
    watch, items = ChangeDetector(), []
    for look in taken(frames):
        items += watch.push(look)
    items += watch.finish()
    assert [item.look for item in items if isinstance(item, Region)] == [MAX_LOOKS // 2]


@given(st.lists(st.integers(-999, 999), min_size=9, max_size=9))
def test_the_network_finds_the_median(values: list[int]) -> None:
    told = median_of_nine([np.array([value], np.int16) for value in values])
    assert told.tolist() == [sorted(values)[4]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (7, 5)])
def test_tiny_pictures_have_no_changes(shape: tuple[int, int]) -> None:
    assert find(noise(20, *shape)) == []


def test_too_few_frames_are_an_error(tmp_path: Path) -> None:
    for count, words in ((1, "1 frame"), (2, "2 frames"), (11, "11 frames")):
        source = folder(tmp_path / f"seq{count}", noise(count))
        with pytest.raises(VideoError) as error:
            detect_changes(source)
        assert str(error.value) == (
            f"{source} has only {words}: at least 12 are needed to detect changes."
        )


def test_bad_sources_are_named_and_skipped(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_text("no video")
    frames = still(30)
    put(frames[12:], THING)
    good = write_clip(tmp_path / "yes.avi", taken(frames), 10)
    bad, found = changes_each_told([tmp_path / "no.mp4", good])
    path = tmp_path / "no.mp4"
    assert bad == Failure(str(path), f"Cannot read {path}: not a video that can be opened.")
    assert isinstance(found, Changes)
    assert [(c.frame, c.seconds) for c in found.changes] == [(12, 1.2)]


def test_frames_that_come_more_slowly_than_declared_are_looked_at(tmp_path: Path) -> None:
    frames = still(120)
    put(frames[57:73], THING)
    path = tmp_path / "a.mkv"
    # Of a file of 25 frames/s, one in two seconds is left, as after a filter for repeated ones.
    stamps = [2000 * number for number in range(120)]
    write_film(path, taken(frames), stamps=stamps, time_base=Fraction(1, 1000))
    found = detect_changes(path)
    assert (found.frames, found.every) == (120, 1)
    assert found.fps == pytest.approx(0.5)
    assert [(c.frame, c.seconds, c.kind) for c in found.changes] == [
        (57, 114.0, "appeared"), (73, 146.0, "vanished")
    ]  # fmt: skip


def changes_each_told(sources: list[Path]) -> list[Changes | Failure]:
    return [item for item in changes_each(sources) if isinstance(item, Changes | Failure)]


def test_pictures_of_other_sizes_are_stretched_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = folder(tmp_path / "seq", taken(still(20)))
    write_images(source, noise(1, 20, 20), ["0007b.png"])
    assert detect_changes(source).changes == ()
    assert caplog.messages == [
        f"{source}: the pictures differ in size, and are stretched to the first one's."
    ]


def test_live_sources_are_refused() -> None:
    with pytest.raises(OptionError) as error:
        list(change_steps("camera:0"))
    assert str(error.value).startswith("camera:0 is no file or folder.")


def test_a_moved_object_is_drawn_where_it_was_and_where_it_is(tmp_path: Path) -> None:
    grey = np.full((20, HEIGHT, WIDTH, 3), 110, np.uint8)
    before, after = Box(10, 40, 40, 30), Box(90, 50, 40, 30)
    change = Change(9, 0.36, "moved", 1.0, after, before)
    source = folder(tmp_path / "seq", grey)
    found = Changes(str(source), 20, 25.0, WIDTH, HEIGHT, 1, (change,))
    assert save_images(found, tmp_path / "out") is None
    for when in ("before", "after"):
        picture = cv2.imread(str(tmp_path / "out" / f"001-moved-{when}.jpg"), 0)
        assert picture is not None
        # Of the lower edges: one is white all along, the other in dashes on a dark line.
        new, old = (
            picture[box.y + box.height - 1, box.x + 2 : box.x + box.width - 2]
            for box in (after, before)
        )
        assert (new > 170).all()
        assert 0.3 < (old > 170).mean() < 0.7
        assert 0.1 < (old < 80).mean() < 0.7


def test_a_heat_map_that_cannot_be_drawn_is_reported(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    change = Change(3, 0.12, "appeared", 1.0, THING)
    failure = save_heatmap(Changes(str(gone), 9, 25.0, 160, 96, 1, (change,)), tmp_path / "h.png")
    assert failure == Failure(str(gone), f"Cannot read {gone}: no such file or folder.")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("edl", "a.edl"), ("split", "x"), ("sheet", "a.png"), ("threshold", 0.5), ("model", "m"),
        ("device", "cpu"), ("threads", 2),
    ],
)  # fmt: skip
def test_what_objects_does_not_use_is_refused(name: str, value: object) -> None:
    with pytest.raises(OptionError) as error:
        ScenesConfig(objects=True, **{name: value})  # type: ignore[arg-type]
    assert str(error.value) == f"--objects does not use --{name}: leave it out."


def test_options_that_do_not_go_together() -> None:
    with pytest.raises(OptionError) as error:
        ScenesConfig(heatmap="a.png")
    assert str(error.value) == "--heatmap needs --objects: give that, too."
